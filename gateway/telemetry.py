"""What happened, as small events, and who listens. No event carries a token, a value or a host."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache, TTLCache
from msgspec import Struct

from gateway.errors import LimitExceeded
from gateway.rest import BreakerChanged, UnusableAnswer, UpstreamCall

log = logging.getLogger("gateway")
CALLERS_OWN: Final = frozenset({401, 403})
"""Statuses that are about a caller's token, so no operator can act on them."""
MAX_CAUSES: Final = 256


@dataclass(slots=True)
class Meter:
    """The REST calls that one operation has made, and the most that it may make.

    A call that is sent again after a failure counts again. If `planned` was at most `limit` when it
    was set, ``rest_calls <= limit`` and ``rest_calls - repeats <= planned <= limit`` hold.
    """

    limit: int | None = None
    """The most REST calls; None for any number."""
    planned: int = 0
    """The most REST calls that are expected if none is sent again: the estimate before running, or
    the number made if that is more.
    """
    reserved: int = 0
    """How many of the calls look-ups of groups leave for all else."""
    rest_calls: int = 0
    repeats: int = 0
    """How many of them were sent again after a failure."""

    def room(self, looked_up: int) -> int | None:
        """How many more calls look-ups may make that have made so many; None for any number."""
        if self.limit is None:
            return None
        return max(0, self.limit - max(self.rest_calls, self.reserved + looked_up))

    def allows(self, calls: int) -> bool:
        """Whether `calls` more REST calls are within the limit."""
        return self.limit is None or self.rest_calls + calls <= self.limit

    def require(self, calls: int) -> None:
        """Raises LimitExceeded if `calls` more would exceed the limit: for a write, which must not
        end half done.
        """
        if self.limit is not None and not self.allows(calls):
            raise self.refusal(calls, self.limit - self.rest_calls)

    def refusal(self, calls: int, left: int) -> LimitExceeded:
        """What so many more calls fail with, where only so many are left."""
        limit = self.limit or 0
        return LimitExceeded(
            f"This takes up to {calls} REST calls, and {left} of the operation's {limit} "
            "are left; ask for less at once."
            if left > 0
            else f"The operation's {limit} REST calls are used up; ask for less at once.",
            limit="max_rest_calls",
            allowed=limit,
            found=limit - left + calls,
        )

    def spend(self, *, repeat: bool = False) -> None:
        """Count a call that is about to be sent; raises LimitExceeded if none is left."""
        if self.rest_calls == self.limit:
            self.require(1)
        self.rest_calls += 1
        if repeat:
            self.repeats += 1
        elif self.rest_calls - self.repeats > self.planned:
            self.planned = self.rest_calls - self.repeats

    def give_back(self, *, repeat: bool = False) -> None:
        """Subtract a call that was counted and then not sent."""
        self.rest_calls -= 1
        self.repeats -= repeat


class OperationDone(Struct, frozen=True, kw_only=True):
    """A GraphQL operation was answered; `error_codes` are those of its errors, in order."""

    operation_name: str | None
    seconds: float
    rest_calls: int
    repeats: int = 0
    """How many of those calls were sent again after a failure."""
    error_codes: Sequence[str]
    request_id: str


class UntrustedDocument(Struct, frozen=True, kw_only=True):
    """A document ran that the manifest lacks; `sha256` is the hash of its text, in hex."""

    operation_name: str | None
    sha256: str
    request_id: str


class LimitReached(Struct, frozen=True, kw_only=True):
    """A client's connection or request was closed or refused because a limit was reached: `limit`
    is the setting, or `descriptors` if the process has no file descriptor left.
    """

    limit: str


Event = (
    UpstreamCall
    | UnusableAnswer
    | BreakerChanged
    | OperationDone
    | UntrustedDocument
    | LimitReached
)
Observer = Callable[[Event], None]


def log_event(event: Event) -> None:
    """An observer that writes one line an event: REST calls at DEBUG, operations at INFO,
    and at WARNING documents that are not trusted."""
    match event:
        case UpstreamCall():
            log.debug(
                "rest %s %s %s status=%s%s ms=%.1f attempt=%d request=%s",
                event.backend,
                event.method,
                event.template,
                event.status,
                "" if event.cause is None else f" cause={event.cause!r}",
                event.seconds * 1000,
                event.attempt,
                event.request_id,
            )
        case OperationDone():
            log.info(
                "graphql %s ms=%.1f rest_calls=%d%s errors=%s request=%s",
                event.operation_name or "-",
                event.seconds * 1000,
                event.rest_calls,
                f" repeats={event.repeats}" if event.repeats else "",
                _counted(event.error_codes),
                event.request_id,
            )
        case UnusableAnswer():
            log.debug("rest %s %s %s", event.backend, event.template, event.cause)
        case BreakerChanged():
            log.log(
                logging.DEBUG if event.state == "half-open" else logging.WARNING,
                "breaker %s tenant=%s %s%s",
                event.backend,
                event.tenant,
                event.state,
                " because the backend asks to wait" if event.limited else "",
            )
        case LimitReached():
            log.debug("limit reached: %s", event.limit)
        case UntrustedDocument():
            log.warning(
                "untrusted document %s sha256=%s request=%s",
                event.operation_name or "-",
                event.sha256,
                event.request_id,
            )


class Log:
    """An observer that writes the lines of `log_event`, and a WARNING for failed calls: at most one
    a second for each backend and cause, with the number of failures since the last one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._logged: TTLCache[tuple[str, str], None] = TTLCache(MAX_CAUSES, ttl=1, timer=clock)
        self._failures: LRUCache[tuple[str, str], int] = LRUCache(MAX_CAUSES)
        """How many were not logged yet, by backend and cause."""

    def __call__(self, event: Event) -> None:
        log_event(event)
        match event:
            case UpstreamCall() if event.cause and event.status not in CALLERS_OWN:
                self._warn(event, event.cause)
            case UnusableAnswer():
                self._warn(event, event.cause)
            case _:
                pass

    def _warn(self, event: UpstreamCall | UnusableAnswer, cause: str) -> None:
        key = event.backend, cause
        failures = self._failures.get(key, 0) + 1
        if key in self._logged:
            self._failures[key] = failures
            return
        self._logged[key] = None
        self._failures.pop(key, None)
        log.warning(
            "rest call failed: %s backend=%s tenant=%s %s count=%d request=%s",
            cause,
            event.backend,
            event.tenant,
            event.template,
            failures,
            event.request_id,
        )


def _counted(codes: Sequence[str]) -> str:
    """
    >>> _counted(["NOT_FOUND", "FORBIDDEN", "NOT_FOUND"]), _counted([])
    ('NOT_FOUND*2,FORBIDDEN', '-')
    """
    if not codes:
        return "-"
    counts = Counter(codes)
    return ",".join(code if n == 1 else f"{code}*{n}" for code, n in counts.items())


def stack(failure: BaseException) -> str:
    """The traceback of `failure` and its causes without their messages, which may contain a token,
    a variable's value or a URL.
    """
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = failure
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        frames = "".join(traceback.format_tb(link.__traceback__))
        parts.append(f"{frames}{type(link).__module__}.{type(link).__qualname__}")
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\nfrom which came:\n".join(reversed(parts))
