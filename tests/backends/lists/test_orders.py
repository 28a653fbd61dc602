"""What rows prove of the order that they come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.lists.orders import comes_after, contradict, held, showing
from gateway.backends.port import CustomerGroupSortField, Order, SortDirection
from gateway.errors import InvalidAnswer
from gateway.records import CustomerGroup, Page, Projection, RepairedText, Row

BROKEN: Any = InvalidAnswer("It can't be read.")
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
instants = st.datetimes(timezones=st.just(UTC))


@given(st.lists(instants | st.none() | st.just(BROKEN)), st.booleans())
def test_instants_in_order_contradict_nothing(values, descending):
    """Null ones anywhere, and those that can't be read."""
    known = sorted((value for value in values if isinstance(value, datetime)), reverse=descending)
    kept = iter(known)
    rows = [next(kept) if isinstance(value, datetime) else value for value in values]

    assert not contradict(rows, descending=descending)


@given(st.lists(instants, min_size=2), st.booleans())
def test_instants_out_of_order_contradict_it(values, descending):
    """Any that is earlier than one ahead of it, wherever they stand; ties do not."""
    in_order = values == sorted(values, reverse=descending)

    assert contradict(values, descending=descending) is not in_order


def test_instants_are_compared_whatever_their_offset():
    """An hour east of Greenwich, 12:30 is before noon."""
    earlier = datetime(2026, 11, 30, 12, 30, tzinfo=timezone(timedelta(hours=1)))

    assert contradict([NOON, earlier])
    assert not contradict([earlier, NOON])


COLLATIONS = {
    "code points": lambda text: text,
    "lower case first": str.swapcase,
    "without case": str.casefold,
    "without spaces": lambda text: text.casefold().replace(" ", ""),
    "Danish": lambda text: text.casefold().replace("aa", "~a").replace("å", "~b"),
    "Czech": lambda text: text.casefold().replace("ch", "h~"),
    "Hungarian": lambda text: text.casefold().replace("cs", "c~").replace("gy", "g~"),
    "Welsh": lambda text: text.casefold().replace("ng", "g~"),
    "Estonian": lambda text: text.casefold().replace("z", "s~"),
    "Lithuanian": lambda text: text.casefold().replace("y", "i~"),
    "Swedish": lambda text: text.casefold().replace("w", "v"),
    "Uzbek": lambda text: text.casefold().replace("sh", "~").replace("g'", "~"),
}
names = st.text(alphabet="aAbBcCdeghijnosSt zyw'å1", max_size=5)


@pytest.mark.parametrize("collation", COLLATIONS)
@given(st.lists(names | st.none()), st.booleans())
def test_names_in_the_order_of_any_collation_contradict_nothing(collation, values, descending):
    """Languages differ in what a letter is, and in where it stands."""
    known = iter(sorted(filter(None, values), key=COLLATIONS[collation], reverse=descending))
    rows = [value and next(known) for value in values]

    assert not contradict(rows, descending=descending)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Smith", "Adams"),
        ("smith", "adams"),
        ("Silver members", "Gold members"),
        ("Gold members", "Gold customers"),
        ("Ebert", "Eba"),
        ("Ærlig Tone", "Ærlig Nord"),
    ],
)
def test_a_name_that_comes_after_another_everywhere(one, other):
    """By their first letters, or by those behind what both begin with."""
    assert comes_after(one, other)
    assert not comes_after(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Smith", "Smith"),
        ("Smithson", "Smith"),
        ("smith", "Adams"),
        ("Abel", "Aase"),
        ("Cruz", "Chen"),
        ("Zander", "Tamm"),
        ("Wall", "Vance"),
        ("Öberg", "Nilsson"),
        ("10", "9"),
        ("O'Neil", "O Bell"),
        ("Ångström", "Berg"),
    ],
)
def test_names_that_some_language_orders_otherwise(one, other):
    """Ties and prefixes, case, Danish aa, Czech ch, Estonian z, Swedish w, digits, marks."""
    assert not comes_after(one, other)
    assert not comes_after(other, one)


def test_of_names_the_first_and_the_last_count():
    """An upstream may order by more than it shows, such as by last names; of what runs the wrong
    way as a whole, that is no reason.
    """
    assert contradict(["Tom", "Ann", "Bob"])
    assert not contradict(["Ann", "Tom", "Bob"])
    assert contradict(["Ann", "Tom", "Bob"], descending=True)


def test_a_name_of_which_characters_were_lost_proves_nothing():
    """What it began with is not known."""
    assert not contradict([RepairedText("Tom"), "Ann"])


@pytest.mark.parametrize("values", [[], ["Tom"], [None, "Tom", None], [NOON], ["", ""]])
def test_a_single_row_proves_nothing(values):
    """Nor do rows without the value."""
    assert not contradict(values)
    assert not contradict(values, descending=True)


def test_the_remark_names_the_order():
    """And no row's value."""
    order = Order(CustomerGroupSortField.NAME, SortDirection.DESC)
    groups = [CustomerGroup(uid="a", name="Ann"), CustomerGroup(uid="t", name="Tom")]
    rows = [Row(at, group) for at, group in enumerate(groups)]
    page = Page(rows=rows, total=2, has_next=False, has_previous=False)

    [remark] = held(page, order).remarks

    assert "NAME_DESC" in remark.failure.message
    assert "Ann" not in remark.failure.message
    assert held(page, None) is page


def test_what_rows_are_ordered_by_is_read_too():
    """Once: what is selected already, or all of it, stays as it is."""
    order = Order(CustomerGroupSortField.CREATED_AT)
    some = Projection.reading({CustomerGroup: ["uid"]})
    shown = showing(some, CustomerGroup, order)

    assert shown is not None
    assert shown.of(CustomerGroup) == {"uid", "created_at"}
    assert showing(shown, CustomerGroup, order) is shown
    assert showing(None, CustomerGroup, order) is None
