"""Time limits of waiting tasks, all under one timer of the event loop.

Setting and cancelling a timer takes a fifth of the time that a REST call takes otherwise, and
hardly any timer ever fires. So one timer is set for the limit that ends first; a limit that begins
and ends before it fires costs next to nothing.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Final, Self

EARLY: Final = 0.001
"""Seconds by which uvloop's timers, in whole milliseconds, may fire too soon."""


class TimeLimits:
    """The time limits of one event loop's tasks."""

    def __init__(self) -> None:
        self.running: set[_TimeLimit] = set()
        self._timer: asyncio.TimerHandle | None = None
        self.fires_at = math.inf

    def until(self, when: float) -> _TimeLimit:
        """Like asyncio.timeout_at, but for a plain `with`: at `when`, a time of the event loop, the
        block is cancelled and raises TimeoutError.
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
    """One task's limit. Does what asyncio.Timeout does, without a timer of its own."""

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
        # If somebody else has cancelled the task as well, it stays cancelled.
        if (
            self._expired
            and self._task.uncancel() <= self._before
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from failure

    def shorten(self, when: float) -> float:
        """End at `when` if that is sooner. Returns the time at which it ends."""
        if when < self.when and not self._expired:
            self.when = when
            if when < self._limits.fires_at:
                self._limits.fire_at(when)
        return self.when

    def expire(self) -> None:
        self._expired = True
        self._task.cancel()
