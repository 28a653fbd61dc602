// Apollo's gateway: composes what each subgraph's `_service { sdl }` tells, and looks for changes.
import { ApolloGateway, IntrospectAndCompose, RemoteGraphQLDataSource } from "@apollo/gateway";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";

const PASSED = ["authorization", "x-tenant", "x-request-timeout", "x-request-id", "traceparent",
  "tracestate"];

class Subgraph extends RemoteGraphQLDataSource {
  willSendRequest({ request, context }) {
    for (const name of PASSED) {
      const value = context.headers?.[name]; // there is none while schemas are loaded
      if (value) request.http.headers.set(name, value);
    }
  }
}

export const title = "Apollo";
export const health = "/?query=%7B__typename%7D";

export async function start(subgraphs, pollingInterval) {
  const gateway = new ApolloGateway({
    supergraphSdl: new IntrospectAndCompose({
      subgraphs,
      pollIntervalInMs: pollingInterval,
      subgraphHealthCheck: true, // `{ __typename }`, to each subgraph, before a new schema is used
    }),
    buildService: ({ url }) => new Subgraph({ url }),
  });
  const server = new ApolloServer({ gateway });
  const { url } = await startStandaloneServer(server, {
    listen: { host: "127.0.0.1", port: 0 },
    context: async ({ req }) => ({ headers: req.headers }),
  });
  return { url, stop: () => server.stop() };
}
