"""What operations cost: REST calls that the simulator counted, over every reading of what Flow
Retail's documents leave open about paging.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from gateway.simulator.flow_retail.switches import Switches
from tests.harness import TENANT, Flow, Gateway, running_flow, running_gateway, settings


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the simulator pages, and what the gateway is told of it."""

    switches: dict[str, object]
    flow_retail: dict[str, object]
    page: int
    """The largest page that there really is."""


READINGS = {
    "pages from 1": Reading(switches={}, flow_retail={}, page=100),
    "pages from 0": Reading(switches={"first_page": 0}, flow_retail={"first_page": 0}, page=100),
    "clamped at 30": Reading(switches={"max_page_size": 30}, flow_retail={}, page=30),
    "refused above 30": Reading(
        switches={"max_page_size": 30, "oversized_page": "refuse"},
        flow_retail={"max_page_size": 30},
        page=30,
    ),
}


@pytest.fixture(params=READINGS)
def reading(request: pytest.FixtureRequest) -> Reading:
    return READINGS[request.param]


@pytest.fixture
async def flow(reading: Reading) -> AsyncIterator[Flow]:
    switches = Switches(**reading.switches)  # type: ignore[arg-type]
    async with running_flow(Flow(switches=switches)) as running:
        yield running


@pytest.fixture
async def gateway(flow: Flow, reading: Reading) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(flow.url, flow_retail=reading.flow_retail)) as running:
        yield running


@pytest.fixture
def cost(
    flow: Flow, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[[str], int]:
    """The REST calls since it was last asked, written into the table at the end of the test run."""
    counted = 0

    def calls(operation: str) -> int:
        nonlocal counted
        new = len(flow.calls) - counted
        counted += new
        record_property("REST calls", (operation, request.node.callspec.params["reading"], new))
        return new

    return calls


GROUPS = """
  query ($first: Int, $after: String, $last: Int, $before: String, $offset: Int) {
    customerGroups(first: $first, after: $after, last: $last, before: $before, offset: $offset) {
      edges { cursor node { uid } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
"""


async def groups(gateway: Gateway, **window: object) -> dict:
    data = await gateway.query(GROUPS, window)
    return data["customerGroups"]


def shown(connection: dict) -> list[str]:
    return [edge["node"]["uid"] for edge in connection["edges"]]


# -- windows


@pytest.mark.slow
async def test_half_the_largest_page_is_one_call_at_any_offset(gateway, flow, reading, cost):
    """From one row to half a page, whether or not the offset is a multiple of it."""
    uids = flow.add_groups(200)
    for offset in (0, 7, 33, 118, 190):
        for size in (1, reading.page // 2):
            connection = await groups(gateway, first=size, offset=offset)

            assert shown(connection) == uids[offset : offset + size]
            assert cost("a window of up to half the largest page, at any offset") == 1


async def test_a_whole_page_is_one_call(gateway, flow, reading, cost):
    """At offsets that are multiples of it."""
    uids = flow.add_groups(200)
    for offset in (0, reading.page, 2 * reading.page):
        connection = await groups(gateway, first=30, offset=offset)

        assert shown(connection) == uids[offset : offset + 30]
        assert cost("30 rows from the start of a page") == 1


@pytest.mark.slow
async def test_no_rest_call_asks_for_a_page_larger_than_the_gateway_is_told(
    gateway, flow, reading, cost
):
    """Not for 100 rows either, at an odd offset; they take the pages that they need."""
    uids = flow.add_groups(200)

    connection = await groups(gateway, first=100, offset=55)

    told = reading.flow_retail.get("max_page_size", 100)
    assert shown(connection) == uids[55:155]
    assert all(int(query["pageSize"]) <= told for query in flow.queries)
    assert cost("100 rows at offset 55") <= {100: 2, 30: 6}[reading.page]


@pytest.mark.slow
async def test_reading_on_with_cursors_is_one_call_a_page(gateway, flow, cost):
    """The look at the cursor's own row comes with the page; forward and backward."""
    uids = flow.add_groups(60)

    forward: list[str] = []
    page = await groups(gateway, first=14)
    forward += shown(page)
    while page["pageInfo"]["hasNextPage"]:
        assert cost("each further page of 14, with `after` or `before`") == 1
        page = await groups(gateway, first=14, after=page["pageInfo"]["endCursor"])
        forward += shown(page)
    assert cost("each further page of 14, with `after` or `before`") == 1
    backward = shown(page)
    while page["pageInfo"]["hasPreviousPage"]:
        page = await groups(gateway, last=14, before=page["pageInfo"]["startCursor"])
        backward[:0] = shown(page)
        assert cost("each further page of 14, with `after` or `before`") == 1

    assert forward == uids
    assert backward == uids


async def test_rows_that_come_and_go_between_pages_are_neither_lost_nor_repeated(
    gateway, flow, cost
):
    """Four groups are deleted ahead of the cursor, and one is created."""
    uids = flow.add_groups(60)
    page = await groups(gateway, first=14)
    first = shown(page)
    assert cost("each further page of 14, with `after` or `before`") == 1
    for uid in uids[2:6]:
        flow.store.remove_group(TENANT, uid)
    flow.add_group("new")

    page = await groups(gateway, first=14, after=page["pageInfo"]["endCursor"])

    assert first + shown(page) == uids[:28]
    assert cost("a further page of 14, where rows ahead of it were removed") <= 3


async def test_the_last_rows_of_a_short_list_are_one_call(gateway, flow, cost):
    """The first page has the total, and often all there is."""
    uids = flow.add_groups(25)

    assert shown(await groups(gateway, last=5)) == uids[-5:]
    assert cost("`last: 5` of a list of one page") == 1


async def test_the_last_rows_under_a_mirrored_order_are_one_call(flow, reading, cost):
    """Where an operator says that DESC is ASC backwards, however long the list is."""
    uids = flow.add_groups(200)
    told = {**reading.flow_retail, "mirrored_sorts": True}
    query = (
        "query ($last: Int) {"
        " customerGroups(last: $last, orderBy: {field: NAME}) { nodes { uid } } }"
    )
    async with running_gateway(settings(flow.url, flow_retail=told)) as gateway:
        for size in (0, 1, 15):
            data = await gateway.query(query, {"last": size})

            found = [node["uid"] for node in data["customerGroups"]["nodes"]]
            assert found == uids[len(uids) - size :]
            assert cost("`last: 0` to `last: 15`, where orders are mirrored") == 1


async def test_a_window_past_the_end_is_one_call_and_empty(gateway, flow, cost):
    """Whether the upstream answers no items for such a page, or the last page."""
    flow.add_groups(25)
    for flow.switches.past_the_end in ("empty", "last"):
        connection = await groups(gateway, first=10, offset=1000)

        assert shown(connection) == []
        assert connection["pageInfo"]["hasNextPage"] is False
        assert connection["pageInfo"]["hasPreviousPage"] is True
        assert cost("a window past the end") == 1


# -- connections


async def test_a_total_alone_is_one_row(gateway, flow, cost):
    """One call of pageSize 1, for groups and for members."""
    flow.add_groups(40)
    flow.add_customers(35, "g000")

    data = await gateway.query("{ customerGroups { totalCount } }")

    assert data == {"customerGroups": {"totalCount": 40}}
    assert [query["pageSize"] for query in flow.queries] == ["1"]
    assert cost("`totalCount` alone") == 1


async def test_rows_page_info_and_total_are_one_call(gateway, flow, cost):
    """All fields of a connection share a read."""
    flow.add_groups(40)

    data = await gateway.query(
        "{ customerGroups(first: 10) {"
        " nodes { uid } edges { cursor node { name } } pageInfo { hasNextPage } totalCount } }"
    )

    assert data["customerGroups"]["totalCount"] == 40
    assert cost("all fields of a connection") == 1


@pytest.mark.slow
async def test_the_same_connection_twice_is_one_call(gateway, flow, cost):
    """Under two aliases, in a fragment, and through `tenant`."""
    flow.add_groups(40)

    data = await gateway.query(
        """
        query {
          one: customerGroups(first: 10) { nodes { uid } }
          two: customerGroups(first: 10) { totalCount nodes { name } }
          ...More
          tenant { customerGroups(first: 10) { edges { node { uid } } } }
        }
        fragment More on Query {
          customerGroups(first: 10) { pageInfo { endCursor } }
          one: customerGroups(first: 10) { nodes { name } }
        }
        """
    )

    assert len(data["two"]["nodes"]) == 10
    assert cost("the same connection under aliases, in fragments, and through `tenant`") == 1


async def test_neighbouring_windows_of_a_list_are_one_call(gateway, flow, cost):
    """Two pages of 7 under two aliases, and the total of the list."""
    uids = flow.add_groups(40)

    data = await gateway.query(
        "{ one: customerGroups(first: 7) { nodes { uid } }"
        " two: customerGroups(first: 7, offset: 7) { nodes { uid } pageInfo { hasNextPage } }"
        " all: customerGroups { totalCount } }"
    )

    found = data["one"]["nodes"] + data["two"]["nodes"]
    assert [node["uid"] for node in found] == uids[:14]
    assert data["two"]["pageInfo"]["hasNextPage"] is True
    assert data["all"]["totalCount"] == 40
    assert cost("two neighbouring windows and a total") == 1


@pytest.mark.parametrize("window", ["after: $at", "before: $at", "last: 3", "last: 3, before: $at"])
async def test_a_total_comes_with_the_page_of_a_cursor(gateway, flow, cost, window):
    """Of a group's customers too, whose page may have to wait for the group: the total does not go
    ahead of it; nor does that of another connection to the same customers.
    """
    flow.add_group("gold")
    uids = flow.add_customers(30, "gold")
    members = 'customerGroup(by: {uid: "gold"}) { %s }'
    listed = await gateway.query("{" + members % "customers { edges { cursor } }" + "}")
    at = listed["customerGroup"]["customers"]["edges"][9]["cursor"]
    cost("a group and its customers")

    data = await gateway.query(
        ("query ($at: String) {" if "$" in window else "{")
        + members
        % f"customers({window}) {{ totalCount nodes {{ uid }} }} all: customers {{ totalCount }}"
        + "}",
        {"at": at},
    )

    assert data["customerGroup"]["all"]["totalCount"] == len(uids)
    assert data["customerGroup"]["customers"]["totalCount"] == len(uids)
    assert cost("a group, and a page of its customers at a cursor with their total") == 2


# -- groups


async def test_a_group_reached_twice_is_fetched_once(gateway, flow, cost):
    """Two customers in the same group cost one request for it."""
    flow.add_group("gold", "Gold members")
    flow.add_customer("ada", "gold")
    flow.add_customer("bob", "gold")

    await gateway.query(
        '{ customerGroup(by: {uid: "gold"}) { customers { nodes { customerGroups { id } } } } }'
    )

    # Both are begun at once, so either may come first.
    assert sorted(flow.calls) == ["GET customer-groups/gold", "GET customer-groups/gold/customers"]
    assert cost("a group, its customers, and their one group") == 2


async def test_two_groups_are_two_gets_side_by_side(gateway, flow, cost):
    """Of a list whose length is not known, for a look at it could be a call too many."""
    flow.add_groups(90)

    data = await gateway.query(
        '{ a: customerGroup(by: {uid: "g003"}) { name }'
        ' b: customerGroup(by: {uid: "g077"}) { name }'
        ' again: customerGroup(by: {uid: "g003"}) { uid } }'
    )

    assert data["a"]["name"] == "G003"
    assert sorted(flow.calls) == ["GET customer-groups/g003", "GET customer-groups/g077"]
    assert cost("two groups by uid, one of them twice") == 2


async def test_groups_of_customers_are_one_batch_of_list_pages_where_these_are_fewer(
    gateway, flow, reading, cost
):
    """Ten customers of one group, each in a further group: pages rather than ten GETs."""
    uids = flow.add_groups(60)
    for number, uid in enumerate(uids[5:15]):
        flow.add_customer(f"c{number}", "g000", uid)

    data = await gateway.query(
        '{ customerGroup(by: {uid: "g000"}) {'
        " customers { nodes { customerGroups { uid name } } } } }"
    )

    nodes = data["customerGroup"]["customers"]["nodes"]
    reached = [[group["uid"] for group in node["customerGroups"]] for node in nodes]
    assert reached == [["g000", uid] for uid in uids[5:15]]
    assert flow.calls[2:] == ["GET customer-groups"]
    assert cost("10 customers' distinct groups, all on the first page of the list") == 3


async def test_groups_of_customers_are_one_batch_of_gets_where_these_are_fewer(
    gateway, flow, reading, cost
):
    """Six customers share two groups of a list that is known to have three pages or more."""
    uids = flow.add_groups(2 * reading.page + 10)
    for number in range(6):
        flow.add_customer(f"c{number}", uids[0], uids[-1 - number % 2])

    data = await gateway.query(
        "{ customerGroups(first: 1) { nodes { customers { nodes { customerGroups { uid } } } } } }"
    )

    [group] = data["customerGroups"]["nodes"]
    assert len(group["customers"]["nodes"]) == 6
    assert sorted(flow.calls[2:])[-2:] == [
        f"GET customer-groups/{uids[-2]}",
        f"GET customer-groups/{uids[-1]}",
    ]
    # A gateway that does not know that its pages are clamped takes one look at the list.
    unknown = reading.page < reading.flow_retail.get("max_page_size", 100)
    assert cost("6 customers' two other groups, in a list of three pages") == 4 + unknown


@pytest.mark.slow
async def test_three_levels_of_twenty_are_twenty_two_calls(gateway, flow, cost):
    """20 groups, 20 customers each, and the groups of each, half of them on no page read before:
    one call for the groups, one for each group's customers, one for all other groups.
    """
    uids = flow.add_groups(30)
    with flow.store.transaction():
        for number in range(400):
            flow.add_customer(f"c{number}", uids[number // 20], uids[20 + number % 10])

    data = await gateway.query(
        "{ customerGroups(first: 20) { nodes { uid"
        " customers(first: 20) { nodes { uid customerGroups { uid name } } } } } }"
    )

    rows = [
        (group["uid"], customer["uid"], *(each["uid"] for each in customer["customerGroups"]))
        for group in data["customerGroups"]["nodes"]
        for customer in group["customers"]["nodes"]
    ]
    assert rows == [(uids[n // 20], f"c{n}", uids[n // 20], uids[20 + n % 10]) for n in range(400)]
    assert cost("20 groups x 20 customers x their groups") == 22


async def test_nodes_are_one_batch(gateway, flow, cost):
    """Twelve ids, of which one is of no group: one page of the list shows them all."""
    flow.add_groups(25)
    listed = await gateway.query("{ customerGroups(first: 14) { nodes { id } } }")
    ids = [node["id"] for node in listed["customerGroups"]["nodes"]][2:]
    flow.store.remove_group(TENANT, "g005")
    cost("the first 14 groups")

    data = await gateway.query(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on CustomerGroup { uid } } }",
        {"ids": ids},
    )

    assert [node and node["uid"] for node in data["nodes"]] == [
        None if number == 5 else f"g{number:03}" for number in range(2, 14)
    ]
    assert cost("12 groups by `nodes`, one of them gone") == 1


async def test_entities_are_one_batch(gateway, flow, cost):
    """As a federation router asks for them, some twice."""
    flow.add_groups(25)
    wanted = [
        {"__typename": "CustomerGroup", "tenantUid": TENANT, "uid": f"g{number % 10:03}"}
        for number in range(20)
    ]

    data = await gateway.query(
        "query ($wanted: [_Any!]!) {"
        " _entities(representations: $wanted) { ... on CustomerGroup { uid name } } }",
        {"wanted": wanted},
    )

    assert [entity["uid"] for entity in data["_entities"]] == [each["uid"] for each in wanted]
    assert cost("20 entities, 10 of them distinct") == 1


async def test_an_expired_token_is_refused_once(gateway, flow, cost):
    """Not once a group: the first refusal speaks for all."""
    flow.add_groups(25)
    wanted = [
        {"__typename": "CustomerGroup", "tenantUid": TENANT, "uid": f"g{number:03}"}
        for number in range(20)
    ]

    body = await gateway.ask(
        "query ($wanted: [_Any!]!) {"
        " _entities(representations: $wanted) { ... on CustomerGroup { name } } }",
        {"wanted": wanted},
        token="expired",  # noqa: S106  # it opens nothing
    )

    assert {error["extensions"]["code"] for error in body["errors"]} == {"UNAUTHENTICATED"}
    assert cost("20 entities with a token that is not valid") == 1


async def test_what_can_be_answered_here_is_no_call(gateway, cost):
    """Bad input, and what the gateway knows by itself."""
    for query in (
        "{ customerGroups(first: -1) { nodes { uid } } }",
        "{ customerGroups(first: 1, last: 1) { nodes { uid } } }",
        '{ customerGroups(after: "?") { nodes { uid } totalCount } }',
        '{ customerGroup(by: {uid: ".."}) { uid } }',
        '{ nodes(ids: ["?"]) { id } }',
        "{ tenant { uid backend { kind capabilities { maxPageSize } } } }",
        "{ __typename }",
    ):
        await gateway.ask(query)

        assert cost("bad input, and what the gateway knows by itself") == 0


async def test_between_cursors_that_stand_the_wrong_way_round_there_is_nothing(gateway, flow):
    """No rows, and no error: where offsets are estimates, nobody can tell that it is a mistake."""
    flow.add_groups(10)
    edges = "{ customerGroups { edges { cursor } } }"
    cursors = [edge["cursor"] for edge in (await gateway.query(edges))["customerGroups"]["edges"]]

    for size in ({"first": 3}, {"last": 3}):
        connection = await groups(gateway, after=cursors[7], before=cursors[2], **size)

        assert shown(connection) == []
