"""The variables of an operation, coerced."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from operator import getitem
from typing import Any, Final, NamedTuple

from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableDefinitionNode,
    validate_input_value,
)
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import inspect, print_path_list

from gateway.engine._documents.limits import FEW_VALUES

PLAIN: Final[Mapping[str, type]] = {"ID": str, "String": str, "Boolean": bool}
"""Scalars for which every value of this Python type is valid, and is coerced to itself."""
MOST_MISTAKES: Final = 50
LONGEST_SHOWN: Final = 80


class PlainVariable(NamedTuple):
    """A variable of one of those scalars."""

    type: type
    signature: GraphQLVariableSignature


def plain_variables(
    schema: GraphQLSchema, operation: OperationDefinitionNode
) -> Mapping[str, PlainVariable] | None:
    """All variables by their names; None if one of them is not plain, or they are many."""
    found = {}
    for node in operation.variable_definitions or ():
        signature = get_variable_signature(schema, node)
        if isinstance(signature, GraphQLError):
            return None
        # Nullable or not: null has no type of these, so `plain_values` leaves it to graphql-core.
        type_ = PLAIN.get(str(signature.type).removesuffix("!"))
        if type_ is None:
            return None
        found[signature.name] = PlainVariable(type_, signature)
    return found if len(found) <= FEW_VALUES else None


def plain_values(
    plain: Mapping[str, PlainVariable], given: Mapping[str, Any]
) -> VariableValues | None:
    """The result of get_variable_values, in a fraction of its time, if each variable was given a
    value of its type and nothing else was given; else None.
    """
    if len(given) != len(plain):
        return None
    sources: dict[str, VariableValueSource] = {}
    for name, variable in plain.items():
        value = given.get(name)
        if type(value) is not variable.type:
            return None
        sources[name] = VariableValueSource(variable.signature, value)
    return VariableValues(sources, dict(given))


def mistakes(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    given: Mapping[str, Any],
    *,
    hide_suggestions: bool,
) -> Sequence[GraphQLError]:
    """Why variables have no values of their types: graphql-core's reasons, each with its place in
    the variable, and values as JSON, where graphql-core prints them in Python.
    """
    found: list[GraphQLError] = []
    for node in operation.variable_definitions or ():
        signature = get_variable_signature(schema, node)
        assert not isinstance(signature, GraphQLError)  # noqa: S101  # the document is valid
        value = given.get(signature.name, Undefined)
        if value is Undefined and node.default_value:
            continue
        report = partial(_report, found, node, value)
        try:
            validate_input_value(value, signature.type, report, hide_suggestions)
        except _Enough:
            return [*found, GraphQLError("There may be more mistakes in the variables.")]
    return found


class _Enough(Exception):
    """As many mistakes as are listed."""


def _report(
    found: list[GraphQLError],
    node: VariableDefinitionNode,
    given: object,
    error: GraphQLError,
    path: Sequence[str | int],
) -> None:
    if len(found) == MOST_MISTAKES:
        raise _Enough
    value: Any = reduce(getitem, path, given)  # type: ignore[arg-type]  # where it was found
    message = error.message
    if error.original_error is not None:  # Python's words, of a scalar of ours
        message = f"{message.partition(', but encountered')[0]}, found: {inspect(value)}."
    message = message.replace("not to be None", "not to be null")
    message = message.replace(inspect(value), _shown(value))
    place = f"'${node.variable.name.value}' has invalid value{print_path_list(list(path))}"
    found.append(GraphQLError(f"Variable {place}: {message}", node))


def _shown(value: object) -> str:
    """
    >>> print(_shown("it's"), _shown(True), _shown({"a": None}), _shown(None))
    "it's" true an object null
    """
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return json.dumps(value[:LONGEST_SHOWN], ensure_ascii=False)
        case bool() | None:
            return json.dumps(value)
        case _:
            return inspect(value)
