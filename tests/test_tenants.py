"""Tenants of both systems behind one schema: who is asked, for whom, and with what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.rest import HttpTransport
from gateway.schema.relay import global_id
from gateway.settings import (
    CommercetoolsSettings,
    FlowRetailSettings,
    Settings,
    SettingsError,
    TenantSettings,
    UpstreamSettings,
)
from gateway.settings.configuration import read_settings
from gateway.simulator.faults import Answer, Close, Delay
from tests.harness import (
    TOKEN,
    Flow,
    Gateway,
    codes,
    paths,
    running_flow,
    running_gateway,
    settings,
)
from tests.two_backends import PROJECT, Commercetools, both, running_commercetools

BOTH = """{
    shop: customerGroups(tenantUid: "shop") { nodes { name } }
    wien: customerGroups(tenantUid: "wien") { nodes { name } }
}"""


@pytest.fixture
def gateway(wide: Gateway) -> Gateway:
    return wide


def names(connection: Any) -> list[str]:
    return [node["name"] for node in connection["nodes"]]


# -- which backend


async def test_one_operation_spans_tenants_of_both(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """Each tenant is asked for at its own backend, once."""
    flow.add_group("gold", "Gull")
    commercetools.add_group("Gold")

    answer = await gateway.query(BOTH)

    assert {tenant: names(groups) for tenant, groups in answer.items()} == {
        "shop": ["Gull"],
        "wien": ["Gold"],
    }
    assert flow.calls == commercetools.calls == ["GET customer-groups"]


async def test_each_tenant_has_its_own_project(gateway: Gateway, commercetools: Commercetools):
    """The one that is set, else the one of the tenant's name; nothing is mixed up."""
    commercetools.add_group("Wiener")
    commercetools.add_group("Grazer", project="graz")

    answer = await gateway.query(
        """{
            wien: customerGroups(tenantUid: "wien") { nodes { name tenantUid } }
            graz: customerGroups(tenantUid: "graz") { nodes { name tenantUid } }
        }"""
    )

    assert answer["wien"]["nodes"] == [{"name": "Wiener", "tenantUid": "wien"}]
    assert answer["graz"]["nodes"] == [{"name": "Grazer", "tenantUid": "graz"}]
    assert sorted(commercetools.projects) == ["graz", PROJECT]


async def test_each_tenant_has_its_own_url(flow: Flow):
    """Two tenants of one system, in two places."""
    async with running_flow(Flow()) as stage:
        flow.add_group("gold", "Live")
        stage.add_group("gold", "Stage", tenant="other")
        chosen = settings(
            flow.url, tenants={"other": TenantSettings(upstream=FlowRetailSettings(url=stage.url))}
        )
        async with running_gateway(chosen) as gateway:
            answer = await gateway.query(
                """{
                    live: customerGroup(by: {uid: "gold"}) { name }
                    stage: customerGroup(by: {uid: "gold"}, tenantUid: "other") { name }
                }"""
            )

        assert answer == {"live": {"name": "Live"}, "stage": {"name": "Stage"}}
        assert flow.calls == stage.calls == ["GET customer-groups/gold"]


async def test_one_project_at_two_urls_is_two(flow: Flow):
    """Also where an answer is made anew of what they have answered: path and query are the same."""
    async with running_commercetools() as one, running_commercetools() as other:
        one.add_group("Of one")
        other.add_group("Of the other")
        tenants = {
            name: TenantSettings(upstream=CommercetoolsSettings(url=each.url), project=PROJECT)
            for name, each in (("one", one), ("other", other))
        }
        flow.fail(Answer(500), path="customer-groups$", times=None)
        async with running_gateway(settings(flow.url, tenants=tenants)) as gateway:
            body = await gateway.ask(
                """{ one: customerGroups(tenantUid: "one") { nodes { name } }
                    other: customerGroups(tenantUid: "other") { nodes { name } }
                    failing: customerGroups { nodes { name } } }"""
            )

    assert body["data"]["one"] == {"nodes": [{"name": "Of one"}]}
    assert body["data"]["other"] == {"nodes": [{"name": "Of the other"}]}
    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]


async def test_the_header_and_the_setting_choose_the_backend_with_the_tenant(
    flow: Flow, commercetools: Commercetools
):
    """A client that names no tenant need not know that there are two systems."""
    chosen = both(flow.url, commercetools.url, default_tenant="wien")
    query = "{ tenant { uid backend { kind } } }"
    async with running_gateway(chosen) as gateway:
        by_setting = await gateway.query(query)
        by_header = await gateway.query(query, headers={"X-Tenant": "shop"})

    assert by_setting["tenant"] == {"uid": "wien", "backend": {"kind": "COMMERCETOOLS"}}
    assert by_header["tenant"] == {"uid": "shop", "backend": {"kind": "FLOW_RETAIL"}}
    assert flow.calls == commercetools.calls == []


async def test_tenants_that_are_not_listed_are_the_default_backends(commercetools: Commercetools):
    """Of commercetools, the tenant's name is the project's."""
    commercetools.add_group("Grazer", project="graz")
    chosen = Settings(
        default_backend="commercetools",
        commercetools=CommercetoolsSettings(url=commercetools.url),
    )
    async with running_gateway(chosen) as gateway:
        answer = await gateway.query('{ customerGroups(tenantUid: "graz") { nodes { name } } }')

    assert names(answer["customerGroups"]) == ["Grazer"]
    assert commercetools.projects == ["graz"]


async def test_a_tenant_that_no_backend_holds_reaches_none(
    flow: Flow, commercetools: Commercetools
):
    """Not by an argument, a header, an id or a key of an entity."""
    chosen = both(flow.url, commercetools.url, default_backend=None, default_tenant=None)
    query = """query ($id: ID!) {
        customerGroups(tenantUid: "shop") { totalCount }
        customerGroup(by: {uid: "gold"}) { name }
        node(id: $id) { id }
        nodes(ids: [$id]) { id }
        _entities(representations: [{__typename: "Tenant", uid: "shop"}]) { __typename }
    }"""
    async with running_gateway(chosen) as gateway:
        id = global_id("CustomerGroup", "shop", "gold")
        body = await gateway.ask(query, {"id": id}, headers={"X-Tenant": "shop"})

    assert codes(body) == ["BAD_USER_INPUT"] * 5
    assert flow.calls == commercetools.calls == []


async def test_capabilities_are_those_of_the_tenants_backend(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """One schema for both, and no REST call to learn which is which."""
    answer = await gateway.query(
        """{
            shop: tenant(uid: "shop") { backend { kind capabilities { ...Of } } }
            wien: tenant(uid: "wien") { backend { kind capabilities { ...Of } } }
        }
        fragment Of on CustomerGroupBackendCapabilities {
            customerGroupKeys customFields chosenUids
        }"""
    )

    assert {tenant: found["backend"] for tenant, found in answer.items()} == {
        "shop": {
            "kind": "FLOW_RETAIL",
            "capabilities": {
                "customerGroupKeys": False,
                "customFields": False,
                "chosenUids": True,
            },
        },
        "wien": {
            "kind": "COMMERCETOOLS",
            "capabilities": {"customerGroupKeys": True, "customFields": True, "chosenUids": False},
        },
    }
    assert flow.calls == commercetools.calls == []


async def test_an_order_is_checked_by_the_tenants_backend(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """What one can order by, the other may not; the mistake is found ahead of any REST call."""
    gold = flow.add_groups(1)[0]
    wiener = commercetools.add_group("Gold")
    body = await gateway.ask(
        """query ($gold: ID!, $wiener: ID!) {
            shop: customerGroup(tenantUid: "shop", by: {uid: $gold}) { ...Members }
            wien: customerGroup(tenantUid: "wien", by: {uid: $wiener}) { ...Members }
        }
        fragment Members on CustomerGroup {
            customers(orderBy: {field: DISPLAY_NAME}) { nodes { uid } }
        }""",
        {"gold": gold, "wiener": wiener},
    )

    assert codes(body) == ["UNSUPPORTED_BY_BACKEND"]
    assert paths(body) == [["wien", "customers"]]
    assert "data" not in body
    assert flow.calls == commercetools.calls == []


# -- nodes and entities


async def test_nodes_of_both_come_in_their_order(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """One call to each for one group of each; one that is gone is null."""
    flow.add_group("gold", "Gull")
    gold = commercetools.add_group("Gold")
    gone = "00000000-0000-4000-8000-000000000000"
    ids = [
        global_id("CustomerGroup", "wien", gold),
        global_id("CustomerGroup", "shop", "gold"),
        global_id("CustomerGroup", "graz", gone),
        global_id("CustomerGroup", "wien", gold),
    ]

    answer = await gateway.query(
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on CustomerGroup { name } } }",
        {"ids": ids},
    )

    assert [node and node["name"] for node in answer["nodes"]] == ["Gold", "Gull", None, "Gold"]
    assert [node and node["id"] for node in answer["nodes"]] == [*ids[:2], None, ids[3]]
    assert flow.calls == ["GET customer-groups/gold"]
    assert sorted(commercetools.projects) == ["graz", PROJECT]


async def test_entities_of_both_come_in_their_order(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """By either key, in one request of a router."""
    flow.add_group("gold", "Gull")
    gold = commercetools.add_group("Gold")
    given = [
        {"__typename": "CustomerGroup", "tenantUid": "wien", "uid": gold},
        {"__typename": "CustomerGroup", "id": global_id("CustomerGroup", "shop", "gold")},
        {"__typename": "Tenant", "uid": "graz"},
    ]

    answer = await gateway.query(
        """query ($given: [_Any!]!) { _entities(representations: $given) {
            ... on CustomerGroup { name tenant { backend { kind } } }
            ... on Tenant { backend { kind } }
        } }""",
        {"given": given},
    )

    assert answer["_entities"] == [
        {"name": "Gold", "tenant": {"backend": {"kind": "COMMERCETOOLS"}}},
        {"name": "Gull", "tenant": {"backend": {"kind": "FLOW_RETAIL"}}},
        {"backend": {"kind": "COMMERCETOOLS"}},
    ]
    assert (len(flow.calls), len(commercetools.calls)) == (1, 1)


async def test_an_id_of_one_tenant_never_reaches_another_backend(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """Not where another tenant is named beside it, in a query or in a change."""
    id = global_id("CustomerGroup", "wien", commercetools.add_group("Gold"))

    read = await gateway.ask(
        """query ($id: ID!) {
            customerGroup(by: {id: $id}, tenantUid: "shop") { name }
            tenant(uid: "shop") { customerGroup(by: {id: $id}) { name } }
            _entities(representations: [
                {__typename: "CustomerGroup", id: $id, tenantUid: "shop"}
            ]) { __typename }
        }""",
        {"id": id},
    )
    changed = await gateway.query(
        """mutation ($id: ID!) { deleteCustomerGroup(
            input: {tenantUid: "shop", customerGroup: {id: $id}}
        ) { userErrors { code field } } }""",
        {"id": id},
    )

    assert codes(read) == ["BAD_USER_INPUT"] * 3
    assert changed["deleteCustomerGroup"]["userErrors"] == [
        {"code": "INVALID_INPUT", "field": ["input", "customerGroup", "id"]}
    ]
    assert flow.calls == commercetools.calls == []


async def test_equal_uids_of_two_tenants_are_two_groups(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """Also where one is asked for in both: each backend answers for its own."""
    gold = commercetools.add_group("Gold")
    flow.add_group(gold, "Gull")
    query = """query ($uid: ID!) {
        shop: customerGroup(by: {uid: $uid}, tenantUid: "shop") { id name }
        wien: customerGroup(by: {uid: $uid}, tenantUid: "wien") { id name }
        graz: customerGroup(by: {uid: $uid}, tenantUid: "graz") { id name }
    }"""

    answer = await gateway.query(query, {"uid": gold})

    assert answer == {
        "shop": {"id": global_id("CustomerGroup", "shop", gold), "name": "Gull"},
        "wien": {"id": global_id("CustomerGroup", "wien", gold), "name": "Gold"},
        "graz": None,
    }


async def test_one_document_changes_both(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """One after another, each at its own tenant; its `tenant` and members are of that tenant."""
    answer = await gateway.query(
        """mutation {
            shop: createCustomerGroup(input: {tenantUid: "shop", name: "New"}) { ...Made }
            wien: createCustomerGroup(input: {tenantUid: "wien", name: "New"}) { ...Made }
        }
        fragment Made on CreateCustomerGroupPayload {
            customerGroup { tenant { uid } customers { totalCount } }
            userErrors { message }
        }"""
    )

    for tenant, payload in answer.items():
        assert payload == {
            "customerGroup": {"tenant": {"uid": tenant}, "customers": {"totalCount": 0}},
            "userErrors": [],
        }
    assert flow.calls[0] == commercetools.calls[0] == "POST customer-groups"


# -- what is shared, and what is not


CT_HEADER = "X-Commercetools-Authorization"
CT_TOKEN = "token-of-ada-at-ct"  # noqa: S105  # it opens nothing but the simulator


@asynccontextmanager
async def two_tokens(flow: Flow, commercetools: Commercetools) -> AsyncIterator[Gateway]:
    """A gateway that takes a token for each vendor."""
    chosen = both(flow.url, commercetools.url)
    upstream = replace(chosen.commercetools, bearer_header=CT_HEADER)
    commercetools.store.add_token(CT_TOKEN, [PROJECT])
    tenants = {"wien": TenantSettings(upstream=upstream, project=PROJECT)}
    async with running_gateway(replace(chosen, tenants=tenants)) as gateway:
        yield gateway


async def test_each_vendor_is_sent_the_token_that_is_for_it(
    flow: Flow, commercetools: Commercetools
):
    """One operation over both carries two, and neither sees the other's."""
    async with two_tokens(flow, commercetools) as gateway:
        await gateway.query(BOTH, headers={CT_HEADER: f"Bearer {CT_TOKEN}"})

    [to_flow], [to_commercetools] = flow.journal.requests, commercetools.journal.requests
    assert to_flow.headers["authorization"] == f"Bearer {TOKEN}"
    assert to_commercetools.headers["authorization"] == f"Bearer {CT_TOKEN}"
    assert CT_TOKEN not in str(to_flow.headers)
    assert TOKEN not in str(to_commercetools.headers).replace(CT_TOKEN, "")


async def test_no_vendor_is_sent_the_others_token_in_place_of_its_own(
    flow: Flow, commercetools: Commercetools
):
    """Its half of the answer says which header is missing; it hears nothing."""
    flow.add_group("gold", "Gull")
    async with two_tokens(flow, commercetools) as gateway:
        body = await gateway.ask(BOTH)

    assert names(body["data"]["shop"]) == ["Gull"]
    assert codes(body) == ["UNAUTHENTICATED"]
    assert CT_HEADER in body["errors"][0]["message"]
    assert commercetools.calls == []


async def test_what_one_token_was_answered_is_not_anothers(
    commercetools: Commercetools, flow: Flow
):
    """In one operation neither: two tenants are one project, each with a token in its own header.
    The second one opens nothing.
    """
    commercetools.add_group("Gold")
    chosen = both(flow.url, commercetools.url)
    project = chosen.tenants["wien"]
    other = replace(project, upstream=replace(chosen.commercetools, bearer_header=CT_HEADER))
    query = """{ mine: customerGroups(tenantUid: "wien") { nodes { name } }
        others: customerGroups(tenantUid: "%s") { nodes { name } } }"""
    tenants = {"wien": project, "linz": other}
    async with running_gateway(replace(chosen, tenants=tenants)) as gateway:
        body = await gateway.ask(query % "linz", headers={CT_HEADER: "Bearer made-up"})

    assert names(body["data"]["mine"]) == ["Gold"]
    assert body["data"]["others"] is None
    assert codes(body) == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("header", ["authorization", "Authorization", CT_HEADER])
def test_the_start_warns_where_two_vendors_share_a_header(header, caplog):
    """No real token opens both, and one vendor could use the other's."""
    chosen = both("http://flow.invalid/v2", "http://ct.invalid")
    upstream = replace(chosen.commercetools, bearer_header=header)

    create_app(replace(chosen, tenants={"wien": TenantSettings(upstream=upstream)}))

    warned = [record.message for record in caplog.records if "token" in record.message]
    assert len(warned) == (header != CT_HEADER)


@pytest.mark.parametrize("default_backend", [None, "commercetools"])
def test_a_default_tenant_that_no_backend_holds_stops_the_start(default_backend):
    """It is not listed, or it is the project of a tenant that is; else each field that names no
    tenant would be refused.
    """
    chosen = both(
        "http://flow.invalid/v2",
        "http://ct.invalid",
        default_backend=default_backend,
        default_tenant=PROJECT,
    )

    with pytest.raises(SettingsError, match=f"default_tenant: no backend holds {PROJECT}: "):
        create_app(chosen)


@pytest.mark.parametrize(
    ("url", "own", "warned_of"),
    [
        ("http://flow.invalid/v2", "http://other.invalid/api/v2/", ""),
        ("http://flow.invalid", "http://flow.invalid/", "flow_retail.url"),
        ("http://flow.invalid/v2", "http://flow.invalid/v1", "tenants.oslo.url"),
        ("http://flow.invalid", "http://v2", "flow_retail.url and tenants.oslo.url"),
    ],
)
def test_the_start_warns_once_of_urls_of_flow_retail_without_a_version(url, own, warned_of, caplog):
    """By the settings' names: a log has no hosts."""
    flow_retail = FlowRetailSettings(url=url)
    tenants = {
        "shop": TenantSettings(upstream=flow_retail),
        "oslo": TenantSettings(upstream=replace(flow_retail, url=own)),
    }

    create_app(Settings(flow_retail=flow_retail, tenants=tenants))

    warning = f"A URL of Flow Retail ends in /v2, unlike {warned_of}."
    assert caplog.messages == ([warning] if warned_of else [])


@pytest.mark.parametrize(
    "header", ["Cookie", "Host", "X-Tenant", "Proxy-Authorization", "Content-Type", "", "a b-Token"]
)
def test_a_token_comes_in_no_header_that_means_something_else(header):
    """The setting says so at the start."""
    with pytest.raises(SettingsError, match="BEARER_HEADER"):
        read_settings({"GATEWAY_COMMERCETOOLS_BEARER_HEADER": header})


async def test_where_they_share_a_header_its_token_goes_to_both_and_nothing_else_does(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """No cookie, no tenant header, no forwarding header of the client's."""
    headers = {
        "Cookie": "session=s3cret",
        "X-Tenant": "wien",
        "X-Api-Key": "s3cret",
        "X-Forwarded-For": "10.0.0.1",
        "X-Request-Id": "from-the-client",
    }

    await gateway.query(BOTH, headers=headers)

    for request in (*flow.journal.requests, *commercetools.journal.requests):
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["x-request-id"] == "from-the-client"
        assert set(request.headers) <= {
            *("authorization", "x-request-id", "accept", "accept-encoding", "host"),
            *("user-agent", "connection"),
        }
        assert "s3cret" not in str(request.headers)


async def test_what_one_backend_sets_never_reaches_the_other(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """Nor itself, in the next request: cookies are not kept."""
    answer = b'{"items": [], "paging": {"pageNumber": 1, "pageSize": 20, "totalCount": 0}}'
    flow.fail(Answer(200, answer, {"Set-Cookie": "session=flow", "Content-Type": "text/json"}))

    await gateway.query(BOTH)
    await gateway.query(BOTH)

    sent = [*flow.journal.requests, *commercetools.journal.requests]
    assert len(sent) == 4
    assert not any("cookie" in request.headers for request in sent)


@pytest.mark.parametrize("effect", [Answer(500), Answer(401), Answer(429), Close()])
async def test_a_failing_backend_costs_only_its_own_tenants_fields(
    gateway: Gateway, flow: Flow, commercetools: Commercetools, effect: Any
):
    """The other's are answered."""
    flow.add_group("gold", "Gull")
    commercetools.fail(effect, times=9)

    body = await gateway.ask(BOTH)

    assert names(body["data"]["shop"]) == ["Gull"]
    assert body["data"]["wien"] is None
    assert {tuple(path or ()) for path in paths(body)} == {("wien", "nodes")}


async def test_a_token_that_only_one_backend_takes_opens_that_one(
    gateway: Gateway, flow: Flow, commercetools: Commercetools
):
    """Each backend judges for itself."""
    flow.store.add_token("of-flow-only", ["shop"])
    flow.add_group("gold", "Gull")

    body = await gateway.ask(BOTH, token="of-flow-only")  # noqa: S106  # no secret

    assert names(body["data"]["shop"]) == ["Gull"]
    assert codes(body) == ["UNAUTHENTICATED"]


@pytest.mark.slow
async def test_a_tenants_limits_are_its_own(flow: Flow, commercetools: Commercetools):
    """One that is in a hurry fails alone; its neighbour at the same API waits."""
    chosen = both(flow.url, commercetools.url)
    hasty = replace(chosen.commercetools, timeout=0.1, retries=0)
    tenants = {**chosen.tenants, "graz": TenantSettings(upstream=hasty)}
    commercetools.fail(Delay(0.5), times=2)
    async with running_gateway(replace(chosen, tenants=tenants)) as gateway:
        body = await gateway.ask(
            """{
                wien: customerGroups(tenantUid: "wien") { totalCount }
                graz: customerGroups(tenantUid: "graz") { totalCount }
            }"""
        )

    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]
    assert body["data"] == {"wien": {"totalCount": 0}, "graz": {"totalCount": None}}


@pytest.mark.slow
async def test_a_gate_that_is_full_holds_up_no_other_backend(
    flow: Flow, commercetools: Commercetools
):
    """`concurrency` is per upstream: the slow one's queue is its own."""
    slow = CommercetoolsSettings(url=commercetools.url, concurrency=1)
    chosen = both(
        flow.url, commercetools.url, tenants={"wien": TenantSettings(upstream=slow)}, deadline=1.0
    )
    commercetools.fail(Delay(2), times=9)
    async with running_gateway(chosen) as gateway:
        body = await gateway.ask(
            """{
                a: customerGroups(tenantUid: "wien") { totalCount }
                b: customerGroups(tenantUid: "wien", first: 1, offset: 900) { nodes { name } }
                shop: customerGroups(tenantUid: "shop") { totalCount }
            }"""
        )

    assert codes(body) == ["DEADLINE_EXCEEDED"] * 2
    assert body["data"]["shop"] == {"totalCount": 0}


@pytest.mark.parametrize(
    ("tenants", "count"),
    [
        ({}, 1),
        ({"a": {}, "b": {}}, 2),
        ({"a": {}, "b": {"project": "other"}}, 2),
        ({"a": {}, "b": {"timeout": 1.0}}, 3),
        ({"a": {"concurrency": 2}, "b": {"concurrency": 2}}, 2),
        ({"a": {"membership": "legacy"}, "b": {}}, 2),
        ({"a": {"url": "http://elsewhere"}, "b": {}}, 3),
    ],
)
async def test_tenants_with_equal_settings_share_one_upstream(tenants, count):
    """Its connections and its gate; a project is no reason for another one. Flow Retail's, of the
    tenants that are not listed, is one more.
    """
    opened: list[httpx.AsyncBaseTransport] = []

    def make_transport(upstream: UpstreamSettings) -> httpx.AsyncBaseTransport:
        opened.append(HttpTransport(connections=upstream.concurrency))
        return opened[-1]

    base = CommercetoolsSettings(url="http://ct")
    rows = {
        name: TenantSettings(
            project=row.get("project"),
            upstream=replace(
                base, **{name: value for name, value in row.items() if name != "project"}
            ),
        )
        for name, row in tenants.items()
    }
    app = create_app(settings("http://flow/v2", tenants=rows), make_transport=make_transport)
    async with app.router.lifespan_context(app):
        assert len(opened) == count


@pytest.mark.parametrize(("made", "used"), [("shop", "wien"), ("wien", "shop")])
async def test_a_cursor_is_for_backends_that_read_it_the_same_way(
    gateway: Gateway, flow: Flow, commercetools: Commercetools, made, used
):
    """One system pages by offset and the other by the last id: the other's cursor is refused."""
    flow.add_groups(3)
    for name in ("A", "B", "C"):
        commercetools.add_group(name)
    query = """query ($tenant: ID!, $after: String) {
        customerGroups(tenantUid: $tenant, first: 1, after: $after) {
            pageInfo { endCursor }
        }
    }"""
    data = await gateway.query(query, {"tenant": made})
    cursor = data["customerGroups"]["pageInfo"]["endCursor"]
    flow.journal.clear()
    commercetools.journal.clear()

    body = await gateway.ask(query, {"tenant": used, "after": cursor})

    assert body["data"] == {"customerGroups": None}
    assert codes(body) == ["BAD_USER_INPUT"]
    assert (flow.calls, commercetools.calls) == ([], [])


async def test_an_offset_that_no_call_reaches_is_refused(
    gateway: Gateway, commercetools: Commercetools
):
    """As every limit is: before any REST call, with the place."""
    commercetools.add_group("Gold")
    query = """{ tenant(uid: "wien") {
        far: customerGroups(first: 1, offset: 20000) { nodes { uid } }
        near: customerGroups(first: 1) { nodes { name } totalCount }
    } }"""

    body = await gateway.ask(query)

    assert codes(body) == ["LIMIT_EXCEEDED"]
    assert paths(body) == [["tenant", "far"]]
    assert "data" not in body
    assert commercetools.calls == []


# -- what strangers are told


GUESS = """query ($tenant: ID!, $uid: ID!, $key: String!) {
    tenant(uid: $tenant) { uid backend { kind capabilities { customFields } } }
    group: customerGroup(tenantUid: $tenant, by: {uid: $uid}) { uid }
    keyed: customerGroup(tenantUid: $tenant, by: {key: $key}) { uid }
    ordered: customerGroups(tenantUid: $tenant, orderBy: {field: CREATED_AT}) { totalCount }
}"""


async def test_without_a_token_every_tenant_gets_the_same_answer(
    flow: Flow, commercetools: Commercetools
):
    """Be it in one system or the other, or nowhere."""
    chosen = both(flow.url, commercetools.url, default_backend=None, default_tenant=None)
    chosen = replace(
        chosen,
        tenants={
            **chosen.tenants,
            "acme": TenantSettings(upstream=FlowRetailSettings(url=flow.url)),
        },
    )
    given = {"uid": "a", "key": "a"}

    async with running_gateway(chosen) as gateway:
        answers = [
            await gateway.ask(GUESS, {"tenant": uid, **given}, token=None)
            for uid in ("wien", "acme", "nobody")
        ]
        told = await gateway.ask("{ tenant { uid } }", token=None, headers={"X-Tenant": "wien"})

    assert answers[0] == answers[1] == answers[2]
    assert set(codes(answers[0])) == set(codes(told)) == {"UNAUTHENTICATED"}
    assert flow.calls == commercetools.calls == []


async def test_a_made_up_token_names_only_so_many_tenants(gateway: Gateway, flow: Flow):
    """One that a backend has accepted names any."""
    flow.add_group("gold")
    query = "query ($r: [_Any!]!) { _entities(representations: $r) { ... on Tenant { uid } } }"
    given = {"r": [{"__typename": "Tenant", "uid": f"t{number}"} for number in range(102)]}

    made_up = await gateway.ask(query, given, token="made-up")  # noqa: S106
    await gateway.query("{ customerGroups { totalCount } }")
    known = await gateway.ask(query, given)

    assert codes(made_up) == ["LIMIT_EXCEEDED"] * 2
    assert [tenant is None for tenant in made_up["data"]["_entities"]] == [False] * 100 + [True] * 2
    assert codes(known) == []


async def test_a_project_of_a_listed_tenant_is_no_tenant_of_its_own(commercetools: Commercetools):
    """It would be reached past that tenant's settings."""
    chosen = both("http://127.0.0.1:1/v2", commercetools.url, default_backend="commercetools")
    chosen = replace(chosen, commercetools=CommercetoolsSettings(url=commercetools.url))
    commercetools.store.add_token(TOKEN, [PROJECT, "graz", "linz"])
    query = "query ($uid: ID!) { customerGroups(tenantUid: $uid) { totalCount } }"

    async with running_gateway(chosen) as gateway:
        past = await gateway.ask(query, {"uid": PROJECT})
        others = [await gateway.ask(query, {"uid": uid}) for uid in ("wien", "graz", "linz")]

    assert codes(past) == ["BAD_USER_INPUT"]
    assert [codes(other) for other in others] == [[], [], []]
    assert commercetools.projects == [PROJECT, "graz", "linz"]
