// Serves the app over the demo: node examples/frontend/serve.mjs PYTHON
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build, createServer as createDevelopmentServer, preview } from "vite";
import { started } from "../../scripts/started.mjs";

const root = fileURLToPath(new URL(".", import.meta.url));

/** The demo, which lets pages of `localhost:port` ask it; the app is told where it is. */
async function demoFor(python, port, gatewayPort) {
  const demo = await started(
    python,
    ["demo", "--simulator-port", "0"],
    {
      GATEWAY_PORT: String(gatewayPort),
      GATEWAY_CORS_ORIGINS: `http://localhost:${port}`,
      GATEWAY_LOG_LEVEL: "warning",
    },
    /http:\S+\/graphql(?=\s)/,
  );
  process.env.VITE_GATEWAY = demo.found;
  return demo;
}

/** The app as it is built for production, on free ports. */
export async function servedAsBuilt(python) {
  const free = createServer().listen(0);
  const { port } = free.address();
  free.close();
  const demo = await demoFor(python, port, 0);
  await build({ root, logLevel: "warn" });
  const site = await preview({ root, preview: { port, strictPort: true } });
  return { url: `http://localhost:${port}`, gateway: demo.found, stop: () => (demo.stop(), site.close()) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const port = 5173;
  process.env.VITE_TOKEN = "demo-token";
  await demoFor(process.argv[2], port, process.env.GATEWAY_PORT ?? 8080);
  const site = await createDevelopmentServer({ root, server: { port, strictPort: true } });
  await site.listen();
  console.log(`
  The app     http://localhost:${port}
  GraphiQL    ${process.env.VITE_GATEWAY}
  Token       demo-token (demo-read-only may only read)

  Changes of examples/frontend/src are shown at once; after those of operations, start again.
  Ctrl-C stops all.`);
}
