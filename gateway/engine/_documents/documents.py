"""Documents, read: parsed, within the limits and valid, and kept for the next request with the same
text.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    Token,
    parse,
    validate,
)

from gateway.engine._documents.limits import document_refusals, nesting_refusal, text_refusals
from gateway.engine._documents.plainly_valid import plainly_valid
from gateway.engine._documents.prepared import Prepared
from gateway.engine._documents.rules import rules
from gateway.engine._limits import DocumentLimits

MISTAKES: Final = 20
"""So many are listed; who has made more looks again when those are corrected."""

MISTAKES_WITH_SUGGESTIONS: Final = 5
"""For each, an unknown name is compared with all of the schema's, which takes milliseconds."""

BYTES_PER_TOKEN: Final = 620
"""With the nodes that are made of it. About 350 in most documents; most where each is a field."""

BYTES_PER_DOCUMENT: Final = 4_000
"""Of what every document has, however small."""

STRANGERS: Final = 1 / 8
"""Of the memory, for documents of callers whom no backend knows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Document:
    """A valid document. The same text has the same one for as long as it is kept, so that what is
    made from it can be kept beside it.
    """

    node: DocumentNode
    operations: Mapping[str | None, OperationDefinitionNode]
    """By name; None is the name of one that has none."""
    fragments: Mapping[str, FragmentDefinitionNode]
    parsed_size: int
    """About the bytes that it takes by itself, rather too many than too few."""
    prepared: Prepared = field(default_factory=Prepared)

    @property
    def size(self) -> int:
        """With what was made of it, and its text."""
        return self.parsed_size + self.prepared.size

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation of that name; without a name, the only one."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        return self.operations.get(name) if name is not None else None


class Refused(Exception):
    """The operation is not run at all, for these reasons."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class Documents:
    """Reads documents for `schema`. Those that are valid are kept, the longest unused go first.

    Of three kinds none drives out another: those that are `trusted`, and those of accepted callers,
    take about `memory` bytes at the most, and those of strangers `STRANGERS` of it. A stranger's
    document becomes an accepted caller's when one sends it.

    A refused document is not kept: whoever wants to can send another every time, and would only
    drive out those that are of use.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: DocumentLimits,
        *,
        memory: int,
        suggestions: bool,
        introspection: bool,
        trusted: Collection[str] = (),
    ) -> None:
        """`trusted` are the texts of a manifest."""
        self._schema = schema
        self._limits = limits
        self._suggestions = suggestions
        self._rules = rules(limits, introspection=introspection)
        self._texts = frozenset(trusted)
        self._trusted = _cache(memory if self._texts else 0)
        self._accepted = _cache(memory)
        self._strangers = _cache(int(memory * STRANGERS))

    @property
    def taken(self) -> int:
        """The bytes that the kept documents take, as estimated."""
        kept = (self._trusted, self._accepted, self._strangers)
        return int(sum(cache.currsize for cache in kept))

    def knows(self, text: str) -> bool:
        """Whether the text need not be parsed, for it is trusted or of an accepted caller."""
        return text in self._accepted or text in self._trusted

    def read(self, text: str, *, accepted: bool = True) -> Document | Sequence[GraphQLError]:
        """The document, or all that is wrong with it: of its length, else its syntax, else how much
        it asks for, else its validity. `accepted` says whether a backend knows the caller.
        """
        cache = self._cache(text, accepted=accepted)
        try:
            return cache[text]
        except KeyError:
            document = self._accepted.get(text)
        if document is not None:
            return document
        read = self._strangers.pop(text, None) or self._read(text)
        if isinstance(read, Document):
            _put(cache, text, read)
        return read

    def weigh(self, text: str, document: Document, *, accepted: bool) -> None:
        """More was made of the document: others may have to make room."""
        cache = self._cache(text, accepted=accepted)
        if cache.get(text) is document:
            _put(cache, text, document)

    def _cache(self, text: str, *, accepted: bool) -> LRUCache[str, Document]:
        """Where the document is kept."""
        if text in self._texts:
            return self._trusted
        return self._accepted if accepted else self._strangers

    def _read(self, text: str) -> Document | Sequence[GraphQLError]:
        if refusals := text_refusals(text, self._limits):
            return refusals
        try:
            node, size = _parsed(text, self._limits.max_tokens)
        except GraphQLSyntaxError as mistake:
            return [nesting_refusal(mistake, self._limits) or mistake]
        if refusals := document_refusals(node, self._limits):
            return refusals
        if plainly_valid(self._schema, node):
            return _document(node, size)
        mistakes = validate(
            self._schema,
            node,
            self._rules,
            max_errors=MISTAKES_WITH_SUGGESTIONS if self._suggestions else MISTAKES,
            hide_suggestions=not self._suggestions,
        )
        return mistakes or _document(node, size)


def _cache(memory: int) -> LRUCache[str, Document]:
    return LRUCache(memory, getsizeof=lambda document: document.size)


def _put(cache: LRUCache[str, Document], text: str, document: Document) -> None:
    if document.size <= cache.maxsize:
        cache[text] = document
    else:
        cache.pop(text, None)


def _document(node: DocumentNode, size: int) -> Document:
    operations: dict[str | None, OperationDefinitionNode] = {}
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in node.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else None] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Document(node=node, operations=operations, fragments=fragments, parsed_size=size)


def _parsed(text: str, max_tokens: int) -> tuple[DocumentNode, int]:
    """The document, and about the bytes that it takes; raises GraphQLSyntaxError."""
    # The text is there as a whole and, in the values of nodes and tokens, in pieces.
    size = BYTES_PER_DOCUMENT + 2 * sys.getsizeof(text)
    node = parse(text, max_lexical_tokens=max_tokens)
    return node, size + BYTES_PER_TOKEN * _unlinked(node)


def _unlinked(node: DocumentNode) -> int:
    """How many tokens the document has, which no longer lead to each other: in circles, they would
    stay until the garbage collector comes by. Nobody but the parser follows them.
    """
    tokens = 0
    token: Token | None = node.loc.start_token if node.loc else None
    while token is not None:
        tokens += 1
        following, token.prev, token.next = token.next, None, None
        token = following
    return tokens
