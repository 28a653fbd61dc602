"""What a run still waits for: answers to come, and work that is done in time slices."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.engine._run.time_slices import Steps, TimeSlices


class Waiting:
    """Of one run, in which all of it ends before the response is sent."""

    def __init__(self, slices: TimeSlices, accepted: Callable[[], bool]) -> None:
        """`accepted` says whether a backend has accepted one of the request's tokens by now."""
        self.answers = 0
        """How many are to come; negative once nobody waits for them any more."""
        self._slices = slices
        self._accepted = accepted
        self._long: deque[Steps] = deque()
        self._postponed: deque[Callable[[], None]] = deque()
        self._wake: asyncio.Future[None] | None = None

    def do_later(self, steps: Steps) -> None:
        """Do what takes longer than other requests should wait."""
        self._long.append(steps)
        self._look_again()

    def postpone(self, work: Callable[[], None]) -> None:
        """Do it when a backend has accepted the token, or no answer is to come."""
        self._postponed.append(work)

    def answered(self) -> None:
        """One answer has come, and what it shows is in the response."""
        self.answers -= 1
        if not self.answers or self._postponed:
            self._look_again()

    async def all(self) -> None:
        """Return when nothing is left to be done."""
        while self._long or self.answers or self._postponed:
            if self._long:
                await self._slices.run(self._long.popleft())
            elif self._postponed and (not self.answers or self._accepted()):
                self._postponed.popleft()()
            else:
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake

    def close(self) -> None:
        """Wait no more, whatever is left."""
        self._wake = None
        self.answers = -1
        self._long.clear()
        self._postponed.clear()

    def _look_again(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
