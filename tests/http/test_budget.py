"""The REST-call budget: what may cost too much is refused before it costs anything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pytest

from gateway.schema.relay import global_id
from tests.harness import Flow, Gateway, codes, paths, running_gateway, settings
from tests.two_backends import both, running_commercetools

MEMBERS = "{ customerGroups(first: %d) { nodes { customers(first: 5) { nodes { uid } } } } }"


def cost(body: Any) -> tuple[int, int, int]:
    shown = body["extensions"]["cost"]
    return shown["restCallsPlanned"], shown["restCallsMade"], shown["limit"]


async def test_an_operation_above_the_budget_is_refused_with_what_would_fit(
    gateway: Gateway, flow: Flow
):
    """With the bound, the limit, the place, and the largest `first` that stays within."""
    flow.add_groups(3)

    body = await gateway.ask(MEMBERS % 100)

    [error] = body["errors"]
    assert "data" not in body
    assert flow.calls == []
    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "limit": "max_rest_calls",
        "allowed": 100,
        "found": 101,
    }
    assert "`first: 99`" in error["message"]
    assert error["path"] == ["customerGroups"]
    assert error["locations"]
    assert cost(body) == (101, 0, 100)


@pytest.mark.slow
async def test_what_would_fit_does_fit(gateway: Gateway, flow: Flow):
    """To the last call."""
    flow.add_groups(120)

    body = await gateway.ask(MEMBERS % 99)

    assert "errors" not in body
    assert cost(body) == (100, 100, 100)
    assert len(flow.calls) == 100


async def test_the_attack_of_the_hundred_bytes(gateway: Gateway, flow: Flow):
    """Lists in lists in lists: refused, where it used to be 1,207 REST calls."""
    flow.add_groups(20)
    body = await gateway.ask(
        "{customerGroups(first:100){nodes{customers(first:100)"
        "{nodes{customerGroups{customers(first:100){nodes{uid}}}}}}}}"
    )

    assert codes(body) == ["LIMIT_EXCEEDED"]
    assert flow.calls == []


async def test_what_nobody_knows_ahead_is_metered(flow: Flow):
    """In how many groups customers are: calls are made as far as the budget goes, and their fields
    answered; the others say why they are not.
    """
    groups = flow.add_groups(12)
    flow.add_customer("ada", *groups)
    query = """{ customerGroup(by: {uid: "g000"}) { customers(first: 1) { nodes {
        customerGroups { name customers(first: 1) { totalCount } }
    } } } }"""
    async with running_gateway(settings(flow.url, max_rest_calls=5)) as gateway:
        body = await gateway.ask(query)

    shown = body["data"]["customerGroup"]["customers"]["nodes"][0]["customerGroups"]
    counts = [group["customers"]["totalCount"] for group in shown]
    assert len(flow.calls) == 5
    assert cost(body) == (5, 5, 5)
    # Five less the group, its member and the list of groups; and the call for the member, which
    # tells the total of that group, is not made again.
    assert counts.count(1) == 3
    assert codes(body) == ["LIMIT_EXCEEDED"] * 9
    for error in body["errors"]:
        assert error["extensions"]["limit"] == "max_rest_calls"


async def test_a_membership_edit_is_counted_by_its_requests(flow: Flow):
    """One over the budget, and nothing is sent; at the budget, all of it is."""
    flow.add_group("gold")
    people = flow.add_customers(5)
    edit = """mutation ($add: [ID!]!) { updateCustomerGroupMembers(
        input: {customerGroup: {uid: "gold"}, addCustomerUids: $add}) { results { status } } }"""
    small = settings(flow.url, max_rest_calls=2, flow_retail={"membership_chunk": 2})
    async with running_gateway(small) as gateway:
        refused = await gateway.ask(edit, {"add": people})
        assert flow.calls == []
        made = await gateway.ask(edit, {"add": people[:4]})

    assert codes(refused) == ["LIMIT_EXCEEDED"]
    assert cost(made) == (2, 2, 2)
    assert len(flow.members("gold")) == 4


async def test_an_edit_that_no_budget_allows_is_not_made_in_part(flow: Flow):
    """Whom to remove is known after reading only; then all of it fits, or nothing is sent."""
    flow.add_group("gold")
    flow.add_customers(9, "gold")
    small = settings(flow.url, max_rest_calls=3, flow_retail={"membership_chunk": 2})
    async with running_gateway(small) as gateway:
        body = await gateway.ask(
            """mutation { setCustomerGroupMembers(
                input: {customerGroup: {uid: "gold"}, customerUids: []}
            ) { results { status } userErrors { code } } }"""
        )

    assert body["data"]["setCustomerGroupMembers"]["userErrors"] == [{"code": "LIMIT_EXCEEDED"}]
    assert len(flow.members("gold")) == 9


async def test_one_change_after_the_other_counts(flow: Flow):
    """Aliases are no way around it."""
    flow.add_group("gold")
    rename = (
        'updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "n%d"}) '
        "{ userErrors { code } }"
    )
    both = " ".join(f"m{n}: {rename % n}" for n in range(4))
    async with running_gateway(settings(flow.url, max_rest_calls=3)) as gateway:
        body = await gateway.ask(f"mutation {{ {both} }}")

    assert codes(body) == ["LIMIT_EXCEEDED"]
    assert flow.calls == []


async def test_entities_are_counted_once_each(gateway: Gateway, flow: Flow):
    """However often a router asks for the same."""
    flow.add_groups(3)
    representations = [
        {"__typename": "CustomerGroup", "tenantUid": "shop", "uid": uid}
        for uid in ("g000", "g001") * 20
    ]

    body = await gateway.ask(
        """query ($r: [_Any!]!) { _entities(representations: $r) {
            ... on CustomerGroup { name customers(first: 1) { totalCount } } } }""",
        {"r": representations},
    )

    assert cost(body) == (5, 4, 100)


async def test_mistakes_below_a_list_are_found_ahead(gateway: Gateway, flow: Flow):
    """Once, not once a row, and nothing is called for them; with the path and the place."""
    flow.add_groups(3)
    body = await gateway.ask(
        """{ ok: __typename customerGroups { nodes {
            customers(first: 1, after: "nonsense") { nodes { uid } }
        } } }"""
    )

    assert codes(body) == ["BAD_USER_INPUT"]
    assert paths(body) == [["customerGroups", "nodes", "customers"]]
    assert body["errors"][0]["locations"] == [{"line": 2, "column": 13}]
    assert flow.calls == []


@pytest.mark.parametrize("argument", ["first", "last"])
async def test_a_page_above_the_limit_refuses_all(gateway: Gateway, flow: Flow, argument):
    """With both numbers and the place, before any REST call."""
    body = await gateway.ask(
        f"""{{ a: customerGroup(by: {{uid: "a"}}) {{ name }}
               b: customerGroups({argument}: 101) {{ totalCount }} }}"""
    )

    [error] = body["errors"]
    assert "data" not in body
    assert error["path"] == ["b"]
    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "field": [argument],
        "limit": "max_page_size",
        "allowed": 100,
        "found": 101,
    }
    assert flow.calls == []


async def test_a_mistake_below_a_change_keeps_the_change_from_being_made(
    gateway: Gateway, flow: Flow
):
    """Otherwise the client would not see what it has done."""
    body = await gateway.ask(
        """mutation { createCustomerGroup(input: {name: "Gold"}) {
            customerGroup { customers(first: -1) { totalCount } } } }"""
    )

    assert codes(body) == ["BAD_USER_INPUT"]
    assert flow.calls == []


async def test_each_backend_counts_its_own_calls(flow: Flow):
    """An edit of three members is one call to one system, and five to the other."""
    async with running_commercetools() as commercetools:
        gold = commercetools.add_group("Gold")
        people = [commercetools.add_customer() for _ in range(3)]
        async with running_gateway(both(flow.url, commercetools.url)) as gateway:
            body = await gateway.ask(
                """mutation ($group: ID!, $add: [ID!]!) { updateCustomerGroupMembers(input: {
                    tenantUid: "wien", customerGroup: {uid: $group}, addCustomerUids: $add
                }) { results { status } } }""",
                {"group": gold, "add": people},
            )

    assert "errors" not in body
    assert cost(body) == (5, 5, 100)
    assert len(commercetools.calls) == 5


# -- batches, which a router can't split

REPRESENTATIONS = """query ($r: [_Any!]!) { _entities(representations: $r) {
    ... on CustomerGroup { name %s } } %s }"""
BELOW = "customers(first: 1) { totalCount }"


def representations(uids: Iterable[str], tenant: str = "shop") -> list[dict[str, str]]:
    return [{"__typename": "CustomerGroup", "tenantUid": tenant, "uid": uid} for uid in uids]


def shown(body: Any, field: str) -> int:
    """How many of the entities have the field."""
    return sum((entity or {}).get(field) is not None for entity in body["data"]["_entities"])


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["shop", "wien"])
async def test_a_batch_costs_the_pages_that_it_takes(flow: Flow, backend):
    """240 groups, though a call for each would be above the limit."""
    async with running_commercetools() as commercetools:
        uids = (
            flow.add_groups(240)
            if backend == "shop"
            else [commercetools.add_group(f"Group {n}") for n in range(240)]
        )
        async with running_gateway(both(flow.url, commercetools.url)) as gateway:
            body = await gateway.ask(
                REPRESENTATIONS % ("", ""), {"r": representations(uids, backend)}
            )

    assert "errors" not in body
    assert shown(body, "name") == 240
    assert cost(body) == (100, 3 if backend == "shop" else 1, 100)


@pytest.mark.slow
async def test_of_a_batch_as_much_is_answered_as_fits(gateway: Gateway, flow: Flow):
    """All names, and customers as far as the calls go; each field that is left says why."""
    uids = flow.add_groups(101)
    body = await gateway.ask(REPRESENTATIONS % (BELOW, ""), {"r": representations(uids)})

    assert (shown(body, "name"), shown(body, "customers")) == (101, 101)
    assert codes(body) == ["LIMIT_EXCEEDED"] * 3
    assert {path[2] for path in paths(body)} == {"customers"}
    assert cost(body) == (100, 100, 100)
    assert len(flow.calls) == 100


async def test_a_batch_whose_groups_can_not_be_found_in_pages_is_looked_up_in_part(flow: Flow):
    """Ten groups on ten pages, in eight calls: none of the other two is said to be gone."""
    uids = flow.add_groups(30)
    small = settings(flow.url, max_rest_calls=8, flow_retail={"max_page_size": 3})
    async with running_gateway(small) as gateway:
        body = await gateway.ask(REPRESENTATIONS % ("", ""), {"r": representations(uids[::3])})

    assert shown(body, "name") == 8
    assert codes(body) == ["LIMIT_EXCEEDED"] * 2
    assert {error["extensions"]["limit"] for error in body["errors"]} == {"max_rest_calls"}
    assert len(flow.calls) == cost(body)[1] == 8


async def test_a_batch_leaves_others_their_calls(flow: Flow):
    """Groups that are gone cost a call each; the lists beside them are read all the same."""
    flow.add_groups(9)
    gone = representations(f"x{number}" for number in range(50))
    beside = "customerGroups(first: 9) { nodes { customers(first: 5) { totalCount } } }"
    small = settings(flow.url, max_rest_calls=20, flow_retail={"max_page_size": 8})
    async with running_gateway(small) as gateway:
        body = await gateway.ask(REPRESENTATIONS % ("", beside), {"r": gone})

    assert all(node["customers"] for node in body["data"]["customerGroups"]["nodes"])
    assert set(codes(body)) == {"LIMIT_EXCEEDED"}
    assert {path[0] for path in paths(body)} == {"_entities"}
    assert len(flow.calls) <= 20


async def test_batches_of_two_tenants_leave_others_their_calls(flow: Flow):
    """Together they leave no fewer than one of them would."""
    flow.add_groups(9)
    gone = [f"x{number}" for number in range(50)]
    wanted = [*representations(gone), *representations(gone, "other")]
    beside = "customerGroups(first: 9) { nodes { customers(first: 5) { totalCount } } }"
    small = settings(flow.url, max_rest_calls=20, flow_retail={"max_page_size": 8})
    async with running_gateway(small) as gateway:
        body = await gateway.ask(REPRESENTATIONS % ("", beside), {"r": wanted})

    assert {path[0] for path in paths(body)} == {"_entities"}
    assert set(codes(body)) == {"LIMIT_EXCEEDED"}
    assert len(flow.calls) <= 20


async def test_look_ups_may_have_the_calls_that_lists_turn_out_not_to_need(flow: Flow):
    """The last customers of a group are estimated as two calls and take one: of 20 calls, 19 are
    planned, and two more are needed for the groups of the customers.
    """
    uids = flow.add_groups(120)
    for number in range(9):
        flow.add_customer(f"c{number}", uids[number], uids[20 + number], uids[110 + number])
    query = """{ customerGroups(first: 9) { nodes { customers(last: 2) { nodes {
        customerGroups { name } } } } } }"""
    async with running_gateway(settings(flow.url, max_rest_calls=20)) as gateway:
        body = await gateway.ask(query)

    assert "errors" not in body
    assert cost(body) == (19, 12, 20)


async def test_groups_that_payloads_show_leave_later_changes_their_calls(flow: Flow):
    """How many groups a customer is in is not known ahead; how many calls a change takes is."""
    groups = flow.add_groups(30)
    flow.add_customer("ada", *groups)
    change = """updateCustomerGroup(input: {customerGroup: {uid: "%s"}, name: "New"})
        { customerGroup { name %s } }"""
    below = "customers(first: 1) { nodes { customerGroups { name } } }"
    changes = [change % ("g000", below), change % ("g001", below), change % ("g002", "")]
    text = " ".join(f"c{number}: {each}" for number, each in enumerate(changes))
    small = settings(flow.url, max_rest_calls=20, flow_retail={"max_page_size": 1})
    async with running_gateway(small) as gateway:
        body = await gateway.ask(f"mutation {{ {text} }}")

    assert body["data"]["c2"] == {"customerGroup": {"name": "New"}}
    assert set(codes(body)) == {"LIMIT_EXCEEDED"}
    assert len(flow.calls) <= 20


async def test_a_batch_of_which_no_part_fits_is_refused(flow: Flow):
    """What is beside it uses up all calls; both are named."""
    beside = "customerGroups(first: 9) { nodes { customers(first: 5) { totalCount } } }"
    async with running_gateway(settings(flow.url, max_rest_calls=10)) as gateway:
        body = await gateway.ask(REPRESENTATIONS % ("", beside), {"r": representations("abc")})

    assert body["errors"][0]["extensions"]["found"] == 13
    assert flow.calls == []


async def test_places_of_a_router_share_their_groups(gateway: Gateway, flow: Flow):
    """Eight places with a hundred groups each: a variable counts for the fields that use it."""
    uids = flow.add_groups(100)
    places = range(8)
    variables = " ".join(f"$v{n}: [_Any!]!" for n in places)
    fields = " ".join(
        f"p{n}: _entities(representations: $v{n}) {{ ... on CustomerGroup {{ name }} }}"
        for n in places
    )

    body = await gateway.ask(
        f"query ({variables}) {{ {fields} }}", {f"v{n}": representations(uids) for n in places}
    )

    assert "errors" not in body
    assert [len(entities) for entities in body["data"].values()] == [100] * 8
    assert flow.calls == ["GET customer-groups"]


# -- who is shown it


async def test_production_tells_the_cost_to_those_who_ask(flow: Flow):
    """A header, not a profile, for a client that wants to know."""
    async with running_gateway(settings(flow.url, profile="production")) as gateway:
        silent = await gateway.ask("{ customerGroups { totalCount } }")
        asked = await gateway.ask(
            "{ customerGroups { totalCount } }", headers={"X-Show-Cost": "true"}
        )

    assert "extensions" not in silent
    assert cost(asked) == (1, 1, 100)


COSTLY = [
    "{a: customerGroups(PAGE) {nodes {customers(first: 5) {totalCount}}}"
    " b: customerGroups(PAGE) {nodes {customers(first: 5) {totalCount}}}}",
    "{a: customerGroups(PAGE) {nodes {customers(first: 5) {totalCount}}}"
    " b: customerGroups(first: 50, offset: 50) {nodes {uid}}}",
    "{a: customerGroups(PAGE) {nodes {customers {totalCount}}}"
    " b: customerGroups(first: 100, offset: 100) {nodes {customers {nodes {uid}}}}}",
    "{customerGroups(PAGE) {nodes {x: customers(first: 90) {nodes {uid}}"
    " y: customers(first: 90, offset: 95) {nodes {uid}}}}}",
]


@pytest.mark.slow
@pytest.mark.parametrize("argument", ["first", "last"])
@pytest.mark.parametrize("query", COSTLY)
async def test_the_page_that_is_suggested_fits(gateway: Gateway, flow: Flow, query, argument):
    """Given for every page that is longer, and by the argument that was used."""
    flow.add_groups(130)
    refused = await gateway.ask(query.replace("PAGE", f"{argument}: 100"))

    [suggested] = re.findall(r"`(first|last): (\d+)`", refused["errors"][0]["message"])
    rows = int(suggested[1])
    assert flow.calls == []

    def shorter(match: re.Match[str]) -> str:
        return f"{match[1]}: {min(rows, int(match[2]))}"

    fits = re.sub(r"(first|last): (\d+)", shorter, query.replace("PAGE", f"{argument}: 100"))
    body = await gateway.ask(fits)

    assert "errors" not in body
    made, planned = cost(body)[1], cost(body)[0]
    assert made <= planned <= 100


@pytest.mark.parametrize("backend", ["shop", "wien"])
async def test_a_hundred_groups_by_uid_fit(flow: Flow, backend):
    """A router asks so: at worst a call for each, and mostly a page for all."""
    async with running_commercetools() as commercetools:
        uids = (
            flow.add_groups(100)
            if backend == "shop"
            else [commercetools.add_group(f"Group {n}") for n in range(100)]
        )
        ids = [global_id("CustomerGroup", backend, uid) for uid in uids]
        async with running_gateway(both(flow.url, commercetools.url)) as gateway:
            body = await gateway.ask(
                "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on CustomerGroup { name } } }",
                {"ids": ids},
            )

    assert "errors" not in body
    assert cost(body)[1] <= 2


async def test_members_that_are_as_wanted_cost_only_the_look(flow: Flow):
    """Who is to be changed is known after it; the edit that is left then has to fit."""
    async with running_commercetools() as commercetools:
        gold = commercetools.add_group("Gold")
        people = [commercetools.add_customer(gold) for _ in range(120)]
        async with running_gateway(both(flow.url, commercetools.url)) as gateway:
            body = await gateway.ask(
                """mutation ($group: ID!, $all: [ID!]!) { setCustomerGroupMembers(input: {
                    tenantUid: "wien", customerGroup: {uid: $group}, customerUids: $all
                }) { results { status } userErrors { code } } }""",
                {"group": gold, "all": people},
            )

    assert body["data"]["setCustomerGroupMembers"] == {"results": [], "userErrors": []}
    assert cost(body) == (1, 1, 100)


async def test_windows_in_different_ticks_are_all_counted(flow: Flow):
    """A selection set with one thing to wait for runs ahead of one with several, so that loaders do
    not see both together: the bound does not count on it.
    """
    flow.add_groups(60)
    query = """{ customerGroup(by: {uid: "g022"}) { customers(first: 9) { nodes { uid } } tenant {
        a: customerGroups(first: 10) { edges { node { uid } } }
        b: customerGroups(first: 49) { edges { node { uid } } totalCount } } } }"""
    async with running_gateway(settings(flow.url, max_rest_calls=4)) as gateway:
        body = await gateway.ask(query)

    assert "errors" not in body
    assert cost(body)[1] <= cost(body)[0] == 4
