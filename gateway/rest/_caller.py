"""How an API is reached and for whom: as much of it as has to be known here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.rest._answer import Note
from gateway.rest._answer_cache import AnswerCache
from gateway.rest._events import UpstreamCall
from gateway.trace_context import TraceContext


class Budget(Protocol):
    """How many calls an operation may make. What is sent again counts too."""

    def allows(self, calls: int) -> bool:
        """Whether so many more fit."""

    def spend(self, *, repeat: bool = False) -> None:
        """Count a call that is about to be sent; raises where none is left."""

    def give_back(self, *, repeat: bool = False) -> None:
        """Take off a call that was counted and then not sent at all."""


class KnownToken(Protocol):
    """What is known of a caller's token."""

    @property
    def digest(self) -> bytes:
        """Stands for the token wherever something is kept for it."""

    @property
    def accepted(self) -> bool:
        """Whether an API has accepted it recently."""

    def answered(self, status: int, tenant_uid: str) -> None:
        """Take note of the status of an answer about this tenant."""


class CallLog(Protocol):
    """Takes note of one operation's calls, for whoever wants to see them."""

    def due(self) -> None:
        """The current task is to make a call, and waits for its turn."""

    def begin(self, names: Sequence[str]) -> None:
        """The current task begins a call, with these values in its path."""

    def note(self, event: UpstreamCall) -> Note:
        """It was sent, perhaps again."""

    @property
    def last(self) -> Note:
        """Of the call that the current task has made last."""

    def answered(self, note: Note) -> None:
        """It was answered by the call of this note, which may be an earlier one."""


@dataclass(slots=True, kw_only=True)  # a frozen one takes four times as long to make
class RestCaller:
    """One operation on one tenant, with the caller's token, which stays out of every repr."""

    tenant_uid: str
    """A name, which means nothing here."""
    token: str | None = field(repr=False)
    """The one that was sent for this API."""
    bearer_header: str = "Authorization"
    """Where it is looked for."""
    request_id: str
    trace: TraceContext | None = None
    """The operation's span, if it has one: if it is recorded, so is each call, as one below it."""
    passed_on: Mapping[str, str] = field(default_factory=dict)
    """Further headers that each request carries."""
    deadline: float
    """The event loop's time at which the operation's time is over."""
    meter: Budget
    answers: AnswerCache | None = None
    """Where what was read is kept, of an operation that changes nothing."""
    calls: CallLog | None = None
    """Where each call is noted, of an operation that shows them."""
    token_status: KnownToken | None = None
    """What is known of the token; None where there is none, or nobody keeps that."""

    @property
    def accepted(self) -> bool:
        """Whether a backend has accepted the token recently. For other callers nothing is kept."""
        return self.token_status is not None and self.token_status.accepted


class RestSettings(Protocol):
    """How an API is reached; what each of these means is said where the settings are declared."""

    @property
    def url(self) -> str | None: ...

    @property
    def connect_timeout(self) -> float: ...

    @property
    def timeout(self) -> float: ...

    @property
    def max_body(self) -> int: ...

    @property
    def concurrency(self) -> int: ...

    @property
    def retries(self) -> int: ...

    @property
    def max_retry_after(self) -> float: ...

    @property
    def max_tenant_pause(self) -> float: ...
