"""What is known of the fields of a schema, whatever the document: each is looked at once.

Introspection's fields are fields as well: their resolvers are graphql-core's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.type.introspection import SchemaMetaFieldDef, TypeMetaFieldDef
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gateway.engine._plan.arguments import Given
from gateway.engine._plan.expressions import Leaves, own_resolver
from gateway.engine._plan.fetching import Fetched
from gateway.engine._plan.views import Views

DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF
META_FIELDS: Final = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


@dataclass(frozen=True, slots=True)
class PlainInfo:
    """What a resolver may know of the request, wherever it is called."""

    context: Any
    """The operation's, as resolvers know it."""
    schema: GraphQLSchema | None = None
    """For introspection, which costs no REST call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What is known of one field."""

    definition: GraphQLField
    follow: Callable[[Any, PlainInfo, Given], Any]
    """The resolver, of a parent and the arguments; of a change, it gives an awaitable."""
    fetched: Fetched | None
    costly: bool
    """Whether REST calls can come of it."""
    is_list: bool
    nullable: bool
    items_nullable: bool
    types: Sequence[GraphQLObjectType]
    """Those that its value, or an item, may have; none for a list of lists."""


class Fields:
    """What is known of the fields of one schema, each looked at once."""

    def __init__(self, schema: GraphQLSchema, views: Views) -> None:
        self.schema = schema
        self.views = views
        self.leaves = Leaves(views)
        self._costly = Costly(schema)
        self._known: dict[tuple[str, str], Field] = {}

    def of(self, parent: GraphQLObjectType, name: str) -> Field:
        """The field, which may be one of introspection's."""
        here = parent.name, name
        if here not in self._known:
            self._known[here] = self._look_at(parent.fields.get(name) or META_FIELDS[name])
        return self._known[here]

    def _look_at(self, field: GraphQLField) -> Field:
        definition = field.extensions.get(DEFINITION)
        inner = _nullable(field.type)
        return Field(
            definition=field,
            follow=_follow(definition) if definition else _follow_own(field),
            fetched=fetched(field),
            costly=self._costly.field(field),
            is_list=is_list_type(inner),
            nullable=not is_non_null_type(field.type),
            items_nullable=is_list_type(inner) and not is_non_null_type(inner.of_type),
            types=self._types(inner),
        )

    def _types(self, type_: GraphQLOutputType) -> Sequence[GraphQLObjectType]:
        inner = _nullable(type_.of_type) if is_list_type(type_) else type_
        if is_object_type(inner):
            return [inner]
        return list(self.schema.get_possible_types(inner)) if is_abstract_type(inner) else []


class Costly:
    """The types and fields of a schema from which REST calls can come."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._types: set[str] = set()
        types = [*filter(is_object_type, schema.type_map.values())]
        parts = {type_.name: [type_] for type_ in types}
        for type_ in filter(is_abstract_type, schema.type_map.values()):
            parts[type_.name] = list(schema.get_possible_types(type_))
        found = -1
        while found < len(self._types):
            found = len(self._types)
            for name, types in parts.items():
                if any(self.field(field) for type_ in types for field in type_.fields.values()):
                    self._types.add(name)

    def field(self, field: GraphQLField) -> bool:
        """Whether it is fetched, or changes something, or leads to a field that is."""
        definition = field.extensions.get(DEFINITION)
        reads = getattr(definition, "is_async", False) or fetched(field) is not None
        return reads or get_named_type(field.type).name in self._types


def fetched(field: GraphQLField) -> Fetched | None:
    """How it is fetched, if it is."""
    definition = field.extensions.get(DEFINITION)
    extensions = getattr(definition, "extensions", None) or ()
    return next((each for each in extensions if isinstance(each, Fetched)), None)


def _nullable(type_: Any) -> Any:
    return type_.of_type if is_non_null_type(type_) else type_


def _follow_own(field: GraphQLField) -> Callable[[Any, PlainInfo, Given], Any]:
    resolve = own_resolver(field)
    return lambda parent, info, given: resolve(parent, info, **given)


def _follow(definition: Any) -> Callable[[Any, PlainInfo, Given], Any]:
    """The resolver of a field, without what Strawberry puts around it."""
    resolver = definition.base_resolver
    if resolver is None:
        name = definition.python_name
        return lambda parent, _info, _given: getattr(parent, name)
    function = resolver._unbound_wrapped_func
    takes_parent = resolver.parent_parameter or resolver.self_parameter
    takes_info = resolver.info_parameter
    parent_name = takes_parent and takes_parent.name
    info_name = takes_info and takes_info.name

    def follow(parent: Any, info: PlainInfo, given: Given) -> Any:
        named = dict(given)
        if parent_name:
            named[parent_name] = parent
        if info_name:
            named[info_name] = info
        return function(**named)

    return follow
