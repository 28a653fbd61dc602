"""Membership in commercetools: who is in a group, and what became of each customer of an edit."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.backends.port import (
    ById,
    ByKey,
    EditOutcome,
    MembershipEdit,
    Window,
    most,
)
from gateway.backends.port import MemberStatus as Status
from gateway.errors import (
    Forbidden,
    InvalidAnswer,
    LimitExceeded,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unauthenticated,
    Unavailable,
)
from gateway.schema.relay import global_id
from gateway.settings import Settings
from gateway.simulator.commercetools import fault_answers
from gateway.simulator.commercetools.refusals import Refusal
from gateway.simulator.faults import Answer, Body, Close, Done, Exchange, LoseAnswer, Stall
from gateway.telemetry import Meter
from tests.backends.worlds import CommercetoolsWorld, shop
from tests.harness import READER, TENANT, running_gateway

Cost = Callable[[str], int]
MODES = ["assignments", "legacy", "both"]


@pytest.fixture
async def world() -> AsyncIterator[CommercetoolsWorld]:
    async with shop() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_is_left_over(caplog: pytest.LogCaptureFixture):
    """asyncio logs tasks whose failure nobody looked at, once they are collected."""
    yield
    gc.collect()
    assert [each.message for each in caplog.records if each.levelno >= logging.ERROR] == []


@pytest.fixture
def cost(world: CommercetoolsWorld, record_property: Callable[[str, object], None]) -> Cost:
    """The REST calls since it was last asked, written into the table at the end of the test run."""

    def calls(operation: str) -> int:
        count = len(world.calls)
        world.journal.clear()
        record_property("REST calls", (operation, "commercetools", count))
        return count

    return calls


def statuses(edit: EditOutcome) -> list[Status]:
    """Those that are neither as wanted nor planned have an error, and no other has one."""
    for outcome in edit.outcomes:
        assert (outcome.error is not None) is (outcome.status in (Status.FAILED, Status.UNKNOWN))
    return [outcome.status for outcome in edit.outcomes]


def writes(world: CommercetoolsWorld) -> list[str]:
    return [call for call in world.calls if not call.startswith("GET")]


@dataclass
class Watch:
    """An effect that counts how many requests are under way at once."""

    seconds: float = 0.005
    now: int = 0
    most: int = 0
    seen: list[str] = field(default_factory=list)

    async def play(self, exchange: Exchange) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        self.seen.append(exchange.scope["path"])
        await asyncio.sleep(self.seconds)
        await exchange.forward()
        self.now -= 1


# -- who is a member


@pytest.mark.parametrize("mode", MODES)
async def test_which_field_counts_is_a_setting(mode):
    """A customer by each field, by both, and by neither."""
    async with shop(membership=mode) as world:
        gold, blue = world.add_group("Gold"), world.add_group("Blue")
        assigned = world.add_customer(gold, firstname="assigned")
        legacy = world.add_customer(legacy=gold, firstname="legacy")
        both = world.add_customer(gold, blue, legacy=gold, firstname="both")
        other = world.add_customer(blue, legacy=gold, firstname="other")
        world.add_customer(blue, legacy=blue)
        expected = {
            "assignments": {assigned: (gold,), both: (gold, blue)},
            "legacy": {legacy: (gold,), both: (gold,), other: (gold,)},
            "both": {
                assigned: (gold,),
                legacy: (gold,),
                both: (gold, blue),
                other: (blue, gold),
            },
        }[mode]

        page = await world.connect().list_members(ById(gold), Window(size=10))
        count = await world.connect().list_members(ById(gold), Window(size=0))

        found = {row.record.uid: row.record.customer_group_uids for row in page.rows}
        assert found == expected
        assert page.total == count.total == len(expected)


@pytest.mark.parametrize("no_assignments", ["list", "absent"])
async def test_a_customer_without_groups_has_none(no_assignments):
    """Be it an empty list or no list at all."""
    async with shop(membership="legacy") as world:
        world.switches.no_assignments = no_assignments
        gold = world.add_group("Gold")
        world.add_customer(legacy=gold)

        page = await world.connect().list_members(ById(gold), Window(size=1))

        assert page.rows[0].record.customer_group_uids == (gold,)


@pytest.mark.parametrize(
    ("mode", "added", "removed"),
    [
        ("assignments", ["addCustomerGroupAssignment"], ["removeCustomerGroupAssignment"]),
        ("legacy", ["setCustomerGroup"], ["setCustomerGroup"]),
        (
            "both",
            ["addCustomerGroupAssignment"],
            ["removeCustomerGroupAssignment", "setCustomerGroup"],
        ),
    ],
)
async def test_what_an_edit_sends_in_each_mode(mode, added, removed):
    """A removal takes a customer out of every field that counts."""
    async with shop(membership=mode) as world:
        gold = world.add_group("Gold")
        new, old = world.add_customer(), world.add_customer(gold, legacy=gold)

        edit = await world.connect().edit_members(
            MembershipEdit(ById(gold), add=[new], remove=[old])
        )

        assert statuses(edit) == [Status.ACCEPTED] * 2
        bodies = {
            request.path.rsplit("/", 1)[1]: json.loads(request.body)
            for request in world.journal.requests
            if request.method == "POST"
        }
        assert {each["version"] for each in bodies.values()} == {1}
        assert [action["action"] for action in bodies[new]["actions"]] == added
        assert [action["action"] for action in bodies[old]["actions"]] == removed
        page = await world.connect().list_members(ById(gold), Window(size=5))
        assert [row.record.uid for row in page.rows] == [new]


async def test_the_older_field_holds_one_group_so_that_joining_replaces_it():
    """As the backend has it; the customer leaves the other group without a word."""
    async with shop(membership="legacy") as world:
        gold, blue = world.add_group("Gold"), world.add_group("Blue")
        customer = world.add_customer(legacy=blue)

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[customer]))

        assert statuses(edit) == [Status.ACCEPTED]
        assert world.store.legacy_members(TENANT, gold) == [customer]
        assert world.store.legacy_members(TENANT, blue) == []


async def test_leaving_one_group_by_the_older_field_leaves_no_other():
    """A customer whose single group is another one is not touched."""
    async with shop(membership="legacy") as world:
        gold, blue = world.add_group("Gold"), world.add_group("Blue")
        customer = world.add_customer(gold, legacy=blue)

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), remove=[customer]))

        assert statuses(edit) == [Status.UNCHANGED]
        assert writes(world) == []


@pytest.mark.parametrize("mode", MODES)
async def test_an_edit_twice_is_an_edit_once(mode):
    """The second time all is as wanted, and nothing is sent but the two reads."""
    async with shop(membership=mode) as world:
        world.switches.add_assigned = world.switches.remove_unassigned = "error"
        gold = world.add_group("Gold")
        new, old = world.add_customer(), world.add_customer(gold, legacy=gold)
        backend = world.connect()
        await backend.edit_members(MembershipEdit(ById(gold), add=[new], remove=[old]))
        world.journal.clear()

        again = await backend.edit_members(MembershipEdit(ById(gold), add=[new], remove=[old]))

        assert statuses(again) == [Status.UNCHANGED] * 2
        assert sorted(world.calls) == [f"GET customer-groups/{gold}", "GET customers"]


async def test_in_mode_both_a_member_by_either_field_is_one_already():
    """No second membership beside the older one."""
    async with shop(membership="both") as world:
        gold = world.add_group("Gold")
        customer = world.add_customer(legacy=gold)

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[customer]))

        assert statuses(edit) == [Status.UNCHANGED]
        assert world.members(gold) == set()


# -- what an edit costs


@pytest.mark.slow
async def test_an_edit_reads_a_hundred_customers_a_query(world, cost):
    """And writes each once."""
    gold = world.add_group("Gold", key="gold")
    new, old = world.add_customers(150), world.add_customers(101, gold)

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=new, remove=old))

    assert statuses(edit) == [Status.ACCEPTED] * 251
    assert world.members(gold) == set(new)
    reads = [query for query in world.queries if "where" in query]
    assert sorted(query["limit"] for query in reads) == ["100", "100", "51"]
    assert all(query["withTotal"] == "false" for query in reads)
    assert (
        max(len(request.path) + len(str(request.query)) for request in world.journal.requests)
        < 8000
    )
    assert cost("add and remove 251 customers") == 1 + 3 + 251
    await world.connect().edit_members(MembershipEdit(ByKey("gold"), add=new[:1]))
    assert cost("add a customer that is there already, by the group's key") == 2
    await world.connect().edit_members(MembershipEdit(ById(gold), add=old[:1]))
    assert cost("add one customer") == 3


@pytest.mark.slow
@pytest.mark.parametrize("bound", [1, 3, 8])
async def test_no_more_customers_are_changed_at_once_than_is_set(bound):
    """All of the bound is used, and never more."""
    async with shop(membership_concurrency=bound) as world:
        gold = world.add_group("Gold")
        customers = world.add_customers(25)
        watch = Watch()
        world.faults.add(watch, method="POST", times=None)

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=customers))

        assert statuses(edit) == [Status.ACCEPTED] * 25
        assert watch.most == bound
        assert len(set(watch.seen)) == len(watch.seen) == 25


async def test_nothing_to_do_is_one_look_at_the_group(world):
    """Whether it is there is told all the same."""
    gold = world.add_group("Gold")

    assert (await world.connect().edit_members(MembershipEdit(ById(gold)))).outcomes == []
    with pytest.raises(NotFound):
        await world.connect().edit_members(MembershipEdit(ById(world.unknown)))


# -- an outcome for each


async def test_each_customer_has_its_own_outcome(world):
    """Unknown ones, unchanged ones and changed ones, in the order asked."""
    gold = world.add_group("Gold")
    new, old, also = world.add_customer(), world.add_customer(gold), world.add_customer(gold)
    absent = world.add_customer()

    edit = await world.connect().edit_members(
        MembershipEdit(ById(gold), add=[world.unknown, new, also], remove=[old, "nobody", absent])
    )

    uids = [outcome.customer_uid for outcome in edit.outcomes]
    assert uids == [world.unknown, new, also, old, "nobody", absent]
    assert statuses(edit) == [
        *(Status.FAILED, Status.ACCEPTED, Status.UNCHANGED),
        *(Status.ACCEPTED, Status.FAILED, Status.UNCHANGED),
    ]
    assert isinstance(edit.outcomes[0].error, NotFound)
    assert edit.failure is None
    assert len(writes(world)) == 2


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        (fault_answers.invalid_operation(), Rejected),
        (fault_answers.not_found(), NotFound),
        (fault_answers.answer(Refusal(409, "Other", "No.")), Rejected),
        (fault_answers.answer(Refusal(400, "ReferencedResourceNotFound", "No.")), Rejected),
        (Answer(413), Rejected),
    ],
    ids=str,
)
async def test_a_refused_customer_fails_alone(world, effect, kind):
    """The others are changed."""
    gold = world.add_group("Gold")
    first, second = world.add_customer(), world.add_customer()
    world.faults.add(effect, method="POST", path=first)

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[first, second]))

    assert statuses(edit) == [Status.FAILED, Status.ACCEPTED]
    assert isinstance(edit.outcomes[0].error, kind)
    assert edit.failure is None
    assert len(writes(world)) == 2


@pytest.mark.parametrize("version", [None, 5])
async def test_a_customer_that_changed_is_read_again_and_tried_once_more(world, version):
    """409, with the current version in it or without."""
    gold = world.add_group("Gold")
    customer = world.add_customer()
    world.faults.add(fault_answers.concurrent_modification(version), method="POST")

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[customer]))

    assert statuses(edit) == [Status.ACCEPTED]
    path = f"customers/{customer}"
    assert world.calls[-3:] == [f"POST {path}", f"GET {path}", f"POST {path}"]


@pytest.mark.parametrize("spare", [0, 1, 2])
async def test_a_customer_is_tried_once_more_with_calls_to_spare_only(world, spare):
    """Those whose turn is still to come are done first: an edit that was begun is not cut in
    half.
    """
    gold = world.add_group("Gold")
    customers = [world.add_customer() for _ in range(20)]
    world.faults.add(fault_answers.concurrent_modification(), method="POST")
    backend = world.connect()
    asked = MembershipEdit(ById(gold), add=customers)
    meter = Meter(limit=most(backend.costs.write(asked)) + spare)

    edit = await world.connect(meter=meter).edit_members(asked)

    failed = [outcome for outcome in edit.outcomes if outcome.status is Status.FAILED]
    assert edit.failure is None
    assert len(world.calls) == (24 if spare == 2 else 22)
    assert [outcome.error.message for outcome in failed] == (
        [] if spare == 2 else ["The customer keeps changing: try again."]
    )
    assert len(world.members(gold)) == 20 - len(failed)


async def test_an_edit_that_runs_out_of_calls_tells_who_went_through(world):
    """Nobody checked ahead that it fits: what was accepted stays so, and the rest is FAILED."""
    gold = world.add_group("Gold")
    customers = [world.add_customer() for _ in range(12)]

    backend = world.connect(meter=Meter(limit=7))
    edit = await backend.edit_members(MembershipEdit(ById(gold), add=customers))

    done = {each.customer_uid for each in edit.outcomes if each.status is Status.ACCEPTED}
    assert isinstance(edit.failure, LimitExceeded)
    assert world.members(gold) == done
    assert len(done) == 5
    assert sum(each.status is Status.FAILED for each in edit.outcomes) == 7


async def test_a_customer_that_keeps_changing_fails(world):
    """After the second conflict, with advice."""
    gold = world.add_group("Gold")
    customer = world.add_customer()
    conflict = fault_answers.concurrent_modification()
    world.faults.add(conflict, method="POST", times=None)

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[customer]))

    assert statuses(edit) == [Status.FAILED]
    assert "again" in edit.outcomes[0].error.message
    assert len(writes(world)) == 2


async def test_what_the_faster_client_did_counts(world):
    """It made the same change: nothing is left to do, though it was not so before the edit. It
    deleted the customer: that is told.
    """
    gold = world.add_group("Gold")
    same, gone = world.add_customer(), world.add_customer()

    class Faster:
        async def play(self, exchange: Exchange) -> None:
            uid = exchange.scope["path"].rsplit("/", 1)[1]
            if uid == gone:
                world.store.remove_customer(TENANT, gone)
            else:
                customer = world.store.customer(TENANT, same)
                world.store.save_customer(
                    type(customer)(
                        **{
                            name: getattr(customer, name)
                            for name in customer.__dataclass_fields__
                            if name != "groups"
                        },
                        groups=(gold,),
                    )
                )
            await fault_answers.concurrent_modification().play(exchange)

    world.faults.add(Faster(), method="POST", times=2)

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[same, gone]))

    assert statuses(edit) == [Status.ACCEPTED, Status.FAILED]
    assert isinstance(edit.outcomes[1].error, NotFound)
    assert len(writes(world)) == 2


async def test_a_customer_without_a_version_fails_alone(world):
    """There is nothing to name in its request."""
    gold = world.add_group("Gold")
    first, second = world.add_customer(), world.add_customer()
    rows = [{"id": first}, {"id": second, "version": 1}]
    world.faults.add(Body(json.dumps({"results": rows}).encode()), path="/customers$")

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[first, second]))

    assert statuses(edit) == [Status.FAILED, Status.ACCEPTED]
    assert isinstance(edit.outcomes[0].error, InvalidAnswer)


@pytest.mark.parametrize("named", [3, None])
async def test_a_look_that_is_older_than_the_conflict_does_not_tell(world, named):
    """As of a cache: that the customer is a member already may have been so, and be no more."""
    gold = world.add_group("Gold")
    customer = world.add_customer()
    shown = {"id": customer, "version": 1, "customerGroupAssignments": [in_group(gold)]}
    world.faults.add(fault_answers.concurrent_modification(named), method="POST")
    world.faults.add(Body(json.dumps(shown).encode()), method="GET", path=customer)

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[customer]))

    assert statuses(edit) == [Status.FAILED]
    assert "again" in edit.outcomes[0].error.message


# -- what a change is answered with


def customer_row(uid: str, *groups: str) -> dict[str, object]:
    assignments = [in_group(group) for group in groups]
    return {"id": uid, "version": 9, "customerGroupAssignments": assignments}


SAID: dict[str, Callable[[str, str], object]] = {
    "another customer": lambda uid, gold: customer_row("another", gold),
    "an empty id": lambda uid, gold: customer_row("", gold),
    "no group": lambda uid, gold: customer_row(uid),
    "no groups": lambda uid, gold: {"id": uid, "version": 9},
    "another group": lambda uid, gold: customer_row(uid, "blue"),
    "unreadable groups": lambda uid, gold: customer_row(uid) | {"customerGroupAssignments": 5},
    "an empty object": lambda uid, gold: {},
    "a list": lambda uid, gold: [customer_row(uid, gold)],
}


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
async def test_an_answer_that_does_not_show_the_change_is_looked_into(said, done):
    """A look tells that it was made; that it was not, no look can tell."""
    async with shop(membership_concurrency=1) as world:
        gold = world.add_group("Gold")
        first, second = world.add_customer(), world.add_customer()
        answer = Answer(200, json.dumps(said(first, gold)).encode())
        world.faults.add(Done(answer) if done else answer, method="POST", path=first)

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[first, second]))

        known = [Status.ACCEPTED] * 2 if done else [Status.UNKNOWN, Status.FAILED]
        assert statuses(edit) == known
        assert isinstance(edit.failure, OutcomeUnknown) is not done
        assert world.calls.count(f"GET customers/{first}") == 1


@pytest.mark.slow
async def test_a_change_whose_answer_has_a_status_and_no_body_is_told_by_it_or_by_a_look():
    """A success does not show the customer, so somebody looks; a refusal is one without a body."""
    async with shop(membership_concurrency=1, timeout=1.0) as world:
        gold = world.add_group("Gold")
        added, refused = world.add_customer(), world.add_customer()
        world.faults.add(Done(Stall(200)), method="POST", path=added)
        world.faults.add(Stall(400), method="POST", path=refused)

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[added, refused]))

        assert statuses(edit) == [Status.ACCEPTED, Status.FAILED]
        assert edit.failure is None
        assert [call for call in world.calls if call.startswith("GET customers/")] == [
            f"GET customers/{added}"
        ]
        assert len(writes(world)) == 2


@pytest.mark.parametrize("action", ["add", "remove"])
async def test_a_customer_that_this_edit_has_changed_is_not_unchanged(world, action):
    """Its answer was lost, and a look shows it as wanted: by this edit, or by another client's."""
    gold = world.add_group("Gold")
    customers = [world.add_customer(*([] if action == "add" else [gold])) for _ in range(3)]
    world.faults.add(LoseAnswer(), method="POST", times=None)

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), **{action: customers}))

    assert statuses(edit) == [Status.ACCEPTED] * 3
    assert edit.failure is None
    assert len(writes(world)) == 3


async def test_a_lost_answer_is_looked_into_with_calls_to_spare_only(world):
    """Those whose turn is still to come are done first."""
    gold = world.add_group("Gold")
    customers = [world.add_customer() for _ in range(3)]
    world.faults.add(LoseAnswer(), method="POST")
    meter = Meter(limit=5)
    backend = world.connect(meter=meter)

    edit = await backend.edit_members(MembershipEdit(ById(gold), add=customers))

    assert sorted(map(str, statuses(edit))) == sorted(
        map(str, [Status.UNKNOWN, Status.ACCEPTED, Status.ACCEPTED])
    )
    assert len(world.calls) == 5


# -- customers that can't be read


def answering(world: CommercetoolsWorld, *rows: object) -> None:
    """The look at the customers is answered with these, once."""
    world.faults.add(Body(json.dumps({"results": rows}).encode()), path="/customers$")


def in_group(uid: object) -> dict[str, object]:
    return {"customerGroup": {"typeId": "customer-group", "id": uid}}


UNREAD: dict[str, tuple[str, dict[str, object]]] = {
    "an object": ("assignments", {"customerGroupAssignments": in_group("gold")}),
    "a number as id": ("assignments", {"customerGroupAssignments": [in_group(5)]}),
    "one of two": ("assignments", {"customerGroupAssignments": [in_group("blue"), None]}),
    "a string": ("legacy", {"customerGroup": "gold"}),
    "no id": ("legacy", {"customerGroup": {"typeId": "customer-group"}}),
    "either, the newer": ("both", {"customerGroupAssignments": [in_group(5)]}),
    "either, the older": ("both", {"customerGroup": "gold", "customerGroupAssignments": []}),
}


@pytest.mark.slow
@pytest.mark.parametrize("again", [False, True], ids=["at first", "after a conflict"])
@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize(("mode", "fields"), UNREAD.values(), ids=UNREAD)
async def test_who_may_be_a_member_for_all_that_can_be_read_fails_alone(
    mode, fields, action, again
):
    """Neither "already so" nor what to send would be more than a guess."""
    async with shop(membership=mode) as world:
        gold = world.add_group("Gold")
        old = action == "remove"
        in_it = ((gold,), gold) if old else ((), None)
        first, second = (world.add_customer(*in_it[0], legacy=in_it[1]) for _ in range(2))
        row = {"id": first, "version": 1, **fields}
        if again:
            world.faults.add(fault_answers.concurrent_modification(), method="POST", path=first)
            world.faults.add(Body(json.dumps(row).encode()), method="GET", path=first)
        else:
            member = {**in_group(gold), "customerGroupAssignments": [in_group(gold)]}
            answering(world, row, {"id": second, "version": 1, **(member if old else {})})

        edit = await world.connect().edit_members(
            MembershipEdit(ById(gold), **{action: [first, second]})
        )

        assert statuses(edit) == [Status.FAILED, Status.ACCEPTED]
        assert isinstance(edit.outcomes[0].error, InvalidAnswer)
        assert edit.failure is None
        sent = [first, second] if again else [second]
        assert sorted(writes(world)) == sorted(f"POST customers/{uid}" for uid in sent)


@pytest.mark.parametrize(
    "broken", [{"customerGroup": "gold"}, {"customerGroupAssignments": {}}], ids=["older", "newer"]
)
async def test_in_mode_both_a_member_by_the_field_that_can_be_read_is_one_already(broken):
    """Whatever the other says: nothing need be sent."""
    async with shop(membership="both") as world:
        gold = world.add_group("Gold")
        customer = world.add_customer()
        held = {**in_group(gold), "customerGroupAssignments": [in_group(gold)]}
        answering(world, {"id": customer, "version": 1, **held, **broken})

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[customer]))

        assert statuses(edit) == [Status.UNCHANGED]


@pytest.mark.parametrize(
    "broken",
    [
        {"addresses": {}, "firstName": 7, "custom": "x", "customerGroup": 5},
        {"customerGroupAssignments": None},
    ],
    ids=["other fields", "null"],
)
async def test_what_an_edit_does_not_look_at_may_be_broken(world, broken):
    """In mode "assignments" the older field is such; and null is no group."""
    gold = world.add_group("Gold")
    customer = world.add_customer()
    answering(world, {"id": customer, "version": 1, **broken})

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[customer]))

    assert statuses(edit) == [Status.ACCEPTED]


async def test_who_can_not_be_found_among_broken_rows_may_be_there(world):
    """A row without an id may be anyone's: "no such customer" would be a guess."""
    gold = world.add_group("Gold")
    first, second = world.add_customer(), world.add_customer()
    answering(world, {"version": 1}, {"id": second, "version": 1})

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[first, second]))

    assert statuses(edit) == [Status.FAILED, Status.ACCEPTED]
    assert isinstance(edit.outcomes[0].error, InvalidAnswer)
    assert edit.failure is None


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b'{"id": "another", "version": 9}'])
async def test_a_customer_that_is_not_what_was_asked_for_again_fails_alone(world, body):
    """After a conflict: nothing is sent to whoever it is, and the others are changed."""
    gold = world.add_group("Gold")
    first, second = world.add_customer(), world.add_customer()
    world.faults.add(fault_answers.concurrent_modification(), method="POST", path=first)
    world.faults.add(Body(body), method="GET", path=first)

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[first, second]))

    assert statuses(edit) == [Status.FAILED, Status.ACCEPTED]
    assert isinstance(edit.outcomes[0].error, InvalidAnswer)
    assert edit.failure is None
    assert sorted(writes(world)) == sorted(f"POST customers/{uid}" for uid in (first, second))


async def test_members_of_a_group_that_is_not_the_one_asked_for_are_not_edited(world):
    """The answer's id is another's: customers would come into that group."""
    gold, blue = world.add_group("Gold"), world.add_group("Blue")
    customer = world.add_customer()
    row = {"id": blue, "version": 1, "name": "Blue"}
    world.faults.add(Body(json.dumps(row).encode()), path=gold)

    with pytest.raises(InvalidAnswer):
        await world.connect().edit_members(MembershipEdit(ById(gold), add=[customer]))

    assert writes(world) == []


# -- what ends an edit


@pytest.mark.parametrize("effect", [Close(), fault_answers.general()], ids=type)
async def test_after_a_lost_change_nothing_more_is_sent(effect):
    """That customer is unknown, those before it are told, and those behind it were not sent. (That
    a look does not show the change does not tell that it will not come.)
    """
    async with shop(membership_concurrency=1) as world:
        gold = world.add_group("Gold")
        customers = [world.add_customer() for _ in range(5)]
        world.faults.add(effect, method="POST", skip=2)

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=customers))

        assert statuses(edit) == [
            *(Status.ACCEPTED, Status.ACCEPTED, Status.UNKNOWN, Status.FAILED, Status.FAILED)
        ]
        assert isinstance(edit.failure, OutcomeUnknown)
        assert "Not sent" in edit.outcomes[3].error.message
        assert len(writes(world)) == 3


@pytest.mark.parametrize(
    ("effect", "kind", "sent"),
    [
        (fault_answers.invalid_token(), Unauthenticated, 2),
        (fault_answers.insufficient_scope(["manage_customers"], TENANT), Forbidden, 2),
        (fault_answers.over_capacity(), Unavailable, 2),
        (fault_answers.pending_operation(), Unavailable, 2),
    ],
    ids=["invalid_token", "InsufficientScope", "OverCapacity", "PendingOperation"],
)
async def test_a_failure_that_is_not_about_one_customer_ends_the_edit(effect, kind, sent):
    """It was not carried out, so that nobody is unknown."""
    async with shop(membership_concurrency=1) as world:
        gold = world.add_group("Gold")
        customers = [world.add_customer() for _ in range(4)]
        world.faults.add(effect, method="POST", skip=1, times=None)

        edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=customers))

        assert statuses(edit) == [Status.ACCEPTED, *[Status.FAILED] * 3]
        assert type(edit.failure) is kind
        assert len(writes(world)) == sent
        assert world.members(gold) == {customers[0]}


@pytest.mark.slow
async def test_too_much_to_do_once_is_nobodys_concern(world):
    """503 with OverCapacity or PendingOperation to a read, and the same request again."""
    gold = world.add_group("Gold")
    customers = [world.add_customer() for _ in range(2)]
    world.faults.add(fault_answers.over_capacity(), path="/customers$")
    world.faults.add(fault_answers.pending_operation(), path=f"/customer-groups/{gold}$")

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=customers))

    assert statuses(edit) == [Status.ACCEPTED] * 2
    assert len(world.calls) == 2 + 2 + 2


async def test_a_customer_in_flight_is_not_tried_again_after_the_end(world):
    """Two at once: one is lost, and the other's conflict is not followed by a further request."""
    gold = world.add_group("Gold")
    lost, late = world.add_customer(), world.add_customer()
    world.faults.add(Close(), method="POST", path=lost)

    class Late:
        async def play(self, exchange: Exchange) -> None:
            await asyncio.sleep(0.1)
            await fault_answers.concurrent_modification().play(exchange)

    world.faults.add(Late(), method="POST", path=late)

    edit = await world.connect().edit_members(MembershipEdit(ById(gold), add=[lost, late]))

    assert statuses(edit) == [Status.UNKNOWN, Status.FAILED]
    assert len(writes(world)) == 2
    assert f"GET customers/{late}" not in world.calls


@pytest.mark.parametrize("ref", [ById, ByKey])
async def test_members_of_an_unknown_group_are_not_edited(world, ref):
    """NotFound before any write, also where the customers' look-up is slower, or fails itself."""
    customers = world.add_customers(120)
    backend = world.connect()

    with pytest.raises(NotFound):
        await backend.edit_members(MembershipEdit(ref(world.unknown), add=customers))
    world.faults.add(fault_answers.general(), path="/customers$")
    with pytest.raises((NotFound, Unavailable)):
        await backend.edit_members(MembershipEdit(ref(world.unknown), add=customers))
    await asyncio.sleep(0.02)
    assert writes(world) == []


async def test_who_may_not_see_customers_may_not_edit_members(world):
    """A token for groups only can read the group, and is refused before any write."""
    gold = world.add_group("Gold")
    customers = world.add_customers(150)
    world.store.add_token("groups-only", [TENANT], scopes=("manage_customer_groups",))
    backend = world.connect(token="groups-only")  # noqa: S106  # it opens nothing

    with pytest.raises(Forbidden):
        await backend.edit_members(MembershipEdit(ById(gold), add=customers))
    with pytest.raises(Forbidden):
        await backend.list_members(ById(gold), Window(size=1))
    await asyncio.sleep(0.02)
    assert (await backend.list_groups(Window(size=1))).total == 1
    assert writes(world) == []


@pytest.mark.parametrize("token", [None, "no-such-token"])
async def test_without_a_valid_token_two_reads_fail_as_one(world, token):
    """Neither failure is left unlooked at."""
    with pytest.raises(Unauthenticated):
        await world.connect(token=token).edit_members(MembershipEdit(ById("g1"), add=["c1"]))
    await asyncio.sleep(0.02)


async def test_who_may_only_read_changes_nobody(world):
    """The first refusal ends it: no more writes than were under way together."""
    gold = world.add_group("Gold")
    customers = world.add_customers(30)

    edit = await world.connect(token=READER).edit_members(MembershipEdit(ById(gold), add=customers))

    assert isinstance(edit.failure, Forbidden)
    assert set(statuses(edit)) == {Status.FAILED}
    assert len(writes(world)) <= world.settings.membership_concurrency
    assert world.members(gold) == set()


async def test_two_edits_of_one_customer_at_once_both_count(world):
    """One of them meets a conflict, and reads again."""
    gold, blue = world.add_group("Gold"), world.add_group("Blue")
    customer = world.add_customer()
    backend = world.connect()

    edits = await asyncio.gather(
        *(backend.edit_members(MembershipEdit(ById(each), add=[customer])) for each in (gold, blue))
    )

    assert [statuses(edit) for edit in edits] == [[Status.ACCEPTED]] * 2
    assert set(world.store.group_ids(TENANT, customer)) == {gold, blue}


# -- through GraphQL


async def test_an_edit_as_graphql(world):
    """An outcome for each, and the failure that ended it beside them."""
    gold = world.add_group("Gold", key="gold")
    customers = [world.add_customer() for _ in range(3)]
    world.faults.add(Close(), method="POST", path=customers[1])
    chosen = Settings(
        default_tenant=TENANT, default_backend="commercetools", commercetools=world.settings
    )
    mutation = """mutation ($input: UpdateCustomerGroupMembersInput!) {
      updateCustomerGroupMembers(input: $input) {
        customerGroupId customerGroupUid addedCustomerIds removedCustomerIds
        results { customerUid action status error { code } } userErrors { code }
      }
    }"""
    given: dict[str, Any] = {
        "customerGroup": {"key": "gold"},
        "addCustomerUids": [*customers[:2], world.unknown],
        "removeCustomerUids": [customers[2]],
    }

    async with running_gateway(chosen) as gateway:
        body = await gateway.ask(mutation, {"input": given})

    payload = body["data"]["updateCustomerGroupMembers"]
    assert [(each["action"], each["status"]) for each in payload["results"]] == [
        ("ADD", "ACCEPTED"),
        ("ADD", "UNKNOWN"),
        ("ADD", "FAILED"),
        ("REMOVE", "UNCHANGED"),
    ]
    why = [each["error"] and each["error"]["code"] for each in payload["results"]]
    assert why == [None, "OUTCOME_UNKNOWN", "NOT_FOUND", None]
    assert payload["userErrors"] == [{"code": "OUTCOME_UNKNOWN"}]
    assert payload["customerGroupUid"] == gold
    assert payload["customerGroupId"] == global_id("CustomerGroup", TENANT, gold)
    assert payload["addedCustomerIds"] == [global_id("Customer", TENANT, customers[0])]
    assert payload["removedCustomerIds"] == [global_id("Customer", TENANT, customers[2])]
    assert "errors" not in body
    assert world.members(gold) == set(customers[:1])
