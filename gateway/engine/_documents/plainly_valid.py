"""Proves most documents valid in a tenth of the time that `validate` takes to find nothing.

One pass checks all rules at once. At the first part that it cannot prove valid it gives up, and
`validate` has to find what is wrong, if anything is: nothing is reported from here. So it need not
prove what is rare: named fragments, two fields of one object with the same response name,
subscriptions, introspection, directives other than `@skip` and `@include`, the literal null, lists
and objects for scalars, one object for a list, and variables of a type that is neither the expected
one nor its non-null type.

How it implies each of the rules is in tests/engine/test_plainly_valid.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLID,
    GraphQLIncludeDirective,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLSkipDirective,
    GraphQLString,
    GraphQLUnionType,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    TypeNameMetaFieldDef,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    do_types_overlap,
    get_named_type,
    is_composite_type,
    is_input_type,
    is_introspection_type,
    is_required_argument,
    is_required_input_field,
    type_from_ast,
)
from graphql.utilities import validate_input_literal

KEPT: Final = 1_000
"""More than the schema has fields."""

SHORT: Final = 10
"""Characters; what is shorter is within 32 bits."""

CONDITIONS: Final = {each.name: each for each in (GraphQLSkipDirective, GraphQLIncludeDirective)}


def plainly_valid(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """True if the document is proved valid by all rules. False proves nothing."""
    try:
        _Proof(schema).document(document)
    except _Doubt:
        return False
    return True


class _Doubt(Exception):
    """Validity is not proved."""


def _doubt(*_: object) -> NoReturn:
    raise _Doubt


class _Proof:
    """Proves a document valid. Each method checks what it is given, and raises `_Doubt` unless that
    is certainly valid.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._variables: dict[str, str] = {}  # the types of those of the operation at hand
        self._used: set[str] = set()  # of them

    def document(self, document: DocumentNode) -> None:
        names = set()
        for definition in document.definitions:
            if not isinstance(definition, OperationDefinitionNode):
                raise _Doubt
            if definition.name:
                names.add(definition.name.value)
            self._operation(definition)
        if len(names) < len(document.definitions) > 1:
            raise _Doubt

    def _operation(self, operation: OperationDefinitionNode) -> None:
        root = self._schema.get_root_type(operation.operation)
        if operation.operation is OperationType.SUBSCRIPTION or operation.directives or not root:
            raise _Doubt
        self._variable_definitions(operation.variable_definitions or ())
        self._selections(root, operation.selection_set, set())
        if len(self._used) < len(self._variables):
            raise _Doubt

    def _variable_definitions(self, definitions: Iterable[VariableDefinitionNode]) -> None:
        self._variables, self._used = {}, set()
        for definition in definitions:
            name = definition.variable.name.value
            type_ = type_from_ast(self._schema, definition.type)
            if name in self._variables or definition.directives or not is_input_type(type_):
                raise _Doubt
            if definition.default_value:
                self._value(definition.default_value, type_)
            self._variables[name] = str(type_)

    def _selections(
        self, type_: GraphQLCompositeType, selection_set: SelectionSetNode, names: set[str]
    ) -> None:
        """`names` are the response names that the object has so far."""
        for node in selection_set.selections:
            if node.directives:
                self._directives(node.directives)
            match node:
                case FieldNode():
                    name = (node.alias or node.name).value
                    if name in names:
                        raise _Doubt
                    names.add(name)
                    self._field(type_, node)
                case InlineFragmentNode(type_condition=condition):
                    inner = self._fragment_type(type_, condition.name.value) if condition else type_
                    self._selections(inner, node.selection_set, names)
                case _:
                    raise _Doubt

    def _field(self, type_: GraphQLCompositeType, node: FieldNode) -> None:
        definition, selected, required = _field_facts(type_, node.name.value)
        if node.arguments or required:
            self._inputs(definition.args, node.arguments or (), required)
        if selected and node.selection_set:
            self._selections(selected, node.selection_set, set())
        elif selected or node.selection_set:
            raise _Doubt

    def _fragment_type(self, type_: GraphQLCompositeType, name: str) -> GraphQLCompositeType:
        inner = self._schema.get_type(name)
        if not is_composite_type(inner) or not do_types_overlap(self._schema, type_, inner):
            raise _Doubt
        return inner

    def _directives(self, directives: Sequence[DirectiveNode]) -> None:
        if len({directive.name.value for directive in directives}) < len(directives):
            raise _Doubt
        for directive in directives:
            definition = CONDITIONS.get(directive.name.value)
            if definition is None or definition not in self._schema.directives:
                raise _Doubt
            self._inputs(definition.args, directive.arguments or (), _required(definition.args))

    def _inputs(
        self,
        expected: Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField],
        nodes: Sequence[ArgumentNode] | Sequence[ObjectFieldNode],
        required: Collection[str],
        *,
        one_of: bool = False,
    ) -> None:
        """Arguments or input fields: each is known and given once, and all required ones are."""
        given = {node.name.value: node.value for node in nodes}
        if len(given) < len(nodes) or (one_of and len(given) != 1):
            raise _Doubt
        for name, value in given.items():
            if name not in expected:
                raise _Doubt
            type_ = expected[name].type
            if one_of and not isinstance(type_, GraphQLNonNull):
                type_ = GraphQLNonNull(type_)  # null is as good as nothing
            self._value(value, type_)
        if any(name not in given for name in required):
            raise _Doubt

    def _value(self, node: ValueNode, type_: GraphQLInputType) -> None:
        nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        match node:
            case VariableNode():
                self._variable(node.name.value, str(type_))
            case ListValueNode() if isinstance(nullable, GraphQLList):
                for item in node.values:
                    self._value(item, nullable.of_type)
            case ObjectValueNode() if isinstance(nullable, GraphQLInputObjectType):
                fields = nullable.fields
                self._inputs(fields, node.fields, _required(fields), one_of=nullable.is_one_of)
            case IntValueNode() if nullable is GraphQLInt and len(node.value) < SHORT:
                pass
            case StringValueNode() if nullable is GraphQLString or nullable is GraphQLID:
                pass
            case NullValueNode() | ListValueNode() | ObjectValueNode():
                raise _Doubt
            case _:
                validate_input_literal(node, nullable, _doubt, hide_suggestions=True)

    def _variable(self, name: str, expected: str) -> None:
        if self._variables.get(name) not in (expected, f"{expected}!"):
            raise _Doubt
        self._used.add(name)


class _FieldFacts(NamedTuple):
    """What the schema says of a field."""

    definition: GraphQLField
    selected: GraphQLCompositeType | None
    """The type that is selected on below it, if it has one."""
    required: Collection[str]
    """The names of its required arguments."""


@lru_cache(maxsize=KEPT)
def _field_facts(type_: GraphQLCompositeType, name: str) -> _FieldFacts:
    """Raises `_Doubt` for an unknown field; that is not cached, or clients could fill the cache."""
    if name == "__typename":
        return _FieldFacts(TypeNameMetaFieldDef, None, ())
    fields: Mapping[str, GraphQLField]
    fields = {} if isinstance(type_, GraphQLUnionType) else type_.fields
    if name not in fields:
        raise _Doubt
    definition = fields[name]
    named = get_named_type(definition.type)
    if is_introspection_type(named):
        raise _Doubt
    selected = named if is_composite_type(named) else None
    return _FieldFacts(definition, selected, _required(definition.args))


def _required(
    expected: Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField],
) -> Collection[str]:
    return [
        name
        for name, each in expected.items()
        if (isinstance(each, GraphQLArgument) and is_required_argument(each))
        or (isinstance(each, GraphQLInputField) and is_required_input_field(each))
    ]
