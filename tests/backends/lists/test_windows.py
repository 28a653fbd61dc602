"""Windows over pages that have numbers: the rows that were meant, in the fewest calls, also where
the upstream changes the page size or rows move.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.backends.lists.pages import AnsweredPage, NumberedPages, PageCosts, cover
from gateway.backends.lists.windows import max_calls, read_window
from gateway.backends.port import Position, Window
from gateway.errors import InvalidAnswer, Unavailable, Unsupported
from gateway.records import CustomerGroup, Omission, Page

quick = settings(deadline=None, derandomize=True, max_examples=200)


@dataclass(kw_only=True)
class Api:
    """A list of uids behind page numbers. `calls` are the (index, size) asked for."""

    uids: list[str]
    clamp: int | None = None
    """The most rows that it puts on a page, whatever is asked for."""
    fixed: int | None = None
    """The rows on each of its pages, if it takes no size at all."""
    past_the_end: Literal["empty", "last"] = "empty"
    says_total: bool = True
    broken: frozenset[str] = frozenset()
    """Rows that can't be decoded."""
    calls: list[tuple[int, int]] = field(default_factory=list)
    turned_calls: list[int] = field(default_factory=list)

    async def get_page(self, index: int, size: int) -> AnsweredPage[CustomerGroup]:
        self.calls.append((index, size))
        return self.answer(self.uids, index, size)

    async def get_last(self, size: int) -> AnsweredPage[CustomerGroup]:
        self.turned_calls.append(size)
        return self.answer(self.uids[::-1], 0, size)

    def answer(self, uids: list[str], index: int, size: int) -> AnsweredPage[CustomerGroup]:
        assert index >= 0
        assert size >= 1
        size = self.fixed or min(size, self.clamp or size)
        if self.past_the_end == "last":
            index = min(index, max(0, len(uids) - 1) // size)
        kept = uids[index * size : (index + 1) * size]
        return AnsweredPage(
            index=index,
            size=size,
            rows=[None if uid in self.broken else CustomerGroup(uid=uid, name=uid) for uid in kept],
            total=len(uids) if self.says_total else None,
            omissions=[Omission(uid, "broken") for uid in kept if uid in self.broken],
        )

    async def read(
        self, wanted: Window, *, max_page_size: int = 100, turns: bool = False
    ) -> Page[CustomerGroup]:
        """One read of its own, as one connection of one request is."""
        pages = NumberedPages(
            self.get_page,
            max_page_size=max_page_size,
            get_last=self.get_last if turns else None,
        )
        self.calls.clear()
        self.turned_calls.clear()
        return await read_window(wanted, pages)

    @property
    def cost(self) -> int:
        return len(self.calls) + len(self.turned_calls)


def numbered(count: int) -> list[str]:
    return [f"u{number}" for number in range(count)]


def bounds(wanted: Window, total: int) -> tuple[int, int]:
    """Where `wanted` starts and ends in an unchanged list of `total` rows."""
    low = 0 if wanted.after is None else wanted.after.offset + 1
    high = total if wanted.before is None else wanted.before.offset
    if wanted.from_end:
        return max(low, high - wanted.size), high
    return low + wanted.offset, max(
        low + wanted.offset, min(low + wanted.offset + wanted.size, high)
    )


def others(wanted: Window, total: int) -> tuple[bool, bool]:
    """Whether rows come ahead of `wanted` and behind it, as Relay's algorithm has it: in the way
    that is read, only those that the cursors leave.
    """
    start, stop = bounds(wanted, total)
    low = 0 if wanted.after is None or not wanted.from_end else wanted.after.offset + 1
    high = total if wanted.before is None or wanted.from_end else wanted.before.offset
    return total > 0 and start > low, stop < high


def seen(page: Page[CustomerGroup]) -> list[tuple[int, str]]:
    return [(row.offset, row.record.uid) for row in page.rows]


def found(page: Page[CustomerGroup]) -> list[str]:
    """What is told that was seen of rows that moved."""
    return [drift.found for drift in page.remarks]


def sliced(wanted: Window, uids: list[str]) -> list[tuple[int, str]]:
    start, stop = bounds(wanted, len(uids))
    return list(enumerate(uids))[start:stop]


@st.composite
def windows(draw: st.DrawFn, total: int, max_size: int) -> Window:
    """Any window that Relay's arguments can ask for, with cursors of rows that exist."""
    size = draw(st.integers(0, max_size))
    kind = draw(st.sampled_from(["offset", "first", "last"]))
    if kind == "offset":
        return Window(size=size, offset=draw(st.integers(0, total + 30)))
    ends = draw(st.lists(st.integers(0, total - 1), max_size=2, unique=True)) if total else []
    after = before = None
    if len(ends) == 2:
        after, before = (Position(at, f"u{at}") for at in sorted(ends))
    elif ends and draw(st.booleans()):
        after = Position(ends[0], f"u{ends[0]}")
    elif ends:
        before = Position(ends[0], f"u{ends[0]}")
    return Window(size=size, after=after, before=before, from_end=kind == "last")


@st.composite
def lists_and_windows(draw: st.DrawFn) -> tuple[int, int, Window]:
    """How many rows, the largest page, and a window."""
    total = draw(st.integers(0, 90))
    max_page_size = draw(st.integers(1, 30))
    return total, max_page_size, draw(windows(total, max_page_size + 10))


# -- an unchanged list


@pytest.mark.slow
@given(lists_and_windows(), st.booleans(), st.sampled_from(["empty", "last"]))
@quick
async def test_a_window_is_a_slice_of_the_list(scenario, turns, past_the_end):
    """The same rows at the same offsets as slicing the whole list, and whether there are others."""
    total, max_page_size, wanted = scenario
    api = Api(uids=numbered(total), past_the_end=past_the_end)

    page = await api.read(wanted, max_page_size=max_page_size, turns=turns)

    assert seen(page) == sliced(wanted, api.uids)
    assert page.total == total
    assert page.remarks == ()
    assert (page.has_previous, page.has_next) == others(wanted, total)
    assert all(size <= max_page_size for _, size in api.calls)
    assert all(size <= max_page_size for size in api.turned_calls)


@pytest.mark.slow
@given(lists_and_windows(), st.booleans())
@quick
async def test_a_window_costs_no_more_than_its_rows_do(scenario, turns):
    """The fewest pages that cover the rows; a look at the cursor's own row is never a further call.
    Only the end of a list whose total is not known takes one call more than its rows.
    """
    total, max_page_size, wanted = scenario
    api = Api(uids=numbered(total))

    await api.read(wanted, max_page_size=max_page_size, turns=turns)

    start, stop = bounds(wanted, total)
    size = stop - start if wanted.before else wanted.size  # the end of the list is not known ahead
    fewest = cover(start, size, max_page_size).count
    if wanted.from_end and wanted.before is None:
        assert api.cost <= fewest + 1
    else:
        assert api.cost <= fewest


@pytest.mark.parametrize("size", [1, 10, 50])
@pytest.mark.parametrize("at", [0, 3, 117, 950, 999])
async def test_half_the_largest_page_is_one_call(size, at):
    """From the start, at an offset, behind a cursor, and ahead of one."""
    api = Api(uids=numbered(1000))
    here = Position(at, f"u{at}")
    for wanted in (
        Window(size=size),
        Window(size=size, offset=at),
        Window(size=size - 1, after=here),
        Window(size=size, after=here),
        Window(size=size, before=here),
        Window(size=size, before=here, from_end=True),
    ):
        await api.read(wanted)
        assert api.cost == 1, wanted


async def test_a_total_alone_is_one_row():
    """One call of page size 1."""
    api = Api(uids=numbered(1000))

    page = await api.read(Window(size=0))

    assert (page.total, page.rows) == (1000, [])
    assert api.calls == [(0, 1)]


@pytest.mark.parametrize("size", [1, 10, 100])
async def test_the_last_rows_are_the_first_page_of_the_mirror_image(size):
    """One call, where the order can be turned around exactly."""
    api = Api(uids=numbered(1000))

    page = await api.read(Window(size=size, from_end=True), turns=True)

    assert seen(page) == list(enumerate(api.uids))[-size:]
    assert (api.calls, api.turned_calls) == ([], [size])


async def test_more_last_rows_than_a_page_holds_are_fetched_in_what_it_holds():
    """The mirror image is asked for no page larger than the largest."""
    api = Api(uids=numbered(1000))

    page = await api.read(Window(size=50, from_end=True), max_page_size=30, turns=True)

    assert seen(page) == list(enumerate(api.uids))[-50:]
    assert api.turned_calls == [30]
    assert api.cost <= 3


@pytest.mark.parametrize("turns", [False, True])
async def test_the_last_no_rows_are_a_total(turns):
    """`last: 0` is a page of one row: an upstream may refuse one of none."""
    api = Api(uids=numbered(1000))

    page = await api.read(Window(size=0, from_end=True), turns=turns)

    assert (page.rows, page.total, page.has_previous, page.has_next) == ([], 1000, True, False)
    assert (api.calls, api.turned_calls) == (([], [1]) if turns else ([(0, 1)], []))


async def test_the_end_of_a_list_of_one_page_is_one_call():
    """Without a mirror image the first page is read for its total; often it is all there is."""
    api = Api(uids=numbered(80))

    page = await api.read(Window(size=10, from_end=True))

    assert seen(page) == list(enumerate(api.uids))[-10:]
    assert api.calls == [(0, 100)]


async def test_the_end_of_a_long_list_behind_a_cursor_is_two_calls():
    """One for the cursor's row and the total, one for the end."""
    api = Api(uids=numbered(1000))

    page = await api.read(Window(size=10, after=Position(500, "u500"), from_end=True))

    assert seen(page) == list(enumerate(api.uids))[-10:]
    assert api.cost == 2


@pytest.mark.slow
@given(st.integers(0, 40), st.data(), st.integers(1, 12), st.booleans(), st.booleans())
@quick
async def test_who_follows_cursors_between_two_rows_comes_to_an_end(
    total, data, size, backward, says_total
):
    """Of what lies between, every row once, and the last page says that it is the last."""
    api = Api(uids=numbered(total), says_total=says_total)
    places = st.none() | st.integers(0, total - 1) if total else st.none()
    low, high = data.draw(places), data.draw(places)
    if backward and high is None and not says_total:
        return  # the end of a list can't be found without a total
    after, before = (None if at is None else Position(at, f"u{at}") for at in (low, high))
    shown: list[str] = []
    for _ in range(total + 1):
        wanted = Window(size=size, after=after, before=before, from_end=backward)
        page = await api.read(wanted)
        rows = [row.record.uid for row in page.rows]
        shown = rows + shown if backward else shown + rows
        if not (page.has_previous if backward else page.has_next):
            break
        row = page.rows[0 if backward else -1]  # there is one, or nobody could go on
        if backward:
            before = Position(row.offset, row.record.uid)
        else:
            after = Position(row.offset, row.record.uid)
    else:
        pytest.fail("It goes on for ever.")

    assert shown == numbered(total)[0 if low is None else low + 1 : high]


# -- an upstream with a mind of its own


@pytest.mark.slow
@given(lists_and_windows(), st.integers(1, 30), st.booleans(), st.sampled_from(["empty", "last"]))
@quick
async def test_a_clamped_page_size_changes_no_rows(scenario, clamp, turns, past_the_end):
    """What the answer says of its page is believed, and the rest asked for in such pages."""
    total, max_page_size, wanted = scenario
    api = Api(uids=numbered(total), clamp=clamp, past_the_end=past_the_end)

    page = await api.read(wanted, max_page_size=max_page_size, turns=turns)

    assert seen(page) == sliced(wanted, api.uids)
    assert page.remarks == ()
    assert (page.has_previous, page.has_next) == others(wanted, total)


@pytest.mark.slow
@given(
    st.integers(1, 30), st.integers(1, 30), st.integers(0, 120), st.integers(0, 40), st.booleans()
)
@quick
async def test_a_clamped_window_costs_its_rows_in_smaller_pages_and_the_surprise(
    max_page_size, clamp, offset, size, says_total
):
    """At most the calls planned for the size that was believed in, and then the fewest for the
    true one.
    """
    api = Api(uids=numbered(120), clamp=clamp, says_total=says_total)

    page = await api.read(Window(size=size, offset=offset), max_page_size=max_page_size)

    plan = cover(offset, size, max_page_size)
    assert seen(page) == list(enumerate(api.uids))[offset : offset + size]
    if plan.size <= clamp:
        assert api.cost == plan.count
    else:
        assert api.cost <= plan.count + cover(offset, size, clamp).count


@pytest.mark.slow
@given(lists_and_windows(), st.integers(1, 30), st.booleans())
@example((2, 1, Window(size=2, after=Position(0, "u0"), from_end=True)), 1, True)
@quick
async def test_an_upstream_that_takes_no_page_size_is_read_all_the_same(scenario, fixed, turns):
    """Its pages may be larger or smaller than those asked for."""
    total, max_page_size, wanted = scenario
    api = Api(uids=numbered(total), fixed=fixed)

    page = await api.read(wanted, max_page_size=max_page_size, turns=turns)

    assert seen(page) == sliced(wanted, api.uids)
    assert page.remarks == ()


@pytest.mark.slow
@given(lists_and_windows())
@quick
async def test_without_a_total_the_rows_are_the_same(scenario):
    """`has_next` is a guess then, and errs towards one page more; an end can't be found."""
    total, max_page_size, wanted = scenario
    api = Api(uids=numbered(total), says_total=False)
    if wanted.from_end and wanted.before is None:
        with pytest.raises(Unsupported, match="total is not known"):
            await api.read(wanted, max_page_size=max_page_size)
        return

    page = await api.read(wanted, max_page_size=max_page_size)

    assert seen(page) == sliced(wanted, api.uids)
    assert page.total is None
    assert page.remarks == ()
    if page.rows:
        assert page.has_previous == others(wanted, total)[0]
        assert page.has_next or not others(wanted, total)[1]


async def test_rows_that_cannot_be_decoded_leave_a_gap_and_no_further_call():
    """The others keep their offsets, and the omission is told."""
    api = Api(uids=numbered(10), broken=frozenset({"u4"}))

    page = await api.read(Window(size=4, offset=2))

    assert seen(page) == [(2, "u2"), (3, "u3"), (5, "u5")]
    assert page.omissions == [Omission("u4", "broken")]
    assert api.cost == 1


@dataclass(kw_only=True)
class Confused(Api):
    """Answers another page, or another size, than it was asked for."""

    pages: list[tuple[int, int]]
    """The (index, size) of each answer, in turn; the last one for ever."""

    def answer(self, uids: list[str], index: int, size: int) -> AnsweredPage[CustomerGroup]:
        if len(self.pages) > 1:
            return super().answer(uids, *self.pages.pop(0))
        return super().answer(uids, *self.pages[0])


async def test_another_page_than_the_one_asked_for_is_not_shown_as_an_empty_one():
    """Rows that exist by the answer's own total were not answered: that is an error, not the end
    of the list.
    """
    api = Confused(uids=numbered(100), pages=[(0, 20)])

    with pytest.raises(InvalidAnswer, match="do not add up"):
        await api.read(Window(size=20, offset=40))

    assert api.cost <= 3


async def test_ever_other_page_sizes_are_given_up():
    """After three rounds."""
    api = Confused(uids=numbered(100), pages=[(9, 5), (9, 4), (9, 3), (9, 2)])

    with pytest.raises(InvalidAnswer, match="do not add up"):
        await api.read(Window(size=10, offset=20))

    assert api.cost <= 9


@pytest.mark.parametrize("size", [0, -1])
async def test_a_page_size_that_is_none_is_an_invalid_answer(size):
    """Rather than a division by zero."""

    async def get_page(index: int, wanted: int) -> AnsweredPage[CustomerGroup]:
        return AnsweredPage(index=index, size=size, rows=[], total=10)

    with pytest.raises(InvalidAnswer):
        await read_window(Window(size=5), NumberedPages(get_page, max_page_size=100))


async def test_a_page_that_fails_ends_its_neighbour():
    """No call is left running with nobody to wait for it."""
    ended: list[int] = []

    async def get_page(index: int, size: int) -> AnsweredPage[CustomerGroup]:
        if index == 1:
            raise Unavailable("The backend failed.")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(index)
        raise AssertionError

    with pytest.raises(Unavailable):
        await read_window(Window(size=150), NumberedPages(get_page, max_page_size=100))

    assert ended == [0]


@dataclass(kw_only=True)
class Shifting(Api):
    """A list into which a row comes at the head, or goes from there, whenever a page was read."""

    comes: bool

    async def get_page(self, index: int, size: int) -> AnsweredPage[CustomerGroup]:
        page = await super().get_page(index, size)
        if self.comes:
            self.uids.insert(0, f"new{len(self.calls)}")
        else:
            del self.uids[0]
        return page


@pytest.mark.parametrize("comes", [True, False])
async def test_a_row_that_moves_while_a_window_is_read_is_shown_once(comes):
    """From one of the window's pages to another."""
    api = Shifting(uids=numbered(300), comes=comes)

    page = await api.read(Window(size=250))

    uids = [row.record.uid for row in page.rows]
    assert api.cost == 3
    assert len(set(uids)) == len(uids)
    assert [row.offset for row in page.rows] == sorted(row.offset for row in page.rows)
    # Two of those that have moved up or down come with both pages; what goes is not seen.
    assert found(page) == (["REPEATED"] if comes else [])


async def test_the_same_rows_for_different_pages_are_an_invalid_answer():
    """As of an upstream that takes no notice of page numbers, and says that it does."""

    async def get_page(index: int, size: int) -> AnsweredPage[CustomerGroup]:
        rows = [CustomerGroup(uid=uid, name="") for uid in numbered(size)]
        return AnsweredPage(index=index, size=size, rows=rows, total=1000)

    with pytest.raises(InvalidAnswer, match="same rows for different pages"):
        await read_window(Window(size=150), NumberedPages(get_page, max_page_size=100))


# -- rows that move between two pages of one client


@st.composite
def drifts(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """What happens to a list while a client reads on: rows come and go near a place in it."""
    step = st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 80), st.integers(1, 3))
    return draw(st.lists(step, max_size=3))


def drift(api: Api, steps: list[tuple[str, int, int]], *, keep: str | None, limit: int) -> None:
    """Carry out the steps that leave the row `keep` within `limit` rows of its old place."""
    old = None if keep is None else api.uids.index(keep)
    for action, at, count in steps:
        uids = list(api.uids)
        if action == "add":
            uids[at:at] = [f"n{len(api.born) + number}" for number in range(count)]
        else:
            del uids[at : at + count]
        if keep is None or (keep in uids and abs(uids.index(keep) - old) <= limit):
            api.born.update(uid for uid in uids if uid not in api.uids)
            api.gone.update(uid for uid in api.uids if uid not in uids)
            api.uids[:] = uids


@dataclass(kw_only=True)
class Moving(Api):
    """A list that remembers which rows came and went."""

    born: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    @property
    def always(self) -> list[str]:
        """The rows that were there throughout, in order."""
        return [uid for uid in self.uids if uid not in self.born]


MAX = 40
"""The largest page here: a row is looked for within a quarter of it to either side."""


@pytest.mark.slow
@given(st.integers(0, 60), st.integers(1, MAX // 2 - 1), st.lists(drifts(), max_size=8))
@quick
async def test_reading_forward_skips_and_repeats_no_row_that_was_there_throughout(
    total, size, changes
):
    """Rows are added and removed between any two pages, up to a quarter of the largest page ahead
    of the cursor's row.
    """
    api = Moving(uids=numbered(total))
    shown: list[str] = []
    page = await api.read(Window(size=size), max_page_size=MAX)
    shown += [row.record.uid for row in page.rows]
    for steps in changes:
        if not page.rows:
            break
        last = page.rows[-1]
        drift(api, steps, keep=last.record.uid, limit=MAX // 4 - 1)
        after = Position(last.offset, last.record.uid)
        page = await api.read(Window(size=size, after=after), max_page_size=MAX)
        shown += [row.record.uid for row in page.rows]
    while page.rows:
        assert bool(changes) or page.remarks == ()
        after = Position(page.rows[-1].offset, page.rows[-1].record.uid)
        page = await api.read(Window(size=size, after=after), max_page_size=MAX)
        shown += [row.record.uid for row in page.rows]

    assert [uid for uid in shown if uid in api.always] == api.always
    assert not page.has_next


@pytest.mark.slow
@given(st.integers(1, 60), st.integers(1, MAX // 2 - 1), st.lists(drifts(), max_size=8))
@quick
async def test_reading_backward_skips_and_repeats_no_row_that_was_there_throughout(
    total, size, changes
):
    """As forward; each page is the rows ahead of the one before."""
    api = Moving(uids=numbered(total))
    shown: list[str] = []
    page = await api.read(Window(size=size, from_end=True), max_page_size=MAX)
    shown[:0] = [row.record.uid for row in page.rows]
    for steps in [*changes, *[[]] * 100]:
        if not page.rows:
            break
        first = page.rows[0]
        drift(api, steps, keep=first.record.uid, limit=MAX // 4 - 1)
        before = Position(first.offset, first.record.uid)
        page = await api.read(Window(size=size, before=before, from_end=True), max_page_size=MAX)
        shown[:0] = [row.record.uid for row in page.rows]

    assert [uid for uid in shown if uid in api.always] == api.always
    assert not page.has_previous


@pytest.mark.slow
@given(st.integers(2, 60), st.integers(1, MAX // 2 - 1), st.booleans())
@quick
async def test_a_cursor_whose_row_is_gone_still_marks_its_place(total, size, backward):
    """Where only that row was removed, reading goes on with the rows next to it."""
    api = Moving(uids=numbered(total))
    page = await api.read(Window(size=size, from_end=backward), max_page_size=MAX)
    here = page.rows[0] if backward else page.rows[-1]
    api.uids.remove(here.record.uid)
    cursor = Position(here.offset, here.record.uid)
    wanted = (
        Window(size=size, before=cursor, from_end=True)
        if backward
        else Window(size=size, after=cursor)
    )

    page = await api.read(wanted, max_page_size=MAX)

    stop = here.offset if backward else here.offset + size
    assert [row.record.uid for row in page.rows] == api.uids[max(0, stop - size) : stop]
    assert found(page) == ["REMOVED"]


@pytest.mark.slow
@given(st.integers(1, 60), st.integers(0, 59), st.integers(1, 8), st.integers(1, 12))
@example(total=40, at=5, moved=4, size=10)
@quick
async def test_a_page_ahead_of_a_row_that_moved_is_as_long_as_asked_for(total, at, moved, size):
    """`last` counts from where the row stands now."""
    assume(at < total)
    api = Moving(uids=numbered(total))
    api.uids[:0] = [f"n{number}" for number in range(moved)]

    wanted = Window(size=size, before=Position(at, f"u{at}"), from_end=True)
    page = await api.read(wanted, max_page_size=MAX)

    assert [row.record.uid for row in page.rows] == api.uids[: at + moved][-size:]
    assert found(page) == ["INSERTED"]


async def test_rows_between_two_cursors_that_moved_are_those_between_their_rows():
    """Both ends are where their rows are now, not where they were."""
    api = Moving(uids=numbered(60))
    after, before = Position(10, "u10"), Position(20, "u20")
    del api.uids[2:5]

    forward = await api.read(Window(size=50, after=after, before=before))
    backward = await api.read(Window(size=50, after=after, before=before, from_end=True))

    between = [f"u{number}" for number in range(11, 20)]
    assert found(forward) == ["REMOVED", "REMOVED"]
    assert found(backward) == ["REMOVED"]  # the other cursor's row is not among what was read
    assert [row.record.uid for row in forward.rows] == between
    assert [row.record.uid for row in backward.rows] == between


@pytest.mark.parametrize("size", [4, 9, 50])
async def test_rows_ahead_of_a_lower_cursor_are_not_shown_where_rows_between_were_removed(size):
    """The row of `after` is looked for among what was read, and ends the page."""
    api = Moving(uids=numbered(60))
    after, before = Position(10, "u10"), Position(20, "u20")
    del api.uids[14:17]

    forward = await api.read(Window(size=size, after=after, before=before))
    backward = await api.read(Window(size=size, after=after, before=before, from_end=True))

    between = ["u11", "u12", "u13", "u17", "u18", "u19"]
    assert [row.record.uid for row in forward.rows] == between[:size]
    assert [row.record.uid for row in backward.rows] == between[-size:]


@pytest.mark.slow
@given(st.integers(1, 60), st.data())
@quick
async def test_a_moved_row_costs_two_more_calls_at_most(total, data):
    """One to find it, one for what is missing then."""
    size = data.draw(st.integers(1, MAX // 2 - 1))
    at = data.draw(st.integers(0, total - 1))
    backward = data.draw(st.booleans())
    api = Moving(uids=numbered(total))
    drift(api, data.draw(drifts()), keep=None, limit=0)
    cursor = Position(at, f"u{at}")
    wanted = (
        Window(size=size, before=cursor, from_end=True)
        if backward
        else Window(size=size, after=cursor)
    )

    await api.read(wanted, max_page_size=MAX)

    assert api.cost <= 3


# -- at most


PLACES = st.none() | st.tuples(st.integers(0, 90), st.integers(-12, 12))
"""A cursor's offset, and how far from there its row stands by now."""


@pytest.mark.slow
@given(
    st.integers(0, 90),
    st.integers(1, 30),
    st.integers(0, 70),
    st.tuples(PLACES, PLACES, st.booleans(), st.integers(0, 120)),
    st.booleans(),
    st.sampled_from(["empty", "last"]),
    st.booleans(),
)
@settings(deadline=None, derandomize=True, max_examples=2000)
async def test_no_window_costs_more_than_is_said_ahead(
    total, max_page_size, size, where, turns, past_the_end, not_found
):
    """Wherever the rows of its cursors stand by now, if they do; also where a page past the end
    tells no total.
    """
    after, before, from_end, offset = where
    api = Ending(uids=numbered(total), past_the_end=past_the_end, not_found=not_found)
    wanted = Window(
        size=size,
        offset=0 if after or before or from_end else offset,
        after=after and Position(after[0], f"u{sum(after)}"),
        before=before and Position(before[0], f"u{sum(before)}"),
        from_end=from_end,
    )

    await api.read(wanted, max_page_size=max_page_size, turns=turns)

    assert api.cost <= max_calls(wanted, PageCosts(max_page_size, mirrored=turns))


@dataclass(kw_only=True)
class Ending(Api):
    """May answer a page past the end as one that tells nothing."""

    not_found: bool

    def answer(self, uids: list[str], index: int, size: int) -> AnsweredPage[CustomerGroup]:
        page = super().answer(uids, index, size)
        if self.not_found and index and not page.rows:
            return AnsweredPage(index=index, size=size, rows=(), total=None)
        return page


@pytest.mark.parametrize(
    ("wanted", "most"),
    [
        (Window(size=0), 1),
        (Window(size=50, offset=7), 1),
        (Window(size=100, offset=200), 1),
        (Window(size=100, offset=7), 2),
        (Window(size=250), 3),
        (Window(size=20, after=Position(19, "a")), 3),
        (Window(size=100, after=Position(99, "a")), 1),
        (Window(size=20, before=Position(40, "a"), from_end=True), 3),
        (Window(size=20, before=Position(40, "a")), 1),
        (Window(size=20, from_end=True), 2),
        (Window(size=0, from_end=True), 1),
        (Window(size=20, after=Position(40, "a"), from_end=True), 3),
        (Window(size=20, after=Position(40, "a"), before=Position(41, "b")), 2),
    ],
    ids=str,
)
def test_what_is_said_ahead_of_pages_of_100(wanted, most):
    """A window behind a cursor is one call, and at most two more where its rows have moved."""
    assert max_calls(wanted, PageCosts(100, mirrored=False)) == most


async def test_the_most_is_reached_where_a_cursors_row_has_moved_far():
    """Read at its old place, looked for, and read again behind it."""
    api = Api(uids=numbered(500))
    wanted = Window(size=8, after=Position(60, "u80"))

    page = await api.read(wanted)

    assert [row.record.uid for row in page.rows] == [f"u{number}" for number in range(81, 89)]
    assert api.cost == max_calls(wanted, PageCosts(100, mirrored=False)) == 3


async def test_the_end_behind_a_cursor_that_is_past_it_is_found():
    """Where a page past the end tells no total, the first one does."""
    api = Ending(uids=numbered(230), not_found=True)
    wanted = Window(size=20, after=Position(400, "u215"), from_end=True)

    page = await api.read(wanted)

    assert [row.record.uid for row in page.rows] == [f"u{number}" for number in range(216, 230)]
    assert api.cost <= max_calls(wanted, PageCosts(100, mirrored=False)) == 4


async def test_the_look_for_a_cursors_row_is_one_call_at_any_offset():
    """With pages of 20 rows, no page holds the rows 713 to 722: fewer are looked at."""
    at = 713 + 5
    assert cover(713, 10, 20).count == 2
    api = Api(uids=numbered(800))
    api.uids[at] = "new"

    await api.read(Window(size=0, after=Position(at, "gone")), max_page_size=20)

    assert api.cost == 2


async def test_a_page_past_the_end_is_not_read_twice():
    """Where it is answered 404, it tells no total; but that it is past the end is told."""
    api = Ending(uids=numbered(20), not_found=True)

    page = await api.read(Window(size=100, after=Position(299, "u299")))

    assert page.rows == []
    assert api.cost == 1


NO_TOTAL = InvalidAnswer("The backend sent a value that can't be shown here: it is no total.")


def unreadable(count: int, *, unplaced: bool = False, total: int | None = None) -> Any:
    """Pages of an upstream whose total, and with `unplaced` whose page size, can't be read; it puts
    no more than 3 rows on a page.
    """

    async def get_page(index: int, size: int) -> AnsweredPage[CustomerGroup]:
        answered = 3 if unplaced else size
        kept = numbered(count)[index * answered : (index + 1) * answered]
        rows = [CustomerGroup(uid=uid, name=uid) for uid in kept]
        no_total = NO_TOTAL if total is None else None
        return AnsweredPage(index, size, rows, total, no_total=no_total, unplaced=unplaced)

    return NumberedPages(get_page, max_page_size=100)


async def test_a_total_that_can_not_be_read_costs_no_rows():
    """It is as if there were none: `has_next` errs towards one page more."""
    some = await read_window(Window(size=4, offset=2), unreadable(10))
    all_of_them = await read_window(Window(size=20), unreadable(10))

    assert [uid for _, uid in seen(some)] == ["u2", "u3", "u4", "u5"]
    assert (some.total, some.has_next) == (None, True)
    assert len(all_of_them.rows) == 10
    assert not all_of_them.has_next


async def test_what_can_not_do_without_a_total_fails_with_what_is_wrong_with_it():
    """The total alone, and the end of the list."""
    for wanted in (Window(size=0), Window(size=3, from_end=True)):
        with pytest.raises(InvalidAnswer, match="it is no total"):
            await read_window(wanted, unreadable(10))


@pytest.mark.parametrize(("total", "has_next"), [(None, True), (7, True), (3, False)])
async def test_rows_that_may_be_fewer_than_asked_for_are_not_taken_for_the_last(total, has_next):
    """Where the page size is told and can't be read, the page may have been cut short."""
    page = await read_window(Window(size=10), unreadable(7, unplaced=True, total=total))

    assert [uid for _, uid in seen(page)] == ["u0", "u1", "u2"]
    assert page.has_next is has_next


async def test_the_mirror_images_total_is_what_its_rows_are_numbered_by():
    """Without one they can't be placed, and a second look would show no more."""
    asked = []

    async def get_last(size: int) -> AnsweredPage[CustomerGroup]:
        asked.append(size)
        return AnsweredPage(0, size, [], None, no_total=NO_TOTAL)

    pages = NumberedPages(Api(uids=numbered(9)).get_page, max_page_size=100, get_last=get_last)
    with pytest.raises(InvalidAnswer, match="it is no total"):
        await read_window(Window(size=3, from_end=True), pages)

    assert asked == [3]


@pytest.mark.slow
@given(st.integers(2, 60), st.data(), st.booleans())
@quick
async def test_drift_is_told_only_of_what_has_moved(total, data, turns):
    """Any window behind or ahead of cursors, over rows that came and went: without an entry where
    the cursors' rows are still in their places.
    """
    wanted = data.draw(windows(total, MAX // 2))
    api = Moving(uids=numbered(total))
    drift(api, data.draw(drifts()), keep=None, limit=0)

    page = await api.read(wanted, max_page_size=MAX, turns=turns)

    cursors = [cursor for cursor in (wanted.after, wanted.before) if cursor is not None]
    if all(api.uids[cursor.offset : cursor.offset + 1] == [cursor.uid] for cursor in cursors):
        assert page.remarks == ()


async def test_a_cursor_of_an_estimated_place_proves_nothing():
    """Its row stands elsewhere than it says, and has not moved."""
    api = Api(uids=numbered(60))

    page = await api.read(Window(size=5, after=Position(8, "u10", exact=False)))

    assert seen(page) == list(enumerate(api.uids))[11:16]
    assert page.remarks == ()


async def test_a_row_that_can_not_be_read_any_more_is_not_taken_for_gone():
    """It may be the cursor's, where it was."""
    api = Api(uids=numbered(60), broken=frozenset({"u10"}))

    page = await api.read(Window(size=5, after=Position(10, "u10")))

    assert page.remarks == ()
