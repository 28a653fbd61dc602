"""Global ids, and finding a node by one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidInput
from gateway.schema.relay import TYPES, global_id, parse_global_id
from tests.harness import Flow, Gateway, codes, paths, running_gateway, settings

UIDS = st.from_regex(r"[A-Za-z0-9_-]{1,128}", fullmatch=True)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


MALFORMED = {
    "empty": "",
    "not base64": "!",
    "a length that base64 can't have": "Q3VzdG",
    "padded": base64.urlsafe_b64encode(b"CustomerGroup:shop:gold").decode(),
    "blanks within": encoded("CustomerGroup:shop:gold")[:8]
    + " "
    + encoded("CustomerGroup:shop:gold")[8:],
    "not UTF-8": "_w",
    "no parts": encoded("gold"),
    "two parts": encoded("CustomerGroup:gold"),
    "an unknown type": encoded("Order:shop:gold"),
    "no type": encoded(":shop:gold"),
    "no tenant": encoded("CustomerGroup::gold"),
    "no uid": encoded("CustomerGroup:shop:"),
    "a dot segment": encoded("CustomerGroup:shop:.."),
    "a dot segment as the tenant": encoded("CustomerGroup:..:gold"),
    "a colon too many": encoded("CustomerGroup:shop:gold:x"),
    "a tenant with a uid": encoded("Tenant:shop:gold"),
    "a tenant without an end": encoded("Tenant:shop"),
    "a tenant that can't be": encoded("Tenant:..:"),
    "a line feed": encoded("CustomerGroup:shop:gold\n"),
    "beyond ASCII": "\u00e9",
    "very long": encoded("CustomerGroup:shop:" + "x" * 100_000),
}


@pytest.mark.slow
@given(st.sampled_from(sorted(TYPES)), UIDS, UIDS)
def test_an_id_comes_back_as_what_was_put_in(type_name, tenant_uid, uid):
    """For each type, tenant and uid that there can be."""
    uid = "" if type_name == "Tenant" else uid
    assert parse_global_id(global_id(type_name, tenant_uid, uid)) == (type_name, tenant_uid, uid)


@pytest.mark.slow
@given(UIDS, UIDS, UIDS, UIDS)
def test_two_nodes_have_two_ids(tenant, uid, other_tenant, other_uid):
    """Tenant and uid can't run into each other."""
    same = (tenant, uid) == (other_tenant, other_uid)

    one = global_id("CustomerGroup", tenant, uid)
    assert (one == global_id("CustomerGroup", other_tenant, other_uid)) is same


@pytest.mark.slow
@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_any_other_text_is_refused_as_one(text):
    """Or is an id, in the one spelling that there is for it."""
    try:
        parsed = parse_global_id(text)
    except InvalidInput:
        return
    assert global_id(*parsed) == text


@pytest.mark.slow
async def test_a_malformed_id_is_refused_wherever_it_is_given(gateway: Gateway, flow: Flow):
    """As BAD_USER_INPUT with the path of the input, and before any REST call."""
    query = """query ($id: ID!) {
        node(id: $id) { id }
        nodes(ids: [$id]) { id }
        customerGroup(by: {id: $id}) { name }
        tenant { customerGroup(by: {id: $id}) { name } }
        _entities(representations: [{__typename: "CustomerGroup", id: $id}]) { __typename }
    }"""
    for kind, id in MALFORMED.items():
        body = await gateway.ask(query, {"id": id})

        assert codes(body) == ["BAD_USER_INPUT"] * 5, kind
        fields = {tuple(error["path"]): error["extensions"]["field"] for error in body["errors"]}
        assert fields["customerGroup",] == ["by", "id"]
        assert fields["tenant", "customerGroup"] == ["by", "id"]
    assert flow.calls == []


@pytest.mark.slow
async def test_a_malformed_id_of_a_change_is_a_user_error(gateway: Gateway, flow: Flow):
    """It names the input, and nothing is sent."""
    mutation = """mutation ($id: ID!) {
        updateCustomerGroup(input: {customerGroup: {id: $id}, name: "x"}) {
            userErrors { code field }
        }
    }"""
    for kind, id in MALFORMED.items():
        changed = await gateway.query(mutation, {"id": id})

        assert changed["updateCustomerGroup"]["userErrors"] == [
            {"code": "INVALID_INPUT", "field": ["input", "customerGroup", "id"]}
        ], kind
    assert flow.calls == []


async def test_a_group_is_found_again_by_its_id(gateway: Gateway, flow: Flow):
    """By node, by customerGroup, and over tenants; three ways to it are one REST call."""
    flow.add_group("gold", tenant="other")
    [id] = [
        node["id"]
        for node in (
            await gateway.query('{ customerGroups(tenantUid: "other") { nodes { id } } }')
        )["customerGroups"]["nodes"]
    ]
    flow.journal.clear()

    found = await gateway.query(
        """query ($id: ID!) {
            node(id: $id) { __typename id ... on CustomerGroup { uid tenantUid } }
            customerGroup(by: {id: $id}) { name }
            tenant(uid: "other") { customerGroup(by: {id: $id}) { name } }
        }""",
        {"id": id},
    )

    assert found["node"] == {
        "__typename": "CustomerGroup",
        "id": id,
        "uid": "gold",
        "tenantUid": "other",
    }
    assert found["customerGroup"] == found["tenant"]["customerGroup"] == {"name": "Gold"}
    assert flow.calls == ["GET customer-groups/gold"]


async def test_a_tenant_is_found_again_by_its_id(gateway: Gateway, flow: Flow):
    """It costs no REST call by itself, and its lists are read as ever."""
    flow.add_group("gold", tenant="other")
    id = (await gateway.query('{ tenant(uid: "other") { id } }'))["tenant"]["id"]
    gold = global_id("CustomerGroup", "other", "gold")

    found = await gateway.query(
        """query ($id: ID!, $ids: [ID!]!) {
            node(id: $id) { __typename id ... on Tenant { uid backend { kind } } }
            nodes(ids: $ids) { ...Groups }
        }
        fragment Groups on Node {
            id ... on CustomerGroup { tenant { id } } ... on Tenant { uid }
        }""",
        {"id": id, "ids": [id, id]},
    )
    assert found["node"] == {
        "__typename": "Tenant",
        "id": id,
        "uid": "other",
        "backend": {"kind": "FLOW_RETAIL"},
    }
    assert found["nodes"] == [{"id": id, "uid": "other"}] * 2
    assert flow.calls == []

    paged = await gateway.query(
        """query ($id: ID!, $ids: [ID!]!) {
            node(id: $id) { ... on Tenant { customerGroups(first: 1) { nodes { uid } } } }
            nodes(ids: $ids) { id ... on CustomerGroup { tenant { id } } }
        }""",
        {"id": id, "ids": [gold, id]},
    )
    assert paged["node"]["customerGroups"]["nodes"] == [{"uid": "gold"}]
    assert paged["nodes"] == [{"id": gold, "tenant": {"id": id}}, {"id": id}]
    assert sorted(flow.calls) == ["GET customer-groups", "GET customer-groups/gold"]


async def test_only_the_default_tenant_is_a_node_without_a_token(gateway: Gateway):
    """As by its uid: whether another one exists is nobody's business."""
    query = "query ($id: ID!) { node(id: $id) { id } }"
    mine, other = (global_id("Tenant", uid) for uid in ("shop", "other"))

    shown = await gateway.ask(query, {"id": mine}, token=None)
    hidden = await gateway.ask(query, {"id": other}, token=None)

    assert shown["data"] == {"node": {"id": mine}}
    assert codes(hidden) == ["UNAUTHENTICATED"]


async def test_an_id_of_another_tenant_than_the_one_named_is_refused(gateway: Gateway, flow: Flow):
    """Whichever of the two was meant."""
    body = await gateway.ask(
        """query ($id: ID!) {
            customerGroup(by: {id: $id}, tenantUid: "other") { name }
            tenant(uid: "other") { customerGroup(by: {id: $id}) { name } }
        }""",
        {"id": global_id("CustomerGroup", "shop", "gold")},
    )

    assert codes(body) == ["BAD_USER_INPUT", "BAD_USER_INPUT"]
    assert flow.calls == []


async def test_nodes_come_in_the_order_of_their_ids(gateway: Gateway, flow: Flow):
    """With null where there is none, and an error in its place for one that can't be."""
    flow.add_group("gold")
    flow.add_group("silver")
    ids = [
        global_id("CustomerGroup", "shop", "silver"),
        "nonsense",
        global_id("CustomerGroup", "shop", "gone"),
        global_id("Customer", "shop", "ada"),
        global_id("CustomerGroup", "shop", "gold"),
        global_id("CustomerGroup", "shop", "silver"),
    ]

    body = await gateway.ask(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on CustomerGroup { uid } } }", {"ids": ids}
    )

    gold, silver = {"uid": "gold"}, {"uid": "silver"}
    assert body["data"]["nodes"] == [silver, None, None, None, gold, silver]
    assert dict(zip(map(tuple, paths(body)), codes(body), strict=True)) == {
        ("nodes", 1): "BAD_USER_INPUT",
        ("nodes", 3): "UNSUPPORTED_BY_BACKEND",
    }


async def test_an_id_counts_once_however_often_it_is_named(flow: Flow):
    """In one list or several; the nodes are shown each time."""
    flow.add_group("gold")
    gold, gone = (global_id("CustomerGroup", "shop", uid) for uid in ("gold", "gone"))
    query = "query ($ids: [ID!]!) { a: nodes(ids: $ids) { id } b: nodes(ids: $ids) { id } }"

    async with running_gateway(settings(flow.url, max_entities=2)) as gateway:
        found = await gateway.query(query, {"ids": [gold, gone, gold, gold]})
        refused = await gateway.ask(query, {"ids": [gold, gone, "other"]})

    assert found["a"] == found["b"] == [{"id": gold}, None, {"id": gold}, {"id": gold}]
    assert refused["errors"][0]["extensions"]["limit"] == "max_entities"
    assert refused["errors"][0]["extensions"]["found"] == 3


async def test_nodes_are_one_batch(gateway: Gateway, flow: Flow):
    """Fifty ids that stand on one page of the list are one REST call."""
    uids = flow.add_groups(50)
    ids = [global_id("CustomerGroup", "shop", uid) for uid in uids]

    found = await gateway.query("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ids})

    assert [node["id"] for node in found["nodes"]] == ids
    assert flow.calls == ["GET customer-groups"]


async def test_a_subgraph_can_do_without_node(flow: Flow):
    """Two subgraphs of one supergraph can't both have it; ids and `by` work as before."""
    flow.add_group("gold")
    async with running_gateway(settings(flow.url, relay_node=False)) as gateway:
        refused = await gateway.ask('{ node(id: "x") { id } nodes(ids: []) { id } }')
        group = await gateway.query(
            "query ($id: ID!) { customerGroup(by: {id: $id}) { id name tenant { id } } }",
            {"id": global_id("CustomerGroup", "shop", "gold")},
        )

    assert group["customerGroup"]["tenant"] == {"id": global_id("Tenant", "shop")}
    assert codes(refused) == ["GRAPHQL_VALIDATION_FAILED"] * 2
    assert group["customerGroup"]["name"] == "Gold"
