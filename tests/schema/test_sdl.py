"""The schema itself: current, explained, and as a supergraph needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_non_null_type,
    is_scalar_type,
    is_specified_scalar_type,
)

from gateway.schema import create_schema
from tests.harness import schema

SCHEMA = schema()


def described() -> Iterator[tuple[str, str | None]]:
    """Everything that a client can see, with what is said of it."""
    for name, kind in SCHEMA._schema.type_map.items():
        if name.startswith("_") or "__" in name or is_specified_scalar_type(kind):
            continue  # introspection's, federation's and GraphQL's own
        yield name, kind.description
        match kind:
            case GraphQLObjectType() | GraphQLInterfaceType():
                for field_name, field in kind.fields.items():
                    if field_name in ("_service", "_entities"):
                        continue
                    yield f"{name}.{field_name}", field.description
                    for argument_name, argument in field.args.items():
                        yield f"{name}.{field_name}({argument_name})", argument.description
            case GraphQLInputObjectType():
                for field_name, input_field in kind.fields.items():
                    yield f"{name}.{field_name}", input_field.description
            case GraphQLEnumType():
                for value_name, value in kind.values.items():
                    yield f"{name}.{value_name}", value.description


def parts_of(name: str) -> set[str]:
    """The type and what its fields show, and so on, but for entities and scalars."""
    found: set[str] = set()
    left = [SCHEMA._schema.type_map[name]]
    while left:
        kind = left.pop()
        entity = kind.name in ("CustomerGroup", "Tenant") or is_scalar_type(kind)
        if not entity and kind.name not in found:
            found.add(kind.name)
            fields = getattr(kind, "fields", {})  # an enum has none
            left += [get_named_type(field.type) for field in fields.values()]
    return found


def test_the_exported_schema_is_current():
    """`make schema` was run."""
    exported = Path(__file__).parents[2] / "schema.graphql"

    assert exported.read_text(encoding="utf-8") == SCHEMA.as_str() + "\n"


def test_everything_is_explained():
    """Types, fields, arguments, enum values and input fields: docstrings do not reach clients."""
    all_of_it = dict(described())

    assert len(all_of_it) > 250
    assert [name for name, description in all_of_it.items() if not description] == []


def test_explanations_are_sentences():
    """They begin in capitals, or with a name as it is, and end."""
    for name, description in described():
        assert description is not None
        assert description.rstrip().endswith((".", "?")), name
        assert "  " not in description, name


def test_names_are_those_of_customer_groups():
    """In a supergraph a UserError, a Backend or a SortDirection is another team's as well."""
    own = "((Create|Delete|Set|Update)CustomerGroup|(Commercetools)?Customer|_|link__).*"
    merging = "Query|Mutation|Node|PageInfo|Tenant|DateTime|Long|JSON|Boolean|Float|ID|Int|String"

    names = SCHEMA._schema.type_map
    assert [name for name in names if not re.fullmatch(f"{own}|{merging}", name)] == []


def test_names_of_customers_are_those_of_their_parts():
    """Who owns customers has lists and changes of customers, and names for them."""
    of_customers = {name for name in SCHEMA._schema.type_map if re.match("Customer(?!Group)", name)}

    assert of_customers <= parts_of("Customer")


def test_what_costs_a_rest_call_can_be_null():
    """So that one failed call costs one field."""
    types = SCHEMA._schema.type_map
    costly = [
        ("Query", "tenant"),
        ("Query", "customerGroups"),
        ("Query", "customerGroup"),
        ("Query", "node"),
        ("Tenant", "customerGroup"),
        ("Tenant", "customerGroups"),
        ("CustomerGroup", "customers"),
        ("CustomerGroupConnection", "totalCount"),
        ("CustomerGroupMemberConnection", "totalCount"),
    ]
    mutations = [("Mutation", name) for name in types["Mutation"].fields]

    for type_name, field_name in costly + mutations:
        assert not is_non_null_type(types[type_name].fields[field_name].type), field_name


def test_rows_have_no_holes_but_where_a_row_can_fail_alone():
    """`nodes`, `_entities` and a customer's groups hold nulls; a connection's rows do not."""
    types = SCHEMA._schema.type_map

    shown = {
        f"{name}.{field}": str(types[name].fields[field].type)
        for name, field in [
            ("Query", "nodes"),
            ("Query", "_entities"),
            ("Customer", "customerGroups"),
            ("CustomerGroupConnection", "nodes"),
            ("CustomerGroupMemberConnection", "edges"),
        ]
    }
    assert shown == {
        "Query.nodes": "[Node]!",
        "Query._entities": "[_Entity]!",
        "Customer.customerGroups": "[CustomerGroup]!",
        "CustomerGroupConnection.nodes": "[CustomerGroup!]!",
        "CustomerGroupMemberConnection.edges": "[CustomerGroupMemberEdge!]!",
    }


def test_without_relay_node_only_that_is_missing():
    """`node` and `nodes`, which one subgraph of a supergraph can have; groups stay Nodes."""
    lines = create_schema(with_node=False).as_str().splitlines()
    all_lines = SCHEMA.as_str().splitlines()

    query = all_lines[all_lines.index("type Query {") :]
    missing = [line for line in query if line.startswith(("  node(", "  nodes("))]
    assert len(missing) == 2
    assert [line for line in lines if "node(" in line or "nodes(" in line] == []
    assert set(lines) <= set(all_lines)
    assert any("type CustomerGroup implements Node" in line for line in lines)
