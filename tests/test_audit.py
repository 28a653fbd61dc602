"""Who has changed which group: an event for each change, whatever its outcome, on both backends."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from gateway.audit import change_facts
from gateway.backends.port import ById
from gateway.simulator.faults import Answer, Close
from gateway.telemetry import ChangeDone, OperationDone
from gateway.telemetry.log_lines import log_event
from tests.harness import TOKEN, Flow, Gateway, running_gateway
from tests.two_backends import Commercetools, both

KINDS = ["create", "update", "delete", "updateMembers", "setMembers"]
NAMES = {"updateMembers": "updateCustomerGroupMembers", "setMembers": "setCustomerGroupMembers"}
CLIENT = {
    "apollographql-client-name": "web",
    "apollographql-client-version": "1.2",
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
}
COUNTS = ["added", "removed", "unchanged", "failed", "unknown"]


class Shop:
    """One backend of the gateway, with an empty group, and the group "Gold" that has Ada."""

    def __init__(self, gateway: Gateway, api: Flow | Commercetools) -> None:
        self.gateway, self.api = gateway, api
        self.tokens = {"authorization": f"Bearer {TOKEN}", "x-flow-token": f"Bearer {TOKEN}"}
        if isinstance(api, Flow):
            self.backend, self.tenant, self.header = "flow_retail", "shop", "x-flow-token"
            self.gold, self.empty, self.ada, self.bob = "gold", "empty", "ada-l", "bob-l"
            api.add_group("gold")
            api.add_group("empty")
            api.add_customer("ada-l", "gold")
            api.add_customer("bob-l")
        else:
            self.backend, self.tenant, self.header = "commercetools", "wien", "authorization"
            self.gold, self.empty = api.add_group("Gold", key="the-gold"), api.add_group("Empty")
            self.ada = api.add_customer(self.gold, firstName="Ada")
            self.bob = api.add_customer(firstName="Bob")

    async def change(self, *kinds: str, **more: Any) -> None:
        """Ask for changes that work, unless they are given `more`, one after another."""
        for kind in kinds:
            await self._change(kind, more)

    async def _change(self, kind: str, more: Mapping[str, Any]) -> None:
        of = {"customerGroup": {"uid": self.empty if kind == "delete" else self.gold}}
        given = {
            "create": {"name": "Silver"},
            "update": {**of, "name": "Au"},
            "delete": of,
            "updateMembers": {
                **of,
                "addCustomerUids": [self.bob],
                "removeCustomerUids": [self.ada],
            },
            "setMembers": {**of, "customerUids": [self.bob]},
        }[kind]
        name = field(kind)
        kind = name[0].upper() + name[1:]
        document = f"mutation ($input: {kind}Input!) {{ {name}(input: $input) {{ __typename }} }}"
        given = {"input": {"tenantUid": self.tenant, **given, **more}}
        await self.gateway.ask(document, given, token=None, headers={**CLIENT, **self.tokens})

    @property
    def events(self) -> list[ChangeDone]:
        return [event for event in self.gateway.events if isinstance(event, ChangeDone)]

    @property
    def event(self) -> ChangeDone:
        [event] = self.events
        return event

    @property
    def told(self) -> list[tuple[str, str, str | None]]:
        """What kind of change each was, its outcome, and why."""
        return [(event.kind, event.outcome, event.code) for event in self.events]

    @property
    def counts(self) -> dict[str, int | None]:
        return {name: getattr(self.event, name) for name in COUNTS}


def field(kind: str) -> str:
    return NAMES.get(kind, f"{kind}CustomerGroup")


@pytest.fixture(params=["flow_retail", "commercetools"])
async def shop(
    request: pytest.FixtureRequest, flow: Flow, commercetools: Commercetools
) -> AsyncIterator[Shop]:
    header = {"bearer_header": "X-Flow-Token"}
    chosen = both(flow.url, commercetools.url, flow_retail=header)
    async with running_gateway(chosen) as gateway:
        yield Shop(gateway, flow if request.param == "flow_retail" else commercetools)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_change_that_is_done_is_told(shop: Shop, kind):
    """What was done to which group, by whom, and with which client."""
    await shop.change(kind)

    event = shop.event
    assert shop.told == [(field(kind), "done", None)]
    assert (event.tenant, event.backend) == (shop.tenant, shop.backend)
    assert event.group_uid
    if kind != "create":
        assert event.group_uid == (shop.empty if kind == "delete" else shop.gold)
    assert (event.client, event.client_version) == ("web", "1.2")
    operation = shop.gateway.events[-1]
    assert isinstance(operation, OperationDone)
    assert (event.token, event.request_id) == (operation.token, operation.request_id)
    assert event.trace is not None
    assert event.trace == operation.trace
    edit = dict.fromkeys(COUNTS, 0) | {"added": 1, "removed": 1}
    assert shop.counts == (edit if "Members" in kind else dict.fromkeys(COUNTS))


async def test_changes_that_the_backend_refuses_are_told(shop: Shop):
    """With the code that the caller gets, though nothing was changed."""
    shop.api.fail(Answer(403), times=None)

    await shop.change(*KINDS)

    assert shop.told == [(field(kind), "refused", "FORBIDDEN") for kind in KINDS]
    assert shop.api.calls


async def test_changes_that_never_left_are_told(shop: Shop):
    """They were attempted: here with no token for this backend."""
    del shop.tokens[shop.header]

    await shop.change(*KINDS)

    assert shop.told == [(field(kind), "refused", "UNAUTHENTICATED") for kind in KINDS]
    assert shop.api.calls == []


async def test_changes_of_unknown_outcome_are_told(shop: Shop):
    """They were sent, the answer is lost, and no read shows what became of them."""
    for method in ("POST", "PUT", "DELETE"):
        shop.api.fail(Close(), method=method, times=None)

    await shop.change(*KINDS)

    assert shop.told == [(field(kind), "unknown", "OUTCOME_UNKNOWN") for kind in KINDS]
    assert [event.unknown for event in shop.events] == [None, None, None, 2, 2]


@pytest.mark.parametrize("kind", ["updateMembers", "setMembers"])
async def test_an_edit_that_is_done_in_part_is_counted(shop: Shop, kind):
    """Of customers there are only counts."""
    nobody = "0f2b6c7e-64cc-4ad2-9b04-5b9ee37d0b66"
    name = "addCustomerUids" if kind == "updateMembers" else "customerUids"

    await shop.change(kind, **{name: [shop.bob, nobody]})

    assert shop.event.outcome == "partial"
    assert shop.event.code
    assert shop.counts == {"added": 1, "removed": 1, "unchanged": 0, "failed": 1, "unknown": 0}


async def test_what_is_no_valid_input_is_no_change(shop: Shop):
    """The operation's line tells of it: nobody's data was meant to change."""
    await shop.change("create", name="")
    await shop.change(*KINDS[1:], customerGroup={"uid": "a.b"})

    assert shop.events == []


async def test_a_dry_run_is_no_change(shop: Shop):
    """Nor is one that would be refused."""
    await shop.change("setMembers", dryRun=True)
    await shop.change("setMembers", dryRun=True, maxRemovals=0)

    assert shop.events == []


async def test_members_that_are_as_wanted_are_a_change_all_the_same(shop: Shop):
    """Someone has asked for it, and it holds."""
    await shop.change("setMembers", customerUids=[shop.ada])

    assert shop.told == [("setCustomerGroupMembers", "done", None)]
    assert shop.counts == dict.fromkeys(COUNTS, 0)


async def test_a_removal_beyond_what_the_caller_allows_is_refused(shop: Shop):
    """After the members were read."""
    await shop.change("setMembers", maxRemovals=0)

    assert shop.told == [("setCustomerGroupMembers", "refused", "LIMIT_EXCEEDED")]


async def test_each_change_of_a_document_is_told(shop: Shop):
    """In its order."""
    changes = " ".join(
        f'{alias}: deleteCustomerGroup(input: {{tenantUid: "{shop.tenant}", '
        f'customerGroup: {{uid: "{uid}"}}}}) {{ deletedUid }}'
        for alias, uid in (("a", shop.empty), ("b", "nobody"))
    )

    await shop.gateway.ask(f"mutation {{ {changes} }}", token=None, headers=shop.tokens)

    assert [(event.group_uid, event.outcome) for event in shop.events] == [
        (shop.empty, "done"),
        ("nobody", "refused"),
    ]


async def test_a_key_is_told_beside_the_uid(wide: Gateway, commercetools: Commercetools):
    """Of a group that is named by it, or gets it with its creation."""
    uid = commercetools.add_group("Gold", key="the-gold")
    for document in (
        'updateCustomerGroup(input: {customerGroup: {key: "the-gold"}, name: "G"})',
        'createCustomerGroup(input: {key: "silver", name: "S"})',
    ):
        tenant = {"X-Tenant": "wien"}
        await wide.query(f"mutation {{ {document} {{ __typename }} }}", headers=tenant)

    renamed, made = (event for event in wide.events if isinstance(event, ChangeDone))
    assert (renamed.group_uid, renamed.group_key) == (uid, "the-gold")
    assert made.group_uid
    assert made.group_key == "silver"


def test_a_bug_leaves_the_outcome_unknown():
    """It may strike after the change was sent."""
    assert change_facts(ById("gold"), ZeroDivisionError()) == {
        "group_uid": "gold",
        "group_key": None,
        "outcome": "unknown",
        "code": None,
    }


async def test_the_line_has_ids_of_groups_and_nothing_of_customers(shop: Shop, caplog):
    """Nor a name, nor a token."""
    nobody = "0f2b6c7e-64cc-4ad2-9b04-5b9ee37d0b66"
    await shop.change("create", name="Silver wedding")
    await shop.change("update", name="Golden years")
    await shop.change("updateMembers", addCustomerUids=[shop.bob, nobody])

    with caplog.at_level(logging.INFO, logger="gateway"):
        for event in shop.events:
            log_event(event)

    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" ")[0] for line in lines] == ["change"] * 3
    for secret in ("Silver", "Golden", shop.ada, shop.bob, nobody, TOKEN):
        assert not [line for line in lines if secret in line]
