"""An observer that logs what happens. No line has a token, a value or a host."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from cachetools import LRUCache, TTLCache

from gateway.rest import BreakerChanged, UnusableAnswer, UpstreamCall
from gateway.telemetry import Event, LimitReached, OperationDone, UntrustedDocument

log = logging.getLogger("gateway")
CALLERS_OWN: Final = frozenset({401, 403})
"""Statuses that are about a caller's token, so no operator can act on them."""
MAX_CAUSES: Final = 256


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
