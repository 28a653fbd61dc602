// Hive's gateway: composes what each subgraph's `_service { sdl }` tells, and looks for changes.
// Its configuration is what gateway.config.mjs exports for the command hive-gateway.
import { once } from "node:events";
import { createServer } from "node:http";
import { createGatewayRuntime } from "@graphql-hive/gateway-runtime";

const PASSED = ["authorization", "x-tenant", "x-request-timeout", "x-request-id", "traceparent",
  "tracestate"];

const gatewayConfig = (services, pollingInterval) => ({
  supergraph: { type: "dev", services },
  pollingInterval,
  propagateHeaders: {
    fromClientToSubgraphs: ({ request }) =>
      Object.fromEntries(PASSED.map((name) => [name, request.headers.get(name) ?? undefined])),
  },
});

export const title = "Hive";
export const health = "/readiness";

export async function start(subgraphs, pollingInterval) {
  const gateway = createGatewayRuntime(gatewayConfig(subgraphs, pollingInterval));
  const server = createServer(gateway).listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    server.close();
    await gateway[Symbol.asyncDispose]();
  };
  return { url: `http://127.0.0.1:${server.address().port}/graphql`, stop };
}
