// Two subgraphs beside the gateway: one knows groups by tenant and uid, the other by their id.
import { readFileSync } from "node:fs";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { ApolloServer } from "@apollo/server";
import { ApolloServerPluginInlineTraceDisabled } from "@apollo/server/plugin/disabled";
import { startStandaloneServer } from "@apollo/server/standalone";
import { parse } from "graphql";

export async function neighbour(name, resolvers) {
  const typeDefs = parse(readFileSync(new URL(`./${name}.graphql`, import.meta.url), "utf8"));
  const schema = buildSubgraphSchema({ typeDefs, resolvers });
  const server = new ApolloServer({ schema, plugins: [ApolloServerPluginInlineTraceDisabled()] });
  const { url } = await startStandaloneServer(server, { listen: { host: "127.0.0.1", port: 0 } });
  return { name, url, stop: () => server.stop() };
}

export const prices = (groups) => ({
  Query: { priceLists: () => [{ name: "Autumn", customerGroups: groups }] },
  CustomerGroup: { priceTag: ({ tenantUid, uid, name }) => `${tenantUid}/${uid}: ${name}` },
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
