"""Documents that are made to be expensive, through the whole gateway: nobody else waits long."""

from __future__ import annotations

import json
import time
from itertools import product

import pytest

from gateway.schema.relay import global_id
from gateway.simulator.faults import Answer
from tests.attacks import ATTACKS
from tests.conftest import Stalled
from tests.harness import Flow, running_gateway, settings
from tests.stalls import longest_stall, slowness

ALLOWED = 0.1
BY_VARIABLES_ALLOWED = 0.15
"""80 ms on the machine that this was written on."""


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["development", "production"])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_keeps_nobody_waiting(flow: Flow, attack, profile, stalled: Stalled):
    """Read, refused or run: the event loop stands still for at most 100 ms, of which reading may
    take 50 (see tests/engine). Those that are refused cost no REST call.
    """
    flow.add_group("gold")
    chosen = settings(flow.url, profile=profile, document_cache=0)
    async with running_gateway(chosen) as gateway:
        await gateway.ask("{ customerGroups { nodes { name } } }")
        flow.journal.clear()

        async def send() -> None:
            body = await gateway.ask(ATTACKS[attack])
            assert "data" in body or flow.calls == []

        seconds = await longest_stall(send, allowed=ALLOWED)

    stalled(f"{attack}, over HTTP", profile, seconds)
    assert seconds <= ALLOWED


@pytest.mark.slow
async def test_a_long_accept_header_keeps_nobody_waiting(flow: Flow):
    """Of this one not all is read."""
    accept = "a/b, " * 6_000 + "application/json"
    async with running_gateway(settings(flow.url)) as gateway:
        await gateway.ask("{ __typename }")

        async def send() -> None:
            await gateway.post("{ __typename }", headers={"Accept": accept})

        seconds = await longest_stall(send, allowed=ALLOWED)

    assert seconds <= ALLOWED


IDS = "query ($l: [ID!]!) {{ {} }}"


def _custom_fields(changes: int, *, each: int) -> tuple[str, list[dict[str, object]]]:
    """So many changes in one operation, which share a list of custom fields."""
    change = 'updateCustomerGroup(input: {customerGroup: {uid: "a"}, customFields: $l})'
    aliased = " ".join(f"m{n}: {change} {{ userErrors {{ code }} }}" for n in range(changes))
    fields: list[dict[str, object]] = [{"name": f"f{n}", "value": 1} for n in range(each)]
    return f"mutation ($l: [CommercetoolsCustomerCustomFieldInput!]) {{ {aliased} }}", fields


BY_VARIABLES = {
    "ids, 25 times": (
        IDS.format(" ".join(f"r{n}: nodes(ids: $l) {{ __typename }}" for n in range(25))),
        ["x"] * 24_000,
    ),
    "ids, once": (
        IDS.format("nodes(ids: $l) { __typename }"),
        [f"x{n}" for n in range(24_000)],
    ),
    "one id": (IDS.format("nodes(ids: $l) { __typename }"), ["x"] * 24_000),
    "one group": (
        IDS.format("nodes(ids: $l) { id __typename ... on CustomerGroup { uid name } }"),
        [global_id("CustomerGroup", "shop", "gold")] * 24_000,
    ),
    "one entity": (
        "query ($l: [_Any!]!) { _entities(representations: $l) { ... on Tenant { uid } } }",
        [{"__typename": "Tenant", "uid": "shop"}] * 8_000,
    ),
    "ids of groups, and fields": (
        IDS.format(
            "nodes(ids: $l) { ... on CustomerGroup { "
            + " ".join(f"a{n}: customers(offset: 0) {{ totalCount }}" for n in range(30))
            + " } }"
        ),
        [global_id("CustomerGroup", "shop", f"g{n}") for n in range(1_000)],
    ),
    "ids of tenants": (
        IDS.format("nodes(ids: $l) { ... on CustomerGroup { customers { totalCount } } }"),
        [global_id("CustomerGroup", f"t{n}", "gold") for n in range(1_000)],
    ),
    "representations": (
        "query ($l: [_Any!]!) { _entities(representations: $l) { __typename } }",
        [{"__typename": "CustomerGroup", "x": [1] * 20}] * 1_000,
    ),
    "custom fields, once": _custom_fields(1, each=8_000),
    "custom fields, as many as may be": _custom_fields(16, each=500),
    "custom fields": _custom_fields(25, each=8_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", BY_VARIABLES)
async def test_an_attack_by_variables_keeps_nobody_waiting(flow: Flow, attack, stalled: Stalled):
    """Short documents over long lists: counted, estimated or refused without going through all."""
    query, values = BY_VARIABLES[attack]
    async with running_gateway(settings(flow.url)) as gateway:
        await gateway.ask("{ customerGroups { nodes { name } } }")

        async def send() -> None:
            await gateway.ask(query, {"l": values})

        seconds = await longest_stall(send, allowed=BY_VARIABLES_ALLOWED)

    stalled(f"{attack}, by variables", "development", seconds)
    assert seconds <= BY_VARIABLES_ALLOWED


WORTH = 4
"""Seconds of processor time that all of an answer may take; those below took ten where they were
not run by a plan, and now take 0.6 at most, but for the garbage of other tests.
"""
THEIR_GROUPS = (
    '{ customerGroup(by: {uid: "g000"}) { customers(first: 100) { nodes { customerGroups { '
)
SAME_GROUPS = {
    "groups of customers": (
        THEIR_GROUPS
        + " ".join(f"c{n}: customers(first: 1) {{ totalCount }}" for n in range(9))
        + " } } } } }",
        [],
    ),
    "groups with lists": (
        THEIR_GROUPS
        + " ".join(
            f"c{n}: customers(first: 0) {{ nodes {{ customerGroups {{ uid }} }} }}"
            for n in range(9)
        )
        + " } } } } }",
        [],
    ),
    "nodes": (
        IDS.format(
            "nodes(ids: $l) { ... on CustomerGroup { "
            + " ".join(
                f"c{n}: customers {{ totalCount pageInfo {{ endCursor }} }}" for n in range(20)
            )
            + " } }"
        ),
        [global_id("CustomerGroup", "shop", f"g{n % 40:03}") for n in range(1_000)],
    ),
    "tenants": (
        "query ($l: [_Any!]!) { _entities(representations: $l) { ... on Tenant { "
        + " ".join(f"c{n}: customerGroups {{ totalCount }}" for n in range(60))
        + " } } }",
        [{"__typename": "Tenant", "uid": "shop"}] * 1_000,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("many", "way", "failing"),
    [
        *product(["groups of customers"], ["alone", "introspection", "a change"], [0, 1, 89]),
        *product(["groups with lists"], ["alone", "introspection", "a change"], [0, 1, 89]),
        *product(["nodes"], ["alone", "introspection"], [0, 1, 39]),
        *product(["tenants"], ["alone", "introspection"], [0]),
    ],
)
async def test_the_same_in_many_places_keeps_nobody_waiting(
    flow: Flow, many, way, failing, stalled: Stalled
):
    """A few groups, each shown a hundred times with connections of its own; whether a plan is run
    or graphql-core makes the answer, and whether the connections can be read.
    """
    query, values = SAME_GROUPS[many]
    if way == "introspection":
        query = f"{query.rpartition('}')[0]} __schema {{ queryType {{ name }} }} }}"
    if way == "a change":
        change = 'it: updateCustomerGroup(input: {customerGroup: {uid: "g000"}, name: "G"})'
        before, _, below = query.partition('customerGroup(by: {uid: "g000"})')
        query = f"mutation {before} {change} {{ customerGroup {below} }}"
    groups = flow.add_groups(90)
    flow.add_customers(100, *groups)
    for group in groups[1 : 1 + failing]:
        flow.fail(Answer(500), path=f"{group}/customers", times=None)
    # A busy machine takes longer for all of it than the gateway gives an operation.
    patient = settings(flow.url, deadline=120, flow_retail={"retries": 0, "timeout": 100})
    async with running_gateway(patient) as gateway:

        async def send() -> None:
            body = await gateway.ask(query, {"l": values})
            assert ("errors" in body) == (failing > 0)
            if failing and many.startswith("groups"):
                more = failing * 100 * 9 - 100
                assert body["errors"][-1]["message"] == f"And {more} more errors."

        before = slowness()
        began = time.process_time()
        await send()
        took = (time.process_time() - began) / max(before, slowness())
        seconds = await longest_stall(send, allowed=BY_VARIABLES_ALLOWED)

    stalled(f"the same {many}, {way}, {failing} failing", "development", seconds)
    assert seconds <= BY_VARIABLES_ALLOWED
    assert took <= WORTH


@pytest.mark.slow
@pytest.mark.parametrize("way", ["alone", "a change"])
async def test_rows_that_can_not_be_shown_in_many_places_keep_nobody_waiting(
    flow: Flow, way, stalled: Stalled
):
    """Ten of each list, in 9,000 places: most of what is left out is only counted."""
    first = "customers(first: 10)"
    query = THEIR_GROUPS + " ".join(f"c{n}: {first} {{ nodes {{ uid }} }}" for n in range(9))
    query += " } } } } }"
    if way == "a change":
        change = 'it: updateCustomerGroup(input: {customerGroup: {uid: "g000"}, name: "G"})'
        query = query.replace('customerGroup(by: {uid: "g000"})', f"{change} {{ customerGroup")
        query = f"mutation {query} }}"
    groups = flow.add_groups(90)
    flow.add_customers(100, *groups)
    paging = {"pageNumber": 1, "pageSize": 10, "totalCount": 10}
    broken = json.dumps({"items": [{}] * 10, "paging": paging}).encode()
    for group in groups[1:]:
        flow.fail(Answer(200, broken), path=f"{group}/customers", times=None)
    async with running_gateway(settings(flow.url, deadline=120)) as gateway:

        async def send() -> None:
            body = await gateway.ask(query)
            assert body["errors"][-1]["message"] == f"And {89 * 100 * 9 * 10 - 100} more errors."

        seconds = await longest_stall(send, allowed=BY_VARIABLES_ALLOWED)

    stalled(f"rows that can not be shown, {way}", "development", seconds)
    assert seconds <= BY_VARIABLES_ALLOWED


@pytest.mark.slow
async def test_few_rows_with_many_fields_are_not_all_shown(flow: Flow):
    """Each of a few thousand rows under 75 names of a dozen fields: refused when it is too much."""
    groups = flow.add_groups(30)
    for number in range(100):
        flow.add_customer(f"c{number}", *groups)
    tenants = " ".join(f"t{n}: tenant {{ ...T }}" for n in range(75))
    query = f"""{{ customerGroup(by: {{uid: "g000"}}) {{ customers(first: 100) {{ nodes {{
            customerGroups {{ {tenants} }} }} }} }} }}
        fragment T on Tenant {{ uid backend {{ kind capabilities {{ chosenUids }} }} }}"""
    async with running_gateway(settings(flow.url)) as gateway:
        body = await gateway.ask(query)

    assert {error["extensions"]["limit"] for error in body["errors"]} >= {"max_values"}
