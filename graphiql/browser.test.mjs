// The GraphiQL page over the demo's data, in headless Chromium, as somebody uses it.
// It needs the gateway's .venv and a Chromium; its picture is build/graphiql.png.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../", import.meta.url));
const TOKEN = "demo-token";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let demo;
let browser;
let page;
let url;
/** What must not happen, as it happens. */
const outside = [];
const violations = [];
const complaints = [];
/** The editor's: without them it would do their work itself, and the page would stall. */
const workers = new Set();

/** The demo on free ports, once it says where it is. */
async function started() {
  demo = spawn(`${root}.venv/bin/python`, ["-m", "gateway", "demo", "--simulator-port", "0"], {
    cwd: root,
    env: { ...process.env, GATEWAY_PORT: "0", GATEWAY_LOG_LEVEL: "warning" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  demo.stdout.on("data", (chunk) => (said += chunk));
  const found = () => said.match(/GraphiQL +(http:\S+)/);
  await until(found, (where) => where || demo.exitCode !== null);
  assert.ok(found(), "The demo has not begun.");
  return found()[1];
}

/** Waits until `look` answers something that `enough` takes; then answers it. */
async function until(look, enough) {
  const patience = Date.now() + 20_000;
  for (;;) {
    const seen = await look();
    if (enough(seen)) return seen;
    assert.ok(Date.now() < patience, `Still not as expected: ${seen}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** What can be read in an editor, once that has `part` in it. The editor's spaces do not break. */
async function reads(name, part) {
  const lines = page.getByRole("region", { name }).locator(".view-lines:visible");
  const text = async () => (await lines.allInnerTexts()).join("\n").replaceAll("\u00a0", " ");
  return until(text, (seen) => seen.includes(part));
}

/** Types into an editor, over what is there. */
async function types(name, text) {
  await page.getByRole("region", { name }).locator(".view-lines:visible").click();
  await page.keyboard.press("Control+A");
  // What is typed over a selection may be put around it.
  await page.keyboard.press("Delete");
  await page.keyboard.type(text);
}

const suggestion = (name) =>
  page.locator(".suggest-widget.visible .monaco-list-row").getByText(name, { exact: true });

before(async () => {
  url = await started();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
  });
  const context = await browser.newContext({ viewport: { width: 1600, height: 900 } });
  context.setDefaultTimeout(20_000);
  context.on("request", (request) => {
    const at = request.url();
    if (new URL(at).origin !== new URL(url).origin) outside.push(at);
  });
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  context.on("weberror", (thrown) => complaints.push(String(thrown.error())));
  await context.exposeFunction("violated", (what) => violations.push(what));
  await context.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violated(`${event.effectiveDirective}: ${event.blockedURI}`),
    ),
  );
  page = await context.newPage();
  page.on("worker", (worker) => workers.add(worker.url().match(/graphiql\/(\w+)-/)?.[1]));
  await page.goto(url);
  await reads("Operation Editor", "query Welcome");
});

after(async () => {
  await browser?.close();
  demo?.kill();
});

test("it has a name, an icon, and the token of the demo", async () => {
  const icon = await page.locator("link[rel=icon]").evaluate((link) => link.href);

  assert.equal(await page.title(), "Customer groups");
  assert.equal((await page.request.get(icon)).headers()["content-type"], "image/svg+xml");
  await reads("Headers", `"Authorization": "Bearer ${TOKEN}"`);
});

test("the first example works as it stands", async () => {
  await page.getByRole("button", { name: "Execute query" }).click();

  await reads("Result Window", '"totalCount": 240');
});

test("every example is in a tab, with its variables", async () => {
  const examples = readdirSync(`${root}examples`).filter((name) => name.endsWith(".graphql"));

  const tabs = page.getByRole("tab");
  const names = await tabs.allInnerTexts();

  assert.equal(names.length, examples.length + 1);
  assert.deepEqual(names.slice(0, 3), ["Welcome", "RecentGroups", "GroupWithMembers"]);
  await tabs.nth(2).click();
  await page.getByRole("button", { name: "Variables" }).click();
  await reads("Variables", '"group": "gull"');
  await page.getByRole("button", { name: "Headers" }).click();
  await reads("Headers", TOKEN);
});

test("a query is typed with what is suggested, run, and answered", async () => {
  await page.getByRole("button", { name: "New tab" }).click();
  await types("Operation Editor", "query Typed { customerGr");
  await suggestion("customerGroups").click();
  await page.keyboard.type("(first: 3) { totalC");
  await suggestion("totalCount").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.type(" nodes { name } ");
  await page.keyboard.press("Control+Enter");

  const answer = await reads("Result Window", '"totalCount": 240');

  assert.match(answer, /"name": "Kundeklubben"/);
  await page.getByRole("button", { name: /^Prettify/ }).click();
  await reads("Operation Editor", "  customerGroups(first: 3) {");
});

test("the schema is explained", async () => {
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  const explorer = page.getByRole("region", { name: "Documentation Explorer" });

  await explorer.getByRole("link", { name: "Query" }).click();
  await explorer.getByRole("link", { name: "customerGroups", exact: true }).click();

  await explorer.getByText("CustomerGroupConnection").waitFor();
  mkdirSync(`${root}build`, { recursive: true });
  await page.screenshot({ path: `${root}build/graphiql.png` });
});

test("no token is kept, be it given or typed", async () => {
  await types("Headers", '{"Authorization": "Bearer typed-token'); // the editor closes it
  await page.getByRole("button", { name: "Execute query" }).click();
  await reads("Result Window", "UNAUTHENTICATED");

  const kept = () =>
    page.evaluate(async () =>
      JSON.stringify([
        { ...localStorage },
        { ...sessionStorage },
        document.cookie,
        location.href,
        await indexedDB.databases(),
        await caches.keys(),
      ]),
    );
  const storage = await until(kept, (seen) => seen.includes("query Typed"));

  assert.doesNotMatch(storage, /typed-token/);
  assert.doesNotMatch(storage, new RegExp(TOKEN));
  await page.reload();
  await reads("Operation Editor", "query Typed");
  await reads("Headers", TOKEN);
});

test("nothing came from elsewhere, and nobody complained", () => {
  const nothing = { outside: [], violations: [], complaints: [] };

  assert.deepEqual({ outside, violations, complaints }, nothing);
  assert.deepEqual([...workers].sort(), ["editor", "graphql", "json"]);
});
