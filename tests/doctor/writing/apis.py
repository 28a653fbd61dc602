"""Both simulators with groups and customers in them, examined by changes."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.app import USER_AGENT, http_transport
from gateway.doctor.asking import Asker, Calls
from gateway.doctor.report import Finding, LeftBehind
from gateway.doctor.writing import examine_changes
from gateway.rest import RawCalls, RestCaller
from gateway.settings import CommercetoolsSettings, FlowRetailSettings
from gateway.simulator.faults import Faults
from gateway.simulator.flow_retail.switches import Switches
from gateway.simulator.journal import Journal
from gateway.telemetry import Meter
from tests.backends.worlds import shop
from tests.harness import TENANT, TOKEN, Flow, running_flow


@dataclass
class Examined:
    """An API, and what was found out about it."""

    store: Any
    journal: Journal
    faults: Faults
    upstream: FlowRetailSettings | CommercetoolsSettings
    customers: Sequence[str]
    """Two of them: the first is in two groups, the other in none."""
    findings: dict[str, Finding] = field(default_factory=dict)
    left: Sequence[LeftBehind] = ()
    calls: int = 0

    def state(self) -> object:
        """All groups, and who is in them."""
        groups = self.store.groups(TENANT)
        if isinstance(self.upstream, FlowRetailSettings):
            return [(group, self.store.member_uids(TENANT, group.uid)) for group in groups]
        customers = self.store.customers(TENANT)
        return groups, [(each.id, each.groups, each.legacy_group) for each in customers]

    async def examine(
        self, customers: int = 0, *, through: Callable[[Calls], Calls] = lambda calls: calls
    ) -> None:
        """With so many of the customers; `through` may come between the doctor and the API."""
        transport = http_transport(self.upstream)
        caller = RestCaller(
            tenant_uid=TENANT, token=TOKEN, request_id="x", deadline=math.inf, meter=Meter()
        )
        try:
            calls = RawCalls(self.upstream, transport, caller, user_agent=USER_AGENT)
            asker = Asker(through(calls), token=TOKEN, rate=10_000)
            changes = await examine_changes(
                asker, self.upstream, TENANT, self.customers[:customers], pause=0.01
            )
        finally:
            await transport.aclose()
        self.findings = {each.question: each for each in changes.findings}
        self.left, self.calls = changes.left, asker.made

    def found(self, question: str) -> str:
        return self.findings[question].found


@asynccontextmanager
async def flow_retail(*, switches: Any = None, **settings: Any) -> AsyncIterator[Examined]:
    async with running_flow(Flow(switches=Switches(**switches or {}))) as flow:
        for uid in ("gold", "silver", "empty"):
            flow.add_group(uid)
        flow.add_customer("ada", "gold", "silver")
        flow.add_customer("eve")
        flow.add_customer("bob", "gold")
        upstream = FlowRetailSettings(url=flow.url, timeout=2, **settings)
        yield Examined(flow.store, flow.journal, flow.faults, upstream, ["ada", "eve"])


@asynccontextmanager
async def commercetools(*, switches: Any = None, **settings: Any) -> AsyncIterator[Examined]:
    async with shop(timeout=2, **settings) as world:
        for switch, value in (switches or {}).items():
            setattr(world.switches, switch, value)
        gold, silver = world.add_group("Gold", key="gold"), world.add_group("Silver")
        ada = world.add_customer(gold, silver, legacy=gold)
        eve = world.add_customer()
        world.add_customer(gold)
        yield Examined(world.store, world.journal, world.faults, world.settings, [ada, eve])


APIS = {"flow_retail": flow_retail, "commercetools": commercetools}
