"""Documents: parsed, held to the limits, validated, and cached by their text."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

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
from gateway.engine._documents.prepared import PreparedOperation
from gateway.engine._documents.rules import mark_one_of, rules
from gateway.engine._documents.shared_cache import SharedCache
from gateway.engine._limits import Limits

MISTAKES: Final = 20
"""The most mistakes that are listed. Others show once those are corrected."""

MISTAKES_WITH_SUGGESTIONS: Final = 5
"""Fewer, because each unknown name is compared with all names of the schema, in milliseconds."""

BYTES_PER_TOKEN: Final = 620
"""Bytes of a token and the nodes that are made of it: about 350 in common documents, 620 if each
token is a field.
"""

BYTES_PER_DOCUMENT: Final = 4_000
"""Bytes that every document takes, however small."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Document:
    """A valid document, and the plans that were made of it: they are cached together."""

    node: DocumentNode
    operations: Mapping[str | None, OperationDefinitionNode]
    """By name; an anonymous one has the name None."""
    fragments: Mapping[str, FragmentDefinitionNode]
    sha256: str
    """The hash of its text, in hex."""
    parsed_size: int
    """An estimate of the bytes that it takes without plans, too high rather than too low."""
    prepared: dict[str | None, PreparedOperation] = field(default_factory=dict)
    """Its operations as prepared for execution, by their names."""

    @property
    def size(self) -> int:
        """An estimate of the bytes that it takes with its plans and its text."""
        return self.parsed_size + sum([each.size for each in self.prepared.values()])

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation of that name; without a name, the only one. Raises Refused."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is not None and name in self.operations:
            return self.operations[name]
        message = f"Unknown operation named '{name}'."
        if name is None:
            message = "Must provide an operation."
            if self.operations:
                message = "Must provide operation name if query contains multiple operations."
        raise Refused([GraphQLError(message)])


class Refused(Exception):
    """The operation does not run, for the reasons in `errors`."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


class Documents:
    """Reads documents for `schema`, and caches those that are valid.

    There are two caches of about `memory` bytes each: one for `trusted` documents, one that all
    callers share.

    Refused documents are not cached: a client that sends a new one each time would evict all
    others.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        memory: int,
        suggestions: bool,
        introspection: bool,
    ) -> None:
        mark_one_of(schema)
        self._schema = schema
        self._limits = limits
        self._suggestions = suggestions
        self._rules = rules(limits, introspection=introspection)
        self._texts: Collection[str] = ()
        self.trusted = _cache(memory)
        self.others = _cache(memory)

    def trust(self, texts: Collection[str]) -> None:
        """These are the texts of a manifest from now on."""
        self._texts = texts

    def knows(self, text: str) -> bool:
        """Whether the text is cached, as a trusted document or an accepted caller's."""
        return text in self.others.accepted or text in self.trusted.accepted

    def read(self, text: str, *, accepted: bool = True) -> Document | Sequence[GraphQLError]:
        """The document, or why it is refused: its length, else its syntax, else its limits, else
        its validity. `accepted` says whether a backend has accepted the caller's token.
        """
        trusted = text in self._texts
        cache = self.trusted if trusted else self.others
        document = cache.get(text, accepted=accepted)
        if document is not None:
            return document
        read = self._read(text)
        if isinstance(read, Document):
            cache.put(text, read, accepted=trusted or accepted)
        return read

    def mistakes(self, text: str) -> Sequence[GraphQLError]:
        """Why a text would be refused."""
        read = self._read(text)
        return () if isinstance(read, Document) else read

    def weigh(self, text: str, document: Document, *, accepted: bool) -> None:
        """Measure the document again after plans were added; others may be evicted."""
        trusted = text in self._texts
        cache = self.trusted if trusted else self.others
        if cache.holds(text, document):
            cache.put(text, document, accepted=trusted or accepted)

    def _read(self, text: str) -> Document | Sequence[GraphQLError]:
        if refusals := text_refusals(text, self._limits):
            return refusals
        try:
            node, size = _parsed(text)
        except GraphQLSyntaxError as mistake:
            return [nesting_refusal(mistake, self._limits) or mistake]
        if refusals := document_refusals(node, self._limits):
            return refusals
        if plainly_valid(self._schema, node):
            return _document(text, node, size)
        mistakes = validate(
            self._schema,
            node,
            self._rules,
            max_errors=MISTAKES_WITH_SUGGESTIONS if self._suggestions else MISTAKES,
            hide_suggestions=not self._suggestions,
        )
        return mistakes or _document(text, node, size)


def _cache(memory: int) -> SharedCache[str, Document]:
    return SharedCache(memory, lambda document: document.size)


def _document(text: str, node: DocumentNode, size: int) -> Document:
    operations: dict[str | None, OperationDefinitionNode] = {}
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in node.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else None] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Document(
        node=node,
        operations=operations,
        fragments=fragments,
        sha256=sha256(text.encode()).hexdigest(),  # a valid document is Unicode
        parsed_size=size,
    )


def _parsed(text: str) -> tuple[DocumentNode, int]:
    """The document, and an estimate of its bytes; raises GraphQLSyntaxError."""
    # Memory holds the whole text and, in the values of nodes and tokens, its pieces.
    size = BYTES_PER_DOCUMENT + 2 * sys.getsizeof(text)
    node = parse(text)
    return node, size + BYTES_PER_TOKEN * _unlinked(node)


def _unlinked(node: DocumentNode) -> int:
    """Remove the links between the document's tokens, and count them. Only the parser follows those
    links, and as cycles they would keep the tokens until the garbage collector runs.
    """
    tokens = 0
    token: Token | None = node.loc.start_token if node.loc else None
    while token is not None:
        tokens += 1
        following, token.prev, token.next = token.next, None, None
        token = following
    return tokens
