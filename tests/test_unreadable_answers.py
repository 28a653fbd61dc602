"""Answers whose body can't be read, end to end: what the status has said is told."""

from __future__ import annotations

import pytest

from gateway.simulator import faults
from tests.harness import codes, running_gateway
from tests.two_backends import both, running_commercetools

NO_GZIP = faults.Headers({"Content-Encoding": "gzip"})
"""Announced, and not done: as middleware does beside 204 and errors."""
INVALID = "UPSTREAM_INVALID_ANSWER"
EDIT = """mutation { updateCustomerGroupMembers(input: {
    customerGroup: {uid: "gold"}, addCustomerUids: ["ada"], removeCustomerUids: ["bob"]
}) { results { customerUid status } userErrors { code } } }"""
DELETE = """mutation { deleteCustomerGroup(input: {customerGroup: {uid: "gold"}})
    { deletedUid userErrors { code } } }"""
RENAME = """mutation { updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "Au"})
    { customerGroup { name } userErrors { code } } }"""


async def test_a_membership_edit_and_a_delete_that_were_made_are_done(flow, gateway):
    """Nobody needs the body of a 204, so no further call is made."""
    flow.add_group("gold")
    flow.add_customer("ada")
    flow.add_customer("bob", "gold")
    flow.fail(NO_GZIP, times=None)

    edited = await gateway.query(EDIT)
    deleted = await gateway.query(DELETE)

    assert edited["updateCustomerGroupMembers"]["results"] == [
        {"customerUid": "ada", "status": "ACCEPTED"},
        {"customerUid": "bob", "status": "ACCEPTED"},
    ]
    assert deleted["deleteCustomerGroup"]["deletedUid"] == "gold"
    assert flow.calls == ["PUT customer-groups/gold/customers", "DELETE customer-groups/gold"]


async def test_a_change_whose_record_is_to_be_shown_is_looked_at(flow, gateway):
    """It was accepted; what it came to is read."""
    flow.add_group("gold")
    flow.fail(NO_GZIP)

    renamed = await gateway.query(RENAME)

    assert renamed["updateCustomerGroup"] == {"customerGroup": {"name": "Au"}, "userErrors": []}
    assert flow.calls == ["PUT customer-groups/gold", "GET customer-groups/gold"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "NOT_FOUND"), (409, "DUPLICATE"), (400, "REJECTED_BY_BACKEND")],
)
async def test_a_refused_change_is_refused(flow, gateway, status, code):
    """Its reason is absent."""
    flow.add_group("gold")
    flow.fail(faults.Answer(status, b"\x1f", {"Content-Encoding": "gzip"}))

    body = await gateway.query(RENAME)

    assert [error["code"] for error in body["updateCustomerGroup"]["userErrors"]] == [code]


@pytest.mark.parametrize(
    ("status", "code"), [(401, "UNAUTHENTICATED"), (403, "FORBIDDEN"), (302, INVALID)]
)
async def test_a_change_that_was_not_let_in_was_not_made(flow, gateway, status, code):
    """So its outcome is known."""
    flow.add_group("gold")
    for operation in (RENAME, EDIT, DELETE):
        flow.fail(faults.Answer(status, b"\x1f", {"Content-Encoding": "gzip"}))

        assert codes(await gateway.ask(operation)) == [code]


async def test_a_429_beside_an_unreadable_body_is_waited_for(flow, gateway):
    """And then the read is sent again."""
    flow.add_group("gold", "Gold")
    flow.fail(faults.Answer(429, b"\x1f", {"Content-Encoding": "gzip", "Retry-After": "0"}))

    body = await gateway.query('{ customerGroup(by: {uid: "gold"}) { name } }')

    assert body["customerGroup"]["name"] == "Gold"
    assert len(flow.calls) == 2


async def test_a_record_that_comes_along_and_is_not_shown_is_not_needed(flow):
    """commercetools answers a membership edit with the customer and a delete with the group."""
    async with running_commercetools() as shop:
        group, unused = shop.add_group("Gold"), shop.add_group("Silver")
        ada = shop.add_customer()
        variables = {"group": group, "ada": ada}
        shop.fail(NO_GZIP, method="POST", times=None)
        shop.fail(NO_GZIP, method="DELETE", times=None)
        async with running_gateway(both(flow.url, shop.url)) as gateway:
            edited = await gateway.query(
                "mutation($group: ID!, $ada: ID!) { updateCustomerGroupMembers(input: {"
                'tenantUid: "wien", customerGroup: {uid: $group}, addCustomerUids: [$ada]'
                "}) { results { status } } }",
                variables,
            )
            deleted = await gateway.query(
                'mutation($group: ID!) { deleteCustomerGroup(input: {tenantUid: "wien", '
                "customerGroup: {uid: $group}}) { deletedUid } }",
                {"group": unused},
            )

    assert edited["updateCustomerGroupMembers"]["results"] == [{"status": "ACCEPTED"}]
    assert deleted["deleteCustomerGroup"]["deletedUid"] == unused
