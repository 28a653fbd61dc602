"""What was repaired in a backend's answer: the value stays, and a warning says where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.engine._run.null_propagation import LOST, MAX_BYTES
from gateway.simulator import faults
from tests.harness import TENANT, Flow, Gateway, codes, running_gateway, settings
from tests.two_backends import both, running_commercetools

LATIN_1 = "The backend sent bytes that are not UTF-8; U+FFFD stands for each."
BOTH = (  # which of them is not told leaf by leaf, but of an answer
    "The backend sent bytes that are not UTF-8 and half of a surrogate pair; "
    "U+FFFD stands for each."
)
HALF = "The backend sent half of a surrogate pair; U+FFFD stands for each."


def told(body: Any) -> list[tuple[str, list[str | int] | None]]:
    """The message and path of each warning."""
    found = body.get("extensions", {}).get("warnings", [])
    assert all(warning["code"] == LOST for warning in found)
    return [(warning["message"], warning.get("path")) for warning in found]


def add(flow: Flow, uid: str, row: bytes, *groups: str) -> None:
    flow.store.add_customer(
        TENANT, b'{"customerUid":"%b",%b}' % (uid.encode(), row), groups, uid=uid
    )


async def test_a_name_in_another_encoding_is_shown_with_a_warning(flow: Flow, gateway: Gateway):
    """No error, for there is a value; whoever saves it back can tell that it is not the same."""
    flow.add_group("gold")
    flow.fail(faults.Body(b'{"customerGroupUid":"gold","name":"\xd8l"}'))

    body = await gateway.ask('{ it: customerGroup(by: {uid: "gold"}) { uid label: name } }')

    assert body["data"] == {"it": {"uid": "gold", "label": "\ufffdl"}}
    assert "errors" not in body
    assert told(body) == [(LATIN_1, ["it", "label"])]


async def test_what_is_not_shown_is_not_warned_of(flow: Flow, gateway: Gateway):
    """Nor what came whole, in whatever script."""
    flow.add_group("gold", "Gull \U0001f947 \ufffd")
    add(flow, "ada", b'"city":"Troms\xf8","lastname":"\xc3\xb8"', "gold")

    body = await gateway.ask(
        '{ customerGroup(by: {uid: "gold"}) { name customers { nodes { lastname } } } }'
    )

    assert body["data"]["customerGroup"]["customers"]["nodes"] == [{"lastname": "\u00f8"}]
    assert told(body) == []
    assert "warnings" not in body["extensions"]


async def test_each_place_is_named(flow: Flow, gateway: Gateway):
    """In lists, in nested objects, of a group that is shown under several customers."""
    flow.store.add_group(TENANT, "gold", "Gold")
    add(flow, "ada", b'"displayName":"Ada"', "gold")
    add(flow, "bob", b'"displayName":"Bj\xf8rn"', "gold")
    address = b'{"customerAddressUid":"a","city":"\\ud83d"}'
    add(flow, "cat", b'"addresses":[%b]' % address, "gold")
    broken = b'{"customerGroupUid":"gold","name":"\xff"}'
    flow.fail(faults.Body(broken), path="/gold$", times=None)

    body = await gateway.ask(
        """{ customerGroup(by: {uid: "gold"}) { name customers { edges { node {
            displayName addresses { city } customerGroups { name }
        } } } } }"""
    )

    rows = ["customerGroup", "customers", "edges"]
    assert "errors" not in body
    assert told(body) == [
        (LATIN_1, ["customerGroup", "name"]),
        (LATIN_1, [*rows, 0, "node", "customerGroups", 0, "name"]),
        (BOTH, [*rows, 1, "node", "displayName"]),
        (BOTH, [*rows, 2, "node", "addresses", 0, "city"]),
        (LATIN_1, [*rows, 2, "node", "customerGroups", 0, "name"]),
    ]


async def test_what_a_change_answers_is_warned_of(flow: Flow, gateway: Gateway):
    """Beside the payload."""
    flow.add_group("gold")
    flow.fail(
        faults.Body(b'{"customerGroupUid":"gold","name":"x","createdBy":"\\udc00"}'), method="PUT"
    )

    body = await gateway.ask(
        'mutation { updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "x"})'
        " { customerGroup { name createdBy } } }"
    )

    assert body["data"]["updateCustomerGroup"]["customerGroup"] == {
        "name": "x",
        "createdBy": "\ufffd",
    }
    assert told(body) == [(HALF, ["updateCustomerGroup", "customerGroup", "createdBy"])]


@pytest.mark.parametrize("cost", [True, False])
async def test_warnings_stand_beside_the_cost(flow: Flow, cost: bool):
    """Which is shown in development only."""
    flow.add_group("gold")
    flow.fail(faults.Body(b'{"customerGroupUid":"gold","name":"\xff"}'))
    chosen = settings(flow.url, profile="development" if cost else "production")
    async with running_gateway(chosen) as gateway:
        body = await gateway.ask('{ customerGroup(by: {uid: "gold"}) { name } }')

    assert set(body["extensions"]) == ({"cost", "rest", "warnings"} if cost else {"warnings"})


async def test_warnings_are_bounded(flow: Flow):
    """The last one counts the others."""
    flow.add_group("gold")
    with flow.store.transaction():
        for number in range(300):
            add(flow, f"c{number:03}", b'"city":"\xff"', "gold")
    flow.switches.max_page_size = 300
    chosen = settings(flow.url, flow_retail={"max_page_size": 300}, max_page_size=300)
    async with running_gateway(chosen) as gateway:
        body = await gateway.ask(
            '{ customerGroup(by: {uid: "gold"}) { customers(first: 300) { nodes { city } } } }'
        )

    nodes = body["data"]["customerGroup"]["customers"]["nodes"]
    assert nodes == [{"city": "\ufffd"}] * 300
    found = told(body)
    assert len(found) == 101
    assert found[99][1] == ["customerGroup", "customers", "nodes", 99, "city"]
    assert found[100] == ("And 200 more values.", None)


async def test_custom_fields_are_warned_of_as_a_whole(flow: Flow):
    """A value is a leaf, however deep the text is in it; a name is another."""
    fields = (
        b'{"a\xff":1,"deep":{"x":["\xff",{"\xff":"y"}]},"list":["\xff"],"text":"\xff","ok":[1]}'
    )
    custom = b'{"type":{"typeId":"type","id":"t"},"fields":%b}' % fields
    row = b'{"id":"g1","version":1,"name":"A","createdBy":{"clientId":"\xff"},"custom":%b}' % custom
    async with running_commercetools() as shop:
        shop.fail(faults.Body(b'{"results":[%b],"total":1}' % row))
        async with running_gateway(both(flow.url, shop.url)) as gateway:
            body = await gateway.ask(
                """{ customerGroups(tenantUid: "wien") { nodes {
                    createdBy commercetools { custom { fields { name value } } }
                } } }"""
            )

    (node,) = body["data"]["customerGroups"]["nodes"]
    shown = {each["name"]: each["value"] for each in node["commercetools"]["custom"]["fields"]}
    assert shown == {
        "a\ufffd": 1,
        "deep": {"x": ["\ufffd", {"\ufffd": "y"}]},
        "list": ["\ufffd"],
        "text": "\ufffd",
        "ok": [1],
    }
    at = ["customerGroups", "nodes", 0]
    inside = [*at, "commercetools", "custom", "fields"]
    assert [path for _, path in told(body)] == [
        [*at, "createdBy"],
        [*inside, 0, "name"],
        *([*inside, number, "value"] for number in (1, 2, 3)),
    ]
    assert codes(body) == []


async def test_a_name_that_is_put_together_is_as_mended_as_its_parts(flow: Flow):
    """commercetools has no displayName; one of half a name would be no better than a broken one."""
    async with running_commercetools() as shop:
        group = shop.add_group("Gold")
        row = b'{"id":"c1","version":1,"firstName":"Bj\xf8rn","lastName":"Dahl"}'
        shop.fail(faults.Body(b'{"results":[%b],"total":1}' % row), path="/customers")
        async with running_gateway(both(flow.url, shop.url)) as gateway:
            body = await gateway.ask(
                'query($uid: ID!) { customerGroup(tenantUid: "wien", by: {uid: $uid})'
                " { customers { nodes { displayName } } } }",
                {"uid": group},
            )

    nodes = ["customerGroup", "customers", "nodes"]
    assert body["data"]["customerGroup"]["customers"]["nodes"] == [
        {"displayName": "Bj\ufffdrn Dahl"}
    ]
    assert told(body) == [(LATIN_1, [*nodes, 0, "displayName"])]


async def test_a_group_whose_id_was_mended_can_not_be_edited(flow: Flow):
    """Nothing is sent about a group that nobody has; and nothing breaks here."""
    async with running_commercetools() as shop:
        ada = shop.add_customer()
        shop.add_group("Gold", key="gold")
        shop.fail(faults.Body(b'{"id":"g\xff","version":1,"name":"A"}'), path="/key=gold")
        async with running_gateway(both(flow.url, shop.url)) as gateway:
            body = await gateway.ask(
                "mutation($ada: ID!) { updateCustomerGroupMembers(input: {"
                'tenantUid: "wien", customerGroup: {key: "gold"}, addCustomerUids: [$ada]'
                "}) { results { status } userErrors { code } } }",
                {"ada": ada},
            )

    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"]
    assert shop.calls == ["GET customer-groups/key=gold"]


async def test_long_paths_are_bounded_in_bytes(flow: Flow):
    """Whoever writes the query names the keys."""
    flow.add_group("gold")
    with flow.store.transaction():
        for number in range(100):
            add(flow, f"c{number:03}", b'"city":"\xff"', "gold")
    name = "n" * 100
    query = f"""{{ {name}: customerGroup(by: {{uid: "gold"}}) {{
        {name}: customers(first: 100) {{ {name}: nodes {{ {name}: city }} }} }} }}"""
    async with running_gateway(settings(flow.url)) as gateway:
        body = await gateway.ask(query)

    found = body["extensions"]["warnings"]
    listed = MAX_BYTES // (4 * len(name))
    assert len(json.dumps(found).encode()) < MAX_BYTES + 200 * listed
    assert len(found) <= listed + 1
    assert found[-1]["message"] == f"And {101 - len(found)} more values."
