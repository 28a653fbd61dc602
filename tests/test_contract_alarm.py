"""Answers that deviate from their documents are noticed while serving, and nothing else happens."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import datetime

import pytest

from gateway.app import CONTRACTS
from gateway.contract_alarm import (
    MAX_BODY,
    MAX_COMMAS,
    MAX_MEMBERS,
    MAX_ROW,
    ROWS,
    UNKNOWN,
    ContractAlarm,
)
from gateway.rest import SampledAnswer, UnusableAnswer
from gateway.simulator.commercetools import demo_data as commercetools_data
from gateway.simulator.faults import Body, Delay, InvalidJson, Truncate
from gateway.simulator.flow_retail import demo_data as flow_data
from gateway.telemetry import ContractDeviation, OperationDone
from gateway.telemetry.log_lines import HOUR, Log
from gateway.telemetry.log_output import Line
from tests.answers import ADA, as_documented, values
from tests.harness import TENANT, Events, Flow, Gateway, Measured, running_measured, settings
from tests.http.test_disconnects import until
from tests.two_backends import PROJECT, Commercetools

FLOW_GROUPS = "/tenants/{tenantUid}/customer-groups"
FLOW_GROUP = f"{FLOW_GROUPS}/{{customerGroupUid}}"
FLOW_MEMBERS = f"{FLOW_GROUP}/customers"
SHOP_GROUPS = "/{projectKey}/customer-groups"
GROUPS = "{ customerGroups(first: 2) { nodes { name } } }"
GROUP = '{ customerGroup(by: {uid: "gold"}) { name } }'
MEMBERS = '{ customerGroup(by: {uid: "gold"}) { customers(first: 2) { nodes { uid } } } }'
MAKE = 'mutation { createCustomerGroup(input: {name: "Silver"}) { userErrors { code } } }'
RENAME = (
    'mutation { updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "B"})'
    " { userErrors { code } } }"
)
CALLS = [
    ("flow_retail", "GET", FLOW_GROUPS, GROUPS),
    ("flow_retail", "POST", FLOW_GROUPS, MAKE),
    ("flow_retail", "GET", FLOW_GROUP, GROUP),
    ("flow_retail", "PUT", FLOW_GROUP, RENAME),
    ("flow_retail", "GET", FLOW_MEMBERS, MEMBERS),
    ("commercetools", "GET", SHOP_GROUPS, GROUPS),
    ("commercetools", "POST", SHOP_GROUPS, MAKE),
    ("commercetools", "GET", f"{SHOP_GROUPS}/{{id}}", GROUP),
    ("commercetools", "GET", "/{projectKey}/customers", MEMBERS),
]


def answer(flow: Flow | Commercetools, what: object, *, method: str = "GET", path: str) -> None:
    body = what if isinstance(what, bytes) else json.dumps(what).encode()
    flow.fail(Body(body), method=method, path=path, times=None)


NEEDED = {"customerGroupUid", "id", "name"}
"""What a group's record can't be used without; of a page, another row may be usable."""
HERE = "what deviates"


def leaf(value):
    return value.type not in ("object", "list", "anything") and value.member not in NEEDED


KINDS = {
    "wrong_type": leaf,
    "null": leaf,
    "missing": lambda value: leaf(value) and value.required and not value.member.endswith("[]"),
    "unknown_value": lambda value: value.values is not None,
    "unknown_member": lambda value: value.members is not None,
}


def deviating(value, kind):
    """An answer in which all members deviate in this way that can."""
    made = as_documented(value, lambda each: HERE if KINDS[kind](each) else None)
    match kind:
        case "unknown_member":
            made = as_documented(value)
            inside(made, value)
        case "missing":
            made = json.loads(json.dumps(made), object_hook=without_here)
        case "wrong_type" | "null":
            instead = json.dumps([ADA] if kind == "wrong_type" else None)
            made = json.loads(json.dumps(made).replace(f'"{HERE}"', instead))
    return made


def without_here(holder):
    return {name: what for name, what in holder.items() if what != HERE}


def inside(made, value):
    if value.members is not None:
        made["surname"] = ADA
        for name, inner in value.members.items():
            inside(made[name], inner)
    elif value.items is not None:
        inside(made[0], value.items)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("backend", "method", "template", "query"), CALLS)
async def test_each_member_of_each_record_that_deviates_is_told(
    wide: Gateway, flow: Flow, commercetools: Commercetools, backend, method, template, query, kind
):
    """Over HTTP, whichever call has been answered so; and no value."""
    simulated, tenant = (flow, TENANT) if backend == "flow_retail" else (commercetools, "wien")
    contract = CONTRACTS[backend][method, template]
    path = template.rpartition("/")[2].replace("{customerGroupUid}", "gold").replace("{id}", "gold")
    answer(simulated, deviating(contract.answer, kind), method=method, path=f"/{path}$")
    flow.add_group("gold")
    commercetools.store.add_group(PROJECT, "Gold", id="gold")

    await wide.post(query, headers={"X-Tenant": tenant})
    await asyncio.sleep(0)

    told = {each.member for each in wide.events.deviations if each.kind == kind}
    places = filter(KINDS[kind], values(contract.answer))
    paths = {each.member for each in places}
    if kind == "unknown_member":
        paths = {f"{path}.surname".removeprefix("$.") for path in paths}
    assert paths or kind == "unknown_value"
    assert told == paths
    assert "Ada" not in str(wide.events.deviations)


async def told_of(gateway: Gateway, query: str = MEMBERS) -> list[tuple[str, str]]:
    await gateway.post(query)
    await asyncio.sleep(0)
    return [(each.member, each.kind) for each in gateway.events.deviations]


@pytest.fixture
async def measured(flow: Flow):
    flow.add_group("gold")
    async with running_measured(settings(flow.url)) as running:
        yield running


def members(**changes: object) -> dict:
    """A page of one customer, as documented but for this."""
    page = as_documented(CONTRACTS["flow_retail"]["GET", FLOW_MEMBERS].answer)
    page["items"][0] |= changes
    return page


@pytest.mark.slow
async def test_what_the_simulators_answer_is_as_documented(wide: Gateway, flow, commercetools):
    """The demo's data, of both."""
    commercetools_data.fill(commercetools.store, PROJECT, groups=30, customers=200)
    flow_data.fill(flow.store, TENANT, groups=30, customers=200)
    query = "{ customerGroups(first: 30) { nodes { customers(first: 20) { nodes { uid } } } } }"
    for tenant in (TENANT, "wien"):
        assert (await wide.query(query, headers={"X-Tenant": tenant}))["customerGroups"]["nodes"]
    await asyncio.sleep(0)

    assert {(each.member, each.known) for each in wide.events.deviations} == set()


async def test_answers_are_looked_at_after_their_operation(gateway: Gateway, flow: Flow):
    """Not while it runs, nor after another one."""
    for uid in ("gold", "late"):
        flow.add_group(uid)
    flow.fail(Delay(60), path="/late/customers")
    answer(flow, members(shoeSize=42), path="/gold/customers")
    both = MEMBERS.replace("{ customer", "{ a: customer", 1)[:-1] + MEMBERS[1:].replace(
        "gold", "late"
    )
    asking = asyncio.create_task(gateway.post(both))
    await until(
        lambda: (
            {"GET customer-groups/gold/customers", "GET customer-groups/late/customers"}
            <= {*flow.calls}
        )
    )
    await gateway.post(GROUPS)
    assert gateway.events.deviations == []

    asking.cancel()
    await until(lambda: gateway.events.deviations)
    assert [each.member for each in gateway.events.deviations] == ["items[].shoeSize"]


@pytest.mark.slow
async def test_one_answer_a_second_is_looked_at(gateway: Gateway, flow: Flow):
    """Of each call: the others are not waited for."""
    flow.add_group("gold")
    answer(flow, members(shoeSize=42), path="/customers")

    began = asyncio.get_running_loop().time()
    for _ in range(5):
        await gateway.post(MEMBERS)
    await asyncio.sleep(0)

    took = asyncio.get_running_loop().time() - began
    assert 1 <= len(gateway.events.deviations) <= 1 + took


@pytest.mark.parametrize(
    "fault",
    [
        InvalidJson(),
        Truncate(40),
        Body(b""),
        Body(b"[]"),
        Body(b"null"),
        Body(b"{}"),
        Body(b'{"paging": {}}'),
        Body(b'{"items": 1, "paging": {}}'),
        Body(b'{"items": {"new": 1}, "new": 1}'),
        Body(b"[" * 100_000),
    ],
)
async def test_what_can_not_be_read_at_all_is_left_to_others(gateway: Gateway, flow: Flow, fault):
    """They count it; it is not counted twice."""
    flow.add_group("gold")
    flow.fail(fault, path="/customers", times=None)

    assert await told_of(gateway) == []
    unusable = [each for each in gateway.events if isinstance(each, UnusableAnswer)]
    assert len(unusable) == (not isinstance(fault, Truncate))


async def test_a_record_that_can_not_be_used_is_left_to_others(gateway: Gateway, flow: Flow):
    """Though it can be read."""
    flow.add_group("gold")
    answer(flow, {"name": "Gold", "new": 1}, path="/gold$")

    assert await told_of(gateway, GROUP) == []


async def test_a_list_that_is_null_is_told(gateway: Gateway, flow: Flow):
    """It is taken for an empty one, so nobody else tells."""
    flow.add_group("gold")
    answer(flow, members() | {"items": None}, path="/customers")

    assert await told_of(gateway) == [("items", "null")]


# -- what an operator sees


async def test_the_metrics_count_deviations(measured: Measured, flow: Flow):
    """Those that the documents show themselves apart."""
    answer(flow, members(shoeSize=42, accountingConfigs=[]), path="/customers")

    await told_of(measured)

    scraped = await measured.scrape()
    total = "gateway_contract_deviations_total"
    labels = {"backend": "flow_retail", "template": FLOW_MEMBERS, "kind": "unknown_member"}
    assert scraped.value(total, member="items[].shoeSize", known="false", **labels) == 1
    assert scraped.value(total, member="items[].accountingConfigs", known="true", **labels) == 1
    assert scraped.value(total) == 2


async def test_the_page_lists_deviations(measured: Measured, flow: Flow):
    """The unknown first; with times, and an example's shape."""
    answer(flow, members(email=[ADA], accountingConfigs=[ADA]), path="/customers")
    await told_of(measured)

    response = await measured.client.get(f"{measured.management}/contract")

    rows = response.json()["deviations"]
    times = [(row.pop("first"), row.pop("last")) for row in rows]
    for first, last in times:
        assert datetime.fromisoformat(first) <= datetime.fromisoformat(last)
        assert abs(time.time() - datetime.fromisoformat(last).timestamp()) < 600
    shared = {"backend": "flow_retail", "template": FLOW_MEMBERS, "count": 1}
    assert response.headers["content-type"] == "application/json"
    assert rows == [
        shared
        | {"member": "items[].email", "kind": "wrong_type", "known": False, "example": "list of 1"},
        shared
        | {
            "member": "items[].accountingConfigs",
            "kind": "unknown_member",
            "known": True,
            "example": "list of 1",
        },
    ]


async def test_the_page_is_empty_where_all_is_as_documented(measured: Measured):
    """And is not shown to clients."""
    assert await told_of(measured, GROUPS) == []

    page = await measured.client.get(f"{measured.management}/contract")
    assert page.json() == {"deviations": []}
    assert (await measured.client.get(f"{measured.url}/contract")).status_code == 404


@pytest.mark.slow
async def test_no_value_is_shown_anywhere(measured: Measured, flow: Flow, caplog):
    """Whatever deviates: not on the page, in metrics, or in the log."""
    contract = CONTRACTS["flow_retail"]["GET", FLOW_MEMBERS]
    page = as_documented(contract.answer, lambda each: {ADA: ADA} if each.items is None else None)
    page = {"items": [{**deviating(contract.answer, "wrong_type")["items"][0], ADA: 1}], ADA: page}
    answer(flow, page, path="/customers")

    with caplog.at_level(logging.DEBUG, logger="gateway"):
        assert len(await told_of(measured)) > 20

    shown = [
        await measured.client.get(f"{measured.management}/{p}") for p in ("contract", "metrics")
    ]
    assert "Ada" not in caplog.text + "".join(each.text for each in shown)


def deviation(**changes: object) -> ContractDeviation:
    said = {"backend": "b", "template": "/x", "member": "a", "kind": "missing", "example": "absent"}
    return ContractDeviation(**{**said, "known": False, **changes})


def test_the_log_has_one_line_an_hour(caplog):
    """For each member and kind; none for what the documents show themselves."""
    now = [0.0]
    log = Log(clock=lambda: now[0])
    for _ in range(3):
        log(deviation())
        log(deviation(kind="null"))
        log(deviation(member="b", known=True))
    now[0] = HOUR + 1
    log(deviation())

    lines = [record.msg for record in caplog.records if isinstance(record.msg, Line)]
    said = "contract_deviation backend=b template=/x member=a kind=%s example=absent"
    assert [str(line) for line in lines] == [said % k for k in ("missing", "null", "missing")]


# -- how much is looked at


def looked_at(body: bytes, *, turns: int = 1) -> list[ContractDeviation]:
    """What is told of such answers to the list of a group's customers."""

    async def look() -> list[ContractDeviation]:
        events = Events()
        alarm = ContractAlarm(CONTRACTS, events.note)
        for turn in range(turns):
            alarm.keep(
                SampledAnswer(
                    backend="flow_retail",
                    method="GET",
                    template=FLOW_MEMBERS,
                    request_id=str(turn),
                    body=body,
                )
            )
            done = {"operation_name": None, "seconds": 0.0, "error_codes": ()}
            alarm(OperationDone(**done, request_id="another"))
            alarm(OperationDone(**done, request_id=str(turn)))
            await asyncio.sleep(0)
        return events.deviations

    return asyncio.run(look())


@pytest.mark.slow
def test_all_rows_have_their_turn():
    """One look takes a part of a long page, from another row on each time."""
    [row] = members()["items"]
    page = members() | {"items": [row | {f"n{number}": 1} for number in range(40)]}
    body = json.dumps(page).encode()

    assert 1 <= len({each.member for each in looked_at(body)}) <= 1 + ROWS * 40 / len(body)
    assert len({each.member for each in looked_at(body, turns=40)}) == 40


@pytest.mark.parametrize(
    "page",
    [
        members() | {"items": members()["items"] * (MAX_BODY // 1_000), "new": 1},
        members(new="x" * MAX_ROW),
        members() | {"new": "x" * MAX_ROW},
        members() | {"items": [{}] * (MAX_COMMAS + 2)},
        members() | {f"n{number}": 1 for number in range(MAX_MEMBERS)},
    ],
)
def test_what_takes_long_to_look_at_is_not_looked_at(page):
    """A body, a row, what stands beside the rows, and any number of tiny rows or members."""
    assert looked_at(json.dumps(page).encode()) == []


def test_few_unknown_members_are_told_by_name():
    """Whoever answers chooses their names."""
    rows = [{f"n{row}x{number}": 1 for number in range(15)} for row in range(20)]

    told = looked_at(json.dumps(members() | {"items": rows}).encode())

    named = {each.member for each in told if each.kind == "unknown_member"}
    assert len(named) == UNKNOWN + 1
    assert "other" in named
