// Holds what the gateway sends and the simulator answers to programs that nobody here wrote: Prism
// between the two, with the vendor's OpenAPI document; and a mock of commercetools. The tables are
// those of docs/upstreams.md. The argument is the Python that has the gateway's requirements.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { CommercetoolsMock } from "@labdigital/commercetools-mock";
import { recorder } from "../scripts/recorder.mjs";
import { started } from "../scripts/started.mjs";
import { DIFFERENCES, checks } from "./commercetools.mjs";
import { run } from "./flow-retail.mjs";

const python = process.argv[2] ?? ".venv/bin/python";
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const DOCUMENT = here("flow-retail.openapi.json");
const SIMULATED = "demo-token";
/** What of an answer Prism finds and the document leaves open: by its words, and why. */
const LEFT_OPEN = {
  "404: Unable to match the returned status code with those defined in the document":
    "the documents print no status but 2xx; a group or a customer that is not there has to be answered somehow",
  "409: Unable to match the returned status code with those defined in the document":
    "as above, for a uid in use",
};
const closing = [];

async function prism(upstream) {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address();
  await new Promise((resolve) => free.close(resolve));
  const cli = here("node_modules/@stoplight/prism-cli/dist/index.js");
  const options = ["proxy", "--errors", "--verboseLevel", "silent", "--port", `${port}`];
  const child = spawn(process.execPath, [cli, ...options, DOCUMENT, upstream], { stdio: ["ignore", "ignore", "inherit"] });
  process.once("exit", () => child.kill());
  closing.push(() => (child.kill(), once(child, "exit")));
  const url = `http://127.0.0.1:${port}`;
  for (const end = Date.now() + 60_000; ; await sleep(100)) {
    assert.ok(Date.now() < end && child.exitCode === null, "Prism has not begun in 60 s.");
    if (await fetch(url).catch(() => null)) return url;
  }
}

const simulator = await started(
  python,
  ["simulate", "--port", "0", "--data", ":memory:"],
  {},
  /http:\S+\/v2/,
);
closing.push(simulator.stop);
const judged = await recorder(await prism(simulator.found));
const mock = new CommercetoolsMock({
  defaultProjectKey: "shop",
  enableAuthentication: false,
  validateCredentials: false,
  silent: true,
});
await mock.app.listen({ port: 0, host: "127.0.0.1" });
closing.push(() => mock.app.close());
const mocked = await recorder(`http://127.0.0.1:${mock.app.server.address().port}`);
closing.push(judged.stop, mocked.stop);
const gateway = await started(
  python,
  ["serve"],
  {
    GATEWAY_CONFIG: here("gateway.toml"),
    GATEWAY_FLOW_RETAIL_URL: judged.url,
    GATEWAY_COMMERCETOOLS_URL: mocked.url,
    GATEWAY_PORT: "0",
    GATEWAY_PROFILE: "development",
  },
  /http:\S+(?=\s)/,
);
closing.push(gateway.stop);

const ask = async (query, tenant = "demo") => {
  const headers = {
    "content-type": "application/json",
    "x-tenant": tenant,
    authorization: `Bearer ${SIMULATED}`,
    "x-commercetools-authorization": "Bearer judged",
  };
  const body = JSON.stringify({ query });
  return (await fetch(`${gateway.found}/graphql`, { method: "POST", headers, body })).json();
};

const problems = [];
const table = (head, rows) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

/** The rows of the table of Flow Retail's REST calls. */
function requests() {
  const paths = Object.entries(JSON.parse(readFileSync(DOCUMENT, "utf8")).paths);
  const operations = paths.flatMap(([path, item]) => {
    const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`);
    const methods = Object.keys(item).filter((key) => /^(get|put|post|delete)$/.test(key));
    return methods.map((method) => ({ path, pattern, method: method.toUpperCase() }));
  });
  const open = new Set();
  const rows = operations.map(({ path, pattern, method }) => {
    const calls = judged.calls.filter(
      (call) => call.method === method && pattern.test(call.url.split("?")[0]),
    );
    if (!calls.length) problems.push(`${method} ${path} was not asked.`);
    const ways = new Set();
    const violations = { request: 0, response: 0 };
    const violated = (where, said) => {
      violations[where === "response" ? where : "request"] += 1;
      problems.push(`${method} ${path}: ${said}`);
    };
    for (const { url, body, status, given, answer } of calls) {
      const names = [...new URL(url, judged.url).searchParams.keys()].filter((n) => !/^page/.test(n));
      ways.add([...names, ...(body ? Object.keys(JSON.parse(body)) : [])].map((n) => `\`${n}\``).join(" "));
      const found = JSON.parse(given["sl-violations"] ?? "[]");
      const refused = answer.includes("stoplight.io/prism/errors") ? JSON.parse(answer) : null;
      for (const { location, message } of refused?.validation ?? []) violated(location[0], message);
      if (refused && !refused.validation) violated("request", refused.title);
      for (const { message, location } of found) {
        const said = `${status}: ${message.replace(/: [\d, ]+$/, "")}`;
        if (location[0] === "response" && said in LEFT_OPEN) open.add(said);
        else if (!refused) violated(location[0], `${said} (${location.join(".")})`);
      }
    }
    const shown = [...ways].filter(Boolean).sort().join(", ") || "-";
    return [`\`${method} ${path}\``, shown, `${violations.request}`, `${violations.response}`];
  });
  for (const known of Object.keys(LEFT_OPEN))
    if (!open.has(known)) problems.push(`Listed, and not found any more: ${known}`);
  if (judged.calls.length < 200) problems.push(`Only ${judged.calls.length} requests were judged.`);
  return rows;
}

/** What Prism says of an answer that is none of the document's, and of a request. */
async function requireJudge() {
  const wrong = createHttpServer((_, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end('{"items": 7}'),
  ).listen(0, "127.0.0.1");
  closing.push(() => wrong.close());
  await once(wrong, "listening");
  const judge = await prism(`http://127.0.0.1:${wrong.address().port}`);
  for (const [query, where] of [["", "response"], ["?pageNumber=x", "query"]]) {
    const headers = { authorization: "Bearer judged" };
    const answer = await fetch(`${judge}/tenants/demo/customer-groups${query}`, { headers });
    const { validation = [] } = await answer.json();
    if (!validation.some(({ location }) => location[0] === where)) problems.push(`Prism lets a wrong ${where} pass.`);
  }
}

try {
  await requireJudge();
  await run(ask);
  const flow = table(["REST call", "with", "violations of requests", "of answers"], requests());
  const rows = [];
  for (const [name, check] of Object.entries(checks)) {
    let failure = null;
    try {
      await check({ ask, mocked });
    } catch (problem) {
      failure = problem;
    }
    const [fails, ...told] = DIFFERENCES[name] ?? [null, "as the reference", "", ""];
    if (failure && !fails?.test(failure.message)) problems.push(`commercetools: ${name}: ${failure.message}`);
    if (!failure && fails) problems.push(`Listed, and the same by now: commercetools: ${name}`);
    rows.push([name, ...told]);
  }
  for (const name of Object.keys(DIFFERENCES))
    if (!(name in checks)) problems.push(`No operation has the name ${name}.`);
  const open = Object.entries(LEFT_OPEN).map(([said, why]) => [said, why]);
  const tables = [flow, table(["of an answer", "left open, because"], open), table(["operation", "the mock", "the vendor's reference", "right"], rows)];
  console.log(`${judged.calls.length} requests judged by Prism, ${mocked.calls.length} answered by the mock.`);
  const documented = readFileSync(here("../docs/upstreams.md"), "utf8");
  for (const each of tables) {
    console.log(`\n${each}`);
    if (!documented.includes(each)) problems.push("docs/upstreams.md does not have this table.");
  }
} catch (problem) {
  problems.push(problem.stack);
} finally {
  for (const close of closing.reverse()) await close();
}
for (const problem of problems) console.error(`\n${problem}`);
process.exit(problems.length ? 1 : 0);
