"""What a REST API answers, as adapters get it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import msgspec

MAX_REASON: Final = 200
MAX_MESSAGE: Final = 1_000
"""Characters of a message that are looked at: it may have millions."""
ADDRESS: Final = re.compile(r"\S[.:@]\w|//|localhost", re.IGNORECASE)


class _Refusal(msgspec.Struct):
    message: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx, or a 4xx that only the adapter can read."""

    status: int
    body: bytes = field(repr=False)
    private: tuple[str, ...] = field(default=(), repr=False)
    """What is never to be shown, were the upstream to say it: the token, the host."""

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
