"""What a document comes to, operation by operation, counted in time in proportion to its tokens.

What is counted is what would be executed: a fragment counts as often as it is spread. Each is
summed up once and its sums are reused, whatever its fragments multiply to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListTypeNode,
    ListValueNode,
    Node,
    NonNullTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
)

SATURATED: Final = 2**31 - 1
"""Counts go no further: fragments double them thirty times over, and clients read 32 bits."""


class Counts(NamedTuple):
    """What executing something comes to."""

    depth: int = 0
    nesting: int = 0  # of values and types
    alias_length: int = 0  # of the longest
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
            max(self.alias_length, more.alias_length),
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
    "max_alias_length",
    "max_fields",
    "max_root_fields",
    "max_aliases",
    "max_directives",
    "max_fragment_spreads",
)
"""The limit of each count, in their order."""


class Part(NamedTuple):
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


def parts_of(definition: OperationDefinitionNode | FragmentDefinitionNode) -> Iterator[Part]:
    """The places of a definition in their order in the text."""
    directives = definition.directives or ()
    yield Part(definition, Counts(nesting=_nesting(directives), directives=len(directives)))
    for variable in definition.variable_definitions or ():
        directives = variable.directives or ()
        nesting = _nesting([variable.type, variable.default_value, *directives])
        yield Part(variable, Counts(nesting=nesting, directives=len(directives)))
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
                root, alias = int(depth == 0), node.alias.value if node.alias else ""
                own = Counts(
                    depth + 1, nesting, len(alias), 1, root, int(bool(alias)), len(directives)
                )
                yield Part(node, own)
                if node.selection_set:
                    selections, depth = node.selection_set.selections, depth + 1
            case FragmentSpreadNode() | InlineFragmentNode():
                nesting = _nesting(directives)
                own = Counts(nesting=nesting, directives=len(directives), spreads=1)
                if isinstance(node, FragmentSpreadNode):
                    yield Part(node, own, depth, node.name.value)
                else:
                    yield Part(node, own)
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


def most(document: DocumentNode) -> Sequence[int]:
    """Counts that no operation exceeds: what all definitions come to together, each once. To find
    them takes a fraction of the time of counting for each operation what it executes.

    Where that may be more than stands there, it is SATURATED: if a fragment is spread twice, or
    among root fields.
    """
    spread: set[str] = set()
    counts = [
        _once(definition, spread)
        for definition in document.definitions
        if isinstance(definition, ExecutableDefinitionNode)
    ]
    return [sum(each) for each in zip(*counts, strict=True)]


def _once(definition: ExecutableDefinitionNode, spread: set[str]) -> Counts:
    """What a definition comes to without the fragments that it spreads, which it adds to
    `spread`.
    """
    depth = alias_length = fields = root_fields = aliases = directives = spreads = 0
    nested: list[Node | None] = [*(definition.directives or ())]
    directives = len(nested)
    for variable in definition.variable_definitions or ():
        nested += (variable.type, variable.default_value, *(variable.directives or ()))
        directives += len(variable.directives or ())
    waiting: list[tuple[Sequence[SelectionNode], int]]
    waiting = [(definition.selection_set.selections, 0)]
    while waiting:
        selections, level = waiting.pop()
        for node in selections:
            if node.directives:
                nested += node.directives
                directives += len(node.directives)
            if isinstance(node, FieldNode):
                fields += 1
                root_fields += level == 0
                if level >= depth:
                    depth = level + 1
                if node.alias is not None:
                    aliases += 1
                    if len(node.alias.value) > alias_length:
                        alias_length = len(node.alias.value)
                if node.arguments:
                    nested += [argument.value for argument in node.arguments]
                if node.selection_set is not None:
                    waiting.append((node.selection_set.selections, level + 1))
                continue
            spreads += 1
            if isinstance(node, InlineFragmentNode):
                waiting.append((node.selection_set.selections, level))
            elif isinstance(node, FragmentSpreadNode):
                if node.name.value in spread:
                    spreads = SATURATED
                spread.add(node.name.value)
                if level == 0:
                    root_fields = SATURATED
    if isinstance(definition, FragmentDefinitionNode):
        root_fields = 0
    nesting = _nesting(nested) if nested else 0
    return Counts(depth, nesting, alias_length, fields, root_fields, aliases, directives, spreads)


def fragment_counts(parts: Mapping[str, Sequence[Part]]) -> Mapping[str, Counts]:
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
                counts[name] = total(parts[name], counts)
            else:
                begun.add(name)
                spread = [part.spreads for part in parts[name] if part.spreads is not None]
                waiting += (other for other in spread if other in parts and other not in begun)
    return counts


def total(parts: Sequence[Part], fragments: Mapping[str, Counts]) -> Counts:
    # One count after the other, not one part after the other: this is done for every document.
    depths, nestings, lengths, *others = zip(
        *(part.counts(fragments) for part in parts), strict=True
    )
    counts = [max(depths), max(nestings), max(lengths), *map(sum, others)]
    return Counts(*(min(count, SATURATED) for count in counts))


def place(parts: Sequence[Part], fragments: Mapping[str, Counts], index: int, allowed: int) -> Node:
    """Where the count at `index` comes to more than is allowed; a spread, if it is below it."""
    total = Counts()
    for part in parts:
        total = total.with_(part.counts(fragments))
        if total[index] > allowed:
            return part.node
    raise AssertionError("No count is above what is allowed.")
