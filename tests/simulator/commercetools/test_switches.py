"""The switches as they are written on a command line."""

import pytest

from gateway.simulator.commercetools.switches import Switches


def test_overrides_have_the_types_of_the_switches():
    """And what is not overridden stays; the last of a name wins."""
    changed = Switches(total="low").with_overrides(
        ["conflict_version=absent", "max_groups=7", "latency=0.25", "latency=0.5"]
    )

    assert changed == Switches(total="low", conflict_version="absent", max_groups=7, latency=0.5)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("latency", "name=value, not 'latency'"),
        ("colour=red", "no switch 'colour'; there are assignments_predicate, "),
        ("total=", "total is exact or low or high, not ''"),
        ("max_groups=0", "max_groups is a whole number, 1 or more, not '0'"),
        ("latency=-1", "latency is a number of seconds, 0 or more, not '-1'"),
        ("latency=nan", "a number of seconds"),
        ("latency=x", "a number of seconds"),
    ],
)
def test_a_wrong_pair_names_the_switch_the_value_and_what_is_legal(pair, message):
    """The message is all that the operator sees."""
    with pytest.raises(ValueError, match=message):
        Switches.parse([pair])
