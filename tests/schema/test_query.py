"""What can be read: whose tenant, which input, in what order, and what a failure costs."""

from __future__ import annotations

import pytest

from gateway.settings import FlowRetailSettings, TenantSettings
from gateway.simulator.faults import Answer
from tests.harness import READER, Flow, Gateway, codes, paths, running_gateway, settings

# -- whose data


async def test_the_tenant_is_the_argument_else_the_header_else_the_setting(
    gateway: Gateway, flow: Flow
):
    """The nearest one wins, in every field that takes one."""
    query = """query ($uid: ID) {
        tenant(uid: $uid) { uid }
        customerGroups(tenantUid: $uid) { totalCount }
    }"""

    by_setting = await gateway.query(query)
    by_header = await gateway.query(query, headers={"X-Tenant": "other"})
    by_argument = await gateway.query(query, {"uid": "shop"}, headers={"X-Tenant": "other"})
    by_null = await gateway.query(query, {"uid": None}, headers={"X-Tenant": "other"})

    tenants = [answer["tenant"]["uid"] for answer in (by_setting, by_header, by_argument, by_null)]
    assert tenants == ["shop", "other", "shop", "other"]
    assert [request.path.split("/")[3] for request in flow.journal.requests] == tenants


EVERY_ROOT = """query ($uid: ID) {
    tenant(uid: $uid) { uid }
    customerGroups(tenantUid: $uid) { totalCount }
    customerGroup(by: {uid: "gold"}, tenantUid: $uid) { name }
}"""


async def test_without_any_tenant_the_caller_is_asked_for_one(flow: Flow):
    """The error says where to put it; nothing is sent."""
    async with running_gateway(settings(flow.url, default_tenant=None)) as gateway:
        body = await gateway.ask(EVERY_ROOT)

    assert codes(body) == ["BAD_USER_INPUT"] * 3
    assert all("X-Tenant" in error["message"] for error in body["errors"])
    fields = {error["path"][0]: error["extensions"]["field"] for error in body["errors"]}
    assert fields == {
        "tenant": ["uid"],
        "customerGroups": ["tenantUid"],
        "customerGroup": ["tenantUid"],
    }
    assert flow.calls == []


@pytest.mark.parametrize("uid", ["", ".", "..", "a/b", "a b", "x" * 129, "shop\n", "sh\u00f6p"])
async def test_a_tenant_that_can_not_be_is_refused(gateway: Gateway, flow: Flow, uid):
    """Before it gets into a path."""
    body = await gateway.ask(EVERY_ROOT, {"uid": uid})

    assert codes(body) == ["BAD_USER_INPUT"] * 3
    assert flow.calls == []


@pytest.mark.parametrize("uid", ["../other", "x" * 129, "a b", "shop, other"])
async def test_a_header_with_a_tenant_that_can_not_be_is_refused(gateway: Gateway, flow: Flow, uid):
    """It does not fall back on the setting: that would be another tenant's data."""
    body = await gateway.ask(EVERY_ROOT, headers={"X-Tenant": uid})

    assert codes(body) == ["BAD_REQUEST"]
    assert "`X-Tenant`" in body["errors"][0]["message"]
    assert flow.calls == []


async def test_a_tenant_that_no_backend_holds_is_refused(flow: Flow):
    """Where only listed ones are served."""
    listed_only = {"shop": TenantSettings(upstream=FlowRetailSettings(url=flow.url))}
    chosen = settings(flow.url, tenants=listed_only, default_backend=None)
    async with running_gateway(chosen) as gateway:
        body = await gateway.ask(EVERY_ROOT, {"uid": "other"})
        listed = await gateway.ask("{ customerGroups { totalCount } }")

    assert codes(body) == ["BAD_USER_INPUT"] * 3
    assert "errors" not in listed
    assert flow.calls == ["GET customer-groups"]


async def test_a_tenant_that_the_token_does_not_open_is_forbidden(gateway: Gateway):
    """Which tenants there are is for the backend to say."""
    body = await gateway.ask('{ customerGroups(tenantUid: "third") { totalCount } }')

    assert codes(body) in (["FORBIDDEN"], ["UNAUTHENTICATED"])
    assert body["data"] == {"customerGroups": {"totalCount": None}}


async def test_one_document_can_ask_for_two_tenants(gateway: Gateway, flow: Flow):
    """Uids are unique within their tenant only, and nothing is mixed up."""
    flow.add_group("gold", "Gold of shop")
    flow.add_group("gold", "Gold of other", tenant="other")

    answer = await gateway.query(
        """{
            a: customerGroup(by: {uid: "gold"}) { id name tenant { uid } }
            b: customerGroup(by: {uid: "gold"}, tenantUid: "other") { id name tenant { uid } }
        }"""
    )

    assert answer["a"]["name"] == "Gold of shop"
    assert answer["b"]["name"] == "Gold of other"
    assert answer["a"]["tenant"] == {"uid": "shop"}
    assert answer["b"]["tenant"] == {"uid": "other"}
    assert answer["a"]["id"] != answer["b"]["id"]


# -- lookups


async def test_a_group_that_does_not_exist_is_null_without_an_error(gateway: Gateway, flow: Flow):
    """A lookup that finds nothing has not failed."""
    answer = await gateway.query(
        """{
            customerGroup(by: {uid: "x"}) { name }
            tenant { customerGroup(by: {uid: "x"}) { name } }
        }"""
    )

    assert answer == {"customerGroup": None, "tenant": {"customerGroup": None}}
    assert flow.calls == ["GET customer-groups/x"]


@pytest.mark.parametrize(
    ("by", "field"),
    [
        ('{uid: ""}', ["by", "uid"]),
        ('{uid: ".."}', ["by", "uid"]),
        ('{uid: "a/b"}', ["by", "uid"]),
        ('{uid: "a%2Fb"}', ["by", "uid"]),
        ('{uid: "a?b"}', ["by", "uid"]),
        ('{uid: "gold\\n"}', ["by", "uid"]),
        ('{uid: "g\u00f6ld"}', ["by", "uid"]),
        ('{id: ""}', ["by", "id"]),
        ('{id: "gold"}', ["by", "id"]),
    ],
)
async def test_a_reference_that_can_not_be_is_refused_before_any_rest_call(
    gateway: Gateway, flow: Flow, by, field
):
    """With the path of the input value."""
    body = await gateway.ask(f"{{ customerGroup(by: {by}) {{ name }} }}")

    assert codes(body) == ["BAD_USER_INPUT"]
    assert body["errors"][0]["extensions"]["field"] == field
    assert flow.calls == []


async def test_a_lookup_by_key_is_refused_where_groups_have_none(gateway: Gateway, flow: Flow):
    """Never ignored, never sent."""
    body = await gateway.ask('{ customerGroup(by: {key: "gold"}) { name } }')

    assert codes(body) == ["UNSUPPORTED_BY_BACKEND"]
    assert body["errors"][0]["extensions"]["field"] == ["by", "key"]
    assert body["data"] == {"customerGroup": None}
    assert flow.calls == []


@pytest.mark.parametrize(
    "arguments",
    [
        "first: -1",
        "last: -1",
        "offset: -1",
        "first: 1, last: 1",
        "offset: 1, last: 1",
        'after: "x"',
        'before: ""',
        'after: "x", offset: 1',
    ],
)
async def test_a_window_that_can_not_be_is_refused_before_any_rest_call(
    gateway: Gateway, flow: Flow, arguments
):
    """The connection is null, its siblings are not."""
    body = await gateway.ask(
        f"""{{
            __typename
            customerGroups({arguments}) {{ nodes {{ name }} }}
            tenant {{ uid customerGroups({arguments}) {{ totalCount }} }}
        }}"""
    )

    assert codes(body) == ["BAD_USER_INPUT", "BAD_USER_INPUT"]
    assert body["data"] == {
        "__typename": "Query",
        "customerGroups": None,
        "tenant": {"uid": "shop", "customerGroups": None},
    }
    assert flow.calls == []


async def test_too_many_rows_are_refused_and_not_cut(gateway: Gateway, flow: Flow):
    """A client that asks for 101 and gets 100 would take them for all."""
    body = await gateway.ask("{ customerGroups(first: 101) { nodes { name } } }")

    assert codes(body) == ["LIMIT_EXCEEDED"]
    assert flow.calls == []


# -- capabilities


async def test_capabilities_cost_no_rest_call(gateway: Gateway, flow: Flow):
    """Nor a token: a client decides by them what to show at all."""
    answer = await gateway.query(
        """{ tenant { backend { kind capabilities {
            optimisticConcurrency atomicMembershipUpdates customerGroupKeys customFields
            chosenUids maxPageSize maxOffset totalCount
            customerGroupSortFields customerSortFields
        } } } }""",
        token=None,
    )

    assert answer["tenant"]["backend"] == {
        "kind": "FLOW_RETAIL",
        "capabilities": {
            "optimisticConcurrency": "BEST_EFFORT",
            "atomicMembershipUpdates": True,
            "customerGroupKeys": False,
            "customFields": False,
            "chosenUids": True,
            "maxPageSize": 100,
            "maxOffset": None,
            "totalCount": "EXACT",
            "customerGroupSortFields": ["NAME", "CREATED_AT", "LAST_MODIFIED_AT"],
            "customerSortFields": [
                *("DISPLAY_NAME", "FIRSTNAME", "LASTNAME", "COMPANY_NAME", "EMAIL"),
                *("CREATED_AT", "LAST_MODIFIED_AT"),
            ],
        },
    }
    assert flow.calls == []


# -- orders


@pytest.mark.parametrize(
    ("field", "sort_by"),
    [("NAME", "name"), ("CREATED_AT", "createdAt"), ("LAST_MODIFIED_AT", "lastModifiedAt")],
)
async def test_groups_come_in_each_order(gateway: Gateway, flow: Flow, field, sort_by):
    """The backend sorts; both ways, and ascending unless said otherwise."""
    for number, uid in enumerate(["b", "c", "a"]):
        at = f"2025-01-0{number + 1}T00:00:00.000Z"
        flow.store.add_group("shop", uid, uid, created_at=at, last_modified_at=at)
    query = """query ($field: CustomerGroupSortField!) {
        up: customerGroups(orderBy: {field: $field}) { nodes { uid } }
        down: customerGroups(orderBy: {field: $field, direction: DESC}) { nodes { uid } }
    }"""

    answer = await gateway.query(query, {"field": field})

    up = [node["uid"] for node in answer["up"]["nodes"]]
    assert up == (["a", "b", "c"] if field == "NAME" else ["b", "c", "a"])
    assert [node["uid"] for node in answer["down"]["nodes"]] == up[::-1]
    asked = {(query["sortBy"], query["sortDirection"]) for query in flow.queries}
    assert asked == {(sort_by, "ASC"), (sort_by, "DESC")}


@pytest.mark.parametrize(
    ("field", "member"),
    [
        ("DISPLAY_NAME", "displayName"),
        ("FIRSTNAME", "firstname"),
        ("LASTNAME", "lastname"),
        ("COMPANY_NAME", "companyName"),
        ("EMAIL", "email"),
        ("CREATED_AT", "createdAt"),
        ("LAST_MODIFIED_AT", "lastModifiedAt"),
    ],
)
async def test_members_come_in_each_order(gateway: Gateway, flow: Flow, field, member):
    """By what the backend calls it."""
    flow.add_group("gold")
    for uid, day in (("b", 2), ("c", 3), ("a", 1)):
        value = f"2025-01-0{day}T00:00:00.000Z" if field.endswith("_AT") else f"{day}@example.com"
        flow.add_customer(uid, "gold", **{member: value})

    answer = await gateway.query(
        """query ($field: CustomerGroupMemberSortField!) { customerGroup(by: {uid: "gold"}) {
            customers(orderBy: {field: $field, direction: DESC}) { nodes { uid } }
        } }""",
        {"field": field},
    )

    nodes = answer["customerGroup"]["customers"]["nodes"]
    assert [node["uid"] for node in nodes] == ["c", "b", "a"]
    assert member in [query.get("sortBy") for query in flow.queries]


async def test_an_order_that_the_backend_lacks_is_refused_before_any_rest_call(flow: Flow):
    """Capabilities leave it out, and asking all the same is the caller's mistake."""
    flow.add_group("gold")
    sorts = {"group_sorts": {"NAME": "name"}, "customer_sorts": {}}
    async with running_gateway(settings(flow.url, flow_retail=sorts)) as gateway:
        shown = await gateway.query(
            "{ tenant { backend { capabilities { customerGroupSortFields customerSortFields } } } }"
        )
        groups = await gateway.ask(
            "{ customerGroups(orderBy: {field: CREATED_AT}) { nodes { uid } } }"
        )
        members = await gateway.ask(
            """{ customerGroup(by: {uid: "gold"}) {
                name customers(orderBy: {field: EMAIL}) { nodes { uid } }
            } }"""
        )

    assert shown["tenant"]["backend"]["capabilities"] == {
        "customerGroupSortFields": ["NAME"],
        "customerSortFields": [],
    }
    assert codes(groups) == codes(members) == ["UNSUPPORTED_BY_BACKEND"]
    assert groups["data"] == {"customerGroups": None}
    # It would be found after a REST call only, so that none is made at all.
    assert "data" not in members
    assert members["errors"][0]["path"] == ["customerGroup", "customers"]
    assert flow.calls == []


# -- one failed REST call costs one field


async def test_members_of_one_group_fail_and_the_others_are_there(gateway: Gateway, flow: Flow):
    """One of many groups' members can't be read: its own connection is without rows."""
    for uid in flow.add_groups(5):
        flow.add_customer(f"of-{uid}", uid)
    flow.fail(Answer(500), path="g002/customers")

    body = await gateway.ask("{ customerGroups { nodes { uid customers { nodes { uid } } } } }")

    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]
    groups = body["data"]["customerGroups"]["nodes"]
    assert [group["customers"] for group in groups] == [
        None if group["uid"] == "g002" else {"nodes": [{"uid": f"of-{group['uid']}"}]}
        for group in groups
    ]
    assert paths(body) == [["customerGroups", "nodes", 2, "customers", "nodes"]]


async def test_a_total_fails_alone(gateway: Gateway, flow: Flow):
    """It is nullable, so the connection that it stands in is not lost."""
    flow.add_group("gold")
    flow.fail(Answer(500), path="gold/customers")

    body = await gateway.ask(
        '{ customerGroup(by: {uid: "gold"}) { name customers { totalCount } } }'
    )

    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]
    assert body["data"] == {"customerGroup": {"name": "Gold", "customers": {"totalCount": None}}}


async def test_one_of_a_customers_groups_fails_alone(gateway: Gateway, flow: Flow):
    """In its place is null; one that is gone is null too, without an error."""
    flow.add_group("gold")
    flow.add_group("silver")
    flow.add_customer("ada", "gold", "silver")
    flow.fail(Answer(403), path="customer-groups/silver$")

    body = await gateway.ask(
        """{ customerGroup(by: {uid: "gold"}) {
            customers { nodes { uid customerGroups { name } } }
        } }"""
    )

    [ada] = body["data"]["customerGroup"]["customers"]["nodes"]
    assert ada == {"uid": "ada", "customerGroups": [{"name": "Gold"}, None]}
    assert codes(body) == ["FORBIDDEN"]


async def test_one_of_two_root_fields_fails_alone(gateway: Gateway, flow: Flow):
    """And nothing of the failure says where the backend is."""
    flow.add_group("gold")
    flow.fail(Answer(500, b'{"message": "at http://10.0.0.1/ for token-of-ada"}'), path="/bad$")

    response = await gateway.post(
        """{
            a: customerGroup(by: {uid: "gold"}) { name }
            b: customerGroup(by: {uid: "bad"}) { name }
        }"""
    )

    body = response.json()
    assert body["data"] == {"a": {"name": "Gold"}, "b": None}
    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]
    assert "10.0.0.1" not in response.text
    assert "token-of-ada" not in response.text


async def test_a_token_that_is_not_accepted_is_said_as_such(gateway: Gateway):
    """By the backend: the gateway has no opinion on tokens."""
    unknown = READER + "s"

    body = await gateway.ask("{ customerGroups { totalCount } }", token=unknown)

    assert codes(body) == ["UNAUTHENTICATED"]


async def test_a_reader_can_read(gateway: Gateway, flow: Flow):
    """A token with no right to change anything is enough."""
    flow.add_group("gold")

    answer = await gateway.query("{ customerGroups { nodes { name } } }", token=READER)

    assert answer["customerGroups"]["nodes"] == [{"name": "Gold"}]


async def test_an_order_that_the_backend_lacks_is_refused_where_it_orders_nothing(flow: Flow):
    """Refused, never ignored; and a total beside it, of the same list, is answered."""
    flow.add_group("gold")
    query = """{
        a: customerGroups(orderBy: {field: CREATED_AT}) { totalCount }
        b: customerGroups(orderBy: {field: CREATED_AT}, first: 0) { nodes { uid } }
        c: customerGroups { totalCount }
    }"""

    async with running_gateway(
        settings(flow.url, flow_retail={"group_sorts": {"NAME": "name"}})
    ) as gateway:
        body = await gateway.ask(query)

    assert body["data"] == {"a": None, "b": None, "c": {"totalCount": 1}}
    assert codes(body) == ["UNSUPPORTED_BY_BACKEND"] * 2
    assert paths(body) == [["a"], ["b"]]
