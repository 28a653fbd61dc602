// The GraphiQL page over the demo's data, in headless Chromium, as somebody uses it.
// It needs the gateway's .venv and a Chromium; its pictures are build/graphiql*.png.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { createServer as createWebServer } from "node:http";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { PATIENCE, launched, watched } from "../scripts/browser.mjs";
import { started } from "../scripts/started.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
const TOKEN = "demo-token";

let demo;
let browser;
let page;
let url;
/** Bytes that came from the gateway, headers included; until the page was ready, and by now. */
let loaded;
let received = 0;
/** A web page of another origin, which may send requests. */
const shop = createWebServer((_, response) => response.end("<!doctype html>"));
const counting = createServer((browsers) => {
  const gateways = connect(new URL(demo.found).port);
  gateways.on("data", (chunk) => (received += chunk.length));
  browsers.pipe(gateways).pipe(browsers);
  for (const [one, other] of [[browsers, gateways], [gateways, browsers]])
    one.on("error", () => other.destroy());
});
/** What must not happen, as it happens. */
let seen;
const violations = [];
/** The editor's: without them it would do their work itself, and the page would stall. */
const workers = new Set();

/** Where `server` listens, by the name `host`. */
async function listening(server, host) {
  await new Promise((listens) => server.listen(0, host, listens));
  return `http://${host}:${server.address().port}`;
}

/** Waits until `look` answers something that `enough` takes; then answers it. */
async function until(look, enough) {
  const patience = Date.now() + PATIENCE;
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
  const shops = await listening(shop, "localhost");
  demo = await started(
    `${root}.venv/bin/python`,
    ["demo", "--simulator-port", "0"],
    { GATEWAY_PORT: "0", GATEWAY_LOG_LEVEL: "warning", GATEWAY_CORS_ORIGINS: shops },
    /http:\S+\/graphql(?=\s)/,
  );
  url = `${await listening(counting, "127.0.0.1")}/graphql`;
  browser = await launched(chromium);
  const context = await browser.newContext({ viewport: { width: 1600, height: 900 } });
  seen = watched(context, [new URL(url).origin]);
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
  await until(() => workers.size, (count) => count === 2);
  await page.waitForLoadState("networkidle");
  loaded = received;
});

after(async () => {
  await browser?.close();
  demo?.stop();
  shop.close();
  counting.close();
});

test("it has a name, an icon, and the token of the demo", async () => {
  const icon = await page.locator("link[rel=icon]").evaluate((link) => link.href);

  assert.equal(await page.title(), "Customer groups");
  assert.equal((await page.request.get(icon)).headers()["content-type"], "image/svg+xml");
  await reads("Headers", `"Authorization": "Bearer ${TOKEN}"`);
});

test("it takes at most 1.3 MB until all of the editor is there", (context) => {
  context.diagnostic(`${(loaded / 1e6).toFixed(2)} MB`);
  assert.ok(loaded > 300_000 && loaded <= 1_300_000, `${loaded} bytes`);
});

test("the first example works as it stands", async () => {
  await page.getByRole("button", { name: "Execute query" }).click();

  await reads("Result Window", '"totalCount": 240');
});

test("every example is in a tab, with its variables in front if it has some", async () => {
  const examples = readdirSync(`${root}examples`).filter((name) => name.endsWith(".graphql"));

  const tabs = page.getByRole("tab");
  const names = await tabs.allInnerTexts();

  assert.equal(names.length, examples.length + 1);
  assert.deepEqual(names.slice(0, 3), ["Welcome", "RecentGroups", "GroupWithMembers"]);
  await tabs.nth(2).click();
  await reads("Variables", '"group": "gull"');
  await page.getByRole("button", { name: "Headers" }).click();
  await reads("Headers", TOKEN);
  await tabs.nth(3).click();
  await reads("Variables", '"after": null');
  await tabs.nth(1).click();
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

test("on a phone, a query is run and answered, and the schema is explained", async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  context.setDefaultTimeout(20_000);
  const desktop = page;
  page = await context.newPage();
  await page.goto(url);
  await reads("Operation Editor", "# Customer groups");
  const wide = (locator) => locator.evaluate((element) => element.getBoundingClientRect().width);

  await page.getByRole("button", { name: "Execute query" }).click();
  await reads("Result Window", '"totalCount": 240');
  const widths = await Promise.all(
    ["Operation Editor", "Result Window"].map((name) =>
      wide(page.getByRole("region", { name }).locator(".monaco-editor:visible").first()),
    ),
  );
  await page.screenshot({ path: `${root}build/graphiql-phone.png` });
  await page.getByRole("button", { name: "Show Documentation Explorer" }).click();
  const explorer = page.getByRole("region", { name: "Documentation Explorer" });
  await explorer.getByRole("link", { name: "Query" }).click();
  await explorer.getByRole("link", { name: "customerGroups", exact: true }).waitFor();
  const docs = await wide(explorer);
  await page.getByRole("button", { name: "Hide Documentation Explorer" }).click();
  await reads("Operation Editor", "# Customer groups");

  assert.ok(widths[0] > 270 && widths[1] > 330 && docs > 340, `${widths} ${docs}`);
  await context.close();
  page = desktop;
});

test("a page of a listed origin may send what clients add, and is told what it may not", async () => {
  const context = await browser.newContext();
  const other = await context.newPage();
  const said = [];
  other.on("console", (message) => said.push(message.text()));
  await other.goto(`http://localhost:${shop.address().port}`);
  const ask = (headers) =>
    other.evaluate(
      async ([at, more]) => {
        const response = await fetch(at, {
          method: "POST",
          headers: { "Content-Type": "application/json", ...more },
          body: JSON.stringify({ query: "{ __typename }" }),
        }).catch(String);
        return response.headers?.get("X-Request-Id") ? response.status : response;
      },
      [url, headers],
    );

  const answered = await ask({
    "apollographql-client-name": "shop",
    "graphql-client-version": "1",
    baggage: "sentry-release=1",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  });
  const refused = await ask({ "X-Anything": "1" });

  assert.equal(answered, 200);
  assert.equal(refused, "TypeError: Failed to fetch");
  await until(
    () => said.join("\n"),
    (seen) => seen.includes("header field x-anything is not allowed by Access-Control-Allow-Headers"),
  );
  await context.close();
});

test("nothing came from elsewhere, and nobody complained", () => {
  assert.deepEqual({ ...seen, violations }, { outside: [], complaints: [], violations: [] });
  assert.ok(workers.has("graphql") && workers.has("json"), [...workers].join());
});
