"""Limits of one document: counted as it would be executed, before it is validated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSyntaxError,
    Node,
    OperationDefinitionNode,
    Source,
)

from gateway.engine._documents.counts import COUNTED, counts, fragment_counts, uses
from gateway.engine._limits import Limits
from gateway.errors import LimitExceeded

NOUNS: Final[Mapping[str, str]] = {
    "max_document": "characters",
    "max_lines": "lines",
    "max_tokens": "tokens",
    "max_depth": "levels of fields",
    "max_nesting": "levels of values",
    "max_alias_length": "characters in one alias",
    "max_fields": "fields",
    "max_root_fields": "root fields",
    "max_aliases": "aliases",
    "max_directives": "directives",
    "max_fragment_spreads": "fragment spreads",
    "max_comparisons": "comparisons of fields",
}

SATURATED: Final = 2**31 - 1
"""Larger counts are reported as this: thirty fragments can double one thirty times, and clients
read 32 bits.
"""

LINE_END: Final = re.compile(r"\r\n|[\n\r]")

# Possessive quantifiers: the expression never backtracks.
TOKEN: Final = re.compile(
    r'#[^\n\r]*+|(?P<token>"""(?:[^"\\]|\\(?:""")?|"(?!""))*+(?:""")?|"(?:[^"\\\n\r]|\\.)*+"?'
    r"|\.\.\.|[A-Za-z_][A-Za-z_0-9]*+|-?[0-9][0-9A-Za-z_.+-]*+|[!$&():=@\[\]{|}])"
)


FETCH: Final = re.compile(r"\b_entities \( representations : \$ \w+ \)|\$ \w+ : \[ _Any ! \] !")
"""The start of a router's fetch, and its variable; between tokens stands a blank."""


def exceeded(limit: str, *, allowed: int, found: int) -> LimitExceeded:
    message = f"This has {found} {NOUNS[limit]}; at most {allowed} are allowed."
    return LimitExceeded(message, limit=limit, allowed=allowed, found=found)


def refused(limit: str, node: Node, *, allowed: int, found: int) -> GraphQLError:
    """The refusal of a document, with the place of `node`."""
    reason = exceeded(limit, allowed=allowed, found=found)
    return GraphQLError(reason.message, node, original_error=reason)


def text_refusals(text: str, limits: Limits) -> Sequence[GraphQLError]:
    """The limits that the text exceeds, found without parsing; if it is too long, only that one."""
    source = Source(text)
    if len(text) > limits.max_document:
        return [_refused_text("max_document", source, limits, len(text), limits.max_document)]
    refusals = []
    # A text of N characters has at most N tokens and N + 1 lines.
    if len(text) >= limits.max_lines:
        lines = [0, *(end.end() for end in LINE_END.finditer(text))]
        if len(lines) > limits.max_lines:
            place = lines[limits.max_lines]
            refusals.append(_refused_text("max_lines", source, limits, len(lines), place))
    if len(text) > limits.max_tokens:
        tokens = [token for token in TOKEN.finditer(text) if token.lastgroup]
        if len(tokens) > limits.max_tokens:
            found = len(tokens) - _of_router(tokens, places=limits.max_aliases)
            if found > limits.max_tokens:
                place = tokens[limits.max_tokens].start()
                refusals.append(_refused_text("max_tokens", source, limits, found, place))
    return refusals


def _of_router(tokens: Sequence[re.Match[str]], *, places: int) -> int:
    """How many of the tokens are what a router writes for each place that it fetches for."""
    words = " ".join([token[0] if token[0][0] != '"' else '""' for token in tokens])
    return sum(len(each[0].split()) for each in islice(FETCH.finditer(words), 2 * places))


def nesting_refusal(mistake: GraphQLSyntaxError, limits: Limits) -> GraphQLError | None:
    """The limit behind a syntax error: graphql-core does not parse what nests 200 levels deep."""
    if "nested too deeply" not in mistake.message or not (mistake.source and mistake.positions):
        return None
    [place] = mistake.positions
    levels = deepest = 0
    limit = inside = "max_depth"
    for token in TOKEN.finditer(mistake.source.body, 0, place + 1):
        if token[0] in "()":  # values and types stand in parentheses
            inside = "max_nesting" if token[0] == "(" else "max_depth"
        levels += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if levels > deepest:
            deepest, limit = levels, inside
    if deepest <= getattr(limits, limit):
        return None
    return _refused_text(limit, mistake.source, limits, deepest, place)


def document_refusals(document: DocumentNode, limits: Limits) -> Sequence[GraphQLError]:
    """The limits that the document's operations exceed, each once: for the first operation that
    does, at the node where it does, with its whole count.
    """
    fragments = fragment_counts(
        {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
    )
    found: dict[str, GraphQLError] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            whole, _ = counts(definition, fragments)
            for name, limit in COUNTED.items():
                count, allowed = getattr(whole, name), getattr(limits, limit)
                if count > allowed and limit not in found:
                    _, node = counts(definition, fragments, **{name: allowed})
                    count = min(count, SATURATED)
                    found[limit] = refused(limit, node, allowed=allowed, found=count)
    return list(found.values())


def variables_refusal(
    variables: Mapping[str, object],
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    allowed: int,
) -> GraphQLError | None:
    """The refusal if the variables have more than `allowed` values, those in lists and objects
    included. A variable's values count once for each field that uses it, because each may read them
    all.
    """
    sizes = {name: _values(value) for name, value in variables.items()}
    held = sum(sizes.values())
    if held <= FEW_VALUES:
        return None
    used = uses(operation, fragments)
    found = sum(size * max(1, used.get(name, 0)) for name, size in sizes.items())
    if found <= allowed:
        return None
    message = f"The variables hold {held} values"
    message += f", or {found} with each once for each field that uses it" if found > held else ""
    message += f"; at most {allowed} are allowed."
    reason = LimitExceeded(message, limit="max_variable_values", allowed=allowed, found=found)
    return GraphQLError(message, operation, original_error=reason)


def _values(given: object) -> int:
    """The number of values in this one, itself and those in lists and objects included."""
    found = 0
    waiting = [given]
    while waiting:
        value = waiting.pop()
        found += 1
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            nested = [item for item in value if isinstance(item, dict | list)]
            found += len(value) - len(nested)
            waiting.extend(nested)
    return found


FEW_VALUES: Final = 1_000
"""So few values cost little, however many fields use them."""


def _refused_text(
    limit: str, source: Source, limits: Limits, found: int, place: int
) -> GraphQLError:
    reason = exceeded(limit, allowed=getattr(limits, limit), found=found)
    return GraphQLError(reason.message, source=source, positions=[place], original_error=reason)
