"""Security headers of every response, and CORS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.requests import ASKING
from gateway.settings import Settings

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # An answer opened as a page can load and run nothing. GraphiQL's page has its own policy.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # An answer belongs to one caller.
    "Cache-Control": "no-store",
}

CLIENT_HEADERS: Final = (
    *("Apollographql-Client-Name", "Apollographql-Client-Version"),
    *("GraphQL-Client-Name", "GraphQL-Client-Version"),
    *("X-GraphQL-Client-Name", "X-GraphQL-Client-Version"),
    *("X-Apollo-Operation-Id", "X-Apollo-Operation-Type", "X-Requested-With"),
    *("Cache-Control", "Pragma"),
    # Tracing: W3C, Sentry, Datadog, Elastic, New Relic, Zipkin, Jaeger, and the large clouds.
    *("Traceparent", "Tracestate", "Baggage", "Sentry-Trace"),
    *("X-Datadog-Trace-Id", "X-Datadog-Parent-Id", "X-Datadog-Origin"),
    *("X-Datadog-Sampling-Priority", "Elastic-Apm-Traceparent", "Newrelic"),
    *("B3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags"),
    *("Uber-Trace-Id", "Request-Id", "Request-Context", "X-Correlation-Id"),
    *("X-Amzn-Trace-Id", "X-Cloud-Trace-Context"),
)
"""What GraphQL clients and tracing libraries add to requests; of it, W3C's headers are read."""


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers in ASGI's form, with their names in lower case."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


_ENCODED: Final = encoded(SECURITY_HEADERS)


class SecurityHeaders:
    """ASGI middleware that adds those of `SECURITY_HEADERS` that a response lacks."""

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


class _CrossOrigin(CORSMiddleware):
    def preflight_response(self, request_headers: Headers) -> Response:
        """As the base has it, but always a success: only then do browsers look at the headers, and
        name in their console what is missing there.
        """
        response = super().preflight_response(request_headers)
        response.status_code = 200
        return response


def cross_origin(app: ASGIApp, settings: Settings) -> ASGIApp:
    """`app`, to which pages of the origins in the settings may send requests."""
    read_here = ["Content-Type", *settings.bearer_headers, *ASKING]
    return _CrossOrigin(
        app,
        allow_origins=settings.cors_origins,
        allow_credentials=settings.cors_credentials,
        allow_methods=["GET", "POST"],
        allow_headers=[*read_here, *CLIENT_HEADERS, *settings.cors_headers],
        expose_headers=["X-Request-Id", "Retry-After"],
        max_age=7200,
    )
