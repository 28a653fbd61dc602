"""Makes the ASGI app from the settings: the only module that knows all parts."""

from __future__ import annotations

import logging
import ssl
import types
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import VERSION
from gateway.backends.commercetools import Commercetools, not_carried_out
from gateway.backends.commercetools.contract import CONTRACTS as COMMERCETOOLS_CONTRACTS
from gateway.backends.flow_retail import FlowRetail
from gateway.backends.flow_retail.contract import CONTRACTS as FLOW_RETAIL_CONTRACTS
from gateway.backends.port import Connector
from gateway.contract_alarm import ContractAlarm
from gateway.engine import Engine
from gateway.http import health
from gateway.http.endpoint import Endpoint
from gateway.http.graphiql import GraphiQL
from gateway.http.security_headers import SecurityHeaders, cross_origin
from gateway.replicas.client import RedisClient
from gateway.replicas.persisted_queries import SharedQueries
from gateway.replicas.rate_limit import RateLimit
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
from gateway.settings.effective import decided, require_sound, warnings
from gateway.telemetry import Figure, Figures, Observer, all_of
from gateway.telemetry.log_lines import Log
from gateway.trace_context import BeginTrace

log = logging.getLogger("gateway")
NO_TOKENS: Final[Mapping[str, str]] = types.MappingProxyType({})
YOURS: Final = "YOUR_TOKEN"
USER_AGENT: Final = f"customer-groups-gateway/{VERSION}"
CONTRACTS: Final = types.MappingProxyType(
    {"flow_retail": FLOW_RETAIL_CONTRACTS, "commercetools": COMMERCETOOLS_CONTRACTS}
)
MakeTransport = Callable[[UpstreamSettings], httpx.AsyncBaseTransport]


def http_transport(
    upstream: UpstreamSettings, *, on_handshake: Callable[[ssl.SSLObject], None] | None = None
) -> HttpTransport:
    """Connections to an API; raises SettingsError if its certificates can't be used.
    `on_handshake` is called with what TLS has agreed on.
    """
    files = {
        "ca_file": upstream.ca_file,
        "client_certificate": upstream.client_certificate,
        "client_key": upstream.client_key,
    }
    special = any(files.values()) or on_handshake is not None
    try:
        return HttpTransport(
            connections=upstream.concurrency,
            max_age=upstream.connection_max_age,
            proxy=Proxy(upstream.proxy) if upstream.proxy else None,
            tls=tls_context(**files, on_handshake=on_handshake) if special else None,
        )
    except ValueError as mistake:
        raise SettingsError(str(mistake)) from None


def _not_at_all(_figures: Figures) -> None: ...


def create_app(
    settings: Settings,
    *,
    observe: Observer | None = None,
    watch: Callable[[Figures], None] = _not_at_all,
    begin_trace: BeginTrace | None = None,
    make_transport: MakeTransport = http_transport,
    make_schema: Callable[..., Schema] = create_schema,
    graphiql_tokens: Mapping[str, str] = NO_TOKENS,
) -> Starlette:
    """The gateway as an ASGI app, whose lifespan opens and closes connections to backends.

    `watch` gets what reads the figures of gates and caches once the app has started.

    Raises SettingsError if settings contradict each other, or a file that they name can't be used.
    `begin_trace` begins a request's span, below the one that its headers name. `graphiql_tokens`,
    by their headers, are shown to anyone who opens GraphiQL: for a demo only. `state.trust` of the
    app reads the manifests of other settings. `make_schema` is create_schema, or what keeps its
    schemas for many apps: each takes a tenth of a second to make.
    """
    require_sound(settings)
    settings = decided(settings)
    observe = observe or Log()
    engine = _engine(settings, make_schema)
    tokens = {name: graphiql_tokens.get(name, YOURS) for name in settings.bearer_headers}
    page = GraphiQL(tokens=tokens) if settings.graphiql else None
    for warning in warnings(settings):
        log.warning(warning)
    for upstream in settings.upstreams:
        http_transport(upstream)  # raises SettingsError now rather than when the app starts
    for name, kind in BACKENDS.items():
        if any(type(each) is kind and each.proxy for each in settings.upstreams):
            log.info("REST calls go through a proxy: %s", name)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            alarm = ContractAlarm(CONTRACTS, observe)
            backends = _Backends(opened, make_transport, observe, alarm)
            redis = None
            if settings.redis.url:
                redis = await opened.enter_async_context(
                    RedisClient(settings.redis.url, timeout=settings.redis.timeout, observe=observe)
                )
            graphql.endpoint = Endpoint(
                engine,
                backends.tenants(settings),
                settings,
                observe=all_of(observe, alarm),
                begin_trace=begin_trace,
                graphiql=page,
                shared_queries=SharedQueries(redis) if redis else None,
                rate_limit=RateLimit(settings, redis, observe) if settings.rate_limit else None,
            )
            watch(graphql.endpoint.figures)
            watch(backends.figures)
            yield

    app = Starlette(
        routes=[
            *health.ROUTES,
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
    app.state.trust = partial(_trust, engine)
    return app


def schema_of(settings: Settings, *, make_schema: Callable[..., Schema] = create_schema) -> Schema:
    """The schema as the settings make it."""
    settings = decided(settings)
    return make_schema(
        with_node=settings.relay_node,
        with_sdl=bool(settings.federation_sdl),
        page_size=settings.default_page_size,
    )


def _engine(settings: Settings, make_schema: Callable[..., Schema]) -> Engine:
    introspection = bool(settings.introspection)
    schema = schema_of(settings, make_schema=make_schema)._schema
    engine = Engine(
        schema,
        VIEWS,
        settings,
        max_variable_values=settings.max_variable_values,
        document_memory=settings.document_cache,
        registered_memory=settings.persisted_query_cache if settings.persisted_queries else 0,
        trusted_mode=settings.trusted_mode,
        suggestions=introspection,
        introspection=introspection,
        project=projection,
    )
    _trust(engine, settings)
    return engine


def _trust(engine: Engine, settings: Settings) -> None:
    """Read the manifests that settings name; raises SettingsError, and then changes nothing."""
    if settings.trusted_mode != "off" and not settings.trusted_documents:
        raise SettingsError("trusted_mode: there is no manifest; name one in trusted_documents.")
    try:
        engine.trust([Path(path) for path in settings.trusted_documents])
    except ValueError as mistakes:
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
        self,
        opened: AsyncExitStack,
        make_transport: MakeTransport,
        observe: Observer,
        alarm: ContractAlarm,
    ) -> None:
        self._opened = opened
        self._make_transport = make_transport
        self._observe = observe
        self._alarm = alarm
        self._upstreams: list[tuple[FlowRetailSettings | CommercetoolsSettings, Upstream]] = []

    def figures(self) -> Iterator[Figure]:
        """How busy each backend's gate is, and whether it is held back."""
        for _settings, upstream in self._upstreams:
            backend = (upstream.name,)
            yield "gateway_gate_in_use", backend, upstream.calls_under_way
            yield "gateway_gate_waiting", backend, upstream.calls_waiting
            yield "gateway_gate_places", backend, upstream.concurrency
            yield "gateway_breakers_open", backend, upstream.breakers_open

    def tenants(self, settings: Settings) -> Tenants:
        default = settings.default_upstream
        return Tenants(
            connectors={
                uid: self._connector(tenant.upstream, tenant.project)
                for uid, tenant in settings.tenants.items()
            },
            default=None if default is None else self._connector(default, None),
            hidden=settings.hidden_projects,
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
            if known.way == settings.way:
                return upstream
        transport = self._make_transport(settings)
        self._opened.push_async_callback(transport.aclose)
        make = partial(
            Upstream,
            settings=settings,
            transport=transport,
            observe=self._observe,
            user_agent=USER_AGENT,
            sample=self._alarm.keep,
        )
        match settings:
            case FlowRetailSettings():
                upstream = make("flow_retail")
            case CommercetoolsSettings():
                upstream = make("commercetools", not_carried_out=not_carried_out)
        self._upstreams.append((settings, upstream))
        return upstream
