"""The simulators behind one face, so that a test can fill a backend without knowing which it is."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast

from gateway.accepted_tokens import AcceptedTokens
from gateway.backends.commercetools import not_carried_out
from gateway.backends.commercetools.adapter import Commercetools, CommercetoolsBackend
from gateway.backends.flow_retail import FlowRetail
from gateway.backends.port import Backend, Caller, Connector
from gateway.records import Projection
from gateway.rest import HttpTransport, Upstream
from gateway.settings import CommercetoolsSettings, FlowRetailSettings
from gateway.simulator.commercetools import app as commercetools_app
from gateway.simulator.commercetools.store import Store as CommercetoolsStore
from gateway.simulator.commercetools.switches import Switches as CommercetoolsSwitches
from gateway.simulator.faults import Faults
from gateway.simulator.flow_retail.switches import Switches as FlowSwitches
from gateway.simulator.journal import Journal
from gateway.telemetry import Meter
from tests.harness import READER, TENANT, TOKEN, Flow, running_flow, served


class World(Protocol):
    """One backend and its simulator."""

    name: str
    tenant: str
    reader: str
    unknown: str
    journal: Journal
    faults: Faults

    @property
    def calls(self) -> list[str]: ...

    def connect(
        self,
        token: str | None = TOKEN,
        *,
        meter: Meter | None = None,
        selected: Projection | None = None,
    ) -> Backend: ...

    def add_group(self, name: str) -> str: ...

    def add_customer(self, *groups: str, **fields: str) -> str: ...

    def remove_group(self, uid: str) -> None: ...

    def remove_customer(self, uid: str) -> None: ...

    def members(self, group: str) -> set[str]: ...


TOKENS = AcceptedTokens()


class Connecting:
    """What both worlds share: the way to the backend."""

    connector: Connector
    journal: Journal
    tenant = TENANT
    reader = READER

    @property
    def calls(self) -> list[str]:
        return self.journal.calls

    def connect(
        self,
        token: str | None = TOKEN,
        *,
        meter: Meter | None = None,
        selected: Projection | None = None,
    ) -> Backend:
        caller = Caller(
            tenant_uid=self.tenant,
            token=token,
            token_status=None if token is None else TOKENS.status(token),
            request_id="test",
            deadline=asyncio.get_running_loop().time() + 10,
            meter=meter or Meter(),
            selected=selected,
        )
        return self.connector.connect(caller)


class FlowWorld(Connecting):
    name = "flow_retail"
    unknown = "nobody"

    def __init__(self, flow: Flow, transport: HttpTransport, settings: FlowRetailSettings) -> None:
        self._flow = flow
        self._numbers = itertools.count()
        self.journal = flow.journal
        self.faults = flow.faults
        self.connector = FlowRetail(
            Upstream(self.name, settings, transport, lambda _event: None), settings
        )

    def add_group(self, name: str) -> str:
        uid = f"g{next(self._numbers)}"
        self._flow.add_group(uid, name)
        return uid

    def add_customer(self, *groups: str, **fields: str) -> str:
        uid = f"c{next(self._numbers)}"
        self._flow.add_customer(uid, *groups, **fields)
        return uid

    def remove_group(self, uid: str) -> None:
        self._flow.store.remove_group(self.tenant, uid)

    def remove_customer(self, uid: str) -> None:
        self._flow.store.remove_customer(self.tenant, uid)

    def members(self, group: str) -> set[str]:
        return set(self._flow.members(group))


class CommercetoolsWorld(Connecting):
    name = "commercetools"
    unknown = "00000000-0000-4000-8000-000000000000"

    def __init__(
        self,
        store: CommercetoolsStore,
        switches: CommercetoolsSwitches,
        journal: Journal,
        faults: Faults,
        transport: HttpTransport,
        settings: CommercetoolsSettings,
    ) -> None:
        self.store = store
        self.switches = switches
        self.journal = journal
        self.faults = faults
        self.settings = settings
        upstream = Upstream(
            self.name, settings, transport, lambda _event: None, not_carried_out=not_carried_out
        )
        self.connector = Commercetools(upstream, settings)

    def connect(
        self,
        token: str | None = TOKEN,
        *,
        meter: Meter | None = None,
        selected: Projection | None = None,
    ) -> CommercetoolsBackend:
        backend = super().connect(token, meter=meter, selected=selected)
        return cast(CommercetoolsBackend, backend)

    @property
    def queries(self) -> list[dict[str, str]]:
        """The query parameters of the REST calls, in order of arrival."""
        return [dict(request.query) for request in self.journal.requests]

    def add_group(self, name: str, *, key: str | None = None) -> str:
        return self.store.add_group(self.tenant, name, key=key).id

    def add_groups(self, count: int) -> list[str]:
        """Groups that are alike; their uids, in the order of the list."""
        with self.store.transaction():
            return sorted(self.add_group(f"Group {number:05}") for number in range(count))

    def add_customer(self, *groups: str, legacy: str | None = None, **fields: object) -> str:
        names = {"firstname": "firstName", "lastname": "lastName"}
        draft = {names.get(name, name): value for name, value in fields.items()}
        return self.store.add_customer(self.tenant, draft, groups, legacy_group=legacy).id

    def add_customers(self, count: int, *groups: str) -> list[str]:
        """Customers with ten last names among them; their uids, in the order of the list."""
        with self.store.transaction():
            return sorted(
                self.add_customer(*groups, lastname=f"Name {number % 10}")
                for number in range(count)
            )

    def remove_group(self, uid: str) -> None:
        self.store.remove_group(self.tenant, uid)

    def remove_customer(self, uid: str) -> None:
        self.store.remove_customer(self.tenant, uid)

    def members(self, group: str) -> set[str]:
        return set(self.store.members(self.tenant, group))


@asynccontextmanager
async def worlds(
    name: str, *, switches: Mapping[str, Any] | None = None, **settings: Any
) -> AsyncIterator[World]:
    """The world of that backend, running; its simulator's switches, its adapter's settings."""
    if name == "commercetools":
        async with shop(**settings) as world:
            for switch, value in (switches or {}).items():
                setattr(world.switches, switch, value)
            yield world
        return
    transport = HttpTransport(connections=20)
    try:
        async with running_flow(Flow(switches=FlowSwitches(**switches or {}))) as flow:
            yield FlowWorld(flow, transport, FlowRetailSettings(url=flow.url, **settings))
    finally:
        await transport.aclose()


@asynccontextmanager
async def shop(**settings: Any) -> AsyncIterator[CommercetoolsWorld]:
    """A simulated commercetools with the project "shop", and an adapter with these settings."""
    journal = Journal(tenant_path=commercetools_app.TENANT_PATH)
    switches, faults = CommercetoolsSwitches(), Faults()
    transport = HttpTransport(connections=20)
    with CommercetoolsStore() as store:
        store.add_token(TOKEN, [TENANT])
        store.add_token(READER, [TENANT], scopes=("view_customers",))
        app = commercetools_app.create_app(store, switches=switches, journal=journal, faults=faults)
        try:
            async with served(app) as url:
                chosen = CommercetoolsSettings(url=url, **settings)
                yield CommercetoolsWorld(store, switches, journal, faults, transport, chosen)
        finally:
            await transport.aclose()
