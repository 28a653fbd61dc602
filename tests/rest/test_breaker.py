"""The circuit breaker: when nothing is sent, and how soon it is again."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DeadlineExceeded, GatewayError, Unavailable
from gateway.rest import BreakerChanged, UpstreamCall
from gateway.rest._incidents import ENOUGH, LONG_ENOUGH, TRIAL, Breaker, State
from tests.rest.test_upstream import Says, caller, get, upstream


def outage(breaker: Breaker, *, seconds: float = 10.0, every: float = 0.01) -> int:
    """So long all calls fail, one after another; how many were sent."""
    sent = 0
    for number in range(round(seconds / every)):
        now = number * every
        if breaker.admits(now):
            sent += 1
            breaker.failed(now)
    return sent


def test_in_an_outage_little_is_sent():
    """What it takes to notice, and then a call in a second."""
    breaker = Breaker()

    sent = outage(breaker, seconds=10.0)

    assert sent <= LONG_ENOUGH / 0.01 + 1 + 10 / TRIAL
    assert breaker.state is State.OPEN


def test_well_again_is_noticed_within_a_second():
    """The next trial succeeds."""
    breaker = Breaker()
    outage(breaker, seconds=10.0)
    now = 10.0
    while not breaker.admits(now):
        now += 0.01

    breaker.succeeded()

    assert now <= 10.0 + TRIAL
    assert breaker.state is State.CLOSED


def test_a_trial_that_hangs_delays_no_other():
    """The next one comes a second later."""
    breaker = Breaker()
    outage(breaker, seconds=3.0)

    admitted = [now / 100 for now in range(300, 1000) if breaker.admits(now / 100)]

    assert len(admitted) >= 6
    assert max(b - a for a, b in itertools.pairwise(admitted)) < TRIAL + 0.02


@pytest.mark.slow
@given(st.lists(st.booleans(), max_size=300), st.integers(1, ENOUGH - 1))
def test_it_never_opens_where_something_succeeds(failing, run):
    """However many fail between two successes that are near each other."""
    breaker = Breaker()
    now = 0.0
    streak = 0
    for fails in failing:
        now += 1.0
        streak = streak + 1 if fails else 0
        if streak >= run:
            streak = 0
            fails = False
        breaker.failed(now) if fails else breaker.succeeded()

        assert breaker.state is State.CLOSED


def test_many_failures_at_once_are_not_enough():
    """An operation of a hundred calls may meet a moment's failure with all of them."""
    breaker = Breaker()

    for _ in range(100):
        breaker.failed(5.0)

    assert breaker.state is State.CLOSED


@pytest.mark.slow
@pytest.mark.parametrize(
    "says", [Says(500), Says(503), httpx.ConnectError("x"), httpx.ReadError("x")]
)
async def test_in_an_outage_callers_hear_at_once(says):
    """And other tenants notice nothing; both ends of it are events."""
    events: list[Any] = []
    made, script = upstream(says, observe=events.append, retries=0)
    loop = asyncio.get_running_loop()
    ends = loop.time() + 1.5
    codes = set()

    while loop.time() < ends:
        with pytest.raises(Unavailable) as failure:
            await get(made.connect(caller()))
        codes.add(failure.value.code)
        await asyncio.sleep(0.005)
    sent = len(script.requests)
    with pytest.raises(Unavailable):
        await get(made.connect(caller(tenant="other")))
    script.turns = [Says()]
    for _ in range(50):
        await asyncio.sleep(0.1)
        try:
            await get(made.connect(caller()))
        except GatewayError:
            continue
        break

    asked = len([event for event in events if isinstance(event, UpstreamCall)])
    changes = [event for event in events if isinstance(event, BreakerChanged)]
    assert codes == {"UPSTREAM_UNAVAILABLE"}
    assert sent < 200
    assert asked == len(script.requests)
    assert len(script.requests) - sent <= 8
    assert {event.tenant for event in changes} == {"shop"}
    assert changes[0].state == "open"
    assert changes[-1].state == "closed"


@pytest.mark.slow
async def test_a_deadline_is_no_failure_of_the_upstream():
    """Nor is a caller who leaves, or an answer that is slow."""
    made, script = upstream(Says(after=5.0), timeout=0.02, retries=0)

    for _ in range(2 * ENOUGH):
        with pytest.raises((DeadlineExceeded, Unavailable)):
            await get(made.connect(caller(seconds=0.03)))
        leaving = asyncio.ensure_future(get(made.connect(caller())))
        await asyncio.sleep(0.001)
        leaving.cancel()
        await asyncio.wait([leaving])

    assert not made._incidents
    assert len(script.requests) >= 2 * ENOUGH
