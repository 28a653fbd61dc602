// The part of Flow Retail's OpenAPI document that the workloads ask for, written anew. Without the
// patterns and formats of the vendor's, which would become scalars that check every value.
import { writeFileSync } from "node:fs";

const string = { type: "string" };
const integer = { type: "integer" };
const reference = (name) => ({ $ref: `#/components/schemas/${name}` });
const listOf = (name) => ({ type: "array", items: reference(name) });
const object = (properties) => ({ type: "object", required: Object.keys(properties), properties });
const strings = (...names) => Object.fromEntries(names.map((name) => [name, string]));

const parameter = (where) => (name) => ({
  name,
  in: where,
  required: where === "path",
  schema: where === "path" ? string : integer,
});
const paging = ["pageNumber", "pageSize"].map(parameter("query"));
const get = (operationId, schema, path, query) => ({
  get: {
    operationId,
    parameters: [...path.map(parameter("path")), ...query],
    responses: {
      200: { description: "", content: { "application/json": { schema: reference(schema) } } },
    },
  },
});

const GROUPS = "/tenants/{tenantUid}/customer-groups";
const GROUP = `${GROUPS}/{customerGroupUid}`;

const document = {
  openapi: "3.0.2",
  info: { title: "Flow Retail", version: "2" },
  paths: {
    [GROUPS]: get("get-customer-groups", "CustomerGroups", ["tenantUid"], paging),
    [GROUP]: get("get-customer-group", "CustomerGroup", ["tenantUid", "customerGroupUid"], []),
    [`${GROUP}/customers`]: get(
      "get-customers",
      "Customers",
      ["tenantUid", "customerGroupUid"],
      paging,
    ),
  },
  components: {
    schemas: {
      CustomerGroups: object({ items: listOf("CustomerGroup") }),
      CustomerGroup: object(
        strings("customerGroupUid", "name", "createdAt", "createdBy", "lastModifiedAt", "lastModifiedBy"),
      ),
      Customers: object({ items: listOf("Customer") }),
      Customer: object({
        ...strings("customerUid", "displayName", "firstname", "lastname", "companyName", "email"),
        ...strings("mobile", "address", "postalCode", "city", "countryCode", "createdAt"),
        addresses: listOf("CustomerAddress"),
        customerGroupUids: { type: "array", items: string },
      }),
      CustomerAddress: object(
        strings("customerAddressUid", "type", "displayName", "address", "postalCode", "city", "countryCode"),
      ),
    },
  },
};

export const write = (file) => writeFileSync(file, JSON.stringify(document));
