// Relay, compiled and run with React in a page without a screen; documents by the ids that its
// compiler gives them.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { transformFileSync } from "@babel/core";
import { Window } from "happy-dom";

globalThis.window = new Window();
globalThis.document = window.document;
globalThis.navigator ??= window.navigator;
globalThis.IS_REACT_ACT_ENVIRONMENT = true;
const require = createRequire(import.meta.url);
const { act, createElement, Suspense } = require("react");
const { createRoot } = require("react-dom/client");
const { RelayEnvironmentProvider } = require("react-relay");
const { commitMutation, Environment, Network } = require("relay-runtime");

// What a bundler does.
const relay = ["relay", { artifactDirectory: "build/relay", eagerEsModules: false }];
const plugins = [relay, "@babel/transform-modules-commonjs"];
writeFileSync("build/Groups.js", transformFileSync("relay/Groups.js", { plugins }).code);
const groups = require("./build/Groups.js");

export const title = "Relay";

class SignedOut extends Error {}

export function connect({ url, fetch, token, trusted }) {
  const network = async ({ id, text }, variables) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify(trusted ? { doc_id: id, variables } : { query: text, variables }),
    });
    const result = await answer.json();
    // Relay leaves errors to @catch and @throwOnFieldError; this one is about all fields.
    if (result.errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED"))
      throw new SignedOut();
    return result;
  };
  return new Environment({ network: Network.create(network) });
}

const mutate = (environment, mutation, variables) =>
  new Promise((onCompleted, onError) =>
    commitMutation(environment, { mutation, variables, onCompleted, onError }),
  );

/** A component that uses the hook: `now()` is what it has returned last. */
async function shown(environment, useIt, variables) {
  let last;
  let problem;
  function Shown() {
    last = useIt(variables);
    return null;
  }
  const root = createRoot(document.createElement("div"), {
    onUncaughtError: (error) => (problem = error),
  });
  const tree = createElement(Suspense, { fallback: null }, createElement(Shown));
  const until = async (holds) => {
    for (const end = Date.now() + 30_000; !holds();) {
      if (problem) throw problem;
      assert.ok(Date.now() < end, "Not within 30 s.");
      await act(() => new Promise((wake) => setTimeout(wake, 10)));
    }
  };
  await act(() => root.render(createElement(RelayEnvironmentProvider, { environment }, tree)));
  await until(() => last);
  const load = async (direction, count) => {
    let done;
    await act(() => last[`load${direction}`](count, { onComplete: (error) => (done = { error }) }));
    await until(() => done);
    assert.equal(done.error, null);
  };
  return { now: () => last, load, until };
}
const rows = ({ edges }) => edges.map(({ node }) => node);
const ids = (list) => rows(list).map(({ id }) => id);

export const checks = {
  "pages, forwards and backwards, become one list": async (environment, { group }) => {
    const { id, members } = await group(7);
    const expected = members.map(({ id }) => id);
    const variables = { id, first: 2, after: members[2].cursor };
    const { now, load } = await shown(environment, groups.useMembers, variables);
    assert.deepEqual(ids(now().data.customers), expected.slice(3, 5));
    await load("Next", 2);
    await load("Previous", 2);
    assert.deepEqual(ids(now().data.customers), expected.slice(1));
    assert.deepEqual([now().hasNext, now().hasPrevious], [false, true]);
    await load("Previous", 2);
    assert.deepEqual(ids(now().data.customers), expected);
    assert.equal(now().hasPrevious, false);
  },
  "a tenant pages and refetches by its `id`": async (environment) => {
    const { now, load, until } = await shown(environment, groups.useGroups, { first: 3 });
    await load("Next", 3);
    assert.equal(new Set(ids(now().data.customerGroups)).size, 6);
    await act(() => now().refetch({ first: 4 }, { fetchPolicy: "network-only" }));
    await until(() => ids(now().data.customerGroups).length === 4);
  },
  "a new name, and after a conflict the present one, is in every list": async (
    environment,
    { group },
  ) => {
    const { id } = await group();
    const { now } = await shown(environment, groups.useGroups, { first: 5 });
    const name = () => rows(now().data.customerGroups).find((row) => row.id === id).name;
    await act(() => mutate(environment, groups.Rename, { id, name: "New name" }));
    assert.equal(name(), "New name");
    const late = { id, name: "Too late", revision: "an older one" };
    const { updateCustomerGroup } = await act(() => mutate(environment, groups.Rename, late));
    assert.equal(updateCustomerGroup.userErrors[0].code, "REVISION_CONFLICT");
    assert.equal(name(), "New name");
  },
  "a new group joins the list, a deleted one leaves it": async (environment) => {
    const { now } = await shown(environment, groups.useGroups, { first: 5 });
    const list = () => now().data.customerGroups;
    const before = ids(list());
    const lists = [list().__id];
    const made = await act(() => mutate(environment, groups.Create, { name: "New", lists }));
    const { id } = made.createCustomerGroup.customerGroup;
    assert.deepEqual(ids(list()), [id, ...before]);
    await act(() => mutate(environment, groups.Delete, { id, lists }));
    assert.deepEqual(ids(list()), before);
  },
  "members that were removed leave the list": async (environment, { group }) => {
    const { id, members } = await group(3);
    const { now } = await shown(environment, groups.useMembers, { id, first: 5 });
    const list = () => now().data.customers;
    const variables = { id, uids: [members[1].uid], lists: [list().__id] };
    await act(() => mutate(environment, groups.Remove, variables));
    assert.deepEqual(ids(list()), [members[0].id, members[2].id]);
  },
  "lists of two tenants are kept apart": async (environment) => {
    const popUp = await shown(environment, groups.useGroups, { tenantUid: "pop-up", first: 5 });
    const demo = await shown(environment, groups.useGroups, { tenantUid: "demo", first: 5 });
    assert.equal(ids(popUp.now().data.customerGroups).length, 2);
    assert.equal(ids(demo.now().data.customerGroups).length, 5);
  },
  "what fails is null beside the rest, with a code": async (environment) => {
    const { now } = await shown(environment, groups.useTwoTenants, "nobody");
    assert.equal(now().here.nodes.length, 1);
    assert.equal(now().there.ok, false);
    assert.equal(now().there.errors[0].extensions.code, "FORBIDDEN");
  },
  "a token that is not accepted is UNAUTHENTICATED": async (_environment, { stranger }) => {
    await assert.rejects(shown(stranger, groups.useGroups, { first: 5 }), SignedOut);
  },
};
