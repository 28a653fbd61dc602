// urql with graphcache, in strict TypeScript with codegen's types; documents by the ids that
// codegen gives them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Client, fetchExchange } from "@urql/core";
import { type Cache, cacheExchange, type Entity } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { persistedExchange } from "@urql/exchange-persisted";
import type { IntrospectionQuery } from "graphql";
import { useFragment } from "./build/gql/fragment-masking.js";
import {
  CreateDocument,
  DeleteDocument,
  type DeleteMutation,
  GroupDocument,
  GroupsDocument,
  type GroupsQueryVariables,
  MembersDocument,
  type MembersQueryVariables,
  RemoveDocument,
  type RemoveMutation,
  RenameDocument,
  RowFragmentDoc,
  TenantKeysDocument,
  TenantKindDocument,
  HereAndThereDocument,
} from "./build/gql/graphql.js";

const schema: IntrospectionQuery = JSON.parse(readFileSync("build/introspection.json", "utf8"));

const withoutId = schema.__schema.types.filter(
  (type) => type.kind === "OBJECT" && !type.fields.some(({ name }) => name === "id"),
);
const keys = Object.fromEntries(withoutId.map(({ name }) => [name, () => null]));

/** Takes the edges of these nodes out of all pages of a list. */
function removeEdges(cache: Cache, entity: Entity, field: string, ids: readonly string[]) {
  for (const { fieldName, arguments: given } of cache.inspectFields(entity)) {
    const list = fieldName === field && (cache.resolve(entity, field, given) as Entity);
    if (!list) continue;
    const kept = (cache.resolve(list, "edges") as Entity[]).filter((edge) => {
      const node = cache.resolve(edge, "node") as Entity;
      return !ids.includes(cache.resolve(node, "id") as string);
    });
    cache.link(list, "edges", kept);
  }
}

const graphcache = () =>
  cacheExchange({
    schema,
    keys,
    resolvers: {
      Query: {
        customerGroups: relayPagination(),
        // A group that a list has shown is not asked for again.
        customerGroup: (_parent, given: { by: { id?: string } }, cache, { fieldName }) =>
          given.by.id
            ? { __typename: "CustomerGroup", id: given.by.id }
            : cache.resolve("Query", fieldName, given),
      },
      Tenant: { customerGroups: relayPagination() },
      CustomerGroup: { customers: relayPagination() },
    },
    updates: {
      Mutation: {
        // Lists that are shown are asked for again.
        createCustomerGroup(_result, _variables, cache) {
          for (const { fieldName, arguments: given } of cache.inspectFields("Query"))
            if (fieldName === "customerGroups") cache.invalidate("Query", fieldName, given);
        },
        deleteCustomerGroup({ deleteCustomerGroup }: DeleteMutation, _variables, cache) {
          const id = deleteCustomerGroup?.deletedId;
          if (id) removeEdges(cache, "Query", "customerGroups", [id]);
        },
        updateCustomerGroupMembers({ updateCustomerGroupMembers }: RemoveMutation, _, cache) {
          const { customerGroupId: id, removedCustomerIds } = updateCustomerGroupMembers ?? {};
          if (!id) return;
          const group = { __typename: "CustomerGroup", id };
          removeEdges(cache, group, "customers", removedCustomerIds ?? []);
        },
      },
    },
    logger: (severity, message) => {
      if (severity !== "debug") throw new Error(message);
    },
  });

const persisted = () =>
  persistedExchange({
    enforcePersistedQueries: true,
    enableForMutation: true,
    preferGetForPersistedQueries: false,
    generateHash: async (_text, document) => (document as unknown as Hashed).__meta__.hash,
  });
type Hashed = { __meta__: { hash: string } };

export const title = "urql, graphcache";

type Gateway = { url: string; fetch: typeof fetch; token: string; trusted: boolean };
export const connect = ({ url, fetch, token, trusted }: Gateway) =>
  new Client({
    url,
    fetch,
    preferGetMethod: false, // in production the gateway takes POST alone
    exchanges: [graphcache(), ...(trusted ? [persisted()] : []), fetchExchange],
    fetchOptions: { headers: { authorization: `Bearer ${token}` } },
  });

type World = {
  group(members?: number): Promise<{ id: string; members: { id: string; uid: string }[] }>;
  stranger: Client;
};
type Check = (client: Client, world: World) => Promise<void>;

/** The groups that the list shows. */
async function list(client: Client, variables: GroupsQueryVariables = { first: 5 }) {
  const { data } = await client.query(GroupsDocument, variables);
  const edges = data?.customerGroups?.edges ?? [];
  return edges.map(({ node }) => useFragment(RowFragmentDoc, node));
}
/** The ids of the members in all pages that have been asked for. */
async function members(client: Client, variables: MembersQueryVariables) {
  const { data } = await client.query(MembersDocument, variables);
  const found = data?.customerGroup?.customers;
  assert.ok(found);
  return { ids: found.edges.map(({ node }) => node.id), ...found.pageInfo };
}

export const checks: Record<string, Check> = {
  "pages forwards become one list": async (client, { group }) => {
    const { id, members: all } = await group(7);
    const { endCursor: after } = await members(client, { id, first: 3 });
    const { ids, hasNextPage } = await members(client, { id, first: 3, after });
    assert.deepEqual(
      ids,
      all.slice(0, 6).map(({ id }) => id),
    );
    assert.equal(hasNextPage, true);
  },
  "pages backwards become one list": async (client, { group }) => {
    const { id, members: all } = await group(7);
    const { startCursor: before } = await members(client, { id, last: 3 });
    const { ids, hasPreviousPage } = await members(client, { id, last: 3, before });
    assert.deepEqual(
      ids,
      all.slice(1).map(({ id }) => id),
    );
    assert.equal(hasPreviousPage, true);
  },
  "a group that a list has shown is not asked for again": async (client) => {
    const [row] = await list(client);
    const variables = { id: row?.id ?? "" };
    const found = client.readQuery(GroupDocument, variables)?.data?.customerGroup;
    assert.equal(useFragment(RowFragmentDoc, found)?.name, row?.name);
  },
  "a new name, and after a conflict the present one, is in every list": async (
    client,
    { group },
  ) => {
    const { id } = await group();
    const name = async () => (await list(client)).find((each) => each.id === id)?.name;
    await name();
    await client.mutation(RenameDocument, { id, name: "New name" });
    assert.equal(await name(), "New name");
    const late = { id, name: "Too late", revision: "an older one" };
    const { data } = await client.mutation(RenameDocument, late);
    assert.equal(data?.updateCustomerGroup?.userErrors[0]?.code, "REVISION_CONFLICT");
    assert.equal(await name(), "New name");
  },
  "a new group joins the list, a deleted one leaves it": async (client) => {
    const before = await list(client);
    const { data } = await client.mutation(CreateDocument, { name: "New" });
    const made = useFragment(RowFragmentDoc, data?.createCustomerGroup?.customerGroup);
    const now = await list(client);
    assert.deepEqual(now, [made, ...before.slice(0, 4)]);
    await client.mutation(DeleteDocument, { id: made?.id ?? "" });
    assert.deepEqual(await list(client), before.slice(0, 4));
  },
  "members that were removed leave the list": async (client, { group }) => {
    const { id, members: all } = await group(3);
    await members(client, { id, first: 5 });
    await client.mutation(RemoveDocument, { id, uids: all.slice(1, 2).map(({ uid }) => uid) });
    const { ids } = await members(client, { id, first: 5 });
    assert.deepEqual(ids, [all[0]?.id, all[2]?.id]);
  },
  "two selections of a tenant are one object": async (client) => {
    await client.query(TenantKindDocument, {});
    await client.query(TenantKeysDocument, {});
    const found = client.readQuery(TenantKindDocument, {});
    assert.equal(found?.data?.tenant?.backend.kind, "FLOW_RETAIL");
  },
  "lists of two tenants are kept apart": async (client) => {
    const found = await list(client, { tenantUid: "pop-up" });
    await list(client, { tenantUid: "demo", first: 5 });
    assert.equal(found.length, 2);
    assert.deepEqual(await list(client, { tenantUid: "pop-up" }), found);
  },
  "what fails is null beside the rest, with a code": async (client) => {
    const { data, error } = await client.query(HereAndThereDocument, { other: "nobody" });
    assert.equal(data?.here?.edges.length, 1);
    assert.equal(data?.there, null);
    assert.deepEqual(
      error?.graphQLErrors.map(({ extensions }) => extensions.code),
      ["FORBIDDEN"],
    );
  },
  "a token that is not accepted is UNAUTHENTICATED": async (_client, { stranger }) => {
    const { error } = await stranger.query(GroupsDocument, {});
    assert.equal(error?.graphQLErrors[0]?.extensions.code, "UNAUTHENTICATED");
  },
};
