import type { CodegenConfig } from "@graphql-codegen/cli";
import { addTypenameSelectionDocumentTransform } from "@graphql-codegen/client-preset";

const config: CodegenConfig = {
  schema: "build/schema.graphql",
  documents: "operations.graphql",
  generates: {
    "build/gql/": {
      preset: "client",
      presetConfig: { persistedDocuments: true }, // build/gql/persisted-documents.json
      documentTransforms: [addTypenameSelectionDocumentTransform], // urql adds it too
      config: {
        scalars: { DateTime: "string", JSON: "unknown", Long: "number" },
        strictScalars: true, // a further scalar is a mistake, not `any`
        useTypeImports: true,
      },
    },
  },
  importExtension: ".js",
};
export default config;
