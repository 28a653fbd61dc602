// Apollo Server with its standalone server, and DataLoaders that live as long as a request.
import { readFileSync } from "node:fs";
import { env } from "node:process";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import DataLoader from "dataloader";
import { Pool } from "undici";
import { CONNECTIONS, FlowRetail, ORIGIN } from "../flow-retail.mjs";
import { members, resolvers } from "../resolvers.mjs";

const pool = new Pool(ORIGIN, { connections: CONNECTIONS });

const server = new ApolloServer({
  typeDefs: readFileSync(new URL("../schema.graphql", import.meta.url), "utf8"),
  resolvers: {
    ...resolvers,
    CustomerGroup: {
      ...resolvers.CustomerGroup,
      customers: (group, { first }, { api }) => members(api, group.customerGroupUid, first),
    },
    Customer: {
      ...resolvers.Customer,
      customerGroups: (customer, _, { groups }) => groups.loadMany(customer.customerGroupUids),
    },
  },
});

await startStandaloneServer(server, {
  listen: { host: "127.0.0.1", port: Number(env.PORT) },
  context: async ({ req }) => {
    const api = new FlowRetail(pool, req.headers.authorization);
    const groups = new DataLoader((uids) => Promise.all(uids.map((uid) => api.group(uid))));
    return { api, groups };
  },
});
