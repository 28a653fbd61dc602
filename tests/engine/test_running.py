"""How a plan is run: what it reads and when, what becomes of a failure, what is left behind."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from graphql import ExecutionResult

from gateway.engine._run.time_slices import SLICE
from gateway.http import answers
from gateway.schema.relay import global_id
from gateway.settings import Bounds
from gateway.simulator.faults import Answer, Body, Delay, Exchange
from tests.backends.worlds import World, worlds
from tests.harness import (
    TENANT,
    Gateway,
    asking,
    codes,
    engine,
    paths,
    running_gateway,
    schema,
    settings,
)
from tests.stalls import longest_stall

SCHEMA = schema()._schema
BOUNDS = Bounds(default_page_size=20, max_page_size=100, max_membership_uids=100)
NAMES = {"Gold", "Silver", "Bronze"}
HOP = """query ($uid: ID!) {
  customerGroup(by: {uid: $uid}) { name customers(first: 5) { nodes { uid } } }
}"""


class Stage:
    """A world, and operations on it in this process: to look at what runs them."""

    def __init__(self, world: World, bounds: Bounds = BOUNDS, time_slice: float = SLICE) -> None:
        self.world = world
        self._bounds = bounds
        self._engine = engine(time_slice=time_slice)

    async def run(
        self, query: str, variables: Mapping[str, Any] | None = None
    ) -> tuple[ExecutionResult, Any]:
        """The result of the operation, and the body that a client gets."""
        context = asking(self.world.connector, self._bounds, limit=100)
        operation = self._engine.prepare(query, None, variables or {}, context)
        try:
            result = await operation.execute()
        finally:
            await context.close()
        body = answers.body(
            result.data, result.errors or (), max_errors=100, request_id="test", executed=True
        )
        return result, json.loads(msgspec.json.encode(body))


@asynccontextmanager
async def stage(
    backend: str = "flow_retail", *, bounds: Bounds = BOUNDS, time_slice: float = SLICE
) -> AsyncIterator[Stage]:
    async with worlds(backend) as world:
        yield Stage(world, bounds, time_slice)


@contextmanager
def left_behind() -> Iterator[Counter[str]]:
    """What only the garbage collector can free, of what is made meanwhile: by its types."""
    found: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.update(type(each).__name__ for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


async def settled() -> None:
    """Whatever ends a few ticks later has ended."""
    for _ in range(10):
        await asyncio.sleep(0)


# -- reading ahead


@dataclass(frozen=True)
class Together:
    """Let the app see a request only when all others are here too: else it is too late."""

    others: asyncio.Barrier

    async def play(self, exchange: Exchange) -> None:
        await self.others.wait()
        await exchange.forward()


async def test_the_members_of_a_group_that_is_named_do_not_wait_for_the_group(gateway, flow):
    """One hop: both calls are under way at once, so that the operation takes as long as one."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")
    flow.fail(Together(asyncio.Barrier(2)), path="customer-groups/gold", times=2)

    data = await gateway.query(HOP, {"uid": "gold"})

    assert data == {"customerGroup": {"name": "Gold", "customers": {"nodes": [{"uid": "ada"}]}}}
    assert sorted(flow.calls) == ["GET customer-groups/gold", "GET customer-groups/gold/customers"]


async def test_what_is_shown_does_not_wait_for_members_that_nobody_needs(flow):
    """The group is gone: its members' answer is not waited for, nor does it matter what it is."""
    flow.fail(Delay(300), path="customer-groups/gone/customers")
    patient = settings(flow.url, flow_retail={"timeout": 300.0}, deadline=300.0)
    async with running_gateway(patient) as gateway:
        began = asyncio.get_running_loop().time()
        assert await gateway.query(HOP, {"uid": "gone"}) == {"customerGroup": None}
        assert asyncio.get_running_loop().time() - began < 60


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
async def test_a_missing_group_costs_one_call_more_and_no_word(gateway, flow, caplog, status):
    """Whatever is answered for its members, neither the client nor the log hears of it."""
    flow.fail(Answer(status), path="customer-groups/gone/customers")
    # So that its members are answered first: what is still on its way when all is known is ended.
    flow.fail(Delay(0.1), path="customer-groups/gone")
    with caplog.at_level(logging.WARNING), left_behind():
        data = await gateway.query(HOP, {"uid": "gone"})
        await settled()

    assert data == {"customerGroup": None}
    assert sorted(flow.calls) == ["GET customer-groups/gone", "GET customer-groups/gone/customers"]
    assert caplog.records == []


async def test_a_missing_group_costs_one_call_more_for_a_long_window_too(gateway, flow):
    """A window over two pages is two calls: the second one is not made in vain as well."""
    query = HOP.replace("first: 5", "first: 100, offset: 55")

    assert await gateway.query(query, {"uid": "gone"}) == {"customerGroup": None}
    assert len(flow.calls) <= 2, flow.calls


async def test_nothing_is_read_ahead_for_a_mutation(gateway, flow):
    """The members that are shown were read after the change, and once."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")

    await gateway.query("""mutation { updateCustomerGroup(
        input: {customerGroup: {uid: "gold"}, name: "Best"}
    ) { customerGroup { name customers { nodes { uid } } } } }""")

    assert flow.calls == ["PUT customer-groups/gold", "GET customer-groups/gold/customers"]


async def test_each_change_is_followed_by_reads_of_its_own(gateway, flow):
    """Nothing that was read after the first one is shown after the second."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")
    change = """{name}: updateCustomerGroup(
        input: {{customerGroup: {{uid: "gold"}}, name: "{name}"}}
    ) {{ customerGroup {{ name customers {{ nodes {{ customerGroups {{ name }} }} }} }} }}"""

    data = await gateway.query(
        f"mutation {{ {change.format(name='one')} {change.format(name='two')} }}"
    )

    for name in ("one", "two"):
        group = data[name]["customerGroup"]
        assert group["name"] == name
        assert group["customers"]["nodes"] == [{"customerGroups": [{"name": name}]}]
    assert Counter(flow.calls) == {
        "PUT customer-groups/gold": 2,
        "GET customer-groups/gold/customers": 2,
    }


# -- what fails


async def test_entities_of_both_types_are_shown():
    """Twice the same one, and what is below them."""
    async with stage() as here:
        group = here.world.add_group("Gold")
        uid = here.world.add_customer(group)
        gold = {"__typename": "CustomerGroup", "id": global_id("CustomerGroup", TENANT, group)}
        query = """query ($r: [_Any!]!) { _entities(representations: $r) { __typename
            ... on CustomerGroup { name customers { nodes { uid customerGroups { name } } } }
            ... on Tenant { uid customerGroups { totalCount } } } }"""

        _, body = await here.run(
            query, {"r": [gold, {"__typename": "Tenant", "uid": TENANT}, gold]}
        )

    members = {"nodes": [{"uid": uid, "customerGroups": [{"name": "Gold"}]}]}
    shown = {"__typename": "CustomerGroup", "name": "Gold", "customers": members}
    tenant = {"__typename": "Tenant", "uid": TENANT, "customerGroups": {"totalCount": 1}}
    assert body == {"data": {"_entities": [shown, tenant, shown]}}


@pytest.mark.parametrize(
    "wrong", [3, None, [], {}, {"__typename": "Customer", "id": "x"}, {"__typename": "Query"}]
)
async def test_a_bad_representation_costs_itself_only(gateway, flow, wrong):
    """The others are shown, and it has cost no call."""
    flow.add_group("gold")
    gold = {"__typename": "CustomerGroup", "tenantUid": TENANT, "uid": "gold"}

    body = await gateway.ask(
        "query ($r: [_Any!]!) { _entities(representations: $r) { ... on CustomerGroup { name } } }",
        {"r": [gold, wrong, gold]},
    )

    if wrong is None:  # _Any! says so ahead
        assert "data" not in body
        return
    assert body["data"] == {"_entities": [{"name": "Gold"}, None, {"name": "Gold"}]}
    assert paths(body) == [["_entities", 1]]
    assert codes(body) == ["BAD_USER_INPUT"]
    assert flow.calls == ["GET customer-groups/gold"]


async def test_a_failure_makes_no_call_again(gateway, flow):
    """Half of it was read well, one part fails: what was read is shown, and nothing read twice."""
    flow.add_group("gold")
    flow.add_group("silver")
    flow.add_customer("ada", "gold", "silver")
    flow.fail(Answer(500), path="customer-groups/silver", times=None)

    body = await gateway.ask(
        """{ customerGroup(by: {uid: "gold"}) { name
            customers { totalCount nodes { uid customerGroups { uid } } } }
            customerGroups { totalCount } }"""
    )

    assert paths(body) == [["customerGroup", "customers", "nodes", 0, "customerGroups", 1]]
    assert body["data"]["customerGroups"] == {"totalCount": 2}
    assert Counter(flow.calls) == {
        "GET customer-groups/gold": 1,
        "GET customer-groups/gold/customers": 1,
        "GET customer-groups/silver": 1,
        "GET customer-groups": 1,
    }
    assert body["extensions"]["cost"]["restCallsMade"] == 4


@pytest.mark.slow
async def test_what_was_shown_and_let_go_is_not_called_for_again(gateway, flow):
    """The same group's customers and their total are asked for at once, and again later."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")
    flow.fail(Delay(0.2), path="customer-groups$")

    data = await gateway.query(
        """{ customerGroup(by: {uid: "gold"}) { customers(first: 5) { totalCount nodes { uid } } }
            customerGroups { nodes { again: customers(first: 5) { nodes { email } }
                customers(first: 3) { totalCount } } } }"""
    )

    assert data["customerGroup"]["customers"] == {"totalCount": 1, "nodes": [{"uid": "ada"}]}
    [again] = data["customerGroups"]["nodes"]
    assert again["customers"] == {"totalCount": 1}
    assert [list(node) for node in again["again"]["nodes"]] == [["email"]]
    assert Counter(flow.calls) == {
        "GET customer-groups/gold/customers": 1,
        "GET customer-groups": 1,
        "GET customer-groups/gold": 1,
    }


@pytest.mark.slow
async def test_one_failure_within_another_is_one(gateway, flow):
    """What is told at once may end a run before that which asked for it ends it too; lists that are
    under way meanwhile are none of its business.
    """
    flow.add_group("gold")
    flow.add_customers(50, "gold")
    flow.fail(Delay(0.6), path="customer-groups/gold$", times=None)
    for seconds in (0.3, 0.1, 0.5):  # in the order of the batch
        flow.fail(Delay(seconds), path="customer-groups$")
    async with running_gateway(settings(flow.url, max_values=40)) as small:
        body = await small.ask(
            """{ x: customerGroups(first: 6, orderBy: {field: CREATED_AT}) { nodes { uid } }
                list: customerGroups(first: 5) { nodes { uid customers(first: 50) { nodes { uid } }
                    more: customers(first: 3) { totalCount } } }
                slow: customerGroups(first: 7, orderBy: {field: NAME}) { totalCount }
                customerGroup(by: {uid: "gold"}) { customers(first: 50) { nodes { uid } } } }"""
        )

    assert set(codes(body)) == {"LIMIT_EXCEEDED"}


def made(data: Any) -> int:
    """How many objects and encoded values there are, each counted once wherever it is shown."""
    found: dict[int, object] = {}
    waiting = [data]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict | msgspec.Raw) and id(each) not in found:
            found[id(each)] = each
            waiting += each.values() if isinstance(each, dict) else ()
    return len(found)


async def test_what_stands_in_many_places_is_made_once():
    """Ten customers share three groups: each group, its connections and its tenant are one object
    each, in every place where they are shown.
    """
    async with stage() as here:
        groups = [here.world.add_group(name) for name in sorted(NAMES)]
        for _ in range(10):
            here.world.add_customer(*groups)
        query = """query ($r: [_Any!]!, $uid: ID!) {
            customerGroup(by: {uid: $uid}) { customers(first: 10) { nodes { customerGroups {
                name a: customers(first: 1) { totalCount } b: customers { nodes { uid } }
                tenant { customerGroups { totalCount } }
            } } } }
            _entities(representations: $r) { ... on Tenant { customerGroups { totalCount } } } }"""
        tenants = [{"__typename": "Tenant", "uid": TENANT}] * 20

        result, body = await here.run(query, {"uid": groups[0], "r": tenants})

    customers = body["data"]["customerGroup"]["customers"]["nodes"]
    assert len(customers) == 10
    for customer in customers:
        assert customer == customers[0]
        assert {group["name"] for group in customer["customerGroups"]} == NAMES
        for group in customer["customerGroups"]:
            assert group["a"] == {"totalCount": 10}
            assert len({node["uid"] for node in group["b"]["nodes"]}) == 10
            assert group["tenant"] == {"customerGroups": {"totalCount": 3}}
    assert body["data"]["_entities"] == [{"customerGroups": {"totalCount": 3}}] * 20
    # The root, a group, a connection; the customers; groups and theirs, with the total of `a` and
    # the rows of `b`; a tenant, its connection and that one's total, at either place.
    assert made(result.data) == 3 + 10 + 3 * (1 + 2 + 2) + 3 + 3


async def test_what_stands_in_many_places_is_made_once_if_something_beside_it_fails():
    """One of the three groups can't be read: it is null everywhere, the others are one object."""
    query = """query ($uid: ID!) { customerGroup(by: {uid: $uid}) { customers(first: 10) { nodes {
        customerGroups { name customers(first: 1) { totalCount } } } } } }"""
    async with stage() as here:
        gold, *others = groups = [here.world.add_group(name) for name in sorted(NAMES)]
        for _ in range(10):
            here.world.add_customer(*groups)
        here.world.faults.add(Answer(500), path=f"customer-groups/{others[0]}$", times=None)
        result, body = await here.run(query, {"uid": gold})

    shown = [node["customerGroups"] for node in body["data"]["customerGroup"]["customers"]["nodes"]]
    assert shown == [shown[0]] * 10
    assert shown[0].count(None) == 1
    assert len(body["errors"]) == 10
    # The root, a group, a connection; the customers; two groups with a connection and a total each.
    assert made(result.data) == 3 + 10 + 2 * 3


async def test_an_error_in_a_list_leaves_nobody_waiting(flow):
    """graphql-core goes on with the other items in tasks of its own, whose answers do not come."""
    groups = flow.add_groups(20)
    for number in range(10):
        flow.add_customer(f"c{number}", *groups)
    query = """{ customerGroup(by: {uid: "%s"}) {
        customers { nodes { uid customerGroups { name } } } } }"""
    async with running_gateway(settings(flow.url, max_rows=100)) as gateway:
        body = await gateway.ask(query % groups[0])
        left = [task.get_coro() for task in asyncio.all_tasks()]

    assert codes(body)[0] == "LIMIT_EXCEEDED"
    assert [coroutine for coroutine in left if "complete" in coroutine.__qualname__] == []


async def test_a_mistake_costs_the_other_fields_no_rest_call(flow):
    """It is known ahead, so nothing is begun that would end in the middle."""
    flow.add_groups(5)
    query = """{ a: customerGroups(first: 20) { nodes { uid } }
        bad: customerGroups(after: "x") { nodes { uid } }
        b: customerGroups(first: 2) { totalCount nodes { uid } } }"""
    async with running_gateway(settings(flow.url)) as gateway:
        body = await gateway.ask(query)

    assert paths(body) == [["bad"]]
    assert len(flow.calls) == 1


# -- conditions


@pytest.mark.parametrize("directive", ["@skip(if: $x)", "@include(if: $x)"])
@pytest.mark.parametrize(
    "query",
    [
        'query ($x: Boolean = true) { customerGroup(by: {uid: "gold"}) { uid name %s } }',
        'query ($x: Boolean = true) { customerGroup(by: {uid: "gold"}) %s { uid } }',
        'query ($x: Boolean = true) { customerGroup(by: {uid: "gold"}) { ... %s { uid } } }',
    ],
)
async def test_null_for_a_condition_is_the_callers_mistake(gateway, flow, query, directive):
    """A variable with a default may be null, its directive's argument may not: no 500 of ours."""
    flow.add_group("gold")

    answered = await gateway.post(query.replace("%s", directive), {"x": None})

    assert answered.status_code == 200
    assert "INTERNAL_SERVER_ERROR" not in codes(answered.json())


NET_EMPTY = "0001-01-01T00:00:00+02:00"
""".NET's empty date in local time: nothing that an instant in UTC could show."""
IN_A_CHANGE = """mutation ($x: Boolean!) {
  it: updateCustomerGroup(input: { customerGroup: { uid: "gold" }, name: "Gold" }) {
    customerGroup {
      uid
      name @include(if: $x)
      tenant { uid @skip(if: $x) customerGroups(first: 1) @include(if: $x) { totalCount } }
    }
  }
}"""
BESIDE_INTROSPECTION = """query ($x: Boolean!) {
  __schema { queryType { name } }
  it: customerGroup(by: { uid: "gold" }) {
    tenant { uid backend { kind @include(if: $x) } }
  }
}"""
BESIDE_A_SURPRISE = """query ($x: Boolean!) {
  bad: customerGroup(by: { uid: "gold" }) { customers { nodes { createdAt } } }
  it: customerGroup(by: { uid: "gold" }) {
    tenant { uid backend { kind @include(if: $x) } }
  }
}"""


@pytest.mark.slow
@pytest.mark.parametrize("query", [IN_A_CHANGE, BESIDE_INTROSPECTION, BESIDE_A_SURPRISE])
async def test_what_one_request_skips_is_nothing_to_the_next(flow, query):
    """Also where graphql-core runs it; the first request of a text is no better than others."""
    flow.add_group("gold")
    flow.add_customer("bad", "gold", createdAt=NET_EMPTY)
    choices = [False, True, False, True]

    async def ask(gateway: Gateway, x: bool) -> object:
        body = await gateway.ask(query, {"x": x})
        return body["data"]["it"], codes(body)

    async with running_gateway(settings(flow.url)) as one:
        together = [await ask(one, x) for x in choices]
    alone = []
    for x in choices:
        async with running_gateway(settings(flow.url)) as another:
            alone.append(await ask(another, x))

    assert together == alone
    assert together[0] != together[1]


# -- limits


async def test_values_beside_one_that_is_broken_are_counted_once(flow):
    """Each row is made field by field, and the objects in it by themselves."""
    flow.add_group("gold")
    for number in range(40):
        credit = {"limit": number, "balance": 2}
        flow.add_customer(f"c{number}", "gold", createdAt=NET_EMPTY, credit=credit)
    query = """{ customerGroup(by: {uid: "gold"}) {
        customers(first: 100) { nodes { uid createdAt credit { limit balance } } } } }"""
    async with running_gateway(settings(flow.url, max_values=40 * 5 + 10)) as gateway:
        body = await gateway.ask(query)

    assert set(codes(body)) == {"UPSTREAM_INVALID_ANSWER"}
    assert len(body["data"]["customerGroup"]["customers"]["nodes"]) == 40


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("more", [0, -1])
async def test_values_in_lists_of_records_are_counted(flow, broken, more):
    """Each address of each row; where a row is broken, they are made anew and not more for that."""
    flow.add_group("gold")
    addresses = [{"customerAddressUid": f"a{number}", "city": "Oslo"} for number in range(20)]
    for number in range(8):
        flow.add_customer(f"c{number}", "gold", addresses=addresses)
    if broken:
        flow.add_customer("zed", "gold", createdAt=NET_EMPTY, addresses=addresses)
    rows = 9 if broken else 8
    query = """{ customerGroup(by: {uid: "gold"}) {
        customers(first: 100) { nodes { uid createdAt addresses { uid city } } } } }"""
    # The root, the group, the connection; for each row three fields, and two for each address.
    exactly = 3 + rows * (3 + 20 * 2)
    async with running_gateway(settings(flow.url, max_values=exactly + more)) as gateway:
        body = await gateway.ask(query)

    limited = "LIMIT_EXCEEDED" in codes(body)
    assert limited == (more < 0)


@pytest.mark.parametrize("more", [0, -1])
async def test_as_many_values_as_may_be_fit(more):
    """An answer with just as many values as may be is made once."""
    async with stage(bounds=replace(BOUNDS, max_values=12 + more)) as here:
        for number in range(5):
            here.world.add_group(f"Group {number}")
        _, body = await here.run("{ customerGroups(first: 5) { nodes { uid name } } }")

    assert ("errors" in body) == (more < 0)


@pytest.mark.parametrize("time_slice", [0, SLICE])
async def test_the_reason_of_a_null_is_told_of_and_nothing_below_it(time_slice):
    """A cursor can't be made, so its connection is null. The same groups fail there and below a
    sound connection: there they are told of, whatever was shown first.
    """
    edges = "edges { node { customerGroups { uid customers(first: 2) { nodes { uid } } } } cursor }"
    query = f"{{ customerGroups(first: 2) {{ nodes {{ customers {{ {edges} }} }} }} }}"
    async with stage(time_slice=time_slice) as here:
        uids = [here.world.add_group(f"Group {number:02}") for number in range(12)]
        here.world.add_customer(*uids[1:])
        unsound = {"customerUid": "x" * 3_000, "customerGroupUids": uids[2:]}
        paging = {"pageNumber": 1, "pageSize": 20, "totalCount": 1}
        page = msgspec.json.encode({"items": [unsound], "paging": paging})
        here.world.faults.add(Body(page), path=f"{uids[0]}/customers", times=None)
        for uid in uids[2:]:
            here.world.faults.add(Answer(404), path=f"{uid}/customers", times=None)
        _, body = await here.run(query)

    first, second = body["data"]["customerGroups"]["nodes"]
    assert first["customers"] is None
    assert second["customers"]["edges"][0]["cursor"]
    told = [error["path"][2:] for error in body["errors"]]
    below = [1, "customers", "edges", 0, "node", "customerGroups"]
    assert told[:-1] == [[*below, number, "customers", "nodes"] for number in range(1, 11)]
    assert told[-1] == [0, "customers", "edges", 0, "cursor"]


@pytest.mark.parametrize("beside", ["", "__schema { queryType { name } }"])
async def test_what_is_too_much_fails_below_a_list_and_not_the_list(flow, beside):
    """All rows of a list are counted ahead of what is below the first of them."""
    for group in flow.add_groups(5):
        flow.add_customers(10, group, prefix=group)
    query = f"{{ {beside} customerGroups {{ nodes {{ uid customers {{ nodes {{ uid }} }} }} }} }}"
    async with running_gateway(settings(flow.url, max_values=40)) as gateway:
        body = await gateway.ask(query)

    groups = body["data"]["customerGroups"]["nodes"]
    assert [group["uid"] for group in groups] == [f"g00{number}" for number in range(5)]
    assert [group["customers"] is not None for group in groups] == [True, True, False, False, False]
    assert set(codes(body)) == {"LIMIT_EXCEEDED"}


async def test_values_are_counted_once_where_a_row_is_broken(flow):
    """A list whose shape fails is made again item by item, and is no larger for that."""
    flow.add_group("gold")
    flow.add_customers(60, "gold")
    flow.add_customer("zed", "gold", createdAt=NET_EMPTY)
    query = """{ customerGroup(by: {uid: "gold"}) {
        customers(first: 100) { nodes { uid createdAt } } } }"""
    async with running_gateway(settings(flow.url, max_values=2 * 61 + 20)) as gateway:
        body = await gateway.ask(query)

    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"]
    assert len(body["data"]["customerGroup"]["customers"]["nodes"]) == 61


@pytest.mark.parametrize("broken", [False, True])
async def test_rows_are_held_to_their_limit_either_way(flow, broken):
    """Neither less nor more of them beside a failure."""
    flow.add_group("gold")
    flow.add_customers(10, "gold")
    wrong = '["bad"]' if broken else "[]"
    query = f"""{{ nodes(ids: {wrong}) {{ id }}
        customerGroup(by: {{uid: "gold"}}) {{ customers(first: 100) {{ nodes {{ uid }} }} }} }}"""
    for most, fits in ((10, True), (9, False)):
        async with running_gateway(settings(flow.url, max_rows=most)) as gateway:
            body = await gateway.ask(query)

        assert ("LIMIT_EXCEEDED" not in codes(body)) is fits
        assert ("BAD_USER_INPUT" in codes(body)) is broken


SHARED = """{ customerGroup(by: {uid: "g000"}) { customers(first: 10) { nodes { customerGroups {
    rows: customers(first: 2) { nodes { customerGroups { uid } } }
    again: customers(first: 2) { edges { node { uid addresses { uid } } } }
    tenant { customerGroups(first: 2) { nodes { name } } } } } } } }"""
ROWS = 10 + 10 * 3 * (1 + (2 + 2 * 3) + 2 + 2)
"""Customers, and each of their groups: with customers, and their groups; customers; groups."""
VALUES = (
    1
    + 1
    + 1
    + 10
    + 10 * 3 * (3 + (1 + 2 * 1 + 2 * 3 * 1) + (1 + 2 * (2 + 1 + 3)) + (1 + 1 + 2 * 1))
)
"""Fields of the root, its group, the connection, the customers; and of each of their groups and of
what is below.
"""


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "found"), [("max_rows", ROWS), ("max_values", VALUES)])
async def test_what_is_made_once_counts_as_often_as_it_is_shown(flow, limit, found):
    """Limits hold the response, and not what it took to make it."""
    groups = flow.add_groups(3)
    addresses = [{"customerAddressUid": f"a{number}"} for number in range(3)]
    for number in range(10):
        flow.add_customer(f"c{number}", *groups, addresses=addresses)
    for most, fits in ((found, True), (found - 1, False)):
        async with running_gateway(settings(flow.url, **{limit: most})) as gateway:
            body = await gateway.ask(SHARED)

        assert ("LIMIT_EXCEEDED" not in codes(body)) is fits


@pytest.mark.slow
async def test_a_deadline_is_extended_once_and_for_showing_only(flow):
    """What came in time is shown; no call is begun after it."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")
    flow.fail(Delay(300), path="customer-groups$")
    patient = settings(flow.url, flow_retail={"timeout": 300.0}, deadline=2.0)
    async with running_gateway(patient) as gateway:
        began = asyncio.get_running_loop().time()
        body = await gateway.ask(
            "{ customerGroups { totalCount } "
            'customerGroup(by: {uid: "gold"}) { uid customers { nodes { uid } } } }'
        )

    assert asyncio.get_running_loop().time() - began < 60
    assert set(codes(body)) == {"DEADLINE_EXCEEDED"}
    assert body["data"]["customerGroup"] == {
        "uid": "gold",
        "customers": {"nodes": [{"uid": "ada"}]},
    }
    assert len(flow.calls) == 3


# -- what is left behind

OURS = {
    "Client",
    "Caller",
    "Context",
    "PlaceholderContext",
    "Loaders",
    "Run",
    "Page",
    "Row",
    "Customer",
}
"""Types of what a request is made of."""
QUERY = """query ($uid: ID!) { customerGroup(by: {uid: $uid}) { uid
    customers { totalCount nodes { uid customerGroups { uid name } } pageInfo { endCursor } } } }"""
CHANGE = """mutation ($uid: ID!) { updateCustomerGroup(
    input: {customerGroup: {uid: $uid}, name: "Best"}
) { customerGroup { name customers { nodes { uid } } } userErrors { code } } }"""


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("query", [QUERY, CHANGE], ids=["query", "mutation"])
async def test_nothing_is_left_for_the_garbage_collector(query, fails):
    """All of a request is freed as it ends: what was read, who asked, and the token."""
    async with stage() as here:
        group = here.world.add_group("Gold")
        here.world.add_customer(group)
        if fails:
            here.world.faults.add(Answer(404), path="/customers", times=None)
        await here.run(query, {"uid": group})
        await settled()
        with left_behind() as found:
            await here.run(query, {"uid": group})
            await settled()

    assert not OURS & set(found), found


@pytest.mark.slow
async def test_a_flaw_leaves_no_page_for_the_garbage_collector():
    """It is told of, and the page that it is in goes with the request."""
    row = {"customerUid": None}
    page = {"pageNumber": 1, "pageSize": 20, "totalCount": 21}
    answer = msgspec.json.encode(
        {"items": [{"customerUid": f"c{n}"} for n in range(20)] + [row], "paging": page}
    )
    query = """query ($uid: ID!) { customerGroup(by: {uid: $uid}) { uid
        customers(first: 21) { nodes { uid } } } }"""
    async with stage() as here:
        group = here.world.add_group("Gold")
        here.world.faults.add(Body(answer), path="/customers", times=None)
        await here.run(query, {"uid": group})
        await settled()
        with left_behind() as found:
            _, body = await here.run(query, {"uid": group})
            await settled()

    assert len(body["data"]["customerGroup"]["customers"]["nodes"]) == 20
    assert not OURS & set(found), found


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", "customerGroups { uid }"])
async def test_a_page_of_broken_rows_keeps_nobody_waiting(flow, more):
    """A thousand rows, four leaves of each can't be read: they are made in time slices, whether
    anything is to be read below them or not.
    """
    flow.add_group("gold")
    row = {"displayName": 7, "city": [1], "createdAt": 5}
    row["addresses"] = [{"customerAddressUid": "a", "city": 7}]
    rows = [row | {"customerUid": f"c{number}"} for number in range(1_000)]
    paging = {"pageNumber": 1, "pageSize": 1_000, "totalCount": 1_000}
    flow.fail(
        Body(msgspec.json.encode({"items": rows, "paging": paging})), path="/customers", times=None
    )
    wide = settings(flow.url, max_page_size=1_000, flow_retail={"max_page_size": 1_000})
    query = f"""{{ customerGroup(by: {{uid: "gold"}}) {{ customers(first: 1000) {{ nodes {{
        uid displayName city createdAt addresses {{ city }} {more} }} }} }} }}"""
    async with running_gateway(wide) as gateway:
        bodies: list[Any] = []

        async def ask() -> None:
            bodies.append(await gateway.ask(query))

        allowed = 0.08
        assert await longest_stall(ask, allowed=allowed) <= allowed

    body = bodies[-1]
    assert len(body["data"]["customerGroup"]["customers"]["nodes"]) == 1_000
    assert body["errors"][-1]["message"] == "And 3900 more errors."


@pytest.mark.slow
@pytest.mark.parametrize("nodes", ["uid displayName", "uid displayName customerGroups { uid }"])
async def test_broken_rows_that_have_too_many_bytes_cost_their_fields(flow, nodes):
    """Whether the names of a row's fields are too long or what they show; it is no bug of ours."""
    flow.add_group("gold")
    rows = [{"customerUid": f"c{number}", "displayName": 7} for number in range(50)]
    paging = {"pageNumber": 1, "pageSize": 50, "totalCount": 50}
    page = msgspec.json.encode({"items": rows, "paging": paging})
    flow.fail(Body(page), path="/customers", times=None)
    query = f"""{{ customerGroup(by: {{uid: "gold"}}) {{ customers(first: 50) {{ nodes {{
        __typename {nodes} {"n" * 90}: city {"m" * 90}: __typename }} }} }} }}"""
    for most in (1_000, 2_000, 4_000, 8_000):
        async with running_gateway(settings(flow.url, max_response_body=most)) as gateway:
            body = await gateway.ask(query)

        assert "LIMIT_EXCEEDED" in codes(body), most
        assert set(codes(body)) <= {"LIMIT_EXCEEDED", "UPSTREAM_INVALID_ANSWER"}, most
