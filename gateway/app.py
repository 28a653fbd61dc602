"""Settings in, ASGI app out: the one place where all parts are put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.backends.flow_retail import FlowRetail
from gateway.backends.port import Connector
from gateway.backends.transport import AiohttpTransport
from gateway.backends.upstream import Upstream
from gateway.context import Tenants
from gateway.http import graphiql
from gateway.http.endpoint import Endpoint, EndpointSettings
from gateway.http.health import health
from gateway.paging import Bounds
from gateway.schema import create_schema
from gateway.settings import Settings, SettingsError
from gateway.telemetry import Observer, log_event

MakeTransport = Callable[[int], httpx.AsyncBaseTransport]


def create_app(
    settings: Settings,
    *,
    observe: Observer = log_event,
    make_transport: MakeTransport = lambda connections: AiohttpTransport(connections=connections),
    graphiql_token: str | None = None,
) -> Starlette:
    """The gateway as an ASGI app; its connections are opened and closed by its lifespan.

    Raises SettingsError where the settings leave no backend. `graphiql_token` is shown to anyone
    who opens GraphiQL: for a demo only.
    """
    if settings.flow_retail.url is None:
        raise SettingsError(
            "flow_retail.url (GATEWAY_FLOW_RETAIL_URL) is not set: there is no backend to ask."
        )
    development = settings.profile == "development"
    schema = create_schema(
        with_node=settings.relay_node, suggestions=development, introspection=development
    )
    bounds = Bounds(
        default_page_size=min(settings.default_page_size, settings.max_page_size),
        max_page_size=settings.max_page_size,
        max_membership_uids=settings.max_membership_uids,
    )
    endpoint_settings = EndpointSettings(
        default_tenant=settings.default_tenant,
        deadline=settings.deadline,
        max_request_body=settings.max_request_body,
        page=graphiql.page(token=graphiql_token) if development else None,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        transport = make_transport(settings.flow_retail.concurrency)
        try:
            upstream = Upstream("flow_retail", settings.flow_retail, transport, observe)
            flow_retail = FlowRetail(upstream, settings.flow_retail)
            tenants = _tenants(settings, {"flow_retail": flow_retail})
            app.state.endpoint = Endpoint(schema, tenants, bounds, endpoint_settings, observe)
            yield
        finally:
            await transport.aclose()

    app = Starlette(
        routes=[
            Route("/graphql", _GraphQL()),
            Route("/health", health),
        ],
        lifespan=lifespan,
    )
    # A redirect from /graphql/ would be built from the Host header, and clients send tokens along.
    app.router.redirect_slashes = False
    return app


class _GraphQL:
    """An ASGI app: a function's route would answer other methods itself, and not in JSON."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint: Endpoint = scope["app"].state.endpoint
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)


def _tenants(settings: Settings, backends: Mapping[str, Connector]) -> Tenants:
    default = settings.default_backend
    return Tenants(
        connectors={tenant: backends[name] for tenant, name in settings.tenants.items()},
        default=None if default is None else backends[default],
    )
