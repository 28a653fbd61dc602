"""The rules of ours: what they say that graphql-core's do not."""

from __future__ import annotations

import pytest
from graphql import parse, validate

from gateway.engine import Limits
from gateway.engine._documents.rules import mark_one_of, rules
from tests.harness import schema

SCHEMA = schema()._schema
mark_one_of(SCHEMA)
FRAGMENT = "fragment F on Query { customerGroup(by: {uid: $u}) { uid } }"
NULLABLE = "Variable '$u' must be non-nullable to be used for OneOf Input Object 'CustomerGroupBy'."


def mistakes(text: str) -> list[str]:
    found = validate(SCHEMA, parse(text), rules(Limits(), introspection=False))
    return [error.message for error in found]


@pytest.mark.parametrize(
    "text",
    [
        f"query A($u: ID!) {{ ...F }} {FRAGMENT}",
        f"{FRAGMENT} query A($u: ID!) {{ ...F }}",
        f"query A($u: ID!) {{ ...F }} query B {{ __typename }} {FRAGMENT}",
        f"query A($u: ID!) {{ ...F }} query B($u: ID) {{ tenant(uid: $u) {{ uid }} }} {FRAGMENT}",
    ],
)
def test_a_variable_in_a_fragment_is_that_of_the_operations_that_spread_it(text: str):
    """Wherever the fragment stands."""
    assert mistakes(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "query A($u: ID) { customerGroup(by: {uid: $u}) { uid } }",
        f"{FRAGMENT} query A($u: ID) {{ ...F }}",
        f"query A($u: ID!) {{ ...F }} query B($u: ID) {{ ...F }} {FRAGMENT}",
        f"query B($u: ID) {{ ...F }} query A($u: ID!) {{ ...F }} {FRAGMENT}",
    ],
)
def test_the_only_field_may_not_be_a_variable_that_can_be_null(text: str):
    """In any of the operations."""
    assert mistakes(text) == [NULLABLE]


@pytest.mark.parametrize(
    "text", ["query A { customerGroup(by: {uid: $u}) { uid } }", f"{FRAGMENT} query A {{ ...F }}"]
)
def test_an_unknown_variable_is_a_mistake_of_the_document(text: str):
    """Not one of ours."""
    assert mistakes(text) == ["Variable '$u' is not defined by operation 'A'."]
