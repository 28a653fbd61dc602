"""An operation, compiled: a tree of selections, made once and kept beside its document.

Of each selection the plain fields are one generated function; every other field is a link. How a
link is followed is said beside its field of the schema: by its resolver, and by `Fetched`, where
what that gives is the key of a REST call. The plan is gone through twice for a request: in
an estimate of its REST calls, which finds the mistakes in its arguments; and when it is run.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from msgspec import Struct

from gateway.engine._documents.counts import variables_in
from gateway.engine._plan.arguments import SCALARS, Coercion, Given, Pattern
from gateway.engine._plan.expressions import Compiler, ObjectSerializer, Serialize
from gateway.engine._plan.fields import DEFINITION, Field, Fields, PlainInfo
from gateway.engine._plan.projecting import attributes
from gateway.engine._plan.serializers import Collect, FieldSerializer, Place, Serializers, place
from gateway.engine._plan.views import Views

FEW: Final = 8
SHORT: Final = 400
"""Variables, and characters and digits of all, by which an operation can be known again."""
BYTES_PER_SERIALIZER: Final = 2_000
BYTES_PER_FIELD: Final = 800
"""Of generated functions, with their source."""


class Selection(Struct, frozen=True, eq=False):
    """What is asked of an object of `type`."""

    type: GraphQLObjectType
    serialize: Serialize
    """Gives the plain fields, in the order of all, with None in place of those of `links`."""
    serializer: ObjectSerializer
    """What `serialize` and `size` are of."""
    links: Sequence[Link]
    size: int
    """How many fields it has, those of plain objects within it included, of lists once."""


class Link(Struct, frozen=True, eq=False, kw_only=True):
    """A field that has arguments, or is fetched, or leads to such a field."""

    key: str
    """Its key in the response."""
    field: Field
    nodes: Sequence[FieldNode]
    arguments: Pattern | None
    """How they are made of a request's variables; None where they have to be coerced anew."""
    serializer: FieldSerializer | None
    """How its value is completed, where all below it is plain."""
    selections: Mapping[str, Selection]
    """Otherwise, what is asked of an object of each type that its value, or an item, may have."""
    types: Sequence[GraphQLObjectType]
    """Those types, as in `selections`."""

    def type_of(self, value: object, info: PlainInfo) -> GraphQLObjectType | None:
        """Which of those a value is of, or an item; None for what should not be there.

        A value's class alone decides it.
        """
        if value is None or isinstance(value, Exception):
            return None
        for type_ in self.types:
            of_type = type_.is_type_of
            if of_type(value, info) if of_type else len(self.types) == 1:  # type: ignore[arg-type]
                return type_
        return None


class Plan(Struct, frozen=True, eq=False):
    """An operation with one choice of what is skipped."""

    operation: OperationType
    root: Selection
    fields: Fields
    """What is known of the schema's."""
    size: int
    """About the bytes that it takes, rather too many than too few."""
    lasting: bool
    """Whether it was made for more than one request: see Serializers."""
    free: Sequence[Link]
    """Links that have arguments and can't lead to a REST call, which no estimate comes by."""


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
                field = link.field.definition
                given = self._coercion.given(field, link.nodes[0], self._variables)
            self._known[link] = given
        return given

    @property
    def values(self) -> Hashable | None:
        """What the arguments come from, where that is not much; None where it is."""
        values = self._variables.coerced
        if len(values) > FEW:
            return None
        length = 0
        for value in values.values():
            kind = type(value)
            # Of other types, what is equal may not be alike, or change.
            if kind is str:
                length += len(value)
            elif kind is int:
                length += value.bit_length() // 3
            elif value is not None and kind not in SCALARS:
                return None
        return tuple(values.items()) if length <= SHORT else None


class Planner:
    """Makes plans for the operations of one schema."""

    def __init__(self, schema: GraphQLSchema, views: Views) -> None:
        self.coercion = Coercion(schema)
        self._schema = schema
        self._fields = Fields(schema, views)
        self._compiler = Compiler()

    def plan(
        self,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
        *,
        lasting: bool = False,
        accepted: bool = True,
    ) -> Plan:
        """The plan of a valid operation; of `variables`, only those of `conditions` are read.

        What is compiled is kept for other plans, but not of a caller whom no backend has accepted.
        """
        root = self._schema.get_root_type(operation.operation)
        assert root is not None  # noqa: S101  # the document is valid
        making = _Making(
            self.coercion,
            self._schema,
            self._fields,
            operation,
            fragments,
            variables,
            self._compiler if accepted else Compiler(),
            lasting=lasting,
        )
        selection = making.root(root)
        size = (
            BYTES_PER_SERIALIZER * making.serializers.count
            + BYTES_PER_FIELD * making.serializers.fields
        )
        return Plan(operation.operation, selection, self._fields, size, lasting, making.free)


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


class _Making:
    """A plan in the making."""

    def __init__(
        self,
        coercion: Coercion,
        schema: GraphQLSchema,
        fields: Fields,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: VariableValues,
        compiler: Compiler,
        *,
        lasting: bool,
    ) -> None:
        self.free: list[Link] = []
        self._coercion = coercion
        self._schema = schema
        self._fields = fields
        self._operation = operation
        self._fragments = {name: FragmentDetails(node) for name, node in fragments.items()}
        self._variables = variables
        self._below = _below(schema, operation, self._fragments, variables)
        self.serializers = Serializers(self._below, compiler, leaves=fields.leaves, lasting=lasting)
        self._made: dict[Place, Selection] = {}

    def root(self, type_: GraphQLObjectType) -> Selection:
        fields = plain_fields([self._operation.selection_set])
        if fields is None:
            fields = collect_fields(
                self._schema, self._fragments, self._variables, type_, self._operation
            ).grouped_field_set
        return self._selection(type_, fields)

    def _selection(self, type_: GraphQLObjectType, fields: GroupedFieldSet) -> Selection:
        here = place(type_, fields)
        made = self._made.get(here)
        if made is None:
            serializer = self.serializers.object(type_, fields, here)
            links = [self._link(type_, key, fields[key]) for key in serializer.others]
            made = self._made[here] = Selection(
                type=type_,
                serialize=serializer.serialize,
                serializer=serializer,
                links=links,
                size=serializer.size,
            )
        return made

    def _link(self, parent: GraphQLObjectType, key: str, details: FieldDetailsList) -> Link:
        node = details[0].node
        field = self._fields.of(parent, node.name.value)
        serializer = self.serializers.field(field.definition.type, details)
        types = () if serializer else field.types
        selections = {
            type_.name: self._selection(type_, self._below(type_, details)) for type_ in types
        }
        how, asked = field.fetched, selections.values()
        if how and how.known and asked and all(_looks_at(each, how.names) for each in asked):
            field = _unread(field, how.known)
        link = Link(
            key=key,
            field=field,
            nodes=[detail.node for detail in details],
            arguments=self._coercion.pattern(field.definition, node),
            serializer=serializer,
            selections=selections,
            types=types,
        )
        if field.definition.args and not field.costly:
            self.free.append(link)
        return link


def _looks_at(selection: Selection, names: Set[str]) -> bool:
    """Whether it looks at no other attributes of a record, and leads to nothing else."""
    fields, shown = selection.type.fields, selection.serializer.fields.values()
    asked = {details[0].node.name.value for details in shown} & fields.keys()
    looked_at = [attributes(fields[name].extensions.get(DEFINITION)) for name in asked]
    return not selection.links and all(each is not None and names >= {*each} for each in looked_at)


def _unread(field: Field, known: Callable[[Any, Any], Any]) -> Field:
    """The field, with what is known of its items instead of the keys that they are read by."""

    def follow(parent: Any, info: PlainInfo, given: Given) -> list[Any]:
        items = field.follow(parent, info, given)
        values = {item: known(item, info.context) for item in dict.fromkeys(items)}
        return [values[item] for item in items]

    return replace(field, follow=follow, fetched=None)


def _below(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: dict[str, FragmentDetails],
    variables: VariableValues,
) -> Collect:
    """Gives the fields below others; not a method, for what it is given to would hold its owner."""

    def below(type_: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        plain = plain_fields([detail.node.selection_set for detail in details])
        if plain is not None:
            return plain
        return collect_subfields(
            schema, fragments, variables, operation, type_, details
        ).grouped_field_set

    return below


def plain_fields(selection_sets: Sequence[SelectionSetNode | None]) -> GroupedFieldSet | None:
    """What graphql-core would collect, which takes several times as long; None where there is
    anything but fields without conditions.
    """
    found: GroupedFieldSet = {}
    for selection_set in selection_sets:
        for node in selection_set.selections if selection_set else ():
            if not isinstance(node, FieldNode) or node.directives:
                return None
            key = (node.alias or node.name).value
            if key in found:
                found[key].append(FieldDetails(node, None))
            else:
                found[key] = [FieldDetails(node, None)]
    return found
