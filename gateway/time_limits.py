"""Limits on how long is waited, all of them under one timer of the event loop.

To set and cancel a timer takes as long as a fifth of all else that a REST call needs, and hardly
any ever fires. So there is one, for the limit that ends first; those that come and go before it
fires cost next to nothing.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Final, Self

EARLY: Final = 0.001
"""Seconds by which uvloop's timers, in whole milliseconds, may fire too soon."""


class TimeLimits:
    """Those of one event loop's tasks."""

    def __init__(self) -> None:
        self.running: set[_TimeLimit] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.fires_at = math.inf

    def until(self, when: float) -> _TimeLimit:
        """As asyncio.timeout_at, but for a plain `with`: what is awaited inside is cancelled at
        `when`, a time of the event loop, and becomes a TimeoutError.
        """
        return _TimeLimit(self, when)

    def fire_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._fire)
        self.fires_at = when

    def _fire(self) -> None:
        self._timer, self.fires_at = None, math.inf
        now = asyncio.get_running_loop().time() + EARLY
        for limit in [limit for limit in self.running if limit.when <= now]:
            self.running.discard(limit)
            limit.expire()
        if self.running:
            self.fire_at(min(limit.when for limit in self.running))


class _TimeLimit:
    """One wait's; does what asyncio.Timeout does, without a timer of its own."""

    __slots__ = ("_before", "_expired", "_limits", "_task", "when")

    def __init__(self, limits: TimeLimits, when: float) -> None:
        self.when = when
        self._limits = limits
        self._expired = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # who waits is a task
        self._task = task
        self._before = task.cancelling()
        limits = self._limits
        limits.running.add(self)
        if self.when < limits.fires_at:
            limits.fire_at(self.when)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._limits.running.discard(self)
        # A task that somebody else has cancelled as well stays cancelled.
        if (
            self._expired
            and self._task.uncancel() <= self._before
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from failure

    def hasten(self, when: float) -> float:
        """End at `when` if that is sooner; when it ends."""
        if when < self.when and not self._expired:
            self.when = when
            if when < self._limits.fires_at:
                self._limits.fire_at(when)
        return self.when

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()
