"""What is amiss with tenants and tokens of an upstream: a tenant's breaker and its budget of
retries, and the pauses that the upstream has asked for. An incident is kept while it lasts, and of
many only the latest: callers name tenants, and one without an incident costs nothing.

The breaker opens where the last calls of a tenant have all failed, enough of them and for long
enough that a brown-out does not look so. What counts as a failure is a connection that failed and a
5xx. Calls that hang are left to the concurrency limit, and a refused token says nothing about
anybody else. Once open, the breaker lets a call through now and then, and closes when one succeeds.
A trial that hangs delays nothing: the next may go a second later.

A retry helps where one call in many fails. Where all do, it only adds to the load that made them
fail. So retries are paid out of a budget to which first attempts add, as in gRPC's retry throttling
and Finagle's retry budgets.
"""

from __future__ import annotations

import math
import random
from enum import Enum
from typing import Final

ENOUGH: Final = 10
"""Failures in a row."""
LONG_ENOUGH: Final = 0.5
"""Seconds since the first of them."""
TRIAL: Final = 1.0
"""Seconds from one trial to the next."""
RETRY_SHARE: Final = 0.07
"""Repeats for each first attempt. With the first two, a brown-out of sixty calls or more is not
multiplied by more than 1.1."""
RETRIES_SAVED: Final = 2.0
"""Repeats that may be saved up, which is also what there is at first."""
MAX_TENANTS: Final = 1_024
MAX_TOKENS: Final = 4_096


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Times are of one clock, in seconds."""

    __slots__ = ("_failures", "_first", "_trials", "limited", "reported", "state", "until")

    def __init__(self) -> None:
        self.state = self.reported = State.CLOSED
        self.until = -math.inf
        """Until when nothing is sent, while it is not closed."""
        self.limited = False
        """Whether it is open because the upstream asks to wait."""
        self._failures = 0
        self._first = math.inf
        self._trials = True

    @property
    def healthy(self) -> bool:
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
        """The upstream asks to wait. Nothing is sent for `seconds`, at most for `cap`; then one
        call is sent as a trial.
        """
        self._trials = seconds > cap or self._failures >= ENOUGH
        self.until = max(self.until, now + min(seconds, cap))
        self.state, self.limited = State.OPEN, True

    def _close(self) -> None:
        self.state = State.CLOSED
        self.limited = False
        self._trials = True
        self._failures, self._first = 0, math.inf


class RetryBudget:
    """Of one tenant."""

    def __init__(self) -> None:
        self._left = RETRIES_SAVED

    @property
    def full(self) -> bool:
        return self._left == RETRIES_SAVED

    def add(self) -> None:
        """A call is sent for the first time."""
        self._left = min(RETRIES_SAVED, self._left + RETRY_SHARE)

    def take(self) -> bool:
        """Whether a call may be sent again, which is paid for."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


def backoff(attempt: int, *, at_least: float | None = None) -> float:
    """Seconds to wait after so many attempts, or a little more than the upstream has asked for.
    Jitter, so that callers which failed together do not come back together.
    """
    pause: float = 0.05 * 2**attempt if at_least is None else at_least + 0.01
    return pause * random.uniform(1.0, 1.2)  # noqa: S311  # no secret


class Incident:
    """Of one tenant."""

    __slots__ = ("breaker", "retries")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.retries = RetryBudget()


class Incidents:
    """All of one upstream."""

    def __init__(self) -> None:
        self._tenants: dict[str, Incident] = {}
        self._tokens: dict[bytes, float] = {}
        """Until when nothing is sent with each."""

    def __bool__(self) -> bool:
        return bool(self._tenants or self._tokens)

    @property
    def breakers_open(self) -> int:
        """Of how many tenants the breaker is not closed."""
        return sum(each.breaker.state is not State.CLOSED for each in self._tenants.values())

    def of(self, tenant: str) -> Incident | None:
        return self._tenants.get(tenant)

    def begin(self, tenant: str) -> Incident:
        """The tenant's incident, which begins now if there was none."""
        incident = self._tenants.pop(tenant, None) or Incident()
        self._tenants[tenant] = incident
        if len(self._tenants) > MAX_TENANTS:
            del self._tenants[next(iter(self._tenants))]
        return incident

    def end_if_over(self, tenant: str) -> None:
        incident = self._tenants[tenant]
        if incident.breaker.healthy and incident.retries.full:
            del self._tenants[tenant]

    def pause(self, token: bytes, until: float) -> None:
        until = max(until, self._tokens.pop(token, until))
        self._tokens[token] = until
        if len(self._tokens) > MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]

    def paused(self, token: bytes, now: float) -> float:
        """For how many seconds nothing is sent with this token."""
        until = self._tokens.get(token, now)
        if until > now:
            return until - now
        self._tokens.pop(token, None)
        return 0.0
