// Runs clients and tools, each set up as its documentation says, over `gateway serve` and the
// simulator: those with a cache at a gateway that takes all documents, and at one that takes only
// those of their manifests. The arguments are the Python that has the gateway's requirements, and
// the directory of programs that has those of requirements.txt.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import { validate } from "@graphql-inspector/core";
import { buildSchema, introspectionFromSchema, Source } from "graphql";
import { printed } from "../composition/printed.mjs";
import { started } from "../scripts/started.mjs";

const [python, given] = process.argv.slice(2);
const bin = resolve(given);
const here = fileURLToPath(new URL("./", import.meta.url));
const PAGE = "http://localhost:5173"; // where Vite's development server has the page
const TOKEN = "demo-token";
const closing = [];
process.chdir(here);

const execute = promisify(execFile);
const run = (program, ...given) => execute(program, given, { encoding: "utf8" });
const tool = (name, ...given) => run(`node_modules/.bin/${name}`, ...given);

/** `fetch` of a page of that origin: it asks whether it may, and reads only what it may. */
async function pageFetch(url, { headers, ...init } = {}) {
  const names = [...new Headers(headers).keys()].filter((name) => name !== "accept").sort();
  const preflight = await fetch(url, {
    method: "OPTIONS",
    headers: {
      origin: PAGE,
      "access-control-request-method": init.method ?? "GET",
      "access-control-request-headers": names.join(","),
    },
  });
  assert.ok(preflight.ok, `No page may send ${names}.`);
  const answer = await fetch(url, { ...init, headers: { ...headers, origin: PAGE } });
  assert.equal(answer.headers.get("access-control-allow-origin"), PAGE);
  return answer;
}

async function serve(simulator, settings) {
  const variables = {
    GATEWAY_CONFIG: here + settings,
    GATEWAY_FLOW_RETAIL_URL: simulator.found,
    GATEWAY_PORT: "0",
  };
  const gateway = await started(python, ["serve"], variables, /http:\S+(?=\s)/);
  closing.push(gateway.stop);
  return `${gateway.found}/graphql`;
}

/** The data of `query`, for a caller who is none of the clients. */
async function ask(url, query, variables) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

/** A new group with so many members, in the order of its list. */
async function group(url, size = 1) {
  const { gull } = await ask(
    url,
    `{ gull: customerGroup(by: { uid: "gull" }) { customers(first: 10) { nodes { uid } } } }`,
  );
  const uids = gull.customers.nodes.slice(0, size).map(({ uid }) => uid);
  const { made } = await ask(
    url,
    `mutation {
      made: createCustomerGroup(input: { name: "Clients" }) { customerGroup { id uid } }
    }`,
  );
  const { id, uid } = made.customerGroup;
  const { added } = await ask(
    url,
    `mutation ($uid: ID!, $uids: [ID!]!) {
      added: updateCustomerGroupMembers(
        input: { customerGroup: { uid: $uid }, addCustomerUids: $uids }
      ) {
        customerGroup { customers { edges { cursor node { id uid } } } }
      }
    }`,
    { uid, uids },
  );
  const { edges } = added.customerGroup.customers;
  return { id, members: edges.map(({ cursor, node }) => ({ cursor, ...node })) };
}

/** What the clients are built from: the schema, types, artifacts and manifests, all in build/. */
async function prepare() {
  rmSync("build", { recursive: true, force: true });
  mkdirSync("build");
  const sdl = printed("clients");
  writeFileSync("build/schema.graphql", sdl);
  const introspection = introspectionFromSchema(buildSchema(sdl));
  writeFileSync("build/introspection.json", JSON.stringify(introspection));
  await row("codegen, client preset", "makes types", () =>
    tool("graphql-codegen", "--config", "codegen.ts"),
  );
  await row("TypeScript", "takes what uses them, in strict mode", () => tool("tsc"));
  mkdirSync("build/relay");
  writeFileSync("build/relay.json", "{}"); // the compiler adds to it
  await row("Relay's compiler", "makes artifacts", () =>
    tool("relay-compiler", "relay.config.json"),
  );
  await row("Apollo's manifest", "is made", () => tool("generate-persisted-query-manifest"));
  await row("ariadne-codegen", "makes a client", () =>
    run(`${bin}/ariadne-codegen`, "--config", "ariadne-codegen.toml"),
  );
  // A linter looks below its own directory; what a router asks is no client's.
  const examples = readdirSync("../examples").filter((name) => /^(?!08_).*\.graphql$/.test(name));
  for (const name of examples) cpSync(`../examples/${name}`, `build/examples/${name}`);
  await row("GraphQL ESLint", "takes the schema and all operations", () =>
    tool("eslint", "--no-ignore", "build/schema.graphql", "operations.graphql", "build/examples"),
  );
  await row("GraphQL Inspector", "finds no mistake, and nothing deprecated, in operations", () => {
    const files = ["operations.graphql", ...examples.map((name) => `build/examples/${name}`)];
    const sources = files.map((name) => new Source(readFileSync(name, "utf8"), name));
    assert.deepEqual(validate(buildSchema(sdl), sources), []);
  });
}

let failed = 0;
const table = [];
async function row(program, check, ...tries) {
  const cells = [];
  for (const attempt of tries) {
    try {
      await attempt();
      cells.push("ok");
    } catch (problem) {
      failed += 1;
      cells.push("FAILS");
      console.error(
        `${program}: ${check}:\n  ${problem.stdout ?? ""}${problem.stderr ?? ""}${inspect(problem)}`,
      );
    }
  }
  table.push([program, check, ...cells]);
}

try {
  const simulator = await started(python, ["simulate", "--port", "0"], {}, /http:\S+\/v2/);
  closing.push(simulator.stop);
  const url = await serve(simulator, "gateway.toml");
  await prepare();
  const enforcing = await serve(simulator, "enforcing.toml");
  const gateways = [
    { url, trusted: false },
    { url: enforcing, trusted: true },
  ];
  for (const name of ["apollo.mjs", "build/js/urql.mjs", "relay.mjs"]) {
    const { title, connect, checks } = await import(`./${name}`);
    for (const [check, holds] of Object.entries(checks)) {
      const tries = gateways.map((gateway) => () => {
        const open = (token) => connect({ ...gateway, fetch: pageFetch, token });
        return holds(open(TOKEN), {
          group: (size) => group(url, size),
          stranger: open("nobody's"),
        });
      });
      await row(title, check, ...tries);
    }
  }
  for (const [title, check, script] of [
    ["gql", "pages, and what fails beside the rest, with a code", "gql_client.py"],
    ["ariadne-codegen", "typed rows, mistakes and failures", "typed_client.py"],
  ]) {
    await row(title, check, async () => {
      const { id } = await group(url, 7);
      await run(`${bin}/python`, script, url, TOKEN, id);
    });
  }
} finally {
  for (const close of closing.reverse()) await close();
}
const widths = [0, 1].map((at) => Math.max(...table.map((cells) => cells[at].length)));
for (const [program, check, ...cells] of table) {
  console.log(
    program.padEnd(widths[0]),
    check.padEnd(widths[1]),
    ...cells.map((cell) => cell.padEnd(5)),
  );
}
process.exit(failed ? 1 : 0); // timers of clients would hold it for minutes
