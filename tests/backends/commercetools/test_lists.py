"""commercetools' lists: whatever the totals say, no row is lost, none comes twice, and where a page
ends is told truly.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.backends.commercetools.adapter import GROUP_SORTS, GROUPS, CommercetoolsCosts
from gateway.backends.commercetools.lists import RemoteList
from gateway.backends.commercetools.wire import WHOLE
from gateway.backends.port import (
    ById,
    ByKey,
    CustomerGroupSortField,
    CustomerSortField,
    GroupDraft,
    Order,
    Position,
    SortDirection,
    Window,
)
from gateway.errors import GatewayError, InvalidAnswer, LimitExceeded, Rejected
from gateway.records import Page
from gateway.rest import Answer
from gateway.simulator.commercetools import fault_answers
from gateway.simulator.faults import Body
from tests.backends.worlds import CommercetoolsWorld, shop

TOTALS = ["exact", "low", "high"]
MANY = 10_600
Cost = Callable[[str], int]
List = Callable[[Window], Any]


@pytest.fixture
async def world() -> AsyncIterator[CommercetoolsWorld]:
    async with shop() as running:
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


def uids(page: Page[Any]) -> list[str]:
    return [row.record.uid for row in page.rows]


def position(row: Any) -> Position:
    return Position(row.offset, row.record.uid)


async def forward(read: List, size: int, after: Position | None = None) -> list[str]:
    """The rows from there to the list's end, in pages."""
    found: list[str] = []
    while True:
        page = await read(Window(size=size, after=after))
        found += uids(page)
        assert page.has_previous == (after is not None)
        if not page.has_next:
            return found
        assert len(page.rows) == size
        after = position(page.rows[-1])


async def backward(read: List, size: int, before: Position | None = None) -> list[str]:
    """The rows from the list's start to there, read in pages from the end."""
    found: list[str] = []
    while True:
        page = await read(Window(size=size, before=before, from_end=True))
        found = uids(page) + found
        assert page.has_next == (before is not None)
        if not page.has_previous:
            return found
        assert len(page.rows) == size
        before = position(page.rows[0])


# -- long lists


@pytest.mark.slow
@pytest.mark.parametrize("total", TOTALS)
async def test_cursors_lead_past_the_largest_offset(world, total, cost):
    """10 600 groups and no offset above 10 000: by the last id, from either end."""
    everyone = world.add_groups(MANY)
    world.switches.total = total
    backend = world.connect()
    start = Position(9_980, everyone[9_980])

    assert await forward(backend.list_groups, 400, start) == everyone[9_981:]
    assert cost("620 rows behind row 9 980, in pages of 400") == 2
    end = Position(500, everyone[500])
    assert await backward(backend.list_groups, 400, end) == everyone[:500]
    tail = await backend.list_groups(Window(size=3, from_end=True))
    assert uids(tail) == everyone[-3:]
    more = Window(size=400, from_end=True, before=position(tail.rows[0]))
    assert uids(await backend.list_groups(more)) == everyone[-403:-3]


@pytest.mark.slow
async def test_members_past_the_largest_offset(world):
    """Of a list with a predicate the total stops at 10 000; nothing else does."""
    gold = world.add_group("Gold")
    everyone = world.add_customers(MANY, gold)
    backend = world.connect()

    def read(window: Window) -> Any:
        return backend.list_members(ById(gold), window)

    assert await forward(read, 499) == everyone
    assert await backward(read, 499) == everyone


@pytest.mark.slow
@pytest.mark.parametrize("total", TOTALS)
async def test_the_last_reachable_rows_by_offset(world, total):
    """The largest offset is 10 000; a window from there has rows behind it, and that is told."""
    everyone = world.add_groups(MANY)
    world.switches.total = total
    backend = world.connect()

    for size in (20, 499):
        page = await backend.list_groups(Window(size=size, offset=10_000))
        assert uids(page) == everyone[10_000 : 10_000 + size]
        assert (page.has_next, page.has_previous) == (True, True)


@pytest.mark.parametrize(
    "window",
    [
        Window(size=1, offset=10_001),
        Window(size=600, offset=9_600),
        Window(size=20, offset=2_000_000_000),
        Window(size=3, after=Position(10_002, "x")),
        Window(size=3, before=Position(10_100, "x"), from_end=True),
    ],
    ids=str,
)
async def test_what_no_offset_reaches_is_refused_before_any_call(world, window):
    """A clear answer rather than the backend's."""
    order = None if window.plain else Order(CustomerGroupSortField.NAME)

    with pytest.raises(LimitExceeded):
        await world.connect().list_groups(window, order=order)
    assert world.calls == []


@pytest.mark.slow
async def test_what_windows_cost(world, cost):
    """One call for what one answer holds, at any place."""
    everyone = world.add_groups(1200)
    gold = world.add_group("Gold", key="gold")
    backend = world.connect()
    name = Order(CustomerGroupSortField.NAME)
    here = Position(700, everyone[700])

    for order in (None, name):
        await backend.list_groups(Window(size=499, offset=7), order=order)
        assert cost("up to 499 rows, at any offset") == 1
        await backend.list_groups(Window(size=20, from_end=True), order=order)
        assert cost("the last rows of a list") == 1
        await backend.list_groups(Window(size=0), order=order)
        assert [query["limit"] for query in world.queries] == ["0"]
        assert cost("a total alone") == 1
        await backend.list_groups(Window(size=1000), order=order)
        assert cost("1000 rows of more") == 3
    await backend.list_groups(Window(size=400, after=here))
    assert cost("a page behind a cursor") == 1
    await backend.list_groups(Window(size=400, before=here, from_end=True))
    assert cost("a page ahead of a cursor") == 1
    await backend.list_members(ById(gold), Window(size=20))
    assert cost("a page of members, by the group's uid") == 1
    await backend.list_members(ByKey("gold"), Window(size=20))
    assert cost("a page of members, by the group's key") == 2


# -- any window, against a slice


class Shelf:
    """A CallerUpstream to rows in memory, with totals that are off by up to a tenth."""

    def __init__(self, names: Sequence[str], total: str, *, names_only: bool = False) -> None:
        self._names_only = names_only
        self.rows = [
            {"id": f"{number * 7919 % 10007:05}", "version": 1, "name": name}
            for number, name in enumerate(names)
        ]
        self._total = total
        self.calls = 0

    async def send(self, method: str, template: str, path: Any, *, query: Any) -> Answer:
        self.calls += 1
        assert 0 <= query["limit"] <= 500
        assert query.get("offset", 0) <= 10_000
        rows = list(self.rows)
        for term in query.get("where", "").split(" and "):
            if term:
                if self._names_only:
                    return Answer(400, b"")
                _, sign, literal = term.split(" ")
                value = json.loads(literal)
                rows = [
                    row for row in rows if (row["id"] > value if sign == ">" else row["id"] < value)
                ]
        for term in reversed(query["sort"]):
            field, way = term.split(" ")
            rows.sort(key=lambda row: row[field], reverse=way == "desc")
        wrong = {"exact": 0, "low": -1 - len(rows) // 10, "high": 1 + len(rows) // 10}
        total = max(0, len(rows) + wrong[self._total])
        at = query.get("offset", 0)
        page = rows[at : at + query["limit"]]
        return Answer(200, json.dumps({"total": total, "results": page}).encode())

    def list(self) -> RemoteList[Any]:
        return RemoteList(
            upstream=self,  # type: ignore[arg-type]  # as far as lists need one
            template=GROUPS,
            path={},
            decoder=WHOLE.groups,
            record=lambda row: WHOLE.group_record(row, "shop"),
            sorts=GROUP_SORTS,
            names_only=True,
        )


NAMES = st.lists(st.sampled_from("abc"), max_size=40)
ORDERS = st.sampled_from(
    [None, *(Order(CustomerGroupSortField.NAME, each) for each in SortDirection)]
)


def in_order(rows: Sequence[dict[str, Any]], order: Any) -> list[str]:
    turned = order is not None and order.direction is SortDirection.DESC
    key = "id" if order is None else "name"
    ordered = sorted(rows, key=lambda row: (row[key], row["id"]), reverse=turned)
    return [row["id"] for row in ordered]


@pytest.mark.slow
@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("way", [None, *SortDirection])
@pytest.mark.parametrize("count", [499, 500, 501, 999, 1000, 1001])
async def test_a_window_of_more_than_one_answer(total, way, count):
    """As many calls as it takes, wherever it lies; whether rows are behind it is read, not
    believed.
    """
    order = way and Order(CustomerGroupSortField.NAME, way)
    shelf = Shelf([f"Group {number % 300}" for number in range(count)], total)
    everyone = in_order(shelf.rows, order)

    def read(window: Window) -> Any:
        return shelf.list().window(window, order)

    row = Position(0, everyone[0])
    last = Position(count - 1, everyone[-1])

    for size in (499, 500, 501, 1000):
        page = await read(Window(size=size))
        assert uids(page) == everyone[:size]
        assert (page.has_next, page.has_previous) == (count > size, False)
        page = await read(Window(size=size, after=row))
        assert uids(page) == everyone[1 : size + 1]
        assert (page.has_next, page.has_previous) == (count > size + 1, True)
        page = await read(Window(size=size, from_end=True))
        assert uids(page) == everyone[-size:]
        assert (page.has_next, page.has_previous) == (False, count > size)
        window = Window(size=size, from_end=True, before=last)
        page = await read(window)
        assert uids(page) == everyone[:-1][-size:]
        assert (page.has_next, page.has_previous) == (True, count - 1 > size)


@pytest.mark.slow
@given(
    names=NAMES,
    total=st.sampled_from(TOTALS),
    order=ORDERS,
    size=st.integers(1, 45),
    ends=st.tuples(st.none() | st.integers(0, 39), st.none() | st.integers(0, 39)),
    from_end=st.booleans(),
    offset=st.integers(0, 60),
)
@example(
    names=["a"] * 5,
    total="high",
    order=Order(CustomerGroupSortField.NAME),
    size=20,
    ends=(None, None),
    from_end=True,
    offset=0,
)
@example(
    names=["a"] * 25,
    total="low",
    order=Order(CustomerGroupSortField.NAME),
    size=24,
    ends=(None, None),
    from_end=True,
    offset=0,
)
@hypothesis_settings(max_examples=400, deadline=None)
def test_any_window_is_a_slice_of_the_list(names, total, order, size, ends, from_end, offset):
    """Over lists with many ties: rows, and whether there are more on either side, whatever the
    totals say.
    """
    shelf = Shelf(names, total)
    everyone = in_order(shelf.rows, order)
    after, before = (None if end is None or end >= len(names) else end for end in ends)
    if after is not None and before is not None and after >= before:
        after, before = None, after
    start = 0 if after is None else after + 1
    stop = len(everyone) if before is None else before
    if after is None and before is None and not from_end:
        start = offset
    if from_end:
        start = max(start, stop - size)
    else:
        stop = min(stop, start + size)
    window = Window(
        size=size,
        offset=offset if (after, before, from_end) == (None, None, False) else 0,
        after=None if after is None else Position(after, everyone[after]),
        before=None if before is None else Position(before, everyone[before]),
        from_end=from_end,
    )

    page = asyncio.run(shelf.list().window(window, order))

    assert uids(page) == everyone[start:stop]
    # In the way that is read, only rows that the cursors leave count.
    low = after + 1 if from_end and after is not None else 0
    high = len(everyone) if from_end or before is None else before
    assert page.has_next == (stop < high)
    if start < len(everyone) or total == "exact":
        assert page.has_previous == (start > low and bool(everyone))
    if order is None or total == "exact" or not from_end:
        expected = range(start, max(start, stop))
        if total == "exact" or not from_end:
            assert [row.offset for row in page.rows] == list(expected)
    assert shelf.calls <= 2


@pytest.mark.slow
@given(
    names=st.lists(st.sampled_from("abc"), max_size=60),
    total=st.sampled_from(TOTALS),
    order=ORDERS,
    size=st.integers(1, 20),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_pages_both_ways_are_the_list(names, total, order, size):
    """Nothing lost, nothing repeated, however wrong the totals."""
    shelf = Shelf(names, total)
    everyone = in_order(shelf.rows, order)

    async def walk() -> None:
        def read(window: Window) -> Any:
            return shelf.list().window(window, order)

        assert await forward(read, size) == everyone
        assert await backward(read, size) == everyone

    asyncio.run(walk())


PLACES = st.none() | st.tuples(st.integers(0, 1300), st.integers(-300, 300))
"""A cursor's offset, and how far from there its row stands by now."""
COUNTS = st.integers(0, 1300) | st.sampled_from([499, 500, 501, 999, 1000, 1001])


@pytest.mark.slow
@given(
    count=COUNTS,
    total=st.sampled_from(TOTALS),
    order=ORDERS,
    size=COUNTS,
    places=st.tuples(PLACES, PLACES),
    from_end=st.booleans(),
    offset=st.integers(0, 10_100),
    names_only=st.booleans(),
)
@hypothesis_settings(max_examples=300, deadline=None)
def test_no_window_costs_more_than_is_said_ahead(
    count, total, order, size, places, from_end, offset, names_only
):
    """In lists of several answers, wherever the rows of its cursors stand by now."""
    shelf = Shelf(
        [f"Group {number % 300}" for number in range(count)], total, names_only=names_only
    )
    everyone = in_order(shelf.rows, order)

    def cursor(place: tuple[int, int] | None) -> Position | None:
        if place is None:
            return None
        at = sum(place)
        return Position(place[0], everyone[at] if 0 <= at < count else "00000")

    after, before = map(cursor, places)
    plain = (after, before, from_end) == (None, None, False)
    window = Window(
        size=size, offset=offset if plain else 0, after=after, before=before, from_end=from_end
    )

    with suppress(LimitExceeded):
        asyncio.run(shelf.list().window(window, order))

    assert shelf.calls <= CommercetoolsCosts().list_groups(window, order=order)


@pytest.mark.parametrize(
    ("window", "most"),
    [
        (Window(size=0), 1),
        (Window(size=499, offset=7), 1),
        (Window(size=500), 2),
        (Window(size=1000), 3),
        (Window(size=20, from_end=True), 1),
        (Window(size=20, offset=10_001), 0),
    ],
    ids=str,
)
def test_what_is_said_ahead_of_a_list(window, most):
    """One call for what one answer holds with a row to spare; none for what is refused."""
    costs, by_name = CommercetoolsCosts(), Order(CustomerGroupSortField.NAME)

    assert costs.list_groups(window, order=by_name) == most
    if window.plain:
        assert costs.list_groups(window) == most


def test_what_is_said_ahead_of_a_page_behind_a_cursor():
    """Of customers, one call. Of groups, up to three more: predicates may not know their ids."""
    costs, window = CommercetoolsCosts(), Window(size=20, after=Position(5, "a"))

    assert costs.list_members(ById("gold"), window) == 1
    assert costs.list_members(ByKey("gold"), window) == 2
    assert costs.list_groups(window) == 4


@pytest.mark.slow
@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("way", SortDirection)
async def test_an_order_with_ties_over_http(world, total, way):
    """Ten names for 120 customers: the id settles which comes first, in both directions."""
    gold = world.add_group("Gold")
    world.add_customers(120, gold)
    world.switches.total = total
    customers = world.store.customers("shop", order="last_name, id")
    everyone = [customer.id for customer in customers]
    if way is SortDirection.DESC:
        everyone.reverse()
    backend = world.connect()

    def read(window: Window) -> Any:
        order = Order(CustomerSortField.LASTNAME, way)
        return backend.list_members(ById(gold), window, order=order)

    assert await forward(read, 17) == everyone
    assert await backward(read, 17) == everyone


# -- what moves, what fails, what is not said


async def test_by_id_rows_may_come_and_go_between_pages(world):
    """A row that was there all along is shown once; one that is gone takes no cursor with it."""
    everyone = world.add_groups(30)
    backend = world.connect()

    first = await backend.list_groups(Window(size=10))
    for gone in (everyone[0], everyone[3], everyone[9]):
        world.store.remove_group("shop", gone)
    world.store.add_group("shop", "New", id="0" * 8)
    rest = await forward(backend.list_groups, 10, position(first.rows[-1]))

    assert uids(first) == everyone[:10]
    assert rest == everyone[10:]


@pytest.mark.parametrize("total", TOTALS)
async def test_where_predicates_know_the_name_only_groups_are_paged_by_offset(world, total):
    """That is all that the reference page promises of groups; it costs the refused call."""
    everyone = world.add_groups(40)
    world.switches.group_predicates = "name"
    world.switches.total = total
    backend = world.connect()

    assert await forward(backend.list_groups, 15) == everyone
    assert await backward(backend.list_groups, 15) == everyone
    assert len(world.calls) <= 11


@pytest.mark.parametrize("membership", ["assignments", "both"])
async def test_a_backend_that_can_not_find_members_says_so(membership):
    """REJECTED_BY_BACKEND with the backend's own sentence, from the first page and from later
    ones.
    """
    async with shop(membership=membership) as world:
        world.switches.assignments_predicate = "refused"
        gold = world.add_group("Gold")
        backend = world.connect()

        for window in (Window(size=5), Window(size=0), Window(size=5, after=Position(0, "a"))):
            with pytest.raises(Rejected, match="customerGroupAssignments"):
                await backend.list_members(ById(gold), window)


@pytest.mark.parametrize("window", [Window(size=2), Window(size=2, after=Position(0, "a"))])
async def test_without_a_total_there_are_rows_all_the_same(world, window):
    """And whether there are more is known; only the number is not."""
    world.add_group("Gold")
    rows = [{"id": f"g{number}", "version": 1, "name": "x"} for number in range(3)]
    world.faults.add(Body(json.dumps({"results": rows}).encode()))

    page = await world.connect().list_groups(window)

    assert uids(page) == ["g0", "g1"]
    assert (page.total, page.has_next) == (None, True)


async def test_a_row_that_can_not_be_kept_takes_its_place_all_the_same(world):
    """Offsets, ends and the next cursor are as if it were there."""
    gold = world.add_group("Gold")
    rows: list[Any] = [{"id": f"c{number}", "version": 1} for number in range(4)]
    rows[1] = {"version": 1}
    rows[3] = 7
    for window in (Window(size=3), Window(size=3, after=Position(9, "a"))):
        world.faults.add(Body(json.dumps({"total": 4, "results": rows}).encode()))
        page = await world.connect().list_members(ById(gold), window)
        start = 0 if window.after is None else 10
        assert [(row.offset - start, row.record.uid) for row in page.rows] == [(0, "c0"), (2, "c2")]
        assert page.has_next
        assert [omission.where for omission in page.omissions] == ["results[1]", "results[3]"]


@pytest.mark.slow
async def test_a_part_that_fails_fails_the_window(world):
    """Not a list with a hole in it, and no task left over."""
    world.add_groups(1100)
    world.faults.add(fault_answers.general(), skip=1)

    with pytest.raises(GatewayError):
        await world.connect().list_groups(Window(size=1000))
    await asyncio.sleep(0.02)


@pytest.mark.slow
@hypothesis_settings(max_examples=25, deadline=None)
@given(offset=st.integers(0, 60), size=st.integers(0, 60), order=st.none() | st.just("name"))
def test_plain_windows_over_http_are_slices(offset, size, order):
    """The same over sockets, with the simulator's own idea of sorting."""

    async def check() -> None:
        async with shop() as world:
            by_id = world.add_groups(50)
            names = [group.id for group in world.store.groups("shop", order="name")]
            everyone = by_id if order is None else names
            chosen = None if order is None else Order(CustomerGroupSortField.NAME)
            window = Window(size=size, offset=offset)
            page = await world.connect().list_groups(window, order=chosen)
            assert uids(page) == everyone[offset : offset + size]
            assert page.total == 50
            assert page.has_next == (offset + size < 50)
            assert page.has_previous == (offset > 0)
            assert len(world.calls) == 1

    asyncio.run(check())


async def test_a_new_group_is_in_the_list_at_once(world):
    """What was made is found by every way of reading."""
    world.add_groups(20)
    backend = world.connect()
    made = await backend.create_group(GroupDraft(name="A new one"))

    everyone = await forward(backend.list_groups, 7)
    by_name = await backend.list_groups(Window(size=1), order=Order(CustomerGroupSortField.NAME))

    assert made.uid in everyone
    assert uids(by_name) == [made.uid]


# -- totals that can't be read

GROUP_ROW = {"id": "g", "version": 1, "name": "Gold"}


@pytest.mark.parametrize("total", ["1", 1.5, -1, 2**31, [], True])
async def test_a_total_that_can_not_be_read_costs_no_rows(world, total):
    """How many there are is seen at the list's end."""
    world.faults.add(Body(json.dumps({"total": total, "results": [GROUP_ROW]}).encode()))

    page = await world.connect().list_groups(Window(size=5))

    assert uids(page) == ["g"]
    assert (page.total, page.has_next) == (1, False)
    assert not page.omissions


async def test_without_its_total_a_list_that_goes_on_is_told_to():
    """By the row behind the window."""
    async with shop() as world:
        rows = [{**GROUP_ROW, "id": f"g{number}"} for number in range(3)]
        world.faults.add(Body(json.dumps({"total": "9", "results": rows}).encode()))

        page = await world.connect().list_groups(Window(size=2))

    assert uids(page) == ["g0", "g1"]
    assert (page.total, page.has_next) == (None, True)


async def test_a_total_that_can_not_be_read_is_its_own_failure(world):
    """Where it is all that is asked for."""
    world.faults.add(Body(json.dumps({"total": "9", "results": []}).encode()))

    with pytest.raises(InvalidAnswer):
        await world.connect().list_groups(Window(size=0))


@pytest.mark.parametrize(("total", "omissions"), [(0, []), ("0", []), (3, ["results"])])
async def test_null_for_the_rows_is_no_rows(world, total, omissions):
    """Which is told where there are some."""
    world.faults.add(Body(json.dumps({"total": total, "results": None}).encode()))

    page = await world.connect().list_groups(Window(size=5))

    assert uids(page) == []
    assert [omission.where for omission in page.omissions] == omissions
