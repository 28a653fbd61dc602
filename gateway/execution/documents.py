"""Documents, read: parsed, within the limits and valid, and kept for the next request with the same
text.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

from gateway.execution.parsing import plainly_parsed
from gateway.execution.plainly_valid import plainly_valid
from gateway.execution.rules import rules
from gateway.limits import (
    DocumentLimits,
    document_refusals,
    nesting_refusal,
    text_refusals,
)

MISTAKES: Final = 20
"""So many are listed; who has made more looks again when those are mended."""

MISTAKES_WITH_SUGGESTIONS: Final = 5
"""For each, an unknown name is compared with all of the schema's, which takes milliseconds."""

BYTES_PER_PART: Final = 450
"""Of what is plainly parsed. About 380 in most documents."""

BYTES_PER_TOKEN: Final = 620
"""Of what graphql-core has parsed, with the nodes that are made of it. About 350 in most documents;
most where each is a field.
"""

BYTES_PER_DOCUMENT: Final = 4_000
"""Of what every document has, however small."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class Document:
    """A valid document. The same text has the same one for as long as it is kept, so that what is
    made from it can be kept beside it.
    """

    node: DocumentNode
    operations: Mapping[str | None, OperationDefinitionNode]
    """By name; None is the name of one that has none."""
    fragments: Mapping[str, FragmentDefinitionNode]
    size: int
    """About the bytes that it takes, rather too many than too few."""

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
    """Reads documents for `schema`. Those that are valid are kept, the longest unused go first,
    and they take no more than about `memory` bytes.

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
    ) -> None:
        self._schema = schema
        self._limits = limits
        self._memory = memory
        self._suggestions = suggestions
        self._rules = rules(limits, introspection=introspection)
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._taken = 0

    @property
    def taken(self) -> int:
        """The bytes that the kept documents take, as estimated."""
        return self._taken

    def knows(self, text: str) -> bool:
        """Whether the text need not be parsed."""
        return text in self._kept

    def read(self, text: str) -> Document | Sequence[GraphQLError]:
        """The document, or all that is wrong with it: of its length, else its syntax, else how much
        it asks for, else its validity.
        """
        kept = self._kept.get(text)
        if kept is not None:
            self._kept.move_to_end(text)
            return kept
        read = self._read(text)
        if isinstance(read, Document):
            self._keep(text, read)
        return read

    def _read(self, text: str) -> Document | Sequence[GraphQLError]:
        if refusals := text_refusals(text, self._limits):
            return refusals
        try:
            node, size = _parsed(text, self._limits.max_tokens)
        except GraphQLSyntaxError as mistake:
            return [nesting_refusal(mistake, self._limits) or mistake]
        if refusals := document_refusals(node, self._limits):
            return refusals
        if plainly_valid(self._schema, node, self._limits):
            return _document(node, size)
        mistakes = validate(
            self._schema,
            node,
            self._rules,
            max_errors=MISTAKES_WITH_SUGGESTIONS if self._suggestions else MISTAKES,
            hide_suggestions=not self._suggestions,
        )
        return mistakes or _document(node, size)

    def _keep(self, text: str, document: Document) -> None:
        size = document.size
        if size > self._memory:
            return
        self._kept[text] = document
        self._taken += size
        while self._taken > self._memory:
            _, oldest = self._kept.popitem(last=False)
            self._taken -= oldest.size


def _document(node: DocumentNode, size: int) -> Document:
    operations: dict[str | None, OperationDefinitionNode] = {}
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in node.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else None] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Document(node=node, operations=operations, fragments=fragments, size=size)


def _parsed(text: str, max_tokens: int) -> tuple[DocumentNode, int]:
    """The document, and about the bytes that it takes; raises GraphQLSyntaxError."""
    # The text is there as a whole and, in the values of nodes and tokens, in pieces.
    size = BYTES_PER_DOCUMENT + 2 * sys.getsizeof(text)
    plain = plainly_parsed(text)
    if plain is not None:
        node, parts = plain
        return node, size + BYTES_PER_PART * parts
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
