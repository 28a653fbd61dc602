"""How much one document may ask for, counted before it is validated and before any REST call.

What is counted is what would be executed: a fragment counts as often as it is spread. Each is
summed up once and its sums are reused, so that counting takes time in proportion to the document's
tokens, whatever its fragments multiply to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    ListTypeNode,
    ListValueNode,
    Node,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    Source,
)

from gateway.errors import LimitExceeded


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLimits:
    """The most that a document may have; from `max_depth` on, of what one operation executes.

    With these defaults nothing is known that takes longer than 30 ms to parse and validate; twice
    the characters, tokens or comparisons take twice the time.
    """

    max_document: int = 30_000
    """Characters of a document: 30 for each token, blanks and comments included."""

    max_lines: int = 1_000
    """Lines of a document; every error looks for its line from the first one on."""

    max_tokens: int = 1_000
    """Names, values and punctuation marks of a document; GraphiQL's introspection query has 191."""

    max_depth: int = 15
    """Levels of fields; GraphiQL's introspection query has as many."""

    max_nesting: int = 100
    """Levels of lists and objects in one value, and of lists in one type; a custom field's value
    may have 64.
    """

    max_fields: int = 1_000
    """Fields of an operation; so fragments save tokens, but make nothing larger than without."""

    max_root_fields: int = 25
    """Fields of an operation's first level; each may be a REST call."""

    max_aliases: int = 100
    """Fields of an operation that have an alias."""

    max_directives: int = 100
    """Directives of an operation."""

    max_fragment_spreads: int = 100
    """Fragments that an operation spreads, inline ones included."""

    max_comparisons: int = 10_000
    """Steps of validation to find whether fields that share a name can be merged, two for a pair:
    a field can stand a hundred times in one place.
    """


NOUNS: Final[Mapping[str, str]] = {
    "max_document": "characters",
    "max_lines": "lines",
    "max_tokens": "tokens",
    "max_depth": "levels of fields",
    "max_nesting": "levels of values",
    "max_fields": "fields",
    "max_root_fields": "root fields",
    "max_aliases": "aliases",
    "max_directives": "directives",
    "max_fragment_spreads": "fragment spreads",
    "max_comparisons": "comparisons of fields",
}

SATURATED: Final = 2**31 - 1
"""Counts go no further: fragments double them thirty times over, and clients read 32 bits."""

LINE_END: Final = re.compile(r"\r\n|[\n\r]")

# Possessive quantifiers: what does not match in one way is not tried in another.
TOKEN: Final = re.compile(
    r'#[^\n\r]*+|(?P<token>"""(?:[^"\\]|\\(?:""")?|"(?!""))*+(?:""")?|"(?:[^"\\\n\r]|\\.)*+"?'
    r"|\.\.\.|[A-Za-z_][A-Za-z_0-9]*+|-?[0-9][0-9A-Za-z_.+-]*+|[!$&():=@\[\]{|}])"
)


def exceeded(limit: str, *, allowed: int, found: int) -> LimitExceeded:
    message = f"This has {found} {NOUNS[limit]}; at most {allowed} are allowed."
    return LimitExceeded(message, limit=limit, allowed=allowed, found=found)


def refused(limit: str, node: Node, *, allowed: int, found: int) -> GraphQLError:
    """The refusal of what is at `node`."""
    reason = exceeded(limit, allowed=allowed, found=found)
    return GraphQLError(reason.message, node, original_error=reason)


def text_refusals(text: str, limits: DocumentLimits) -> Sequence[GraphQLError]:
    """The limits that the text exceeds as it stands, before it is parsed; a text that is too long
    is read no further.
    """
    source = Source(text)
    if len(text) > limits.max_document:
        return [_refused_text("max_document", source, limits, len(text), limits.max_document)]
    refusals = []
    lines = [0, *(end.end() for end in LINE_END.finditer(text))]
    if len(lines) > limits.max_lines:
        place = lines[limits.max_lines]
        refusals.append(_refused_text("max_lines", source, limits, len(lines), place))
    # Each token has a character at least.
    if len(text) > limits.max_tokens:
        tokens = [token.start() for token in TOKEN.finditer(text) if token.lastgroup]
        if len(tokens) > limits.max_tokens:
            place = tokens[limits.max_tokens]
            refusals.append(_refused_text("max_tokens", source, limits, len(tokens), place))
    return refusals


def nesting_refusal(mistake: GraphQLSyntaxError, limits: DocumentLimits) -> GraphQLError | None:
    """The limit that stands behind a syntax error: what is nested 200 levels deep is not parsed."""
    if "nested too deeply" not in mistake.message or not (mistake.source and mistake.positions):
        return None
    [place] = mistake.positions
    levels = deepest = 0
    limit = inside = "max_depth"
    for token in TOKEN.finditer(mistake.source.body, 0, place + 1):
        if token[0] in "()":  # values and types are inside of parentheses, selections are not
            inside = "max_nesting" if token[0] == "(" else "max_depth"
        levels += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if levels > deepest:
            deepest, limit = levels, inside
    if deepest <= getattr(limits, limit):
        return None
    return _refused_text(limit, mistake.source, limits, deepest, place)


def document_refusals(document: DocumentNode, limits: DocumentLimits) -> Sequence[GraphQLError]:
    """The limits that the document's operations exceed, each once: where the first operation that
    exceeds it does so, and by how much in the end.
    """
    parts: dict[str, Sequence[_Part]] = {
        definition.name.value: list(_parts(definition))
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    fragments = _fragment_counts(parts)
    found: dict[str, GraphQLError] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operation = list(_parts(definition))
            for index, count in enumerate(_total(operation, fragments)):
                limit = COUNTED[index]
                allowed = getattr(limits, limit)
                if count > allowed and limit not in found:
                    node = _place(operation, fragments, index, allowed)
                    found[limit] = refused(limit, node, allowed=allowed, found=count)
    return list(found.values())


def variables_refusal(
    variables: Mapping[str, object], operation: OperationDefinitionNode | None, allowed: int
) -> GraphQLError | None:
    """The refusal of more than `allowed` values, those in lists and objects included.

    They are coerced for the operation, and each of its root fields may go through all of them.
    """
    found = 0
    waiting: list[object] = list(variables.values())
    while waiting:
        value = waiting.pop()
        found += 1
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            nested = [item for item in value if isinstance(item, dict | list)]
            found += len(value) - len(nested)
            waiting.extend(nested)
    roots = len(operation.selection_set.selections) if operation else 1
    if found * roots <= allowed or found <= FEW_VALUES:
        return None
    message = f"The variables hold {found} values"
    message += f", which {roots} fields may go through" if roots > 1 else ""
    message += f"; at most {allowed} are allowed."
    reason = LimitExceeded(
        message, limit="max_variable_values", allowed=allowed, found=found * roots
    )
    return GraphQLError(message, operation, original_error=reason)


FEW_VALUES: Final = 1_000
"""So many values are no burden, however many fields go through them."""


class Counts(NamedTuple):
    """What executing something comes to."""

    depth: int = 0
    nesting: int = 0  # of values and types
    fields: int = 0
    root_fields: int = 0
    aliases: int = 0
    directives: int = 0
    spreads: int = 0

    def with_(self, more: Counts) -> Counts:
        """Of both, one after the other."""
        return Counts(
            max(self.depth, more.depth),
            max(self.nesting, more.nesting),
            self.fields + more.fields,
            self.root_fields + more.root_fields,
            self.aliases + more.aliases,
            self.directives + more.directives,
            self.spreads + more.spreads,
        )

    def below(self, depth: int) -> Counts:
        """Of the same, that many levels further down."""
        return self._replace(depth=self.depth + depth, root_fields=0) if depth else self


COUNTED: Final = (
    "max_depth",
    "max_nesting",
    "max_fields",
    "max_root_fields",
    "max_aliases",
    "max_directives",
    "max_fragment_spreads",
)
"""The limit of each count, in their order."""


class _Part(NamedTuple):
    """One place of a definition: what is there, and the fragment that it spreads, if any."""

    node: Node
    own: Counts
    depth: int = 0  # the fields around it
    spreads: str | None = None

    def counts(self, fragments: Mapping[str, Counts]) -> Counts:
        """What is there, and what comes with it. An unknown fragment is left to validation."""
        if self.spreads is None or self.spreads not in fragments:
            return self.own
        return self.own.with_(fragments[self.spreads].below(self.depth))


def _parts(definition: OperationDefinitionNode | FragmentDefinitionNode) -> Iterator[_Part]:
    """The places of a definition in their order in the text."""
    directives = definition.directives or ()
    yield _Part(definition, Counts(nesting=_nesting(directives), directives=len(directives)))
    for variable in definition.variable_definitions or ():
        directives = variable.directives or ()
        nesting = _nesting([variable.type, variable.default_value, *directives])
        yield _Part(variable, Counts(nesting=nesting, directives=len(directives)))
    # Without recursion: how deep it goes is what is being found out.
    waiting: list[tuple[SelectionNode, int]] = []
    waiting += ((node, 0) for node in reversed(definition.selection_set.selections))
    while waiting:
        node, depth = waiting.pop()
        directives = node.directives or ()
        selections: Sequence[SelectionNode] = ()
        match node:
            case FieldNode():
                nesting = _nesting([*(node.arguments or ()), *directives])
                root, alias = int(depth == 0), int(node.alias is not None)
                own = Counts(depth + 1, nesting, 1, root, alias, len(directives))
                yield _Part(node, own)
                if node.selection_set:
                    selections, depth = node.selection_set.selections, depth + 1
            case FragmentSpreadNode() | InlineFragmentNode():
                nesting = _nesting(directives)
                own = Counts(nesting=nesting, directives=len(directives), spreads=1)
                if isinstance(node, FragmentSpreadNode):
                    yield _Part(node, own, depth, node.name.value)
                else:
                    yield _Part(node, own)
                    selections = node.selection_set.selections
            case _:
                raise TypeError("A selection is a field or a fragment.")
        waiting += ((inner, depth) for inner in reversed(selections))


def _nesting(nodes: Sequence[Node | None]) -> int:
    """The deepest nesting of lists and objects in these values, types and directives."""
    deepest = 0
    waiting = [(node, 0) for node in nodes]
    while waiting:
        node, depth = waiting.pop()
        match node:
            case ListValueNode():
                depth += 1
                waiting += ((value, depth) for value in node.values)
            case ObjectValueNode():
                depth += 1
                waiting += ((field.value, depth) for field in node.fields)
            case ListTypeNode():
                depth += 1
                waiting.append((node.type, depth))
            case NonNullTypeNode():
                waiting.append((node.type, depth))
            case ArgumentNode():
                waiting.append((node.value, depth))
            case DirectiveNode():
                waiting += ((argument, depth) for argument in node.arguments or ())
            case _:
                pass
        deepest = max(deepest, depth)
    return deepest


def _fragment_counts(parts: Mapping[str, Sequence[_Part]]) -> Mapping[str, Counts]:
    """What each fragment comes to. In a circle, which validation refuses, the last spread counts
    for itself only.
    """
    counts: dict[str, Counts] = {}
    begun: set[str] = set()
    for first in parts:
        waiting = [first]
        while waiting:
            name = waiting[-1]
            if name in counts:
                waiting.pop()
            elif name in begun:  # so those that it spreads are counted
                counts[name] = _total(parts[name], counts)
            else:
                begun.add(name)
                spread = [part.spreads for part in parts[name] if part.spreads is not None]
                waiting += (other for other in spread if other in parts and other not in begun)
    return counts


def _total(parts: Sequence[_Part], fragments: Mapping[str, Counts]) -> Counts:
    # One count after the other, not one part after the other: this is done for every document.
    depths, nestings, *others = zip(*(part.counts(fragments) for part in parts), strict=True)
    counts = [max(depths), max(nestings), *map(sum, others)]
    return Counts(*(min(count, SATURATED) for count in counts))


def _place(
    parts: Sequence[_Part], fragments: Mapping[str, Counts], index: int, allowed: int
) -> Node:
    """Where the count at `index` comes to more than is allowed; a spread, if it is below it."""
    total = Counts()
    for part in parts:
        total = total.with_(part.counts(fragments))
        if total[index] > allowed:
            return part.node
    raise AssertionError("No count is above what is allowed.")


def _refused_text(
    limit: str, source: Source, limits: DocumentLimits, found: int, place: int
) -> GraphQLError:
    reason = exceeded(limit, allowed=getattr(limits, limit), found=found)
    return GraphQLError(reason.message, source=source, positions=[place], original_error=reason)
