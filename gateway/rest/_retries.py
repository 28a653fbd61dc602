"""When a call is sent again: after a pause, and only while few are.

A repeat helps where one call in many fails. Where all do, it only adds to the load that made them
fail. So repeats are paid out of a budget to which first attempts add, as in gRPC's retry throttling
and Finagle's retry budgets.
"""

from __future__ import annotations

import random
from typing import Final

SHARE: Final = 0.07
"""Repeats for each first attempt. With the first two, a brown-out of sixty calls or more is not
multiplied by more than 1.1."""
CAPACITY: Final = 2.0
"""Repeats that may be saved up, which is also what there is at first."""


class RetryBudget:
    """Of one tenant."""

    def __init__(self) -> None:
        self._left = CAPACITY

    @property
    def full(self) -> bool:
        return self._left == CAPACITY

    def add(self) -> None:
        """A call is sent for the first time."""
        self._left = min(CAPACITY, self._left + SHARE)

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
