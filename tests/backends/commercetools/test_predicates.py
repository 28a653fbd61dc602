"""Predicates: whatever a value holds, it stays one value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.backends.commercetools.lists import is_member_of, is_one_of, literal
from gateway.backends.commercetools.wire import MembershipMode
from gateway.simulator.commercetools.predicates import CUSTOMER_FIELDS, GROUP_FIELDS, condition
from gateway.simulator.commercetools.store import Store

HOSTILE = [
    '"',
    "\\",
    '\\"',
    '" or name != "',
    '") or id in ("a',
    '\\" or "" = "',
    '"))) or customerGroup(id="b"',
    "a\\",
    "\\u0022 or name <> \\u0022",
    ":variable",
    "line\nbreak\ttab\r\x00\x1f\x7f",
    "\u2028\u2029\ufeff",
    "'; DROP TABLE groups; --",
    "%22%20or%20name%20!=%20%22",
    "🜚 blåbær",
    "or",
    "a, b",
]
VALUES = st.sampled_from(HOSTILE) | st.text(
    st.characters(codec="utf-8") | st.sampled_from('"\\()=,: or')
)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """A group for each hostile name, and customers in groups of hostile ids."""
    with Store() as store:
        for number, name in enumerate(HOSTILE):
            store.add_group("shop", name, id=f"g{number}")
            store.add_customer("shop", {"id": f"c{number}"}, [name], legacy_group=name)
        yield store


@pytest.mark.slow
@given(VALUES)
@example("\x00")
@example('\\\\"')
def test_a_literal_is_read_as_the_value_it_was_made_from(value):
    """Into the predicate and out again by the simulator's own parser: one value, and no other."""
    found = condition([f"name > {literal(value)}"], {}, GROUP_FIELDS["id"])

    assert found is not None
    assert found.values == (value,)
    assert found.sql == "(name > ?)"


@pytest.mark.slow
@given(st.lists(VALUES, min_size=1, max_size=6), VALUES, VALUES)
def test_values_in_a_nest_of_predicates_stay_apart(values, group, last):
    """The whole of what the adapter builds: its shape is fixed, its values come out in order."""
    found = condition([members(group, values, last)], {}, CUSTOMER_FIELDS)
    harmless = condition([members("g", ["a"] * len(values), "z")], {}, CUSTOMER_FIELDS)

    assert found is not None
    assert harmless is not None
    assert found.sql == harmless.sql
    assert found.values == (group, group, *values, last)


def members(group: str, uids: list[str], last: str) -> str:
    """Those of `uids` that are in the group and come ahead of `last`."""
    wanted = [is_member_of(group, "both"), is_one_of(uids), f"id < {literal(last)}"]
    return " and ".join(wanted)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_finds_its_own_group_only(store, name):
    """Not none, not all."""
    where = condition([f"name = {literal(name)}"], {}, GROUP_FIELDS["id"])

    assert [group.name for group in store.groups("shop", where)] == [name]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_group_has_its_own_members_only(store, name):
    """By either field."""
    for mode in get_args(MembershipMode):
        where = condition([is_member_of(name, mode)], {}, CUSTOMER_FIELDS)
        assert [each.id for each in store.customers("shop", where)] == [f"c{HOSTILE.index(name)}"]


def test_alternatives_do_not_swallow_what_is_asked_beside_them(store):
    """`or` binds looser than `and`: alternatives are in parentheses."""
    wanted = [is_member_of(HOSTILE[0], "both"), 'id = "c1"']
    where = condition([" and ".join(wanted)], {}, CUSTOMER_FIELDS)

    assert store.customers("shop", where) == []
