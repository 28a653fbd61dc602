"""A circuit breaker for one tenant: where nothing succeeds any more, hardly anything is sent.

It opens where the last calls have all failed, enough of them and for long enough that a brown-out
does not look so. What counts as a failure is a connection that failed and a 5xx. Hanging is for the
places to deal with, and a refused token says nothing about anybody else.

Once open it lets a call through now and then, and closes when one succeeds. A trial that hangs
delays nothing: the next may go a second later.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final

ENOUGH: Final = 10
"""Failures in a row."""
LONG_ENOUGH: Final = 0.5
"""Seconds since the first of them."""
TRIAL: Final = 1.0
"""Seconds from one trial to the next."""


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Times are of one clock, in seconds."""

    __slots__ = ("_failures", "_first", "_trials", "limited", "state", "until")

    def __init__(self) -> None:
        self.state = State.CLOSED
        self.until = -math.inf
        """Until when nothing is sent, while it is not closed."""
        self.limited = False
        """Whether it is open because the upstream asks to wait."""
        self._failures = 0
        self._first = math.inf
        self._trials = True

    @property
    def untroubled(self) -> bool:
        return self.state is State.CLOSED and not self._failures

    def refuses(self, now: float) -> bool:
        """Whether nothing is sent for the moment."""
        return self.state is not State.CLOSED and now < self.until

    def admits(self, now: float) -> bool:
        """Whether a call may be sent; one that is, while it is open, is a trial."""
        if self.state is State.CLOSED:
            return True
        if now < self.until:
            return False
        if self._trials:
            self.state = State.HALF_OPEN
            self.until = now + TRIAL
        else:
            self._close()
        return True

    def succeeded(self) -> None:
        if self.limited and self.state is State.OPEN:
            self._failures = 0  # it was under way before the upstream asked to wait
        else:
            self._close()

    def failed(self, now: float) -> None:
        self._failures += 1
        self._first = min(self._first, now)
        match self.state:
            case State.CLOSED:
                if self._failures >= ENOUGH and now - self._first >= LONG_ENOUGH:
                    self.state, self.until = State.OPEN, now + TRIAL
            case State.HALF_OPEN:
                self.state, self.until = State.OPEN, max(self.until, now + TRIAL)
            case State.OPEN:
                pass

    def wait(self, now: float, seconds: float, *, cap: float) -> None:
        """The upstream asks to wait so long. That is done for `cap` seconds at most, and tried out
        then.
        """
        self._trials = seconds > cap or self._failures >= ENOUGH
        self.until = max(self.until, now + min(seconds, cap))
        self.state, self.limited = State.OPEN, True

    def _close(self) -> None:
        self.state = State.CLOSED
        self.limited = False
        self._trials = True
        self._failures, self._first = 0, math.inf
