"""Caches of documents and of their texts, which all callers share, within a number of bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from cachetools import LRUCache

STRANGERS: Final = 1 / 8
"""The part of the memory for what callers send whose token no backend has accepted."""
OVERHEAD: Final = 512
"""Bytes that a text takes in addition: the key, object headers, slots of three tables. Measured
with CPython 3.11: 310 to 470, by how full the tables are.
"""
KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class SharedCache(Generic[KeyT, ValueT]):
    """Evicts the least recently used entry: a stranger's evicts only strangers' entries, an
    accepted caller's only those of accepted callers.

    Nothing is stored about who sent an entry. A caller who has a text can find out whether someone
    has sent it. That is part of the protocol of persisted queries; values belong in variables,
    which are never stored.
    """

    def __init__(self, max_bytes: int, size: Callable[[ValueT], int]) -> None:
        self.accepted: LRUCache[KeyT, ValueT] = LRUCache(max_bytes, getsizeof=size)
        self.strangers: LRUCache[KeyT, ValueT] = LRUCache(
            int(max_bytes * STRANGERS), getsizeof=size
        )
        self.hits = self.misses = 0
        """Of look-ups by `get`."""

    @property
    def size(self) -> int:
        """Bytes, as `size` has them of values."""
        return int(self.accepted.currsize + self.strangers.currsize)

    def get(self, key: KeyT, *, accepted: bool = False) -> ValueT | None:
        """The value, which is now the most recently used; one that an `accepted` caller uses is no
        longer a stranger's.
        """
        try:
            value = self.accepted[key]
        except KeyError:
            found = self.strangers.get(key)
            if found is None:
                self.misses += 1
                return None
            value = found
            if accepted:
                self.put(key, value, accepted=True)
        self.hits += 1
        return value

    def __contains__(self, key: KeyT) -> bool:
        return key in self.accepted or key in self.strangers

    def holds(self, key: KeyT, value: ValueT) -> bool:
        """Whether it is `value` that is stored under `key`."""
        return self.accepted.get(key, self.strangers.get(key)) is value

    def put(self, key: KeyT, value: ValueT, *, accepted: bool) -> None:
        """Store `value`, unless it is larger than the cache. A stranger's entry becomes an accepted
        caller's who stores it again, and an accepted caller's stays one.
        """
        if accepted:
            self.strangers.pop(key, None)
        cache = self.accepted if accepted or key in self.accepted else self.strangers
        if cache.getsizeof(value) <= cache.maxsize:
            cache[key] = value
        else:
            cache.pop(key, None)


def document_store(max_bytes: int) -> SharedCache[bytes, bytes]:
    """For the texts that clients register, by their SHA-256. They are in UTF-8, because one
    character can multiply the size of a str by four.
    """
    return SharedCache(max_bytes, lambda text: len(text) + OVERHEAD)
