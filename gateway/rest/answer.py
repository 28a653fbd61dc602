"""What a REST API answers, as adapters get it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import msgspec

MAX_REASON: Final = 200
ADDRESS: Final = re.compile(r"\S[.:@]+\w|//|localhost", re.IGNORECASE)


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

        Only the `message` of a JSON object is read; text with what could be a URL, a host or a mail
        address in it is not passed on.
        """
        said = self.said()
        if ADDRESS.search(said) or any(word in said for word in self.private):
            return ""
        said = said[:MAX_REASON].rstrip(". ")
        return f" It says: {said}." if said else ""

    def said(self) -> str:
        """The whole of that message on one line, whatever is in it; never to be shown."""
        try:
            message = msgspec.json.decode(self.body, type=_Refusal).message
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        return " ".join("".join(c if c.isprintable() else " " for c in message).split())
