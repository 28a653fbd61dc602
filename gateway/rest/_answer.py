"""What a REST API answers, as adapters get it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from gateway.errors import InvalidAnswer

MAX_REASON: Final = 200
MAX_MESSAGE: Final = 1_000
"""Characters of a message that are looked at: it may have millions."""
ADDRESS: Final = re.compile(r"\S[.:@]\w|//|localhost", re.IGNORECASE)


DecodedT = TypeVar("DecodedT")


class _Refusal(msgspec.Struct):
    message: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx, or a 4xx that only the adapter can read."""

    status: int
    body: bytes = field(repr=False)
    private: tuple[str, ...] = field(default=(), repr=False)
    """What is never to be shown, were the upstream to say it: the token, the host."""

    tell: Callable[[str], None] | None = field(default=None, repr=False, compare=False)
    """Who is to hear that the body can't be used, and what is wrong with it."""

    def decoded(self, decode: Callable[[bytes], DecodedT]) -> DecodedT:
        """What `decode` makes of the body; where that raises InvalidAnswer, it is told of."""
        try:
            return decode(self.body)
        except InvalidAnswer as unusable:
            if self.tell is not None:
                self.tell(unusable.message)
            raise

    def size(self) -> int:
        """Of its body, in bytes."""
        return len(self.body)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def reason(self) -> str:
        """What the upstream says of a refusal, as one short plain sentence, or "" where it can't
        be shown.

        Only the beginning of the `message` of a JSON object is read; text with what could be a URL,
        a host or a mail address in it is not passed on.
        """
        try:
            message = msgspec.json.decode(self.body, type=_Refusal).message
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        # In all of it, for what is cut off might leave the better part of a token.
        if any(word in message for word in self.private):
            return ""
        printable = [c if c.isprintable() else " " for c in message[:MAX_MESSAGE]]
        said = " ".join("".join(printable).split())
        if ADDRESS.search(said):
            return ""
        said = said[:MAX_REASON].rstrip(". ")
        return f" It says: {said}." if said else ""
