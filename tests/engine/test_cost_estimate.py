"""The bound of an operation's REST calls, known before any is made: never less than are made."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.backends.flow_retail import FlowRetail
from gateway.backends.port import Position
from gateway.engine import Engine, Limits, Refused
from gateway.engine._plan.fields import Costly
from gateway.request import Client, Context, Tenants
from gateway.rest import HttpTransport, Upstream
from gateway.schema.relay import encode_cursor, list_checksum
from gateway.settings import Bounds, FlowRetailSettings
from gateway.telemetry import Meter
from tests.backends.worlds import World, worlds
from tests.engine.operations import operations
from tests.harness import TENANT, asking, engine, schema

SCHEMA = schema()._schema
BOUNDS = Bounds(default_page_size=5, max_page_size=50, max_membership_uids=100)
GENEROUS = Limits(max_tokens=20_000, max_fields=20_000, max_root_fields=100)
NOBODY = "00000000-0000-4000-8000-000000000000"


def cursors(of: str | None) -> list[str]:
    """Of a list, in the two ways that positions are read, and one of another list."""
    mark = list_checksum(TENANT, of)
    positions = [Position(0, "g0"), Position(3, "moved"), Position(12, "g9")]
    return [
        encode_cursor(position, kind=kind, of=mark) for position in positions for kind in ("", "id")
    ] + [encode_cursor(positions[0], of=list_checksum(TENANT, NOBODY))]


@dataclass
class Stage:
    """A world with an operation's way to it, in one process."""

    world: World
    engine: Engine
    groups: list[str]

    async def run(
        self, query: str, variables: dict[str, Any] | None = None, *, limit: int = 100_000
    ) -> tuple[int, Meter]:
        """The bound as it was ahead, and the meter as it was in the end."""
        context = asking(self.world.connector, BOUNDS, limit=limit)
        meter = context.client.meter
        operation = self.engine.prepare(query, None, variables or {}, context)
        ahead = meter.planned
        try:
            await operation.execute()
        finally:
            await context.close()
        return ahead, meter


@asynccontextmanager
async def stage(name: str, **settings: Any) -> AsyncIterator[Stage]:
    async with worlds(name, **settings) as world:
        groups = [world.add_group(f"Group {number}") for number in range(14)]
        for number in range(9):
            world.add_customer(*groups[: number + 1])
        yield Stage(world, new_engine(), groups)


def new_engine() -> Engine:
    return engine(GENEROUS, max_variable_values=25_000)


BACKENDS = {
    "Flow Retail": ("flow_retail", {}),
    "Flow Retail, small pages": ("flow_retail", {"max_page_size": 4}),
    "Flow Retail, mirrored": ("flow_retail", {"max_page_size": 6, "mirrored_sorts": True}),
    "commercetools": ("commercetools", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("unbounded", [False, True])
@pytest.mark.parametrize("limits", [[100_000], range(1, 25)], ids=["generous", "few"])
def test_no_operation_makes_more_calls_than_were_bounded(
    backend, unbounded, limits, record_property
):
    """Whatever is asked for, nested, aliased, gone, or beside its cursor, also where only a part of
    a batch fits. Where in how many groups customers are is asked for, which nobody knows ahead, the
    plan grows with the calls.
    """
    name, settings = BACKENDS[backend]
    tightness: list[tuple[int, int]] = []

    @hypothesis_settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # each try starts a simulator, so that shrinking takes minutes
    )
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        async def run() -> None:
            async with stage(name, **settings) as here:
                for _ in range(4):  # a simulator is dearer to start than an operation
                    query = data.draw(
                        operations(
                            tenant=TENANT,
                            groups=[*here.groups[:6], NOBODY],
                            cursors=cursors,
                            unbounded=unbounded,
                        )
                    )
                    before = len(here.world.calls)
                    limit = data.draw(st.sampled_from(limits))
                    try:
                        ahead, meter = await here.run(query, limit=limit)
                    except Refused:  # what does not fit, a cursor of the other kind or list
                        assert len(here.world.calls) == before
                        continue
                    made = len(here.world.calls) - before
                    # Of a group that is gone, members may have been asked for; nobody waits for it.
                    assert made <= meter.rest_calls <= meter.planned <= limit, query
                    if not unbounded:
                        assert made <= ahead, query
                        tightness.append((made, ahead))

        asyncio.run(run())

    try_one()
    if tightness and len(limits) == 1:
        made, ahead = map(sum, zip(*tightness, strict=True))
        record_property("REST calls", ("bounded ahead, in all", backend, f"{made} of {ahead}"))
        assert ahead < 3 * made  # a bound that is far off would refuse what is cheap


IN_LISTS = (
    "customerGroups(first: 3) { nodes { tenant { customerGroups(first: 3) { totalCount } } } }"
)
FIXED = [
    ("{ tenant { uid backend { kind } } }", 0),
    ('{ customerGroup(by: {uid: "%s"}) { name } }', 1),
    ('{ customerGroup(by: {uid: "%s"}) { name customers(first: 3) { nodes { uid } } } }', 2),
    ("{ customerGroups(first: 3) { totalCount nodes { uid } pageInfo { endCursor } } }", 1),
    ("{ customerGroups { totalCount } }", 1),
    ("{ customerGroups(first: 3) { nodes { customers(first: 3) { nodes { uid } } } } }", 4),
    ("{ customerGroups(first: 3) { nodes { customers(first: 0) { totalCount } } } }", 4),
    ("{ customerGroups(first: 0) { nodes { customers { totalCount } } } }", 1),
    (f"{{ {IN_LISTS} }}", 2),
    ("{ customerGroups @skip(if: true) { totalCount } }", 0),
    ("{ ...A ...A } fragment A on Query { customerGroups { totalCount } }", 1),
    ('mutation { createCustomerGroup(input: {name: "x"}) { customerGroup { uid } } }', 1),
    ('mutation { createCustomerGroup(input: {name: " "}) { customerGroup { uid } } }', 0),
]


@pytest.mark.parametrize(("query", "calls"), FIXED)
async def test_the_bound_is_what_it_costs(query, calls):
    """In all that is common: the bound is no guess."""
    async with stage("flow_retail") as here:
        ahead, meter = await here.run(query.replace("%s", here.groups[5]))

        assert (ahead, meter.rest_calls) == (calls, calls)


AGAIN = """
query A($first: Int = 3, $below: Int = 1, $skip: Boolean = false, $tenant: ID, $by: ID! = "a") {
  customerGroups(first: $first, tenantUid: $tenant) {
    nodes { customers(first: $below) @skip(if: $skip) { nodes { uid } } }
  }
  customerGroup(by: { uid: $by }) { name }
}
query B { customerGroups(first: 5) { nodes { customers(first: 2) { totalCount } } } }
query C { customerGroups { totalCount } }
query D { customerGroups(first: 3) { nodes { customers(first: -1) { totalCount } } } }
"""
VALUES = {
    "first": st.sampled_from([None, 0, 40, 1_000]),
    "below": st.sampled_from([1, 30]),
    "skip": st.booleans(),
    "tenant": st.sampled_from([None, "small", "missing"]),
    "by": st.sampled_from(["b", "..", "x" * 300]),
}
ASKED = st.tuples(
    st.sampled_from("AAABCD"),
    st.sampled_from([None, "small", "large"]),
    st.fixed_dictionaries({}, optional=VALUES),
)


@pytest.mark.slow
@given(st.data())
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_comes_again_is_bounded_as_if_it_had_not(data):
    """The bound of an operation is kept; not for other values, nor for another tenant."""
    few = data.draw(st.lists(ASKED, min_size=1, max_size=12))
    same = new_engine()
    for asked in data.draw(st.lists(st.sampled_from(few), max_size=40)):
        assert _planned(same, *asked) == _planned(new_engine(), *asked)


@pytest.mark.slow
def test_nothing_of_a_request_is_kept_with_its_bound():
    same = new_engine()
    for name in "AD":  # D has a mistake, which is an exception and has been raised somewhere
        for _ in range(3):
            context = _context("small")
            with suppress(Refused):
                same.prepare(AGAIN, name, {}, context)
            seen = weakref.ref(context)
            del context
            gc.collect()
            assert seen() is None


def _planned(same: Engine, name: str, tenant: str | None, variables: dict[str, Any]) -> object:
    """What comes of an operation ahead of any REST call."""
    context = _context(tenant)
    try:
        operation = same.prepare(AGAIN, name, variables, context)
    except Refused as refusal:
        return [(error.message, error.path) for error in refusal.errors]
    return context.client.meter.planned, list(operation.run._prefetched)


def _context(tenant: str | None) -> Context:
    client = Client(
        tokens={}, request_id="", tenant_uid=tenant, began=0, deadline=60, meter=Meter(1_000)
    )
    connectors = {"small": _unreachable(4), "large": _unreachable(200)}
    return Context(client, Tenants(connectors=connectors), BOUNDS)


def _unreachable(page_size: int) -> FlowRetail:
    settings = FlowRetailSettings(url="http://127.0.0.1:9", max_page_size=page_size)
    transport = HttpTransport(connections=1)
    return FlowRetail(Upstream("flow_retail", settings, transport, lambda _event: None), settings)


def test_fields_that_cost_rest_calls_are_told_from_those_that_do_not():
    """By their resolvers: what is read is read by a coroutine, or leads to what is."""
    costly = Costly(SCHEMA)
    fields = {
        f"{name}.{field}": costly.field(definition)
        for name, type_ in SCHEMA.type_map.items()
        if not name.startswith("__")
        for field, definition in getattr(type_, "fields", {}).items()
    }

    for free in ("Customer.uid", "Customer.addresses", "CustomerGroup.name", "Tenant.backend"):
        assert not fields[free]
    for dear in (
        "Query.customerGroup",
        "Query.nodes",
        "Query._entities",
        "Customer.customerGroups",
        "CustomerGroupMemberConnection.totalCount",
        "CustomerGroup.customers",
        "Mutation.deleteCustomerGroup",
        "CustomerGroupMembersPayload.customerGroup",
    ):
        assert fields[dear]
