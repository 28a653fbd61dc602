"""What an operation looks at of records: what it shows, and nothing that it does not."""

from __future__ import annotations

import pytest
from graphql import GraphQLObjectType, parse

from gateway import records
from gateway.engine import LOOKS_AT
from gateway.engine._plan.projecting import Projector
from gateway.schema import VIEWS as OF_SCHEMA
from gateway.schema import projection
from tests.harness import schema

SCHEMA = schema()._schema
VIEWS = {
    name: getattr(records, name)
    for name, type_ in SCHEMA.type_map.items()
    if isinstance(type_, GraphQLObjectType)
    and isinstance(getattr(records, name, None), type)
    and name != "Tenant"  # made here, and read by nobody
}


def seen(query: str, record: type[records.Record]) -> frozenset[str] | None:
    document = parse(query)
    operation, *fragments = document.definitions
    named = {fragment.name.value: fragment for fragment in fragments}
    looked_at = Projector(SCHEMA, OF_SCHEMA.records).looked_at(operation, named)
    return projection(looked_at).of(record)


@pytest.mark.parametrize("name", VIEWS)
def test_every_field_says_what_it_looks_at(name):
    """By its name or in its metadata: one that does not would have the record read whole."""
    for field in SCHEMA.type_map[name].fields.values():
        definition = field.extensions["strawberry-definition"]

        assert definition.base_resolver is None or LOOKS_AT in definition.metadata, field


CASES = [
    ("{ customerGroups { nodes { name } } }", {"name"}, set()),
    ("{ customerGroups { edges { cursor } } }", set(), set()),
    ("{ customerGroups { nodes { id tenant { uid } } } }", set(), set()),
    (
        "{ customerGroups { nodes { customers { nodes { email ...C } } } } } "
        "fragment C on Customer { addresses { city } customerGroups { key } }",
        {"key"},
        {"email", "addresses", "customer_group_uids"},
    ),
    ("{ node(id: 1) { id ... on CustomerGroup { createdBy } } }", {"created_by"}, set()),
    ("{ customerGroups { nodes { ... { key } name @skip(if: true) } } }", {"key", "name"}, set()),
    (
        "mutation { deleteCustomerGroup(input: {customerGroup: {uid: 1}}) { deletedId } }",
        set(),
        set(),
    ),
]


@pytest.mark.parametrize(("query", "groups", "customers"), CASES)
def test_what_is_shown_is_looked_at(query, groups, customers):
    """Through fragments and whatever is skipped; identifiers are always there."""
    assert seen(query, records.CustomerGroup) == groups
    assert seen(query, records.Customer) == customers


def test_a_revision_is_made_of_several_fields():
    """Each of them is read for it."""
    fields = seen("{ customerGroups { nodes { revision } } }", records.CustomerGroup)

    assert fields is not None
    assert {"version", "name", "last_modified_at"} <= fields


def test_of_nested_records_their_own_fields_count():
    """An address is read for its city alone."""
    query = "{ customerGroup(by: {uid: 1}) { customers { nodes { addresses { city } } } } }"

    assert seen(query, records.CustomerAddress) == {"city"}
