"""`extensions.rest`: what each REST call of an operation did, and for which fields."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gateway.rest import UpstreamCall
from gateway.settings import CommercetoolsSettings, TenantSettings
from gateway.simulator.faults import Answer, Delay, RandomDelay
from tests.engine.operations import operations
from tests.harness import TENANT, Flow, Gateway, running_flow, running_gateway, settings
from tests.http.test_disconnects import ask_and_leave, until
from tests.two_backends import PROJECT, Commercetools

COSTS = (Path(__file__).parents[2] / "docs" / "costs.md").read_text("utf-8")
MEMBERSHIPS = """{ customerGroups(first: 2) { totalCount nodes {
  customers(first: 5) { nodes { customerGroups { name } } } } } }"""
GROUPS = "customer-groups"
GROUP = "customer-groups/{customerGroupUid}"
MEMBERS = "customer-groups/{customerGroupUid}/customers"


def calls(body: Any) -> list[Any]:
    """What is told of the calls, in order; the network's, and those dropped, are all there were."""
    rest, cost = body["extensions"]["rest"], body["extensions"]["cost"]
    network = [call for call in rest["calls"] if call["source"] == "network"]
    assert (rest["planned"], rest["made"]) == (cost["restCallsPlanned"], cost["restCallsMade"])
    assert len(network) + rest.get("dropped", 0) == cost["restCallsMade"]
    assert [call["start"] for call in rest["calls"]] == sorted(c["start"] for c in rest["calls"])
    hops = {call["hop"] for call in rest["calls"]}
    for call in rest["calls"] if "dropped" not in rest else ():
        assert 0 <= call["start"] <= call["end"]
        assert call["bytes"] is None or call["source"] == "network"
        before = [each for each in rest["calls"] if each["hop"] == call["hop"] - 1]
        # A hop is what could begin no earlier: by something that the hop before it was answered.
        assert call["hop"] == 1 or min(each["end"] for each in before) <= call["start"] + 0.02
    assert hops == set(range(1, len(hops) + 1)) or "dropped" in rest
    return list(rest["calls"])


def told(body: Any) -> list[tuple[int, str, Sequence[str]]]:
    """Hop, template and fields of the network's calls."""
    return [
        (call["hop"], call["template"].partition("}/")[2], call["fields"])
        for call in calls(body)
        if call["source"] == "network"
    ]


def shared(body: Any) -> list[tuple[int, str, Sequence[str]]]:
    """Of fields that were answered by a call that was made for others."""
    return [
        (call["hop"], call["template"].partition("}/")[2], call["fields"])
        for call in calls(body)
        if call["source"] == "operation"
    ]


async def test_each_call_is_told_with_what_it_was_for(gateway: Gateway, flow: Flow):
    """Its hop, times, status, rows and bytes; a total comes with its list, and groups that a list
    has shown with that.
    """
    flow.add_groups(2)
    flow.add_customers(3, "g000")

    body = await gateway.ask(MEMBERSHIPS)

    members = "customerGroups.nodes.customers"
    assert told(body) == [
        (1, GROUPS, ["customerGroups.totalCount", "customerGroups"]),
        (2, MEMBERS, [members]),
        (2, MEMBERS, [members]),
    ]
    assert shared(body) == [(3, GROUPS, [f"{members}.nodes.customerGroups"])]
    first = calls(body)[0]
    assert first["bytes"] > 100
    assert first | {"start": 0, "end": 0, "bytes": 0} == {
        "hop": 1,
        "backend": "flow_retail",
        "tenant": TENANT,
        "method": "GET",
        "template": "/tenants/{tenantUid}/customer-groups",
        "start": 0,
        "end": 0,
        "attempt": 1,
        "status": 200,
        "rows": 2,
        "bytes": 0,
        "fields": ["customerGroups.totalCount", "customerGroups"],
        "source": "network",
    }
    assert "g000" not in json.dumps(body["extensions"])


async def test_the_page_on_costs_has_an_example(gateway: Gateway, flow: Flow):
    """Its query and what is told, but for how long it takes."""
    flow.add_group("gold", "Gold members")
    flow.add_customers(3, "gold")
    part = COSTS.partition("\n## What it did\n")[2]
    query = re.findall(r"^`({.+})`:$", part, re.MULTILINE)[0]
    shown = json.loads(re.findall(r"```json\n(.+?)```", part, re.DOTALL)[0])

    rest = (await gateway.ask(query))["extensions"]["rest"]

    for call in (*rest["calls"], *shown["calls"]):
        del call["start"], call["end"]
    assert rest == shown


async def test_windows_that_share_a_read_are_fields_of_one_call(gateway: Gateway, flow: Flow):
    """Under their aliases; another order is another call."""
    flow.add_groups(9)

    body = await gateway.ask(
        "{ a: customerGroups(first: 2) { nodes { name } } t: customerGroups { totalCount }"
        " b: customerGroups(first: 2, offset: 3) { edges { cursor } }"
        " c: customerGroups(first: 2, orderBy: {field: NAME}) { nodes { name } } }"
    )

    assert sorted(told(body), key=str) == [
        (1, GROUPS, ["a", "b"]),
        (1, GROUPS, ["t.totalCount", "c"]),
    ]


async def test_what_is_prefetched_is_told_for_the_field_that_asks_later(
    gateway: Gateway, flow: Flow
):
    """Both calls are in the first hop; each group's call is for its own field."""
    flow.add_groups(2)

    body = await gateway.ask(
        '{ a: customerGroup(by: {uid: "g000"}) { name customers { nodes { uid } } }'
        ' b: customerGroup(by: {uid: "g001"}) { name } }'
    )

    assert sorted(told(body), key=str) == [
        (1, GROUP, ["a"]),
        (1, GROUP, ["b"]),
        (1, MEMBERS, ["a.customers"]),
    ]


async def test_fields_of_one_connection_ask_once(gateway: Gateway, flow: Flow):
    """However many there are of a list that was prefetched, and is there before its group: what it
    leads to is in the next hop.
    """
    flow.add_groups(2)
    flow.fail(Answer(503))  # the group's
    flow.add_customer("ada", "g000", "g001")

    body = await gateway.ask(
        '{ customerGroup(by: {uid: "g000"}) { name customers { pageInfo { hasNextPage }'
        " nodes { customerGroups { name } } } } }"
    )

    assert (2, GROUP, ["customerGroup.customers.nodes.customerGroups"]) in told(body)


async def test_groups_that_are_gathered_are_fields_of_the_pages(gateway: Gateway, flow: Flow):
    """One page, in the hop behind the lists that have led to the groups; those asked for again
    later, by another field, are told as answered already.
    """
    uids = flow.add_groups(40)
    for number in range(6):
        flow.add_customer(f"c{number}", uids[number % 2], uids[30 + number])
    again = "customerGroups { name }"

    body = await gateway.ask(MEMBERSHIPS.replace(again, f"{again} x: {again}"))

    by = "customerGroups.nodes.customers.nodes."
    *_, page = told(body)
    assert page == (3, GROUPS, [by + "customerGroups", by + "x"])
    assert {hop for hop, _, _ in shared(body)} == {3}


async def test_a_group_asked_for_again_is_answered_by_the_first_call(gateway: Gateway, flow: Flow):
    """By another field, once the answer is there; whatever that leads to is a hop further on."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")

    body = await gateway.ask(
        '{ customerGroup(by: {uid: "gold"}) { name customers { nodes {'
        " customerGroups { name customers(first: 1, offset: 1) { nodes { uid } } } } } } }"
    )

    deep = "customerGroup.customers.nodes.customerGroups"
    assert shared(body) == [(2, GROUP, [deep])]
    assert told(body)[-1] == (3, MEMBERS, [f"{deep}.customers"])


async def test_the_second_page_of_a_window_is_a_hop_further_on(gateway: Gateway, flow: Flow):
    """Where the end is, only the first page tells."""
    flow.add_groups(130)

    body = await gateway.ask("{ customerGroups(last: 2) { nodes { uid } } }")

    assert told(body) == [(1, GROUPS, ["customerGroups"]), (2, GROUPS, ["customerGroups"])]
    assert [call["rows"] for call in calls(body)] == [100, 2]


async def test_a_repeat_is_a_call_of_the_same_hop(gateway: Gateway, flow: Flow):
    """With the pause as a gap, and the first attempt's cause."""
    flow.add_group("gold")
    flow.fail(Answer(503))

    first, second = calls(await gateway.ask('{ customerGroup(by: {uid: "gold"}) { name } }'))

    assert (first["attempt"], first["status"], first["cause"]) == (1, 503, "status 503")
    assert (second["attempt"], second["status"], second["hop"]) == (2, 200, 1)
    assert "cause" not in second
    assert first["fields"] == second["fields"] == ["customerGroup"]
    assert second["start"] > first["end"]


async def test_calls_without_an_answer_have_their_cause(flow: Flow):
    """No status, where none came; what was never looked at has no bytes."""
    flow.add_groups(2)
    flow.fail(Answer(429, b"{}"), path="g000")
    flow.fail(Delay(9), path="g001", times=None)
    chosen = settings(flow.url, flow_retail={"timeout": 0.3, "retries": 0})

    async with running_gateway(chosen) as gateway:
        body = await gateway.ask(
            '{ a: customerGroup(by: {uid: "g000"}) { name }'
            ' b: customerGroup(by: {uid: "g001"}) { name } }'
        )

    assert {
        field: (call["status"], call["cause"], call["rows"], call["bytes"])
        for call in calls(body)
        for field in call["fields"]
    } == {"a": (429, "status 429", None, None), "b": (None, "timeout: answer", None, None)}


async def test_a_call_that_was_not_sent_is_not_told(flow: Flow):
    """It waited for its turn until the operation's time was over."""
    flow.add_groups(2)
    flow.fail(Delay(9), times=None)
    chosen = settings(flow.url, flow_retail={"concurrency": 1})

    async with running_gateway(chosen) as gateway:
        body = await gateway.ask(
            '{ a: customerGroup(by: {uid: "g000"}) { name }'
            ' b: customerGroup(by: {uid: "g001"}) { name } }',
            headers={"X-Request-Timeout": "0.5"},
        )

    [call] = calls(body)
    assert (call["status"], call["cause"]) == (None, "timeout: deadline")


async def test_a_change_and_what_is_read_after_it(gateway: Gateway, flow: Flow):
    """One change is behind the other, and what its payload shows is behind the change."""
    flow.add_group("gold")
    flow.add_customer("ada")

    body = await gateway.ask(
        """mutation {
          a: updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "Or"}) {
            customerGroup { name customers { totalCount } } }
          b: updateCustomerGroupMembers(
            input: {customerGroup: {uid: "gold"}, addCustomerUids: ["ada"]}) {
            results { status } customerGroup { name customers { totalCount } } } }"""
    )

    assert told(body) == [
        (1, GROUP, ["a"]),
        (2, MEMBERS, ["a.customerGroup.customers.totalCount"]),
        (3, MEMBERS, ["b"]),
        (4, GROUP, ["b.customerGroup"]),
        (5, MEMBERS, ["b.customerGroup.customers.totalCount"]),
    ]


async def test_the_customers_of_an_edit_are_one_hop(flow: Flow, commercetools: Commercetools):
    """However few are changed at a time: none waits for what another is answered."""
    group = commercetools.add_group("Gold")
    uids = [commercetools.add_customer(email=f"c{at}@example.org") for at in range(7)]
    two = CommercetoolsSettings(url=commercetools.url, membership_concurrency=2)
    tenants = {"wien": TenantSettings(upstream=two, project=PROJECT)}
    edit = "mutation ($uids: [ID!]!) { edit: updateCustomerGroupMembers(input: {tenantUid: "
    edit += f'"wien", customerGroup: {{uid: "{group}"}}, addCustomerUids: $uids}}) '

    chosen = settings(flow.url, commercetools=two, tenants=tenants)
    async with running_gateway(chosen) as gateway:
        body = await gateway.ask(edit + "{ results { status } } }", {"uids": uids})

    changes = [call for call in calls(body) if call["method"] == "POST"]
    assert [(call["template"], call["fields"]) for call in changes] == [
        ("/{projectKey}/customers/{id}", ["edit"])
    ] * 7
    [hop] = {call["hop"] for call in changes}
    assert {call["hop"] for call in calls(body) if call["method"] == "GET"} == {*range(1, hop)}
    assert uids[0] not in json.dumps(body["extensions"])


async def test_both_backends_and_entities(wide: Gateway, flow: Flow, commercetools: Commercetools):
    """Each call says whose it is."""
    flow.add_group("gold")
    there = commercetools.add_group("Gold")
    wanted = [
        {"__typename": "CustomerGroup", "tenantUid": tenant, "uid": uid}
        for tenant, uid in ((TENANT, "gold"), ("wien", there))
    ]

    body = await wide.ask(
        """query ($wanted: [_Any!]!) { _entities(representations: $wanted) {
          ... on CustomerGroup { name customers { totalCount } } } }""",
        {"wanted": wanted},
    )

    found = [(call["backend"], call["tenant"], call["fields"]) for call in calls(body)]
    assert sorted(found) == [
        (backend, tenant, fields)
        for backend, tenant in (("commercetools", "wien"), ("flow_retail", TENANT))
        for fields in (["_entities"], ["_entities.customers.totalCount"])
    ]


@pytest.mark.slow
async def test_at_most_200_calls_are_listed(flow: Flow):
    """The others are counted."""
    flow.add_groups(220)

    async with running_gateway(
        settings(flow.url, max_rest_calls=1_000, max_page_size=220)
    ) as gateway:
        body = await gateway.ask(
            "{ customerGroups(first: 220) { nodes { customers { totalCount } } } }"
        )

    assert len(calls(body)) == 200
    assert body["extensions"]["rest"]["dropped"] == body["extensions"]["rest"]["made"] - 200


async def test_nothing_is_told_in_production(flow: Flow):
    """Whoever asks for the cost gets that alone; a refused operation has made no call."""
    production = settings(flow.url, profile="production")
    async with running_gateway(production) as gateway:
        body = await gateway.ask(MEMBERSHIPS, headers={"X-Show-Cost": "true"})

    assert body["extensions"].keys() == {"cost"}


async def test_an_operation_without_calls_has_none(gateway: Gateway):
    """One that is refused has no data either, and nothing is told."""
    body = await gateway.ask("{ __typename }")

    assert body["extensions"]["rest"] == {"planned": 0, "made": 0, "calls": []}
    assert "rest" not in (await gateway.ask("{ nobody }")).get("extensions", {})


async def test_what_explains_never_makes_a_response_too_large(flow: Flow):
    """It is left out, and the data are there."""
    flow.add_groups(2)
    async with running_gateway(settings(flow.url, max_response_body=700)) as gateway:
        body = await gateway.ask(MEMBERSHIPS)

    assert body["data"]["customerGroups"]["totalCount"] == 2
    assert body["extensions"].keys() == {"cost"}


async def test_an_operation_whose_client_left_is_told_to_nobody(gateway: Gateway, flow: Flow):
    """The next one tells its own calls alone."""
    flow.add_groups(2)
    flow.fail(Delay(0.3))
    await ask_and_leave(gateway, MEMBERSHIPS, once=lambda: len(flow.calls) == 1)
    await until(lambda: any(isinstance(event, UpstreamCall) for event in gateway.events))

    assert len(told(await gateway.ask(MEMBERSHIPS))) == 3


UIDS = [f"g{number:03}" for number in range(12)]


@pytest.mark.slow
@given(
    query=operations(
        tenant=TENANT, groups=[*UIDS, "gone"], cursors=lambda _: ["?"], unbounded=True
    ),
    seed=st.integers(0, 99),
)
@examples(max_examples=60, suppress_health_check=list(HealthCheck))
def test_all_calls_are_told_whatever_is_asked(query: str, seed: int):
    """In hops, in whatever order answers come, and some calls fail."""

    async def asked() -> None:
        flow = Flow()
        flow.add_groups(12)
        for number in range(20):
            flow.add_customer(f"c{number}", UIDS[number % 5], UIDS[number * 7 % 12])
        flow.fail(Answer(503), times=1)
        flow.fail(RandomDelay(0.0, 0.01, seed), times=None)
        async with running_flow(flow), running_gateway(settings(flow.url)) as gateway:
            body = await gateway.ask(query)
            if "data" in body:
                calls(body)
                assert "g00" not in json.dumps(body["extensions"]["rest"])

    asyncio.run(asked())
