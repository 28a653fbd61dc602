"""What happened, as small events, and who listens. No event carries a token, a value or a host."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

log = logging.getLogger("gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCall:
    """One REST request that was sent. `status` is None where no answer came; `seconds` is the time
    it took.
    """

    backend: str
    method: str
    template: str
    status: int | None
    seconds: float
    attempt: int
    request_id: str


@dataclass(slots=True)
class Meter:
    """What one operation has cost so far."""

    rest_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDone:
    """One GraphQL operation that was answered; `error_codes` are those of its errors, in order."""

    operation_name: str | None
    seconds: float
    rest_calls: int
    error_codes: Sequence[str]
    request_id: str


Event = UpstreamCall | OperationDone
Observer = Callable[[Event], None]


def log_event(event: Event) -> None:
    """An observer that writes one line an event: REST calls at DEBUG, operations at INFO."""
    match event:
        case UpstreamCall():
            log.debug(
                "rest %s %s %s status=%s ms=%.1f attempt=%d request=%s",
                event.backend,
                event.method,
                event.template,
                event.status,
                event.seconds * 1000,
                event.attempt,
                event.request_id,
            )
        case OperationDone():
            log.info(
                "graphql %s ms=%.1f rest_calls=%d errors=%s request=%s",
                event.operation_name or "-",
                event.seconds * 1000,
                event.rest_calls,
                _counted(event.error_codes),
                event.request_id,
            )


def _counted(codes: Sequence[str]) -> str:
    """
    >>> _counted(["NOT_FOUND", "FORBIDDEN", "NOT_FOUND"]), _counted([])
    ('NOT_FOUND*2,FORBIDDEN', '-')
    """
    counts = Counter(codes)
    return ",".join(code if n == 1 else f"{code}*{n}" for code, n in counts.items()) or "-"
