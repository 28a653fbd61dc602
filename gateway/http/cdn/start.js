// Starts the CDN's build of GraphiQL, if it has come.
"use strict";

if (window.GraphiQL) {
  const place = document.getElementById("graphiql");
  const { token, example } = place.dataset;
  ReactDOM.createRoot(place).render(
    React.createElement(GraphiQL, {
      fetcher: GraphiQL.createFetcher({ url: location.pathname }),
      defaultQuery: example,
      defaultHeaders: JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2),
      defaultEditorToolsVisibility: "headers",
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      // A token must not outlive the page, and the history would store it with what was run.
      storage: null,
    }),
  );
}
