"""What every response carries for the sake of browsers, and which of their pages may ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.requests import ASKING
from gateway.settings import Settings

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


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them, with their names in lower case."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_ENCODED: Final = encoded(SECURITY_HEADERS)


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
                given = {name for name, _ in message["headers"]}
                added = [header for header in _ENCODED if header[0] not in given]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def cross_origin(app: ASGIApp, settings: Settings) -> ASGIApp:
    """`app`, to which pages of the origins in the settings may send requests."""
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_credentials=settings.cors_credentials,
        allow_methods=["GET", "POST"],
        allow_headers=["Content-Type", *settings.bearer_headers, *ASKING],
        expose_headers=["X-Request-Id", "Retry-After"],
        max_age=7200,
    )
