"""What the caches of documents and of registered texts hold."""

from __future__ import annotations

from typing import Any

from gateway.engine._documents.documents import Documents
from gateway.engine._documents.shared_cache import SharedCache


def taken(documents: Documents) -> int:
    """The bytes that cached documents take, as estimated."""
    return stored(documents.trusted) + stored(documents.others)


def stored(store: SharedCache[Any, Any]) -> int:
    """The bytes that its entries take."""
    return int(store.accepted.currsize + store.strangers.currsize)


def texts(store: SharedCache[Any, Any]) -> int:
    """How many are registered."""
    return len(store.accepted) + len(store.strangers)
