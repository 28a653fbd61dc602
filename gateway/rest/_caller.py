"""How an API is reached and for whom: as much of it as has to be known here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Protocol, TypeVar

AnswerT = TypeVar("AnswerT")


class Budget(Protocol):
    """How many calls an operation may make. What is sent again counts too."""

    def allows(self, calls: int) -> bool:
        """Whether so many more fit."""

    def spend(self, *, repeat: bool = False) -> None:
        """Count a call that is about to be sent; raises where none is left."""

    def give_back(self, *, repeat: bool = False) -> None:
        """Take off a call that was counted and then not sent at all."""


class Answers(Protocol):
    """What was answered to the reads of one operation."""

    async def answer(
        self,
        read: Hashable,
        send: Callable[[], Awaitable[AnswerT]],
        *,
        size: Callable[[AnswerT], int],
    ) -> AnswerT:
        """What was answered to this read, which is sent only where nobody else has sent it."""


class TokenStatus(Protocol):
    """What is known of a caller's token."""

    @property
    def digest(self) -> bytes:
        """Stands for the token wherever something is kept for it."""

    def answered(self, status: int) -> None:
        """Take note of the status of an answer."""


class RestCaller(Protocol):
    """One operation on one tenant; the tenant is a name, and means nothing here."""

    @property
    def tenant_uid(self) -> str: ...

    @property
    def token(self) -> str | None: ...

    @property
    def bearer_header(self) -> str: ...

    @property
    def request_id(self) -> str: ...

    @property
    def deadline(self) -> float:
        """The event loop's time at which the operation's time is over."""

    @property
    def meter(self) -> Budget: ...

    @property
    def answers(self) -> Answers | None: ...

    @property
    def token_status(self) -> TokenStatus | None:
        """None where there is no token, or where nobody keeps what is known of it."""


class UpstreamSettings(Protocol):
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
