"""GraphiQL, for development: the project's own build or, where none was made, a CDN's.

`make graphiql` builds into ASSETS, which is package data and not committed. On either page nothing
is inline, and no origin is allowed but this one and, without a build, the CDN's files listed below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ASSETS: Final = Path(__file__).parent / "assets"
CDN: Final = Path(__file__).parent / "cdn"
"""What the CDN's build needs of ours; the icon and the first example are in both pages."""

CDN_STYLE: Final = (
    "https://unpkg.com/graphiql@3.8.3/graphiql.min.css",
    "sha384-Mq3vbRBY71jfjQAt/DcjxUIYY33ksal4cgdRt9U/hNPvHBCaT2JfJ/PTRiPKf0aM",
)
CDN_SCRIPTS: Final = (
    (
        "https://unpkg.com/react@18.2.0/umd/react.production.min.js",
        "sha384-tMH8h3BGESGckSAVGZ82T9n90ztNXxvdwvdM6UoR56cYcf+0iGXBliJ29D+wZ/x8",
    ),
    (
        "https://unpkg.com/react-dom@18.2.0/umd/react-dom.production.min.js",
        "sha384-bm7MnzvK++ykSwVJ2tynSE5TRdN+xL418osEVF2DE/L/gfWHj91J2Sphe582B1Bh",
    ),
    (
        "https://unpkg.com/graphiql@3.8.3/graphiql.min.js",
        "sha384-HbRVEFG0JGJZeAHCJ9Xm2+tpknBQ7QZmNlO/DgZtkZ0aJSypT96YYGRNod99l9Ie",
    ),
)

# Relative, because a proxy may have put the gateway under a path of its own.
_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Customer groups</title>
<link rel="icon" type="image/svg+xml" href="graphiql/{icon}">
{styles}
</head>
<body>
{notice}<div id="graphiql" data-headers="{headers}" data-example="{example}">{waiting}</div>
{scripts}
</body>
</html>
"""
_NOTICE: Final = """\
<p id="notice">This GraphiQL comes from a CDN, unpkg.com, because the gateway has no build of its
own. <code>make graphiql</code> makes one; it needs Node.</p>
"""
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
"""Browsers insist on the first two, and not every machine's list of types has them."""


class Manifest(msgspec.Struct, frozen=True):
    """The files of a build that a page names itself."""

    script: str
    style: str
    icon: str


class GraphiQL:
    """The page, and the files that it loads from here."""

    def __init__(self, *, tokens: Mapping[str, str], assets: Path = ASSETS) -> None:
        """`tokens`, by the headers that carry them, are shown to anyone who opens the page: for a
        demo whose tokens are no secret.

        A build that is made after this is not seen.
        """
        try:
            built = msgspec.json.decode((assets / "manifest.json").read_bytes(), type=Manifest)
        except FileNotFoundError:
            built = None
        if built:
            self._page = _own(built, tokens)
            self._policy = _policy()
            # Each name has the hash of what it names.
            files = _Files(assets, caching="public, max-age=31536000, immutable")
        else:
            self._page = _from_cdn(tokens)
            self._policy = _policy(
                scripts=[script for script, _ in CDN_SCRIPTS],
                styles=[CDN_STYLE[0]],
                fonts=["data:"],  # its style has them within
            )
            files = _Files(CDN, caching="no-cache")
        self.routes: Sequence[BaseRoute] = [Mount("/graphiql", files)]

    def page(self, _request: Request) -> Response:
        headers = {
            # The page may show a token.
            "Cache-Control": "no-store",
            "Content-Security-Policy": self._policy,
            "Referrer-Policy": "no-referrer",
            "Vary": "Accept",
            "X-Content-Type-Options": "nosniff",
        }
        return HTMLResponse(self._page, headers=headers)


class _Files(StaticFiles):
    def __init__(self, directory: Path, *, caching: str) -> None:
        super().__init__(directory=directory)
        self._caching = caching

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        if known := _TYPES.get(Path(full_path).suffix):
            response.headers["Content-Type"] = known
        response.headers["Cache-Control"] = self._caching
        response.headers["X-Content-Type-Options"] = "nosniff"
        # A worker's policy is its own, not the page's. None of them has anything to load.
        response.headers["Content-Security-Policy"] = "default-src 'none'"
        return response


def _own(built: Manifest, tokens: Mapping[str, str]) -> str:
    return _PAGE.format(
        icon=escape(built.icon),
        styles=f'<link rel="stylesheet" href="graphiql/{escape(built.style)}">',
        notice="",
        headers=_shown(tokens),
        example="",  # the build has the examples
        waiting="",
        scripts=f'<script type="module" src="graphiql/{escape(built.script)}"></script>',
    )


def _from_cdn(tokens: Mapping[str, str]) -> str:
    style, hash_of_style = CDN_STYLE
    return _PAGE.format(
        icon="icon.svg",
        styles=f'<link rel="stylesheet" href="{style}" integrity="{hash_of_style}" crossorigin>\n'
        '<link rel="stylesheet" href="graphiql/page.css">',
        notice=_NOTICE,
        headers=_shown(tokens),
        example=escape((CDN / "welcome.graphql").read_text(encoding="utf-8").rstrip()),
        waiting="It needs a way to the internet.",
        scripts="\n".join(
            [
                *(
                    f'<script src="{script}" integrity="{hash_of_script}" crossorigin></script>'
                    for script, hash_of_script in CDN_SCRIPTS
                ),
                '<script src="graphiql/start.js"></script>',
            ]
        ),
    )


def _shown(tokens: Mapping[str, str]) -> str:
    """The headers to begin with, as the editor shows them."""
    headers = {name: f"Bearer {token}" for name, token in tokens.items()}
    return escape(msgspec.json.format(msgspec.json.encode(headers)).decode())


def _policy(
    *, scripts: Sequence[str] = (), styles: Sequence[str] = (), fonts: Sequence[str] = ()
) -> str:
    """What the page may load: these, and what is served here."""
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *scripts]),
            # The editor writes the colours of its theme and the places of its lines into style
            # elements. Styles can't send anything away here: nothing else may be loaded.
            " ".join(["style-src 'self' 'unsafe-inline'", *styles]),
            "connect-src 'self'",
            " ".join(["font-src 'self'", *fonts]),
            "img-src 'self' data:",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
