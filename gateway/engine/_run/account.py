"""What goes into an answer, counted while it is made: rows, values, bytes, names, and the time; and
the failures that are reported in addition to the data.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from gateway.engine._limits import Limits
from gateway.errors import DeadlineExceeded, GatewayError, LimitExceeded

Path = tuple[str | int, ...]
MadeT = TypeVar("MadeT")
STRANGERS: Final = 1_000_000
"""Bytes of an answer, while no backend has accepted any of the request's tokens."""
TO_SHOW: Final = 1.0
"""Seconds after the deadline in which what was read by then may be shown."""


class Account:
    """Of one operation. What is too much raises where it is counted, and costs its field."""

    def __init__(
        self,
        limits: Limits,
        *,
        deadline: float,
        accepted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`deadline` is the event loop's time at which the operation's time is over; `accepted`
        says whether a backend has accepted one of the request's tokens by now.
        """
        self.limits = limits
        self.values = 0
        self.bytes = 0
        """About those of the response so far."""
        self.few = min(STRANGERS, limits.max_response_body)
        self.accepted = accepted
        self._ends = deadline + TO_SHOW
        self._rows = 0
        self._named: set[Hashable] = set()
        self.unlisted = 0
        """How many of the reported failures are only counted."""
        self._reported: dict[Path, Sequence[GatewayError]] = {}
        self._room = limits.max_errors
        self._outcome = 0, 0, 0
        self.of_outcome = False
        """Whether what is counted now is the outcome of a change."""

    def show(self, rows: int) -> None:
        """Count rows that go into the answer; raises LimitExceeded where they are too many, and
        DeadlineExceeded where there is no time left to show them.

        A row that is read once may be shown any number of times: a hundred customers who share a
        hundred groups are ten thousand.
        """
        self._rows += rows
        if self._rows > self.limits.max_rows:
            raise LimitExceeded(
                f"The answer would have more than {self.limits.max_rows} rows; ask for fewer.",
                limit="max_rows",
                allowed=self.limits.max_rows,
                found=self._rows,
            )
        if asyncio.get_running_loop().time() > self._ends:
            raise self._too_late()

    def fill(self, values: int) -> None:
        """Count fields that go into the answer; raises LimitExceeded and DeadlineExceeded, as
        `show`.

        Few rows have many fields if each of them is selected under many names.
        """
        self.values += values
        if self.values > self.limits.max_values:
            raise LimitExceeded(
                f"The answer would have more than {self.limits.max_values} values; ask for fewer.",
                limit="max_values",
                allowed=self.limits.max_values,
                found=self.values,
            )
        if asyncio.get_running_loop().time() > self._ends:
            raise self._too_late()

    def weigh(self, size: int) -> None:
        """Count about the bytes that something takes in the response; raises LimitExceeded."""
        self.bytes += size
        if self.bytes <= self.few and self.bytes <= self.limits.max_response_body:
            return  # as nearly always: whose answer it is makes no difference
        allowed = self._max_bytes
        if self.bytes > allowed:
            message = f"The answer would have more than {allowed} bytes; ask for less."
            if allowed < self.limits.max_response_body:
                message += " It has room for more where a backend accepts the request's token."
            raise LimitExceeded(
                message, limit="max_response_body", allowed=allowed, found=self.bytes
            )

    def name(self, named: Iterable[Hashable], *, field: Sequence[str]) -> None:
        """Count what is named, each once; raises LimitExceeded if they are too many."""
        self._named.update(named)
        found, allowed = len(self._named), self.limits.max_entities
        if found > allowed:
            raise LimitExceeded(
                f"{found} nodes or entities are named; at most {allowed} may be.",
                field=field,
                limit="max_entities",
                allowed=allowed,
                found=found,
            )

    def report(self, path: Path, failures: Iterable[GatewayError], *, count: int = 1) -> None:
        """Report `count` failures that left the field at `path` its value, or most of it; once,
        however many fields meet them. Only as many are taken from `failures` as can be listed.
        """
        if path in self._reported:
            return
        listed = self._reported[path] = list(islice(failures, self._room))
        self.unlisted += count - len(listed)
        self._room -= len(listed)

    def reported(self) -> list[tuple[Path, GatewayError]]:
        """The reported failures that are listed, each with its path."""
        return [
            (path, failure) for path, failures in self._reported.items() for failure in failures
        ]

    def in_places(self, places: int, make: Callable[..., MadeT], *given: Any) -> MadeT:
        """Call `make(*given)` and count the rows, values and bytes that it counts `places` times,
        because its result appears in that many places.
        """
        rows, values, size = self.counted
        made = make(*given)
        if places > 1:
            self.show((places - 1) * (self._rows - rows))
            self.fill((places - 1) * (self.values - values))
            self.weigh((places - 1) * (self.bytes - size))
        return made

    @property
    def counted(self) -> tuple[int, int, int]:
        """The rows, values and bytes so far; set again before something is made anew."""
        return self._rows, self.values, self.bytes

    @counted.setter
    def counted(self, counted: tuple[int, int, int]) -> None:
        self._rows, self.values, self.bytes = counted

    def may_grow(self, failure: Exception) -> bool:
        """Whether this is too much only as long as no backend has accepted the token."""
        return (
            isinstance(failure, LimitExceeded)
            and failure.limit == "max_response_body"
            and not self.accepted()
        )

    def outcome(self, make: Callable[..., MadeT], *given: Any) -> MadeT:
        """Call `make(*given)`, which shows the outcome of a change. What it counts is counted
        apart from all else, and at any time.

        No outcome may be left out of the answer because of what else was requested. But it has
        limits too: its fields may be selected under many names.
        """
        outside = self.counted, self._ends, self.limits
        self.counted, self._ends, self.limits = self._outcome, math.inf, self.limits.of_changes
        self.of_outcome = True
        try:
            return make(*given)
        finally:
            self._outcome = self.counted
            self.counted, self._ends, self.limits = outside
            self.of_outcome = False

    @property
    def _max_bytes(self) -> int:
        allowed = self.limits.max_response_body
        return allowed if self.accepted() else min(allowed, STRANGERS)

    @staticmethod
    def _too_late() -> DeadlineExceeded:
        return DeadlineExceeded("The operation's time is over.")
