"""Membership edits: what became of each customer, and never more than the answers showed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.backends.flow_retail.members import ChunkEditor, EditedGroup, KnownMembers
from gateway.backends.port import ById, EditOutcome, MemberAction, MembershipEdit, MemberStatus
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.rest import Answer
from gateway.schema.relay import global_id
from gateway.settings import FlowRetailSettings
from gateway.simulator import faults
from gateway.simulator.flow_retail import membership
from gateway.simulator.flow_retail.refusal import Refusal
from gateway.simulator.flow_retail.store import Store
from gateway.simulator.flow_retail.switches import Switches
from gateway.telemetry import Meter, OperationDone
from tests.harness import READER, Flow, Gateway, codes, running_gateway, settings

MUTATION = """mutation ($input: UpdateCustomerGroupMembersInput!) {
  updateCustomerGroupMembers(input: $input) {
    results { customerUid action status error { code message } }
    userErrors { code message field }
  }
}"""


# -- over the simulator's own membership rules, without HTTP

PEOPLE = [f"p{number}" for number in range(8)]
STRANGERS = [f"x{number}" for number in range(4)]

LOST = "the request was carried out, and its answer lost"
FAILURES: dict[str, GatewayError] = {
    LOST: OutcomeUnknown("Lost."),
    "the request was lost": OutcomeUnknown("Lost."),
    "401": Unauthenticated("No."),
    "429": RateLimited("Later."),
    "refused connection": Unavailable("Gone."),
    "deadline": DeadlineExceeded("Late."),
}


@dataclass
class Upstream:
    """The simulator's membership endpoint, with a failure planned for one of its calls."""

    switches: Switches
    members: Sequence[str] = ()
    fails_at: int | None = None
    failure: str = LOST
    sizes: list[int] = field(default_factory=list)
    tenant_uid: str = "shop"

    def __post_init__(self) -> None:
        self.store = Store()
        self.store.add_group("shop", "gold", "Gold")
        for uid in PEOPLE:
            groups = ["gold"] if uid in self.members else []
            self.store.add_customer("shop", {"customerUid": uid}, groups)

    async def put(self, add: Sequence[str], remove: Sequence[str]) -> Answer:
        self.sizes.append(len(add) + len(remove))
        failing = len(self.sizes) == self.fails_at
        if failing and self.failure != LOST:
            raise FAILURES[self.failure]
        try:
            membership.edit_members(
                self.store, "shop", "gold", add=add, remove=remove, switches=self.switches
            )
        except Refusal as refusal:
            answer = Answer(refusal.status, b"")
        else:
            answer = Answer(204, b"")
        if failing:
            raise FAILURES[LOST]
        return answer

    async def exists(self) -> bool:
        return True

    def allows(self, calls: int) -> bool:
        return True

    async def look(self, calls: int) -> KnownMembers:
        """One call reads all members."""
        if not calls:
            return KnownMembers()
        members = frozenset(self.store.member_uids("shop", "gold"))
        return KnownMembers(members, whole=True, calls=1)

    def now(self) -> set[str]:
        members = set(self.store.member_uids("shop", "gold"))
        self.store.close()
        return members


@dataclass
class Endpoint:
    """A group's membership that does what these do."""

    put: Callable[..., Awaitable[Answer]]
    exists: Callable[[], Awaitable[bool | None]]
    look: Callable[[int], Awaitable[KnownMembers]]
    allows: Callable[[int], bool] = lambda calls: True
    tenant_uid: str = "shop"


async def edited(
    group: EditedGroup,
    edit: MembershipEdit,
    *,
    chunk: int = 1,
    atomic: bool = False,
    conflict_is_unchanged: bool = True,
    isolation: int = 9,
) -> EditOutcome:
    """What comes of the edit under these settings."""
    chosen = FlowRetailSettings(
        membership_chunk=chunk,
        membership_atomic=atomic,
        membership_conflict_is_unchanged=conflict_is_unchanged,
        membership_isolation=isolation,
    )
    return await ChunkEditor(group, chosen).edit(edit)


EDITS = st.dictionaries(
    st.sampled_from(PEOPLE + STRANGERS), st.sampled_from(list(MemberAction)), min_size=1
)
RULES = st.builds(
    Switches,
    unknown_customer=st.sampled_from(["not_found", "bad_request"]),
    already_member=st.sampled_from(["ok", "conflict"]),
    absent_member=st.sampled_from(["ok", "conflict"]),
    max_membership_uids=st.none() | st.integers(1, 4),
    too_many_uids=st.sampled_from(["bad_request", "too_large"]),
    membership_atomic=st.booleans(),
)
ANY_RULES = RULES | st.builds(
    Switches, already_member=st.just("bad_request"), membership_atomic=st.booleans()
)


@pytest.mark.slow
@given(
    edits=EDITS,
    members=st.sets(st.sampled_from(PEOPLE)),
    switches=ANY_RULES,
    chunk=st.integers(1, 6),
    isolation=st.integers(0, 12),
    known_atomic=st.booleans(),
    conflict_is_unchanged=st.booleans(),
    fails_at=st.none() | st.integers(1, 6),
    failure=st.sampled_from(sorted(FAILURES)),
)
@hypothesis_settings(max_examples=400, deadline=None)
@example(  # the halves of a refused chunk were never sent again, but one was carried out before
    edits={"p0": MemberAction.ADD, "x0": MemberAction.ADD},
    members=set(),
    switches=Switches(membership_atomic=False),
    chunk=2,
    isolation=9,
    known_atomic=False,
    conflict_is_unchanged=True,
    fails_at=2,
    failure="401",
)
@example(  # added by the refused chunk, and refused alone for having been added
    edits={"p0": MemberAction.ADD, "x0": MemberAction.ADD},
    members=set(),
    switches=Switches(membership_atomic=False, already_member="conflict"),
    chunk=2,
    isolation=9,
    known_atomic=False,
    conflict_is_unchanged=False,
    fails_at=None,
    failure=LOST,
)
@example(  # added by the refused chunk, so that "already a member" alone is no "already so"
    edits={"p0": MemberAction.ADD, "x0": MemberAction.ADD},
    members=set(),
    switches=Switches(membership_atomic=False, already_member="conflict"),
    chunk=2,
    isolation=9,
    known_atomic=False,
    conflict_is_unchanged=True,
    fails_at=None,
    failure=LOST,
)
@example(  # the same, where that is 400
    edits={"p0": MemberAction.ADD, "x0": MemberAction.ADD},
    members=set(),
    switches=Switches(membership_atomic=False, already_member="bad_request"),
    chunk=2,
    isolation=9,
    known_atomic=False,
    conflict_is_unchanged=True,
    fails_at=None,
    failure=LOST,
)
def test_no_outcome_claims_more_than_happened(
    edits: Mapping[str, MemberAction],
    members: set[str],
    switches: Switches,
    chunk: int,
    isolation: int,
    known_atomic: bool,
    conflict_is_unchanged: bool,
    fails_at: int | None,
    failure: str,
):
    """Whatever the upstream does and wherever it breaks off: the simulator tells what it has."""
    upstream = Upstream(switches, sorted(members), fails_at, failure)
    add = [uid for uid, action in edits.items() if action is MemberAction.ADD]
    remove = [uid for uid, action in edits.items() if action is MemberAction.REMOVE]

    edit = asyncio.run(
        edited(
            upstream,
            MembershipEdit(ById("gold"), add, remove),
            chunk=chunk,
            atomic=known_atomic and switches.membership_atomic,
            conflict_is_unchanged=conflict_is_unchanged,
            isolation=isolation,
        )
    )

    now = upstream.now()
    assert [outcome.customer_uid for outcome in edit.outcomes] == add + remove
    for outcome in edit.outcomes:
        uid, wanted = outcome.customer_uid, outcome.action is MemberAction.ADD
        assert outcome.action is edits[uid]
        match outcome.status:
            case MemberStatus.ACCEPTED | MemberStatus.UNCHANGED:
                assert (uid in now) is wanted, outcome
                assert outcome.error is None
                if outcome.status is MemberStatus.UNCHANGED:
                    assert (uid in members) is wanted, outcome
            case MemberStatus.FAILED:
                assert (uid in now) is (uid in members), outcome
                assert outcome.error is not None
            case status:
                assert status is MemberStatus.UNKNOWN
                assert outcome.error is not None
    assert max(upstream.sizes) <= chunk
    if switches.too_many_uids == "too_large":
        # Each 413 halves the chunks for good; at worst every customer goes alone in the end.
        assert len(upstream.sizes) <= chunk.bit_length() + len(edits) + isolation
    else:
        assert len(upstream.sizes) <= -(-len(edits) // chunk) + isolation
    failed = fails_at is not None and len(upstream.sizes) >= fails_at
    settled = failed and failure.startswith("the request was") and edit.failure is None
    assert edit.failure is (FAILURES[failure] if failed and not settled else None)
    if failed and not settled:
        assert len(upstream.sizes) == fails_at


@pytest.mark.slow
@given(
    edits=EDITS, members=st.sets(st.sampled_from(PEOPLE)), switches=RULES, chunk=st.integers(1, 9)
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_with_enough_requests_every_customer_is_told_apart(edits, members, switches, chunk):
    """Those that exist are as wanted, strangers FAILED, and nothing is unknown."""
    upstream = Upstream(switches, sorted(members))
    add = [uid for uid, action in edits.items() if action is MemberAction.ADD]
    remove = [uid for uid, action in edits.items() if action is MemberAction.REMOVE]

    edit = asyncio.run(
        edited(upstream, MembershipEdit(ById("gold"), add, remove), chunk=chunk, isolation=1000)
    )

    now = upstream.now()
    assert edit.failure is None
    for outcome in edit.outcomes:
        stranger = outcome.customer_uid in STRANGERS
        done = (MemberStatus.ACCEPTED, MemberStatus.UNCHANGED)
        assert outcome.status in ((MemberStatus.FAILED,) if stranger else done)
    assert now == (members | set(add)) - set(remove) - set(STRANGERS)


@pytest.mark.slow
@given(
    edits=EDITS,
    members=st.sets(st.sampled_from(PEOPLE)),
    switches=ANY_RULES,
    chunk=st.integers(1, 6),
    spare=st.integers(0, 6),
)
@hypothesis_settings(max_examples=300, deadline=None)
def test_what_an_operation_has_left_ends_the_search_and_not_the_edit(
    edits, members, switches, chunk, spare
):
    """Whom a refusal was about is found out with calls to spare only: every chunk is sent."""
    if switches.too_many_uids == "too_large":
        switches.max_membership_uids = None
    upstream = Upstream(switches, sorted(members))
    meter = Meter(limit=-(-len(edits) // chunk) + spare)

    async def put(add: Sequence[str], remove: Sequence[str]) -> Answer:
        meter.spend()
        return await upstream.put(add, remove)

    async def exists() -> bool:
        meter.spend()
        return True

    async def look(calls: int) -> KnownMembers:
        if calls:
            meter.spend()
        return await upstream.look(calls)

    edit = asyncio.run(
        edited(
            Endpoint(put, exists, look, meter.allows),
            MembershipEdit(
                ById("gold"),
                [uid for uid, action in edits.items() if action is MemberAction.ADD],
                [uid for uid, action in edits.items() if action is MemberAction.REMOVE],
            ),
            chunk=chunk,
            isolation=1000,
        )
    )

    now = upstream.now()
    assert edit.failure is None
    for outcome in edit.outcomes:
        uid = outcome.customer_uid
        match outcome.status:
            case MemberStatus.ACCEPTED | MemberStatus.UNCHANGED:
                assert (uid in now) is (outcome.action is MemberAction.ADD)
            case MemberStatus.FAILED:
                assert (uid in now) is (uid in members)
                assert "Not sent" not in outcome.error.message
            case status:
                assert status is MemberStatus.UNKNOWN
                assert outcome.error is not None


async def test_where_nobody_may_ask_what_is_not_there_both_are_named():
    """404 is about the group or the customer; with no call left, it stays open which."""

    async def put(add: Sequence[str], remove: Sequence[str]) -> Answer:
        return Answer(404, b"")

    async def never(*_: object) -> Any:
        raise AssertionError

    edit = await edited(
        Endpoint(put, never, never, lambda calls: False), MembershipEdit(ById("gold"), ["a"], [])
    )

    [outcome] = edit.outcomes
    assert outcome.status is MemberStatus.FAILED
    assert outcome.error.message == "There is no such customer, or no such customer group."


async def nobody_looks(_calls: int) -> KnownMembers:
    return KnownMembers()


async def edited_two(
    put: Callable[..., Awaitable[Answer]], action: str, uids: Sequence[str], *, atomic: bool
) -> EditOutcome:
    """What comes of adding or removing these two at a time, in a group that exists."""

    async def exists() -> bool:
        return True

    return await edited(
        Endpoint(put, exists, nobody_looks),
        MembershipEdit(ById("gold"), **{action: uids}),
        chunk=2,
        atomic=atomic,
    )


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize(
    ("atomic", "status"),
    [(True, MemberStatus.UNCHANGED), (False, MemberStatus.ACCEPTED)],
    ids=["atomic", "not atomic"],
)
async def test_what_an_edit_may_have_done_itself_is_not_told_as_unchanged(action, atomic, status):
    """409 alone, after a refused request that had the customer in it: the wanted state is certain,
    and only where such a request changes nothing, that it was there before.
    """

    async def put(add: Sequence[str], remove: Sequence[str]) -> Answer:
        return Answer(409 if [*add, *remove] == ["ada"] else 404, b"")

    edit = await edited_two(put, action, ["ada", "nobody"], atomic=atomic)

    assert [outcome.status for outcome in edit.outcomes] == [status, MemberStatus.FAILED]
    assert edit.outcomes[0].error is None


@pytest.mark.parametrize("atomic", [True, False])
async def test_who_may_have_been_added_by_a_refused_request_is_not_called_failed(
    flow, people, atomic
):
    """400 alone may say that it is a member by now: whoever looks knows. One that was never named
    before was refused, and that is all.
    """
    flow.switches.already_member = flow.switches.unknown_customer = "bad_request"
    flow.switches.membership_atomic = atomic

    async with tuned(flow, membership_atomic=atomic, membership_chunk=2) as gateway:
        body = await edit(gateway, add=[people[0], "nobody"])
        alone = await edit(gateway, add=["old"])

    assert statuses(body) == {people[0]: "ACCEPTED", "nobody": "FAILED"}
    assert reasons(body) == {"nobody": "REJECTED_BY_BACKEND"}
    assert flow.calls.count("GET customer-groups/gold/customers") == (not atomic)
    assert statuses(alone) == {"old": "FAILED"}


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("add", "There is no such customer."),
        ("remove", "There is no such customer, or it is not a member."),
    ],
)
async def test_a_removal_that_finds_nobody_does_not_say_more(action, message):
    """404 may be about the membership, be it that there was none or that this edit has ended it."""

    async def put(add: Sequence[str], remove: Sequence[str]) -> Answer:
        return Answer(404, b"")

    edit = await edited_two(put, action, ["ada", "bob"], atomic=False)

    assert [outcome.error.message for outcome in edit.outcomes] == [message] * 2


async def test_a_group_that_is_not_there_ends_the_edit():
    """404 is about the group or a customer; the group is asked for once, and only then."""
    asked = []

    async def put(add: Sequence[str], remove: Sequence[str]) -> Answer:
        asked.append("put")
        return Answer(404, b"")

    async def exists() -> bool:
        asked.append("exists")
        return False

    with pytest.raises(NotFound) as refusal:
        await edited(
            Endpoint(put, exists, nobody_looks), MembershipEdit(ById("gold"), ["a", "b"], [])
        )

    assert asked == ["put", "exists"]
    assert refusal.value.field == ("customerGroup",)


async def test_nothing_to_do_is_nothing_sent():
    """An empty edit has no outcomes."""

    async def never(*_: object) -> Any:
        raise AssertionError

    edit = await edited(Endpoint(never, never, never), MembershipEdit(ById("gold"), [], []))

    assert edit == EditOutcome([], None)


# -- end to end


async def edit(
    gateway: Gateway, *, add: Sequence[str] = (), remove: Sequence[str] = (), **more: Any
) -> Any:
    """The whole response of an edit of the group "gold"."""
    given = {
        "customerGroup": {"uid": "gold"},
        "addCustomerUids": list(add),
        "removeCustomerUids": list(remove),
    }
    return await gateway.ask(MUTATION, {"input": given}, **more)


def statuses(body: Any) -> dict[str, str]:
    """What became of each customer, in the order of the answer."""
    results = body["data"]["updateCustomerGroupMembers"]["results"]
    return {result["customerUid"]: result["status"] for result in results}


def reasons(body: Any) -> dict[str, str]:
    """The code of each customer that has an error."""
    results = body["data"]["updateCustomerGroupMembers"]["results"]
    return {result["customerUid"]: result["error"]["code"] for result in results if result["error"]}


def user_codes(body: Any) -> list[str]:
    """The codes of the payload's user errors; there are no errors beside it."""
    assert "errors" not in body
    return [error["code"] for error in body["data"]["updateCustomerGroupMembers"]["userErrors"]]


def sent(flow: Flow) -> list[dict[str, list[str]]]:
    """The bodies of the membership requests, in order of arrival."""
    return [json.loads(request.body) for request in flow.journal.requests if request.body]


def tuned(flow: Flow, **flow_retail: Any) -> Any:
    """A gateway with these settings for Flow Retail."""
    return running_gateway(settings(flow.url, flow_retail=flow_retail))


@pytest.fixture
def people(flow: Flow) -> list[str]:
    """The group "gold" with "old" in it, and customers that are in no group."""
    flow.add_group("gold")
    flow.add_customer("old", "gold")
    return flow.add_customers(6, prefix="c")


async def test_one_request_adds_and_removes(flow, gateway, people):
    """Each distinct uid once, in the order given: those to be added, then those to be removed."""
    body = await edit(gateway, add=[people[1], people[0], people[1]], remove=["old", "old"])

    assert statuses(body) == {"c0001": "ACCEPTED", "c0000": "ACCEPTED", "old": "ACCEPTED"}
    assert list(statuses(body)) == ["c0001", "c0000", "old"]
    assert sent(flow) == [
        {"addCustomerUids": ["c0001", "c0000"], "removeCustomerUids": ["old"]},
    ]
    assert flow.members("gold") == ["c0001", "c0000"]
    assert flow.calls == ["PUT customer-groups/gold/customers"]


async def test_a_long_list_goes_in_chunks(flow, people):
    """One after another, adding before removing."""
    async with tuned(flow, membership_chunk=2) as gateway:
        body = await edit(gateway, add=people[:3], remove=["old"])

    assert set(statuses(body).values()) == {"ACCEPTED"}
    assert sent(flow) == [
        {"addCustomerUids": people[:2]},
        {"addCustomerUids": [people[2]], "removeCustomerUids": ["old"]},
    ]


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    ("rule", "code"), [("not_found", "NOT_FOUND"), ("bad_request", "REJECTED_BY_BACKEND")]
)
async def test_a_customer_that_is_not_there_fails_alone(flow, gateway, people, rule, code, atomic):
    """It is found by halving; the others go through."""
    flow.switches.unknown_customer = rule
    flow.switches.membership_atomic = atomic

    body = await edit(gateway, add=[*people, "nobody"], remove=["old", "nobody2"])

    expected = dict.fromkeys([*people, "nobody", "old", "nobody2"], "ACCEPTED")
    assert statuses(body) == expected | {"nobody": "FAILED", "nobody2": "FAILED"}
    assert reasons(body) == {"nobody": code, "nobody2": code}
    assert flow.members("gold") == people
    assert "errors" not in body


async def test_an_upstream_that_ignores_strangers_is_believed(flow, gateway, people):
    """204 is all it says; the gateway does not read the members afterwards."""
    flow.switches.unknown_customer = "ignore"

    body = await edit(gateway, add=["nobody"])

    assert statuses(body) == {"nobody": "ACCEPTED"}
    assert flow.calls == ["PUT customer-groups/gold/customers"]


@pytest.mark.parametrize("atomic", [True, False])
async def test_what_is_as_wanted_already_is_a_success(flow, gateway, people, atomic):
    """Be it that the upstream takes it without a word or refuses it with 409. Whether it was so
    before, or only since a refused chunk, can be told of one that was sent alone.
    """
    flow.switches.membership_atomic = atomic
    quiet = await edit(gateway, add=["old", people[0]], remove=[people[1]])
    flow.switches.already_member = flow.switches.absent_member = "conflict"
    refused = await edit(gateway, add=["old", people[2]], remove=[people[1]])
    alone = await edit(gateway, add=["old"])

    assert set(statuses(quiet).values()) == set(statuses(refused).values()) == {"ACCEPTED"}
    assert statuses(alone) == {"old": "UNCHANGED"}
    assert reasons(refused) == {}
    assert flow.members("gold") == ["old", people[0], people[2]]


async def test_what_409_means_can_be_set(flow, people):
    """Then it is believed, and nobody reads the members."""
    flow.switches.already_member = "conflict"

    async with tuned(flow, membership_conflict_is_unchanged=True) as gateway:
        body = await edit(gateway, add=["old"])

    assert statuses(body) == {"old": "UNCHANGED"}
    assert flow.calls == ["PUT customer-groups/gold/customers"]


@pytest.mark.parametrize("others", [[], ["c0000", "old"]], ids=["alone", "among others"])
async def test_409_may_mean_anything(flow, gateway, people, others):
    """To each membership request, as of a group that is locked: who is a member is so already, and
    who is none was refused, whether or not the store has such a customer.
    """
    flow.fail(faults.Answer(409, b'{"message": "Locked"}'), method="PUT", times=None)

    body = await edit(
        gateway, add=["nobody", *others], remove=[people[1], "old"][: 2 - len(others)]
    )

    added = {"nobody": "FAILED", **({"c0000": "FAILED", "old": "ACCEPTED"} if others else {})}
    removed = {} if others else {people[1]: "ACCEPTED", "old": "FAILED"}
    assert statuses(body) == added | removed
    assert set(reasons(body)) == {
        uid for uid, status in statuses(body).items() if status == "FAILED"
    }
    (result, *_) = body["data"]["updateCustomerGroupMembers"]["results"]
    assert result["error"]["message"].endswith("It says: Locked.")
    assert flow.calls[-1] == "GET customer-groups/gold/customers"
    assert sum(call.startswith("GET") for call in flow.calls) == 1


async def test_what_409_means_stays_open_where_nobody_can_look(flow, gateway, people):
    """Who was refused alone was not changed; who may have been before, nobody knows."""
    flow.fail(faults.Answer(409), method="PUT", times=None)
    flow.fail(faults.Answer(500), method="GET", times=None)

    alone = await edit(gateway, add=["old"])
    together = await edit(gateway, add=["old", "nobody"])

    assert statuses(alone) == {"old": "FAILED"}
    assert statuses(together) == {"old": "UNKNOWN", "nobody": "UNKNOWN"}
    assert "errors" not in together


@pytest.mark.slow
async def test_a_long_list_of_members_is_looked_through(flow, people):
    """Page by page, as far as further requests may be spent."""
    everyone = flow.add_customers(250, "gold", prefix="m")
    flow.switches.already_member = flow.switches.absent_member = "conflict"

    async with tuned(flow, membership_isolation=2) as gateway:
        first, last = [await edit(gateway, add=[uid]) for uid in (everyone[0], everyone[-1])]
    async with tuned(flow, membership_isolation=3) as gateway:
        flow.journal.clear()
        found = await edit(gateway, add=[everyone[-1]])

    assert statuses(first) == {everyone[0]: "UNCHANGED"}  # it is on the first page
    assert statuses(last) == {everyone[-1]: "FAILED"}
    assert statuses(found) == {everyone[-1]: "UNCHANGED"}
    assert [call.split()[0] for call in flow.calls] == ["PUT", "GET", "GET", "GET"]


async def test_a_customer_under_another_spelling_is_not_told_to_be_one(flow, gateway, people):
    """Whether "OLD" is "old", only the backend knows."""
    flow.fail(faults.Answer(409), method="PUT", times=None)

    assert statuses(await edit(gateway, add=["OLD"])) == {"OLD": "FAILED"}
    assert statuses(await edit(gateway, add=["OLD", "Old"])) == {"OLD": "UNKNOWN", "Old": "UNKNOWN"}


@dataclass
class Says:
    """An effect: the app does what was asked for, or not, and this is answered."""

    status: int
    body: bytes = b""
    done: bool = True

    async def play(self, exchange: faults.Exchange) -> None:
        if self.done:
            await exchange.answer()
        await faults.Answer(self.status, self.body).play(exchange)


ANSWERED = {
    "nothing": (200, b"", True),
    "an object": (200, b"{}", True),
    "the group": (200, b'{"customerGroupUid": "gold"}', True),
    "a promise": (202, b"", False),
    "a page": (200, b"<h1>Welcome</h1>", False),
    "half": (200, b"{", False),
    "a list": (200, b"[]", False),
    "another group": (200, b'{"customerGroupUid": "blue"}', False),
}


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize(("status", "said", "believed"), ANSWERED.values(), ids=ANSWERED)
async def test_what_confirms_a_request_that_is_answered_without_content(
    flow, people, status, said, believed, done
):
    """204, or a success that says no other thing. Else a look tells whether it was done; where it
    was not, it may still be.
    """
    flow.fail(Says(status, said, done), method="PUT")

    async with tuned(flow, membership_chunk=2) as gateway:
        body = await edit(gateway, add=people[:2], remove=["old"])

    went_on = believed or done
    known = "ACCEPTED" if went_on else "UNKNOWN"
    assert statuses(body) == {
        **dict.fromkeys(people[:2], known),
        "old": "ACCEPTED" if went_on else "FAILED",
    }
    assert user_codes(body) == ([] if went_on else ["OUTCOME_UNKNOWN"])
    looks = [call for call in flow.calls if call.startswith("GET")]
    assert len(looks) == (not believed)


@pytest.mark.slow
async def test_a_success_whose_body_does_not_come_confirms_a_request(flow, people):
    """Its status is all that was to be told: nobody looks, and the edit goes on."""
    flow.fail(faults.Done(faults.Stall(200)), method="PUT", times=None)

    async with tuned(flow, membership_chunk=4, timeout=1.0) as gateway:
        body = await edit(gateway, add=people, remove=["old"])

    assert set(statuses(body).values()) == {"ACCEPTED"}
    assert "errors" not in body
    assert [call.split()[0] for call in flow.calls] == ["PUT", "PUT"]


async def test_a_payload_has_what_caches_need_without_a_further_call(flow, gateway, people):
    """The ids of the group and of all customers, whether they were refused or not."""
    body = await gateway.ask(
        """mutation ($input: UpdateCustomerGroupMembersInput!) {
            updateCustomerGroupMembers(input: $input) {
                customerGroupId customerGroupUid addedCustomerIds removedCustomerIds
                results { customerId status }
            }
        }""",
        {
            "input": {
                "customerGroup": {"uid": "gold"},
                "addCustomerUids": [people[0], "nobody"],
                "removeCustomerUids": ["old", "never"],
            }
        },
    )

    first, nobody, old, never = (
        global_id("Customer", "shop", uid) for uid in (people[0], "nobody", "old", "never")
    )
    payload = body["data"]["updateCustomerGroupMembers"]
    assert payload["customerGroupUid"] == "gold"
    assert payload["customerGroupId"] == global_id("CustomerGroup", "shop", "gold")
    by_status: dict[str, set[str]] = {}
    for result in payload["results"]:
        by_status.setdefault(result["status"], set()).add(result["customerId"])
    assert {id for ids in by_status.values() for id in ids} == {first, nobody, old, never}
    assert payload["addedCustomerIds"] == [first]
    assert payload["removedCustomerIds"] == [old]
    assert by_status["FAILED"] == {nobody, never}
    # A PUT with a customer that is not there, its halves, and a look whether there is a group.
    assert [call for call in flow.calls if not call.startswith("PUT")] == [
        "GET customer-groups/gold"
    ]


async def test_a_failure_part_of_the_way_says_how_long_to_wait(flow, people):
    """In the payload, because the results are worth more than an error in their place; the log
    hears of it too.
    """
    flow.fail(faults.Answer(429, headers={"Retry-After": "9"}), method="PUT", skip=1, times=None)

    async with tuned(flow, membership_chunk=2) as gateway:
        body = await gateway.ask(
            """mutation ($input: UpdateCustomerGroupMembersInput!) {
                updateCustomerGroupMembers(input: $input) { userErrors { code field retryAfter } }
            }""",
            {"input": {"customerGroup": {"uid": "gold"}, "addCustomerUids": people}},
        )
        [done] = [event for event in gateway.events if isinstance(event, OperationDone)]

    assert body["data"]["updateCustomerGroupMembers"]["userErrors"] == [
        {"code": "RATE_LIMITED", "field": None, "retryAfter": 9}
    ]
    assert "errors" not in body
    assert done.error_codes == ("RATE_LIMITED",)


async def test_a_chunk_whose_answer_was_lost_is_looked_into(flow, people):
    """The members tell that it was done, and the edit goes on."""
    flow.fail(faults.LoseAnswer(), method="PUT", times=None)

    async with tuned(flow, membership_chunk=4) as gateway:
        body = await edit(gateway, add=people, remove=["old"])

    assert set(statuses(body).values()) == {"ACCEPTED"}
    assert "errors" not in body
    assert flow.members("gold") == people
    assert [call.split()[0] for call in flow.calls] == ["PUT", "GET"] * 2


@pytest.mark.parametrize("too_many", ["bad_request", "too_large"])
async def test_a_chunk_that_is_too_long_is_sent_in_halves(flow, gateway, people, too_many):
    """The longest list is not documented; a refusal tells that it is shorter."""
    flow.switches.max_membership_uids = 2
    flow.switches.too_many_uids = too_many

    body = await edit(gateway, add=people)

    assert set(statuses(body).values()) == {"ACCEPTED"}
    assert flow.members("gold") == ["old", *people]


@pytest.mark.parametrize(
    ("atomic", "status"), [(True, "FAILED"), (False, "UNKNOWN")], ids=["atomic", "not atomic"]
)
async def test_when_no_more_requests_may_be_spent_the_rest_is_told_together(
    flow, people, atomic, status
):
    """An atomic refusal has changed nothing; of any other it can't be told whom it changed."""
    flow.switches.membership_atomic = atomic

    async with tuned(flow, membership_isolation=2, membership_atomic=atomic) as gateway:
        body = await edit(gateway, add=["nobody", *people[:5]])

    assert statuses(body) == dict.fromkeys(["nobody", *people[:2]], status) | dict.fromkeys(
        people[2:5], "ACCEPTED"
    )
    assert set(reasons(body)) == {"nobody", *people[:2]}
    assert len(flow.calls) <= 4  # the first, two halves, and a look whether there is a group


GROUPS_OF_TWO = ["c0000", "c0001"], ["c0002", "c0003"], ["c0004", "c0005"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("effect", "second", "code", "calls"),
    [
        (faults.Answer(503), "UNKNOWN", "OUTCOME_UNKNOWN", 2),
        (faults.Answer(500), "UNKNOWN", "OUTCOME_UNKNOWN", 2),
        (faults.Answer(303), "UNKNOWN", "OUTCOME_UNKNOWN", 2),
        (faults.Close(), "UNKNOWN", "OUTCOME_UNKNOWN", 2),
        (faults.Answer(401), "FAILED", "UNAUTHENTICATED", 2),
        (faults.Answer(403), "FAILED", "FORBIDDEN", 2),
        (faults.Answer(429, headers={"Retry-After": "9"}), "FAILED", "RATE_LIMITED", 2),
        (faults.Answer(429, headers={"Retry-After": "0"}), "FAILED", "RATE_LIMITED", 2),
        (faults.Delay(5), "UNKNOWN", "OUTCOME_UNKNOWN", 2),
    ],
    ids=str,
)
async def test_a_failure_in_the_middle_tells_who_went_through(
    flow, people, effect, second, code, calls
):
    """The chunk ahead was ACCEPTED, the one behind not sent; the payload tells the failure too. No
    look tells of those in the middle that they will not come.
    """
    flow.fail(effect, method="PUT", skip=1, times=None)

    async with tuned(flow, membership_chunk=2, timeout=0.8) as gateway:
        body = await edit(gateway, add=people)

    before, middle, behind = GROUPS_OF_TWO
    assert statuses(body) == {
        **dict.fromkeys(before, "ACCEPTED"),
        **dict.fromkeys(middle, second),
        **dict.fromkeys(behind, "FAILED"),
    }
    assert user_codes(body) == [code]
    assert set(middle) <= set(reasons(body))
    looks = ["GET customer-groups/gold/customers"] if second == "UNKNOWN" else []
    assert flow.calls == ["PUT customer-groups/gold/customers"] * calls + looks
    done = flow.members("gold")
    assert set(before) <= set(done)
    assert not set(behind) & set(done)
    if second == "FAILED":
        assert not set(middle) & set(done)


@pytest.mark.slow
async def test_a_deadline_in_the_middle_tells_who_went_through(flow, people):
    """The operation's time is over while the second chunk is under way."""
    flow.switches.latency = 0.6
    chosen = settings(flow.url, deadline=1.0, flow_retail={"membership_chunk": 2})

    async with running_gateway(chosen) as gateway:
        body = await edit(gateway, add=people)

    before, middle, behind = GROUPS_OF_TWO
    assert statuses(body) == {
        **dict.fromkeys(before, "ACCEPTED"),
        **dict.fromkeys(middle, "UNKNOWN"),
        **dict.fromkeys(behind, "FAILED"),
    }
    assert user_codes(body) == ["OUTCOME_UNKNOWN"]
    assert len(flow.calls) == 2


async def test_a_failure_while_halving_leaves_the_halves_unknown(flow, gateway, people):
    """The refused request may have carried some of them out; they were not sent again."""
    flow.switches.membership_atomic = False
    flow.fail(faults.Answer(401), method="PUT", skip=1, times=None)

    body = await edit(gateway, add=[*people, "nobody"])

    assert set(statuses(body).values()) == {"UNKNOWN"}
    assert set(reasons(body)) == {*people, "nobody"}
    assert user_codes(body) == ["UNAUTHENTICATED"]
    assert flow.members("gold") == ["old", *people]


@pytest.mark.parametrize(
    ("effect", "code"),
    [(faults.Answer(401), "UNAUTHENTICATED"), (faults.Answer(403), "FORBIDDEN")],
    ids=str,
)
async def test_where_nothing_was_changed_the_failure_is_all_there_is(
    flow, gateway, people, effect, code
):
    """No payload that repeats it for each customer."""
    flow.fail(effect, times=None)

    body = await edit(gateway, add=people)

    assert body["data"] == {"updateCustomerGroupMembers": None}
    assert codes(body) == [code]
    assert flow.members("gold") == ["old"]


async def test_a_reader_can_not_change_members(flow, gateway, people):
    """FORBIDDEN, after one request."""
    body = await edit(gateway, add=people, token=READER)

    assert codes(body) == ["FORBIDDEN"]
    assert len(flow.calls) == 1


async def test_where_the_look_for_the_group_fails_both_may_be_missing(flow, gateway, people):
    """404 to the PUT, and no answer of use to the look: it is asked for once."""
    flow.fail(faults.Answer(500), method="GET", times=None)

    body = await edit(gateway, add=["nobody", "nobody2"])

    results = body["data"]["updateCustomerGroupMembers"]["results"]
    said = "There is no such customer, or no such customer group."
    assert [result["error"]["message"] for result in results] == [said] * 2
    assert [call.split()[0] for call in flow.calls] == ["PUT", "GET", "PUT", "PUT"]


async def test_a_group_that_is_not_there_is_a_mistake_in_the_input(flow, gateway):
    """One PUT, and one look that tells whose absence the 404 was about."""
    body = await edit(gateway, add=["ada"], remove=["bob"])

    payload = body["data"]["updateCustomerGroupMembers"]
    assert payload["results"] == []
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [
        ("NOT_FOUND", ["input", "customerGroup"])
    ]
    assert flow.calls == ["PUT customer-groups/gold/customers", "GET customer-groups/gold"]


@pytest.mark.parametrize(
    "given",
    [
        {"add": ["a", "b"], "remove": ["b"]},
        {"add": [".."]},
        {"remove": ["a/b"]},
        {"add": ["a\n"]},
        {"add": [""]},
        {},
    ],
)
async def test_a_malformed_edit_is_not_sent(flow, gateway, given):
    """In both lists, not a uid, or nobody at all."""
    body = await edit(gateway, **given)

    payload = body["data"]["updateCustomerGroupMembers"]
    assert [error["code"] for error in payload["userErrors"]] == ["INVALID_INPUT"]
    assert flow.calls == []


async def test_after_one_413_the_later_chunks_are_short_enough_at_once(flow):
    """How long a list may be is learnt once, and costs no isolation."""
    flow.add_group("gold")
    everyone = flow.add_customers(12)
    flow.switches.max_membership_uids = 3
    flow.switches.too_many_uids = "too_large"

    async with tuned(flow, membership_chunk=6, membership_isolation=0) as gateway:
        body = await edit(gateway, add=everyone)

    assert set(statuses(body).values()) == {"ACCEPTED"}
    assert len(flow.calls) == 5  # six are refused, then four times three
