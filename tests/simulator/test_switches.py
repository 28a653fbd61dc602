"""The switches as they are written on a command line."""

import pytest

from gateway.simulator.flow_retail.switches import Switches


def test_overrides_have_the_types_of_the_switches():
    """And what is not overridden stays."""
    changed = Switches(default_page_size=7).with_overrides(
        [
            "first_page=0",
            "max_page_size=5",
            "oversized_page=refuse",
            "membership_atomic=false",
            "max_membership_uids=10",
            "latency=0.25",
            "latency=0.5",
        ]
    )

    assert changed == Switches(
        default_page_size=7,
        first_page=0,
        max_page_size=5,
        oversized_page="refuse",
        membership_atomic=False,
        max_membership_uids=10,
        latency=0.5,
    )
    assert changed.with_overrides(["max_membership_uids=none"]).max_membership_uids is None


def test_sorts_are_a_list_with_columns_where_they_differ():
    """An empty list is an API that sorts by nothing."""
    switches = Switches.parse(["group_sorts=name,created:created_at", "customer_sorts="])

    assert switches.group_sorts == {"name": "name", "created": "created_at"}
    assert switches.customer_sorts == {}


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("latency", "name=value, not 'latency'"),
        ("colour=red", "no switch 'colour'; there are first_page, "),
        ("first_page=2", "first_page is 0 or 1, not '2'"),
        ("past_the_end=", "past_the_end is empty or not_found or last, not ''"),
        ("default_page_size=0", "default_page_size is a whole number, 1 or more, not '0'"),
        ("max_membership_uids=-1", "whole number, 1 or more or none, not '-1'"),
        ("membership_atomic=yes", "membership_atomic is true or false, not 'yes'"),
        ("latency=-1", "latency is a number of seconds, 0 or more, not '-1'"),
        ("latency=nan", "a number of seconds"),
        ("group_sorts=name,shoeSize", "group_sorts is a list of customerGroupUid.* not 'shoeSize'"),
        ("customer_sorts=a:id", "with a column of .*; not 'a:id'"),
    ],
)
def test_a_wrong_pair_names_the_switch_the_value_and_what_is_legal(pair, message):
    """The message is all that the operator sees."""
    with pytest.raises(ValueError, match=message):
        Switches.parse([pair])


def test_two_sets_of_switches_share_nothing():
    """The tables of sorts can be changed in one of them."""
    one, other = Switches(), Switches()
    one.group_sorts.clear()

    assert other.group_sorts["name"] == "name"
