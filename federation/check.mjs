// Runs Apollo's gateway and Hive's over the gateway, as `gateway serve` is in production, and its
// neighbours. The REST API is the simulator; what it and the gateway are asked is recorded between.
// The argument is the Python that has the gateway's requirements.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { recorder } from "../scripts/recorder.mjs";
import { started } from "../scripts/started.mjs";
import * as apollo from "./apollo.mjs";
import * as hive from "./hive.mjs";
import { crm as crmSdl } from "../composition/crm.mjs";
import { crm, globalId, invoices, neighbour, orders, prices } from "./neighbours.mjs";

const python = process.argv[2] ?? ".venv/bin/python";
const here = fileURLToPath(new URL("./", import.meta.url));
const [TENANT, TOKEN, OTHER_TOKEN] = ["demo", "demo-token", "demo-read-only"];
const POLLING = 1_000;
const closing = [];

const ask = async (url, query, { variables, token = TOKEN, ...headers } = {}) => {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return answer.json();
};
const data = async (...asked) => {
  const { data, errors } = await ask(...asked);
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
};

async function until(holds, what) {
  for (const end = Date.now() + 30_000; !(await holds()); ) {
    assert.ok(Date.now() < end, `Not within 30 s: ${what}`);
    await sleep(50);
  }
}

const directory = mkdtempSync(join(tmpdir(), "federation-"));
closing.push(() => rmSync(directory, { recursive: true }));
const simulate = ["simulate", "--port", "0", "--data", join(directory, "data.sqlite")];
const simulator = await started(python, simulate, {}, /http:\S+(?=\/v2)/);
closing.push(simulator.stop);
const rest = await recorder(simulator.found);
closing.push(rest.stop);
const served = {
  GATEWAY_CONFIG: join(here, "gateway.toml"),
  GATEWAY_FLOW_RETAIL_URL: `${rest.url}/v2`,
  GATEWAY_PORT: "0",
};
const gateway = await started(python, ["serve"], served, /http:\S+(?=\s)/);
closing.push(gateway.stop);
const subgraph = await recorder(gateway.found);
closing.push(subgraph.stop);

// 200 orders over 60 groups; ten, of which one's group is gone; ten; one for each group.
const groups = [];
for (let after = null; groups.length < 240; ) {
  const { customerGroups } = await data(
    `${gateway.found}/graphql`,
    `query ($after: String) {
      customerGroups(first: 100, after: $after) {
        nodes { id uid tenantUid name }
        pageInfo { endCursor }
      }
    }`,
    { variables: { after } },
  );
  groups.push(...customerGroups.nodes);
  after = customerGroups.pageInfo.endCursor;
}
const spread = groups.filter((_, at) => at % 4 === 0);
const gone = globalId("CustomerGroup", { tenantUid: TENANT, uid: "gone" });
const placed = [
  ...Array.from({ length: 220 }, (_, at) => (at === 205 ? gone : spread[at % 60].id)),
  ...groups.map(({ id }) => id),
].map((group, at) => ({ id: `order-${at}`, group }));
const schema = await data(`${gateway.found}/graphql`, "{ _service { sdl } }");
const neighbours = [
  await neighbour("prices", prices(spread.slice(0, 10))),
  await neighbour("orders", orders(placed)),
  await neighbour("crm", crm(spread[2]), crmSdl(schema._service.sdl)),
  await neighbour("invoices", invoices(TENANT)),
];
closing.push(...neighbours.map(({ stop }) => stop));
const subgraphs = [
  { name: "customer-groups", url: `${subgraph.url}/graphql` },
  ...neighbours.map(({ name, url }) => ({ name, url })),
];

/** How many times a router has asked the gateway for entities. */
const fetches = () => subgraph.calls.filter(({ body }) => body.includes("_entities")).length;

const GROUP = "query ($uid: ID!) { customerGroup(by: { uid: $uid }) { name priceTag orderStamp } }";
const ORDERS = `query ($first: Int!, $after: String) {
  orders(first: $first, after: $after) {
    edges { node { id customerGroup { id name } } }
    pageInfo { hasNextPage endCursor }
  }
}`;

const checks = {
  "production tells its SDL and health, without a token": async (url, { health }) => {
    const headers = { "apollo-require-preflight": "1" };
    const answer = await fetch(new URL(health, url), { headers });
    assert.equal(answer.status, 200);
    const polled = () => subgraph.calls.filter(({ body }) => body.includes("sdl"));
    // Hive's gateway looks for changes only when it is asked something.
    await until(async () => (await data(url, "{ __typename }")) && polled()[1]?.answer, "a poll");
    for (const { headers, answer } of subgraph.calls) {
      assert.equal(headers.authorization, undefined);
      assert.equal(answer && JSON.parse(answer).errors, undefined);
    }
  },
  "fields of both neighbours on groups of a list, by either key": async (url) => {
    const { customerGroups } = await data(
      url,
      `{
        customerGroups(first: 3) {
          nodes { uid name priceTag orderStamp }
          pageInfo { hasNextPage }
        }
      }`,
    );
    for (const { uid, name, priceTag, orderStamp } of customerGroups.nodes) {
      assert.equal(priceTag, `${TENANT}/${uid}: ${name}`);
      assert.equal(orderStamp, `ordered as ${name}`);
    }
    assert.equal(customerGroups.pageInfo.hasNextPage, true);
    assert.equal(rest.calls.length, 1);
  },
  "groups of a neighbour, by tenant and uid, and back to it": async (url) => {
    const { priceLists } = await data(url, "{ priceLists { customerGroups { name priceTag } } }");
    assert.deepEqual(
      priceLists[0].customerGroups,
      spread.slice(0, 10).map(({ tenantUid, uid, name }) => ({
        name,
        priceTag: `${tenantUid}/${uid}: ${name}`,
      })),
    );
  },
  "customers of a group, their orders, and the groups of those": async (url) => {
    const { customerGroup } = await data(
      url,
      `query ($uid: ID!) {
        customerGroup(by: { uid: $uid }) {
          customers(first: 5) { nodes { displayName orders { customerGroup { name } } } }
        }
      }`,
      { variables: { uid: "gull" } },
    );
    for (const { displayName, orders } of customerGroup.customers.nodes) {
      assert.doesNotMatch(displayName, /CRM/); // it came with the row
      assert.deepEqual(
        orders.map(({ customerGroup }) => customerGroup.name),
        spread.slice(0, 2).map(({ name }) => name),
      );
    }
  },
  "a customer of another subgraph, its orders, and its groups": async (url) => {
    const { invoice } = await data(
      url,
      `{ invoice(number: "c1") {
        customer { displayName orders { id } customerGroups { name priceTag } }
      } }`,
    );
    const { tenantUid, uid, name } = spread[2];
    assert.deepEqual(invoice.customer, {
      displayName: "c1 of the CRM",
      orders: placed.slice(0, 2).map(({ id }) => ({ id })),
      customerGroups: [{ name, priceTag: `${tenantUid}/${uid}: ${name}` }],
    });
  },
  "200 orders over 60 of 240 groups in at most 3 REST calls": async (url) => {
    const { orders } = await data(url, ORDERS, { variables: { first: 200 } });
    const names = Object.fromEntries(groups.map(({ id, name }) => [id, name]));
    assert.equal(orders.edges.length, 200);
    for (const { node } of orders.edges) {
      assert.equal(node.customerGroup.name, names[node.customerGroup.id]);
    }
    assert.ok(rest.calls.length <= 3, rest.calls.map(({ url }) => url).join(" "));
    assert.equal(fetches(), 1);
  },
  "the neighbour's own `node` finds its orders, and groups": async (url) => {
    const { order, group } = await data(
      url,
      `query ($id: ID!) {
        order: node(id: "order-1") { __typename }
        group: node(id: $id) { ... on CustomerGroup { name } }
      }`,
      { variables: { id: spread[1].id } },
    );
    assert.equal(order.__typename, "Order");
    assert.equal(group.name, spread[1].name);
  },
  "a change, with a neighbour's field in its payload": async (url) => {
    const { createCustomerGroup } = await data(
      url,
      `mutation {
        createCustomerGroup(input: { name: "New ones" }) { customerGroup { uid priceTag } }
      }`,
    );
    const { uid, priceTag } = createCustomerGroup.customerGroup;
    assert.equal(priceTag, `${TENANT}/${uid}: New ones`);
    const { deleteCustomerGroup } = await data(
      url,
      `mutation ($uid: ID!) {
        deleteCustomerGroup(input: { customerGroup: { uid: $uid } }) { userErrors { code } }
      }`,
      { variables: { uid } },
    );
    assert.deepEqual(deleteCustomerGroup.userErrors, []);
    assert.deepEqual(
      rest.calls.map(({ method }) => method),
      ["POST", "DELETE"],
    );
  },
  "one group of ten that is gone is null, and costs no other": async (url) => {
    const variables = { first: 10, after: "order-199" };
    const { data, errors = [] } = await ask(url, ORDERS, { variables });
    const there = data.orders.edges.map(({ node }) => node.customerGroup?.name !== undefined);
    assert.deepEqual(there, placed.slice(200, 210).map(({ group }) => group !== gone));
    // The gateway answers it without an error; Hive's adds one in its place.
    for (const { answer } of subgraph.calls) assert.equal(JSON.parse(answer).errors, undefined);
    for (const { path } of errors) assert.equal(path[2], 5);
  },
  "one group of ten that can't be read costs its place, and says so": async (url) => {
    const broken = groups.find(({ id }) => id === placed[215].group);
    rest.change = (call, answer) =>
      answer.replaceAll(`"name":${JSON.stringify(broken.name)}`, '"name":{}');
    const variables = { first: 10, after: "order-209" };
    const { data, errors } = await ask(url, ORDERS, { variables });
    const there = data.orders.edges.map(({ node }) => node.customerGroup?.name !== undefined);
    assert.deepEqual(there, placed.slice(210, 220).map(({ group }) => group !== broken.id));
    assert.deepEqual(
      errors.map(({ extensions }) => extensions.code),
      ["UPSTREAM_INVALID_ANSWER"],
    );
  },
  "twenty callers at once: nothing of another's token": async (url) => {
    // What the REST API answers tells whose bearer it got.
    rest.change = ({ headers }, answer) =>
      answer.replaceAll('"name":"', `"name":"for ${headers.authorization}: `);
    const callers = Array.from({ length: 20 }, (_, at) => (at % 2 ? TOKEN : OTHER_TOKEN));
    const variables = { first: 200 };
    await Promise.all(
      callers.map(async (token) => {
        const { orders } = await data(url, ORDERS, { variables, token });
        for (const { node } of orders.edges) {
          assert.ok(node.customerGroup.name.startsWith(`for Bearer ${token}: `));
        }
      }),
    );
  },
  "a caller without a right is told so beside others who have it": async (url) => {
    const callers = [TOKEN, "nobody's", TOKEN, "nobody's"];
    const variables = { uid: "gull" };
    const asked = callers.map((token) => ask(url, GROUP, { variables, token }));
    const answers = await Promise.all(asked);
    assert.deepEqual(
      answers.map(({ errors }) => errors?.[0].extensions.code),
      [undefined, "UNAUTHENTICATED", undefined, "UNAUTHENTICATED"],
    );
  },
  "100 groups in each of 30 places: at most 3 REST calls for each fetch": async (url) => {
    const place = (_, at) =>
      `p${at}: orders(first: 100, after: "order-${219 + 4 * at}") { ...Rows }`;
    const places = Array.from({ length: 30 }, place).join(" ");
    const shown = "fragment Rows on OrderConnection { edges { node { customerGroup { name } } } }";
    const found = await data(url, `{ ${places} } ${shown}`);
    for (const { edges } of Object.values(found)) {
      assert.equal(edges.length, 100);
      for (const { node } of edges) assert.ok(node.customerGroup.name);
    }
    // Apollo's gateway makes a fetch for each place, Hive's one for all.
    assert.ok(rest.calls.length <= 3 * fetches(), rest.calls.map(({ url }) => url).join(" "));
  },
  "members of 240 groups: as many as REST calls allow, and errors for the rest": async (url) => {
    const { data, errors } = await ask(
      url,
      `{ orders(first: 240, after: "order-219") {
        edges { node { customerGroup { name customers(first: 1) { totalCount } } } }
      } }`,
    );
    const counted = data.orders.edges.filter(({ node }) => node.customerGroup.customers);
    assert.ok(counted.length >= 90, `${counted.length} are counted`);
    assert.ok(rest.calls.length <= 100);
    for (const { extensions } of errors) assert.equal(extensions.code, "LIMIT_EXCEEDED");
  },
  "one key of a group from the other, without a REST call": async (url) => {
    const { orders } = await data(
      url,
      "{ orders(first: 60) { edges { node { customerGroup { discount } } } } }",
    );
    assert.deepEqual(
      orders.edges.map(({ node }) => node.customerGroup.discount),
      spread.map(({ uid }) => uid.length),
    );
    assert.equal(rest.calls.length, 0);
  },
  "a list that is late costs its field, and not the fetch": async (url) => {
    rest.change = async (call, answer) => {
      if (call.url.includes("/customers?")) await sleep(5_000, undefined, { ref: false });
      return answer;
    };
    const { data, errors } = await ask(
      url,
      "{ customerGroups(first: 1) { nodes { name customers(first: 1) { totalCount } } } }",
      { "x-request-timeout": "2" },
    );
    const [{ name, customers }] = data.customerGroups.nodes;
    assert.deepEqual([name, customers], [groups[0].name, { totalCount: null }]);
    assert.deepEqual(
      errors.map(({ extensions }) => extensions.code),
      ["DEADLINE_EXCEEDED"],
    );
  },
  "X-Tenant and traceparent arrive at the gateway": async (url) => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const { customerGroups } = await data(
      url,
      "{ customerGroups(first: 1) { nodes { tenantUid } } }",
      { "x-tenant": "pop-up", traceparent },
    );
    assert.equal(customerGroups.nodes[0].tenantUid, "pop-up");
    assert.ok(subgraph.calls.some(({ headers }) => headers.traceparent === traceparent));
  },
};

let failed = 0;
const table = Object.keys(checks).map((check) => [check]);
try {
  for (const program of [apollo, hive]) {
    rest.calls.length = subgraph.calls.length = 0;
    const router = await program.start(subgraphs, POLLING);
    for (const [row, check] of Object.values(checks).entries()) {
      try {
        await check(router.url, program);
        table[row].push("ok");
      } catch (problem) {
        failed += 1;
        table[row].push("FAILS");
        console.error(`${program.title}: ${table[row][0]}:\n  ${problem.stack}`);
      }
      rest.calls.length = subgraph.calls.length = 0;
      rest.change = (_call, answer) => answer;
    }
    await router.stop();
  }
} finally {
  for (const close of closing.reverse()) await close();
}
const width = Math.max(...table.map(([check]) => check.length));
for (const [check, ...found] of [["", apollo.title, hive.title], ...table]) {
  console.log(check.padEnd(width), ...found.map((each) => each.padEnd(8)));
}
process.exitCode = failed ? 1 : 0;
