"""The real thing, small: the simulator and the gateway as servers on loopback, with sockets between
them.
"""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp

from gateway import serving
from gateway.accepted_tokens import AcceptedTokens
from gateway.app import create_app
from gateway.backends.port import Connector
from gateway.engine import Engine, Limits
from gateway.loading.loaders import Loaders
from gateway.loading.reads import ReadKey
from gateway.process import create_server
from gateway.request import Client, Context, Tenants
from gateway.schema import VIEWS, create_schema, projection
from gateway.settings import Bounds, FlowRetailSettings, Settings
from gateway.simulator.faults import Effect, Faults
from gateway.simulator.flow_retail.app import create_app as create_simulator
from gateway.simulator.flow_retail.store import Store
from gateway.simulator.flow_retail.switches import Switches
from gateway.simulator.journal import Journal
from gateway.telemetry import ContractDeviation, Event, Meter, Observer, all_of
from gateway.telemetry.log_lines import log_event

if TYPE_CHECKING:
    from gateway.telemetry.spans import Spans

TENANT = "shop"
PYTHON = re.compile(r"""(?<!")\b(None|True|False|Undefined)\b|\{'|\['|: '|<(?!EOF>)\w""")
"""What Python's values look like, and a document's do not."""
schema = functools.cache(create_schema)
"""One for all gateways of a worker."""
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TOKEN = "token-of-ada"  # noqa: S105  # it opens nothing but the simulator
READER = "token-of-a-reader"  # may read only


@asynccontextmanager
async def served(
    app: ASGIApp, chosen: Settings | None = None, *, observe: Observer = log_event
) -> AsyncIterator[str]:
    """`app` behind a real socket, on this test's event loop; its base URL."""
    async with running(serving.server(app, chosen, observe=observe)) as url:
        yield url


@asynccontextmanager
async def running(server: serving.Server) -> AsyncIterator[str]:
    listener = serving.listen("127.0.0.1", 0, remedy="")
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    # Not serve(): that looks for signals ten times a second, and a test would wait for it at its
    # end.
    await server.startup(sockets=[listener])
    if server.should_exit:
        raise RuntimeError("The app did not start.")
    try:
        yield serving.address(listener)
    finally:
        # As shutdown() does it, but without its tenth of a second of patience.
        for listening in server.listeners:
            listening.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        await server.lifespan.shutdown()
        if server.management is not None:
            await server.management.close()


@dataclass
class Flow:
    """A simulated Flow Retail with the tenant "shop", and what came in."""

    store: Store = field(default_factory=Store)
    switches: Switches = field(default_factory=Switches)
    journal: Journal = field(default_factory=Journal)
    faults: Faults = field(default_factory=Faults)
    url: str = ""

    def __post_init__(self) -> None:
        self.store.add_token(TOKEN, [TENANT, "other"])
        self.store.add_token(READER, [TENANT], permissions=())

    @property
    def calls(self) -> list[str]:
        """The REST calls, as "GET customer-groups/gold", in order of arrival."""
        return self.journal.calls

    @property
    def queries(self) -> list[dict[str, str]]:
        """The query parameters of the REST calls, in order of arrival."""
        return [dict(request.query) for request in self.journal.requests]

    def add_group(self, uid: str, name: str | None = None, *, tenant: str = TENANT) -> None:
        self.store.add_group(tenant, uid, name or uid.title())

    def add_groups(self, count: int, *, prefix: str = "g") -> list[str]:
        uids = [f"{prefix}{number:03}" for number in range(count)]
        with self.store.transaction():
            for uid in uids:
                self.add_group(uid)
        return uids

    def add_customer(self, uid: str, *groups: str, tenant: str = TENANT, **fields: object) -> None:
        """A customer that has only what is given."""
        self.store.add_customer(tenant, {"customerUid": uid, **fields}, groups)

    def add_customers(self, count: int, *groups: str, prefix: str = "c") -> list[str]:
        uids = [f"{prefix}{number:04}" for number in range(count)]
        with self.store.transaction():
            for uid in uids:
                self.add_customer(uid, *groups)
        return uids

    def fail(self, effect: Effect, **where: Any) -> None:
        """Let the next matching request go wrong; see gateway.simulator.faults.Faults.add."""
        self.faults.add(effect, **where)

    def members(self, group: str) -> list[str]:
        return list(self.store.member_uids(TENANT, group))


class Events(list[Event]):
    """Those of a gateway, but for how answers deviate from their documents: the records of most
    tests have few of the members that are documented.
    """

    def __init__(self) -> None:
        super().__init__()
        self.deviations: list[ContractDeviation] = []

    def note(self, event: Event) -> None:
        if isinstance(event, ContractDeviation):
            self.deviations.append(event)
        else:
            self.append(event)


@dataclass
class Gateway:
    """The gateway behind its socket, and a client that speaks GraphQL over HTTP."""

    client: httpx.AsyncClient
    url: str
    events: Events

    async def post(
        self,
        query: str,
        variables: Mapping[str, object] | None = None,
        *,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> httpx.Response:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        body = {"query": query, "variables": variables, **more}
        return await self.client.post(f"{self.url}/graphql", json=body, headers=sent)

    async def ask(
        self, query: str, variables: Mapping[str, object] | None = None, **more: Any
    ) -> Any:
        """The whole response body, errors and all; no message of them shows a value of Python."""
        body = (await self.post(query, variables, **more)).json()
        for error in body.get("errors", ()):
            assert not PYTHON.search(error["message"]), error["message"]
        return body

    async def query(
        self, query: str, variables: Mapping[str, object] | None = None, **more: Any
    ) -> Any:
        """The data of an operation that has no errors."""
        body = await self.ask(query, variables, **more)
        assert "errors" not in body, body["errors"]
        return body["data"]


def codes(body: Mapping[str, Any]) -> list[str]:
    """The codes of a response's errors, in order."""
    return [error["extensions"]["code"] for error in body.get("errors", [])]


def paths(body: Mapping[str, Any]) -> list[Sequence[str | int] | None]:
    """The paths of a response's errors, in order."""
    return [error.get("path") for error in body.get("errors", [])]


def sent_to(request: httpx.Request) -> httpx.URL:
    """The whole URL of a request that `gateway.rest` makes."""
    return request.url.copy_with(raw_path=request.extensions["target"])


def settings(url: str, *, flow_retail: Mapping[str, Any] | None = None, **more: Any) -> Settings:
    """Settings for tests: the development profile, the simulator as the backend, "shop" by
    default.
    """
    return Settings(
        **{
            "profile": "development",
            "default_tenant": TENANT,
            "flow_retail": FlowRetailSettings(url=url, **(flow_retail or {})),
            **more,
        }
    )


@asynccontextmanager
async def running_flow(flow: Flow, *, keep: bool = False) -> AsyncIterator[Flow]:
    """`flow` behind its socket; its data is closed with it, unless they are to be kept."""
    app = create_simulator(
        flow.store, switches=flow.switches, journal=flow.journal, faults=flow.faults
    )
    with nullcontext() if keep else flow.store:
        async with served(app) as url:
            flow.url = f"{url}/v2"
            yield flow


@asynccontextmanager
async def running_gateway(
    chosen: Settings, *, spans: Spans | None = None, **more: Any
) -> AsyncIterator[Gateway]:
    """The gateway behind its socket; `more` is for create_app."""
    events = Events()
    observe: Observer = events.note
    if spans is not None:
        observe = all_of(observe, spans)
        more["begin_trace"] = spans.begin
    app = create_app(chosen, make_schema=schema, observe=observe, **more)
    # A client would load the machine's certificates, for a tenth of each test's time.
    client = httpx.AsyncClient(timeout=120, trust_env=False, verify=NO_TLS)
    async with served(app, chosen, observe=events.note) as url, client:
        yield Gateway(client, url, events)


@dataclass
class Measured(Gateway):
    """A gateway with a management port."""

    management: str
    """The URL of that."""

    async def scrape(self) -> Scrape:
        """Its metrics."""
        response = await self.client.get(f"{self.management}/metrics")
        assert response.status_code == 200, response.text
        return Scrape(response.text)

    async def scraped_when(self, ready: Callable[[Scrape], object]) -> Scrape:
        """Its metrics as soon as they are so."""
        async with asyncio.timeout(60):
            while not ready(scraped := await self.scrape()):  # noqa: ASYNC110  # nothing tells
                await asyncio.sleep(0.01)
        return scraped


class Scrape:
    """What was scraped, as Prometheus reads it."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in families for sample in family.samples]

    def value(self, metric: str, /, **labels: str) -> float:
        """The sum of all samples that have these labels; 0 if there is none."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )

    def values(self, metric: str, label: str) -> set[str]:
        """Those of a label."""
        return {sample.labels[label] for sample in self.samples if sample.name == metric}


@asynccontextmanager
async def running_measured(chosen: Settings, **more: Any) -> AsyncIterator[Measured]:
    events = Events()
    client = httpx.AsyncClient(timeout=120, trust_env=False, verify=NO_TLS)
    with serving.listen("127.0.0.1", 0, remedy="") as management:
        beside = serving.address(management)
        server = create_server(
            chosen, management, observers=(events.note,), make_schema=schema, **more
        )
        async with running(server) as url, client:
            yield Measured(client, url, events, beside)


def asking(connector: Connector, bounds: Bounds, *, limit: int | None = None) -> Context:
    """A request's context, to run its operation in this process: `limit` is of REST calls. Its
    token is one that a backend has accepted.
    """
    now = asyncio.get_running_loop().time()
    token_status = AcceptedTokens().status(TOKEN)
    token_status.answered(200, TENANT)
    client = Client(
        tokens={"authorization": TOKEN},
        token_statuses={"authorization": token_status},
        request_id="test",
        tenant_uid=TENANT,
        began=now,
        deadline=now + 60,
        meter=Meter(limit=limit),
    )
    return Context(client, Tenants(connectors={TENANT: connector}), bounds)


def load(loaders: Loaders, key: ReadKey) -> asyncio.Future[Any]:
    """What was read by `key`, to come."""
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def listen(found: Any) -> None:
        if answer.done():
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
            answer.exception()  # nobody may ever look at it
        else:
            answer.set_result(found)

    loaders.notify(key, listen)
    return answer


def engine(limits: Limits | None = None, **more: Any) -> Engine:
    """An engine for the gateway's schema."""
    given: dict[str, Any] = {"max_variable_values": 1_000, "document_memory": 10_000_000}
    given |= {"project": projection} | more
    return Engine(schema()._schema, VIEWS, limits or Limits(), **given)
