"""Texts that clients have registered, under their SHA-256, in so many bytes of memory."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

OVERHEAD: Final = 256
"""Bytes that an entry takes beside its text: the key, two object headers, its place in the table.
Measured with CPython 3.11: 170 to 220, by how full the table is.
"""


class DocumentStore:
    """What was not asked for longest makes room for what is new.

    All callers share it, and nothing is kept of whoever sent a text. One thing can be learnt of
    others: a caller who has a text can ask by its hash whether someone has sent it. That lies in
    the protocol; values belong in variables, which are never kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # UTF-8 rather than str, whose size one character can multiply by four.
        self._texts: OrderedDict[bytes, bytes] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes in use; never more than `max_bytes`."""
        return self._size

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, digest: bytes) -> str | None:
        """The text, which is now the last to make room."""
        text = self._texts.get(digest)
        if text is None:
            return None
        self._texts.move_to_end(digest)
        return text.decode()

    def put(self, digest: bytes, text: bytes) -> None:
        """Keep `text`, whose hash the caller has checked; not one that is larger than the store."""
        if digest in self._texts:
            self._texts.move_to_end(digest)
            return
        size = len(text) + OVERHEAD
        if size > self._max_bytes:
            return
        while self._size + size > self._max_bytes:
            _, oldest = self._texts.popitem(last=False)
            self._size -= len(oldest) + OVERHEAD
        self._texts[digest] = text
        self._size += size
