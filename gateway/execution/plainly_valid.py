"""Proves most documents valid in a tenth of the time that `validate` takes to find nothing.

There is one pass, for all rules at once, over what each operation executes: a fragment is walked
wherever it is spread. It ends at the first doubt, and then `validate` has to say what is wrong, if
anything is: nothing is reported from here. So what is rare can stay a doubt: subscriptions,
introspection, directives other than `@skip` and `@include`, the literal null, lists and objects for
scalars, one object for a list, and variables of a type that is neither the expected one nor that
one's non-null type.

How it implies each of the rules is in tests/execution/test_plainly_valid.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
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

from gateway.execution.rules import is_one_of
from gateway.limits import DocumentLimits

MOST_STEPS: Final = 10_000
"""However many comparisons are allowed: graphql-core bounds other work on fragments as well."""

MOST_LEVELS: Final = 200
"""Of selection sets, those of fragments included: graphql-core validates no more."""

KEPT: Final = 1_000
"""More than the schema has fields."""

SHORT: Final = 10
"""Characters; what is shorter is within 32 bits."""

CONDITIONS: Final = {each.name: each for each in (GraphQLSkipDirective, GraphQLIncludeDirective)}


def plainly_valid(schema: GraphQLSchema, document: DocumentNode, limits: DocumentLimits) -> bool:
    """Whether a document within the limits is proved valid by all rules; if it is not, it may be
    valid all the same.
    """
    try:
        _Proof(schema, document, limits)
    except _Doubt:
        return False
    return True


class _Doubt(Exception):
    """It can't be told."""


def _doubt(*_: object) -> NoReturn:
    raise _Doubt


@dataclass(slots=True)
class _Merged:
    """The fields that have one response name in one place."""

    node: FieldNode  # the first of them
    definition: GraphQLField
    selected: GraphQLCompositeType | None
    below: list[SelectionSetNode]
    others: int = 0


class _Proof:
    """That a document is valid. Each method goes through what it is given, and raises a doubt
    unless that is valid.
    """

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, limits: DocumentLimits
    ) -> None:
        self._schema = schema
        self._most_steps = min(limits.max_comparisons, MOST_STEPS)
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._variables: dict[str, str] = {}  # the types of those of the operation at hand
        self._used: set[str] = set()  # of them
        self._spread: set[str] = set()
        # What there was so far; a fragment's parts count wherever it is spread.
        self._nodes = 0  # selections and values
        self._selection_sets = 0
        self._spreads = 0
        self._pair_steps = 0  # to compare each two fields of one response name in one place
        self._pairs_of_sets = 0  # below two such fields
        self._document(document)

    def _document(self, document: DocumentNode) -> None:
        operations: list[OperationDefinitionNode] = []
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                operations.append(definition)
            elif isinstance(definition, FragmentDefinitionNode):
                self._fragment_definition(definition)
            else:
                raise _Doubt
        names = {operation.name.value for operation in operations if operation.name}
        if len(names) < len(operations) > 1:
            raise _Doubt
        for operation in operations:
            self._operation(operation)
        if len(self._spread) < len(self._fragments):
            raise _Doubt
        self._affordable()

    def _fragment_definition(self, fragment: FragmentDefinitionNode) -> None:
        name = fragment.name.value
        if name in self._fragments or fragment.directives or fragment.variable_definitions:
            raise _Doubt
        self._fragments[name] = fragment

    def _operation(self, operation: OperationDefinitionNode) -> None:
        root = self._schema.get_root_type(operation.operation)
        if operation.operation is OperationType.SUBSCRIPTION or operation.directives or not root:
            raise _Doubt
        self._variable_definitions(operation.variable_definitions or ())
        # Without recursion: through fragments it goes deeper than a document can be parsed.
        waiting: list[tuple[GraphQLCompositeType, Sequence[SelectionSetNode]]]
        waiting = [(root, [operation.selection_set])]
        while waiting:
            for merged in self._fields(*waiting.pop()):
                if merged.selected:
                    waiting.append((merged.selected, merged.below))
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

    def _fields(
        self, type_: GraphQLCompositeType, selection_sets: Sequence[SelectionSetNode]
    ) -> Collection[_Merged]:
        """All fields of selection sets that are for the same object."""
        found: dict[str, _Merged] = {}
        waiting = [(type_, selection_set) for selection_set in selection_sets]
        while waiting:
            type_, selection_set = waiting.pop()
            self._selection_sets += 1
            self._nodes += len(selection_set.selections)
            for node in selection_set.selections:
                if node.directives:
                    self._directives(node.directives)
                match node:
                    case FieldNode():
                        self._field(type_, node, found)
                    case InlineFragmentNode():
                        waiting.append(self._inline_fragment(type_, node))
                    case FragmentSpreadNode():
                        waiting.append(self._fragment_spread(type_, node))
                    case _:
                        raise _Doubt
        return found.values()

    def _field(
        self, type_: GraphQLCompositeType, node: FieldNode, found: dict[str, _Merged]
    ) -> None:
        definition, selected, required = _known(type_, node.name.value)
        if (selected is None) != (node.selection_set is None):
            raise _Doubt
        if node.arguments or required:
            self._inputs(definition.args, node.arguments or (), required)
        key = (node.alias or node.name).value
        merged = found.get(key)
        if merged is None:
            merged = found[key] = _Merged(node, definition, selected, [])
        else:
            self._repeated(merged, node, definition)
        if node.selection_set:
            merged.below.append(node.selection_set)

    def _repeated(self, merged: _Merged, node: FieldNode, definition: GraphQLField) -> None:
        """Fields of one response name are the same field, with arguments of the same text."""
        type_ = str(definition.type)
        if (
            node.name.value != merged.node.name.value
            or type_ != str(merged.definition.type)
            or _text(node.arguments) != _text(merged.node.arguments)
        ):
            raise _Doubt
        merged.others += 1
        levels = type_.count("[") + type_.count("!")
        self._pair_steps += merged.others * (6 * (2 + levels) + 2 * len(definition.args))
        if node.selection_set:
            self._pairs_of_sets += merged.others
        self._affordable()

    def _inline_fragment(
        self, type_: GraphQLCompositeType, node: InlineFragmentNode
    ) -> tuple[GraphQLCompositeType, SelectionSetNode]:
        condition = node.type_condition
        inner = self._fragment_type(type_, condition.name.value) if condition else type_
        return inner, node.selection_set

    def _fragment_spread(
        self, type_: GraphQLCompositeType, node: FragmentSpreadNode
    ) -> tuple[GraphQLCompositeType, SelectionSetNode]:
        name = node.name.value
        fragment = self._fragments.get(name)
        if fragment is None or node.arguments:
            raise _Doubt
        self._spread.add(name)
        self._spreads += 1
        self._affordable()  # which ends circles
        inner = self._fragment_type(type_, fragment.type_condition.name.value)
        return inner, fragment.selection_set

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
        self._nodes += 1
        nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        match node:
            case VariableNode():
                self._variable(node.name.value, str(type_))
            case ListValueNode() if isinstance(nullable, GraphQLList):
                for item in node.values:
                    self._value(item, nullable.of_type)
            case ObjectValueNode() if isinstance(nullable, GraphQLInputObjectType):
                fields = nullable.fields
                self._inputs(fields, node.fields, _required(fields), one_of=is_one_of(nullable))
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

    def _affordable(self) -> None:
        """What graphql-core does to merge fields stays within its bounds, and so does this.

        It compares each two fields of one response name. Every selection set is an operation's, a
        fragment's or a field's. It compares two fragments, or a selection set and a fragment, at
        the most twice (the second time with types that overlap), and two selection sets of fields
        as often as these fields: so two fields at the most six times, if both are in fragments.
        Its steps, rather too many than too few, are

        - for each spread, two where it stands, two for each selection set that the fragment around
          it is compared with, one for each other spread that is next to it, and four for each
          fragment that the fragment around it is compared with;
        - for each fragment, one for each field of a selection set that it is compared with;
        - for two fields, two and one for each level of their type, at the most six times, and twice
          one for each argument;
        - for two selection sets below such, one for each field of both, and six times those for
          spreads: one for each in either, and two for any two of them.
        """
        nodes, spreads = self._nodes, self._spreads
        steps = (
            spreads * (2 + 2 * nodes + 5 * spreads + nodes)
            + self._pair_steps
            + self._pairs_of_sets * (2 * nodes + 6 * spreads + 3 * spreads * spreads)
        )
        if steps > self._most_steps or (spreads and self._selection_sets > MOST_LEVELS):
            raise _Doubt


class _Known(NamedTuple):
    """What is known of a field, whatever the document."""

    definition: GraphQLField
    selected: GraphQLCompositeType | None
    """What is selected below it."""
    required: Collection[str]
    """The arguments that it has to be given."""


@lru_cache(maxsize=KEPT)
def _known(type_: GraphQLCompositeType, name: str) -> _Known:
    """Raises a doubt, which is not kept: that would be for clients to fill."""
    if name == "__typename":
        return _Known(TypeNameMetaFieldDef, None, ())
    fields: Mapping[str, GraphQLField]
    fields = {} if isinstance(type_, GraphQLUnionType) else type_.fields
    if name not in fields:
        raise _Doubt
    definition = fields[name]
    named = get_named_type(definition.type)
    if is_introspection_type(named):
        raise _Doubt
    selected = named if is_composite_type(named) else None
    return _Known(definition, selected, _required(definition.args))


def _required(
    expected: Mapping[str, GraphQLArgument] | Mapping[str, GraphQLInputField],
) -> Collection[str]:
    return [
        name
        for name, each in expected.items()
        if (isinstance(each, GraphQLArgument) and is_required_argument(each))
        or (isinstance(each, GraphQLInputField) and is_required_input_field(each))
    ]


def _text(arguments: Sequence[ArgumentNode] | None) -> str:
    """As they are written."""
    if not arguments:
        return ""
    first, last = arguments[0].loc, arguments[-1].loc
    if first is None or last is None:
        raise _Doubt
    return first.source.body[first.start : last.end]
