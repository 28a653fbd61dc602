// Flow Retail for the peers in JavaScript, by undici's `request`, which costs half of what fetch does.
// The keep-alive pool is handed in, because each peer has node_modules of its own.
import { env } from "node:process";

export const TENANT = env.TENANT;
export const CONNECTIONS = 64; // as ours has
const CHUNK = 500; // customers in one membership edit, as ours sends

const upstream = new URL(env.UPSTREAM);
export const ORIGIN = upstream.origin;
const GROUPS = `${upstream.pathname}/tenants/${TENANT}/customer-groups`;

export class FlowRetail {
  constructor(pool, authorization) {
    this.pool = pool;
    this.headers = { authorization, accept: "application/json" };
  }

  groups(first) {
    return this.get(`${GROUPS}?pageNumber=1&pageSize=${first}`);
  }

  group(uid) {
    return this.get(`${GROUPS}/${encodeURIComponent(uid)}`);
  }

  members(uid, first) {
    return this.get(`${GROUPS}/${encodeURIComponent(uid)}/customers?pageNumber=1&pageSize=${first}`);
  }

  async addMembers(uid, customerUids) {
    const headers = { ...this.headers, "content-type": "application/json" };
    const path = `${GROUPS}/${encodeURIComponent(uid)}/customers`;
    const results = [];
    for (let at = 0; at < customerUids.length; at += CHUNK) {
      const addCustomerUids = customerUids.slice(at, at + CHUNK);
      const body = JSON.stringify({ addCustomerUids });
      const answer = await this.pool.request({ path, method: "PUT", headers, body });
      await answer.body.dump();
      const status = answer.statusCode < 300 ? "ACCEPTED" : "FAILED";
      for (const customerUid of addCustomerUids) results.push({ customerUid, action: "ADD", status });
    }
    return { results, userErrors: [] };
  }

  async get(path) {
    const { statusCode, body } = await this.pool.request({ path, method: "GET", headers: this.headers });
    if (statusCode === 200) return body.json();
    await body.dump();
    if (statusCode === 404) return null;
    throw new Error(`The backend answered ${statusCode}.`);
  }
}
