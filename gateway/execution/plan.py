"""An operation, compiled: a tree of selections, made once and kept beside its document.

Of each selection the plain fields are one generated function; every other field is a link. How a
link is followed is said beside its field of the schema: by its resolver, and by `Fetched`, where
what that gives is the key of a REST call. The plan is gone through twice for a request: in
rehearsal, for a bound of its REST calls and the mistakes in its arguments; and when it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gateway.context import Context
from gateway.execution.arguments import Coercion, Given, Pattern, variables_in
from gateway.execution.shapes import Collect, Completed, Place, Shape, Shapes, all_of, place
from gateway.schema.fetched import Fetched

DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF


@dataclass(frozen=True, slots=True)
class PlainInfo:
    """What a resolver may know of the request, wherever it is called."""

    context: Context


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What is asked of an object of `type`."""

    type: GraphQLObjectType
    holds: Callable[[Sequence[Any], PlainInfo], bool]
    """Whether all of these values are such objects."""
    shape: Shape
    """Gives the plain fields, in the order of all, with None in place of those of `links`."""
    links: Sequence[Link]
    size: int
    """How many fields it has, those of plain objects within it included, of lists once."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Link:
    """A field that has arguments, or is fetched, or leads to such a field."""

    key: str
    """Its key in the response."""
    field: GraphQLField
    nodes: Sequence[FieldNode]
    follow: Callable[[Any, PlainInfo, Given], Any]
    """The resolver, of a parent and the arguments."""
    arguments: Pattern | None
    """How they are made of a request's variables; None where they have to be coerced anew."""
    fetched: Fetched | None
    costly: bool
    """Whether REST calls can come of it."""
    is_list: bool
    nullable: bool
    items_nullable: bool
    completed: Completed | None
    """How its value is completed, where all below it is plain."""
    selections: Mapping[str, Selection]
    """Otherwise, what is asked of an object of each type that its value, or an item, may have."""
    types: Sequence[GraphQLObjectType]
    """Those types, as in `selections`."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """An operation with one choice of what is skipped."""

    operation: OperationType
    root: Selection
    covered: bool
    """Whether it can be run; else it is graphql-core's, and only rehearsed."""
    size: int
    """How many shapes were made for it."""
    lasting: bool
    """Whether it was made for more than one request: see Shapes."""


class Arguments:
    """The arguments of links in one request, each coerced once."""

    def __init__(self, coercion: Coercion, variables: VariableValues) -> None:
        self._coercion = coercion
        self._variables = variables
        self._known: dict[Link, Given] = {}

    def of(self, link: Link) -> Given:
        """Raises what graphql-core and Strawberry raise for values that can't be coerced."""
        given = self._known.get(link)
        if given is None:
            pattern, values = link.arguments, self._variables.coerced
            if pattern is not None and pattern.fits(values):
                given = pattern.fill(values)
            else:
                given = self._coercion.given(link.field, link.nodes[0], self._variables)
            self._known[link] = given
        return given


class Planner:
    """Makes plans for the operations of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.coercion = Coercion(schema)
        self._schema = schema
        self._costly = Costly(schema)

    def plan(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
        *,
        lasting: bool = False,
    ) -> Plan:
        """The plan of a valid operation; of `variables`, only those of `conditions` are read."""
        root = self._schema.get_root_type(operation.operation)
        assert root is not None  # noqa: S101  # the document is valid
        making = _Making(
            self.coercion,
            self._schema,
            self._costly,
            operation,
            fragments,
            variables,
            lasting=lasting,
        )
        selection = making.root(root)
        covered = making.covered and operation.operation is OperationType.QUERY
        return Plan(operation.operation, selection, covered, making.shapes.count, lasting)


def conditions(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Sequence[str]:
    """The variables by which @skip and @include choose, each once."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting: list[SelectionSetNode] = [operation.selection_set]
    while waiting:
        for node in waiting.pop().selections:
            if node.directives:
                found |= dict.fromkeys(variables_in(node.directives))
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in seen:
                    seen.add(name)
                    waiting.append(fragments[name].selection_set)
            elif node.selection_set is not None:  # type: ignore[attr-defined]
                waiting.append(node.selection_set)  # type: ignore[attr-defined]
    return list(found)


class Costly:
    """The types and fields of a schema from which REST calls can come."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._types: set[str] = set()
        objects = [type_ for type_ in schema.type_map.values() if is_object_type(type_)]
        found = -1
        while found < len(self._types):
            found = len(self._types)
            for type_ in objects:
                if any(self.field(field) for field in type_.fields.values()):
                    self._types.add(type_.name)
                    self._types.update(interface.name for interface in type_.interfaces)
            self._types.update(
                type_.name
                for type_ in schema.type_map.values()
                if is_abstract_type(type_)
                and any(part.name in self._types for part in schema.get_possible_types(type_))
            )

    def field(self, field: GraphQLField) -> bool:
        """Whether it is fetched, or changes something, or leads to a field that is."""
        definition = field.extensions.get(DEFINITION)
        reads = getattr(definition, "is_async", False) or fetched(field) is not None
        return reads or self.type(get_named_type(field.type))

    def type(self, type_: GraphQLNamedType) -> bool:
        return type_.name in self._types


def fetched(field: GraphQLField) -> Fetched | None:
    """How it is fetched, if it is."""
    definition = field.extensions.get(DEFINITION)
    extensions = getattr(definition, "extensions", None) or ()
    return next((each for each in extensions if isinstance(each, Fetched)), None)


class _Making:
    """A plan in the making."""

    def __init__(
        self,
        coercion: Coercion,
        schema: GraphQLSchema,
        costly: Costly,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
        *,
        lasting: bool,
    ) -> None:
        self.covered = True
        self._coercion = coercion
        self._schema = schema
        self._costly = costly
        self._operation = operation
        self._fragments = {name: FragmentDetails(node) for name, node in fragments.items()}
        self._variables = variables
        self._below = _below(schema, operation, self._fragments, variables)
        self.shapes = Shapes(self._below, lasting=lasting)
        self._made: dict[Place, Selection] = {}

    def root(self, type_: GraphQLObjectType) -> Selection:
        fields = collect_fields(
            self._schema, self._fragments, self._variables, type_, self._operation
        )
        return self._selection(type_, fields.grouped_field_set)

    def _selection(self, type_: GraphQLObjectType, fields: GroupedFieldSet) -> Selection:
        here = place(type_, fields)
        made = self._made.get(here)
        if made is None:
            partial = self.shapes.partial(type_, fields)
            links = [self._link(type_, key, fields[key]) for key in partial.others]
            found = tuple(link for link in links if link is not None)
            made = self._made[here] = Selection(
                type_, all_of(type_), partial.shape, found, partial.size
            )
        return made

    def _link(self, parent: GraphQLObjectType, key: str, details: FieldDetailsList) -> Link | None:
        """None for what is graphql-core's alone, such as introspection."""
        node = details[0].node
        field = parent.fields.get(node.name.value)
        definition = None if field is None else field.extensions.get(DEFINITION)
        if field is None or definition is None:
            self.covered = False
            return None
        how = fetched(field)
        foreign = [each for each in definition.extensions if each.has_resolver and each is not how]
        completed = self.shapes.completed(field.type, details)
        inner = _nullable(field.type)
        types = [] if completed else self._types(inner)
        if definition.is_async or foreign or not (completed or types):
            self.covered = False
        return Link(
            key=key,
            field=field,
            nodes=[detail.node for detail in details],
            follow=_follow(definition),
            arguments=self._coercion.pattern(field, node),
            fetched=how,
            costly=self._costly.field(field),
            is_list=is_list_type(inner),
            nullable=not is_non_null_type(field.type),
            items_nullable=is_list_type(inner) and not is_non_null_type(inner.of_type),
            completed=completed,
            selections={
                type_.name: self._selection(type_, self._below(type_, details)) for type_ in types
            },
            types=types,
        )

    def _types(self, type_: GraphQLOutputType) -> Sequence[GraphQLObjectType]:
        """Those that a value of this type, or an item, may have; none for a list of lists."""
        inner = _nullable(type_.of_type) if is_list_type(type_) else type_
        if is_object_type(inner):
            return [inner]
        return list(self._schema.get_possible_types(inner)) if is_abstract_type(inner) else []


def _below(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: dict[str, FragmentDetails],
    variables: VariableValues,
) -> Collect:
    """Gives the fields below others; not a method, for what it is given to would hold its owner."""

    def below(type_: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        return collect_subfields(
            schema, fragments, variables, operation, type_, details
        ).grouped_field_set

    return below


def _nullable(type_: Any) -> Any:
    return type_.of_type if is_non_null_type(type_) else type_


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
