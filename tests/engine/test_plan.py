"""What a plan is made of."""

from __future__ import annotations

import pytest
from graphql import OperationDefinitionNode, parse
from graphql.execution.collect_fields import collect_fields
from graphql.execution.values import VariableValues
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine._plan.plan import plain_fields
from tests.harness import schema

SCHEMA = schema()._schema
PLAIN = ["a", "a", "b", "a: b", "c: a", "a { x }", "a { y }", "__typename"]
OTHERS = ["... { a }", "... on Query { b }", "a @skip(if: true)", "b @include(if: true)"]


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(PLAIN), max_size=8),
    st.lists(st.sampled_from(OTHERS), max_size=1),
    st.integers(0, 8),
)
def test_plain_fields_are_collected_as_graphql_core_does(
    plain: list[str], others: list[str], place: int
):
    """In the same order, and together where they have one key; the others are left to it."""
    text = " ".join([*plain[:place], *others, *plain[place:]])
    [operation] = parse(f"{{ {text} }}").definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert SCHEMA.query_type is not None
    variables = VariableValues({}, {})
    right = collect_fields(SCHEMA, {}, variables, SCHEMA.query_type, operation).grouped_field_set

    found = plain_fields([operation.selection_set])

    assert (found is None) == bool(others)
    if found is not None:
        assert list(found.items()) == list(right.items())
