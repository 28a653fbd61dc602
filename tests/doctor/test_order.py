"""Whether rows are in order, judged by rows alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.doctor.order import judge

NAMES = ["Ada", "bob", "Émile", "Eve", "Gold", "gold members", "Zoe"]
Rows = list[tuple[str, object]]


def rows(values: list[str], *, of: str = "r") -> Rows:
    return [(f"{of}{number}", value) for number, value in enumerate(values)]


def ordered(values: list[str], key: object = None) -> Rows:
    return sorted(rows(values), key=lambda row: (str(row[1]), row[0]))


@pytest.mark.slow
@given(st.lists(st.text(min_size=1), min_size=2, max_size=30))
def test_an_order_by_code_points_is_kept(values):
    """And its mirror is seen to be one; where all values are alike nobody can tell."""
    there = ordered(values)
    seen = judge(there, there[::-1])

    assert seen.kept is (None if len(set(values)) == 1 else True)
    assert seen.mirrored


def test_an_order_by_letters_is_kept():
    """Databases look at accents and case last."""
    assert judge(rows(NAMES), rows(NAMES)[::-1]).kept


def test_an_order_that_is_nearly_ours_is_a_collation():
    """Which is likely, and not sure."""
    values = [f"{number:03}" for number in range(40)]
    values[10], values[11] = values[11], values[10]
    seen = judge(rows(values), rows(values)[::-1])

    assert (seen.kept, seen.sure) == (True, False)
    assert seen.found.startswith("kept, by a collation of its own")


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_another_order_are_not_kept(seed):
    """However they are shuffled."""
    values = [f"{number:03}" for number in range(40)]
    random.Random(seed).shuffle(values)  # noqa: S311
    seen = judge(rows(values), rows(values)[::-1])

    assert (seen.kept, seen.sure) == (False, True)


def test_a_direction_that_is_passed_over_is_seen():
    """The same rows both ways are in no order, even if they look so."""
    seen = judge(rows(NAMES), rows(NAMES))

    assert seen.kept is False
    assert seen.found.startswith("passed over")


def test_ties_that_stay_are_no_mirror():
    """Which is what `last` depends on."""
    seen = judge([("1", "a"), ("2", "b"), ("3", "b")], [("2", "b"), ("3", "b"), ("1", "a")])

    assert (seen.kept, seen.mirrored, seen.ties) == (True, False, 2)


def test_a_list_of_which_only_a_part_was_seen_shows_no_mirror():
    """Its ends are other rows."""
    seen = judge(ordered(["a", "b"]), [("z", "z"), ("y", "y")], whole=False)

    assert (seen.kept, seen.mirrored) == (True, None)


def test_instants_are_compared_as_instants():
    """Text would take a fraction of a second for less than none."""
    values = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500Z", "2026-01-01T02:00:00+01:00"]

    assert judge(rows(values), rows(values)[::-1], instants=True).kept
    assert judge(rows(values)[::-1], rows(values), instants=True).kept is False


def test_rows_without_a_value_may_stand_at_either_end():
    """Nothing says where."""
    for values in ([None, None, "a", "b"], ["a", "b", None, None]):
        there: Rows = [(str(number), value) for number, value in enumerate(values)]

        assert judge(there, there[::-1]).kept
