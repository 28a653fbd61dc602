"""How long the event loop stands still: what everybody else's requests wait for one of them.

Counted is the processor time of the loop's thread, not the time of the clock. On a busy machine
that grows too, for others use the same caches: so it is given as what it would be on the quiet
machine for which the bounds were chosen.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

SLEEP = 0.001
YARDSTICK = 0.0024
"""Seconds of processor time that `slowness` takes on the quiet machine."""


def slowness() -> float:
    """How many times more processor time than on the quiet machine something takes just now; 1 or
    more.
    """
    began = time.thread_time()
    made = {f"{number}": [number, str(number)] for number in range(6000)}
    sum(len(text) for _, text in made.values())
    return max(1.0, (time.thread_time() - began) / YARDSTICK)


def processor_time(work: Callable[[], object], *, allowed: float, tries: int = 5) -> float:
    """The seconds of processor time that `work` takes, as on the quiet machine: the least of some
    tries, or the first that is allowed.
    """
    least = float("inf")
    for _ in range(tries):
        before = slowness()
        began = time.thread_time()
        work()
        took = time.thread_time() - began
        least = min(least, took / max(before, slowness()))
        if least <= allowed:
            break
    return least


@dataclass
class Stall:
    seconds: float = 0.0
    """The longest so far."""


@asynccontextmanager
async def stall_meter() -> AsyncIterator[Stall]:
    """A task that wants to run every millisecond, and notes how long it was kept from it."""
    stall = Stall()

    async def tick() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(SLEEP)
            stall.seconds = max(stall.seconds, time.thread_time() - before)

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(2 * SLEEP)
    try:
        yield stall
        await asyncio.sleep(2 * SLEEP)  # so that it notes the last one
    finally:
        ticking.cancel()


async def longest_stall(
    work: Callable[[], Awaitable[object]], *, allowed: float, tries: int = 5
) -> float:
    """The longest stall while `work` is done, in seconds of the quiet machine. It is tried again
    while it is longer than allowed: the garbage of other tests and a shared processor only make it
    longer.
    """
    least = float("inf")
    # As `serve` does: what other tests have left behind is not to be gone through here. It is never
    # unfrozen, for the next call would have to go through all of it again.
    gc.collect()
    gc.freeze()
    for _ in range(tries):
        before = slowness()
        async with stall_meter() as stall:
            await work()
        least = min(least, stall.seconds / max(before, slowness()))
        if least <= allowed:
            break
    return least
