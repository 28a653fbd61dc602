"""What the caches of documents and of registered texts hold."""

from __future__ import annotations

from gateway.engine._documents.documents import Documents
from gateway.engine._documents.store import DocumentStore


def taken(documents: Documents) -> int:
    """The bytes that cached documents take, as estimated."""
    caches = (documents.trusted, documents.accepted, documents.strangers)
    return int(sum(cache.currsize for cache in caches))


def stored(store: DocumentStore) -> int:
    """The bytes that registered texts take."""
    return int(store.accepted.currsize + store.strangers.currsize)


def texts(store: DocumentStore) -> int:
    """How many are registered."""
    return len(store.accepted) + len(store.strangers)
