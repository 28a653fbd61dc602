"""Cursors: each is of one list in one order, by whichever way that list is reached."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.backends.port import Position
from gateway.schema.relay import encode_cursor, global_id
from gateway.simulator.faults import Answer, Body
from tests.harness import TENANT, Flow, Gateway, codes, paths
from tests.two_backends import Commercetools

CUSTOMERS = "customers(first: 2, after: $after) { nodes { uid } pageInfo { endCursor } }"
OF_GROUP = f"""query ($uid: ID!, $after: String) {{
    customerGroup(by: {{uid: $uid}}) {{ {CUSTOMERS} }}
}}"""
OF_GROUPS = """query ($after: String) {
    customerGroups(first: 2, after: $after) { nodes { uid } pageInfo { endCursor } }
}"""


@pytest.fixture
def groups(flow: Flow) -> None:
    """Two groups of five customers each, of whom none are in both."""
    for uid, prefix in (("a", "x"), ("b", "y")):
        flow.add_group(uid)
        flow.add_customers(5, uid, prefix=prefix)


async def cursor_in(gateway: Gateway, group: str) -> str:
    """The cursor of the group's second customer."""
    page = await gateway.query(OF_GROUP, {"uid": group})
    cursor: str = page["customerGroup"]["customers"]["pageInfo"]["endCursor"]
    return cursor


@pytest.mark.usefixtures("groups")
async def test_a_cursor_of_another_groups_customers_is_refused(gateway: Gateway, flow: Flow):
    """It would skip rows. Nothing is read for it, not even the group."""
    cursor = await cursor_in(gateway, "a")
    flow.journal.clear()

    body = await gateway.ask(OF_GROUP, {"uid": "b", "after": cursor})

    assert "data" not in body
    assert codes(body) == ["BAD_USER_INPUT"]
    assert paths(body) == [["customerGroup", "customers"]]
    message = "`after` is a cursor of another list or another `orderBy`."
    assert body["errors"][0]["message"] == message
    assert flow.calls == []


@pytest.mark.usefixtures("groups")
async def test_a_cursor_of_the_groups_is_none_of_customers(gateway: Gateway, flow: Flow):
    """Nor the other way round."""
    of_groups = (await gateway.query(OF_GROUPS))["customerGroups"]["pageInfo"]["endCursor"]
    of_customers = await cursor_in(gateway, "a")
    flow.journal.clear()

    for body in (
        await gateway.ask(OF_GROUP, {"uid": "a", "after": of_groups}),
        await gateway.ask(OF_GROUPS, {"after": of_customers}),
    ):
        assert codes(body) == ["BAD_USER_INPUT"]
    assert flow.calls == []


@pytest.mark.usefixtures("groups")
async def test_a_cursor_of_another_tenant_is_refused(gateway: Gateway, flow: Flow):
    """A group of that tenant may well have the same uid."""
    flow.add_group("a", tenant="other")
    cursor = await cursor_in(gateway, "a")
    flow.journal.clear()

    body = await gateway.ask(
        OF_GROUP.replace("(by:", '(tenantUid: "other", by:'), {"uid": "a", "after": cursor}
    )

    assert codes(body) == ["BAD_USER_INPUT"]
    assert flow.calls == []


ID = global_id("CustomerGroup", TENANT, "a")
WAYS = {
    "by uid": '{ group: customerGroup(by: {uid: "a"}) { %s } }',
    "by id": f'{{ group: customerGroup(by: {{id: "{ID}"}}) {{ %s }} }}',
    "with the tenant": '{ group: customerGroup(tenantUid: "shop", by: {uid: "a"}) { %s } }',
    "in the tenant": '{ group: tenant(uid: "shop") { customerGroup(by: {uid: "a"}) { %s } } }',
    "as a node": f'{{ group: node(id: "{ID}") {{ ... on CustomerGroup {{ %s }} }} }}',
    "as one of the nodes": f'{{ group: nodes(ids: ["{ID}"]) {{ ... on CustomerGroup {{ %s }} }} }}',
    "as an entity": """{ group: _entities(representations: [
        {__typename: "CustomerGroup", tenantUid: "shop", uid: "a"}
    ]) { ... on CustomerGroup { %s } } }""",
    "in the list of groups": "{ group: customerGroups(first: 1) { nodes { %s } } }",
    "as a customer's": """{ group: customerGroup(by: {uid: "a"}) { customers(first: 1) {
        nodes { customerGroups { %s } }
    } } }""",
    "after a change": """mutation { group: updateCustomerGroup(
        input: {customerGroup: {uid: "a"}, name: "A"}
    ) { customerGroup { %s } } }""",
}


def uids(part: Any) -> list[str]:
    """The uids in the one list of customers, wherever it is."""
    while "page" not in part:
        [part] = part if isinstance(part, list) else part.values()
    return [node["uid"] for node in part["page"]["nodes"]]


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("way", WAYS)
async def test_a_cursor_is_good_by_every_way_to_its_list(gateway: Gateway, way):
    """What it was made by is not what it is of."""
    cursor = json.dumps(await cursor_in(gateway, "a"))
    rows = f"page: customers(first: 2, after: {cursor}) {{ nodes {{ uid }} }}"

    found = await gateway.query(WAYS[way] % rows, headers={"X-Tenant": TENANT})

    assert uids(found["group"]) == ["x0002", "x0003"]


@pytest.mark.usefixtures("groups")
async def test_a_cursor_below_a_list_is_of_one_of_its_rows(gateway: Gateway):
    """Which rows there are is not known ahead: those that it is not of say so, each for itself."""
    cursor = json.dumps(await cursor_in(gateway, "a"))

    body = await gateway.ask(
        f"{{ customerGroups {{ nodes {{ customers(first: 2, after: {cursor}) "
        "{ nodes { uid } } } } }"
    )

    page = {"nodes": [{"uid": "x0002"}, {"uid": "x0003"}]}
    assert body["data"]["customerGroups"]["nodes"] == [{"customers": page}, {"customers": None}]
    assert codes(body) == ["BAD_USER_INPUT"]
    assert paths(body) == [["customerGroups", "nodes", 1, "customers"]]


async def test_a_cursor_whose_row_has_too_long_a_uid_is_that_rows_error(
    gateway: Gateway, flow: Flow
):
    """It would be refused when it comes back; the other end of the page is told."""
    flow.add_group("gold")
    rows = [{"customerUid": "x" * 2000}, {"customerUid": "bob"}]
    answer = {"items": rows, "paging": {"pageNumber": 1, "pageSize": 20, "totalCount": 2}}
    flow.fail(Answer(200, body=json.dumps(answer).encode()), path="/customers$", times=None)
    query = '{ customerGroup(by: {uid: "gold"}) { customers { %s } } }'

    page = await gateway.ask(query % "nodes { uid } pageInfo { startCursor endCursor }")
    edges = await gateway.ask(query % "edges { cursor }")

    customers = page["data"]["customerGroup"]["customers"]
    assert len(customers["nodes"]) == 2
    assert customers["pageInfo"]["startCursor"] is None
    assert customers["pageInfo"]["endCursor"]
    here = ["customerGroup", "customers"]
    assert paths(page) == [[*here, "pageInfo", "startCursor"]]
    assert paths(edges) == [[*here, "edges", 0, "cursor"]]
    assert codes(page) == codes(edges) == ["UPSTREAM_INVALID_ANSWER"]


# -- of commercetools


BY = f"""query ($by: CustomerGroupBy!, $after: String) {{
    customerGroup(tenantUid: "wien", by: $by) {{ {CUSTOMERS} }}
}}"""


async def test_a_cursor_is_good_for_a_group_by_key_too(wide: Gateway, commercetools: Commercetools):
    """Which group a key means is known when it is read, and so is whether the cursor is of it: for
    no call more, and for no call less where it is not.
    """
    gold, _ = (commercetools.add_group(key.title(), key=key) for key in ("gold", "blue"))
    for _ in range(3):
        commercetools.add_customer(gold)
    page = await wide.query(BY, {"by": {"uid": gold}})
    cursor = page["customerGroup"]["customers"]["pageInfo"]["endCursor"]
    commercetools.journal.clear()

    found = await wide.query(BY, {"by": {"key": "gold"}, "after": cursor})
    calls = list(commercetools.calls)
    body = await wide.ask(BY, {"by": {"key": "blue"}, "after": cursor})

    assert len(found["customerGroup"]["customers"]["nodes"]) == 1
    assert calls == ["GET customer-groups/key=gold", "GET customers"]
    assert body["data"] == {"customerGroup": {"customers": None}}
    assert codes(body) == ["BAD_USER_INPUT"]
    assert commercetools.calls[2:] == ["GET customer-groups/key=blue"]


def test_a_cursor_says_nothing_that_its_reader_does_not_know():
    """Its list is a checksum in it: the same for the same list, in any process."""
    cursor = encode_cursor(Position(7, "ada"), kind="EMAIL_ASC", of="1f3a")

    assert cursor == "Ny5FTUFJTF9BU0MuMWYzYS5hZGE"


@pytest.mark.slow
@pytest.mark.parametrize("system", ["flow_retail", "commercetools"])
@pytest.mark.parametrize("order", ["", ", orderBy: {field: CREATED_AT, direction: DESC}"])
async def test_who_pages_between_two_cursors_comes_to_an_end(
    wide: Gateway, flow: Flow, commercetools: Commercetools, system: str, order: str
):
    """Forward and backward, groups and customers: from page to page by its cursor, as long as it
    says that there is one more.
    """
    if system == "flow_retail":
        tenant, group = TENANT, flow.add_groups(7)[0]
        flow.add_customers(7, group)
    else:
        tenant, *_, group = "wien", *(commercetools.add_group(f"Group {n}") for n in range(7))
        for _ in range(7):
            commercetools.add_customer(group)
    groups = f'customerGroups(tenantUid: "{tenant}", %s)'
    members = f'customerGroup(tenantUid: "{tenant}", by: {{uid: "{group}"}}) {{ customers(%s) '

    for lists, end in ((groups, ""), (members, "}")):

        async def page(window: str, lists: str = lists, end: str = end) -> Any:
            fields = "{ edges { cursor node { uid } } pageInfo { hasNextPage hasPreviousPage } }"
            data = await wide.query(f"{{ all: {lists % (window + order)} {fields} {end} }}")
            return data["all"].get("customers", data["all"])

        cursors = [edge["cursor"] for edge in (await page("first: 7"))["edges"]]
        for low, high in ((0, 1), (2, 3), (0, 4), (1, 6)):
            for size, way, at in (("first", "hasNextPage", -1), ("last", "hasPreviousPage", 0)):
                after, before, count = cursors[low], cursors[high], 0
                for _ in range(4):
                    found = await page(f'{size}: 2, after: "{after}", before: "{before}"')
                    count += len(found["edges"])
                    if not found["pageInfo"][way]:
                        break
                    cursor = found["edges"][at]["cursor"]
                    after, before = (cursor, before) if at else (after, cursor)
                assert (count, found["pageInfo"][way]) == (high - low - 1, False)


async def test_a_page_of_which_no_row_can_be_shown_leads_nowhere(gateway: Gateway, flow: Flow):
    """It has no cursor to go on from; whoever went on would begin again at the head of the list."""
    flow.add_groups(9)
    flow.fail(Body(b'{"items":[{},{}],"paging":{"pageNumber":1,"pageSize":2,"totalCount":9}}'))

    body = await gateway.ask(
        "{ customerGroups(first: 2) { nodes { uid } pageInfo { hasNextPage endCursor } } }"
    )

    assert body["data"]["customerGroups"] == {
        "nodes": [],
        "pageInfo": {"hasNextPage": False, "endCursor": None},
    }
    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"] * 2
