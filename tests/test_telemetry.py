"""What an operation has cost, the most that it may, and the line that tells of it."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LimitExceeded
from gateway.telemetry import Meter, OperationDone
from gateway.telemetry.log_lines import log_event


def test_calls_are_counted_up_to_the_limit():
    """The one beyond it is refused, with the setting and both numbers; and so is each after it."""
    meter = Meter(limit=2)
    meter.spend()
    meter.spend()

    for _ in range(2):
        with pytest.raises(LimitExceeded, match="used up") as refused:
            meter.spend()

    assert meter.rest_calls == 2
    assert refused.value.extensions == {
        "code": "LIMIT_EXCEEDED",
        "limit": "max_rest_calls",
        "allowed": 2,
        "found": 3,
    }


def test_without_a_limit_any_number_is_allowed():
    """And counted all the same."""
    meter = Meter()
    for _ in range(1000):
        meter.spend()
    meter.require(10**9)

    assert (meter.rest_calls, meter.planned) == (1000, 1000)


@pytest.mark.parametrize("calls", [0, 3])
def test_what_fits_may_be_required(calls):
    """It is not counted: the calls themselves are."""
    meter = Meter(limit=5, rest_calls=2)
    meter.require(calls)

    assert meter.allows(calls)
    assert meter.rest_calls == 2


def test_what_does_not_fit_is_refused_with_what_is_left():
    """A person can tell by how much."""
    meter = Meter(limit=5, rest_calls=2)

    with pytest.raises(LimitExceeded, match="up to 4 REST calls, and 3 of the operation's 5"):
        meter.require(4)
    assert not meter.allows(4)


@pytest.mark.slow
@given(
    st.integers(0, 12),
    st.integers(0, 12),
    st.lists(st.sampled_from(["spend", "give back", "require"])),
)
def test_what_was_made_is_never_more_than_planned_nor_that_more_than_allowed(limit, planned, steps):
    """Where what was planned was allowed."""
    meter = Meter(limit=limit, planned=min(planned, limit))
    for step in steps:
        try:
            match step:
                case "spend":
                    meter.spend()
                case "require":
                    meter.require(3)
                case _ if meter.rest_calls:
                    meter.give_back()
        except LimitExceeded:
            assert meter.rest_calls + (3 if step == "require" else 1) > limit

        assert meter.rest_calls <= meter.planned <= limit
        assert meter.planned >= min(planned, limit)


@pytest.mark.parametrize(
    ("repeats", "shown"),
    [(0, "repeats=0"), (2, "repeats=2")],
)
def test_the_log_line_of_an_operation_tells_of_repeats(caplog, repeats, shown):
    """Calls that were sent again are not calls more."""
    done = OperationDone(
        operation_name="Names",
        seconds=0.5,
        rest_calls=3,
        repeats=repeats,
        error_codes=(),
        request_id="r1",
    )
    with caplog.at_level(logging.INFO, logger="gateway"):
        log_event(done)

    assert caplog.messages == [
        f"operation name=Names ms=500.0 rest_calls=3 {shown} planned=0 request=r1"
    ]
