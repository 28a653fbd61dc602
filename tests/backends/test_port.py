"""What every backend must do, and that its capabilities are true: claimed works, else refused.

Each backend stands against its own simulator, over HTTP. Nothing here knows which one it is.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gateway.backends.port import (
    Backend,
    ById,
    ByKey,
    ConcurrencyControl,
    CustomerGroupSortField,
    CustomerSortField,
    CustomFieldsDraft,
    GroupDeletion,
    GroupDraft,
    GroupUpdate,
    MembershipEdit,
    MemberStatus,
    Order,
    Position,
    Rename,
    SetCustomField,
    SetCustomType,
    SetKey,
    SortDirection,
    Window,
    most,
)
from gateway.errors import (
    CallerError,
    Forbidden,
    GatewayError,
    GroupNotEmpty,
    InvalidAnswer,
    LimitExceeded,
    NotFound,
    OutcomeUnknown,
    RevisionConflict,
    Unauthenticated,
    Unsupported,
)
from gateway.membership import difference
from gateway.records import CustomerGroup
from gateway.simulator.faults import Answer, Close, Exchange
from gateway.telemetry import Meter
from tests.backends.worlds import World, worlds
from tests.conftest import Capability


@pytest.fixture(params=["flow_retail", "commercetools"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with worlds(request.param) as running:
        yield running


@pytest.fixture
async def backend(world: World) -> Backend:
    return world.connect()


def uids(page) -> list[str]:
    return [row.record.uid for row in page.rows]


# -- reads


def test_a_uid_and_a_key_are_two_references():
    """Though they are spelt alike; what is asked for by both is asked for twice."""
    assert ById("gold") == ById("gold")
    assert ById("gold") != ByKey("gold")
    assert len({ById("gold"), ByKey("gold"), ById("gold")}) == 2


async def test_groups_are_found_by_uid_and_a_missing_one_is_left_out(world, backend):
    """A batch answers per reference; what does not exist is not in it."""
    gold, blue = world.add_group("Gold"), world.add_group("Blue")

    found = await backend.get_groups([ById(gold), ById(blue), ById(world.unknown)])

    assert {ref.uid: group.name for ref, group in found.items()} == {gold: "Gold", blue: "Blue"}
    assert all(group.tenant_uid == world.tenant for group in found.values())


async def test_a_batch_is_never_more_calls_than_its_groups_and_one(world, backend):
    """Ten groups among fifty: a sweep or single reads, whichever is fewer."""
    everyone = [world.add_group(f"Group {number}") for number in range(50)]

    found = await backend.get_groups([ById(uid) for uid in everyone[::5]])

    assert len(found) == 10
    assert len(world.calls) <= 2


@pytest.mark.parametrize(
    "window",
    [
        Window(size=5),
        Window(size=5, offset=7),
        Window(size=50),
        Window(size=5, offset=30),
        Window(size=4, from_end=True),
        Window(size=50, from_end=True),
    ],
    ids=str,
)
async def test_a_window_of_groups_is_that_part_of_the_list(world, backend, window):
    """Any plain window, and any from the end, shows just its rows and where it stands."""
    for number in range(23):
        world.add_group(f"Group {number:02}")
    everyone = uids(await backend.list_groups(Window(size=100)))
    start = max(0, 23 - window.size) if window.from_end else window.offset

    page = await backend.list_groups(window)

    assert uids(page) == everyone[start : start + window.size]
    assert [row.offset for row in page.rows] == list(range(start, min(23, start + window.size)))
    assert page.total == 23
    assert page.has_next == (start + window.size < 23)
    assert page.has_previous == (start > 0)


@pytest.mark.parametrize("order", [None, SortDirection.ASC, SortDirection.DESC])
async def test_cursors_lead_through_all_members_both_ways(world, backend, order):
    """Walking a list in pages of three, forward and backward, shows every member once, in order."""
    group = world.add_group("Gold")
    for number in range(11):
        world.add_customer(group, lastname=f"Name {number % 4}")
    chosen = None if order is None else Order(CustomerSortField.LASTNAME, order)
    ref = ById(group)
    everyone = uids(await backend.list_members(ref, Window(size=100), order=chosen))

    forward: list[str] = []
    window = Window(size=3)
    while True:
        page = await backend.list_members(ref, window, order=chosen)
        forward += uids(page)
        if not page.has_next:
            break
        last = page.rows[-1]
        window = Window(size=3, after=Position(last.offset, last.record.uid))
    backward: list[str] = []
    window = Window(size=3, from_end=True)
    while True:
        page = await backend.list_members(ref, window, order=chosen)
        backward = uids(page) + backward
        if not page.has_previous:
            break
        first = page.rows[0]
        window = Window(size=3, from_end=True, before=Position(first.offset, first.record.uid))

    assert len(everyone) == len(set(everyone)) == 11
    assert forward == everyone
    assert backward == everyone


async def test_a_window_between_two_cursors_stays_between_them(world, backend):
    """`after` and `before` together, from either side."""
    for number in range(10):
        world.add_group(f"Group {number}")
    rows = (await backend.list_groups(Window(size=100))).rows
    after, before = (Position(row.offset, row.record.uid) for row in (rows[2], rows[7]))

    from_start = await backend.list_groups(Window(size=9, after=after, before=before))
    first_two = await backend.list_groups(Window(size=2, after=after, before=before))
    last_two = await backend.list_groups(Window(size=2, after=after, before=before, from_end=True))

    everyone = [row.record.uid for row in rows]
    assert uids(from_start) == everyone[3:7]
    assert uids(first_two) == everyone[3:5]
    assert uids(last_two) == everyone[5:7]


async def test_the_total_alone_is_one_call_and_no_rows(world, backend):
    """A window of no rows asks for the total only."""
    group = world.add_group("Gold")
    for _ in range(4):
        world.add_customer(group)

    page = await backend.list_members(ById(group), Window(size=0))

    assert (page.total, list(page.rows)) == (4, [])
    assert len(world.calls) == 1


async def test_members_know_their_groups(world, backend):
    """The groups of a customer come with it, at no call."""
    gold, blue = world.add_group("Gold"), world.add_group("Blue")
    world.add_customer(gold, blue)

    page = await backend.list_members(ById(gold), Window(size=5))

    assert set(page.rows[0].record.customer_group_uids) == {gold, blue}


# -- writes


async def test_a_group_is_made_renamed_and_deleted(world, backend):
    """The life of a group, each answer showing its state."""
    made = await backend.create_group(GroupDraft(name="Gold"))
    renamed = await backend.update_group(GroupUpdate(ById(made.uid), [Rename("Platinum")]))
    gone = await backend.delete_group(GroupDeletion(ById(made.uid)))

    assert (made.name, renamed.name, renamed.uid, gone) == ("Gold", "Platinum", made.uid, made.uid)
    assert made.revision != renamed.revision
    assert await backend.get_groups([ById(made.uid)]) == {}


async def test_what_is_not_there_can_not_be_changed(world, backend):
    """Each write to an unknown group is NotFound."""
    ref = ById(world.unknown)
    customer = world.add_customer()

    for write in (
        backend.update_group(GroupUpdate(ref, [Rename("Gold")])),
        backend.delete_group(GroupDeletion(ref)),
        backend.edit_members(MembershipEdit(ref, add=[customer])),
    ):
        with pytest.raises(NotFound):
            await write


async def test_an_outdated_revision_is_refused_with_the_state_that_won(world, backend):
    """Whether enforced or checked as well as can be, the second of two editors is told."""
    group = await backend.create_group(GroupDraft(name="Gold"))
    won = await backend.update_group(GroupUpdate(ById(group.uid), [Rename("Platinum")]))

    for write in (
        backend.update_group(
            GroupUpdate(ById(group.uid), [Rename("Tin")], expected_revision=group.revision)
        ),
        backend.delete_group(GroupDeletion(ById(group.uid), expected_revision=group.revision)),
    ):
        with pytest.raises(RevisionConflict) as conflict:
            await write
        assert isinstance(conflict.value.current, CustomerGroup)
        assert (conflict.value.current.name, conflict.value.current.revision) == (
            "Platinum",
            won.revision,
        )

    again = await backend.update_group(
        GroupUpdate(ById(group.uid), [Rename("Tin")], expected_revision=won.revision)
    )
    assert again.name == "Tin"


async def test_only_an_empty_group_is_deleted_where_that_is_asked(world, backend):
    """`only_if_empty` keeps a group with members, and lets one without go."""
    full, empty = world.add_group("Full"), world.add_group("Empty")
    world.add_customer(full)

    with pytest.raises(GroupNotEmpty):
        await backend.delete_group(GroupDeletion(ById(full), only_if_empty=True))
    assert await backend.delete_group(GroupDeletion(ById(empty), only_if_empty=True)) == empty


async def test_a_membership_edit_tells_what_became_of_each_customer(world, backend):
    """Added, removed, already so, and not there: an outcome for each, in order."""
    group = world.add_group("Gold")
    old, new, also = world.add_customer(group), world.add_customer(), world.add_customer(group)

    edit = await backend.edit_members(
        MembershipEdit(ById(group), add=[new, also, world.unknown], remove=[old])
    )

    outcomes = [(outcome.customer_uid, outcome.status) for outcome in edit.outcomes]
    fine = {MemberStatus.ACCEPTED, MemberStatus.UNCHANGED}
    assert edit.failure is None
    assert [uid for uid, _ in outcomes] == [new, also, world.unknown, old]
    assert outcomes[0][1] is MemberStatus.ACCEPTED
    assert outcomes[1][1] in fine
    assert outcomes[2][1] is MemberStatus.FAILED
    assert outcomes[3][1] is MemberStatus.ACCEPTED
    assert world.members(group) == {new, also}


async def test_a_lost_answer_to_a_membership_edit_is_told_of_each_customer(world, backend):
    """As an error of its outcome, and as the edit's failure."""
    group, customer = world.add_group("Gold"), world.add_customer()
    for method in ("POST", "PUT"):
        world.faults.add(Close(), method=method)

    edit = await backend.edit_members(MembershipEdit(ById(group), add=[customer]))

    [outcome] = edit.outcomes
    assert outcome.status is MemberStatus.UNKNOWN
    assert isinstance(outcome.error, OutcomeUnknown)
    assert isinstance(edit.failure, OutcomeUnknown)


@dataclass
class Instead:
    """An effect: another JSON value wherever the answer has this string."""

    said: str
    instead: str

    async def play(self, exchange: Exchange) -> None:
        status, headers, body = await exchange.answer()
        body = body.replace(json.dumps(self.said).encode(), self.instead.encode())
        await Answer(status, body, headers).play(exchange)


@pytest.mark.parametrize("instead", ["17", "null"])
async def test_members_that_can_not_be_read_can_not_be_compared(world, backend, instead):
    """A page tells a row that is left out from an omission within a row that is kept."""
    group = world.add_group("Gold")
    first, second = world.add_customer(group, addresses=[5]), world.add_customer(group)

    kept = await difference(backend, ById(group), [first], limit=9)
    world.faults.add(Instead(second, instead), method="GET")
    with pytest.raises(InvalidAnswer):
        await difference(backend, ById(group), [first], limit=9)

    assert (await backend.list_members(ById(group), Window(size=9))).omissions
    assert (kept.add, kept.remove) == ([], [second])


async def test_an_answer_about_another_group_is_none(world, backend):
    """Neither to a read nor to a change, of which it does not tell what has become."""
    gold, blue = world.add_group("Gold"), world.add_group("Blue")
    world.faults.add(Instead(gold, json.dumps(blue)), times=None)

    found = await backend.get_groups([ById(gold)])
    with pytest.raises((OutcomeUnknown, InvalidAnswer)) as failure:
        await backend.update_group(GroupUpdate(ById(gold), [Rename("Au")]))

    assert isinstance(found[ById(gold)], InvalidAnswer)
    sent = [call for call in world.calls if not call.startswith("GET")]
    assert type(failure.value) is (OutcomeUnknown if sent else InvalidAnswer)


# -- access


async def test_without_a_token_nothing_is_sent(world):
    """No token is Unauthenticated, before any call."""
    with pytest.raises(Unauthenticated):
        await world.connect(token=None).list_groups(Window(size=1))
    assert world.calls == []


async def test_a_token_without_the_right_is_forbidden_to_write(world):
    """What may be read may still not be changed."""
    group = world.add_group("Gold")
    reader = world.connect(token=world.reader)

    assert (await reader.list_groups(Window(size=1))).total == 1
    with pytest.raises(Forbidden):
        await reader.update_group(GroupUpdate(ById(group), [Rename("Tin")]))


# -- capabilities


async def holds(
    world: World,
    capability: Callable[..., None],
    name: str,
    *,
    claimed: bool,
    attempt: Callable[[], object],
) -> None:
    """`attempt` works where it is claimed; else it is refused before any REST call."""
    world.journal.clear()
    if claimed:
        await attempt()
    else:
        with pytest.raises(Unsupported):
            await attempt()
        assert world.calls == []
    capability(name, world.name, "works" if claimed else "refused")


async def test_keys(world, backend, capability: Capability):
    """Groups with keys: made, found, changed and removed by key, or none of it."""
    claimed = backend.capabilities.customer_group_keys
    plain = await backend.create_group(GroupDraft(name="Plain"))
    names = itertools.count()

    async def create() -> None:
        group = await backend.create_group(GroupDraft(name=f"G{next(names)}", key="a-key"))
        assert group.key == "a-key"

    async def look_up() -> None:
        found = await backend.get_groups([ByKey("a-key"), ByKey("no-such-key")])
        error = next((each for each in found.values() if isinstance(each, Exception)), None)
        if error is not None:
            raise error
        assert [group.key for group in found.values()] == ["a-key"]

    async def change() -> None:
        group = await backend.update_group(GroupUpdate(ById(plain.uid), [SetKey("another-key")]))
        assert group.key == "another-key"
        group = await backend.update_group(GroupUpdate(ByKey("another-key"), [SetKey(None)]))
        assert group.key is None

    async def delete() -> None:
        assert await backend.delete_group(GroupDeletion(ByKey("a-key")))

    for name, attempt in (
        ("create with key", create),
        ("find by key", look_up),
        ("change and remove key", change),
        ("delete by key", delete),
    ):
        await holds(world, capability, name, claimed=claimed, attempt=attempt)


async def test_custom_fields(world, backend, capability: Capability):
    """Custom fields: given on creation, set, removed, or none of it."""
    claimed = backend.capabilities.custom_fields
    plain = await backend.create_group(GroupDraft(name="Plain"))
    custom = CustomFieldsDraft(type_id="type-1", fields={"tier": 1, "colour": "gold"})

    async def create() -> None:
        group = await backend.create_group(GroupDraft(name="Custom", custom=custom))
        assert group.commercetools.custom.fields == {"tier": 1, "colour": "gold"}

    async def set_type() -> None:
        group = await backend.update_group(GroupUpdate(ById(plain.uid), [SetCustomType(custom)]))
        assert group.commercetools.custom.type_id == "type-1"

    async def change() -> None:
        group = await backend.update_group(
            GroupUpdate(
                ById(plain.uid), [SetCustomField("tier", 2), SetCustomField("colour", None)]
            )
        )
        assert group.commercetools.custom.fields == {"tier": 2}

    for name, attempt in (
        ("create with custom fields", create),
        ("set the custom type", set_type),
        ("set and remove custom fields", change),
    ):
        await holds(world, capability, name, claimed=claimed, attempt=attempt)


async def test_chosen_uids(world, backend, capability: Capability):
    """A client's choice of uid is taken, or refused."""

    async def create() -> None:
        assert (await backend.create_group(GroupDraft(name="Mine", uid="mine"))).uid == "mine"

    claimed = backend.capabilities.chosen_uids
    await holds(world, capability, "create with a chosen uid", claimed=claimed, attempt=create)


@pytest.mark.parametrize("field", CustomerGroupSortField)
async def test_group_orders(world, backend, capability: Capability, field):
    """Each order that is claimed is honoured, in both directions; any other is refused."""
    for name in ("Blue", "Amber", "Cyan"):
        world.add_group(name)

    async def sort() -> None:
        up = await backend.list_groups(Window(size=9), order=Order(field))
        down = await backend.list_groups(Window(size=9), order=Order(field, SortDirection.DESC))
        values = [getattr(row.record, field.value.lower()) for row in up.rows]
        assert values == sorted(values)
        assert uids(down) == uids(up)[::-1]

    claimed = field in backend.capabilities.customer_group_sort_fields
    await holds(world, capability, f"groups by {field.value}", claimed=claimed, attempt=sort)


@pytest.mark.parametrize("field", CustomerSortField)
async def test_member_orders(world, backend, capability: Capability, field):
    """Each order that is claimed is honoured, in both directions; any other is refused."""
    group = world.add_group("Gold")
    for name in ("b", "a", "c"):
        world.add_customer(group, firstname=name, lastname=name, email=f"{name}@example.com")

    async def sort() -> None:
        up = await backend.list_members(ById(group), Window(size=9), order=Order(field))
        down = await backend.list_members(
            ById(group), Window(size=9), order=Order(field, SortDirection.DESC)
        )
        values = [str(getattr(row.record, field.value.lower()) or "") for row in up.rows]
        assert len(values) == 3
        assert values == sorted(values)
        assert uids(down) == uids(up)[::-1]

    claimed = field in backend.capabilities.customer_sort_fields
    await holds(world, capability, f"customers by {field.value}", claimed=claimed, attempt=sort)


async def test_the_largest_offset(world, backend, capability: Capability):
    """A window above the largest offset is refused before any call; without one, none is."""
    limit = backend.capabilities.max_offset
    world.add_group("Gold")
    window = Window(size=1, offset=20_000 if limit is None else limit + 1)
    world.journal.clear()

    if limit is None:
        assert (await backend.list_groups(window)).rows == []
    else:
        with pytest.raises(CallerError):
            await backend.list_groups(window)
        assert world.calls == []
    capability("any offset", world.name, "works" if limit is None else f"to {limit}")


async def test_atomic_membership_updates(world, backend, capability: Capability):
    """True: any number of members is one write. False: one write for each."""
    group = world.add_group("Gold")
    customers = [world.add_customer() for _ in range(5)]
    world.journal.clear()

    await backend.edit_members(MembershipEdit(ById(group), add=customers))

    writes = [call for call in world.calls if not call.startswith("GET")]
    atomic = backend.capabilities.atomic_membership_updates
    assert len(writes) == (1 if atomic else 5)
    capability("many members in one write", world.name, "works" if atomic else "one for each")


async def test_enforced_revisions(world, backend, capability: Capability):
    """ENFORCED: of two editors that write at once with the same revision, exactly one wins."""
    enforced = backend.capabilities.optimistic_concurrency is ConcurrencyControl.ENFORCED
    group = await backend.create_group(GroupDraft(name="Gold"))

    results = await asyncio.gather(
        *(
            backend.update_group(
                GroupUpdate(ById(group.uid), [Rename(name)], expected_revision=group.revision)
            )
            for name in ("Tin", "Lead")
        ),
        return_exceptions=True,
    )

    won = [result for result in results if isinstance(result, CustomerGroup)]
    assert len(won) == 1 if enforced else len(won) >= 1
    capability("revisions", world.name, "enforced" if enforced else "best effort")


async def test_the_largest_page_is_one_call(world, backend):
    """`max_page_size` rows from the start come in one call."""
    limit = backend.capabilities.max_page_size
    assert limit is not None
    world.add_group("Gold")

    await backend.list_groups(Window(size=limit))

    assert len(world.calls) == 1


def test_capabilities_cost_nothing(world, backend):
    """They are known without asking."""
    assert replace(backend.capabilities) == backend.capabilities
    assert world.calls == []


# -- what it costs at most


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A way in which an API can be, and what its adapter is told of it."""

    backend: str
    settings: Mapping[str, object] = field(default_factory=dict)
    switches: Mapping[str, object] = field(default_factory=dict)


READINGS = {
    "flow_retail": Reading(backend="flow_retail"),
    "flow_retail, pages of one": Reading(
        backend="flow_retail", settings={"max_page_size": 1}, switches={"max_page_size": 1}
    ),
    "flow_retail, 404 past the end": Reading(
        backend="flow_retail",
        settings={"max_page_size": 7, "past_the_end": "not_found"},
        switches={"max_page_size": 7, "past_the_end": "not_found"},
    ),
    "flow_retail, the last page past the end": Reading(
        backend="flow_retail",
        settings={"max_page_size": 6, "membership_chunk": 2},
        switches={"max_page_size": 6, "past_the_end": "last"},
    ),
    "flow_retail, pages from 0, mirrored": Reading(
        backend="flow_retail",
        settings={"max_page_size": 12, "first_page": 0, "mirrored_sorts": True},
        switches={"max_page_size": 12, "first_page": 0, "group_order": "name"},
    ),
    "commercetools": Reading(backend="commercetools"),
    "commercetools, names only": Reading(
        backend="commercetools", switches={"group_predicates": "name", "total": "low"}
    ),
    "commercetools, legacy": Reading(
        backend="commercetools",
        settings={"membership": "legacy"},
        switches={"total": "high", "default_order": "id"},
    ),
    "commercetools, both": Reading(
        backend="commercetools", settings={"membership": "both"}, switches={"total": "high"}
    ),
}
READING = pytest.mark.parametrize("reading", READINGS.values(), ids=READINGS)


quick = settings(max_examples=12, phases=(Phase.generate,))  # shrinking takes minutes over sockets


def running(reading: Reading) -> AbstractAsyncContextManager[World]:
    return worlds(reading.backend, switches=reading.switches, **reading.settings)


PLACES = st.none() | st.tuples(st.integers(0, 45), st.integers(-3, 3))
"""A cursor's offset, and how far from there its row was when it was made."""


@st.composite
def asked(draw: st.DrawFn) -> Callable[[list[str]], Window]:
    """A window, whose cursors are on rows of the list that is given."""
    size, offset = draw(st.integers(0, 30)), draw(st.integers(0, 60))
    after, before, from_end = draw(PLACES), draw(PLACES), draw(st.booleans())

    def window(everyone: list[str]) -> Window:
        def cursor(place: tuple[int, int] | None) -> Position | None:
            if place is None:
                return None
            at, away = place
            uid = everyone[(at + away) % len(everyone)] if everyone else "a"
            return Position(at, uid)

        plain = (after, before, from_end) == (None, None, False)
        return Window(
            size=size,
            offset=offset if plain else 0,
            after=cursor(after),
            before=cursor(before),
            from_end=from_end,
        )

    return window


CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 45), st.integers(1, 12)),
    max_size=3,
)
"""What becomes of a list after a cursor was made: rows come and go, and others move."""


class Rows:
    """The rows of one list of a world, in the order in which it shows them without another."""

    def __init__(self, world: World, add: Callable[[str], str], remove: Callable[[str], None]):
        self._in_order = (lambda uids: uids) if world.name == "flow_retail" else sorted
        self._add, self._remove = add, remove
        self._names = itertools.count()
        self.uids: list[str] = []

    def add(self, count: int) -> None:
        # Not in alphabetical order, so that a new one stands anywhere in an order by name.
        names = (f"{number * 7919 % 10007:05}" for number in self._names)
        self.uids += [self._add(next(names)) for _ in range(count)]
        self.uids = self._in_order(self.uids)

    def change(self, changes: list[tuple[str, int, int]]) -> None:
        for what, at, count in changes:
            if what == "add":
                self.add(count)
            else:
                for uid in self.uids[at : at + count]:
                    self._remove(uid)
                del self.uids[at : at + count]


async def spent(world: World, call: Awaitable[object]) -> int:
    """The REST calls that the simulator counted, whatever the call came to."""
    world.journal.clear()
    with suppress(GatewayError):
        await call
    return len(world.calls)


@pytest.mark.slow
@READING
@quick
@given(
    count=st.integers(0, 40),
    steps=st.lists(
        st.tuples(asked(), CHANGES, st.sampled_from([None, *SortDirection])), min_size=6, max_size=6
    ),
)
def test_no_window_costs_more_than_is_said_ahead(reading, count, steps):
    """Any window, in any order, whatever became of the rows since its cursors were made."""

    async def check() -> None:
        async with running(reading) as world:
            backend = world.connect()
            key = "gold" if backend.capabilities.customer_group_keys else None
            gold = (await backend.create_group(GroupDraft(name="Gold", key=key))).uid
            groups = Rows(world, world.add_group, world.remove_group)
            groups.uids.append(gold)
            members = Rows(
                world, lambda name: world.add_customer(gold, lastname=name), world.remove_customer
            )
            groups.add(count)
            members.add(count)
            for wanted, changes, way in steps:
                window, members_window = wanted(groups.uids), wanted(members.uids)
                groups.change([(what, at + 1, number) for what, at, number in changes])
                members.change(changes)
                order = way and Order(CustomerGroupSortField.NAME, way)
                members_order = way and Order(CustomerSortField.LASTNAME, way)
                backend = world.connect()

                made = await spent(world, backend.list_groups(window, order=order))
                assert made <= backend.costs.list_groups(window, order=order)

                for ref in (ById(gold), ById(world.unknown), ByKey("gold")):
                    made = await spent(
                        world, backend.list_members(ref, members_window, order=members_order)
                    )
                    most = backend.costs.list_members(ref, members_window, order=members_order)
                    assert made <= most

    asyncio.run(check())


@pytest.mark.slow
@READING
@quick
@given(
    count=st.integers(1, 60),
    batches=st.lists(
        st.tuples(
            st.sets(st.integers(0, 59), max_size=20),
            st.integers(0, 12),
            st.integers(0, 2),
            CHANGES,
        ),
        min_size=4,
        max_size=4,
    ),
)
def test_no_look_up_costs_more_than_is_said_ahead(reading, count, batches):
    """Groups that are there, that are gone, and that never were, over several pages of a list of
    which the request has seen nothing, or has seen what it was.
    """

    async def check() -> None:
        async with running(reading) as world:
            groups = Rows(world, world.add_group, world.remove_group)
            groups.add(count)
            backend = world.connect()
            for there, gone, keys, changes in batches:
                refs = [ById(groups.uids[at]) for at in there if at < len(groups.uids)]
                groups.change(changes)
                refs += [ById(f"{world.unknown}{number}") for number in range(gone)]
                by_key = [ByKey(f"no-such-{number}") for number in range(keys)]

                made = await spent(world, backend.get_groups([*refs, *by_key]))

                assert made <= backend.costs.get_groups(len(refs), len(by_key))

    asyncio.run(check())


@pytest.mark.slow
@READING
async def test_no_write_costs_more_than_is_said_ahead(reading):
    """Where it is done and where it is refused: in use, gone, changed meanwhile, not empty. (Who is
    at fault in a membership edit that is refused, and whether its group is, is found out beside.)
    """
    async with running(reading) as world:
        backend = world.connect()
        costs = backend.costs
        gold = await backend.create_group(GroupDraft(name="Gold"))
        keyed = await backend.create_group(GroupDraft(name="Keyed"))
        if backend.capabilities.customer_group_keys:
            keyed = await backend.update_group(GroupUpdate(ById(keyed.uid), [SetKey("keyed")]))
        customers = [world.add_customer() for _ in range(5)]
        member = world.add_customer(gold.uid)

        for draft in (
            GroupDraft(name="Gold"),
            GroupDraft(name="Blue", key="keyed"),
            GroupDraft(name="Blue", uid=gold.uid),
        ):
            assert await spent(world, backend.create_group(draft)) <= most(costs.write(draft))
        for ref in (ById(gold.uid), ByKey("keyed"), ByKey("none"), ById(world.unknown)):
            for known in (None, "v99", "an old one", "now"):
                changes = [Rename(f"Name {known}")]
                revision = await current(backend, ref) if known == "now" else known
                update = GroupUpdate(ref, changes, revision)
                assert await spent(world, backend.update_group(update)) <= most(costs.write(update))
            for add, remove in ((customers, [member]), ([], customers), (customers[:1], [])):
                edit = MembershipEdit(ref, add, remove)
                made = await spent(world, backend.edit_members(edit))
                # Where 404 is about the group or a customer, a look at the group tells.
                assert made <= most(costs.write(edit)) + (ref == ById(world.unknown))
            for known, empty in itertools.product(("v99", "now", None), (True, False)):
                revision = await current(backend, ref) if known == "now" else known
                deletion = GroupDeletion(ref, revision, empty)
                assert await spent(world, backend.delete_group(deletion)) <= most(
                    costs.write(deletion)
                )


async def current(backend: Backend, ref: ById | ByKey) -> str | None:
    """The group's revision as it is; None where there is no such group."""
    found = (await backend.get_groups([ref])).get(ref)
    return found.revision if isinstance(found, CustomerGroup) else None


async def test_what_is_common_costs_just_what_is_said(world, backend):
    """What is said ahead is no guess from above: a list of three groups, and all that is usual."""
    gold = world.add_group("Gold")
    others = [world.add_group(f"Group {number}") for number in range(2)]
    customers = [world.add_customer(gold) for _ in range(3)]
    strangers = [world.add_customer() for _ in range(3)]
    costs, ref = backend.costs, ById(gold)
    half = (backend.capabilities.max_page_size or 0) // 2

    for window in (Window(size=0), Window(size=1), Window(size=half), Window(size=half, offset=9)):
        for order in (None, Order(CustomerGroupSortField.NAME)):
            made = await spent(world, backend.list_groups(window, order=order))
            assert made == costs.list_groups(window, order=order) == 1
        made = await spent(world, backend.list_members(ref, window))
        assert made == costs.list_members(ref, window) == 1
    fresh = world.connect()
    assert await spent(world, fresh.get_groups([ref])) == costs.get_groups(1) == 1
    draft = GroupDraft(name="Blue")
    assert await spent(world, backend.create_group(draft)) == most(costs.write(draft)) == 1
    update = GroupUpdate(ref, [Rename("Au")])
    assert await spent(world, backend.update_group(update)) == most(costs.write(update))
    edit = MembershipEdit(ref, add=strangers, remove=customers)
    assert await spent(world, backend.edit_members(edit)) == most(costs.write(edit))
    for uid, empty in zip(others, (True, False), strict=True):
        deletion = GroupDeletion(ById(uid), only_if_empty=empty)
        assert await spent(world, backend.delete_group(deletion)) == most(costs.write(deletion))


def test_what_is_said_ahead_costs_nothing(world, backend):
    """Not for what would be refused either."""
    costs, cursor = backend.costs, Position(2_000_000_000, "?" * 2000)
    window = Window(size=10**6, after=cursor, before=cursor, from_end=True)

    for order in (None, Order(CustomerGroupSortField.CREATED_AT, SortDirection.DESC)):
        assert costs.list_groups(window, order=order) >= 0
        assert costs.list_groups(Window(size=10**6, offset=10**9), order=order) >= 0
    assert costs.list_members(ByKey("/"), Window(size=1), order=Order(CustomerSortField.EMAIL)) >= 0
    assert costs.get_groups(0) == 0
    assert costs.get_groups(10**6, 10**6) >= 10**6
    assert most(costs.write(GroupUpdate(ByKey("/"), [], "?"))) >= 0
    assert most(costs.write(MembershipEdit(ByKey("/")))) >= 0
    assert world.calls == []


# -- what an operation has left


async def test_beyond_what_is_left_nothing_is_sent(world):
    """Each read is refused, or that part of it which does not fit any more."""
    everyone = [world.add_group(f"Group {number}") for number in range(6)]
    meter = Meter(limit=3)
    backend = world.connect(meter=meter)

    await backend.list_groups(Window(size=2))
    found = await backend.get_groups([ById(everyone[0])])
    assert len(found) == 1
    assert await backend.list_members(ById(everyone[0]), Window(size=2))
    for _ in range(2):
        with pytest.raises(LimitExceeded) as refused:
            await backend.list_groups(Window(size=2))
        refusals = await backend.get_groups([ById(uid) for uid in everyone])
        assert set(map(type, refusals.values())) == {LimitExceeded}

    assert len(world.calls) == meter.rest_calls == meter.planned == 3
    assert refused.value.extensions == {
        "code": "LIMIT_EXCEEDED",
        "limit": "max_rest_calls",
        "allowed": 3,
        "found": 4,
    }


@pytest.mark.parametrize("left", [1, 2, 3])
async def test_a_lost_answer_stays_unknown_where_no_look_is_left(world, left):
    """What was sent may have been done: nothing that is refused after it may hide that."""
    gold = world.add_group("Gold")
    draft = GroupDraft(name="Blue", uid="blue")
    if not world.connect().capabilities.chosen_uids:
        draft = GroupDraft(name="Blue", key="blue")
    for write in (
        lambda backend: backend.create_group(draft),
        lambda backend: backend.update_group(GroupUpdate(ById(gold), [Rename("Au")])),
        lambda backend: backend.delete_group(GroupDeletion(ById(gold))),
    ):
        world.faults.clear()
        for method in ("PUT", "POST", "DELETE"):
            world.faults.add(Answer(500), method=method)
        world.journal.clear()
        with pytest.raises((OutcomeUnknown, LimitExceeded)) as failure:
            await write(world.connect(meter=Meter(limit=left)))

        written = [call for call in world.calls if not call.startswith("GET")]
        assert len(world.calls) <= left
        assert type(failure.value) is (OutcomeUnknown if written else LimitExceeded)
