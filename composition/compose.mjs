// Composes the gateway's schema with neighbours, as the builds of routers would: with Apollo's composer,
// Hive's and Cosmo's, which accept different things. Nothing may be refused, and nothing hinted at.
// Usage: node compose.mjs PYTHON
import { readFileSync } from "node:fs";
import { composeServices } from "@apollo/composition";
import {
  applyTagFilterOnSubgraphs,
  composeSchemaContract,
  composeServices as composeWithHive,
} from "@theguild/federation-composition";
import { federateSubgraphs, federateSubgraphsContract } from "@wundergraph/composition";
import { buildSchema, isObjectType, parse } from "graphql";
import { crm } from "./crm.mjs";
import { printed } from "./printed.mjs";

const subgraph = (name, text) => ({
  name,
  url: `http://${name}/graphql`, // only written into the supergraph; nothing is called
  typeDefs: parse(text),
  definitions: parse(text), // the same, for Cosmo
});
const neighbour = (name) =>
  subgraph(name, readFileSync(new URL(`neighbours/${name}.graphql`, import.meta.url), "utf8"));

const composers = {
  Apollo: (subgraphs) => composeServices(subgraphs),
  Hive: (subgraphs) => composeWithHive(subgraphs),
  Cosmo: (subgraphs) => federateSubgraphs({ subgraphs }),
};
// Cosmo asks sets for what they have from node 22 on.
class Tags extends Set {
  isDisjointFrom(other) {
    return ![...this].some((tag) => other.has(tag));
  }
}
const personal = { include: new Tags(), exclude: new Tags(["personal"]) };
const contracts = {
  Apollo: (subgraphs) => composeServices(applyTagFilterOnSubgraphs(subgraphs, personal)),
  Hive: (subgraphs) => composeSchemaContract(subgraphs, personal, true),
  Cosmo: (subgraphs) =>
    federateSubgraphsContract({
      subgraphs,
      contractTagOptions: { tagNamesToInclude: personal.include, tagNamesToExclude: personal.exclude },
    }),
};

// The API that clients of a supergraph see.
const api = ({ schema, publicSdl, federatedGraphClientSchema }) =>
  schema?.toAPISchema().toGraphQLJSSchema() ??
  federatedGraphClientSchema ??
  buildSchema(publicSdl);

const ofGroups = printed("supergraph");
const own = subgraph("customer-groups", ofGroups);
const withoutNode = subgraph("customer-groups", printed("supergraph", { GATEWAY_RELAY_NODE: "false" }));
const owner = subgraph("crm", crm(ofGroups));
const winning = subgraph(
  "crm",
  crm(ofGroups)
    .replace("\n  email: String", '$& @override(from: "customer-groups")')
    .replace('"@key"', '"@key", "@override"'),
);
const cases = {
  "alone": [composers, [own]],
  "with fields added to groups and customers": [composers, [withoutNode, ...["orders", "prices"].map(neighbour)]],
  "with customers owned elsewhere": [composers, [withoutNode, owner, ...["invoices", "orders"].map(neighbour)]],
  "with a field of a customer in a neighbour's key": [composers, [own, neighbour("loyalty")]],
  "with the customers of a subgraph that wins": [
    { Hive: composers.Hive, Cosmo: composers.Cosmo }, // Apollo's hints at what it overrides
    [own, winning, neighbour("invoices")],
  ],
  "with another's node and common names": [composers, [withoutNode, neighbour("catalogue")]],
  "without personal data": [contracts, [withoutNode, ...["orders", "prices"].map(neighbour)], noPersonalData],
  "without personal data, with customers owned elsewhere": [
    contracts,
    [own, owner, neighbour("invoices")],
    noPersonalData,
  ],
};

// What may be left of customers and groups where a contract excludes the tag.
function noPersonalData(schema) {
  const left = {
    CustomerGroup: `id uid tenantUid name key revision createdAt lastModifiedAt commercetools tenant
      customers discount orderStamp priceTag`,
    Customer: `uid tenantUid customerType countryCode origin createdAt lastModifiedAt extensions
      parentUid pricelistUid defaultStore relevance ehfEnabled customerGroupUids commercetools id
      customerGroups orders`,
    CommercetoolsCustomer: "version",
    CustomerExtension: "code organizationUid",
    CustomerStore: "uid name",
  };
  const problems = Object.entries(left).flatMap(([name, fields]) =>
    Object.keys(schema.getType(name).getFields())
      .filter((field) => !fields.split(/\s+/).includes(field))
      .map((field) => `${name}.${field}`),
  );
  const kinds = Object.values(schema.getTypeMap()).filter(
    (kind) => isObjectType(kind) && /^Customer(?!Group)/.test(kind.name) && !(kind.name in left),
  );
  return [...problems, ...kinds].map((name) => `${name} is left`);
}

for (const [composer, compose] of Object.entries(composers)) {
  if (!compose([own, neighbour("invoices")]).errors?.length) throw Error(`${composer} took customers that nobody owns`);
}
for (const text of [ofGroups, printed("clients")]) buildSchema(text);
for (const [name, [by, subgraphs, check = () => []]] of Object.entries(cases)) {
  for (const [composer, compose] of Object.entries(by)) {
    const found = compose(subgraphs);
    const problems = [...(found.errors ?? []), ...(found.hints ?? []), ...(found.warnings ?? [])];
    if (!found.errors?.length) problems.push(...check(api(found)));
    for (const problem of problems) console.error(`${composer}, ${name}: ${problem.message ?? problem}`);
    if (problems.length) process.exitCode = 1;
    else console.log(`${composer}: composed ${name}`);
  }
}
