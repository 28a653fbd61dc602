// The GraphiQL page over the demo's data, in headless Chromium, as somebody uses it.
// It needs the gateway's .venv and a Chromium; its pictures are build/*.png.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createServer as createWebServer } from "node:http";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { PATIENCE, launched, watched } from "../scripts/browser.mjs";
import { started } from "../scripts/started.mjs";
import { fieldsAt } from "./src/served.js";

const root = fileURLToPath(new URL("../", import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [, README] = readFileSync(`${root}README.md`, "utf8").match(/```graphql\n([^]*?)```/);
const TOKEN = "demo-token";
const WIDE = { viewport: { width: 1600, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 } };

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
const seen = [];
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

/** Puts a text as it is in place of an editor's. */
async function pastes(name, text) {
  await types(name, "");
  await page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", pasted);
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
  }, text);
}

/** A browser of its own, of which is `seen` what must not happen. */
async function opened(options) {
  const context = await browser.newContext(options);
  seen.push(watched(context, [new URL(url).origin]));
  await context.exposeFunction("violated", (what) => violations.push(what));
  await context.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violated(`${event.effectiveDirective}: ${event.blockedURI}`),
    ),
  );
  return context;
}

/**
 * Does `work` on a page of its own. There, `answers` gets each operation that is sent but GraphiQL's
 * own, and may answer it in place of the gateway.
 */
async function elsewhere(options, answers, work) {
  const desktop = page;
  const context = await opened(options);
  page = await context.newPage();
  if (answers)
    await page.route(url, async (route) => {
      const request = route.request();
      const operation = request.postDataJSON();
      const asked = operation && operation.operationName !== "IntrospectionQuery";
      const own = asked && (await answers(operation, request));
      // It may have been given up meanwhile.
      await (own ? route.fulfill({ json: own }) : route.continue()).catch(() => {});
    });
  await page.goto(url);
  await reads("Operation Editor", "# Customer groups");
  await work();
  await context.close();
  page = desktop;
}

/** Puts the README's query into the editors. */
async function membersOfGull() {
  await pastes("Operation Editor", README.trim());
  await page.getByRole("button", { name: "Variables" }).click();
  await pastes("Variables", '{"group": "gull"}');
}

const tab = (name) => page.getByRole("tab", { name, exact: true });
const panel = () => page.getByRole("region", { name: "What it costs" });
const rows = () => panel().getByRole("option");
/** What is marked in the operation. */
const marks = async () => (await page.locator(".served").allInnerTexts()).join("").replaceAll("\u00a0", " ");
const execute = () => page.getByRole("button", { name: "Execute query" }).click();

/** What the panel says, once that has `part` in it. */
const says = (part) => until(() => panel().getByRole("status").innerText(), (said) => said.includes(part));

/** Nothing that axe knows is wrong with the panel, nothing moves, nothing is wider than the window. */
async function accessible() {
  await page.evaluate(`window.axe ?? (() => { ${axe} })()`);
  const { violations: wrong } = await page.evaluate(() => window.axe.run(".costs"));
  assert.deepEqual(wrong.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join()}`), []);
  const still = () =>
    document.querySelector(".costs").getAnimations({ subtree: true }).length === 0 &&
    document.documentElement.scrollWidth <= innerWidth;
  assert.ok(await page.evaluate(still));
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
  page = await (await opened(WIDE)).newPage();
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
  await execute();

  await reads("Result Window", '"totalCount": 240');
});

test("every example is in a tab, with its variables in front if it has some", async () => {
  const examples = readdirSync(`${root}examples`).filter((name) => name.endsWith(".graphql"));

  const tabs = page.getByRole("tablist", { name: "Select active operation" }).getByRole("tab");
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
  await execute();
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

test("on a phone, a query is run and answered, and the schema is explained", () =>
  elsewhere(PHONE, null, async () => {
    const wide = (locator) => locator.evaluate((element) => element.getBoundingClientRect().width);

    await execute();
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
  }));

const GET = { backend: "flow_retail", tenant: "demo", method: "GET" };
const GROUPS = "/tenants/{tenantUid}/customer-groups";
const GROUP = `${GROUPS}/{customerGroupUid}`;
const CALL = { ...GET, attempt: 1, status: 200, rows: 20, bytes: 8123, source: "network" };
const PAGE = { ...CALL, hop: 2, template: GROUPS, fields: ["group.people.nodes.customerGroups"] };
const MEMBERS = { ...CALL, hop: 1, template: `${GROUP}/customers`, fields: ["group.people"] };
const NONE = { status: null, rows: null, bytes: null };
const SEVERAL = `
  query One { id: __typename }
  query Two { group: customerGroup(by: { uid: "gull" }) { ...Of } }
  fragment Of on CustomerGroup {
    ... on CustomerGroup { people: customers(first: 2) { nodes { customerGroups { name } } } }
    name
  }`;

/** Answers the operation Two by this. */
const troubled = ({ operationName }) =>
  operationName === "Two" && {
    data: { group: null },
    extensions: {
      rest: {
        planned: 5,
        made: 6,
        dropped: 3,
        calls: [
          { ...CALL, hop: 1, start: 1.42, end: 8.03, template: GROUP, fields: ["group"], rows: 1 },
          { ...MEMBERS, ...NONE, start: 1.6, end: 21, cause: "timeout: answer" },
          { ...MEMBERS, start: 34, end: 41.2, attempt: 2 },
          { ...PAGE, start: 42, end: 51.7 },
          { ...PAGE, start: 42, end: 44, fields: [] },
          { ...PAGE, ...NONE, start: 51.8, end: 51.8, source: "operation" },
        ],
      },
    },
  };

/** Runs the operation Two, of several. */
async function runTwo() {
  await pastes("Operation Editor", SEVERAL);
  // It takes a moment until GraphiQL knows that there are several to choose from.
  await page.locator(".graphiql-execute-button[aria-haspopup=menu]").waitFor();
  await execute();
  await page.getByRole("menuitem", { name: "Two" }).click();
}

test("failures, pauses, repeats and reads without a call are seen, hop by hop", () =>
  elsewhere(WIDE, troubled, async () => {
    await runTwo();

    const said = await says("planned");
    const [group, failed, again, pages, vain, within] = await rows().allInnerTexts();

    assert.match(said, /At most 5 calls planned, 6 made: 1 sent again after a failure/);
    assert.match(said, /1 read took what another call had answered. 3 more calls not listed/);
    assert.match(group, /GET \/tenants.*\s+for group\s+200\s+1 row\s+8.1 kB\s+1.4 to 8.0 ms/);
    assert.match(failed, /✕ timeout: answer/);
    assert.match(again, /attempt 2\s+after a pause of 13 ms/);
    assert.match(pages, /20 rows\s+8.1 kB/);
    assert.match(vain, /read ahead, and not needed/);
    assert.match(within, /answered within the operation/);
    const hops = await panel().locator(".hop").allInnerTexts();
    assert.deepEqual(hops, ["Hop 1: 3 calls", "Hop 2: 2 calls"]);
    const left = async (mark) => (await panel().locator(`.track ${mark}`).boundingBox()).x;
    const [first, next, last] = await Promise.all([".failed", ".pause", ".within"].map(left));
    assert.ok(first < next && next < last);
  }));

test("the fields of a call are marked, by pointer and by keyboard, until let go", () =>
  elsewhere({ ...WIDE, colorScheme: "dark", reducedMotion: "reduce" }, troubled, async () => {
    await runTwo();
    await rows().first().waitFor();
    const marked = (text) => until(marks, (seen) => seen === text);
    const group = 'group: customerGroup(by: { uid: "gull" })';
    const people = "people: customers(first: 2)";

    await rows().nth(1).hover();
    await marked(people);
    await tab("REST calls").focus();
    await page.mouse.move(0, 0);
    await marked("");
    for (const key of ["Tab", "Tab"]) await page.keyboard.press(key); // past "What is this?"
    await marked(group);
    await page.keyboard.press("End");
    await marked("customerGroups");
    for (const key of ["ArrowUp", "ArrowUp", "ArrowUp", "Enter"]) await page.keyboard.press(key);
    await page.keyboard.press("Home");
    await marked(people);
    assert.deepEqual(await rows().and(page.locator("[aria-selected=true]")).count(), 1);
    await accessible();
    await page.keyboard.press("Escape");
    await marked("");
    await page.keyboard.press("Enter");
    await marked(group);
    await pastes("Operation Editor", "{ } }");
    await marked("");
  }));

test("fields are found through aliases, fragments that go in circles, and each operation", () => {
  const text = `query A { x: a { ...F } } query B { a { b c } }
    fragment F on T { b ...F ... { d: c { e } } }`;
  const written = (operation, ...paths) =>
    fieldsAt(text, operation, paths).map(({ loc }) => text.slice(loc.start, loc.end));

  assert.deepEqual(written("A", "x.b", "x.d.e", "a", "x.c", "x.b"), ["b", "e"]);
  assert.deepEqual(written("B", "a.c"), ["c"]);
  assert.deepEqual(written(null, "x.d"), ["d: c { e }"]);
  assert.deepEqual(fieldsAt("fragment F on T { b }", null, ["b"]), []);
});

const silent = ({ query }) => query.includes("uid") && { data: { tenant: null } };

test("where no calls can be shown, the panel says why", () =>
  elsewhere(WIDE, silent, async () => {
    await says("Run the operation");
    await pastes("Operation Editor", "query Two { tenant { uid } }");
    await execute();
    await says("it comes in the development profile alone");
    await pastes("Operation Editor", "subscription { customerGroups }");
    await execute();
    await says("It was not run, so it made no REST call: ");
    await pastes("Operation Editor", "query Two { nothing }");
    await execute();
    await says("It was not run, so it made no REST call: Cannot query field 'nothing'");
  }));

test("on a phone, the panel opens, explains itself, and fits", () =>
  elsewhere(PHONE, troubled, async () => {
    await runTwo();
    await tab("REST calls").click();
    await rows().nth(2).click();
    await panel().getByText("What is this?").click();
    await accessible();
    await page.screenshot({ path: `${root}build/rest-calls-phone.png` });

    await panel().getByText("A hop is a round of calls").waitFor();
    await tab("REST calls").click();
    assert.equal(await rows().count(), 0);
  }));

const EXPLAINED = { ...GET, tenant: "demo", template: GROUP, atMost: 1, fields: ["group"] };

test("what is typed is explained, and never run", async () => {
  const sent = [];
  let release;
  const explains = async ({ query, variables }, request) => {
    const { authorization, "x-explain": header } = request.headers();
    sent.push(query);
    assert.deepEqual([authorization, header], [`Bearer ${TOKEN}`, "true"]);
    if (query.includes("slow")) await new Promise((resolve) => (release = resolve));
    if (query.includes("nothing")) return { errors: [{ message: "Cannot query field 'nothing'." }] };
    const shared = variables?.more && ["group.name"];
    const calls = [
      { ...EXPLAINED, shared, cheaper: "Ask for less." },
      { ...EXPLAINED, atMost: 0, metered: true },
    ];
    const refused = query.includes("dear") ? "Too many." : undefined;
    const hops = query.includes("__typename") ? [] : [{ calls }];
    return { data: null, extensions: { explain: { atMost: 1, limit: 100, refused, hops } } };
  };
  await elsewhere(WIDE, explains, async () => {
    await pastes("Operation Editor", "mutation { group: deleteIt }");
    await tab("REST calls").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await says("REST calls: at most 1, and more as they turn up, in 1 hop; the limit is 100.");
    const [known, metered] = await rows().allInnerTexts();
    assert.match(known, /for group\s+flow_retail, tenant demo\s+Cheaper: Ask for less.\s+at most 1/);
    assert.match(metered, /as many as turn up/);
    assert.deepEqual(sent, ["{ __typename }", "mutation { group: deleteIt }"]);
    await rows().first().hover();
    await until(marks, (seen) => seen === "group: deleteIt");

    await pastes("Operation Editor", "mutation { group: deleteIt } }");
    await says(`Syntax Error: Unexpected "}". Below is the last text that was valid.`);
    assert.equal(await rows().count(), 2);
    await accessible();
    assert.equal(sent.length, 2);
    await pastes("Operation Editor", "{ nothing }");
    await says("Cannot query field 'nothing'. Below is the last");

    const abandoned = page.waitForEvent("requestfailed", (request) => request.postData().includes("slow"));
    await pastes("Operation Editor", "{ slow }");
    await until(() => sent.at(-1), (query) => query === "{ slow }");
    await pastes("Operation Editor", "{ dear }");
    await says("It would be refused: Too many.");
    assert.equal((await abandoned).failure().errorText, "net::ERR_ABORTED");
    release();

    await page.getByRole("button", { name: "Variables" }).click();
    await pastes("Variables", '{"more": true}');
    await panel().getByText("and at no further cost group.name").waitFor();
    await pastes("Variables", "{ } }");
    await says("Below is the last text that was valid.");
  });
});

test("the REST calls of the README's query are those that the gateway tells", () =>
  elsewhere({ viewport: { width: 1440, height: 1120 } }, null, async () => {
    await membersOfGull();
    // The first time, documents are read and connections made.
    for (let runs = 0; runs < 2; runs += 1) await Promise.all([page.waitForResponse(url), execute()]);
    await says("At most 5 calls planned, 5 made");
    await rows().last().focus();
    await until(marks, (seen) => seen === "customerGroups");

    assert.equal(await panel().locator(".track i:not(.within)").count(), 5);
    assert.deepEqual((await panel().locator(".hop").allInnerTexts()).length, 3);
    await accessible();
    await page.screenshot({ path: `${root}build/rest-calls.png` });
  }));

test("the gateway explains the README's query, and makes no change that is typed", () =>
  elsewhere({ viewport: { width: 1440, height: 760 } }, null, async () => {
    await membersOfGull();
    await tab("Explain").click();
    await says("REST calls: at most 2, and more as they turn up, in 2 hops; the limit is 100.");
    await rows().nth(1).focus();
    await until(marks, (seen) => seen.startsWith("customers(first: 2"));
    await page.screenshot({ path: `${root}build/explain.png` });

    const change = 'mutation { createCustomerGroup(input: { name: "Typed" }) { userErrors { code } } }';
    await pastes("Operation Editor", change);
    await panel().getByText("POST").waitFor();
    await pastes("Operation Editor", "{ customerGroups(first: 0) { totalCount } }");
    await execute();
    await reads("Result Window", '"totalCount": 240');
  }));

test("a gateway that does not explain is sent nothing of what is typed", async () => {
  const sent = [];
  const passesOver = ({ query }) => (sent.push(query), { data: {} });
  await elsewhere(WIDE, passesOver, async () => {
    await pastes("Operation Editor", "mutation { deleteIt }");
    await tab("Explain").click();
    await says("This gateway does not explain");
  });

  assert.deepEqual(new Set(sent), new Set(["{ __typename }"]));
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
  const all = seen.flatMap(({ outside, complaints }) => [...outside, ...complaints]);
  assert.deepEqual([...all, ...violations], []);
  assert.ok(workers.has("graphql") && workers.has("json"), [...workers].join());
});
