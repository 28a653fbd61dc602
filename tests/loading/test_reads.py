"""Which reads serve which windows and totals of lists, and that nobody can tell."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.port import (
    ById,
    ByKey,
    CustomerGroupSortField,
    GroupOrder,
    Order,
    Position,
    Window,
)
from gateway.errors import Unavailable
from gateway.loading.reads import TOTAL, GroupsOf, ListOf, MembersOf, part, plan
from gateway.records import CustomerGroup, Page, Row

BY_NAME: GroupOrder = Order(CustomerGroupSortField.NAME)


def group(uid: str, *, name: str = "", key: str | None = None) -> CustomerGroup:
    return CustomerGroup(tenant_uid="shop", uid=uid, name=name or uid, key=key)


def answered(uids: list[str], window: Window, *, says_total: bool = True) -> Page[CustomerGroup]:
    """What a backend answers for a window whose rows are known ahead."""
    start, stop = window.offset, window.offset + window.size
    rows = [Row(at, group(uid)) for at, uid in enumerate(uids)][start:stop]
    total = len(uids)
    return Page(
        rows=rows,
        total=total if says_total else None,
        has_next=stop < total if says_total else bool(window.size) and len(rows) == window.size,
        has_previous=start > 0 and total > 0 if says_total else start > 0,
    )


# -- which reads serve which windows

windows = st.builds(Window, size=st.integers(0, 70), offset=st.integers(0, 150))


def one_call(limit: int):
    return lambda key: limit


@pytest.mark.slow
@given(st.lists(windows, min_size=1, max_size=6), st.integers(0, 50), st.integers(0, 160))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_windows_that_share_a_read_are_the_pages_that_they_would_be_alone(wanted, limit, total):
    """Rows, total and page info, whichever windows of the list are asked for in the same tick."""
    uids = [f"g{number}" for number in range(total)]
    keys: list[ListOf] = [GroupsOf("shop", window) for window in wanted]

    served = plan(keys, one_call(limit))

    for key in keys:
        read = answered(uids, served[key].window)
        assert part(read, key.window) == answered(uids, key.window)


@pytest.mark.slow
@given(st.lists(windows, min_size=1, max_size=6), st.integers(0, 160))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_without_a_total_a_shared_read_never_hides_that_there_is_more(wanted, total):
    """The rows are the same; `has_next` may only be better informed."""
    uids = [f"g{number}" for number in range(total)]
    keys: list[ListOf] = [GroupsOf("shop", window) for window in wanted]

    served = plan(keys, one_call(50))

    for key in keys:
        page = part(answered(uids, served[key].window, says_total=False), key.window)
        assert isinstance(page, Page)
        assert page.rows == answered(uids, key.window).rows
        if key.window.size:
            assert page.has_next or key.window.offset + key.window.size >= total


@pytest.mark.slow
@given(st.lists(windows, min_size=1, max_size=6), st.integers(1, 50))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_shared_read_is_one_call_or_a_window_that_was_asked_for(wanted, limit):
    """Sharing never makes a read longer than one call for certain, and never makes more reads."""
    keys: list[ListOf] = [GroupsOf("shop", window) for window in wanted]

    served = plan(keys, one_call(limit))

    reads = set(served.values())
    assert set(served) == set(keys)
    assert len(reads) <= len(set(keys))
    for read in reads:
        longest = max((key.window.size for key in keys if served[key] == read), default=0)
        assert read.window.size <= max(limit, longest)
    spans = [range(r.window.offset, r.window.offset + r.window.size) for r in reads]
    inside = [(a, b) for a in spans for b in spans if a is not b and set(a) <= set(b) and len(a)]
    assert inside == []


def reads_of(keys: list[ListOf], limit: int = 50) -> list[ListOf]:
    return list(dict.fromkeys(plan(keys, one_call(limit)).values()))


def test_neighbouring_windows_are_one_read():
    """Two pages of a list under two aliases."""
    keys: list[ListOf] = [
        GroupsOf("shop", Window(size=20)),
        GroupsOf("shop", Window(size=20, offset=20)),
    ]

    assert reads_of(keys) == [GroupsOf("shop", Window(size=40))]


def test_a_window_inside_a_longer_one_needs_no_read():
    """Also where the longer one is more than one call for certain."""
    keys: list[ListOf] = [
        GroupsOf("shop", Window(size=10, offset=60)),
        GroupsOf("shop", Window(size=80)),
    ]

    assert reads_of(keys) == [GroupsOf("shop", Window(size=80))]


def test_windows_too_far_apart_are_reads_of_their_own():
    """Nothing is read for the sake of sharing."""
    keys: list[ListOf] = [
        GroupsOf("shop", Window(size=10)),
        GroupsOf("shop", Window(size=10, offset=45)),
    ]

    assert reads_of(keys) == keys


def test_lists_that_differ_share_nothing():
    """Another tenant, group, order or kind of list is another list."""
    page = Window(size=10)
    keys: list[ListOf] = [
        GroupsOf("shop", page),
        GroupsOf("other", page),
        GroupsOf("shop", page, BY_NAME),
        MembersOf("shop", ById("gold"), page),
        MembersOf("shop", ById("silver"), page),
        MembersOf("other", ById("gold"), page),
        MembersOf("shop", ByKey("gold"), page),
    ]

    assert reads_of(keys) == keys


@pytest.mark.parametrize(
    "window",
    [
        Window(size=10),
        Window(size=10, offset=30),
        Window(size=10, from_end=True),
        Window(size=0, from_end=True),
        Window(size=10, after=Position(3, "g3")),
    ],
)
def test_a_total_comes_with_any_read_of_its_list(window):
    """Whatever its window and order; but not with a read of another list."""
    rows = GroupsOf("shop", window, BY_NAME)

    assert reads_of([rows, rows.counted()]) == [rows]
    assert reads_of([rows.counted(), rows]) == [rows]
    other = MembersOf("shop", ById("gold"), TOTAL)
    assert set(reads_of([rows, other])) == {rows, other}


def test_totals_and_no_rows_are_one_read_of_the_total():
    """`first: 0` at two offsets, under two orders, and `totalCount`."""
    keys: list[ListOf] = [
        GroupsOf("shop", Window(size=0)),
        GroupsOf("shop", Window(size=0, offset=7)),
        GroupsOf("shop", Window(size=0), BY_NAME),
    ]

    assert reads_of(keys) == [GroupsOf("shop", TOTAL)]


def test_a_failed_read_is_the_failure_of_all_its_windows():
    """There is nothing to take a part of."""
    failure = Unavailable("It failed.")

    assert part(failure, Window(size=3)) is failure


PLACES = st.none() | st.just(Position(3, "g3"))


@pytest.mark.slow
@given(
    st.builds(
        Window,
        size=st.integers(1, 50),
        offset=st.integers(0, 9),
        after=PLACES,
        before=PLACES,
        from_end=st.booleans(),
    ),
    st.integers(1, 3),
    st.integers(0, 50),
)
def test_a_window_that_is_asked_for_alone_is_read_as_it_is(window: Window, times: int, most: int):
    """However often, and whatever one call has room for."""
    key = GroupsOf("shop", window)

    assert plan([key] * times, lambda _: most) == {key: key}
