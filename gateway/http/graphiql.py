"""GraphiQL, for development: the project's own build or, where none was made, a CDN's.

`make graphiql` builds into ASSETS, which is package data and not committed. On either page nothing
is inline, and no origin is allowed but this one and, without a build, the files that the page in
CDN names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from gateway.http.requests import qualities

ASSETS: Final = Path(__file__).parent / "assets"
CDN: Final = Path(__file__).parent / "cdn"
"""The page around the CDN's build; its icon and its example are in our own build as well."""
PAGE: Final = "page.html"
"""Its addresses are relative, because a proxy may have put the gateway under a path of its own."""
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
}
"""Browsers insist on the first two, and not every machine's list of types has them."""
CODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""What the names of a build's compressed files end in, the smaller ones first."""


class GraphiQL:
    """The page, and the files that it loads from here."""

    def __init__(self, *, tokens: Mapping[str, str], assets: Path = ASSETS) -> None:
        """`tokens`, by the headers that carry them, are shown to anyone who opens the page: for a
        demo whose tokens are no secret.

        A build that is made after this is not seen.
        """
        if (assets / PAGE).is_file():
            # Each name has the hash of what it names.
            files = _Files(assets, CODINGS, caching="public, max-age=31536000, immutable")
            page = (assets / PAGE).read_text(encoding="utf-8")
        else:
            files = _Files(CDN, {}, caching="no-cache")
            example = (CDN / "welcome.graphql").read_text(encoding="utf-8").rstrip()
            page = (CDN / PAGE).read_text(encoding="utf-8").replace("{example}", escape(example))
        self._policy = _policy(page)
        headers = {name: f"Bearer {token}" for name, token in tokens.items()}
        shown = msgspec.json.format(msgspec.json.encode(headers)).decode()
        self._page = page.replace("{headers}", escape(shown))
        self.routes: list[BaseRoute] = [Mount("/graphiql", files)]

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
    """The files of a directory, where each is there in all `codings` too."""

    def __init__(self, directory: Path, codings: Mapping[str, str], *, caching: str) -> None:
        super().__init__(directory=directory)
        self._codings = codings
        self._caching = caching

    async def get_response(self, path: str, scope: Scope) -> Response:
        taken = qualities(Headers(scope=scope).get("accept-encoding", ""))
        by_quality = {name: taken.get(name, taken.get("*", 0.0)) for name in self._codings}
        coding = max(by_quality, key=lambda name: by_quality[name], default="")
        suffix = self._codings[coding] if by_quality.get(coding) else ""
        response = await super().get_response(path + suffix, scope)
        if suffix:
            response.headers["Content-Encoding"] = coding
        if known := TYPES.get(Path(path).suffix):
            response.headers["Content-Type"] = known
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = self._caching
        response.headers["X-Content-Type-Options"] = "nosniff"
        # A worker's policy is its own, not the page's. It shares modules with the page.
        response.headers["Content-Security-Policy"] = "default-src 'none'; script-src 'self'"
        return response


def _policy(page: str) -> str:
    """What the page may load: the files of a CDN that it names, and what is served here."""
    scripts, styles = (re.findall(rf' {name}="(https://[^"]+)"', page) for name in ("src", "href"))
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src 'self'", *scripts]),
            # The editor writes the colours of its theme and the places of its lines into style
            # elements. Styles can't send anything away here: nothing else may be loaded.
            " ".join(["style-src 'self' 'unsafe-inline'", *styles]),
            "connect-src 'self'",
            "font-src 'self'" + (" data:" if styles else ""),  # the CDN's style has them within
            "img-src 'self' data:",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
