"""The windows that Relay's arguments ask for, and what cursors say."""

from __future__ import annotations

import base64
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.port import Position, Window
from gateway.errors import InvalidInput, LimitExceeded
from gateway.schema.relay import (
    MAX_OFFSET,
    ListArguments,
    decode_cursor,
    encode_cursor,
    list_checksum,
)
from gateway.settings import Bounds

# -- what arguments ask for

BOUNDS = Bounds(default_page_size=20, max_page_size=100, max_membership_uids=10)
ROW_5, ROW_9 = Position(5, "e"), Position(9, "i")
AFTER, BEFORE = encode_cursor(ROW_5), encode_cursor(ROW_9)


def test_without_arguments_the_first_rows_are_asked_for():
    """As many as the settings say."""
    assert ListArguments().window(BOUNDS) == Window(size=20)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"first": 3}, Window(size=3)),
        ({"first": 0}, Window(size=0)),
        ({"first": 100}, Window(size=100)),
        ({"last": 3}, Window(size=3, from_end=True)),
        ({"last": 0}, Window(size=0, from_end=True)),
        ({"offset": 7}, Window(size=20, offset=7)),
        ({"offset": 0}, Window(size=20)),
        ({"first": 3, "offset": 7}, Window(size=3, offset=7)),
        ({"after": AFTER}, Window(size=20, after=ROW_5)),
        ({"before": BEFORE}, Window(size=20, before=ROW_9)),
        ({"first": 3, "after": AFTER}, Window(size=3, after=ROW_5)),
        ({"first": 3, "before": BEFORE}, Window(size=3, before=ROW_9)),
        ({"last": 3, "after": AFTER}, Window(size=3, after=ROW_5, from_end=True)),
        ({"last": 3, "before": BEFORE}, Window(size=3, before=ROW_9, from_end=True)),
        (
            {"first": 3, "after": AFTER, "before": BEFORE},
            Window(size=3, after=ROW_5, before=ROW_9),
        ),
        (
            {"last": 3, "after": AFTER, "before": BEFORE},
            Window(size=3, after=ROW_5, before=ROW_9, from_end=True),
        ),
        ({"after": AFTER, "before": BEFORE}, Window(size=20, after=ROW_5, before=ROW_9)),
    ],
)
def test_arguments_that_agree_make_a_window(arguments, expected):
    """Every combination that Relay's specification gives a meaning, and `offset`."""
    assert ListArguments(**arguments).window(BOUNDS) == expected


@pytest.mark.parametrize(
    ("arguments", "failure", "field"),
    [
        ({"first": -1}, InvalidInput, "first"),
        ({"last": -1}, InvalidInput, "last"),
        ({"offset": -1}, InvalidInput, "offset"),
        ({"first": 101}, LimitExceeded, "first"),
        ({"last": 101}, LimitExceeded, "last"),
        ({"first": 1, "last": 1}, InvalidInput, "last"),
        ({"first": 1, "last": 1, "after": AFTER}, InvalidInput, "last"),
        ({"offset": 1, "after": AFTER}, InvalidInput, "after"),
        ({"offset": 1, "before": BEFORE}, InvalidInput, "before"),
        ({"offset": 1, "last": 1}, InvalidInput, "last"),
        ({"offset": 0, "last": 0}, InvalidInput, "last"),
        ({"after": "?"}, InvalidInput, "after"),
        ({"before": "?"}, InvalidInput, "before"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused_by_name(arguments, failure, field):
    """The error says which argument is to be changed, as a path and in its message."""
    with pytest.raises(failure) as refused:
        ListArguments(**arguments).window(BOUNDS)

    assert refused.value.field == (field,)
    assert f"`{field}`" in refused.value.message


def test_every_combination_of_arguments_is_either_a_window_or_refused_by_name():
    """All 3^5 of absent, smallest and ordinary values: nothing else comes out."""
    values = {
        "first": (None, 0, 3),
        "last": (None, 0, 3),
        "offset": (None, 0, 3),
        "after": (None, "", AFTER),
        "before": (None, "", BEFORE),
    }
    for chosen in itertools.product(*values.values()):
        arguments = dict(zip(values, chosen, strict=True))
        given_names = {name for name, value in arguments.items() if value is not None}
        try:
            made = ListArguments(**arguments).window(BOUNDS)
        except InvalidInput as failure:
            refused = failure
        else:
            assert made.from_end == ("last" in given_names)
            assert not {"first", "last"} <= given_names
            assert "offset" not in given_names or made.plain
            assert made.plain == given_names.isdisjoint({"after", "before", "last"})
            continue

        [field] = refused.field
        assert field in given_names


# -- cursors

positions = st.builds(Position, st.integers(0, MAX_OFFSET), st.text())
orders = st.text().filter(lambda order: "." not in order)  # an order is a name: FIELD_DIRECTION
marks = st.builds(list_checksum, st.text(), st.none() | st.text())


@pytest.mark.slow
@given(positions, orders, marks)
@settings(derandomize=True)
def test_a_cursor_leads_back_to_its_position(position, order, mark):
    """Whatever the uid's characters are, under any order, and in any list."""
    cursor = encode_cursor(position, kind=order, of=mark)

    assert decode_cursor(cursor, kind=order, of=mark) == position
    assert decode_cursor(cursor, kind=order, of=None) == position
    assert cursor.isascii()
    assert set("+/= ").isdisjoint(cursor)


@pytest.mark.slow
@given(positions, orders, orders)
@settings(derandomize=True)
def test_a_cursor_of_another_order_is_refused(position, made_under, asked_under):
    """Its offset means nothing there."""
    cursor = encode_cursor(position, kind=made_under)
    if made_under == asked_under:
        assert decode_cursor(cursor, kind=asked_under) == position
        return

    with pytest.raises(
        InvalidInput, match="`before` is a cursor of another list or another `orderBy`"
    ) as refused:
        decode_cursor(cursor, kind=asked_under, field="before")

    assert refused.value.field == ("before",)


@pytest.mark.slow
@given(positions, orders, marks, marks)
@settings(derandomize=True)
def test_a_cursor_of_another_list_is_refused(position, order, made_in, asked_in):
    """Its row is not there, and its offset would skip others."""
    cursor = encode_cursor(position, kind=order, of=made_in)
    if made_in == asked_in:
        assert decode_cursor(cursor, kind=order, of=asked_in) == position
        return

    with pytest.raises(InvalidInput, match="`after` is a cursor of another list"):
        decode_cursor(cursor, kind=order, of=asked_in)


def test_lists_have_marks_of_their_own():
    """No two of a tenant's with ten thousand groups have the same, nor has that of its groups."""
    marks = {
        list_checksum("acme"),
        *(list_checksum("acme", f"group-{number}") for number in range(10_000)),
    }

    assert len(marks) == 10_001
    assert all(re.fullmatch("[0-9a-f]{1,8}", mark) for mark in marks)


def spelt(text: str | bytes) -> str:
    """A cursor that says `text`."""
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        ".",
        "?",
        "A",
        "gold",
        "ø",
        "\ud800",
        spelt(""),
        spelt("5"),
        spelt("5."),
        spelt("5.gold"),
        spelt("...gold"),
        spelt("five...gold"),
        spelt("-1...gold"),
        spelt("-0...gold"),
        spelt("+5...gold"),
        spelt("05...gold"),
        spelt("0x5...gold"),
        spelt("1_0...gold"),
        spelt("5.0...gold"),  # the order "0" and the uid ".gold"
        spelt("5..gold"),  # as they were before they knew their list
        spelt("1e3...gold"),
        spelt(" 5...gold"),
        spelt("\N{ARABIC-INDIC DIGIT FIVE}...gold"),
        spelt(f"{MAX_OFFSET + 1}...gold"),
        spelt("9" * 5000 + "...gold"),
        spelt(b"5...\xff"),
        spelt("5...gold") + "=",
        spelt("5...gold") + "==",
        spelt("5...gold") + "\n",
        " " + spelt("5...gold"),
        spelt("5...gold")[:4] + "!" + spelt("5...gold")[4:],
        spelt("5...a?>").replace("_", "/").replace("-", "+"),
    ],
)
def test_what_is_not_a_cursor_is_bad_input(cursor):
    """Never another failure, and never a position that the gateway did not write."""
    with pytest.raises(InvalidInput) as refused:
        decode_cursor(cursor, field="before")

    assert refused.value.field == ("before",)
    assert "`before`" in refused.value.message


@pytest.mark.slow
@given(st.text() | st.text("ABCDwxyz0189-_+/=. "))
@settings(derandomize=True, max_examples=500)
def test_any_text_is_a_cursor_in_its_one_spelling_or_bad_input(text):
    """What is accepted is exactly what would have been written."""
    try:
        position = decode_cursor(text)
    except InvalidInput:
        return

    assert encode_cursor(position) == text


@pytest.mark.slow
@given(positions, st.integers(0, 63))
@settings(derandomize=True, max_examples=200)
def test_a_position_has_one_spelling(position, spare):
    """The spare bits of the last character are zero: a cursor can be compared as text."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    cursor = encode_cursor(position)
    other = cursor[:-1] + alphabet[spare]
    try:
        found = decode_cursor(other)
    except InvalidInput:
        return

    assert (found == position) == (other == cursor)
