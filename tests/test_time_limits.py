"""Many limits under one timer: each ends its own wait, in time, and no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.time_limits import EARLY, TimeLimits


def now() -> float:
    return asyncio.get_running_loop().time()


async def waiting(limits: TimeLimits, seconds: float, work: float = 5.0) -> float:
    """How long it was let wait; raises TimeoutError where not for all of `work` seconds."""
    began = now()
    with limits.until(began + seconds):
        await asyncio.sleep(work)
    return now() - began


class Counting(asyncio.SelectorEventLoop):
    """An event loop that counts its timers."""

    timers = 0

    def call_at(self, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*arguments, **more)


@pytest.mark.slow
async def test_each_wait_ends_at_its_own_limit():
    """Whichever began first, and whoever is in time is not disturbed."""
    limits = TimeLimits()
    began = now()

    ends: list[float] = []

    async def ended(seconds: float) -> float:
        with pytest.raises(TimeoutError):
            await waiting(limits, seconds)
        ends.append(seconds)
        return now() - began

    seconds = [0.09, 0.03, 0.06, 0.03, 0.12]
    in_time = asyncio.create_task(waiting(limits, 5.0, work=0.1))
    found = await asyncio.gather(*map(ended, seconds))

    assert await in_time >= 0.099
    for wanted, took in zip(seconds, found, strict=True):
        assert took >= wanted - 2 * EARLY
    assert ends == sorted(seconds)


def test_waits_that_end_in_time_share_one_timer():
    """A thousand, one after another and side by side; and once it has fired, nothing goes on."""

    async def scenario() -> None:
        limits = TimeLimits()
        for _ in range(10):
            await asyncio.gather(*(waiting(limits, 60.0, work=0.0) for _ in range(100)))
        assert loop.timers == 1
        with pytest.raises(TimeoutError):
            await waiting(limits, 0.02)  # whose work has a timer of its own
        assert loop.timers == 3
        await asyncio.sleep(0.02)
        assert loop.timers == 4

    with asyncio.Runner(loop_factory=Counting) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Counting)
        runner.run(scenario())


@pytest.mark.parametrize("late", [0.0, -1.0])
async def test_a_limit_that_is_over_ends_the_next_wait(late):
    """What needs no waiting for is still done."""
    limits = TimeLimits()

    with limits.until(now() + late):
        done = True
    with pytest.raises(TimeoutError):
        await waiting(limits, late)

    assert done


async def test_a_task_that_is_cancelled_is_not_timed_out():
    """And its limit does not come after it."""
    limits = TimeLimits()
    caught: list[type[BaseException]] = []

    async def work() -> None:
        try:
            await waiting(limits, 0.03)
        except BaseException as failure:
            caught.append(type(failure))
            await asyncio.sleep(0.06)  # beyond the limit
            raise

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert caught == [asyncio.CancelledError]
    assert task.cancelled()


async def test_who_is_cancelled_and_timed_out_at_once_is_cancelled():
    """A cancellation is never lost: somebody waits for it."""
    limit = TimeLimits().until(now() + 5.0)

    async def work() -> None:
        with limit:
            await asyncio.sleep(5.0)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    limit.expire()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()


async def test_a_failure_of_its_own_is_what_is_raised():
    """Nothing stays behind: the task can wait again."""
    limits = TimeLimits()

    with pytest.raises(KeyError), limits.until(now() + 0.02):
        raise KeyError
    await asyncio.sleep(0.05)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_outer_limit_ends_what_an_inner_one_has_not():
    """As with asyncio.timeout, which may be the other of the two."""
    limits = TimeLimits()

    with pytest.raises(TimeoutError), limits.until(now() + 0.02):
        await waiting(limits, 5.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await waiting(limits, 5.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5.0):
            await waiting(limits, 0.02)
