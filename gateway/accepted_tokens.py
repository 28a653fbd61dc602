"""Which bearer tokens a backend has accepted in the last minutes.

Only backends know whether a token is valid; every answer of theirs shows it. Of a token, only a
keyed hash is remembered. It grants nothing, and without the key, which is this process's own or a
secret setting, nobody can check whether it belongs to a given token.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Final

from cachetools import LRUCache

CAPACITY: Final = 10_000
"""Tokens. A caller whose token was evicted is a stranger until the next REST call."""
BYTES: Final = 300
"""Of one token, about."""
MAX_TENANTS: Final = 100
"""Of one token; most have one."""
LIFETIME: Final = 600.0
"""Seconds."""


class AcceptedTokens:
    """The accepted tokens of this process; a new one evicts the least recently used."""

    def __init__(
        self, key: str | None = None, *, capacity: int = CAPACITY, lifetime: float = LIFETIME
    ) -> None:
        """With the same `key`, tokens have the same fingerprints in other processes."""
        self._key = secrets.token_bytes(32) if key is None else _digest(key)
        self._remembered: LRUCache[bytes, TokenStatus] = LRUCache(capacity)
        self._lifetime = lifetime
        self.hits = self.misses = 0
        """Of look-ups by `status`."""

    @property
    def size(self) -> int:
        """Bytes, about."""
        return BYTES * len(self)

    def __len__(self) -> int:
        return len(self._remembered)

    def status(self, token: str) -> TokenStatus:
        """The status of `token`. Nothing is stored for one that no backend has accepted."""
        digest = hashlib.blake2b(token.encode(), key=self._key, digest_size=16).digest()
        try:
            token_status = self._remembered[digest]
        except KeyError:
            self.misses += 1
            return TokenStatus(self, digest)
        token_status.accepted = token_status.until > time.monotonic()
        self.hits += token_status.accepted
        self.misses += not token_status.accepted
        return token_status

    def until(self) -> float:
        """Until when a token that is accepted now counts as accepted."""
        return time.monotonic() + self._lifetime

    def remember(self, digest: bytes, token_status: TokenStatus) -> None:
        self._remembered[digest] = token_status

    def forget(self, digest: bytes) -> None:
        self._remembered.pop(digest, None)


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=32).digest()


class TokenStatus:
    """What backends have said of one token."""

    __slots__ = ("_tenants", "_tokens", "accepted", "digest", "until")

    def __init__(self, tokens: AcceptedTokens, digest: bytes) -> None:
        self._tokens = tokens
        self.digest = digest
        """Identifies the token, and grants nothing."""
        self.accepted = False
        """Whether a backend has accepted it within the last LIFETIME seconds."""
        self.until = 0.0
        self._tenants: dict[str, None] = {}
        """Those for which it was accepted, the latest last."""

    def accepted_for(self, tenant_uid: str) -> bool:
        """Whether it is accepted, and has been for this tenant, as far as that is remembered."""
        return self.accepted and tenant_uid in self._tenants

    @property
    def fingerprint(self) -> str:
        """Tells the token's callers from others in the log."""
        return self.digest[:6].hex()

    def answered(self, status: int, tenant_uid: str) -> None:
        """Learn from the status that a tenant's backend has answered to a call with this token.

        Only success shows that a token is valid: a server may answer 404, 409 or 400 before it
        checks the token. 403 means that it is valid for something else, so it changes nothing.
        """
        if 200 <= status < 300:
            self.until = self._tokens.until()
            if tenant_uid not in self._tenants:
                if len(self._tenants) == MAX_TENANTS:
                    del self._tenants[next(iter(self._tenants))]
                self._tenants[tenant_uid] = None
            if not self.accepted:
                self.accepted = True
                self._tokens.remember(self.digest, self)
        elif status == 401:
            self.accepted = False
            self._tokens.forget(self.digest)
