"""Work that gives way: nobody waits for all of it, and all of it gets on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator

import pytest

from gateway.engine._run.time_slices import SLICE, TimeSlices
from tests.stalls import longest_stall

STEP = 0.001
PARTS = 5


@pytest.mark.slow
async def test_others_wait_for_a_slice_and_a_step_of_each_part():
    """Of however many parts the work has, and in the order in which they came."""
    slices = TimeSlices()
    steps: list[int] = []

    def part(number: int) -> Generator[None, None, None]:
        for _ in range(20):
            if slices.over:
                yield
            until = time.thread_time() + STEP
            while time.thread_time() < until:
                pass
            steps.append(number)

    async def work() -> None:
        await asyncio.gather(*[slices.run(part(number)) for number in range(PARTS)])

    # Whose time comes during a round of the event loop has to wait for the end of the next one.
    allowed = 2 * (SLICE + PARTS * STEP) + 0.02
    assert await longest_stall(work, allowed=allowed) <= allowed
    assert {steps.count(number) % 20 for number in range(PARTS)} == {0}
