"""Counts of what an operation executes, in time proportional to the document's tokens.

A fragment counts each time it is spread: it is walked once, and its counts are added at each
spread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final

from graphql import (
    ArgumentNode,
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListTypeNode,
    ListValueNode,
    Node,
    NonNullTypeNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    VariableDefinitionNode,
    VariableNode,
)

Definition = OperationDefinitionNode | FragmentDefinitionNode
Part = Definition | VariableDefinitionNode | SelectionNode


@dataclass(slots=True)
class Counts:
    """What executing a definition amounts to; COUNTED names the limits."""

    depth: int = 0
    nesting: int = 0  # of values and types
    alias_length: int = 0  # of the longest
    fields: int = 0
    root_fields: int = 0
    aliases: int = 0
    directives: int = 0
    fragment_spreads: int = 0

    def add(self, fragment: Counts, depth: int) -> None:
        """Add the counts of a fragment that is spread below `depth` fields."""
        self.depth = max(self.depth, fragment.depth + depth)
        self.nesting = max(self.nesting, fragment.nesting)
        self.alias_length = max(self.alias_length, fragment.alias_length)
        self.fields += fragment.fields
        self.root_fields += 0 if depth else fragment.root_fields
        self.aliases += fragment.aliases
        self.directives += fragment.directives
        self.fragment_spreads += fragment.fragment_spreads


ENTITIES: Final = "_entities"
"""Federation's root field, no client's: a router fetches for many places in one operation. What it
asks for counts with all else, and `max_entities` for all of them together.
"""
COUNTED: Final[Mapping[str, str]] = {each.name: f"max_{each.name}" for each in fields(Counts)}
"""The limit of each count."""


def counts(
    definition: Definition, fragments: Mapping[str, Counts], **allowed: int
) -> tuple[Counts, Node]:
    """The definition's counts, and the last node that was counted. Counting ends at the node where
    a count exceeds its number in `allowed`. Validation reports unknown fragments.
    """
    found = Counts()
    node: Part = definition
    for node, depth in _parts(definition):
        directives = node.directives
        if directives:
            found.directives += len(directives)
            found.nesting = max(found.nesting, _nesting(directives))
        if isinstance(node, FieldNode):
            found.fields += 1
            if depth >= found.depth:
                found.depth = depth + 1
            if depth == 0 and node.name.value != ENTITIES:
                found.root_fields += 1
            if node.alias is not None:
                found.aliases += 1
                found.alias_length = max(found.alias_length, len(node.alias.value))
            if node.arguments:
                found.nesting = max(found.nesting, _nesting(node.arguments))
        elif isinstance(node, InlineFragmentNode):
            found.fragment_spreads += 1
        elif isinstance(node, FragmentSpreadNode):
            found.fragment_spreads += 1
            if node.name.value in fragments:
                found.add(fragments[node.name.value], depth)
        elif isinstance(node, VariableDefinitionNode):
            found.nesting = max(found.nesting, _nesting([node.type, node.default_value]))
        if allowed and any(getattr(found, name) > limit for name, limit in allowed.items()):
            break
    return found, node


def fragment_counts(fragments: Mapping[str, FragmentDefinitionNode]) -> Mapping[str, Counts]:
    """The counts of each fragment. In a cycle, which validation refuses, the last spread adds no
    fragment.
    """
    found: dict[str, Counts] = {}
    begun: set[str] = set()
    # Without recursion: a fragment may spread the next one hundreds of times over.
    for first in fragments:
        waiting = [first]
        while waiting:
            name = waiting[-1]
            if name in found:
                waiting.pop()
            elif name in begun:  # so those that it spreads are counted
                found[name], _ = counts(fragments[name], found)
            else:
                begun.add(name)
                waiting += (
                    node.name.value
                    for node, _ in _parts(fragments[name])
                    if isinstance(node, FragmentSpreadNode)
                    and node.name.value in fragments
                    and node.name.value not in begun
                )
    return found


def uses(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Mapping[str, int]:
    """How many fields use each variable; those of a fragment count as often as it is spread.

    The document is valid and within its limits, so this visits no more parts than they allow.
    """
    found: Counter[str] = Counter()
    waiting: list[Definition] = [operation]
    for definition in waiting:  # grows meanwhile
        for node, _ in _parts(definition):
            given: list[Node] = [*(node.directives or ())]
            if isinstance(node, FieldNode):
                given += node.arguments or ()
            elif isinstance(node, FragmentSpreadNode):
                waiting.append(fragments[node.name.value])
            found.update(set(variables_in(given)))
    return found


def variables_in(nodes: Iterable[Node]) -> Iterator[str]:
    """The variables in these arguments, directives and values."""
    for node, _ in _inside(nodes):
        if isinstance(node, VariableNode):
            yield node.name.value


def _parts(definition: Definition) -> Iterator[tuple[Part, int]]:
    """The definition, its variables and its selections in the order of the text, each with the
    number of fields around it.
    """
    yield definition, 0
    for variable in definition.variable_definitions or ():
        yield variable, 0
    # Without recursion: the depth has no limit yet.
    waiting = [(node, 0) for node in reversed(definition.selection_set.selections)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set:
            below = depth + isinstance(node, FieldNode)
            waiting += [(each, below) for each in reversed(node.selection_set.selections)]


def _nesting(nodes: Iterable[Node | None]) -> int:
    """The deepest nesting of lists and objects in these values, types and directives."""
    return max([depth for _, depth in _inside(nodes)], default=0)


def _inside(nodes: Iterable[Node | None]) -> Iterator[tuple[Node | None, int]]:
    """These values, types and directives and all inside of them, each with the number of lists and
    objects down to it.
    """
    waiting = [(node, 0) for node in nodes]
    while waiting:
        node, depth = waiting.pop()
        inner: Iterable[Node | None] = ()
        match node:
            case ListValueNode(values=inner) | ObjectValueNode(fields=inner):
                depth += 1
            case ListTypeNode(type=type_):
                depth += 1
                inner = [type_]
            case (
                NonNullTypeNode(type=only) | ArgumentNode(value=only) | ObjectFieldNode(value=only)
            ):
                inner = [only]
            case DirectiveNode(arguments=arguments):
                inner = arguments or ()
            case _:
                pass
        yield node, depth
        waiting += [(each, depth) for each in inner]
