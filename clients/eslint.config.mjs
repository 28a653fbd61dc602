// graphql-eslint over the schema, and over the operations of clients/ and of examples/.
import { readFileSync } from "node:fs";
import graphql from "@graphql-eslint/eslint-plugin";
import { parse } from "graphql";

const schema = "build/schema.graphql";
const documents = ["operations.graphql", "build/examples/*.graphql"];
const types = parse(readFileSync(schema, "utf8")).definitions;
const saidToHaveNone = types.filter(({ description }) => description?.value.includes("no `id`"));

const linted = (files, recommended, rules) => ({
  files,
  languageOptions: {
    parser: graphql.parser,
    parserOptions: { graphQLConfig: { schema, documents } },
  },
  plugins: { "@graphql-eslint": graphql },
  rules: { ...graphql.configs[`flat/${recommended}`].rules, ...rules },
});

export default [
  linted([schema], "schema-recommended", {
    // Not of directives: `@oneOf` is GraphQL's own.
    "@graphql-eslint/require-description": ["error", { types: true, rootField: true }],
    "@graphql-eslint/no-typename-prefix": "off", // Customer.customerGroups are groups
    "@graphql-eslint/strict-id-in-types": [
      "error",
      {
        exceptions: {
          types: [...saidToHaveNone.map(({ name }) => name.value), "PageInfo"],
          suffixes: ["Connection", "Edge", "Payload"],
        },
      },
    ],
  }),
  linted([schema], "schema-relay", {
    // Connections have `nodes` beside `edges`; no REST call reads one customer.
    "@graphql-eslint/relay-edge-types": [
      "error",
      { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
    ],
  }),
  linted(documents, "operations-recommended"),
];
