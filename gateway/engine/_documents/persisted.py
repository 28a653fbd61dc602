"""Finds the document of a request that names it instead of sending it, and says which may run.

A request can name a document in three ways: by Apollo's `extensions.persistedQuery`, by
`documentId` of GraphQL over HTTP (appendix "Persisted Documents"), or by Relay's `doc_id`. Trusted
documents come from a manifest, automatic persisted queries (APQ) from clients at run time.
"""

from __future__ import annotations

import hashlib
import re
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from gateway.engine._documents.limits import TOKEN
from gateway.engine._documents.shared_cache import SharedCache
from gateway.errors import (
    InvalidInput,
    PersistedQueryNotAllowed,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
)

Mode = Literal["off", "log", "enforce"]
PREFIX: Final = "sha256:"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
POLLED: Final = re.compile(r"(query (\w+ )?)?{ (__typename|_service { sdl }) }")
"""What gateways ask a subgraph by themselves: whether it is there, and its schema."""
MAX_POLLED: Final = 500
"""Characters, comments included."""
_EMPTY: Final[Mapping[str, str]] = types.MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentText:
    """The text of the document that a request means."""

    text: str = field(repr=False)
    trusted: bool = False
    """Whether the manifest has it."""
    unknown: str | None = None
    """The SHA-256 of a document that runs only because the mode is `log`: it is missing in the
    manifest.
    """
    offered: bytes | None = field(default=None, repr=False)
    """The digest under which a client registers or uses it; `keep` stores it."""


@dataclass(frozen=True, slots=True)
class _Name:
    id: str
    binding: bool
    """Whether a text that is sent along must have this hash."""


class PersistedDocuments:
    """The documents of a manifest, and those that clients register in `store`.

    `off` does not use the manifest. `log` runs everything and reports what the manifest lacks.
    `enforce` runs the manifest's documents, by id or by their exact text, and what is `POLLED`;
    clients register nothing. Without a `store` there are no automatic persisted queries.
    """

    def __init__(
        self,
        manifest: Mapping[str, str] = _EMPTY,
        *,
        mode: Mode = "off",
        store: SharedCache[bytes, bytes] | None = None,
    ) -> None:
        self._mode = mode
        self.store = None if mode == "enforce" else store
        self.trust(manifest)

    def trust(self, manifest: Mapping[str, str]) -> None:
        """Use this manifest from now on, in place of the last one, which counts until this one's
        texts are hashed: requests are answered meanwhile.
        """
        by_id = _EMPTY if self._mode == "off" else manifest
        by_hash = {_sha256(text).hex(): text for text in by_id.values()}
        texts = frozenset(by_hash.values())
        self._by_id, self._by_hash, self.texts = by_id, by_hash, texts

    def find(
        self,
        query: str | None,
        *,
        document_id: str | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> DocumentText:
        """The document that these parameters of a request mean. If a text is sent, that is it.

        Raises InvalidInput if they contradict each other or a name is malformed; otherwise
        PersistedQueryNotSupported, PersistedQueryNotFound or PersistedQueryNotAllowed.
        """
        name = self._name(document_id or None, (extensions or {}).get("persistedQuery"))
        if query:
            return self._sent(query, name)
        if name is not None:
            return self._named(name)
        if query is None:
            raise InvalidInput("There is no query, and no id of one.", field=["query"])
        return self._judged(query)  # the parser says that it is empty

    def missing(
        self,
        *,
        document_id: str | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> str | None:
        """The SHA-256, in hex, by which these parameters name a document that a client may have
        registered elsewhere; None if it is here, or can't be.
        """
        if self.store is None:
            return None
        name = self._name(document_id or None, (extensions or {}).get("persistedQuery"))
        digest = "" if name is None else name.id.removeprefix(PREFIX)
        if name is None or name.id in self._by_id or digest in self._by_hash:
            return None
        if not _HASH.fullmatch(digest) or bytes.fromhex(digest) in self.store:
            return None
        return digest

    def keep(self, document: DocumentText, *, accepted: bool = True) -> None:
        """Register `document` if a client offers it. `accepted` says whether a backend has accepted
        the caller's token.

        Call this only for a valid document, or clients could fill the store with any text.
        """
        if document.offered is not None and self.store is not None:
            self.store.put(document.offered, document.text.encode(), accepted=accepted)

    def _name(self, document_id: str | None, persisted_query: object) -> _Name | None:
        apollo = None
        if persisted_query is not None:
            if self.store is None and self._mode == "off":
                # With a text too: Apollo's clients then stop sending hashes.
                raise PersistedQueryNotSupported
            apollo = self._apollo_hash(persisted_query)
        if document_id is None:
            return None if apollo is None else _Name(apollo, binding=True)
        prefixed = document_id.startswith(PREFIX)
        if prefixed and not _HASH.fullmatch(document_id.removeprefix(PREFIX)):
            raise InvalidInput(
                "A document's id that begins with sha256: goes on with 64 hexadecimal digits in "
                "lower case."
            )
        if apollo is not None and apollo != document_id.removeprefix(PREFIX):
            raise InvalidInput("extensions.persistedQuery names another document than the id does.")
        return _Name(document_id, binding=prefixed or apollo is not None)

    def _apollo_hash(self, persisted_query: object) -> str:
        """The hash of `{"version": 1, "sha256Hash": "..."}`, or the id in its place.

        A manifest may have been made with ids of another kind; Apollo's client sends those there.
        """
        at = ["extensions", "persistedQuery"]
        if not isinstance(persisted_query, Mapping):
            raise InvalidInput("extensions.persistedQuery is an object.", field=at)
        version = persisted_query.get("version")
        if type(version) is not int or version != 1:
            raise InvalidInput(
                "The version of extensions.persistedQuery is 1.", field=[*at, "version"]
            )
        given = persisted_query.get("sha256Hash")
        if isinstance(given, str) and (given in self._by_id or _HASH.fullmatch(given)):
            return given
        raise InvalidInput(
            "sha256Hash is 64 hexadecimal digits in lower case.", field=[*at, "sha256Hash"]
        )

    def _sent(self, text: str, name: _Name | None) -> DocumentText:
        if name is None or not name.binding or self._by_id.get(name.id) == text:
            return self._judged(text)
        digest = _sha256(text)
        if digest.hex() != name.id.removeprefix(PREFIX):
            raise InvalidInput("The hash beside the query is not the SHA-256 of this query.")
        return self._judged(text, offered=None if self.store is None else digest)

    def _named(self, name: _Name) -> DocumentText:
        digest = name.id.removeprefix(PREFIX)
        trusted = self._by_id.get(name.id) or self._by_hash.get(digest)
        if trusted is not None:
            return self._judged(trusted)
        if self.store is None and self._mode == "off":
            raise PersistedQueryNotSupported
        text, offered = None, None
        if self.store is not None and _HASH.fullmatch(digest):
            offered = bytes.fromhex(digest)
            text = self.store.get(offered)
        if text is None:
            raise PersistedQueryNotFound
        return self._judged(text.decode(), offered=offered)  # `keep` may move it

    def _judged(self, text: str, *, offered: bytes | None = None) -> DocumentText:
        """The document of this text, if it may run."""
        if text in self.texts:
            return DocumentText(text=text, trusted=True)
        if self._mode == "off" or _polled(text):
            return DocumentText(text=text, offered=offered)
        if self._mode == "enforce":
            raise PersistedQueryNotAllowed
        unknown = (offered or _sha256(text)).hex()
        return DocumentText(text=text, unknown=unknown, offered=offered)


def _polled(text: str) -> bool:
    if len(text) > MAX_POLLED:
        return False
    tokens = " ".join(token[0] for token in TOKEN.finditer(text) if token.lastgroup)
    return POLLED.fullmatch(tokens) is not None


def _sha256(text: str) -> bytes:
    try:
        return hashlib.sha256(text.encode()).digest()
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
        raise InvalidInput("The query is not Unicode.", field=["query"]) from None
