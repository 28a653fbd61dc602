const {
  fromGraphQLCodegenPersistedDocuments,
} = require("@apollo/generate-persisted-query-manifest");

module.exports = {
  // It takes no files with several operations; Codegen does, and lists them.
  documents: fromGraphQLCodegenPersistedDocuments("build/gql/persisted-documents.json"),
  output: "build/apollo.json",
};
