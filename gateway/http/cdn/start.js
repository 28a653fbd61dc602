// Starts the CDN's build of GraphiQL, if it has come.
"use strict";

if (window.GraphiQL) {
  const place = document.getElementById("graphiql");
  const { headers, example } = place.dataset;
  ReactDOM.createRoot(place).render(
    React.createElement(GraphiQL, {
      fetcher: GraphiQL.createFetcher({ url: location.pathname }),
      defaultQuery: example,
      defaultHeaders: headers,
      defaultEditorToolsVisibility: "headers",
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      // A token must not outlive the page, and the history would store it with what was run.
      storage: null,
    }),
  );
}
