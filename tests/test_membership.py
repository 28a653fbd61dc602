"""`setCustomerGroupMembers`: the members are exactly those wanted, and only what differs is
sent.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.backends.port import ById, GroupRef
from gateway.errors import LimitExceeded
from gateway.membership import difference
from gateway.paging import Window
from gateway.records import Customer, Page, Row
from tests.harness import Flow, Gateway, codes, running_gateway, settings

SET = """mutation ($input: SetCustomerGroupMembersInput!) {
  setCustomerGroupMembers(input: $input) {
    customerGroup { customers(first: 50) { nodes { uid } } }
    results { customerUid action status error { code message } }
    userErrors { code message field }
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


class Endless:
    """A backend that lists members for ever, and never says how many there are."""

    capabilities = SimpleNamespace(max_page_size=10)

    async def list_members(self, group: GroupRef, window: Window) -> Page[Customer]:
        start = window.after.offset + 1 if window.after else 0
        rows = [Row(n, Customer(uid=f"c{n}")) for n in range(start, start + window.size)]
        return Page(rows=rows, total=None, has_next=True, has_previous=bool(start))


async def test_a_group_without_a_total_is_read_no_further_than_is_allowed():
    """What was seen counts where nobody says how many there are."""
    with pytest.raises(LimitExceeded):
        await difference(Endless(), ById("gold"), [], most=35)  # type: ignore[arg-type]
