"""`setCustomerGroupMembers`: the members are exactly those wanted, and only what differs is
sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.backends.port import ById, CountPrecision, GroupRef, Window
from gateway.errors import InvalidAnswer, LimitExceeded
from gateway.membership import difference
from gateway.records import Customer, Omission, Page, Row
from gateway.simulator.faults import Answer, Body, Exchange
from tests.harness import TENANT, Flow, Gateway, codes, running_gateway, settings
from tests.two_backends import PROJECT, Commercetools

SET = """mutation ($input: SetCustomerGroupMembersInput!) {
  setCustomerGroupMembers(input: $input) {
    customerGroup { customers(first: 50) { nodes { uid } } }
    results { customerUid action status error { code message } }
    userErrors { code message field limit allowed found }
  }
}"""


async def set_members(gateway: Gateway, *wanted: str, **more: Any) -> Any:
    """The payload of a mutation without errors."""
    given = {"customerGroup": {"uid": "gold"}, "customerUids": wanted, **more}
    data = await gateway.query(SET, {"input": given})
    return data["setCustomerGroupMembers"]


def outcomes(payload: Any) -> list[tuple[str, str, str]]:
    return [
        (result["customerUid"], result["action"], result["status"]) for result in payload["results"]
    ]


@pytest.fixture(autouse=True)
def people(flow: Flow) -> None:
    flow.add_group("gold")
    for uid in ("ada", "bob", "cyd"):
        flow.add_customer(uid, "gold")
    for uid in ("dan", "eve"):
        flow.add_customer(uid)


async def test_only_what_differs_is_sent(gateway, flow):
    """One read of the members, one PUT of the difference; who stays is not mentioned."""
    payload = await set_members(gateway, "eve", "bob", "dan")

    assert outcomes(payload) == [
        ("eve", "ADD", "ACCEPTED"),
        ("dan", "ADD", "ACCEPTED"),
        ("ada", "REMOVE", "ACCEPTED"),
        ("cyd", "REMOVE", "ACCEPTED"),
    ]
    assert set(flow.members("gold")) == {"bob", "dan", "eve"}
    shown = payload["customerGroup"]["customers"]["nodes"]
    assert {node["uid"] for node in shown} == {"bob", "dan", "eve"}
    assert flow.calls[:2] == [
        "GET customer-groups/gold/customers",
        "PUT customer-groups/gold/customers",
    ]


async def test_where_nothing_differs_nothing_is_sent(gateway, flow):
    """The members are as wanted already."""
    payload = await set_members(gateway, "cyd", "ada", "bob", "ada")

    assert (payload["results"], payload["userErrors"]) == ([], [])
    assert not [call for call in flow.calls if call.startswith("PUT")]


@pytest.mark.parametrize("dry_run", [False, True])
async def test_uids_that_differ_in_capital_letters_are_not_exchanged(gateway, flow, dry_run):
    """To some backends they are one: it would be added, which changes nothing, and then removed."""
    payload = await set_members(gateway, "ADA", "bob", dryRun=dry_run)

    assert payload["results"] == []
    [error] = payload["userErrors"]
    assert error["message"] == "To be added and removed at once: ADA and ada."
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["input", "customerUids"])
    assert set(flow.members("gold")) == {"ada", "bob", "cyd"}


async def test_uids_that_differ_in_capital_letters_may_both_be_members(gateway, flow):
    """To others they are two, and nobody is removed."""
    flow.add_customer("ADA")

    payload = await set_members(gateway, "ada", "ADA", "bob", "cyd", dryRun=True)

    assert outcomes(payload) == [("ADA", "ADD", "PLANNED")]


async def test_a_dry_run_only_tells(gateway, flow):
    """PLANNED for each that would be sent, and nothing is."""
    payload = await set_members(gateway, "ada", "dan", dryRun=True)

    assert outcomes(payload) == [
        ("dan", "ADD", "PLANNED"),
        ("bob", "REMOVE", "PLANNED"),
        ("cyd", "REMOVE", "PLANNED"),
    ]
    assert set(flow.members("gold")) == {"ada", "bob", "cyd"}


async def test_more_removals_than_are_safe_are_refused(gateway, flow):
    """An empty list by mistake takes nobody away."""
    payload = await set_members(gateway, "dan", maxRemovals=2)

    assert payload["results"] == []
    assert payload["userErrors"] == [
        {
            "code": "LIMIT_EXCEEDED",
            "message": "3 customers would be removed, and at most 2 may be.",
            "field": ["input", "maxRemovals"],
            "limit": "maxRemovals",
            "allowed": 2,
            "found": 3,
        }
    ]
    assert set(flow.members("gold")) == {"ada", "bob", "cyd"}


async def test_an_empty_list_empties_the_group(gateway, flow):
    """It is a list like any other; `maxRemovals` is there for those who fear it."""
    payload = await set_members(gateway)

    assert [status for *_, status in outcomes(payload)] == ["ACCEPTED"] * 3
    assert flow.members("gold") == []


async def test_a_group_that_is_too_large_to_compare_is_refused(flow):
    """Both numbers are said, and nothing is sent."""
    async with running_gateway(settings(flow.url, max_membership_uids=2)) as gateway:
        payload = await set_members(gateway, "ada")

    assert [error["code"] for error in payload["userErrors"]] == ["LIMIT_EXCEEDED"]
    assert "3 members; at most 2" in payload["userErrors"][0]["message"]
    limit = {name: payload["userErrors"][0][name] for name in ("limit", "allowed", "found")}
    assert limit == {"limit": "max_membership_uids", "allowed": 2, "found": 3}
    assert set(flow.members("gold")) == {"ada", "bob", "cyd"}


async def test_all_members_are_read_however_many(flow, gateway):
    """A list of several pages is compared whole, at a call a page."""
    everyone = flow.add_customers(230, "gold", prefix="m")

    payload = await set_members(gateway, *everyone[:200], "ada", "bob", "cyd")

    assert [uid for uid, *_ in outcomes(payload)] == everyone[200:]
    reads = [call for call in flow.calls if call.startswith("GET")]
    assert len(reads) == 3 + 2  # and for the answer, the group and its first customers


async def test_a_group_that_is_not_there_is_a_user_error(gateway, flow):
    """Found out by the read, before anything is sent."""
    payload = await set_members(gateway, "ada", customerGroup={"uid": "tin"})

    assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"]
    assert flow.calls == ["GET customer-groups/tin/customers"]


async def test_what_can_not_be_wanted_is_refused_before_any_rest_call(gateway, flow):
    """Malformed uids, and fewer removals than none."""
    bad_uid = await set_members(gateway, "a/b")
    negative = await set_members(gateway, "ada", maxRemovals=-1)

    assert [error["field"] for error in bad_uid["userErrors"]] == [["input", "customerUids", "0"]]
    assert [error["field"] for error in negative["userErrors"]] == [["input", "maxRemovals"]]
    assert flow.calls == []


async def test_an_outage_is_an_error_and_not_a_mistake(gateway, flow):
    """Nothing was changed, so there is nothing else to tell."""
    flow.store.remove_token("token-of-ada")

    body = await gateway.ask(
        SET, {"input": {"customerGroup": {"uid": "gold"}, "customerUids": ["ada"]}}
    )

    assert body["data"] == {"setCustomerGroupMembers": None}
    assert codes(body) == ["UNAUTHENTICATED"]


# -- members that can't be read, or that the backend does not list


@dataclass
class Unreadable:
    """An effect: these customers come without a uid that can be read."""

    uids: Sequence[str]

    async def play(self, exchange: Exchange) -> None:
        status, headers, body = await exchange.answer()
        page = json.loads(body)
        for row in page["items"]:
            if row["customerUid"] in self.uids:
                row["customerUid"] = 17
        await Answer(status, json.dumps(page).encode(), headers).play(exchange)


@pytest.mark.parametrize("more", [{}, {"dryRun": True}], ids=["for good", "dry run"])
@pytest.mark.parametrize("hidden", ["one", "the first page"])
async def test_a_member_that_can_not_be_read_keeps_all_as_it_is(gateway, flow, hidden, more):
    """Who can't be named can't be removed: the others would go, and nothing be said of it."""
    everyone = ["ada", "bob", "cyd", *flow.add_customers(147, "gold", prefix="m")]
    flow.fail(Unreadable(everyone[:1] if hidden == "one" else everyone[:100]), method="GET")
    given = {"customerGroup": {"uid": "gold"}, "customerUids": [], **more}

    body = await gateway.ask(SET, {"input": given})

    assert body["data"] == {"setCustomerGroupMembers": None}
    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"]
    assert flow.calls == ["GET customer-groups/gold/customers"]
    assert len(flow.members("gold")) == 150


@dataclass
class Leaves:
    """An effect: ahead of the answer, this customer leaves the group."""

    flow: Flow
    uid: str

    async def play(self, exchange: Exchange) -> None:
        self.flow.store.remove_member(TENANT, "gold", self.uid)
        await exchange.forward()


async def test_a_member_that_moves_to_a_page_read_before_is_not_missed(gateway, flow):
    """Somebody leaves in between, and the counts tell: the members are read once more."""
    everyone = flow.add_customers(147, "gold", prefix="m")
    flow.fail(Leaves(flow, "ada"), method="GET", skip=1)

    payload = await set_members(gateway, "bob", "cyd")

    assert [uid for uid, *_ in outcomes(payload)] == everyone
    assert flow.members("gold") == ["bob", "cyd"]


async def test_who_left_while_the_members_were_read_is_added_again(gateway, flow):
    """The later reading holds, and not both together."""
    flow.add_customers(147, "gold", prefix="m")
    flow.fail(Leaves(flow, "ada"), method="GET", skip=1)

    payload = await set_members(gateway, "ada", "bob")

    assert outcomes(payload)[0] == ("ada", "ADD", "ACCEPTED")
    assert set(flow.members("gold")) == {"ada", "bob"}


def page(uids: Iterable[str], total: int | None, *, first: int = 0, more: bool = False, **of: Any):
    """A page of members, from offset `first` on."""
    rows = [Row(first + n, Customer(uid=uid)) for n, uid in enumerate(uids)]
    return Page(rows=rows, total=total, has_next=more, has_previous=first > 0, **of)


class Listed:
    """A backend that answers these pages, one after another."""

    def __init__(
        self, *pages: Page[Customer], precision: CountPrecision = CountPrecision.EXACT
    ) -> None:
        self.capabilities: Any = SimpleNamespace(
            max_page_size=2, total_count=precision, atomic_membership_updates=True
        )
        self.pages = list(pages)

    async def list_members(self, group: GroupRef, window: Window) -> Page[Customer]:
        return self.pages.pop(0)


async def removed(backend: Any) -> list[str]:
    """Whom an empty list of members would remove."""
    return list((await difference(backend, ById("gold"), [], limit=100)).remove)


@pytest.mark.parametrize(
    "reading",
    [
        [page("ab", 3)],
        [page("ab", 4, more=True), page("", 4, first=2, more=True)],
        [page("", 3, more=True)],
        [page("ab", None, more=True), page("", None, first=2, more=True)],
        [page("ab", 4, more=True), page("bd", 4, first=2)],
        [page("ab", 1)],
        [page("ab", 4, more=True), page("d", 3, first=2)],
    ],
    ids=["too few", "an empty page", "none", "no count", "one twice", "too many", "one left"],
)
async def test_a_count_that_is_off_twice_ends_it(reading):
    """Members may come and go while they are read, but then a second reading is right."""
    backend = Listed(*reading, *reading, page("abc", 3))

    with pytest.raises(InvalidAnswer):
        await removed(backend)
    assert len(backend.pages) == 1

    assert await removed(Listed(*reading, page("abc", 3))) == ["a", "b", "c"]


async def test_who_joins_while_the_members_are_read_costs_no_second_reading():
    """Nobody moves to a page that was read before; the last count is that of those listed."""
    backend = Listed(page("ab", 3, more=True), page("cd", 4, first=2))

    assert await removed(backend) == ["a", "b", "c", "d"]


async def test_an_estimate_may_fall():
    """It says nothing of members who left, if the count of all is that of those listed."""
    pages = page("ab", 9, more=True), page("c", 3, first=2), page("", 3)

    assert await removed(Listed(*pages, precision=CountPrecision.ESTIMATED)) == ["a", "b", "c"]


async def test_who_comes_behind_the_reading_is_found_by_the_count_of_all():
    """The last page estimates only how many follow; so the members are read once more."""
    first = page("ac", 9, more=True), page("d", 3, first=2), page("", 4)
    second = page("ab", 9, more=True), page("cd", 4, first=2), page("", 4)

    reading = Listed(*first, *second, precision=CountPrecision.ESTIMATED)

    assert await removed(reading) == ["a", "b", "c", "d"]
    assert reading.pages == []


@pytest.mark.parametrize("groups", [["gold"], ["GOLD", "blue"], []], ids=str)
async def test_a_customer_whose_groups_show_the_membership_is_a_member(groups):
    """Whatever others it is in, and in whatever case; they need not be told."""
    row = Row(0, Customer(uid="a", customer_group_uids=tuple(groups)))

    listed = Listed(Page(rows=[row], total=1, has_next=False, has_previous=False))

    assert await removed(listed) == ["a"]


@pytest.mark.parametrize(("groups", "on_customer"), [(["blue"], False), ([], True)], ids=str)
async def test_a_customer_whose_groups_do_not_show_the_membership_keeps_all_as_it_is(
    groups, on_customer
):
    """Those of another group, or none to be read where membership is kept on the customer."""
    row = Row(0, Customer(uid="a", customer_group_uids=tuple(groups)))
    listed = Listed(Page(rows=[row], total=1, has_next=False, has_previous=False))
    listed.capabilities.atomic_membership_updates = not on_customer

    with pytest.raises(InvalidAnswer):
        await removed(listed)


async def test_an_estimate_may_be_off_for_good():
    """Two readings that agree are all there is to go by; two that do not are not enough."""
    here, there = page("abc", 12), page("abd", 12)

    async def read(*pages: Page[Customer]) -> list[str]:
        return await removed(Listed(*pages, precision=CountPrecision.ESTIMATED))

    assert await read(here, here) == ["a", "b", "c"]
    with pytest.raises(InvalidAnswer):
        await read(here, there)
    with pytest.raises(InvalidAnswer):
        await read(*[page("abc", 9, more=True), page("", 9, first=3, more=True)] * 2)


async def test_a_flaw_within_a_row_is_none_of_the_members():
    """The row has its uid, which is all that counts here."""
    omission = Omission("items[0].addresses[1]", "it is a number where an object is expected.")

    assert await removed(Listed(page("ab", 2, omissions=[omission]))) == ["a", "b"]


class Endless:
    """A backend that lists members for ever, and never says how many there are."""

    capabilities = SimpleNamespace(
        max_page_size=10, total_count=CountPrecision.EXACT, atomic_membership_updates=True
    )

    async def list_members(self, group: GroupRef, window: Window) -> Page[Customer]:
        start = window.after.offset + 1 if window.after else 0
        rows = [Row(n, Customer(uid=f"c{n}")) for n in range(start, start + window.size)]
        return Page(rows=rows, total=None, has_next=True, has_previous=bool(start))


async def test_a_group_without_a_total_is_read_no_further_than_is_allowed():
    """What was seen counts where nobody says how many there are."""
    with pytest.raises(LimitExceeded):
        await difference(Endless(), ById("gold"), [], limit=35)  # type: ignore[arg-type]


class Behind:
    """An effect: once the first page is read, a customer joins whose place is on it."""

    def __init__(self, shop: Commercetools, joins: str, gold: str) -> None:
        self.shop, self.joins, self.gold = shop, joins, gold

    async def play(self, exchange: Exchange) -> None:
        customer = self.shop.store.customer(PROJECT, self.joins)
        self.shop.store.save_customer(replace(customer, groups=(self.gold,)))
        await exchange.forward()


@pytest.mark.slow
async def test_who_joins_behind_the_reading_is_removed_too(wide, commercetools):
    """In commercetools' lists by the last id: only a count of all tells."""
    gold = commercetools.add_group("Gold")
    with commercetools.store.transaction():
        everyone = sorted(commercetools.add_customer(gold) for _ in range(520))
        joins = min(commercetools.add_customer() for _ in range(20))
    commercetools.fail(Behind(commercetools, joins, gold), path="/customers$", skip=1)
    given = {"tenantUid": "wien", "customerGroup": {"uid": gold}, "customerUids": everyone}

    body = await wide.ask(SET, {"input": {**given, "dryRun": True}})

    results = body["data"]["setCustomerGroupMembers"]["results"]
    assert [(each["customerUid"], each["status"]) for each in results] == [(joins, "PLANNED")]


@pytest.mark.parametrize("uid", [5, "gold\ud83d"])
async def test_a_member_whose_groups_can_not_be_read_keeps_all_as_it_is(wide, commercetools, uid):
    """Whether it is one, its own groups would have to show: it may have been left out of them."""
    gold = commercetools.add_group("Gold")
    ada, bob = commercetools.add_customer(gold), commercetools.add_customer(gold)
    rows = [
        {"id": ada, "version": 1, "customerGroupAssignments": [{"customerGroup": {"id": uid}}]},
        {"id": bob, "version": 1, "customerGroupAssignments": [{"customerGroup": {"id": gold}}]},
    ]
    said = {"limit": 500, "offset": 0, "count": 2, "total": 2, "results": rows}
    commercetools.fail(Body(json.dumps(said).encode()), method="GET", path="/customers$")
    given = {"tenantUid": "wien", "customerGroup": {"uid": gold}, "customerUids": [ada, bob]}

    body = await wide.ask(SET, {"input": given})

    assert body["data"] == {"setCustomerGroupMembers": None}
    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"]
    assert not [call for call in commercetools.calls if call.startswith("POST")]
