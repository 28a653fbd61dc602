// Composes the OpenAPI document into a supergraph, as Mesh Compose's documentation has it. The
// relations, which a REST document can't state, are added by @resolveTo.
import { env } from "node:process";
import { defineConfig } from "@graphql-mesh/compose-cli";
import { loadOpenAPISubgraph } from "@omnigraph/openapi";
import { write } from "./openapi.mjs";

write(env.OPENAPI);

export const composeConfig = defineConfig({
  subgraphs: [
    {
      sourceHandler: loadOpenAPISubgraph("FlowRetail", {
        source: env.OPENAPI,
        endpoint: env.UPSTREAM,
        operationHeaders: { Authorization: "{context.headers.authorization}" },
      }),
    },
  ],
  additionalTypeDefs: `
    extend type CustomerGroup {
      customers(pageSize: Int): Customers
        @resolveTo(
          sourceName: "FlowRetail"
          sourceTypeName: "Query"
          sourceFieldName: "get_customers"
          requiredSelectionSet: "{ customerGroupUid }"
          sourceArgs: {
            tenantUid: "${env.TENANT}"
            customerGroupUid: "{root.customerGroupUid}"
            pageNumber: 1
            pageSize: "{args.pageSize}"
          }
        )
    }
  `,
});
