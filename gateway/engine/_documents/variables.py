"""The variables of an operation, coerced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import VariableValues, VariableValueSource

from gateway.engine._documents.limits import FEW_VALUES

PLAIN: Final[Mapping[str, type]] = {"ID": str, "String": str, "Boolean": bool}
"""Scalars for which every value of this Python type is valid, and is coerced to itself."""


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
