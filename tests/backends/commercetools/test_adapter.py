"""commercetools, end to end: what its answers, and the lack of them, come to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.backends.commercetools.adapter import CommercetoolsBackend
from gateway.backends.port import (
    ById,
    ByKey,
    CustomFieldsDraft,
    GroupDeletion,
    GroupDraft,
    GroupUpdate,
    MembershipEdit,
    Order,
    Position,
    Rename,
    SetCustomField,
    SetCustomType,
    SetKey,
    Window,
)
from gateway.backends.port import CustomerSortField as CustomerSort
from gateway.errors import (
    Duplicate,
    Forbidden,
    GatewayError,
    GroupNotEmpty,
    InUse,
    InvalidAnswer,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    RevisionConflict,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from gateway.records import CustomerAddressType, CustomerGroup, Projection
from gateway.settings import Settings
from gateway.simulator.commercetools import fault_answers
from gateway.simulator.commercetools.refusals import Refusal
from gateway.simulator.faults import (
    Answer,
    Body,
    Close,
    Effect,
    InvalidJson,
    LoseAnswer,
    Meanwhile,
    Truncate,
)
from tests.backends.worlds import CommercetoolsWorld, shop
from tests.harness import TENANT, Gateway, codes, running_gateway

Cost = Callable[[str], int]
Call = Callable[[CommercetoolsBackend, str], Awaitable[Any]]


@pytest.fixture
async def world() -> AsyncIterator[CommercetoolsWorld]:
    async with shop() as running:
        yield running


@pytest.fixture
async def backend(world: CommercetoolsWorld) -> CommercetoolsBackend:
    return world.connect()


@pytest.fixture
def gold(world: CommercetoolsWorld) -> str:
    return world.add_group("Gold", key="gold")


@pytest.fixture
async def gateway(world: CommercetoolsWorld) -> AsyncIterator[Gateway]:
    """A gateway of which every tenant is in commercetools."""
    chosen = Settings(
        profile="development",
        default_tenant=TENANT,
        default_backend="commercetools",
        commercetools=world.settings,
    )
    async with running_gateway(chosen) as running:
        yield running


@pytest.fixture
def cost(world: CommercetoolsWorld, record_property: Callable[[str, object], None]) -> Cost:
    """The REST calls since it was last asked, written into the table at the end of the test run."""

    def calls(operation: str) -> int:
        count = len(world.calls)
        world.journal.clear()
        record_property("REST calls", (operation, "commercetools", count))
        return count

    return calls


CUSTOM = CustomFieldsDraft(type_key="tiers", fields={"tier": 1})

READS: dict[str, Call] = {
    "list groups": lambda backend, gold: backend.list_groups(Window(size=3)),
    "count groups": lambda backend, gold: backend.list_groups(Window(size=0)),
    "list members": lambda backend, gold: backend.list_members(ById(gold), Window(size=3)),
    "page members by id": lambda backend, gold: backend.list_members(
        ById(gold), Window(size=3, after=Position(0, "a"))
    ),
    "page groups by id": lambda backend, gold: backend.list_groups(
        Window(size=3, after=Position(0, "a"))
    ),
}
WRITES: dict[str, Call] = {
    "create": lambda backend, gold: backend.create_group(GroupDraft(name="New")),
    "update": lambda backend, gold: backend.update_group(
        GroupUpdate(ById(gold), [Rename("Au")], expected_revision="v1")
    ),
    "delete": lambda backend, gold: backend.delete_group(
        GroupDeletion(ById(gold), expected_revision="v1")
    ),
}
METHODS = {"create": "POST", "update": "POST", "delete": "DELETE"}


async def failure(of: Awaitable[Any]) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await of
    return caught.value


def unknown(status: int, code: str) -> Effect:
    return fault_answers.answer(Refusal(status, code, "Because."))


# -- errors, by their code and status

REFUSED: list[tuple[Effect, type[GatewayError], tuple[str, ...]]] = [
    (fault_answers.duplicate_field("name", "Gold"), Duplicate, ("name",)),
    (fault_answers.duplicate_field("groupName", "Gold"), Duplicate, ("name",)),
    (fault_answers.duplicate_field("key", "gold"), Duplicate, ("key",)),
    (fault_answers.duplicate_field("custom.fields.x", 1), Duplicate, ()),
    (fault_answers.reference_exists(), InUse, ()),
    (fault_answers.answer(Refusal(409, "ReferenceExists", "Kept.")), InUse, ()),
    (fault_answers.not_found(), NotFound, ()),
    (Answer(404), NotFound, ()),
    (fault_answers.invalid_input(), Rejected, ()),
    (fault_answers.invalid_operation(), Rejected, ()),
    (
        fault_answers.answer(Refusal(400, "InvalidField", "No.", members={"field": "key"})),
        Rejected,
        ("key",),
    ),
    (
        fault_answers.answer(Refusal(400, "RequiredField", "No.", members={"field": "groupName"})),
        Rejected,
        ("name",),
    ),
    (
        fault_answers.answer(Refusal(400, "DuplicateField", "No.", members={"field": ["name"]})),
        Duplicate,
        (),
    ),
    (unknown(400, "SomethingNew"), Rejected, ()),
    (unknown(418, "SomethingNew"), Rejected, ()),
    (Answer(400, b"<html>"), Rejected, ()),
    (Answer(400, b'{"errors": 7}'), Rejected, ()),
    (Answer(400, b'{"errors": [{"code": null}]}'), Rejected, ()),
    (Answer(400, b'{"errors": ' + b"[" * 99_000 + b"]" * 99_000 + b"}"), Rejected, ()),
    (
        Answer(400, b'{"errors": [{"field": ' + b"[" * 9_000 + b"]" * 9_000 + b"}]}"),
        Rejected,
        (),
    ),
    (Answer(400, b"\xff\xfe"), Rejected, ()),
    (fault_answers.invalid_token(), Unauthenticated, ()),
    (fault_answers.insufficient_scope(["manage_customers"], TENANT), Forbidden, ()),
    (Answer(429, headers={"Retry-After": "60"}), RateLimited, ()),
]


@pytest.mark.parametrize("name", WRITES)
async def test_what_a_refused_write_means(world, backend, gold, name):
    """By the code of its first error, else by its status; nothing is sent twice."""
    for effect, kind, field in REFUSED:
        world.journal.clear()
        world.faults.add(effect, method=METHODS[name])

        refused = await failure(WRITES[name](backend, gold))

        assert type(refused) is kind, effect
        assert getattr(refused, "field", ()) == field
        assert len(world.calls) == 1
    assert world.store.group(TENANT, gold).name == "Gold"


@pytest.mark.parametrize("name", READS)
async def test_what_a_refused_read_means(world, backend, gold, name):
    """The same codes, for what only looks. Where a cursor's predicate on groups is refused, the
    list is read by offset instead; those on customers have an id, by all that is documented.
    """
    for effect, kind, _ in REFUSED:
        world.journal.clear()
        world.faults.add(effect, times=2)

        refused = await failure(READS[name](backend, gold))

        world.faults.clear()
        assert type(refused) is kind, effect
        assert len(world.calls) == (2 if name == "page groups by id" and kind is Rejected else 1)


@pytest.mark.parametrize("ref", [ById, ByKey])
async def test_a_lookup_answers_per_reference(world, backend, gold, ref):
    """What is not there is left out; what fails is that reference's own failure."""
    name = gold if ref is ById else "gold"
    for effect, kind, _ in REFUSED:
        world.faults.add(effect)
        found = await backend.get_groups([ref(name)])
        expected = [] if kind is NotFound else [kind]
        assert [type(each) for each in found.values()] == expected, effect


async def test_one_failed_reference_fails_alone(world, backend, gold):
    """By id and by key at once: each has its own answer."""
    world.add_group("Blue", key="blue")
    world.faults.add(fault_answers.general(), path="key=blue")
    refs = [ById(gold), ByKey("blue"), ByKey("gold"), ByKey("none"), ById(world.unknown)]

    found = await backend.get_groups([*refs, ByKey("../../other"), ByKey("a/b"), ByKey("")])

    assert isinstance(found[ById(gold)], CustomerGroup)
    assert found[ByKey("gold")] == found[ById(gold)]
    assert isinstance(found[ByKey("blue")], Unavailable)
    assert ByKey("none") not in found
    assert ById(world.unknown) not in found
    for hostile in ("../../other", "a/b", ""):
        assert isinstance(found[ByKey(hostile)], InvalidAnswer)
    assert all(call.startswith("GET customer-groups/") for call in world.calls)


BUSY = [fault_answers.over_capacity(), fault_answers.pending_operation()]


@pytest.mark.slow
@pytest.mark.parametrize("effect", BUSY, ids=["OverCapacity", "PendingOperation"])
@pytest.mark.parametrize("name", READS)
async def test_a_read_that_was_not_carried_out_is_sent_again(world, backend, gold, name, effect):
    """503 with such a code: once more, and not for ever."""
    world.faults.add(effect, times=2)

    assert isinstance(await failure(READS[name](backend, gold)), Unavailable)
    assert len(world.calls) == 2
    world.faults.add(effect)
    await READS[name](backend, gold)
    assert len(world.calls) == 4


@pytest.mark.parametrize("effect", BUSY, ids=["OverCapacity", "PendingOperation"])
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_that_was_not_carried_out_is_known_not_to_be(
    world, backend, gold, name, effect
):
    """It is sent once all the same, and there is nothing to look for."""
    world.faults.add(effect)

    assert isinstance(await failure(WRITES[name](backend, gold)), Unavailable)
    assert len(world.calls) == 1


@pytest.mark.parametrize("name", READS | WRITES)
async def test_general_is_never_sent_again(world, backend, gold, name):
    """500 is no question of time. Of a write, nobody knows whether it was made."""
    world.faults.add(fault_answers.general(), times=None)

    failed = await failure((READS | WRITES)[name](backend, gold))

    assert type(failed) is (Unavailable if name in READS else OutcomeUnknown)
    looks = name in ("delete", "update")  # a second look may still find it made
    assert world.calls[1:] == ([f"GET customer-groups/{gold}"] if looks else [])


@pytest.mark.slow
@pytest.mark.parametrize(
    "effect", [fault_answers.bad_gateway(), fault_answers.unavailable(), Close()], ids=type
)
@pytest.mark.parametrize("name", READS)
async def test_a_lost_read_is_sent_again(world, backend, gold, name, effect):
    """502, a bare 503 and a closed connection say nothing of the next attempt."""
    world.faults.add(effect)

    await READS[name](backend, gold)

    assert len(world.calls) == 2


# -- changes whose answer was lost

LOST = [LoseAnswer(), Truncate(5), InvalidJson(), Body(b""), Body(b"{}")]
NOT_MADE = [Close(), fault_answers.general(), fault_answers.bad_gateway()]


@pytest.mark.parametrize("effect", LOST, ids=str)
async def test_a_group_with_a_key_is_found_after_a_lost_answer(world, backend, effect):
    """The key tells, with one look; it is made once."""
    world.faults.add(effect, method="POST")

    group = await backend.create_group(GroupDraft(name="Gold", key="gold"))

    assert (group.name, group.key) == ("Gold", "gold")
    assert world.calls == ["POST customer-groups", "GET customer-groups/key=gold"]


@pytest.mark.parametrize("effect", NOT_MADE, ids=type)
async def test_a_group_that_was_not_made_is_not_claimed(world, backend, effect):
    """Nothing has the key, but the request may still be on its way."""
    world.faults.add(effect, method="POST")

    failed = await failure(backend.create_group(GroupDraft(name="Gold", key="gold")))

    assert isinstance(failed, OutcomeUnknown)
    assert world.calls == ["POST customer-groups", "GET customer-groups/key=gold"]


async def test_anothers_group_with_the_key_is_not_claimed(world, backend):
    """Its name is another, so the lost answer was a refusal."""
    world.add_group("Goldener", key="gold")
    world.faults.add(LoseAnswer(), method="POST")

    failed = await failure(backend.create_group(GroupDraft(name="Gold", key="gold")))

    assert isinstance(failed, OutcomeUnknown)


BY_ID = CustomFieldsDraft(type_id="t", fields={"tier": 1})
OLDER: dict[str, tuple[CustomFieldsDraft | None, dict[str, Any]]] = {
    "without": (BY_ID, {}),
    "other values": (BY_ID, {"custom": {"type": {"id": "t"}, "fields": {"tier": 2}}}),
    "another type": (BY_ID, {"custom": {"type": {"id": "u"}, "fields": {"tier": 1}}}),
    "more than asked": (None, {"custom": {"type": {"id": "t"}, "fields": {}}}),
    "unreadable": (BY_ID, {"custom": 5}),
    "unreadable, none asked": (None, {"custom": {"type": {"id": 5}, "fields": {}}}),
    "a type by key": (CUSTOM, {"custom": {"type": {"id": "t"}, "fields": {"tier": 1}}}),
}


@pytest.mark.parametrize(("wanted", "has"), OLDER.values(), ids=OLDER)
async def test_an_older_group_with_other_custom_fields_is_not_claimed(world, backend, wanted, has):
    """It has the name and the key, and all that was asked for is compared: also that there be no
    custom fields. (Whether a type has some key, its id does not tell.)
    """
    older = {"id": "older", "version": 7, "name": "Gold", "key": "gold", **has}
    world.faults.add(fault_answers.general(), method="POST")
    world.faults.add(Answer(200, json.dumps(older).encode()), method="GET")

    failed = await failure(backend.create_group(GroupDraft(name="Gold", key="gold", custom=wanted)))

    assert isinstance(failed, OutcomeUnknown)


async def test_a_group_with_custom_fields_is_found_after_a_lost_answer(world, backend):
    """It has all that was asked for."""
    world.faults.add(LoseAnswer(), method="POST")

    group = await backend.create_group(GroupDraft(name="Gold", key="gold", custom=BY_ID))

    assert group.commercetools.custom.fields == {"tier": 1}
    assert len(world.calls) == 2


async def test_where_the_look_fails_too_the_outcome_stays_unknown(world, backend, gold):
    """Not the look's failure: the change is what was asked about."""
    world.faults.add(LoseAnswer(), method="POST")
    world.faults.add(LoseAnswer(), method="DELETE")
    world.faults.add(fault_answers.general(), method="GET", times=None)

    for write in (
        backend.create_group(GroupDraft(name="New", key="new")),
        backend.delete_group(GroupDeletion(ById(gold), expected_revision="v1")),
    ):
        assert isinstance(await failure(write), OutcomeUnknown)


async def test_without_a_key_a_lost_group_is_not_looked_for(world, backend):
    """Another of that name may be another's."""
    world.faults.add(LoseAnswer(), method="POST")

    assert isinstance(await failure(backend.create_group(GroupDraft(name="Gold"))), OutcomeUnknown)
    assert world.calls == ["POST customer-groups"]


async def test_an_update_is_found_after_a_lost_answer(world, backend, gold):
    """The group shows all that was to be changed."""
    world.faults.add(LoseAnswer(), method="POST")
    custom = CustomFieldsDraft(type_id="t", fields={"tier": 1})

    changed = await backend.update_group(
        GroupUpdate(ById(gold), [Rename("Au"), SetKey("au"), SetCustomType(custom)])
    )
    again = await backend.update_group(GroupUpdate(ById(gold), [SetCustomField("tier", None)]))

    assert (changed.name, changed.key) == ("Au", "au")
    assert again.commercetools.custom.fields == {}
    assert [call.split()[0] for call in world.calls] == ["GET", "POST", "GET", "GET", "POST"]


@pytest.mark.parametrize("effect", NOT_MADE, ids=type)
async def test_a_lost_update_that_was_not_made_is_unknown_and_not_sent_again(
    world, backend, gold, effect
):
    """With its version a second one would be a conflict with the first."""
    world.faults.add(effect, method="POST")

    failed = await failure(backend.update_group(GroupUpdate(ById(gold), [Rename("Au")])))

    assert isinstance(failed, OutcomeUnknown)
    group = f"customer-groups/{gold}"
    assert world.calls == [f"GET {group}", f"POST {group}", f"GET {group}"]


@pytest.mark.parametrize(
    "change", [SetCustomType(None), SetCustomField("tier", None)], ids=["type", "field"]
)
@pytest.mark.parametrize("custom", [5, {"type": {"id": 5}}, {"type": {"id": "t"}, "fields": 5}])
async def test_custom_fields_that_can_not_be_read_are_not_gone(
    world, backend, gold, change, custom
):
    """A lost removal, and an answer to the look that does not tell what is there."""
    row = {"id": gold, "version": 1, "name": "Gold", "key": "gold", "custom": custom}
    world.faults.add(fault_answers.general(), method="POST")
    world.faults.add(Answer(200, json.dumps(row).encode()), method="GET", times=None)

    assert isinstance(
        await failure(backend.update_group(GroupUpdate(ById(gold), [change]))), OutcomeUnknown
    )


@pytest.mark.parametrize("made", [False, True], ids=["not made", "made"])
async def test_an_answer_about_another_group_tells_nothing_of_a_change(world, backend, gold, made):
    """It is as if none had come: the group is looked at."""
    other = json.dumps({"id": "another", "version": 2, "name": "Au"}).encode()
    world.faults.add(Body(other) if made else Answer(200, other), method="POST")

    change = backend.update_group(GroupUpdate(ById(gold), [Rename("Au")]))

    if made:
        assert (await change).uid == gold
    else:
        assert isinstance(await failure(change), OutcomeUnknown)
    assert [call.split()[0] for call in world.calls] == ["GET", "POST", "GET"]


async def test_a_look_that_shows_another_group_proves_no_change(world, backend, gold):
    """It has the new name, but is not the group that was to have it."""
    other = json.dumps({"id": "another", "version": 2, "name": "Au"}).encode()
    world.faults.add(fault_answers.general(), method="POST")
    world.faults.add(Body(other), method="GET")

    change = backend.update_group(GroupUpdate(ById(gold), [Rename("Au")], expected_revision="v1"))

    assert isinstance(await failure(change), OutcomeUnknown)


async def test_a_deletion_is_found_after_a_lost_answer(world, backend, gold):
    """The group is gone, so it is deleted."""
    world.faults.add(LoseAnswer(), method="DELETE")

    assert await backend.delete_group(GroupDeletion(ById(gold))) == gold
    assert [call.split()[0] for call in world.calls] == ["GET", "DELETE", "GET"]


@pytest.mark.parametrize("effect", NOT_MADE, ids=type)
async def test_a_deletion_that_was_not_made_is_not_claimed(world, backend, gold, effect):
    """The group is still there when it is looked at."""
    world.faults.add(effect, method="DELETE")

    assert isinstance(
        await failure(backend.delete_group(GroupDeletion(ById(gold)))), OutcomeUnknown
    )


# -- the group that is meant


def moving(world: CommercetoolsWorld, gold: str) -> tuple[str, Effect]:
    """Another group, and an effect: the key goes from the one to the other."""
    blue = world.add_group("Blue")

    def move() -> None:
        for uid, key in ((gold, None), (blue, "gold")):
            group = world.store.group(TENANT, uid)
            world.store.save_group(replace(group, key=key, version=group.version - 1))

    return blue, Meanwhile(move)


async def test_the_group_that_had_the_key_is_deleted(world, backend, gold):
    """Though the key is another's by then, which has the same version."""
    blue, move = moving(world, gold)
    world.faults.add(move, method="DELETE")

    assert await backend.delete_group(GroupDeletion(ByKey("gold"))) == gold
    assert [group.id for group in world.store.groups(TENANT)] == [blue]
    assert world.calls[-1] == f"DELETE customer-groups/{gold}"


async def test_the_group_that_had_the_key_is_changed(world, backend, gold):
    """And, as its answer was lost, looked at."""
    blue, move = moving(world, gold)
    world.faults.add(move, method="POST")
    world.faults.add(LoseAnswer(), method="POST")
    backend = world.connect()

    first = await backend.update_group(GroupUpdate(ByKey("gold"), [Rename("Au")]))

    assert (first.uid, first.name) == (gold, "Au")
    assert world.store.group(TENANT, blue).name == "Blue"


async def test_the_group_that_was_empty_is_deleted(world, backend, gold):
    """By its key and revision: the members of one group do not speak for another."""
    blue, move = moving(world, gold)
    world.add_customer(blue)
    world.faults.add(move, method="GET", path="/customers$")
    world.switches.delete_referenced = "dangle"

    deleted = await backend.delete_group(
        GroupDeletion(ByKey("gold"), expected_revision="v1", only_if_empty=True)
    )

    assert deleted == gold
    assert [group.id for group in world.store.groups(TENANT)] == [blue]


@pytest.mark.parametrize("key", ["blue", None, ""])
async def test_an_answer_without_the_key_is_about_another_group(world, gold, key):
    """To a look-up, whatever is selected; and to a change, after which the look finds the same."""
    row = {"id": gold, "version": 2, "name": "Au", "key": key}
    backend = world.connect(selected=Projection.reading({CustomerGroup: ["uid"]}))

    world.faults.add(Answer(200, json.dumps(row).encode()), times=2)
    found = await backend.get_groups([ByKey("gold")])
    deleted = await failure(backend.delete_group(GroupDeletion(ByKey("gold"))))
    world.faults.add(Answer(200, json.dumps(row).encode()), times=2)
    change = backend.update_group(
        GroupUpdate(ByKey("gold"), [Rename("Au")], expected_revision="v1")
    )
    changed = await failure(change)

    assert isinstance(found[ByKey("gold")], InvalidAnswer)
    assert isinstance(deleted, InvalidAnswer)  # nothing was sent
    assert isinstance(changed, OutcomeUnknown)


@pytest.mark.parametrize("key", ["au", None])
async def test_a_group_is_known_by_its_new_key(world, gold, key):
    """After a change of the key by which it was named, with a revision, and so without a look
    ahead. Once it has none, nobody can look for it.
    """
    changes = [SetKey(key)]
    backend = world.connect()

    first = await backend.update_group(GroupUpdate(ByKey("gold"), changes, expected_revision="v1"))
    world.store.save_group(replace(world.store.group(TENANT, gold), key="gold"))
    world.faults.add(LoseAnswer(), method="POST")
    again = backend.update_group(GroupUpdate(ByKey("gold"), changes, expected_revision="v3"))

    assert (first.uid, first.key) == (gold, key)
    if key is None:
        assert isinstance(await failure(again), OutcomeUnknown)
        assert not world.calls[-1].startswith("GET")
    else:
        assert (await again).key == "au"


async def test_an_answer_of_an_older_version_is_none(world, backend, gold):
    """As of a cache: the name would be right, and the change is not in it."""
    row = {"id": gold, "version": 4, "name": "Gold", "key": "gold"}
    for name in ("Tin", "Lead", "Iron", "Gold"):
        await backend.update_group(GroupUpdate(ById(gold), [Rename(name)]))
    world.faults.add(Answer(200, json.dumps(row).encode()), method="POST")
    world.faults.add(Close(), method="GET", skip=1, times=None)

    assert isinstance(
        await failure(backend.update_group(GroupUpdate(ById(gold), [Rename("Gold")]))),
        OutcomeUnknown,
    )


FIELDS = {"tier": 1, "colour": "red", "since": "2025-01-01T10:00Z", "price": {"centAmount": 5}}
TYPED = CustomFieldsDraft(type_id="t", fields=FIELDS)
SHOWN = {"type": {"id": "t"}, "fields": {**FIELDS, "since": "2025-01-01T10:00:00.000Z"}}
DENIED: dict[str, dict[str, Any]] = {
    "another uid": {"id": ""},
    "another name": {"name": "Au"},
    "another key": {"key": "au"},
    "no key": {"key": None},
    "no fields": {"custom": None},
    "another type": {"custom": {**SHOWN, "type": {"id": "u"}}},
    "another number": {"custom": {**SHOWN, "fields": {**FIELDS, "tier": 2}}},
    "another text": {"custom": {**SHOWN, "fields": {**FIELDS, "colour": "blue"}}},
    "a time less": {"custom": {**SHOWN, "fields": FIELDS | {"since": None}}},
    "an object less": {"custom": {**SHOWN, "fields": FIELDS | {"price": None}}},
}
TAKEN: dict[str, dict[str, Any]] = {
    "in another form": {"custom": SHOWN},
    "more of an object": {
        "custom": {
            **SHOWN,
            "fields": FIELDS | {"price": {"centAmount": 5, "type": "centPrecision"}},
        }
    },
    "unreadable fields": {"custom": 5},
    "an unreadable key": {"key": 5},
    "an unreadable version": {"version": "x"},
}


@pytest.mark.parametrize("broken", [*DENIED, *TAKEN])
async def test_what_an_answer_to_a_creation_may_say(world, backend, broken):
    """All that can be read of it has to be what was asked for; values may have another form."""
    row = {"id": "new", "version": 1, "name": "Gold", "key": "gold", "custom": SHOWN}
    said = row | {**DENIED, **TAKEN}[broken]
    world.faults.add(Answer(201, json.dumps(said).encode()), method="POST")

    made = backend.create_group(GroupDraft(name="Gold", key="gold", custom=TYPED))

    if broken in TAKEN:
        assert (await made).uid == "new"
    else:
        assert isinstance(await failure(made), OutcomeUnknown)
        assert world.calls == ["POST customer-groups", "GET customer-groups/key=gold"]


async def test_changes_are_held_against_their_sum(world, backend, gold):
    """A Type and its fields, of which one is set anew and one is removed in the same request."""
    changes = [
        SetCustomType(CustomFieldsDraft(type_id="t", fields={"a": 1, "b": 2, "c": []})),
        SetCustomField("a", 5),
        SetCustomField("b", None),
    ]

    answered = await backend.update_group(GroupUpdate(ById(gold), changes))
    world.faults.add(LoseAnswer(), method="POST")
    looked_at = await backend.update_group(GroupUpdate(ById(gold), changes))

    assert answered.commercetools.custom.fields == {"a": 5, "c": []}
    assert looked_at.commercetools.custom == answered.commercetools.custom


@pytest.mark.parametrize(
    ("custom", "change"),
    [
        (SHOWN, SetCustomType(None)),
        (None, SetCustomField("tier", 1)),
        (SHOWN, SetCustomField("tier", 2)),
        (SHOWN, SetCustomField("tier", None)),
        ({**SHOWN, "type": {"id": "u"}}, SetCustomType(TYPED)),
    ],
)
async def test_an_answer_to_a_change_that_does_not_show_it_is_none(
    world, backend, gold, custom, change
):
    """Custom fields as they were, or others; nor does a look that shows the same."""
    row = {"id": gold, "version": 9, "name": "Gold", "key": "gold", "custom": custom}
    world.faults.add(Answer(200, json.dumps(row).encode()), method="POST")
    world.faults.add(Answer(200, json.dumps(row).encode()), method="GET", skip=1)

    assert isinstance(
        await failure(backend.update_group(GroupUpdate(ById(gold), [change]))), OutcomeUnknown
    )


# -- versions


@pytest.mark.parametrize("said", ["given", "absent"])
@pytest.mark.parametrize("name", ["update", "delete"])
async def test_an_expected_revision_is_sent_as_the_version(world, backend, gold, name, said, cost):
    """The backend enforces it: no read ahead, and on a conflict one read, for the state that
    won.
    """
    world.switches.conflict_version = said
    won = await backend.update_group(GroupUpdate(ById(gold), [Rename("Platinum")]))
    world.journal.clear()

    conflict = await failure(WRITES[name](backend, gold))

    assert isinstance(conflict, RevisionConflict)
    assert conflict.current == won
    assert conflict.field == ("expectedRevision",)
    assert cost("a change to an outdated revision, with the state that won") == 2
    assert world.store.group(TENANT, gold).name == "Platinum"


async def test_without_a_revision_the_version_is_read_first(world, backend, gold, cost):
    """Two calls to change, two to delete; one each where the caller knows the revision."""
    world.journal.clear()
    group = await backend.update_group(GroupUpdate(ById(gold), [Rename("Au")]))
    assert cost("update a group, whatever its revision") == 2
    group = await backend.update_group(
        GroupUpdate(ByKey("gold"), [Rename("Ag")], expected_revision=group.revision)
    )
    assert cost("update a group, by its revision") == 1
    await backend.delete_group(GroupDeletion(ById(gold), expected_revision=group.revision))
    assert cost("delete a group, by its revision") == 1
    other = world.add_group("Other", key="other")
    assert await backend.delete_group(GroupDeletion(ByKey("other"))) == other
    assert cost("delete a group, whatever its revision") == 2
    third = world.add_group("Third")
    await backend.delete_group(GroupDeletion(ById(third), only_if_empty=True))
    assert cost("delete a group, if it is empty") == 3
    await backend.create_group(GroupDraft(name="New", key="new", custom=CUSTOM))
    assert cost("create a group") == 1


@pytest.mark.parametrize("version", [None, 7])
@pytest.mark.parametrize("ref", [ById, ByKey])
async def test_a_conflict_with_a_version_just_read_is_tried_once_more(
    world, backend, gold, ref, version
):
    """Nobody asked for a revision, so whoever was faster is overtaken."""
    world.faults.add(fault_answers.concurrent_modification(version), method="POST")
    world.faults.add(fault_answers.concurrent_modification(version), method="DELETE")
    name = ref(gold if ref is ById else "gold")

    assert (await backend.update_group(GroupUpdate(name, [Rename("Au")]))).name == "Au"
    assert await backend.delete_group(GroupDeletion(name)) == gold
    assert [call.split()[0] for call in world.calls] == [
        *("GET", "POST", "GET", "POST"),
        *("GET", "DELETE", "GET", "DELETE"),
    ]


@pytest.mark.parametrize(
    "effect", [fault_answers.concurrent_modification(), Answer(409)], ids=["coded", "bare"]
)
@pytest.mark.parametrize("name", ["update", "delete"])
async def test_endless_conflicts_end_after_the_second(world, backend, gold, name, effect):
    """And carry no state: the one that a look shows is the one that was refused."""
    world.faults.add(effect, method=METHODS[name], times=None)
    write = (
        backend.update_group(GroupUpdate(ById(gold), [Rename("Au")]))
        if name == "update"
        else backend.delete_group(GroupDeletion(ById(gold)))
    )

    conflict = await failure(write)

    assert isinstance(conflict, RevisionConflict)
    assert conflict.field == ()
    assert conflict.current is None
    kind = METHODS[name]
    assert [call.split()[0] for call in world.calls] == ["GET", kind, "GET", kind, "GET"]


async def test_the_state_that_won_is_the_last_one(world, backend, gold):
    """Two rivals in a row: what is carried is what the second one left."""
    names = iter(["Tin", "Lead"])

    class Rival:
        """Another client that is faster."""

        async def play(self, exchange: Any) -> None:
            group = world.store.group(TENANT, gold)
            world.store.save_group(replace(group, name=next(names)))
            await exchange.forward()

    world.faults.add(Rival(), method="POST", times=2)

    conflict = await failure(backend.update_group(GroupUpdate(ById(gold), [Rename("Au")])))

    assert isinstance(conflict, RevisionConflict)
    assert conflict.current.name == "Lead"
    assert conflict.current == (await backend.get_groups([ById(gold)]))[ById(gold)]


@pytest.mark.parametrize(
    ("refused", "named", "shown", "known"),
    [
        (1, 3, 3, True),
        (1, 3, 4, True),
        (1, 3, 2, False),
        (1, None, 2, True),
        (1, None, 1, False),
        (99, None, 2, True),
        (99, 2, 2, True),
        (1, 3, None, False),
        (1, "3", 2, True),
    ],
)
@pytest.mark.parametrize("name", ["update", "delete"])
async def test_a_state_that_is_not_the_current_one_is_not_shown(
    world, backend, gold, name, refused, named, shown, known
):
    """As of a cache or a replica: older than the version that the conflict names, or the very one
    that was refused.
    """
    row = {"id": gold, "version": shown, "name": "Gold"}
    world.faults.add(fault_answers.concurrent_modification(named), method=METHODS[name])
    world.faults.add(Body(json.dumps(row).encode()), method="GET")
    revision = f"v{refused}"

    conflict = await failure(
        backend.update_group(GroupUpdate(ById(gold), [Rename("Au")], expected_revision=revision))
        if name == "update"
        else backend.delete_group(GroupDeletion(ById(gold), expected_revision=revision))
    )

    assert isinstance(conflict, RevisionConflict)
    assert (conflict.current is not None) is known


@pytest.mark.slow
@pytest.mark.parametrize("effect", [Close(), fault_answers.general(), Body(b"{}")], ids=str)
@pytest.mark.parametrize("revision", ["v9", None])
async def test_a_conflict_stays_one_where_the_look_fails(world, backend, gold, effect, revision):
    """It was refused, and that is known."""
    skip = 0 if revision else 1
    world.faults.add(fault_answers.concurrent_modification(3), method="POST")
    world.faults.add(effect, method="GET", skip=skip, times=None)

    conflict = await failure(
        backend.update_group(GroupUpdate(ById(gold), [Rename("Au")], expected_revision=revision))
    )

    assert isinstance(conflict, RevisionConflict)
    assert conflict.current is None


async def test_a_group_that_is_deleted_while_it_is_changed_is_not_found(world, backend, gold):
    """The conflict's read finds nothing to carry."""
    world.faults.add(fault_answers.concurrent_modification(), method="POST")
    world.faults.add(fault_answers.not_found(), method="GET", skip=1)

    assert isinstance(
        await failure(backend.update_group(GroupUpdate(ById(gold), [Rename("Au")]))), NotFound
    )


@pytest.mark.parametrize("refuse", ["bad_request", "conflict"])
async def test_a_group_that_is_referred_to_is_in_use(world, backend, gold, refuse):
    """Be it with 400 or with 409: no conflict of versions, and nothing is tried again."""
    world.add_customer(gold)
    world.switches.delete_referenced = refuse

    assert type(await failure(backend.delete_group(GroupDeletion(ById(gold))))) is InUse
    assert [call.split()[0] for call in world.calls] == ["GET", "DELETE"]
    assert type(await failure(WRITES["delete"](backend, gold))) is InUse


@pytest.mark.parametrize(
    "revision", ["", "v", "1", "f1", "v-1", "v1.0", "v\u0661", "v1\n", "v" + "9" * 20, "V1", "v 1"]
)
async def test_what_is_no_revision_is_refused_before_any_call(world, backend, gold, revision):
    """Not taken for another one either."""
    for write in (
        backend.update_group(GroupUpdate(ById(gold), [Rename("Au")], expected_revision=revision)),
        backend.delete_group(GroupDeletion(ById(gold), expected_revision=revision)),
    ):
        refused = await failure(write)
        assert isinstance(refused, InvalidInput)
        assert refused.field == ("expectedRevision",)
    assert world.calls == []


async def test_versions_of_64_bits_are_revisions(world, backend):
    """To the last one."""
    made = world.store.add_group(TENANT, "Old", version=2**63 - 2)
    revision = f"v{2**63 - 2}"

    group = await backend.update_group(
        GroupUpdate(ById(made.id), [Rename("Au")], expected_revision=revision)
    )

    assert group.revision == f"v{2**63 - 1}"


@pytest.mark.parametrize("total", ["exact", "low", "high"])
async def test_only_if_empty_does_not_rely_on_an_estimate(world, backend, gold, total):
    """One member is enough to keep the group, and no member is enough to let it go."""
    world.switches.total = total
    world.switches.delete_referenced = "dangle"
    customer = world.add_customer(gold)

    kept = await failure(backend.delete_group(GroupDeletion(ById(gold), only_if_empty=True)))
    world.store.remove_customer(TENANT, customer)

    assert isinstance(kept, GroupNotEmpty)
    assert await backend.delete_group(GroupDeletion(ByKey("gold"), only_if_empty=True)) == gold


# -- creating and changing


async def test_every_change_is_an_action_in_one_request(world, backend, gold):
    """In the order given."""
    group = await backend.update_group(
        GroupUpdate(
            ById(gold),
            [
                SetCustomType(CustomFieldsDraft(type_id="t1", fields={"old": 1})),
                Rename("Au"),
                SetKey("au"),
                SetCustomField("old", None),
                SetCustomField("nest", {"a": [1, None, {"b": "c"}]}),
            ],
            expected_revision="v1",
        )
    )

    assert (group.name, group.key) == ("Au", "au")
    assert group.commercetools.custom.type_id == "t1"
    assert group.commercetools.custom.fields == {"nest": {"a": [1, None, {"b": "c"}]}}
    body = json.loads(world.journal.requests[-1].body)
    assert [action["action"] for action in body["actions"]] == [
        *("setCustomType", "changeName", "setKey", "setCustomField", "setCustomField"),
    ]
    group = await backend.update_group(GroupUpdate(ById(gold), [SetKey(None), SetCustomType(None)]))
    assert (group.key, group.commercetools.custom) == (None, None)


async def test_a_custom_field_that_is_not_there_can_not_be_removed(world, backend, gold):
    """InvalidOperation: the backend's refusal, and nothing of the update is done."""
    custom = SetCustomType(CustomFieldsDraft(type_id="t1", fields={}))

    refused = await failure(
        backend.update_group(
            GroupUpdate(ById(gold), [Rename("Au"), custom, SetCustomField("x", None)])
        )
    )

    assert isinstance(refused, Rejected)
    assert world.store.group(TENANT, gold).name == "Gold"


async def test_what_is_in_use_is_told_with_its_field(world, backend, gold):
    """By its name in the input, not in the API."""
    plain = world.add_group("Plain")

    for write, field in (
        (backend.create_group(GroupDraft(name="Gold")), ("name",)),
        (backend.create_group(GroupDraft(name="New", key="gold")), ("key",)),
        (backend.update_group(GroupUpdate(ById(plain), [Rename("Gold")])), ("name",)),
        (backend.update_group(GroupUpdate(ById(plain), [SetKey("gold")])), ("key",)),
    ):
        refused = await failure(write)
        assert isinstance(refused, Duplicate)
        assert refused.field == field


HOSTILE = ['" or name != "', "a\\", "..", "%2e%2e", "\x00\x1f", "🜚", "</script>", "{x}"]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
async def test_a_hostile_name_changes_nothing_but_itself(world, backend, gold, name):
    """It goes out in JSON, and comes back as it was."""
    made = await backend.create_group(GroupDraft(name=name, custom=CUSTOM))
    renamed = await backend.update_group(
        GroupUpdate(ById(gold), [Rename(name + "!"), SetKey("au")])
    )

    assert (made.name, renamed.name) == (name, name + "!")
    assert {group.name for group in world.store.groups(TENANT)} == {name, name + "!"}


@pytest.mark.parametrize("key", ["x", "a b", "..", "a/b", 'a"', "é" * 2, "k" * 257])
async def test_a_key_that_can_not_be_one_is_refused(world, backend, gold, key):
    """By the backend where it is to be given, before any call where it is in a path."""
    for write in (
        backend.create_group(GroupDraft(name="New", key=key)),
        backend.update_group(GroupUpdate(ById(gold), [SetKey(key)])),
    ):
        refused = await failure(write)
        assert isinstance(refused, Rejected)
        assert refused.field == ("key",)
    if key != "x":
        world.journal.clear()
        for write in (
            backend.update_group(GroupUpdate(ByKey(key), [Rename("Au")])),
            backend.delete_group(GroupDeletion(ByKey(key))),
            backend.list_members(ByKey(key), Window(size=1)),
            backend.edit_members(MembershipEdit(ByKey(key))),
        ):
            assert isinstance(await failure(write), InvalidAnswer)
        assert world.calls == []


@pytest.mark.parametrize("uid", HOSTILE, ids=ascii)
async def test_a_hostile_uid_reaches_nothing_else(world, backend, gold, uid):
    """As a path it is refused; in a predicate and a cursor it is a value that nothing has."""
    customer = world.add_customer(gold)
    rest = Window(size=9, after=Position(0, uid))

    assert isinstance(await failure(backend.delete_group(GroupDeletion(ById(uid)))), InvalidAnswer)
    assert (await backend.list_members(ById(uid), Window(size=9))).rows == []
    edit = await backend.edit_members(MembershipEdit(ById(gold), add=[uid], remove=[customer]))
    assert [outcome.status.name for outcome in edit.outcomes] == ["FAILED", "ACCEPTED"]
    rows = (await backend.list_groups(rest)).rows
    assert [row.record.uid for row in rows] == [each for each in [gold] if each > uid]
    assert world.store.count_groups(TENANT) == 1


async def test_a_uid_can_not_be_chosen(world, backend):
    """Refused before any call."""
    refused = await failure(backend.create_group(GroupDraft(name="Gold", uid="gold")))

    assert isinstance(refused, Unsupported)
    assert world.calls == []


# -- records


async def test_created_by_is_whoever_it_was(world, backend):
    """A user, a customer, an API client or an external user; no one where it was not tracked."""
    reference = {"typeId": "x", "id": "u1"}
    for by, expected in (
        ({"isPlatformClient": True, "user": reference}, "u1"),
        ({"clientId": "c", "customer": reference}, "u1"),
        ({"clientId": "c", "externalUserId": "e"}, "c"),
        ({"externalUserId": "e"}, "e"),
        ({"clientId": "c", "user": {"id": 5}}, "c"),
        ({"anonymousId": "a"}, None),
        ({}, None),
        (None, None),
    ):
        made = world.store.add_group(TENANT, f"Made by {by}", by=by)
        group = (await backend.get_groups([ById(made.id)]))[ById(made.id)]
        assert (group.created_by, group.last_modified_by) == (expected, expected)
        assert group.last_modified_at == group.created_at is not None


async def test_custom_fields_come_as_they_are(world, backend):
    """null, nested, large and empty ones."""
    fields = {"none": None, "nest": {"a": [{"b": []}]}, "big": 2**60, "text": "", "f": 0.1}
    custom = {"type": {"typeId": "type", "id": "t"}, "fields": fields}
    made = world.store.add_group(TENANT, "Gold", custom=custom)

    group = (await backend.get_groups([ById(made.id)]))[ById(made.id)]

    assert group.commercetools.custom.fields == fields
    assert group.commercetools.custom.type_id == "t"


def address(id: str, **more: object) -> dict[str, object]:
    return {"id": id, "country": "NO", **more}


async def test_a_customer_in_the_schemas_words(world, backend, gold):
    """Its own address is the default billing address; groups are in the order of joining."""
    blue = world.add_group("Blue")
    world.add_customer(
        blue,
        gold,
        key="ada",
        customerNumber="7",
        firstName="Ada",
        lastName="Lovelace",
        email="ada@example.com",
        vatId="NO1",
        externalId="e1",
        addresses=[
            address("a1", streetName="First", mobile="1"),
            address(
                "a2",
                streetName="Main",
                streetNumber="5",
                postalCode="0150",
                city="Oslo",
                mobile="2",
                phone="3",
                email="b@example.com",
                company="ACME",
                firstName="B",
            ),
            address("a3", firstName="C", lastName="D"),
        ],
        defaultBillingAddressId="a2",
        billingAddressIds=["a2"],
        shippingAddressIds=["a1", "a2"],
        custom={"type": {"typeId": "type", "id": "t"}, "fields": {"x": None}},
    )

    ada = (await backend.list_members(ById(gold), Window(size=1))).rows[0].record

    assert (ada.display_name, ada.firstname, ada.lastname) == ("Ada Lovelace", "Ada", "Lovelace")
    assert (ada.address, ada.postal_code, ada.city) == ("Main 5", "0150", "Oslo")
    assert (ada.country_code, ada.mobile, ada.email) == ("NO", "2", "ada@example.com")
    assert (ada.vat_number, ada.external_id, ada.company_name) == ("NO1", "e1", None)
    assert ada.customer_group_uids == (blue, gold)
    assert (ada.commercetools.key, ada.commercetools.customer_number) == ("ada", "7")
    assert ada.commercetools.custom.fields == {"x": None}
    first, second, third = ada.addresses
    assert first.type is CustomerAddressType.DELIVERY_ADDRESS
    assert second.type is CustomerAddressType.INVOICE_ADDRESS
    assert third.type is None
    assert (second.display_name, third.display_name) == ("ACME", "C D")
    assert (second.address, second.email, second.phone) == ("Main 5", "b@example.com", "3")
    assert (first.address, third.address) == ("First", None)


@pytest.mark.parametrize(
    ("fields", "name", "street"),
    [
        ({"companyName": "ACME", "firstName": "Ada"}, "ACME", None),
        ({"companyName": "", "lastName": "Lovelace"}, "Lovelace", None),
        ({"addresses": [address("a", streetNumber="5"), address("b")]}, None, "5"),
        ({"addresses": [address("a", streetName="x")], "defaultBillingAddressId": "z"}, None, "x"),
        ({"addresses": []}, None, None),
        ({}, None, None),
    ],
    ids=str,
)
async def test_a_customer_of_which_little_is_known(world, backend, gold, fields, name, street):
    """Its name is the company's, else the person's; its address is the first where none is the
    billing address.
    """
    world.add_customer(gold, **fields)

    customer = (await backend.list_members(ById(gold), Window(size=1))).rows[0].record

    assert (customer.display_name, customer.address) == (name, street)


# -- answers that are not as agreed

GROUP_LEAVES = {
    "key": "key",
    "createdAt": "created_at",
    "createdBy": "created_by",
    "lastModifiedAt": "last_modified_at",
    "lastModifiedBy": "last_modified_by",
    "version": "version",
    "custom": "custom",
}
GROUP = {
    "id": "g1",
    "version": 3,
    "name": "Gold",
    "key": "gold",
    "createdAt": "2025-07-30T18:10:06.447Z",
    "createdBy": {"clientId": "c"},
    "lastModifiedAt": "2025-07-30T18:10:06.447Z",
    "lastModifiedBy": {"user": {"typeId": "user", "id": "u"}},
    "custom": {"type": {"typeId": "type", "id": "t"}, "fields": {"x": 1}},
}


def leaf(record: Any, name: str) -> Any:
    """A field of the record, or of its commercetools facet."""
    facet = record.commercetools
    return getattr(facet, name) if name in ("version", "custom") else getattr(record, name)


def listing(row: dict[str, Any]) -> Effect:
    whole = {"limit": 20, "offset": 0, "count": 1, "total": 1, "results": [row]}
    return Body(json.dumps(whole).encode())


@pytest.mark.parametrize("given", ["absent", None, "wrong", "extra"])
@pytest.mark.parametrize("broken", GROUP_LEAVES)
async def test_a_broken_field_of_a_group_is_one_broken_leaf(world, backend, broken, given):
    """Its siblings stay. A version can't be null: where there is none, its leaf is an error too,
    and so is the revision, for there is none that could be sent back.
    """
    gold = world.add_group("Gold")
    row = {**GROUP, "id": gold}
    if given == "absent":
        del row[broken]
    elif given == "extra":
        row["unheardOf"] = {broken: [1]}
    else:
        row[broken] = None if given is None else [7]
    world.faults.add(listing(row))
    world.faults.add(Body(json.dumps(row).encode()))

    page = await backend.list_groups(Window(size=3))
    single = (await backend.get_groups([ById(gold)]))[ById(gold)]

    world.faults.add(Body(json.dumps({**GROUP, "id": gold}).encode()))
    whole = (await backend.get_groups([ById(gold)]))[ById(gold)]
    for group in (page.rows[0].record, single):
        assert group.name == "Gold"
        for name in GROUP_LEAVES.values():
            value = leaf(group, name)
            if name != GROUP_LEAVES[broken] or given == "extra":
                assert value == leaf(whole, name)
            elif given == "wrong" or name == "version":
                assert isinstance(value, InvalidAnswer)
            else:
                assert value is None
        told = broken != "version" or given == "extra"
        assert group.revision == "v3" if told else isinstance(group.revision, InvalidAnswer)


@pytest.mark.parametrize("fields", [7, [], "x", {"x": 1}, {}, None])
async def test_broken_custom_fields_are_one_broken_leaf(world, backend, gold, fields):
    """An error where they are no object; none where there is nothing."""
    custom = {"type": {"typeId": "type", "id": "t"}, "fields": fields}
    row = {**GROUP, "id": gold, "custom": custom}
    world.faults.add(Body(json.dumps(row).encode()))

    custom = (await backend.get_groups([ById(gold)]))[ById(gold)].commercetools.custom

    if isinstance(fields, dict) or fields is None:
        assert custom.fields == (fields or {})
    else:
        assert isinstance(custom, InvalidAnswer)


@pytest.mark.parametrize("by", [7, "ada", [], {"user": 7}, {"user": {"id": 7}}, {"clientId": 7}])
async def test_a_broken_author_is_an_error_and_not_nobody(world, backend, gold, by):
    """null would say that it was not tracked."""
    world.faults.add(Body(json.dumps({**GROUP, "id": gold, "createdBy": by}).encode()))

    group = (await backend.get_groups([ById(gold)]))[ById(gold)]

    assert isinstance(group.created_by, InvalidAnswer)
    assert group.last_modified_by == "u"


@pytest.mark.parametrize("missing", ["id", "name"])
async def test_a_group_without_id_or_name_is_left_out_with_an_omission(
    world, backend, gold, missing
):
    """The page goes on without it."""
    row = {name: value for name, value in GROUP.items() if name != missing}
    world.faults.add(
        Body(json.dumps({"total": 2, "results": [row, {**GROUP, "id": "g2"}]}).encode())
    )

    page = await backend.list_groups(Window(size=3))

    assert [(row.offset, row.record.uid) for row in page.rows] == [(1, "g2")]
    assert [omission.where for omission in page.omissions] == ["results[0]"]
    assert (page.total, page.has_next) == (2, False)


CUSTOMER_LEAVES = {
    "key": "key",
    "customerNumber": "customer_number",
    "firstName": "firstname",
    "lastName": "lastname",
    "companyName": "company_name",
    "email": "email",
    "vatId": "vat_number",
    "externalId": "external_id",
    "createdAt": "created_at",
    "lastModifiedAt": "last_modified_at",
    "version": "version",
    "custom": "custom",
    "addresses": "addresses",
    "customerGroupAssignments": "customer_group_uids",
    "customerGroup": None,
    "defaultBillingAddressId": None,
    "billingAddressIds": None,
    "shippingAddressIds": None,
}
CUSTOMER = {
    "id": "c1",
    "version": 3,
    "key": "ada",
    "customerNumber": "7",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "companyName": "ACME",
    "email": "ada@example.com",
    "vatId": "NO1",
    "externalId": "e1",
    "createdAt": "2025-07-30T18:10:06.447Z",
    "lastModifiedAt": "2025-07-30T18:10:06.447Z",
    "custom": {"type": {"typeId": "type", "id": "t"}, "fields": {"x": 1}},
    "addresses": [{"id": "a1", "country": "NO", "mobile": "1"}],
    "customerGroup": {"typeId": "customer-group", "id": "g9"},
    "customerGroupAssignments": [{"customerGroup": {"typeId": "customer-group", "id": "g1"}}],
    "defaultBillingAddressId": "a1",
    "billingAddressIds": ["a1"],
    "shippingAddressIds": [],
}


def customer_leaf(record: Any, name: str) -> Any:
    facet = ("key", "customer_number", "version", "custom")
    return getattr(record.commercetools if name in facet else record, name)


@pytest.mark.parametrize("given", ["absent", None, "wrong"])
async def test_a_broken_field_of_a_customer_is_one_broken_leaf(world, backend, gold, given):
    """A list is empty where it is none; all else that is of a wrong type is an error."""
    world.faults.add(listing(CUSTOMER))
    whole = (await backend.list_members(ById(gold), Window(size=1))).rows[0].record
    for broken, hit in CUSTOMER_LEAVES.items():
        row = {name: value for name, value in CUSTOMER.items() if name != broken}
        if given != "absent":
            row[broken] = None if given is None else 7 if broken != "version" else "7"
        world.faults.add(listing(row))

        page = await backend.list_members(ById(gold), Window(size=1))

        customer = page.rows[0].record
        for name in filter(None, CUSTOMER_LEAVES.values()):
            value = customer_leaf(customer, name)
            if name == "addresses" and hit != name:
                assert len(value) == 1
            elif name != hit:
                assert value == customer_leaf(whole, name), (broken, name)
            elif name in ("addresses", "customer_group_uids"):
                assert value == ()
            elif given == "wrong" or name == "version":
                assert isinstance(value, InvalidAnswer), broken
            else:
                assert value is None
        lists = ("addresses", "customer_group_uids")
        flawed = given == "wrong" and (hit in lists or broken.endswith("Ids"))
        assert len(page.omissions) == flawed


async def test_a_broken_name_leaves_the_display_name_to_the_others(world, backend, gold):
    """Company, then person; where nothing is usable, the error."""
    for names, shown in (
        ({"companyName": 7, "firstName": "Ada", "lastName": "L"}, "Ada L"),
        ({"companyName": "ACME", "firstName": 7}, "ACME"),
        ({"companyName": None, "firstName": 7, "lastName": "L"}, "L"),
        ({"companyName": 7}, InvalidAnswer),
        ({"lastName": 7}, InvalidAnswer),
    ):
        world.faults.add(listing({"id": "c1", "version": 1, **names}))
        customer = (await backend.list_members(ById(gold), Window(size=1))).rows[0].record
        if shown is InvalidAnswer:
            assert isinstance(customer.display_name, InvalidAnswer)
        else:
            assert customer.display_name == shown


async def test_a_group_without_a_version_is_not_changed(world, backend, gold):
    """There is nothing to name in the request; with the caller's revision there is."""
    row = {name: value for name, value in GROUP.items() if name != "version"}
    world.faults.add(Body(json.dumps(row).encode()), method="GET")

    assert isinstance(
        await failure(backend.update_group(GroupUpdate(ById(gold), [Rename("Au")]))), InvalidAnswer
    )
    assert world.calls == [f"GET customer-groups/{gold}"]


# -- batches


@pytest.mark.slow
@pytest.mark.parametrize("total", ["exact", "low", "high"])
async def test_a_sweep_takes_no_estimate_for_the_end_of_the_list(world, backend, total, cost):
    """A group that the first page of 500 does not show is asked for, though the total may say
    that there are no more than those.
    """
    uids = world.add_groups(556)  # of which "low" says 500
    world.switches.total = total
    wanted = [uids[0], uids[499], uids[500], uids[555], world.unknown]

    found = await backend.get_groups([ById(uid) for uid in wanted])

    assert [ref.uid for ref in found] == wanted[:4]
    assert len(world.calls) <= 4


async def test_a_batch_within_one_page_is_one_call(world, backend, cost):
    """Those that are gone included: a page that ends ahead of its limit is the whole list."""
    uids = world.add_groups(40)
    world.switches.total = "high"

    found = await backend.get_groups([ById(uid) for uid in [*uids, world.unknown]])

    assert len(found) == 40
    assert cost("40 groups of 40, by their uids") == 1
    await backend.get_groups([ById(uids[0])])
    assert cost("one group, by uid") == 1
    await backend.get_groups([ByKey("one"), ByKey("two")])
    assert cost("two groups, by their keys") == 2


async def test_an_unknown_project_is_not_found(world):
    """Of lists and of changes; a lookup finds nothing."""
    world.tenant = "nowhere"
    backend = world.connect()

    assert isinstance(await failure(backend.list_groups(Window(size=1))), NotFound)
    assert isinstance(await failure(backend.create_group(GroupDraft(name="Gold"))), NotFound)
    assert await backend.get_groups([ById("g1")]) == {}


# -- through GraphQL


CREATE = """mutation ($input: CreateCustomerGroupInput!) {
  createCustomerGroup(input: $input) {
    customerGroup {
      uid name key revision createdBy
      commercetools { version custom { typeId fields { name value } } }
    }
    userErrors { code field }
  }
}"""
UPDATE = """mutation ($input: UpdateCustomerGroupInput!) {
  updateCustomerGroup(input: $input) {
    customerGroup { uid name key revision } userErrors { code field }
  }
}"""
DELETE = """mutation ($input: DeleteCustomerGroupInput!) {
  deleteCustomerGroup(input: $input) { deletedUid userErrors { code field } }
}"""


async def change(gateway: Gateway, mutation: str, **more: object) -> Any:
    data = await gateway.query(mutation, {"input": more})
    return next(iter(data.values()))


@pytest.mark.slow
async def test_the_life_of_a_group_as_graphql(world, gateway):
    """Made with key and custom fields, changed under its revision, refused under an old one,
    deleted by key.
    """
    fields = [{"name": "tier", "value": {"deep": [1, None]}}, {"name": "none", "value": None}]
    made = await change(
        gateway, CREATE, name="Gold", key="gold", custom={"typeKey": "tiers", "fields": fields}
    )
    group = made["customerGroup"]
    assert (group["key"], group["revision"], group["createdBy"]) == ("gold", "v1", "integration")
    custom = group["commercetools"]["custom"]
    assert custom["fields"] == [{"name": "tier", "value": {"deep": [1, None]}}]

    by_key = {"customerGroup": {"key": "gold"}}
    renamed = await change(gateway, UPDATE, **by_key, name="Au", expectedRevision="v1")
    late = await change(gateway, UPDATE, **by_key, name="Ag", expectedRevision="v1")
    gone = await change(gateway, DELETE, **by_key)

    assert renamed["customerGroup"]["name"] == "Au"
    (mistake,) = late["userErrors"]
    assert (mistake["code"], mistake["field"][-1]) == ("REVISION_CONFLICT", "expectedRevision")
    assert late["customerGroup"] == renamed["customerGroup"]
    assert gone == {"deletedUid": group["uid"], "userErrors": []}


async def test_broken_leaves_as_graphql(world, gateway, gold):
    """Each is null with its error, and the rest of the group is there."""
    row = {**GROUP, "createdBy": 7, "version": None, "custom": {"type": {"id": "t"}, "fields": 7}}
    world.faults.add(Body(json.dumps(row).encode()))

    body = await gateway.ask(
        '{ customerGroup(by: {key: "gold"}) { name createdBy lastModifiedBy key'
        " revision commercetools { custom { fields { name } } } } }"
    )

    group = body["data"]["customerGroup"]
    assert (group["name"], group["createdBy"], group["lastModifiedBy"]) == ("Gold", None, "u")
    assert group["revision"] is None
    assert group["commercetools"] == {"custom": None}
    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"] * 3


async def test_an_order_that_is_not_there_is_refused_before_any_call(world, backend, gold):
    """By uid; a key has to be looked up first."""
    order = Order(CustomerSort.DISPLAY_NAME)

    refused = await failure(backend.list_members(ById(gold), Window(size=1), order=order))

    assert isinstance(refused, Unsupported)
    assert world.calls == []


async def test_concurrent_updates_without_a_revision_both_get_through(world, backend, gold):
    """Two at once: the slower one reads again."""
    results = await asyncio.gather(
        backend.update_group(GroupUpdate(ById(gold), [Rename("Au")])),
        backend.update_group(GroupUpdate(ById(gold), [SetKey("au")])),
    )

    group = world.store.group(TENANT, gold)
    assert (group.name, group.key) == ("Au", "au")
    assert max(result.version for result in results) == group.version
