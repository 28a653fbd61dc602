"""Automatic persisted queries in Redis: what a client registers at one replica, all can run.

Texts of documents are stored, and nothing else of requests. Whoever can write into Redis can't make
a hash stand for another text: what comes back is hashed again.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from cachetools import TTLCache

from gateway.replicas.client import RedisClient, Unanswered

USE: Final = "persisted_queries"
PREFIX: Final = "gateway:apq:"
INDEX: Final = "gateway:apq"
"""A sorted set of the hashes, by when they were registered."""
LIFETIME: Final = 7 * 86_400
"""Seconds for which a text is stored after it was registered."""
AGAIN: Final = 60.0
"""Seconds in which a text is not stored again that a client sends beside its hash each time."""
MOST: Final = 10_000
"""Texts; one more evicts the one that was registered first."""
MAX_TEXT: Final = 30_000
"""Bytes; a longer text is not shared."""
REGISTER: Final = """
local clock = redis.call('TIME')
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
redis.call('ZADD', KEYS[1], clock[1] + clock[2] / 1000000, ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
local surplus = redis.call('ZCARD', KEYS[1]) - ARGV[4]
if surplus > 0 then
  for n, hash in ipairs(redis.call('ZPOPMIN', KEYS[1], surplus)) do
    if n % 2 == 1 then redis.call('DEL', KEYS[1] .. ':' .. hash) end
  end
end
"""


class SharedQueries:
    """The texts that clients have registered at any replica, by their SHA-256 in hex."""

    def __init__(self, redis: RedisClient, *, most: int = MOST) -> None:
        self._redis = redis
        self._most = most
        self._put: TTLCache[str, None] = TTLCache(most, ttl=AGAIN)

    async def get(self, sha256: str) -> str | None:
        """The text; None if it is not there, not the right one, or Redis does not answer."""

        def verified(answer: Any) -> str | None:
            if not answer:
                return None
            if hashlib.sha256(answer).hexdigest() != sha256:
                raise ValueError("This is another text.")
            return str(answer, "utf-8")

        try:
            # No more than was stored, for others may have stored anything.
            return await self._redis.ask(
                USE, "GETRANGE", f"{PREFIX}{sha256}", 0, MAX_TEXT - 1, read=verified
            )
        except Unanswered:
            return None

    async def put(self, sha256: str, text: str) -> None:
        """Store a valid document's text. Nothing fails if that can't be done."""
        encoded = text.encode()
        if len(encoded) > MAX_TEXT or sha256 in self._put:
            return
        command = ("EVAL", REGISTER, 2, INDEX, f"{PREFIX}{sha256}")
        given = (sha256, encoded, LIFETIME, self._most)
        try:
            await self._redis.ask(USE, *command, *given, read=lambda _: None)
            self._put[sha256] = None
        except Unanswered:
            return
