"""Turns of the event loop, for work that would keep it from everybody else."""

from __future__ import annotations

import asyncio
from typing import Final

TURN: Final = 0.005
"""Seconds; others wait that long, and then as long as one step takes."""


class Turns:
    """Those of one piece of work, of which several parts may be under way."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + TURN
        self._over = False

    async def give_way(self) -> None:
        """Let others have theirs, if this one is over."""
        if self._loop.time() < self._ends:
            return
        if not self._over:
            self._over = True
            self._loop.call_soon(self._begin)  # ahead of all parts, once for all of them
        await asyncio.sleep(0)

    def _begin(self) -> None:
        self._over = False
        self._ends = self._loop.time() + TURN
