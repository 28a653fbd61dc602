"""The texts that clients have registered, by their SHA-256, within a number of bytes."""

from __future__ import annotations

from typing import Final

from cachetools import LRUCache

OVERHEAD: Final = 512
"""Bytes that an entry takes in addition to its text: the key, object headers, slots of three
tables. Measured with CPython 3.11: 310 to 470, by how full the tables are.
"""
STRANGERS: Final = 1 / 8
"""The part of the memory for texts of callers whose token no backend has accepted."""


class DocumentStore:
    """Evicts the least recently used text: a stranger's text evicts only strangers' texts, an
    accepted caller's only those of accepted callers.

    All callers share it, and nothing is stored about who sent a text. A caller who has a text can
    find out by its hash whether someone has sent it. That is part of the protocol; values belong in
    variables, which are never stored.
    """

    def __init__(self, max_bytes: int) -> None:
        # UTF-8 rather than str, whose size one character can multiply by four.
        self.accepted: LRUCache[bytes, bytes] = LRUCache(max_bytes, getsizeof=_size)
        self.strangers: LRUCache[bytes, bytes] = LRUCache(
            int(max_bytes * STRANGERS), getsizeof=_size
        )

    def get(self, digest: bytes) -> str | None:
        """The text, which is now the most recently used."""
        text = self.accepted.get(digest) or self.strangers.get(digest)
        return None if text is None else text.decode()

    def put(self, digest: bytes, text: str, *, accepted: bool) -> None:
        """Store `text`, whose hash the caller has checked, unless it is larger than the store. A
        stranger's text moves to the accepted ones when an accepted caller registers or uses it.
        """
        if self.accepted.get(digest) is not None:
            return
        texts = self.accepted if accepted else self.strangers
        encoded = text.encode()
        if _size(encoded) <= texts.maxsize:
            texts[digest] = encoded
            if accepted:
                self.strangers.pop(digest, None)


def _size(text: bytes) -> int:
    return len(text) + OVERHEAD
