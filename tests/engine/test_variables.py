"""Variables that are coerced without graphql-core: to what it would make of them."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine._documents.rules import mark_one_of
from gateway.engine._documents.variables import mistakes, plain_values, plain_variables
from tests.harness import PYTHON, schema

SCHEMA = schema()._schema
mark_one_of(SCHEMA)
TYPES = ["ID!", "ID", "String", "String!", "Boolean", "Boolean!"]
VALUES = st.one_of(
    st.text(max_size=3), st.booleans(), st.integers(), st.none(), st.lists(st.text(max_size=2))
)


def operation(*types: str) -> OperationDefinitionNode:
    variables = ", ".join(f"$v{number}: {type_}" for number, type_ in enumerate(types))
    [node] = parse(f"query ({variables}) {{ __typename }}").definitions
    assert isinstance(node, OperationDefinitionNode)
    return node


def values(found: VariableValues) -> dict[str, Any]:
    return {name: source.value for name, source in found.sources.items()}


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(TYPES), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["v0", "v1", "v2", "other"]), VALUES),
)
def test_plain_variables_get_the_values_that_graphql_core_gives(
    types: list[str], sent: dict[str, Any]
) -> None:
    """Whatever else is sent is left to graphql-core."""
    node = operation(*types)
    plain = plain_variables(SCHEMA, node)
    assert plain is not None

    found = plain_values(plain, sent)

    if found is not None:
        wanted = get_variable_values(SCHEMA, node.variable_definitions or (), sent)
        assert isinstance(wanted, VariableValues)
        assert found.coerced == wanted.coerced
        assert values(found) == values(wanted)


def test_texts_are_coerced_here() -> None:
    """A look-up by a uid needs no more."""
    plain = plain_variables(SCHEMA, operation("ID!", "String"))
    assert plain is not None

    found = plain_values(plain, {"v0": "gold", "v1": "a"})

    assert found is not None
    assert found.coerced == {"v0": "gold", "v1": "a"}


@pytest.mark.parametrize("type_", ["Int", "[ID!]!", "JSON", "CustomerGroupBy!", 'ID = "x"'])
def test_of_other_types_nothing_is_coerced_here(type_: str) -> None:
    """They may need more than a look at the type of a value; a default, a value of its own."""
    plain = plain_variables(SCHEMA, operation("ID", type_))

    assert plain is None or plain_values(plain, {"v0": "gold"}) is None


INPUTS = ["CustomerGroupBy!", "CustomerGroupSort", "Int", "Float", "DateTime", "[ID!]!"]
INPUTS += ["SetCustomerGroupMembersInput!", "CreateCustomerGroupInput", "[CustomerGroupSort!]"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("'\"\\a\u00eb", max_size=3),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(st.sampled_from(["uid", "key", "field", "customerUids", "x"]), parts)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(
    st.lists(st.sampled_from([*TYPES, *INPUTS]), min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["v0", "v1", "v2"]), JSON),
)
def test_mistakes_are_found_where_graphql_core_finds_them(
    types: list[str], sent: dict[str, Any]
) -> None:
    """As many, at the same places; none of them prints a value as Python does."""
    node = operation(*types)
    wanted = get_variable_values(SCHEMA, node.variable_definitions or (), sent)

    found = mistakes(SCHEMA, node, sent, hide_suggestions=False)

    places = [error.message.partition(":")[0] for error in found]
    assert places == (
        [error.message.partition(":")[0] for error in wanted] if isinstance(wanted, list) else []
    )
    for error in found:
        assert error.nodes
        assert not PYTHON.search(error.message), error.message


def test_only_so_many_mistakes_are_listed() -> None:
    """A list of thousands would make as many sentences."""
    found = mistakes(SCHEMA, operation("[ID!]!"), {"v0": [None] * 1_000}, hide_suggestions=True)

    assert len(found) == 51
    assert found[-1].message == "There may be more mistakes in the variables."
