import { parse, print, visit } from "graphql";

/** The SDL of a subgraph that owns customers: all of Customer, and keys of groups. */
export function crm(schema) {
  const kinds = new Map(parse(schema).definitions.map((each) => [each.name?.value, each]));
  const copied = new Set(["CustomerGroup"]);
  const copy = (name) => {
    if (copied.has(name) || !kinds.has(name)) return "";
    copied.add(name);
    const parts = [];
    visit(kinds.get(name), { NamedType: (kind) => void parts.push(copy(kind.name.value)) });
    return [print(kinds.get(name)).replaceAll(", resolvable: false", ""), ...parts].join("\n");
  };
  const link = schema.match(/@link\(url: "[^)]*\)/)[0];
  return `extend schema ${link}
    type Query { customer(email: String!): Customer }
    type CustomerGroup @key(fields: "tenantUid uid", resolvable: false) { tenantUid: ID! uid: ID! }
    ${copy("Customer")}`;
}
