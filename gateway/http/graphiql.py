"""The GraphiQL page, from a pinned CDN build; every asset is held to its hash."""

from __future__ import annotations

import json
from typing import Final

EXAMPLE: Final = """\
# Customer groups, each with its first members. Every field is explained in the documentation
# on the left; Ctrl-Space completes. Most fields need a bearer token: see Headers below.
query FirstGroups {
  customerGroups(first: 5) {
    totalCount
    nodes {
      name
      customers(first: 3) {
        totalCount
        nodes { displayName email customerGroups { name } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Customer groups - GraphiQL</title>
<style>html, body, #graphiql { height: 100%; margin: 0; }</style>
<link rel="stylesheet" crossorigin href="https://unpkg.com/graphiql@3.8.3/graphiql.min.css"
  integrity="sha384-Mq3vbRBY71jfjQAt/DcjxUIYY33ksal4cgdRt9U/hNPvHBCaT2JfJ/PTRiPKf0aM">
</head>
<body>
<div id="graphiql">GraphiQL is loaded from a CDN, so it needs a way to the internet.</div>
<script crossorigin src="https://unpkg.com/react@18.2.0/umd/react.production.min.js"
  integrity="sha384-tMH8h3BGESGckSAVGZ82T9n90ztNXxvdwvdM6UoR56cYcf+0iGXBliJ29D+wZ/x8"></script>
<script crossorigin src="https://unpkg.com/react-dom@18.2.0/umd/react-dom.production.min.js"
  integrity="sha384-bm7MnzvK++ykSwVJ2tynSE5TRdN+xL418osEVF2DE/L/gfWHj91J2Sphe582B1Bh"></script>
<script crossorigin src="https://unpkg.com/graphiql@3.8.3/graphiql.min.js"
  integrity="sha384-HbRVEFG0JGJZeAHCJ9Xm2+tpknBQ7QZmNlO/DgZtkZ0aJSypT96YYGRNod99l9Ie"></script>
<script>
ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: location.pathname }),
    defaultQuery: EXAMPLE,
    defaultHeaders: HEADERS,
    defaultEditorToolsVisibility: "headers",
    isHeadersEditorEnabled: true,
    // A token must not outlive the page.
    shouldPersistHeaders: false,
  })
);
</script>
</body>
</html>
"""


def page(*, token: str | None = None) -> str:
    """The page; `token` is put into its headers editor, for a demo whose token is no secret."""
    headers = {"Authorization": f"Bearer {token or 'YOUR_TOKEN'}"}
    return _PAGE.replace("EXAMPLE", _script(EXAMPLE)).replace(
        "HEADERS", _script(json.dumps(headers, indent=2))
    )


def _script(text: str) -> str:
    """`text` as a string literal that can't end the script element."""
    return json.dumps(text).replace("<", "\\u003c")
