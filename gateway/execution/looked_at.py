"""Which fields of records an operation looks at, so that backends need not decode the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
                case FieldNode() if is_object_type(type_) or is_interface_type(type_):
                    field = type_.fields.get(node.name.value)
                    if field is None:
                        continue  # __typename
                    record = getattr(records, type_.name, None)
                    if isinstance(record, type) and issubclass(record, records.Record):
                        definition = field.extensions[DEFINITION]
                        names = _names(definition)
                        if names is None:
                            whole.add(record)
                        else:
                            attributes.setdefault(record, set()).update(names)
                    if node.selection_set is not None:
                        waiting.append((get_named_type(field.type), node.selection_set))
    return Selection.looking_at(
        {record: names for record, names in attributes.items() if record not in whole}
    )


def _names(definition: object) -> tuple[str, ...] | None:
    """The attributes that a field's value is made of; None where nobody says."""
    if getattr(definition, "base_resolver", None) is None:
        return (str(getattr(definition, "python_name")),)  # noqa: B009  # Strawberry's, untyped here
    metadata: Mapping[object, tuple[str, ...]] = getattr(definition, "metadata", None) or {}
    return metadata.get(LOOKS_AT)
