"""Makes the ASGI app from the settings: the only module that knows all parts."""

from __future__ import annotations

import dataclasses
import logging
import types
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import VERSION
from gateway.backends.commercetools import Commercetools, not_carried_out
from gateway.backends.flow_retail import FlowRetail
from gateway.backends.port import Connector
from gateway.engine import Engine
from gateway.http.endpoint import Endpoint
from gateway.http.graphiql import GraphiQL
from gateway.http.health import health
from gateway.http.security_headers import SecurityHeaders, cross_origin
from gateway.request import Tenants
from gateway.rest import HttpTransport, Proxy, Upstream, tls_context
from gateway.schema import VIEWS, create_schema, projection
from gateway.schema.federation import Schema
from gateway.settings import (
    BACKENDS,
    CommercetoolsSettings,
    FlowRetailSettings,
    Settings,
    SettingsError,
    UpstreamSettings,
)
from gateway.telemetry import Observer
from gateway.telemetry.log_lines import Log

log = logging.getLogger("gateway")
NO_TOKENS: Final[Mapping[str, str]] = types.MappingProxyType({})
YOURS: Final = "YOUR_TOKEN"
USER_AGENT: Final = f"customer-groups-gateway/{VERSION}"
MakeTransport = Callable[[UpstreamSettings], httpx.AsyncBaseTransport]


def http_transport(upstream: UpstreamSettings) -> HttpTransport:
    """Connections to an API; raises SettingsError if its certificates can't be used."""
    files = {
        "ca_file": upstream.ca_file,
        "client_certificate": upstream.client_certificate,
        "client_key": upstream.client_key,
    }
    try:
        return HttpTransport(
            connections=upstream.concurrency,
            proxy=Proxy(upstream.proxy) if upstream.proxy else None,
            tls=tls_context(**files) if any(files.values()) else None,
        )
    except ValueError as mistake:
        raise SettingsError(str(mistake)) from None


def create_app(
    settings: Settings,
    *,
    observe: Observer | None = None,
    make_transport: MakeTransport = http_transport,
    make_schema: Callable[..., Schema] = create_schema,
    graphiql_tokens: Mapping[str, str] = NO_TOKENS,
) -> Starlette:
    """The gateway as an ASGI app, whose lifespan opens and closes connections to backends.

    Raises SettingsError if settings contradict each other, or a file that they name can't be used.
    `graphiql_tokens`, by their headers, are shown to anyone who opens GraphiQL: for a demo
    only. `make_schema` is create_schema, or what keeps its schemas for many apps: each takes a
    tenth of a second to make.
    """
    _check(settings)
    settings = _decided(settings)
    observe = observe or Log()
    engine = _engine(settings, make_schema)
    tokens = {name: graphiql_tokens.get(name, YOURS) for name in settings.bearer_headers}
    page = GraphiQL(tokens=tokens) if settings.graphiql else None
    _warn_of_shared_tokens(settings)
    _warn_of_version(settings)
    for upstream in settings.upstreams:
        http_transport(upstream)  # raises SettingsError now rather than when the app starts
    for name, kind in BACKENDS.items():
        if any(type(each) is kind and each.proxy for each in settings.upstreams):
            log.info("REST calls go through a proxy: %s", name)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            backends = _Backends(opened, make_transport, observe)
            graphql.endpoint = Endpoint(
                engine,
                backends.tenants(settings),
                settings,
                observe=observe,
                graphiql=page,
            )
            yield

    app = Starlette(
        routes=[
            Route("/health", health),
            *(page.routes if page else ()),
        ],
        lifespan=lifespan,
    )
    graphql = _GraphQL(SecurityHeaders(app.build_middleware_stack()))
    app.middleware_stack = graphql
    if settings.cors_origins:
        app.middleware_stack = SecurityHeaders(cross_origin(graphql, settings))
    # A redirect from /graphql/ would go to the Host header's name, and clients follow with tokens.
    app.router.redirect_slashes = False
    return app


def _check(settings: Settings) -> None:
    """Raise SettingsError for settings that can't be used together."""
    if settings.default_upstream is None and not settings.tenants:
        raise SettingsError(
            "There is no backend to ask: set flow_retail.url (GATEWAY_FLOW_RETAIL_URL), "
            "or the url of default_backend, or list tenants in gateway.toml."
            if settings.default_backend
            else "There is no backend to ask: default_backend is none, and no tenants are listed."
        )
    if settings.cors_credentials and "*" in settings.cors_origins:
        raise SettingsError(
            'cors_credentials: it can\'t be on for "*": list the origins in cors_origins.'
        )
    tenant = settings.default_tenant
    if (
        tenant is not None
        and tenant not in settings.tenants
        and (settings.default_upstream is None or tenant in _projects(settings))
    ):
        raise SettingsError(
            f"default_tenant: no backend holds {tenant}: list it in [tenants], or name another."
        )


def _warn_of_version(settings: Settings) -> None:
    """Warn if a URL of Flow Retail has no version: it would answer each REST call with 404."""
    listed = {f"tenants.{uid}": tenant.upstream for uid, tenant in settings.tenants.items()}
    places: dict[str, str] = {}
    for name, upstream in ({"flow_retail": settings.flow_retail} | listed).items():
        if isinstance(upstream, FlowRetailSettings) and upstream.url:
            places.setdefault(upstream.url.rstrip("/"), f"{name}.url")
    if without := [
        place for url, place in places.items() if not urlsplit(url).path.endswith("/v2")
    ]:
        log.warning("A URL of Flow Retail ends in /v2, unlike %s.", " and ".join(without))


def _warn_of_shared_tokens(settings: Settings) -> None:
    """Warn if both vendors get the same token: each could use it at the other."""
    kinds: dict[str, set[str]] = {}
    for upstream in settings.upstreams:
        kinds.setdefault(upstream.bearer_header.lower(), set()).add(type(upstream).__name__)
    for header, sharing in kinds.items():
        if len(sharing) > 1:
            log.warning(
                "Both vendors are sent the token of the header %s: "
                "name another one in flow_retail.bearer_header or commercetools.bearer_header.",
                header,
            )


def _decided(settings: Settings) -> Settings:
    """The settings, with the profile's values for what is not set, and a default page that is not
    larger than the largest one.
    """
    development = settings.profile == "development"
    decided: dict[str, Any] = {
        name: development
        for name in ("get_queries", "graphiql", "introspection")
        if getattr(settings, name) is None
    }
    default_page_size = min(settings.default_page_size, settings.max_page_size)
    return dataclasses.replace(settings, default_page_size=default_page_size, **decided)


def schema_of(settings: Settings, *, make_schema: Callable[..., Schema] = create_schema) -> Schema:
    """The schema as the settings make it."""
    settings = _decided(settings)
    sdl = settings.introspection if settings.federation_sdl is None else settings.federation_sdl
    return make_schema(
        with_node=settings.relay_node, with_sdl=bool(sdl), page_size=settings.default_page_size
    )


def _engine(settings: Settings, make_schema: Callable[..., Schema]) -> Engine:
    if settings.trusted_mode != "off" and not settings.trusted_documents:
        raise SettingsError("trusted_mode: there is no manifest; name one in trusted_documents.")
    introspection = bool(settings.introspection)
    schema = schema_of(settings, make_schema=make_schema)._schema
    try:
        return Engine(
            schema,
            VIEWS,
            settings,
            max_variable_values=settings.max_variable_values,
            document_memory=settings.document_cache,
            registered_memory=settings.persisted_query_cache if settings.persisted_queries else 0,
            manifests=[Path(path) for path in settings.trusted_documents],
            trusted_mode=settings.trusted_mode,
            suggestions=introspection,
            introspection=introspection,
            project=projection,
        )
    except ValueError as mistakes:  # in a manifest
        raise SettingsError(f"trusted_documents: {mistakes}") from None


class _GraphQL:
    """ASGI middleware that sends /graphql to the endpoint, past Starlette's router and exception
    handlers: the endpoint raises nothing, and sets all headers itself. A route would answer other
    methods itself, and not in JSON.
    """

    endpoint: Endpoint
    """Set when the app starts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # In ASGI, the path includes the one that the app is mounted at.
        if scope["type"] != "http" or scope["path"] != scope.get("root_path", "") + "/graphql":
            await self._app(scope, receive, send)
        else:
            await self.endpoint(scope, receive, send)


class _Backends:
    """Opens each upstream once: tenants that reach it by equal settings share its connections."""

    def __init__(
        self, opened: AsyncExitStack, make_transport: MakeTransport, observe: Observer
    ) -> None:
        self._opened = opened
        self._make_transport = make_transport
        self._observe = observe
        self._upstreams: list[tuple[FlowRetailSettings | CommercetoolsSettings, Upstream]] = []

    def tenants(self, settings: Settings) -> Tenants:
        default = settings.default_upstream
        return Tenants(
            connectors={
                uid: self._connector(tenant.upstream, tenant.project)
                for uid, tenant in settings.tenants.items()
            },
            default=None if default is None else self._connector(default, None),
            hidden=_projects(settings),
            open=settings.default_tenant,
        )

    def _connector(
        self, settings: FlowRetailSettings | CommercetoolsSettings, project: str | None
    ) -> Connector:
        upstream = self._upstream(settings)
        match settings:
            case FlowRetailSettings():
                return FlowRetail(upstream, settings)
            case CommercetoolsSettings():
                return Commercetools(upstream, settings, project=project)

    def _upstream(self, settings: FlowRetailSettings | CommercetoolsSettings) -> Upstream:
        for known, upstream in self._upstreams:
            if type(known) is type(settings) and _way(known) == _way(settings):
                return upstream
        transport = self._make_transport(settings)
        self._opened.push_async_callback(transport.aclose)
        match settings:
            case FlowRetailSettings():
                upstream = Upstream(
                    "flow_retail", settings, transport, self._observe, user_agent=USER_AGENT
                )
            case CommercetoolsSettings():
                upstream = Upstream(
                    "commercetools",
                    settings,
                    transport,
                    self._observe,
                    user_agent=USER_AGENT,
                    not_carried_out=not_carried_out,
                )
        self._upstreams.append((settings, upstream))
        return upstream


def _projects(settings: Settings) -> frozenset[str]:
    """The projects of listed tenants at the default backend's URL. As tenants of the default
    backend, they would evade the settings of the listed ones.
    """
    default = settings.default_upstream
    if not isinstance(default, CommercetoolsSettings):
        return frozenset()
    return frozenset(
        tenant.project
        for tenant in settings.tenants.values()
        if tenant.project is not None and tenant.upstream.url == default.url
    )


def _way(settings: UpstreamSettings) -> list[object]:
    """The settings by which an API is reached. The others are for each tenant's adapter."""
    names = [field.name for field in dataclasses.fields(UpstreamSettings)]
    return [getattr(settings, name) for name in names if name != "bearer_header"]
