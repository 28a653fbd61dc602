"""Turns of the event loop, for work that would keep it from everybody else."""

from __future__ import annotations

import asyncio
import time
from typing import Final

TURN: Final = 0.005
"""Seconds; others wait that long, and then as long as one step takes."""


class Turns:
    """Those of one event loop: all who work in one share it."""

    def __init__(self, seconds: float = TURN) -> None:
        self._seconds = seconds
        self._ends = 0.0
        self._waiting = False

    def join(self) -> None:
        """Work begins; whoever is at it already goes on for a while."""
        if not self._waiting:
            self._begin()

    @property
    def over(self) -> bool:
        """Whether it is time to give way."""
        return time.monotonic() >= self._ends

    async def give_way(self) -> None:
        """Let others have theirs, where this one is over."""
        if not self._waiting:
            self._waiting = True
            # Ahead of all who go on with their work then, and once for all of them.
            asyncio.get_running_loop().call_soon(self._begin)
        await asyncio.sleep(0)

    def _begin(self) -> None:
        self._waiting = False
        self._ends = time.monotonic() + self._seconds
