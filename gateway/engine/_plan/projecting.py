"""Which fields of records an operation looks at, so that backends need not decode the others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_interface_type,
    is_object_type,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gateway import records
from gateway.schema.node import LOOKS_AT
from gateway.selection import Selection

DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF
KEPT: Final = 1_000
"""More than the schema has fields."""


def looked_at(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> Selection:
    """What `operation` shows of records, whatever its variables skip.

    A GraphQL type that is a view of a record has its name. A field without a resolver shows the
    attribute of its name; one that has a resolver says in its metadata what that looks at, or else
    the record is read whole.
    """
    attributes: dict[type[records.Record], set[str]] = {
        records.CustomerGroup: set(),
        records.Customer: set(),
    }
    whole: set[type[records.Record]] = set()
    seen: set[tuple[str, str]] = set()
    root = schema.get_root_type(operation.operation)
    waiting: list[tuple[GraphQLNamedType | None, SelectionSetNode]] = [
        (root, operation.selection_set)
    ]
    while waiting:
        type_, selections = waiting.pop()
        for node in selections.selections:
            match node:
                case FieldNode():
                    field = _field(type_, node.name.value)
                    if field is None:
                        continue
                    if field.record is not None and field.names is None:
                        whole.add(field.record)
                    elif field.record is not None:
                        attributes.setdefault(field.record, set()).update(field.names or ())
                    if node.selection_set is not None:
                        waiting.append((field.type, node.selection_set))
                case FragmentSpreadNode():
                    fragment = fragments[node.name.value]
                    on = schema.get_type(fragment.type_condition.name.value)
                    if on is not None and (node.name.value, on.name) not in seen:
                        seen.add((node.name.value, on.name))
                        waiting.append((on, fragment.selection_set))
                case InlineFragmentNode():
                    condition = node.type_condition
                    on = type_ if condition is None else schema.get_type(condition.name.value)
                    waiting.append((on, node.selection_set))
                case _:
                    pass  # there are no others
    return Selection.looking_at(
        {record: names for record, names in attributes.items() if record not in whole}
    )


class _Field(NamedTuple):
    """What a field shows, in whatever document."""

    record: type[records.Record] | None
    """What it is a field of."""
    names: tuple[str, ...] | None
    """The attributes that it shows of that; None: all of them, for all we know."""
    type: GraphQLNamedType


@lru_cache(maxsize=KEPT)
def _field(type_: GraphQLNamedType | None, name: str) -> _Field | None:
    """None for __typename, and for what is graphql-core's own."""
    if not (is_object_type(type_) or is_interface_type(type_)) or name not in type_.fields:
        return None
    field = type_.fields[name]
    record = getattr(records, type_.name, None)
    below = get_named_type(field.type)
    if isinstance(record, type) and issubclass(record, records.Record):
        return _Field(record, _names(field.extensions[DEFINITION]), below)
    return _Field(None, None, below)


def _names(definition: object) -> tuple[str, ...] | None:
    """The attributes that a field's value is made of; None where nobody says."""
    if getattr(definition, "base_resolver", None) is None:
        return (str(getattr(definition, "python_name")),)  # noqa: B009  # Strawberry's, untyped here
    metadata: Mapping[object, tuple[str, ...]] = getattr(definition, "metadata", None) or {}
    return metadata.get(LOOKS_AT)
