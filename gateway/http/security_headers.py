"""What every response carries for the sake of browsers, and which of their pages may ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.requests import ASKING

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Whoever shows an answer as a page shows text; GraphiQL's page has a policy of its own.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # An answer is one caller's.
    "Cache-Control": "no-store",
}
_ENCODED: Final = tuple(
    (name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
)


class SecurityHeaders:
    """ASGI middleware that adds `SECURITY_HEADERS` where a response has none of that name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # ASGI has names in lower case.
                given = {name for name, _ in message["headers"]}
                added = [header for header in _ENCODED if header[0] not in given]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def cross_origin(
    origins: Sequence[str], *, credentials: bool, bearer_headers: Sequence[str]
) -> list[Middleware]:
    """The middleware that lets pages of these origins send requests; none where there are none.

    `bearer_headers` are those that carry bearer tokens.
    """
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_credentials=credentials,
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type", *bearer_headers, *ASKING],
            expose_headers=["X-Request-Id", "Retry-After"],
            max_age=7200,
        )
    ]
