"""Which attributes of records an operation looks at, so that no others need be decoded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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

DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF
LOOKS_AT: Final = "looks_at"
"""In the metadata of a field that has a resolver: the attributes of the record that it looks at.
Without it, the record is read whole.
"""


class _SchemaField(NamedTuple):
    """What a field shows, in whatever document."""

    record: type | None
    """The class of records that it is a field of."""
    names: tuple[str, ...] | None
    """The attributes that it shows of a record; None if that is not declared."""
    type: GraphQLNamedType


class Projector:
    """Finds what operations of one schema look at."""

    def __init__(self, schema: GraphQLSchema, records: Mapping[str, type]) -> None:
        """`records` are the classes that object types are views of, by the types' names."""
        self._schema = schema
        self._records = records
        self._fields: dict[tuple[str, str], _SchemaField | None] = {}

    def looked_at(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> Mapping[type, Collection[str] | None]:
        """The attributes by class of records, whatever variables skip; None for all of them. A
        class that is not in it has no field in the operation.

        A field without a resolver shows the attribute of its name.
        """
        found: dict[type, set[str] | None] = {}
        seen: set[str] = set()
        schema = self._schema
        waiting: list[tuple[GraphQLNamedType | None, SelectionSetNode]] = [
            (schema.get_root_type(operation.operation), operation.selection_set)
        ]
        while waiting:
            type_, selections = waiting.pop()
            for node in selections.selections:
                match node:
                    case FieldNode():
                        field = self._field(type_, node.name.value)
                        if field is None:
                            continue
                        if field.record is not None:
                            known = found.setdefault(field.record, set())
                            if field.names is None:
                                found[field.record] = None
                            elif known is not None:
                                known.update(field.names)
                        if node.selection_set is not None:
                            waiting.append((field.type, node.selection_set))
                    case FragmentSpreadNode():
                        fragment = fragments[node.name.value]
                        if node.name.value not in seen:
                            seen.add(node.name.value)
                            on = schema.get_type(fragment.type_condition.name.value)
                            waiting.append((on, fragment.selection_set))
                    case InlineFragmentNode():
                        condition = node.type_condition
                        on = type_ if condition is None else schema.get_type(condition.name.value)
                        waiting.append((on, node.selection_set))
                    case _:
                        pass  # there are no others
        return found

    def _field(self, type_: GraphQLNamedType | None, name: str) -> _SchemaField | None:
        """None for __typename, and for what is graphql-core's own."""
        if not (is_object_type(type_) or is_interface_type(type_)) or name not in type_.fields:
            return None
        here = type_.name, name
        if here not in self._fields:
            field = type_.fields[name]
            record = self._records.get(type_.name)
            definition = field.extensions.get(DEFINITION)
            self._fields[here] = _SchemaField(
                record,
                None if record is None else attributes(definition),
                get_named_type(field.type),
            )
        return self._fields[here]


def attributes(definition: object) -> tuple[str, ...] | None:
    """The attributes that a field's value is made of; None where nobody says."""
    if getattr(definition, "base_resolver", None) is None:
        return (str(getattr(definition, "python_name")),)  # noqa: B009  # Strawberry's, untyped here
    metadata: Mapping[object, tuple[str, ...]] = getattr(definition, "metadata", None) or {}
    return metadata.get(LOOKS_AT)
