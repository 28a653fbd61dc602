// mercurius on fastify, every query compiled by graphql-jit from its second time on, with loaders.
import { readFileSync } from "node:fs";
import { env } from "node:process";
import Fastify from "fastify";
import mercurius from "mercurius";
import { Pool } from "undici";
import { CONNECTIONS, FlowRetail, ORIGIN } from "../flow-retail.mjs";
import { members, resolvers } from "../resolvers.mjs";

const pool = new Pool(ORIGIN, { connections: CONNECTIONS });

// Without the cache: its key would be the whole customer as JSON. What it is for, each group being
// fetched once, is done here.
const uncached = (loader) => ({ loader, opts: { cache: false } });

const loaders = {
  CustomerGroup: {
    customers: uncached((queries, { api }) =>
      Promise.all(
        queries.map(({ obj, params }) => members(api, obj.customerGroupUid, params.first)),
      ),
    ),
  },
  Customer: {
    customerGroups: uncached(async (queries, { api }) => {
      const uids = [...new Set(queries.flatMap(({ obj }) => obj.customerGroupUids))];
      const groups = await Promise.all(uids.map((uid) => api.group(uid)));
      const found = new Map(uids.map((uid, n) => [uid, groups[n]]));
      return queries.map(({ obj }) => obj.customerGroupUids.map((uid) => found.get(uid)));
    }),
  },
};

const app = Fastify({ logger: false });
app.register(mercurius, {
  schema: readFileSync(new URL("../schema.graphql", import.meta.url), "utf8"),
  resolvers,
  loaders,
  jit: 1,
  context: (request) => ({ api: new FlowRetail(pool, request.headers.authorization) }),
});
await app.listen({ host: "127.0.0.1", port: Number(env.PORT) });
