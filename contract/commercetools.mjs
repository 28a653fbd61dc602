// Every operation of commercetools, asked of the mock through the gateway. A check asserts what the
// vendor's reference says; where the mock differs, DIFFERENCES says how, and who is right.
import assert from "node:assert/strict";

const REFERENCE = "the reference";
const UNSORTED = [/not in the order asked for|deep-equal/, "takes no notice of `sort`: oldest first", "by these fields +", REFERENCE];

/** By the check's name: how it fails, what the mock does, what the reference says, and who is right. */
export const DIFFERENCES = {
  "a name in use": [/DUPLICATE/, "is given twice", "DuplicateField", REFERENCE],
  "a key in use": [/DUPLICATE/, "is given twice", "a key is unique", REFERENCE],
  "delete at a revision that is not the newest": [/REVISION_CONFLICT/, "takes no notice of `version`", "409", REFERENCE],
  "delete a group that a customer refers to": [
    /IN_USE/,
    "deletes it",
    "silent; ReferenceExists by the API reference +",
    "open: the gateway takes either",
  ],
  "order groups by name": UNSORTED,
  "order groups by creation": UNSORTED,
  "order groups by last change": UNSORTED,
  "order members": UNSORTED,
  "list groups by id": UNSORTED,
  "page by the last id, forward and backward": UNSORTED,
  "add members by assignments": [
    /REJECTED_BY_BACKEND/,
    "knows no `addCustomerGroupAssignment`",
    "an update action of customers +",
    REFERENCE,
  ],
  "remove members by the older customerGroup": [
    /REJECTED_BY_BACKEND/,
    "`setCustomerGroup` needs a group",
    "without one, it is removed +",
    REFERENCE,
  ],
};

const TYPE = "judged-type";
const ids = (rows) => rows.map(({ uid }) => uid);

let state = null;

/** The resources that all checks share, made once: a Type, and customers. */
async function shop({ mocked }) {
  state ??= (async () => {
    const post = async (path, body) => {
      const headers = { "content-type": "application/json" };
      const answer = await fetch(`${mocked.url}/shop/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      const made = await answer.json();
      assert.ok(answer.ok, `${path}: ${JSON.stringify(made)}`);
      return made;
    };
    await post("types", {
      key: TYPE,
      name: { en: "Judged" },
      resourceTypeIds: ["customer-group"],
      fieldDefinitions: [
        { name: "tier", label: { en: "Tier" }, required: false, type: { name: "String" } },
      ],
    });
    const customers = [];
    for (const firstName of ["Dan", "Cod", "Bor", "Ann"]) {
      const draft = { email: `${firstName}@example.com`, password: "x", firstName };
      customers.push((await post("customers", draft)).customer.id);
    }
    return { customers };
  })();
  return state;
}

const asking = ({ ask }) => {
  const data = async (query, tenant = "assigned", { anyOrder = false } = {}) => {
    const { data, errors = [] } = await ask(query, tenant);
    const failed = errors.filter(({ message }) => !(anyOrder && /order asked for, id:/.test(message)));
    assert.equal(failed.length, 0, JSON.stringify(failed));
    return data;
  };
  const change = async (name, input, shown, tenant) =>
    (await data(`mutation { ${name}(input: ${input}) { ${shown} userErrors { code message } } }`, tenant))[name];
  const GROUP = "customerGroup { uid name key revision commercetools { custom { fields { name value } } } }";
  const create = async (input) => {
    const { customerGroup, userErrors } = await change("createCustomerGroup", `{${input}}`, GROUP);
    assert.deepEqual(userErrors, []);
    return customerGroup;
  };
  const update = async (uid, input) => {
    const found = await change("updateCustomerGroup", `{customerGroup: {uid: "${uid}"}, ${input}}`, GROUP);
    assert.deepEqual(found.userErrors, []);
    return found.customerGroup;
  };
  const list = async (given, tenant) =>
    (await data(`{ customerGroups(${given}) { totalCount nodes { uid name } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }`, tenant)).customerGroups;
  const members = async (uid, given, tenant) =>
    (await data(`{ customerGroup(by: {uid: "${uid}"}) { customers(${given}) { totalCount nodes { uid firstname customerGroupUids } } } }`, tenant, { anyOrder: true })).customerGroup.customers;
  const edit = async (uid, lists, tenant) =>
    (await change("updateCustomerGroupMembers", `{customerGroup: {uid: "${uid}"}, ${lists}}`, "results { status error { code } }", tenant));
  return { data, change, create, update, list, members, edit };
};

let named = 0;
const unique = (name) => `${name} ${(named += 1)}`;

/** Adds two customers of whom one stays, and who they are then. */
const added = async (tools, tenant) => {
  const { create, edit, members } = asking(tools);
  const { customers } = await shop(tools);
  const { uid } = await create(`name: "${unique("Members")}"`);
  const edited = await edit(uid, `addCustomerUids: ${JSON.stringify(customers.slice(0, 2))}`, tenant);
  assert.deepEqual(statuses(edited), ["ACCEPTED", "ACCEPTED"]);
  const found = await members(uid, "first: 5", tenant);
  assert.deepEqual(ids(found.nodes).sort(), customers.slice(0, 2).sort());
  assert.ok(found.nodes.every(({ customerGroupUids }) => customerGroupUids.includes(uid)));
  return { uid, stays: customers[0], goes: customers[1] };
};
const statuses = ({ results }) => results.map(({ status, error }) => error?.code ?? status);

const late = async (tools, name, more) => {
  const { create, update, change } = asking(tools);
  const made = await create(`name: "${unique("Old")}"`);
  await update(made.uid, `name: "${unique("New")}"`);
  const input = `{customerGroup: {uid: "${made.uid}"}, expectedRevision: "${made.revision}"${more}}`;
  const { userErrors } = await change(name, input, "__typename");
  assert.deepEqual(userErrors.map(({ code }) => code), ["REVISION_CONFLICT"]);
};

const ordered = (field) => async (tools) => {
  const { create, list } = asking(tools);
  for (const name of ["Cod", "Bor", "Ask"]) await create(`name: "${unique(name)}"`);
  const up = await list(`first: 100, orderBy: {field: ${field}}`);
  const down = await list(`first: 100, orderBy: {field: ${field}, direction: DESC}`);
  assert.deepEqual(ids(up.nodes), ids(down.nodes).reverse());
  const names = up.nodes.map(({ name }) => name);
  if (field === "NAME") assert.deepEqual(names, names.toSorted());
  assert.deepEqual(ids((await list(`last: 2, orderBy: {field: ${field}}`)).nodes), ids(up.nodes).slice(-2));
};

export const checks = {
  "create a group, read it by id": async (tools) => {
    const { create, data } = asking(tools);
    const made = await create('name: "A group"');
    const { customerGroup } = await data(`{ customerGroup(by: {uid: "${made.uid}"}) { name revision createdAt lastModifiedAt } }`);
    assert.equal(customerGroup.name, "A group");
    assert.equal(customerGroup.revision, "v1");
  },
  "create with a key, read by key": async (tools) => {
    const { create, data } = asking(tools);
    const made = await create('name: "Keyed", key: "keyed"');
    assert.equal((await data('{ customerGroup(by: {key: "keyed"}) { uid } }')).customerGroup.uid, made.uid);
  },
  "read a group that is not there": async (tools) => {
    const { data } = asking(tools);
    const missing = "00000000-0000-4000-8000-000000000000";
    assert.deepEqual(await data(`{ a: customerGroup(by: {uid: "${missing}"}) { uid } b: customerGroup(by: {key: "none"}) { uid } }`), { a: null, b: null });
  },
  "create with custom fields": async (tools) => {
    const { create } = asking(tools);
    await shop(tools);
    const made = await create(`name: "Typed", custom: {typeKey: "${TYPE}", fields: [{name: "tier", value: "1"}]}`);
    assert.deepEqual(made.commercetools.custom.fields, [{ name: "tier", value: "1" }]);
  },
  "a name in use": async (tools) => {
    const { create, change } = asking(tools);
    await create('name: "Taken"');
    const { userErrors } = await change("createCustomerGroup", '{name: "Taken"}', "customerGroup { uid }");
    assert.deepEqual(userErrors.map(({ code }) => code), ["DUPLICATE"]);
  },
  "a key in use": async (tools) => {
    const { create, change } = asking(tools);
    await create('name: "One", key: "taken"');
    const { userErrors } = await change("createCustomerGroup", '{name: "Two", key: "taken"}', "customerGroup { uid }");
    assert.deepEqual(userErrors.map(({ code }) => code), ["DUPLICATE"]);
  },
  "rename, by its revision and without": async (tools) => {
    const { create, update } = asking(tools);
    const made = await create(`name: "${unique("Old")}"`);
    const renamed = await update(made.uid, 'name: "Renamed once"');
    assert.equal(renamed.name, "Renamed once");
    assert.equal((await update(made.uid, `name: "Renamed twice", expectedRevision: "${renamed.revision}"`)).name, "Renamed twice");
  },
  "change at a revision that is not the newest": (tools) => late(tools, "updateCustomerGroup", ', name: "Late"'),
  "delete at a revision that is not the newest": (tools) => late(tools, "deleteCustomerGroup", ""),
  "set a key, and remove it": async (tools) => {
    const { create, update } = asking(tools);
    const made = await create(`name: "${unique("Key")}"`);
    assert.equal((await update(made.uid, 'key: "another"')).key, "another");
    assert.equal((await update(made.uid, "key: null")).key, null);
  },
  "set the custom type, set a field, remove both": async (tools) => {
    const { create, update } = asking(tools);
    await shop(tools);
    const { uid } = await create(`name: "${unique("Custom")}"`);
    const fields = async (input) => (await update(uid, input)).commercetools.custom?.fields ?? null;
    assert.deepEqual(await fields(`custom: {typeKey: "${TYPE}", fields: [{name: "tier", value: "1"}]}`), [{ name: "tier", value: "1" }]);
    assert.deepEqual(await fields('customFields: [{name: "tier", value: "2"}]'), [{ name: "tier", value: "2" }]);
    assert.deepEqual(await fields('customFields: [{name: "tier", value: null}]'), []);
    assert.equal(await fields("custom: null"), null);
  },
  "remove a custom field that is not there": async (tools) => {
    const { create, change } = asking(tools);
    await shop(tools);
    const { uid } = await create(`name: "${unique("Custom")}", custom: {typeKey: "${TYPE}"}`);
    const input = `{customerGroup: {uid: "${uid}"}, customFields: [{name: "tier", value: null}]}`;
    const { userErrors } = await change("updateCustomerGroup", input, "__typename");
    assert.deepEqual(userErrors.map(({ code }) => code), ["REJECTED_BY_BACKEND"]);
  },
  "delete, by its revision, by its key": async (tools) => {
    const { create, change, data } = asking(tools);
    for (const by of ["uid", "key"]) {
      const made = await create(`name: "${unique("Gone")}", key: "gone-${by}"`);
      const input = `{customerGroup: {${by}: "${made[by]}"}, expectedRevision: "${made.revision}"}`;
      assert.equal((await change("deleteCustomerGroup", input, "deletedUid")).deletedUid, made.uid);
      assert.equal((await data(`{ customerGroup(by: {uid: "${made.uid}"}) { uid } }`)).customerGroup, null);
    }
  },
  "delete a group that a customer refers to": async (tools) => {
    const { create, change, edit } = asking(tools);
    const { customers } = await shop(tools);
    const { uid } = await create(`name: "${unique("Referred")}"`);
    await edit(uid, `addCustomerUids: ["${customers[3]}"]`, "legacy");
    const { userErrors } = await change("deleteCustomerGroup", `{customerGroup: {uid: "${uid}"}}`, "deletedUid");
    assert.deepEqual(userErrors.map(({ code }) => code), ["IN_USE"]);
  },
  "list groups by offset, count them": async ({ ask }) => {
    const { list } = asking({ ask });
    const one = async (offset) => ids((await list(`first: 1, offset: ${offset}`)).nodes);
    const { totalCount } = await list("first: 0");
    assert.ok(totalCount > 8);
    assert.equal((await one(1)).length, 1);
    assert.notDeepEqual(await one(1), await one(2));
    assert.deepEqual([await one(totalCount), await one(5000)], [[], []]);
  },
  "list groups by id": async ({ ask }) => {
    await asking({ ask }).list("first: 100");
  },
  "page by the last id, forward and backward": async (tools) => {
    const { list } = asking(tools);
    const all = ids((await list("first: 100")).nodes);
    for (const [size, cursor, more, way] of [["first", "after", "hasNextPage", "endCursor"], ["last", "before", "hasPreviousPage", "startCursor"]]) {
      const seen = [];
      for (let at = ""; ; ) {
        const { nodes, pageInfo } = await list(`${size}: 3${at}`);
        if (size === "first") seen.push(...ids(nodes));
        else seen.unshift(...ids(nodes));
        if (!pageInfo[more]) break;
        at = `, ${cursor}: "${pageInfo[way]}"`;
      }
      assert.deepEqual(seen, all);
    }
  },
  "order groups by name": ordered("NAME"),
  "order groups by creation": ordered("CREATED_AT"),
  "order groups by last change": ordered("LAST_MODIFIED_AT"),
  "list members by assignments": async (tools) => {
    const { create, members } = asking(tools);
    const { uid } = await create(`name: "${unique("Empty")}"`);
    assert.equal((await members(uid, "first: 1")).totalCount, 0);
  },
  "add members by assignments": (tools) => added(tools, "assigned"),
  "add and list members by the older customerGroup": (tools) => added(tools, "legacy"),
  "remove members by the older customerGroup": async (tools) => {
    const { edit, members } = asking(tools);
    const { uid, stays, goes } = await added(tools, "legacy");
    const edited = await edit(uid, `addCustomerUids: ["${stays}"], removeCustomerUids: ["${goes}"]`, "legacy");
    assert.deepEqual(statuses(edited), ["UNCHANGED", "ACCEPTED"]);
    assert.deepEqual(ids((await members(uid, "first: 5", "legacy")).nodes), [stays]);
  },
  "order members": async (tools) => {
    const { create, edit, members } = asking(tools);
    const { customers } = await shop(tools);
    const { uid } = await create(`name: "${unique("Sorted")}"`);
    await edit(uid, `addCustomerUids: ${JSON.stringify(customers.slice(0, 3))}`, "legacy");
    for (const field of ["LASTNAME", "COMPANY_NAME", "FIRSTNAME"])
      for (const way of ["DESC", "ASC"])
        assert.equal((await members(uid, `first: 5, orderBy: {field: ${field}, direction: ${way}}`, "legacy")).totalCount, 3);
  },
  "a customer who is not there": async (tools) => {
    const { create, edit } = asking(tools);
    const { uid } = await create(`name: "${unique("Nobody")}"`);
    const { results } = await edit(uid, 'addCustomerUids: ["00000000-0000-4000-8000-000000000000"]', "legacy");
    assert.deepEqual(results, [{ status: "FAILED", error: { code: "NOT_FOUND" } }]);
  },
  "quotes and backslashes in a predicate": async (tools) => {
    const { create, members } = asking(tools);
    const { uid } = await create(`name: "${unique('Quoted')} \\\\ \\""`);
    assert.equal((await members(uid, "first: 1", "legacy")).totalCount, 0);
  },
};
