"""The fewest REST calls, in whatever order their answers come: the simulators take another time for
each, drawn by a seed.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.settings import CommercetoolsSettings, TenantSettings
from gateway.simulator.faults import RandomDelay
from tests.harness import TENANT, Flow, Gateway, running_gateway, settings
from tests.two_backends import PROJECT, Commercetools

pytestmark = pytest.mark.slow
SEEDS = 12
QUERY = """
query ($tenant: ID) {
  customerGroups(tenantUid: $tenant, first: 20) {
    nodes { uid customers(first: 20) { nodes { uid customerGroups { uid name } } } }
  }
}
"""
Further = Callable[[random.Random, int], list[int]]
"""By the number of a group on the page, the numbers of further groups that a member of it is in."""
MEMBERS: dict[str, Further] = {
    "in three further groups": lambda draw, _: draw.sample(range(240), 3),
    "in one of three more for each list": lambda draw, at: [20 + 11 * at + draw.randrange(3)],
    "of whom few are in any other": lambda draw, _: (
        [20 + draw.randrange(220)] if draw.random() < 0.1 else []
    ),
    "in two that the others are in": lambda draw, _: [100, 239],
}


PATIENT = {"timeout": 60.0, "connect_timeout": 60.0}
"""A page that comes too late for a busy machine would be replaced by GETs."""


@pytest.fixture
async def gateway(flow: Flow) -> AsyncIterator[Gateway]:
    chosen = settings(flow.url, flow_retail=PATIENT, deadline=120.0)
    async with running_gateway(chosen) as running:
        yield running


@pytest.fixture
async def wide(flow: Flow, commercetools: Commercetools) -> AsyncIterator[Gateway]:
    patient = CommercetoolsSettings(url=commercetools.url, **PATIENT)
    tenants = {"wien": TenantSettings(upstream=patient, project=PROJECT)}
    chosen = settings(flow.url, commercetools=patient, tenants=tenants, deadline=120.0)
    async with running_gateway(chosen) as running:
        yield running


@pytest.mark.parametrize("members", MEMBERS)
async def test_20_groups_x_20_customers_x_their_groups(
    gateway: Gateway,
    flow: Flow,
    members: str,
    record_property: Callable[[str, object], None],
):
    """Over a tenant of 240 groups, which are three pages: one call for the groups, one for each
    group's customers, and three pages, or a GET for each other group where these are fewer.
    """
    uids = flow.add_groups(240)
    draw = random.Random(members)  # noqa: S311  # no secret
    reached = set()
    with flow.store.transaction():
        for number in range(400):
            further = MEMBERS[members](draw, number // 20)
            reached.update(further)
            groups = dict.fromkeys(uids[at] for at in (number // 20, *further))
            flow.add_customer(f"c{number}", *groups)
    others = len([at for at in reached if at >= 20])

    for seed in range(SEEDS):
        flow.faults.clear()
        flow.fail(RandomDelay(0.0, 0.02, seed), times=None)
        flow.journal.clear()
        await gateway.query(QUERY)

        assert len(flow.calls) == 21 + min(3, others), seed
    record_property("REST calls", (f"20 x 20 customers {members}", "any order", len(flow.calls)))


async def test_20_groups_x_20_customers_x_their_groups_in_commercetools(
    wide: Gateway, commercetools: Commercetools
):
    """Of a project of 600 groups, which are two pages."""
    with commercetools.store.transaction():
        uids = sorted(commercetools.add_group(f"Group {number:03}") for number in range(600))
        for number in range(100):
            commercetools.add_customer(uids[number // 5], uids[20 + number * 5])

    for seed in range(SEEDS):
        commercetools.faults.clear()
        commercetools.fail(RandomDelay(0.0, 0.02, seed), times=None)
        commercetools.journal.clear()
        await wide.query(QUERY, {"tenant": "wien"})

        assert len(commercetools.calls) == 21 + 2, seed


async def test_groups_named_and_those_of_their_customers(gateway: Gateway, flow: Flow):
    """Twelve groups by their ids are a page; whoever their customers are with is on it, or on the
    other two.
    """
    uids = flow.add_groups(240)
    with flow.store.transaction():
        for number in range(60):
            flow.add_customer(f"c{number}", uids[number % 12], uids[(number * 37) % 240])
    wanted = [{"__typename": "CustomerGroup", "tenantUid": TENANT, "uid": uid} for uid in uids[:12]]
    query = """query ($wanted: [_Any!]!) { _entities(representations: $wanted) {
      ... on CustomerGroup { customers { nodes { customerGroups { name } } } } } }"""

    for seed in range(SEEDS):
        flow.faults.clear()
        flow.fail(RandomDelay(0.0, 0.02, seed), times=None)
        flow.journal.clear()
        await gateway.query(query, {"wanted": wanted})

        assert len(flow.calls) == 12 + 3, seed


async def test_no_order_of_answers_comes_to_more_than_was_planned(gateway: Gateway, flow: Flow):
    """Groups by uid at several levels, some of which are gone."""
    uids = flow.add_groups(240)
    with flow.store.transaction():
        for number in range(40):
            flow.add_customer(f"c{number}", uids[number % 10], uids[(number * 7) % 240])
    parts = " ".join(
        f'g{at}: customerGroup(by: {{uid: "{uid}"}}) {{ name customers {{ totalCount }} }}'
        for at, uid in enumerate([*uids[::30], "gone", "too"])
    )
    query = f"{{ {parts} customerGroups(last: 3) {{ nodes {{ customers {{ totalCount }} }} }} }}"

    for seed in range(SEEDS):
        flow.faults.clear()
        flow.fail(RandomDelay(0.0, 0.02, seed), times=None)
        flow.journal.clear()
        body = await gateway.ask(query)
        cost = body["extensions"]["cost"]

        assert cost["restCallsMade"] == len(flow.calls) <= cost["restCallsPlanned"], seed
