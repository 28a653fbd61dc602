"""What is put into a pattern is what graphql-core and Strawberry would have made of it."""

from __future__ import annotations

import pytest
import strawberry
from graphql import FieldNode, OperationDefinitionNode, parse
from graphql.execution.values import (
    VariableValues,
    get_argument_values,
    get_variable_values,
)
from hypothesis import given
from hypothesis import strategies as st
from strawberry.types.arguments import convert_arguments

from gateway.engine._plan.arguments import SCALARS, Coercion
from tests.harness import schema

SCHEMA = schema()._schema
COERCION = Coercion(SCHEMA)
TEXT = st.text(max_size=8)
ALL = """query (
  $uid: ID!, $tenant: ID, $first: Int, $after: String, $last: Int, $ids: [ID!]!, $id: ID!,
  $by: CustomerGroupBy!, $direction: CustomerGroupSortDirection!, $offset: Int = 3
) {
  a: customerGroup(by: {uid: $uid}, tenantUid: $tenant) { uid }
  b: customerGroups(first: $first, after: $after, orderBy: {field: NAME, direction: DESC}) {
    totalCount
  }
  c: customerGroups(last: $last, offset: $offset, tenantUid: "here") { totalCount }
  d: nodes(ids: $ids) { id }
  e: nodes(ids: [$id, "other", $uid]) { id }
  f: customerGroup(by: $by) { uid }
  g: customerGroups(orderBy: {field: NAME, direction: $direction}) { totalCount }
  h: customerGroups(first: 3) { totalCount }
}"""
[OPERATION] = parse(ALL).definitions
assert isinstance(OPERATION, OperationDefinitionNode)
FIELDS = [node for node in OPERATION.selection_set.selections if isinstance(node, FieldNode)]


@pytest.mark.slow
@given(
    st.fixed_dictionaries(
        {
            "uid": TEXT,
            "ids": st.lists(TEXT, max_size=2),
            "id": TEXT | st.integers(0, 9),
            "by": st.sampled_from([{"uid": "a"}, {"key": "b"}]),
            "direction": st.sampled_from(["ASC", "DESC"]),
        },
        optional={
            "tenant": TEXT | st.none(),
            "first": st.integers(-5, 500) | st.none(),
            "after": TEXT | st.none(),
            "last": st.integers(-5, 500) | st.none(),
            "offset": st.integers(-5, 500) | st.none(),
        },
    )
)
def test_a_filled_pattern_is_what_coercing_gives(sent):
    assert isinstance(OPERATION, OperationDefinitionNode)
    variables = get_variable_values(SCHEMA, OPERATION.variable_definitions or (), sent)
    assert isinstance(variables, VariableValues)
    assert SCHEMA.query_type is not None
    for node in FIELDS:
        field = SCHEMA.query_type.fields[node.name.value]
        pattern = COERCION.pattern(field, node)
        if pattern is not None and pattern.fits(variables.coerced):
            assert pattern.fill(variables.coerced) == COERCION.given(field, node, variables)


@pytest.mark.parametrize("node", FIELDS, ids=lambda node: node.alias.value)
def test_most_arguments_have_a_pattern(node):
    """Scalars have; an enum, a list or an object in a variable is coerced in each request."""
    assert SCHEMA.query_type is not None
    pattern = COERCION.pattern(SCHEMA.query_type.fields[node.name.value], node)

    sent = {"ids": [], "by": {}, "direction": ()}
    scalars = dict.fromkeys(["uid", "tenant", "first", "after", "last", "id", "offset"], "")
    fits = pattern is not None and pattern.fits(sent | scalars)
    assert fits == (node.alias.value not in "dfg")
    assert {type(value) for value in scalars.values()} <= SCALARS


@strawberry.type
class Query:
    @strawberry.field
    def field(
        self,
        needed: int,
        some_default: int = 3,
        maybe: strawberry.Maybe[int | None] = None,
        nullable: list[str] | None = None,
        unset: int | None = strawberry.UNSET,
    ) -> int:
        return needed


OTHER = strawberry.Schema(Query)._schema
VALUES = {
    "needed": ["1", "$given", "$missing", "null"],
    "someDefault": ["1", "$given", "$missing", "null"],
    "maybe": ["1", "$given", "$missing", "null"],
    "nullable": ['["a", "b"]', '"a"', "$given", "$missing", "null"],
    "unset": ["1", "$given", "$missing", "null"],
}


@pytest.mark.slow
@given(
    st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(texts) for name, texts in VALUES.items()}
    )
)
def test_arguments_are_coerced_as_graphql_core_and_strawberry_do(given_):
    """Whichever are given, with their defaults, and with what is said of those that can't be."""
    arguments = ", ".join(f"{name}: {text}" for name, text in given_.items())
    [operation] = parse(f"{{ field({arguments}) }}" if given_ else "{ field }").definitions
    assert isinstance(operation, OperationDefinitionNode)
    [node] = operation.selection_set.selections
    assert isinstance(node, FieldNode)
    assert OTHER.query_type is not None
    field = OTHER.query_type.fields["field"]
    variables = VariableValues({}, {"given": 7})
    definition = field.extensions["strawberry-definition"]
    converter = OTHER._strawberry_schema.schema_converter

    def both() -> dict[str, object]:
        return convert_arguments(
            get_argument_values(field, node, variables),
            definition.arguments,
            scalar_registry=converter.scalar_registry,
            config=converter.config,
        )

    def outcome(make) -> object:
        try:
            return list(make().items())
        except Exception as error:  # whatever it is, it is the same
            return type(error), str(error)

    assert outcome(lambda: Coercion(OTHER).given(field, node, variables)) == outcome(both)
