"""Time slices of the event loop, for work that would keep it from everybody else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import Any, Final

Steps = Generator[None, None, Any]
"""Work that may be long: yields where a time slice is over."""
SLICE: Final = 0.005
"""Seconds; others wait that long, and then as long as one step takes."""


class TimeSlices:
    """Those of one event loop: all who work in one share it."""

    def __init__(self, seconds: float = SLICE) -> None:
        self._seconds = seconds
        self._ends = 0.0
        self._waiting = False

    @property
    def over(self) -> bool:
        """Whether it is time to yield to others."""
        return time.monotonic() >= self._ends

    async def run(self, steps: Steps) -> Any:
        """What the work gives, which yields wherever the slice is over."""
        if not self._waiting:  # whoever is at work already goes on for a while
            self._begin()
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value
            await self._yield()

    async def _yield(self) -> None:
        if not self._waiting:
            self._waiting = True
            # Ahead of all who go on with their work then, and once for all of them.
            asyncio.get_running_loop().call_soon(self._begin)
        await asyncio.sleep(0)

    def _begin(self) -> None:
        self._waiting = False
        self._ends = time.monotonic() + self._seconds
