"""The arguments of fields: from a node and a request's variables to what resolvers take.

graphql-core and Strawberry coerce them, which takes longer than all else that is done for a small
operation. So they do it once for a plan, with marks in place of the variables. The result is a
pattern into which the values of each request are filled.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import msgspec
import strawberry
from graphql import FieldNode, GraphQLField, GraphQLSchema
from graphql.execution.values import VariableValues, get_argument_values
from msgspec import structs
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument, convert_arguments
from strawberry.types.field import StrawberryField

from gateway.engine._documents.counts import variables_in

DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF
Given = Mapping[str, Any]
"""A field's arguments, as its resolver takes them."""
Fill = Callable[[Mapping[str, Any]], Any]
"""From the values of variables to a value that was made of them."""
SCALARS: Final = frozenset({str, int, float, bool})


class Pattern(msgspec.Struct, frozen=True):
    """Arguments made of variables that were sent, and not as null, a list or an object."""

    variables: Sequence[str]
    fill: Fill

    def fits(self, values: Mapping[str, Any]) -> bool:
        return all(type(values.get(name)) in SCALARS for name in self.variables)


NONE: Final = Pattern((), lambda _values: {})


class Coercion:
    """Coerces arguments for one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        converter = schema._strawberry_schema.schema_converter  # type: ignore[attr-defined]
        self._config, self._scalars = converter.config, converter.scalar_registry
        self._known: dict[StrawberryField, Mapping[str, StrawberryArgument]] = {}

    def given(self, field: GraphQLField, node: FieldNode, variables: VariableValues) -> Given:
        """Raises what graphql-core and Strawberry raise for values that can't be coerced."""
        values = get_argument_values(field, node, variables)
        definition: StrawberryField | None = field.extensions.get(DEFINITION)
        if definition is None:  # of introspection
            return values
        given = convert_arguments(
            values,
            [each for name, each in self._arguments(definition).items() if name in values],
            scalar_registry=self._scalars,
            config=self._config,
        )
        for extension in definition.extensions:
            given = extension.map_arguments(given)
        return given

    def _arguments(self, definition: StrawberryField) -> Mapping[str, StrawberryArgument]:
        """By their names in GraphQL, which take long to make."""
        known = self._known.get(definition)
        if known is None:
            name_of = self._config.name_converter.from_argument
            known = {name_of(each): each for each in definition.arguments}
            self._known[definition] = known
        return known

    def pattern(self, field: GraphQLField, node: FieldNode) -> Pattern | None:
        """None where each request has to coerce them anew, to report a mistake for example."""
        if not field.args:
            return NONE
        names = list(dict.fromkeys(variables_in(node.arguments or ())))
        marks = {name: _Mark(name) for name in names}
        try:
            given = dict(self.given(field, node, VariableValues({}, marks)))
            return Pattern(names, _fill(given) if names else lambda _values: given)
        except Exception:  # whatever it is, a request meets it again if it is more than a mark's
            return None


@dataclasses.dataclass(frozen=True, slots=True)
class _Mark:
    """Stands for the value of a variable."""

    name: str


class _Unknown(Exception):
    """A value of a type that may hold marks where nobody looks."""


def _fill(value: Any) -> Fill:
    """Raises _Unknown."""
    if isinstance(value, _Mark):
        name = value.name
        return lambda values: values[name]
    parts = _parts(value)
    fills = {key: _fill(part) for key, part in parts.items() if _marked(part)}
    if not fills:
        return lambda _values: value

    def filled(values: Mapping[str, Any]) -> dict[Any, Any]:
        found = parts.copy()
        for key, fill in fills.items():
            found[key] = fill(values)
        return found

    if isinstance(value, dict):
        return filled
    if isinstance(value, list):
        return lambda values: list(filled(values).values())
    make = type(value)
    return lambda values: make(**filled(values))


def _marked(value: Any) -> bool:
    return isinstance(value, _Mark) or any(_marked(part) for part in _parts(value).values())


def _parts(value: Any) -> dict[Any, Any]:
    """What a value is made of, by index, key or parameter; raises _Unknown."""
    if value is None or value is strawberry.UNSET or isinstance(value, str | int | float | Enum):
        return {}
    if isinstance(value, _Mark):
        return {}
    if isinstance(value, list):
        return dict(enumerate(value))
    if isinstance(value, dict):
        return value
    if isinstance(value, msgspec.Struct):
        return structs.asdict(value)
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise _Unknown(type(value))
