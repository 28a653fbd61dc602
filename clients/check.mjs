// Runs clients and tools, each set up as its documentation says, over `gateway serve` and the
// simulator: every client at a gateway that takes all documents, and at one that takes only those
// of the clients' manifests. The arguments are two Pythons: one has the gateway's requirements,
// the other those of requirements.txt.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inspect, promisify } from "node:util";
import { buildSchema, introspectionFromSchema } from "graphql";
import { printed } from "../composition/printed.mjs";
import { started } from "../scripts/started.mjs";

const [python, clientsPython] = process.argv.slice(2);
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
  const gateway = await started(
    python,
    ["serve"],
    {
      GATEWAY_FLOW_RETAIL_URL: simulator.found,
      GATEWAY_DEFAULT_TENANT: "demo",
      GATEWAY_CORS_ORIGINS: PAGE,
      GATEWAY_PORT: "0",
      ...settings,
    },
    /http:\S+(?=\s)/,
  );
  closing.push(gateway.stop);
  return `${gateway.found}/graphql`;
}

/** What the checks need beside their clients: data of their own. */
const world = (url) => {
  const ask = async (query, variables) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await answer.json();
    assert.equal(errors, undefined, JSON.stringify(errors));
    return data;
  };
  return {
    ask,
    /** A new group with so many members, who are in the order of the list. */
    async group(members = 0) {
      const { createCustomerGroup, customerGroup } = await ask(
        'mutation { createCustomerGroup(input: { name: "Clients" }) { customerGroup { id uid } } }',
      );
      const group = createCustomerGroup.customerGroup;
      if (!members) return group;
      const found = await ask(
        'query ($n: Int!) { customerGroup(by: { uid: "gull" }) { customers(first: $n) { nodes { uid } } } }',
        { n: members },
      );
      const uids = found.customerGroup.customers.nodes.map(({ uid }) => uid);
      await ask(
        `mutation ($uid: ID!, $uids: [ID!]!) {
          updateCustomerGroupMembers(input: { customerGroup: { uid: $uid }, addCustomerUids: $uids }) {
            addedCustomerIds
          }
        }`,
        { uid: group.uid, uids },
      );
      const read = await ask(
        "query ($id: ID!) { customerGroup(by: { id: $id }) { customers(first: 100) { nodes { id uid } } } }",
        { id: group.id },
      );
      return { ...group, members: read.customerGroup.customers.nodes };
    },
  };
};

const MANIFESTS = ["apollo.json", "gql/persisted-documents.json"];

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
  await row("Apollo's manifest", "is made", () => tool("generate-persisted-query-manifest"));
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
  const url = await serve(simulator, {});
  await prepare();
  const enforcing = await serve(simulator, {
    GATEWAY_TRUSTED_DOCUMENTS: MANIFESTS.map((name) => `${here}build/${name}`).join(","),
    GATEWAY_TRUSTED_MODE: "enforce",
  });

  const gateways = [
    { url, trusted: false },
    { url: enforcing, trusted: true },
  ];
  for (const name of ["apollo.mjs", "build/js/urql.mjs"]) {
    const { title, connect, checks } = await import(`./${name}`);
    for (const [check, holds] of Object.entries(checks)) {
      const tries = gateways.map((gateway) => () => {
        const open = (token) => connect({ ...gateway, fetch: pageFetch, token });
        return holds(open(TOKEN), { ...world(url), stranger: open("nobody's") });
      });
      await row(title, check, ...tries);
    }
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
process.exitCode = failed ? 1 : 0;
