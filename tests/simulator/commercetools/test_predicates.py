"""Predicates: what is one, what it means, and that a value in it is never more than a value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.commercetools.predicates import (
    CUSTOMER_FIELDS,
    GROUP_FIELDS,
    LEGACY_FIELDS,
    condition,
)
from gateway.simulator.commercetools.refusals import Refusal
from gateway.simulator.commercetools.store import Store

FIELDS = GROUP_FIELDS["id"]


@pytest.fixture(scope="module")
def shop():
    """Five groups, a to e, with the ids 1 to 5."""
    with Store() as store:
        for number, name in enumerate("abcde", start=1):
            store.add_group("shop", name, id=str(number))
        yield store


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ('name = "a"', "a"),
        ('name="a"', "a"),
        ('  name\n=\t"a"  ', "a"),
        ('name = "A"', ""),
        ('name != "a"', "bcde"),
        ('name <> "a"', "bcde"),
        ('id > "3"', "de"),
        ('id >= "3"', "cde"),
        ('id < "3"', "ab"),
        ('id <= "3"', "abc"),
        ('id in ("1", "4", "9")', "ad"),
        ('id in("1")', "a"),
        ("id in :three", "bcd"),
        ("id in (:one, :one, :one)", "a"),
        ("id = :one", "a"),
        ('name = "a" or name = "b"', "ab"),
        ('name = "a" and id = "1"', "a"),
        ('name = "a" and id = "2"', ""),
        ('name = "a" or name = "b" and id = "9"', "a"),
        ('(name = "a" or name = "b") and id = "2"', "b"),
        ('name = "a" and name = "b" or name = "c"', "c"),
        ('((((name = "a"))))', "a"),
        ('name = "\\u0061"', "a"),
    ],
)
def test_a_predicate_means(shop, predicate, expected):
    """`and` before `or`; strings are compared character by character."""
    where = condition([predicate], {"one": ["1"], "three": ["2", "3", "4"]}, FIELDS)

    assert "".join(group.name for group in shop.groups("shop", where)) == expected
    assert shop.count_groups("shop", where) == len(expected)


def test_several_predicates_must_all_hold(shop):
    """Each as if in parentheses."""
    where = condition(['name = "a" or name = "b"', 'id = "2" or id = "3"'], {}, FIELDS)

    assert [group.name for group in shop.groups("shop", where)] == ["b"]
    assert condition([], {}, FIELDS) is None


@pytest.mark.parametrize(
    "predicate",
    [
        "",
        " ",
        "name",
        "name =",
        'name "a"',
        'name == "a"',
        'name = "a',
        'name = "a" and',
        'name = "a" or or name = "b"',
        'name = "a" name = "b"',
        'name = "a")',
        '(name = "a"',
        "()",
        "name = a",
        "name = 7",
        "name = true",
        "name = 'a'",
        'name = "\\x"',
        'name = "\\ud800"',
        'name = "a\\"',
        "name = name",
        '"a" = name',
        'name = ("a")',
        "name in ()",
        'name in "a"',
        'name in ("a",)',
        'name in ("a" "b")',
        'name in ("a"',
        'name("a")',
        'name(id = "a")',
        'Name = "a"',
        'name = "a" AND id = "b"',
        'name = "a"; id = "b"',
        'name = "a" -- b',
        'key = "a"',
        'seq = "1"',
        'project = "shop"',
        'and = "a"',
        "name = :nothing",
        "name = :two",
        "name in :nothing",
        "name in :",
        "name = :two or",
    ],
)
def test_what_is_no_predicate_is_refused(predicate):
    """With a reason."""
    with pytest.raises(Refusal, match="Malformed parameter: where: ") as refusal:
        condition([predicate], {"two": ["1", "2"]}, FIELDS)

    assert (refusal.value.status, refusal.value.code) == (400, "InvalidInput")


@pytest.mark.slow
@pytest.mark.parametrize(
    "predicate",
    [
        "(" * 51 + 'name = "a"' + ")" * 51,
        "(" * 100_000,
        " or ".join(['name = "a"'] * 501),
        'name in ("a"' + ', "a"' * 10000 + ")",
    ],
)
def test_there_can_be_too_much_of_a_predicate(predicate):
    """Before SQLite says so."""
    with pytest.raises(Refusal) as refusal:
        condition([predicate], {}, FIELDS)

    assert refusal.value.code == "QueryComplexityLimitExceeded"


@pytest.mark.slow
def test_as_much_as_is_allowed_is_no_trouble(shop):
    """In depth, in length and in values."""
    for predicate in (
        "(" * 49 + 'name = "a"' + ")" * 49,
        " or ".join(['name = "a"'] * 500),
        " and ".join(['name = "a"'] * 500),
        'name in ("a"' + ', "a"' * 9999 + ")",
    ):
        assert shop.count_groups("shop", condition([predicate], {}, FIELDS)) == 1


def test_fields_depend_on_the_switches():
    """What is not documented can be refused."""
    members = ['customerGroupAssignments(customerGroup(id="a"))']

    assert condition(members, {}, CUSTOMER_FIELDS)
    assert condition(['key = "a"'], {}, GROUP_FIELDS["key"])
    for predicates, fields in (
        (members, LEGACY_FIELDS),
        (['key = "a"'], GROUP_FIELDS["id"]),
        (['id = "a"'], GROUP_FIELDS["name"]),
        (['customerGroup = "a"'], CUSTOMER_FIELDS),
        (['customerGroup(typeId="customer-group")'], CUSTOMER_FIELDS),
        (['customerGroupAssignments(id="a")'], CUSTOMER_FIELDS),
        (["customerGroupAssignments is not empty"], LEGACY_FIELDS),
        (["customerGroupAssignments is defined"], CUSTOMER_FIELDS),
        (["customerGroup is empty"], CUSTOMER_FIELDS),
        (["customerGroup is"], CUSTOMER_FIELDS),
        (["id is defined"], CUSTOMER_FIELDS),
    ):
        with pytest.raises(Refusal):
            condition(predicates, {}, fields)


def test_assignments_are_matched_one_at_a_time():
    """A condition on an array is about one of its elements, not about several together."""
    with Store() as store:
        store.add_customer("shop", {"id": "ada"}, ["a", "b"])
        store.add_customer("shop", {"id": "bob"}, ["a"], legacy_group="b")

        def found(where: str) -> list[str]:
            return [c.id for c in store.customers("shop", condition([where], {}, CUSTOMER_FIELDS))]

        both = 'customerGroup(id="a") and customerGroup(id="b")'
        assert found(f"customerGroupAssignments({both})") == []
        assert found('customerGroupAssignments(customerGroup(id="a" or id="b"))') == ["ada", "bob"]
        assert found('customerGroupAssignments(customerGroup(id!="a"))') == ["ada"]
        assert found('customerGroup(id != "a")') == ["bob"]


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ("customerGroup is defined", ["bob"]),
        ("customerGroup is not defined", ["ada", "cem"]),
        ("customerGroupAssignments is empty", ["cem"]),
        ("customerGroupAssignments is not empty and customerGroup is not defined", ["ada"]),
    ],
)
def test_what_a_customer_has_can_be_asked_for(predicate, expected):
    """An optional member is defined or not, an array is empty or not."""
    with Store() as store:
        store.add_customer("shop", {"id": "ada"}, ["a"])
        store.add_customer("shop", {"id": "bob"}, ["a"], legacy_group="b")
        store.add_customer("shop", {"id": "cem"})
        where = condition([predicate], {}, CUSTOMER_FIELDS)

        assert [customer.id for customer in store.customers("shop", where)] == expected


HOSTILE = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.text(st.sampled_from("\"'\\():;=%_-\x00\n*? aor"), max_size=12),
    st.sampled_from(['" or name != "', "' OR 1=1 --", "\\", '\\"', "\x00", ":v", "%", "a\x00b"]),
)


@pytest.mark.slow
@given(st.lists(HOSTILE, min_size=1, max_size=6, unique=True), st.booleans())
def test_a_value_matches_itself_and_nothing_else(values, escaped):
    """As a literal, as a variable and in a list of either, with and without \\u escapes."""
    with Store() as store:
        for value in values:
            store.add_group("shop", value)
        wanted = values[0]
        literal = json.dumps(wanted, ensure_ascii=escaped)
        for predicate in (
            f"name = {literal}",
            f"name in ({literal})",
            "name = :v",
            "name in :v",
            f"name in (:v, {literal})",
        ):
            where = condition([predicate], {"v": [wanted]}, FIELDS)
            assert [group.name for group in store.groups("shop", where)] == [wanted]
        where = condition([f"name != {literal}"], {}, FIELDS)
        assert [group.name for group in store.groups("shop", where)] == values[1:]


@pytest.mark.slow
@given(st.text(max_size=40) | st.text(st.sampled_from('name id=<>!in("\\a,):or and'), max_size=40))
def test_any_text_is_a_predicate_or_refused(text):
    """And never anything worse."""
    with Store() as store:
        try:
            where = condition([text], {"a": ["1"]}, FIELDS)
        except Refusal:
            return
        store.groups("shop", where)
