"""What happened, as small events, and who listens. No event carries a token, a value or a host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import Struct

from gateway.errors import LimitExceeded
from gateway.rest import BreakerChanged, UnusableAnswer, UpstreamCall
from gateway.trace_context import TraceContext


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
    scopes: Collection[str] = ()
    """The tenants at which calls are expected."""
    reserved: int = 0
    """How many of the calls look-ups of groups leave for all else."""
    looked_up: int = 0
    """How many calls were begun for look-ups, at all tenants."""
    rest_calls: int = 0
    repeats: int = 0
    """How many of them were sent again after a failure."""

    @property
    def room(self) -> int | None:
        """How many more calls look-ups may make; None for any number."""
        if self.limit is None:
            return None
        return max(0, self.limit - max(self.rest_calls, self.reserved + self.looked_up))

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
        kept = ", or kept for its other fields" if self.rest_calls < limit else ""
        return LimitExceeded(
            f"This takes up to {calls} REST calls, and {left} of the operation's {limit} "
            "are left; ask for less at once."
            if left > 0
            else f"The operation's {limit} REST calls are used up{kept}; ask for less at once.",
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


Outcome = Literal["ok", "partial", "failed", "refused", "client_gone"]
"""Of an operation: `partial` has errors beside data, or failures in payloads; `failed` has errors
and no data; what is `refused` did not run.
"""


class OperationPrepared(Struct, frozen=True, kw_only=True):
    """An operation was read and planned, or refused before it ran; for recorded traces only."""

    parsing: float
    """Seconds until its document was valid, or refused."""
    planning: float | None
    """Seconds from then on, until it could run or was refused; None without a valid document."""
    trace: TraceContext


class OperationDone(Struct, frozen=True, kw_only=True):
    """A request for an operation was answered or refused, or its client has gone; `error_codes` are
    those of its errors, in order.
    """

    operation_name: str | None
    """As the document has it; of one that was not read, as the client says, if that is a name."""
    seconds: float
    """From the first byte of the request until the response was written."""
    rest_calls: int = 0
    repeats: int = 0
    """How many of those calls were sent again after a failure."""
    planned: int = 0
    """The most REST calls that were expected."""
    limit: int | None = None
    """The most that were allowed."""
    outcome: Outcome = "ok"
    error_codes: Sequence[str]
    limits: Sequence[str] = ()
    """The settings that it exceeds, one for each error that names one."""
    request_id: str
    method: str | None = None
    """Of the request: any text."""
    status: int | None = None
    """Of the response; None where the client has gone before it."""
    kind: str | None = None
    """`query` or `mutation`; None where the document is not valid, or there is none."""
    sha256: str | None = None
    """The hash of the document, in hex; None where `kind` is."""
    tenant: str | None = None
    """The tenants whose backends were asked, else the one that the request names."""
    backend: str | None = None
    """The backends that were asked."""
    client: str | None = None
    """The client's name, as it says. Any text, but short; so is its version."""
    client_version: str | None = None
    token: str | None = None
    """The fingerprints of the caller's tokens."""
    trace: TraceContext | None = None
    """Where it stands in a trace, if it does."""
    trusted: bool = False
    """Whether a manifest has its document."""
    accepted: bool = False
    """Whether a backend has accepted the caller's token: if not, anybody may have sent it."""


class ContractDeviation(Struct, frozen=True, kw_only=True):
    """An answer of a backend, one of the few that are looked at, is not as documented."""

    backend: str
    template: str
    member: str
    """Such as ``items[].addresses[].country``; `other` where too many were told."""
    kind: str
    """unknown_member, unknown_value, wrong_type, missing or null."""
    example: str
    """The shape of what came instead, such as ``text of 12 characters``."""
    known: bool
    """Whether the documents themselves show it, as in their examples."""


class ChangeDone(Struct, frozen=True, kw_only=True):
    """A change was asked of a backend. Of customers it has counts alone: those of an edit that were
    added, removed, unchanged, refused, and those of whom it is not known; None for other changes.
    """

    kind: str
    """The mutation's field."""
    outcome: str
    """`done`; `partial`, for some of its customers; `refused`, and nothing was changed; `unknown`.
    """
    code: str | None = None
    """Why it was not done."""
    tenant: str
    backend: str
    group_uid: str | None
    group_key: str | None
    """If the request has it: the key by which it names the group, or a new group's."""
    added: int | None = None
    removed: int | None = None
    unchanged: int | None = None
    failed: int | None = None
    unknown: int | None = None
    token: str | None
    client: str | None
    client_version: str | None
    request_id: str
    trace: TraceContext | None = None


class RequestRefused(Struct, frozen=True, kw_only=True):
    """A request was refused before it reached the endpoint; `limit` is the setting it exceeds."""

    status: int
    limit: str | None


class UntrustedDocument(Struct, frozen=True, kw_only=True):
    """A document ran that the manifest lacks; `sha256` is the hash of its text, in hex."""

    operation_name: str | None
    sha256: str
    request_id: str
    trace: TraceContext | None = None


class LimitReached(Struct, frozen=True, kw_only=True):
    """A client's connection or request was closed or refused because a limit was reached: `limit`
    is the setting, or `descriptors` if the process has no file descriptor left.
    """

    limit: str


class RateLimitReached(Struct, frozen=True, kw_only=True):
    """An operation was refused by the rate limit of its caller or of a tenant."""

    by: str


class RedisCall(Struct, frozen=True, kw_only=True):
    """A command for Redis. `result` is ok; skipped, because Redis is away; busy, because too many
    were under way; timeout, connection, unauthenticated, invalid, or refused, whose `cause` is the
    name of the error.
    """

    use: str
    """persisted_queries or rate_limit; attempt, where it is only to find out whether it answers."""
    result: str
    cause: str | None = None


class RedisChanged(Struct, frozen=True, kw_only=True):
    """From now on nothing is asked of Redis, because it is `away`, or it is `back`."""

    state: str


class Draining(Struct, frozen=True, kw_only=True):
    """The gateway is to stop: it is not ready any more, and accepts connections for `seconds`."""

    seconds: float


class Stopped(Struct, frozen=True, kw_only=True):
    """The gateway has stopped. `cut_off` requests were not answered by then, or their clients had
    not read the answer.
    """

    cut_off: int


Event = (
    UpstreamCall
    | UnusableAnswer
    | BreakerChanged
    | ContractDeviation
    | OperationPrepared
    | OperationDone
    | ChangeDone
    | UntrustedDocument
    | LimitReached
    | RequestRefused
    | RateLimitReached
    | RedisCall
    | RedisChanged
    | Draining
    | Stopped
)
Observer = Callable[[Event], None]
Figure = tuple[str, tuple[str, ...], float]
"""A metric's name, the values of its labels, and a part of its value now: parts are added up."""
Figures = Callable[[], Iterable[Figure]]
"""Reads figures, in the event loop, when somebody wants to know them."""


class Cache(Protocol):
    """What is to be known of a cache."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...


def all_of(*observers: Observer) -> Observer:
    """An observer that tells each of them."""
    if len(observers) == 1:
        return observers[0]

    def observe(event: Event) -> None:
        for each in observers:
            each(event)

    return observe
