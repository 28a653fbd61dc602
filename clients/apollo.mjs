// Apollo Client with its normalised cache; documents by the ids of Apollo's manifest.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
} from "@apollo/client";
import { createPersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { relayStylePagination } from "@apollo/client/utilities";
import { generatePersistedQueryIdsFromManifest } from "@apollo/persisted-query-lists";
import { parse, print } from "graphql";

/** One list of all pages. A page that fails leaves it; without this, null would become []. */
function pages(...keyArgs) {
  const { read, merge } = relayStylePagination();
  const kept = (list, page, given) => (page ? merge(list, page, given) : (list ?? null));
  return { keyArgs, read, merge: kept };
}
const typePolicies = {
  Query: {
    fields: {
      customerGroups: pages("tenantUid", "orderBy"),
      // A group that a list has shown is not asked for again.
      customerGroup: (found, { args, toReference }) =>
        found === undefined && args.by.id
          ? toReference({ __typename: "CustomerGroup", id: args.by.id })
          : found,
    },
  },
  Tenant: { fields: { customerGroups: pages("orderBy") } },
  CustomerGroup: { fields: { customers: pages("orderBy") } },
  // They have no id, and belong to one tenant, group or customer.
  CustomerGroupBackend: { merge: true },
  CustomerGroupBackendCapabilities: { merge: true },
  CommercetoolsCustomerGroup: { merge: true },
  CommercetoolsCustomer: { merge: true },
  CustomerCredit: { merge: true },
  CustomerEhf: { merge: true },
};
const possibleTypes = { Node: ["CustomerGroup", "Tenant"] };

/** As the loader of graphql-tag hands them out: each operation, with the fragments that it uses. */
const { definitions } = parse(readFileSync("operations.graphql", "utf8"));
const documents = Object.fromEntries(
  definitions
    .filter(({ kind }) => kind === "OperationDefinition")
    .map((operation) => [operation.name.value, { kind: "Document", definitions: [operation] }]),
);
for (const { definitions: used } of Object.values(documents)) {
  const text = print(used[0]);
  used.push(...definitions.filter(({ name }) => text.includes(`...${name.value}`)));
}

const shown = (connection) => connection.edges.map(({ node }) => node);
const prepend = (cache, { data }) => {
  const group = data.createCustomerGroup.customerGroup;
  if (!group) return;
  cache.modify({
    fields: {
      customerGroups: (list, { toReference }) => ({
        ...list,
        edges: [
          { __typename: "CustomerGroupEdge", cursor: "", node: toReference(group) },
          ...list.edges,
        ],
      }),
    },
  });
};
const evict = (cache, { data }) => {
  const { deletedId } = data.deleteCustomerGroup;
  if (deletedId)
    cache.evict({ id: cache.identify({ __typename: "CustomerGroup", id: deletedId }) });
};
const removeEdges = (cache, { data }) => {
  const { customerGroupId, removedCustomerIds } = data.updateCustomerGroupMembers;
  if (!customerGroupId) return;
  cache.modify({
    id: cache.identify({ __typename: "CustomerGroup", id: customerGroupId }),
    fields: {
      customers: (list, { readField }) => ({
        ...list,
        edges: list.edges.filter(({ node }) => !removedCustomerIds.includes(readField("id", node))),
      }),
    },
  });
};

const loadManifest = () => JSON.parse(readFileSync("build/apollo.json", "utf8"));
const persisted = () =>
  createPersistedQueryLink(generatePersistedQueryIdsFromManifest({ loadManifest }));

export const title = "Apollo Client";

export const connect = ({ url, fetch, token, trusted }) =>
  new ApolloClient({
    cache: new InMemoryCache({ typePolicies, possibleTypes }),
    link: ApolloLink.from([
      ...(trusted ? [persisted()] : []),
      new HttpLink({ uri: url, fetch, headers: { authorization: `Bearer ${token}` } }),
    ]),
    clientAwareness: { name: "shop", version: "1.0" },
    devtools: { enabled: false },
  });

const lists = async (client, first = 5) => {
  await client.query({ query: documents.Groups, variables: { first } });
  return () => shown(client.readQuery({ query: documents.Groups }).customerGroups);
};

export const checks = {
  "pages, forwards and backwards, become one list": async (client, { group }) => {
    const { id, members } = await group(7);
    const page = (variables) =>
      client.query({
        query: documents.Members,
        variables: { id, ...variables },
        fetchPolicy: "network-only",
      });
    const read = () =>
      client.readQuery({ query: documents.Members, variables: { id } }).customerGroup.customers;
    await page({ first: 3 });
    await page({ first: 3, after: read().pageInfo.endCursor });
    assert.deepEqual(
      shown(read()).map(({ id }) => id),
      members.slice(0, 6).map(({ id }) => id),
    );
    assert.equal(read().pageInfo.hasNextPage, true);
    await page({ last: 2 });
    await page({ last: 3, before: read().pageInfo.startCursor });
    assert.deepEqual(
      shown(read()).map(({ id }) => id),
      members.slice(2).map(({ id }) => id),
    );
    assert.equal(read().pageInfo.hasPreviousPage, true);
  },
  "a group that a list has shown is not asked for again": async (client) => {
    const [row] = (await lists(client))();
    const fetchPolicy = "cache-only";
    const { data } = await client.query({
      query: documents.Group,
      variables: { id: row.id },
      fetchPolicy,
    });
    assert.equal(data.customerGroup.name, row.name);
  },
  "a new name, and after a conflict the present one, is in every list": async (
    client,
    { group },
  ) => {
    const { id } = await group();
    const list = await lists(client);
    const name = () => list().find((each) => each.id === id).name;
    await client.mutate({ mutation: documents.Rename, variables: { id, name: "New name" } });
    assert.equal(name(), "New name");
    const late = { id, name: "Too late", revision: "an older one" };
    const { data } = await client.mutate({ mutation: documents.Rename, variables: late });
    assert.equal(data.updateCustomerGroup.userErrors[0].code, "REVISION_CONFLICT");
    assert.equal(name(), "New name");
  },
  "a new group joins the list, a deleted one leaves it": async (client) => {
    const list = await lists(client);
    const before = list().map(({ id }) => id);
    const { data } = await client.mutate({
      mutation: documents.Create,
      variables: { name: "New" },
      update: prepend,
    });
    const { id } = data.createCustomerGroup.customerGroup;
    assert.deepEqual(
      list().map(({ id }) => id),
      [id, ...before],
    );
    await client.mutate({ mutation: documents.Delete, variables: { id }, update: evict });
    assert.deepEqual(
      list().map(({ id }) => id),
      before,
    );
  },
  "members that were removed leave the list": async (client, { group }) => {
    const { id, members } = await group(3);
    const variables = { id };
    await client.query({ query: documents.Members, variables });
    const uids = [members[1].uid];
    await client.mutate({
      mutation: documents.Remove,
      variables: { id, uids },
      update: removeEdges,
    });
    const { customerGroup } = client.readQuery({ query: documents.Members, variables });
    assert.deepEqual(
      shown(customerGroup.customers).map(({ id }) => id),
      [members[0].id, members[2].id],
    );
  },
  "two selections of a tenant are one object": async (client) => {
    await client.query({ query: documents.TenantKind });
    await client.query({ query: documents.TenantKeys });
    const { tenant } = client.readQuery({ query: documents.TenantKind });
    assert.equal(tenant.backend.kind, "FLOW_RETAIL");
  },
  "lists of two tenants are kept apart": async (client) => {
    const { data } = await client.query({
      query: documents.Groups,
      variables: { tenantUid: "pop-up" },
    });
    await client.query({ query: documents.Groups, variables: { tenantUid: "demo", first: 5 } });
    const again = client.readQuery({ query: documents.Groups, variables: { tenantUid: "pop-up" } });
    assert.equal(shown(again.customerGroups).length, 2);
    assert.deepEqual(again, data);
  },
  "what fails is null beside the rest, with a code": async (client) => {
    const variables = { other: "nobody" };
    const { data, error } = await client.query({
      query: documents.HereAndThere,
      variables,
      errorPolicy: "all",
    });
    assert.equal(shown(data.here).length, 1);
    assert.equal(data.there, null);
    assert.ok(CombinedGraphQLErrors.is(error));
    assert.deepEqual(
      error.errors.map(({ extensions }) => extensions.code),
      ["FORBIDDEN"],
    );
  },
  "a token that is not accepted is UNAUTHENTICATED": async (_, { stranger }) => {
    const { error } = await stranger.query({ query: documents.Groups, errorPolicy: "all" });
    assert.equal(error.errors[0].extensions.code, "UNAUTHENTICATED");
  },
};
