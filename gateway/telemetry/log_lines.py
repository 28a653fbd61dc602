"""An observer that logs what happens. No line has a token, a value or a host."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cachetools import LRUCache, TTLCache

from gateway.rest import BreakerChanged, UnusableAnswer, UpstreamCall
from gateway.telemetry import (
    ChangeDone,
    ContractDeviation,
    Draining,
    Event,
    LimitReached,
    OperationDone,
    OperationPrepared,
    RateLimitReached,
    RedisCall,
    RedisChanged,
    RequestRefused,
    Stopped,
    UntrustedDocument,
)
from gateway.telemetry.log_output import Line

log = logging.getLogger("gateway")
CALLERS_OWN: Final = frozenset({401, 403})
"""Statuses that are about a caller's token, so no operator can act on them."""
UNEVENTFUL: Final = frozenset({"ok", "skipped"})
"""Results of commands for Redis that have no line."""
MAX_CAUSES: Final = 256
MAX_DEVIATIONS: Final = 1_000
HOUR: Final = 3_600


DEVIATION: Final = ("backend", "template", "member", "kind", "example")


Write = Callable[[int, Line], object]
"""Writes a line of a level that is logged."""


def log_event(event: Event, write: Write = log.log) -> None:
    """An observer that logs one line an event: REST calls at DEBUG, operations and changes at INFO,
    and at WARNING documents that are not trusted."""
    match event:
        case UpstreamCall():
            _log(write, logging.DEBUG, _rest_call, event)
        case OperationDone():
            _log(write, logging.INFO, _operation, event)
        case ChangeDone():
            _log(write, logging.INFO, _change, event)
        case UnusableAnswer():
            _log(write, logging.DEBUG, _unusable, event)
        case BreakerChanged():
            level = logging.DEBUG if event.state == "half-open" else logging.WARNING
            _log(write, level, _breaker, event)
        case LimitReached():
            _log(write, logging.DEBUG, _limit, event)
        case RequestRefused() | OperationPrepared() | ContractDeviation():
            pass  # there may be any number
        case UntrustedDocument():
            _log(write, logging.WARNING, _untrusted, event)
        case RedisChanged():
            _log(write, logging.WARNING, _redis, event)
        case RateLimitReached() | RedisCall():
            pass  # as many as operations
        case Draining():
            log.info(Line("draining", {"seconds": event.seconds}))
        case Stopped():
            log.info(Line("stopped", {"cut_off": event.cut_off}))


EventT = TypeVar("EventT")


def _log(write: Write, level: int, line: Callable[[EventT], Line], event: EventT) -> None:
    if log.isEnabledFor(level):
        write(level, line(event))


def _operation(event: OperationDone) -> Line:
    return Line(
        "operation",
        {
            "kind": event.kind,
            "name": event.operation_name,
            "status": event.status,
            "errors": _counted(event.error_codes),
            "ms": round(event.seconds * 1000, 1),
            "tenant": event.tenant,
            "backend": event.backend,
            "rest_calls": event.rest_calls,
            "repeats": event.repeats,
            "planned": event.planned,
            "limit": event.limit,
            "document": event.sha256,
            "client": event.client,
            "client_version": event.client_version,
            "token": event.token,
            "request": event.request_id,
            "trace_id": event.trace and event.trace.trace_id,
        },
    )


def _change(event: ChangeDone) -> Line:
    return Line(
        "change",
        {
            "kind": event.kind,
            "outcome": event.outcome,
            "code": event.code,
            "tenant": event.tenant,
            "backend": event.backend,
            "group": event.group_uid,
            "group_key": event.group_key,
            "added": event.added,
            "removed": event.removed,
            "unchanged": event.unchanged,
            "failed": event.failed,
            "unknown": event.unknown,
            "token": event.token,
            "client": event.client,
            "client_version": event.client_version,
            "request": event.request_id,
            "trace_id": event.trace and event.trace.trace_id,
        },
    )


def _rest_call(event: UpstreamCall) -> Line:
    return Line(
        "rest_call",
        {
            "backend": event.backend,
            "tenant": event.tenant,
            "method": event.method,
            "template": event.template,
            "status": event.status,
            "cause": event.cause,
            "ms": round(event.seconds * 1000, 1),
            "attempt": event.attempt,
            "request": event.request_id,
            "trace_id": event.trace and event.trace.trace_id,
        },
    )


def _unusable(event: UnusableAnswer) -> Line:
    return Line(
        "unusable_answer",
        {
            "backend": event.backend,
            "tenant": event.tenant,
            "template": event.template,
            "cause": event.cause,
            "request": event.request_id,
            "trace_id": event.trace and event.trace.trace_id,
        },
    )


def _breaker(event: BreakerChanged) -> Line:
    cause = "the backend asks to wait" if event.limited else None
    return Line(
        "breaker",
        {
            "backend": event.backend,
            "tenant": event.tenant,
            "state": event.state,
            "cause": cause,
        },
    )


def _limit(event: LimitReached) -> Line:
    return Line("limit_reached", {"limit": event.limit})


def _untrusted(event: UntrustedDocument) -> Line:
    return Line(
        "untrusted_document",
        {
            "name": event.operation_name,
            "document": event.sha256,
            "request": event.request_id,
            "trace_id": event.trace and event.trace.trace_id,
        },
    )


def _redis(event: RedisChanged) -> Line:
    return Line("redis", {"state": event.state})


class Log:
    """An observer that logs the lines of `log_event`, and some at most once a second for each
    cause, with the number of times since the last one: WARNINGs for REST calls and commands of
    Redis that failed, and a line for requests that were refused before they reached the endpoint.
    Where answers are not as documented, each member and kind has a WARNING an hour, unless the
    documents themselves show that.
    """

    def __init__(
        self, write: Write = log.log, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._logged: TTLCache[tuple[str, str], None] = TTLCache(MAX_CAUSES, ttl=1, timer=clock)
        self._failures: LRUCache[tuple[str, str], int] = LRUCache(MAX_CAUSES)
        """How many were not logged yet, by backend and cause."""
        self._deviations: TTLCache[tuple[str, ...], None] = TTLCache(
            MAX_DEVIATIONS, ttl=HOUR, timer=clock
        )

    def __call__(self, event: Event) -> None:
        log_event(event, self._write)
        match event:
            case OperationDone():
                pass  # it has its line; these two come first because there are the most of them
            case UpstreamCall():
                if event.cause and event.status not in CALLERS_OWN:
                    self._warn(event, event.cause)
            case UnusableAnswer():
                self._warn(event, event.cause)
            case RedisCall() if event.result not in UNEVENTFUL:
                cause = event.cause or event.result
                if count := self._due((event.use, cause)):
                    fields = {"cause": cause, "use": event.use, "count": count}
                    log.warning(Line("redis_failed", fields))
            case RequestRefused():
                if count := self._due((str(event.status), event.limit or "")):
                    fields = {"status": event.status, "limit": event.limit, "count": count}
                    log.info(Line("refused", fields))
            case ContractDeviation(known=False):
                fields = {name: getattr(event, name) for name in DEVIATION}
                key = (event.backend, event.template, event.member, event.kind)
                if key not in self._deviations:
                    self._deviations[key] = None
                    log.warning(Line("contract_deviation", fields))
            case _:
                pass

    def _due(self, key: tuple[str, str]) -> int:
        """How many have not been logged, this one included; 0 if it has to wait."""
        count = self._failures.get(key, 0) + 1
        if key in self._logged:
            self._failures[key] = count
            return 0
        self._logged[key] = None
        self._failures.pop(key, None)
        return count

    def _warn(self, event: UpstreamCall | UnusableAnswer, cause: str) -> None:
        if count := self._due((event.backend, cause)):
            log.warning(
                Line(
                    "rest_failed",
                    {
                        "cause": cause,
                        "backend": event.backend,
                        "tenant": event.tenant,
                        "template": event.template,
                        "count": count,
                        "request": event.request_id,
                        "trace_id": event.trace and event.trace.trace_id,
                    },
                )
            )


def _counted(codes: Sequence[str]) -> str | None:
    """
    >>> _counted(["NOT_FOUND", "FORBIDDEN", "NOT_FOUND"])
    'NOT_FOUND*2,FORBIDDEN'
    """
    if not codes:
        return None
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
