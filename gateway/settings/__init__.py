"""Everything an operator can set, with its default; `configuration` reads it."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Final, Literal

from msgspec import Meta

from gateway.engine import Limits

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=3600)]
Memory = Annotated[int, Meta(ge=0, le=10_000_000_000)]
Text = Annotated[str, Meta(min_length=1, description="a text that is not empty")]
RedisUrl = Annotated[str, Meta(min_length=1, description="a URL of Redis")]
HeaderName = Annotated[
    str,
    Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}\Z", description="the name of a header"),
]
BearerHeader = Annotated[
    str,
    Meta(
        pattern=r"^([Aa]uthorization|(?![Pp]roxy-)[A-Za-z0-9-]{1,60}-([Aa]uthorization|[Tt]oken))\Z",
        description="Authorization, or a header whose name ends in -Authorization or -Token",
    ),
]
"""No name that means anything else."""
TENANT_UID: Final = r"[A-Za-z0-9_-]{1,128}"
TENANT_NAME: Final = "1 to 128 of A-Z, a-z, 0-9, _ and -"
TenantUid = Annotated[str, Meta(pattern=rf"^{TENANT_UID}\Z", description=TENANT_NAME)]


def _one_of(*names: str) -> Meta:
    return Meta(pattern=rf"^({'|'.join(names)})\Z", description=f"one of {', '.join(names)}")


GroupSort = Annotated[str, _one_of("NAME", "CREATED_AT", "LAST_MODIFIED_AT")]
CustomerSort = Annotated[
    str,
    _one_of(
        *("DISPLAY_NAME", "FIRSTNAME", "LASTNAME", "COMPANY_NAME", "EMAIL"),
        *("CREATED_AT", "LAST_MODIFIED_AT"),
    ),
]


def _table(**values: str) -> Mapping[str, str]:
    return types.MappingProxyType(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """How a REST API is reached."""

    url: str | None = None
    """The API's base URL. Without it there is no such backend."""
    timeout: Seconds = 5.0
    """Seconds to wait for one REST call, its body included."""
    connect_timeout: Seconds = 2.0
    """Seconds to wait for a connection; after that, nothing was sent."""
    connection_max_age: Seconds = 60.0
    """Seconds after which a connection carries no new REST call, so that a move in DNS is followed.
    """
    concurrency: Count = 64
    """REST calls under way at once in this process."""
    retries: Annotated[int, Meta(ge=0, le=5)] = 1
    """How often a failed read is sent again."""
    max_retry_after: Seconds = 2.0
    """The longest Retry-After that is waited for; a longer one is answered as RATE_LIMITED."""
    max_tenant_pause: Seconds = 60.0
    """Seconds for which one caller's Retry-After holds for all of its tenant; then it is tried out.
    """
    max_body: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 8_000_000
    """Bytes of one answer, decompressed; a longer one is refused."""
    proxy: Text | None = field(default=None, repr=False)
    """The URL of an HTTP proxy for calls of this API, with its user and password, or `direct` for
    none; without it, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY count.
    """
    ca_file: Text | None = None
    """A PEM file of the authorities that this API's certificate is trusted for, in place of the
    system's.
    """
    client_certificate: Text | None = None
    """A PEM file with the certificate that is shown to this API, and the chain below it."""
    client_key: Text | None = None
    """A PEM file with its private key, where that is not in `client_certificate`."""
    bearer_header: BearerHeader = "Authorization"
    """The header in which requests carry the bearer token for this API, and for no other."""

    @property
    def way(self) -> Sequence[object]:
        """The settings by which the API is reached: those that tenants share connections by. The
        others are for each tenant's adapter.
        """
        names = [each.name for each in fields(UpstreamSettings) if each.name != "bearer_header"]
        return [type(self), *(getattr(self, name) for name in names)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRetailSettings(UpstreamSettings):
    """Flow Retail: `url` ends in /v2. What its documents leave open is in docs/upstreams.md."""

    first_page: Literal[0, 1] = 1
    """The pageNumber of a list's first page."""
    max_page_size: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """The largest pageSize that is asked for; what an answer's paging says wins."""
    past_the_end: Literal["empty", "not_found"] = "empty"
    """What a page past the end of a list answers: no items, or 404."""
    group_sorts: Mapping[GroupSort, Text] = field(
        default_factory=lambda: _table(
            NAME="name", CREATED_AT="createdAt", LAST_MODIFIED_AT="lastModifiedAt"
        )
    )
    """sortBy for each CustomerGroupSortField that the API knows."""
    customer_sorts: Mapping[CustomerSort, Text] = field(
        default_factory=lambda: _table(
            DISPLAY_NAME="displayName",
            FIRSTNAME="firstname",
            LASTNAME="lastname",
            COMPANY_NAME="companyName",
            EMAIL="email",
            CREATED_AT="createdAt",
            LAST_MODIFIED_AT="lastModifiedAt",
        )
    )
    """sortBy for each CustomerGroupMemberSortField that the API knows."""
    mirrored_sorts: bool = False
    """Whether DESC is the exact mirror of ASC, ties included; then `last` costs one call."""
    membership_chunk: Count = 500
    """Customers in one membership request."""
    membership_atomic: bool = False
    """Whether a refused membership request has changed nothing at all."""
    membership_conflict_is_unchanged: bool = False
    """Whether 409 to a single customer's membership is known to mean that it is as wanted already;
    else the members are read to find out."""
    membership_isolation: Annotated[int, Meta(ge=0, le=10_000)] = 64
    """Further requests an edit may spend on finding the customers that were refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommercetoolsSettings(UpstreamSettings):
    """commercetools: `url` is the region's API host, without a project."""

    membership: Literal["assignments", "legacy", "both"] = "assignments"
    """Which of a customer's fields holds its groups: customerGroupAssignments, customerGroup,
    either.
    """
    membership_concurrency: Count = 8
    """Customers that one membership edit changes at once."""


BackendName = Literal["flow_retail", "commercetools"]
BACKENDS: Final[Mapping[str, type[FlowRetailSettings] | type[CommercetoolsSettings]]] = (
    types.MappingProxyType(
        {"flow_retail": FlowRetailSettings, "commercetools": CommercetoolsSettings}
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSettings:
    """One of [tenants]: the name of its backend, or a table with `backend`, with `project` for
    commercetools, and with any setting of that backend that differs for this tenant.
    """

    upstream: FlowRetailSettings | CommercetoolsSettings
    """The backend's settings as they are for this tenant."""
    project: TenantUid | None = None
    """commercetools' projectKey; without it, the tenant's own name is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """The Redis or Valkey by which replicas share what clients register, and the rate limit."""

    url: RedisUrl | None = field(default=None, repr=False)
    """Its redis, rediss or unix URL, with its user and password. Without it nothing is shared."""
    timeout: Seconds = 0.05
    """Seconds to wait for it; after that, the gateway goes on without it."""


OUTCOME_FIELDS: Final = 10
"""Of one customer in a change's payload: the schema has seven."""
OUTCOME_BYTES: Final = 100
"""Of each of these fields."""


@dataclass(frozen=True, kw_only=True)
class Bounds(Limits):
    """How much may be asked for at once, and shown."""

    default_page_size: Count = 20
    """Rows of a connection without `first` and `last`."""
    max_page_size: Count = 100
    """The largest `first` and `last`."""
    max_membership_uids: Count = 10_000
    """Customers in each list of one membership edit."""
    max_custom_fields: Count = 500
    """Custom fields in each list of one change; commercetools takes 500 actions at once."""

    @property
    def of_changes(self) -> Limits:
        """Room for the outcome of each customer of the largest change."""
        customers = 2 * self.max_membership_uids  # in two lists
        return replace(
            self,
            max_values=OUTCOME_FIELDS * customers,
            max_response_body=OUTCOME_FIELDS * OUTCOME_BYTES * customers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Bounds):
    profile: Literal["development", "production"] = "production"
    """`development` is for those who write queries: it shows GraphiQL, introspection, suggestions
    and costs, and explains them.
    """
    host: Text = "127.0.0.1"
    """The address to listen on, or `unix:` and the path of a Unix socket."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    """The port to listen on."""
    root_path: Annotated[
        str,
        Meta(
            pattern=r"^(/[A-Za-z0-9._~-]+)*\Z",
            description='a path such as "/shop", without a slash at its end',
        ),
    ] = ""
    """The path that a proxy puts the gateway under; paths come with or without it."""
    management_port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    """The port of metrics and health, at the same address; none: there are no metrics."""
    workers: Annotated[int, Meta(ge=1, le=128)] = 1
    """Processes that serve, each with limits and caches of its own."""
    log_level: Literal["critical", "error", "warning", "info", "debug"] = "info"
    """Below `info`, one line an operation; `debug` adds one line a REST call."""
    log_format: Literal["text", "json"] = "text"
    """How a line of the log is written."""
    fingerprint_key: Annotated[str, Meta(min_length=16)] | None = field(default=None, repr=False)
    """A secret that the log's fingerprints of tokens are made with: the same in several processes
    makes them equal there. Without it each start makes one up.
    """
    default_tenant: TenantUid | None = None
    """The tenant of fields that name none, where no X-Tenant header came."""
    default_backend: BackendName | None = "flow_retail"
    """The backend of tenants that are not listed in `[tenants]`; "" for none."""
    graphiql: bool | None = None
    """Whether there is a GraphiQL page; without it, as `profile` says."""
    introspection: bool | None = None
    """Whether the schema can be asked for, and misspelt names are answered with suggestions;
    without it, as `profile` says.
    """
    federation_sdl: bool | None = None
    """Whether `_service { sdl }` returns the schema, as tools that compose a supergraph ask for it;
    without it, as `introspection`.
    """
    explain: bool | None = None
    """Whether `X-Explain: true` answers what an operation would cost; without it, as `profile`
    says.
    """
    get_queries: bool | None = None
    """Whether queries may come by GET; without it, as `profile` says."""
    cors_origins: tuple[Text, ...] = ()
    """Origins whose pages may send requests, as browsers write them; `*` for all."""
    cors_headers: tuple[HeaderName, ...] = ()
    """Headers that such pages may send beside those that the gateway reads, and those that GraphQL
    clients and tracing libraries add; `*` for any.
    """
    cors_credentials: bool = False
    """Whether such pages may send cookies along, which nothing here reads."""
    forward_baggage: bool = False
    """Whether REST calls carry the client's `baggage` header: any text that it has chosen."""
    deadline: Seconds = 10.0
    """Seconds for one operation; what is not answered then fails with DEADLINE_EXCEEDED."""
    max_rest_calls: Count = 100
    """REST calls of one operation; what may need more is refused before the first."""
    rate_limit: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    """REST calls a second of one caller or tenant; without it, any number."""
    rate_limit_burst: Count = 100
    """REST calls that a caller or tenant who has made none for a while may make at once."""
    rate_limit_by: Literal["caller", "tenant"] = "caller"
    """Whose calls are counted together."""
    max_variables: Count = 500_000
    """Bytes of an operation's variables, as JSON."""
    max_variable_values: Count = 25_000
    """Values in an operation's variables, those in lists and objects included."""
    document_cache: Memory = 16_000_000
    """Bytes of memory for documents and what is made of them; as much again for trusted ones."""
    trusted_documents: tuple[Text, ...] = ()
    """The manifests of trusted documents: files in Apollo's or Relay's format."""
    trusted_mode: Literal["off", "log", "enforce"] = "off"
    """What they are for: nothing, to log what is not in them, or to run nothing else but what
    gateways ask of a subgraph by themselves.
    """
    persisted_queries: bool = True
    """Whether clients may register documents by hash (APQ)."""
    persisted_query_cache: Memory = 4_000_000
    """Bytes of memory for documents that clients have registered."""
    stranger_share: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """The part of a core for callers whose token no backend has accepted for ten minutes."""
    max_request_body: Count = 1_000_000
    """Bytes of one GraphQL request."""
    max_requests: Count = 300
    """Requests under way at once; what comes beyond is answered at once, with 503."""
    max_connections: Count = 10_000
    """Connections of clients at once; for one more, the one that has waited longest is closed."""
    max_head: Count = 32_768
    """Bytes of a request's line and headers."""
    max_headers: Count = 100
    """Headers of a request."""
    head_timeout: Seconds = 10.0
    """Seconds from the first byte of a request to the end of its headers."""
    silent_timeout: Seconds = 30.0
    """Seconds after which a new connection that has sent nothing is closed."""
    keep_alive_timeout: Seconds = 75.0
    """Seconds after which a connection is closed that sends no further request; longer than any
    balancer in front keeps it.
    """
    unread_timeout: Seconds = 30.0
    """Seconds in which a client reads at least a quarter of what waits for it, or is left."""
    drain: Annotated[float, Meta(ge=0, le=3600)] = 5.0
    """Seconds for which a gateway that is to stop goes on accepting connections, while it is not
    ready; longer than a proxy needs to notice, and than it keeps idle connections.
    """
    doctor_rate: Annotated[float, Meta(gt=0, le=1000)] = 2.0
    """REST calls a second that `gateway doctor` makes."""
    relay_node: bool = True
    """Whether the schema has `node` and `nodes`; only one subgraph of a supergraph can."""
    redis: RedisSettings = field(default_factory=RedisSettings)
    flow_retail: FlowRetailSettings = field(default_factory=FlowRetailSettings)
    commercetools: CommercetoolsSettings = field(default_factory=CommercetoolsSettings)
    tenants: Mapping[TenantUid, TenantSettings] = field(
        default_factory=lambda: types.MappingProxyType({})
    )
    """Which backend holds which tenant, and what differs for it."""

    @property
    def default_upstream(self) -> FlowRetailSettings | CommercetoolsSettings | None:
        """The backend of tenants that are not listed, if it is named and has a URL."""
        match self.default_backend:
            case "flow_retail":
                return self.flow_retail if self.flow_retail.url else None
            case "commercetools":
                return self.commercetools if self.commercetools.url else None
            case None:
                return None

    @property
    def upstreams(self) -> Sequence[FlowRetailSettings | CommercetoolsSettings]:
        """How each tenant's backend is reached: the default one's first."""
        default = [self.default_upstream] if self.default_upstream else []
        return [*default, *(tenant.upstream for tenant in self.tenants.values())]

    @property
    def hidden_projects(self) -> frozenset[str]:
        """The projects of listed tenants at the default backend's URL. As tenants of the default
        backend, they would evade the settings of the listed ones.
        """
        default = self.default_upstream
        if not isinstance(default, CommercetoolsSettings):
            return frozenset()
        return frozenset(
            tenant.project
            for tenant in self.tenants.values()
            if tenant.project is not None and tenant.upstream.url == default.url
        )

    @property
    def bearer_headers(self) -> Sequence[str]:
        """The headers that requests carry bearer tokens in, each once."""
        by_name = {one.bearer_header.lower(): one.bearer_header for one in self.upstreams}
        return list(by_name.values())


def numbers(
    settings: Settings | UpstreamSettings | RedisSettings, table: str = ""
) -> Iterator[tuple[str, float, object]]:
    """The settings that are numbers, of the gateway and of the tables: name, value and
    default.
    """
    for each in fields(settings):
        value = getattr(settings, each.name)
        if isinstance(value, UpstreamSettings | RedisSettings):
            yield from numbers(value, f"{each.name}.")
        elif type(value) in (int, float) and each.name not in ("port", "management_port"):
            yield f"{table}{each.name}", value, each.default


class SettingsError(Exception):
    """Settings that can't be used; the message has a line for each, with its place and its
    problem.
    """
