"""Which bearer tokens a backend has lately accepted.

A made-up token looks like any other; backends know, and say so with every answer. What is
remembered of a token is a keyed hash. It opens nothing, and without the key, which only this
process has, nobody can try whether it is that of a token.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Final

from cachetools import LRUCache

CAPACITY: Final = 10_000
"""Tokens; some 3 MB. Whose token is forgotten is a stranger until its next REST call."""
LIFETIME: Final = 600.0
"""Seconds."""


class AcceptedTokens:
    """Those of this process; the one that was unused for longest makes room for a new one."""

    def __init__(self, *, capacity: int = CAPACITY, lifetime: float = LIFETIME) -> None:
        self._key = secrets.token_bytes(32)
        self._remembered: LRUCache[bytes, TokenStatus] = LRUCache(capacity)
        self._lifetime = lifetime

    def __len__(self) -> int:
        return len(self._remembered)

    def status(self, token: str) -> TokenStatus:
        """What is remembered of `token`. A token that nobody has accepted takes no room."""
        digest = hashlib.blake2b(token.encode(), key=self._key, digest_size=16).digest()
        try:
            token_status = self._remembered[digest]
        except KeyError:
            return TokenStatus(self, digest)
        token_status.accepted = token_status.until > time.monotonic()
        return token_status

    def until(self) -> float:
        """How long a token counts that is accepted now."""
        return time.monotonic() + self._lifetime

    def remember(self, digest: bytes, token_status: TokenStatus) -> None:
        self._remembered[digest] = token_status

    def forget(self, digest: bytes) -> None:
        self._remembered.pop(digest, None)


class TokenStatus:
    """What backends have said of one token."""

    __slots__ = ("_tokens", "accepted", "digest", "until")

    def __init__(self, tokens: AcceptedTokens, digest: bytes) -> None:
        self._tokens = tokens
        self.digest = digest
        """Stands for the token, and opens nothing."""
        self.accepted = False
        """Whether one has lately accepted it."""
        self.until = 0.0

    def answered(self, status: int) -> None:
        """Take note of the status that a backend has answered to a REST call with this token.

        Only success shows that a token is good: a server may say 404, 409 or 400 before it looks at
        who asks. 403 is said to a token that is good for something else, so it changes nothing.
        """
        if 200 <= status < 300:
            self.until = self._tokens.until()
            if not self.accepted:
                self.accepted = True
                self._tokens.remember(self.digest, self)
        elif status == 401:
            self.accepted = False
            self._tokens.forget(self.digest)
