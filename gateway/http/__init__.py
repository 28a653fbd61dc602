"""The front door: GraphQL over HTTP, the GraphiQL page, and health."""
