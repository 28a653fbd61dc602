// The app as built, over the demo, in headless Chromium, as somebody uses it: mouse, keyboard, phone.
// Its picture is build/frontend.png.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { launched, watched } from "../../scripts/browser.mjs";
import { servedAsBuilt } from "./serve.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDE = { width: 1120, height: 720 };
const PHONE = { width: 390, height: 844 };

let app;
let browser;
let page;
let seen;
let wide;

const button = (name) => page.getByRole("button", { name, exact: true });
const box = (name) => page.getByRole("textbox", { name });
const member = (name) => page.getByRole("checkbox", { name });

async function enter(token) {
  await box("Token").fill(token);
  await button("Use this token").click();
}

async function open(name) {
  await page.getByRole("link", { name, exact: true }).click();
  await page.getByRole("heading", { name, level: 2 }).waitFor();
}

/** What a colleague does meanwhile. */
async function rename(uid, name) {
  const answer = await fetch(app.gateway, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: "Bearer demo-token" },
    body: JSON.stringify({
      query: `mutation ($uid: ID!, $name: String!) {
        updateCustomerGroup(input: { customerGroup: { uid: $uid }, name: $name }) { userErrors { code } }
      }`,
      variables: { uid, name },
    }),
  });
  assert.deepEqual((await answer.json()).data.updateCustomerGroup.userErrors, []);
}

/** Until it is undone, the gateway is sent this token in place of the page's, or no request at all. */
async function instead(token) {
  await page.route(app.gateway, (route) => {
    if (route.request().method() === "OPTIONS") return route.continue();
    const headers = { ...route.request().headers(), authorization: `Bearer ${token}` };
    return token ? route.continue({ headers }) : route.abort();
  });
  return () => page.unroute(app.gateway);
}

/** Nothing that axe knows is wrong with what is shown, and nothing is wider than the window. */
async function accessible() {
  await page.evaluate(`window.axe ?? (() => { ${axe} })()`);
  const { violations } = await page.evaluate(() => window.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join()}`), []);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
}

before(async () => {
  mkdirSync(`${root}build`, { recursive: true });
  app = await servedAsBuilt(`${root}.venv/bin/python`);
  browser = await launched(chromium);
  const context = await browser.newContext({ viewport: WIDE });
  seen = watched(context, [app.url, new URL(app.gateway).origin]);
  page = await context.newPage();
  await page.goto(app.url);
});

after(async () => {
  await browser?.close();
  await app?.stop();
});

test("it asks for a token, and then shows the groups, thirty at a time", async () => {
  await accessible();
  await page.keyboard.press("Escape"); // there is nothing to go back to
  await enter("demo-token");
  const groups = page.getByRole("navigation").getByRole("link");
  await page.getByText("240 groups").waitFor();
  assert.equal(await groups.count(), 30);

  await button("Show 30 more of 210").click();
  await button("Show 30 more of 180").waitFor();

  assert.equal(await groups.count(), 60);
});

test("groups are ordered as the backend can", async () => {
  await page.getByRole("combobox", { name: "Order" }).selectOption("By name");

  await page.getByRole("link").first().and(page.getByText("Ansatte")).waitFor();
  await page.getByRole("combobox", { name: "Order" }).selectOption("Default order");
});

test("the members of a group are turned page by page, there and back", async () => {
  await open("Gullmedlemmer");
  await page.getByRole("heading", { name: "102 members" }).waitFor();
  await member("Ragnhild Lie").waitFor();
  assert.ok(await button("Previous").isDisabled());

  await button("Next").click();
  await member("Ragnhild Lie").waitFor({ state: "detached" });
  assert.ok(await page.getByRole("heading", { name: "102 members" }).evaluate((it) => it === document.activeElement));

  await button("Previous").click();
  await member("Ragnhild Lie").waitFor();
});

test("a group is chosen and renamed by keyboard alone", async () => {
  await page.getByRole("link", { name: "Studenter" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Studenter" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Studenter og lærlinger");
  await page.keyboard.press("Enter");

  await page.getByRole("link", { name: "Studenter og lærlinger" }).waitFor();
  await button("Rename").and(page.locator(":focus")).waitFor();
});

test("somebody else was faster: both names are shown, and the user decides", async () => {
  await open("Gullmedlemmer");
  await button("Rename").click();
  await box("Name").fill("Gull");
  await rename("gull", "Gullklubben");
  await button("Save").click();

  await page.getByRole("alert").getByText("Its name is now Gullklubben").waitFor();
  await accessible();
  await button("Keep “Gullklubben”").click();
  await page.getByRole("heading", { name: "Gullklubben" }).waitFor();

  await button("Rename").click();
  await box("Name").fill("Gullmedlemmer");
  await rename("gull", "Gullkunder");
  await button("Save").click();
  await button("Use “Gullmedlemmer”").click();
  await page.getByRole("heading", { name: "Gullmedlemmer" }).waitFor();
  await page.getByRole("link", { name: "Gullmedlemmer" }).waitFor();
});

test("of customers that are added, each is told, and who could not be stays to be mended", async () => {
  await page.getByRole("heading", { name: "102 members" }).waitFor();
  await box("Add customers").fill("c00001, c00115 c99999");
  await button("Add").click();

  await page.getByText("Added: 2 of 3 customers").waitFor();
  await page.getByRole("heading", { name: "103 members" }).waitFor();
  const results = page.getByRole("listitem").filter({ hasText: /Is a member now|Not added/ });
  assert.deepEqual(await results.allInnerTexts(), [
    "Bjørn Kowalski c00001\nIs a member now",
    "Ragnhild Lie c00115\nIs a member now",
    "c99999\nNot added. There is no such customer. NOT_FOUND",
  ]);
  assert.equal(await box("Add customers").inputValue(), "c99999");
  await accessible();
  wide = await page.screenshot();
  await box("Add customers").fill("");
  await button("Close").click();
});

test("members are removed, and taken back", async () => {
  await member("Ragnhild Lie").check();
  await member("Amir Fjeld").check();
  await button("Remove 2").click();

  await page.getByText("Removed: 2 of 2 customers").waitFor();
  await page.getByRole("heading", { name: "101 members" }).waitFor();
  await member("Ragnhild Lie").waitFor({ state: "detached" });
  await button("Undo").click();
  await page.getByRole("heading", { name: "103 members" }).waitFor();
  await member("Ragnhild Lie").waitFor();
});

test("a token that has expired is replaced, and what was sent with it is sent again", async () => {
  await button("Rename").click();
  await box("Name").fill("Gull og mer");
  const undo = await instead("expired");
  await button("Save").click();
  const dialog = page.getByRole("dialog", { name: /^Your token has expired or is not accepted/ });
  await dialog.waitFor();
  await accessible();
  await undo();

  await enter("mistyped");
  await dialog.waitFor();
  await enter("demo-token");

  await page.getByRole("heading", { name: "Gull og mer" }).waitFor();
});

test("what a token may not do is said, with its code", async () => {
  await button("Token").click();
  await enter("demo-read-only");
  await page.getByRole("heading", { name: "103 members" }).waitFor();
  await member("Ragnhild Lie").check();
  await button("Remove 1").click();

  await page.getByRole("alert").getByText("FORBIDDEN").waitFor();
  assert.ok(await member("Ragnhild Lie").isChecked());
});

test("no token is kept, and what complained was only that it was refused", async () => {
  const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]));

  assert.equal(kept, '[{},{},""]');
  const refused = /^Failed to load resource: the server responded with a status of 401/;
  assert.deepEqual(seen.complaints.filter((text) => !refused.test(text)), []);
  assert.deepEqual(seen.outside, []);
});

test("without the gateway it says so, and tries again when it is asked", async () => {
  const undo = await instead(null);
  await page.getByRole("link", { name: "Ansatte", exact: true }).click();
  const tell = page.getByRole("alert").filter({ hasText: "The gateway did not answer. NO_ANSWER" });
  await tell.waitFor();
  await undo();
  await tell.getByRole("button", { name: "Try again" }).click();

  await page.getByRole("heading", { name: "Ansatte" }).waitFor();
  await tell.waitFor({ state: "detached" });
});

test("an empty group and one that is gone are told apart", async () => {
  await open("Ny butikk, åpner snart");
  await page.getByText("Nobody is in this group yet.").waitFor();

  await page.goto(`${app.url}#Q3VzdG9tZXJHcm91cDpkZW1vOm5vbmU`);
  await page.getByText("This group does not exist, or not any more.").waitFor();
});

test("on a phone, in the dark", async () => {
  const context = await browser.newContext({ viewport: PHONE, colorScheme: "dark", reducedMotion: "reduce" });
  page = await context.newPage();
  await page.goto(app.url);
  await enter("demo-token");
  await page.getByText("240 groups").waitFor();
  await accessible();

  await open("Bronsemedlemmer");
  await page.getByRole("heading", { name: /\d+ members/ }).waitFor();
  await accessible();
  const phone = await page.screenshot();
  await page.getByRole("link", { name: "‹ All groups" }).click();
  await page.getByText("240 groups").waitFor();

  await page.setViewportSize({ width: 1390, height: 800 });
  const [behind, before] = [wide, phone].map((png) => `data:image/png;base64,${png.toString("base64")}`);
  await page.setContent(`
    <style>
      body { margin: 0; background: #e9dbe6 }
      img { position: absolute; border-radius: 12px; box-shadow: 0 8px 32px #0003 }
    </style>
    <img src="${behind}" style="left: 40px; top: 40px">
    <img src="${before}" style="right: 40px; bottom: 40px; height: 620px; border-radius: 24px">`);
  await page.screenshot({ path: `${root}build/frontend.png` });
  await context.close();
});
