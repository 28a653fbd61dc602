"""An API's answer, as adapters get it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

import msgspec

from gateway.errors import InvalidAnswer

MAX_REASON: Final = 200
MAX_MESSAGE: Final = 1_000
"""Characters of a message that are examined; it may have millions."""
ADDRESS: Final = re.compile(r"\S[.:@]\w|//|localhost", re.IGNORECASE)


DecodedT = TypeVar("DecodedT")


class _Reason(msgspec.Struct):
    message: str = ""


@dataclass(slots=True, kw_only=True)
class SampledAnswer:
    """A 2xx, for those who look at some of them."""

    backend: str
    method: str
    template: str
    request_id: str
    body: bytes = field(repr=False)
    usable: bool = True
    """False once it was reported that the body can't be used."""


@dataclass(slots=True)  # a frozen one takes four times as long to make
class Answer:
    """A 2xx, or a 4xx that only the adapter can interpret."""

    status: int
    body: bytes = field(repr=False)
    private: tuple[str, ...] = field(default=(), repr=False)
    """Texts of which a message that has one is never shown: the token, the host."""

    on_unusable: Callable[[str], None] | None = field(default=None, repr=False, compare=False)
    """Called with the problem if the body can't be used."""

    def decoded(self, decode: Callable[[bytes], DecodedT]) -> DecodedT:
        """`decode(body)`; calls `on_unusable` if that raises InvalidAnswer."""
        try:
            return decode(self.body)
        except InvalidAnswer as unusable:
            if self.on_unusable is not None:
                self.on_unusable(unusable.message)
            raise

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def reason(self) -> str:
        """The upstream's reason for a refusal as one short sentence, or "" if it can't be shown.

        It is the beginning of a JSON object's `message`, unless that may contain a URL, a host or a
        mail address.
        """
        try:
            message = msgspec.json.decode(self.body, type=_Reason).message
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        # The whole message is searched, because cutting it could leave most of a token.
        if any(word in message for word in self.private):
            return ""
        printable = [c if c.isprintable() else " " for c in message[:MAX_MESSAGE]]
        said = " ".join("".join(printable).split())
        if ADDRESS.search(said):
            return ""
        said = said[:MAX_REASON].rstrip(". ")
        return f" It says: {said}." if said else ""


class Note(Protocol):
    """Of a call whose answer came."""

    size: int | None
    """Bytes of its body."""
    rows: int | None
    """How many it has, if it is a list."""


@dataclass(slots=True, kw_only=True)
class NotedAnswer(Answer):
    """One whose call is noted."""

    note: Note

    def decoded(self, decode: Callable[[bytes], DecodedT]) -> DecodedT:
        decoded = Answer.decoded(self, decode)
        if isinstance(decoded, tuple):  # a listing, and its rows
            self.note.rows = len(decoded[1])
        return decoded
