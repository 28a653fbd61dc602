// The subgraphs beside the gateway. Prices know groups by tenant and uid, orders by their id.
import { readFileSync } from "node:fs";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { ApolloServer } from "@apollo/server";
import { ApolloServerPluginInlineTraceDisabled } from "@apollo/server/plugin/disabled";
import { startStandaloneServer } from "@apollo/server/standalone";
import { parse } from "graphql";

const sdl = (name) =>
  readFileSync(new URL(`../composition/neighbours/${name}.graphql`, import.meta.url), "utf8");

export async function neighbour(name, resolvers, text = sdl(name)) {
  const schema = buildSubgraphSchema({ typeDefs: parse(text), resolvers });
  const server = new ApolloServer({ schema, plugins: [ApolloServerPluginInlineTraceDisabled()] });
  const { url } = await startStandaloneServer(server, { listen: { host: "127.0.0.1", port: 0 } });
  return { name, url, stop: () => server.stop() };
}

export const prices = (groups) => ({
  Query: { priceLists: () => [{ name: "Autumn", customerGroups: groups }] },
  CustomerGroup: {
    discount: ({ uid }) => uid.length,
    priceTag: ({ tenantUid, uid, name }) => `${tenantUid}/${uid}: ${name}`,
  },
});

/** `orders` have an `id` and the id of a group. */
export const orders = (orders) => ({
  Node: { __resolveType: ({ id }) => (id.startsWith("order-") ? "Order" : "CustomerGroup") },
  Query: {
    // An id that is none of its own is a group's: the router asks the gateway for its fields.
    node: (_, { id }) => orders.find((order) => order.id === id) ?? { id },
    orders: (_, { first, after }) => {
      const start = orders.findIndex(({ id }) => id === after) + 1;
      const rows = orders.slice(start, start + first);
      const edges = rows.map((node) => ({ cursor: node.id, node }));
      return {
        edges,
        pageInfo: {
          hasNextPage: start + first < orders.length,
          hasPreviousPage: start > 0,
          startCursor: edges.at(0)?.cursor,
          endCursor: edges.at(-1)?.cursor,
        },
      };
    },
  },
  Order: { customerGroup: ({ group }) => ({ id: group }) },
  CustomerGroup: { orderStamp: ({ name }) => `ordered as ${name}` },
  Customer: { orders: () => orders.slice(0, 2) },
});

/** The `id` that the gateway gives. */
export const globalId = (type, { tenantUid, uid }) =>
  Buffer.from(`${type}:${tenantUid}:${uid}`).toString("base64url");

/** Owns customers, who are all in one group. */
export const crm = ({ tenantUid, uid }) => ({
  Customer: {
    __resolveReference: (key) => ({ ...key, displayName: `${key.uid} of the CRM` }),
    id: (customer) => globalId("Customer", customer),
    customerGroups: () => [{ tenantUid, uid }],
  },
});

/** Hands customers out by their key. */
export const invoices = (tenantUid) => ({
  Query: { invoice: (_, { number }) => ({ number }) },
  Invoice: { customer: ({ number }) => ({ tenantUid, uid: number }) },
});
