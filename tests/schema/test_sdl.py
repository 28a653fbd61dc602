"""The schema itself: current, explained, and as a supergraph needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    get_directive_values,
    get_named_type,
    is_non_null_type,
    is_scalar_type,
    is_specified_scalar_type,
    parse,
    print_type,
    validate_schema,
)

from gateway.app import schema_of
from gateway.schema import create_schema
from gateway.schema.relay import NO_ID
from gateway.settings import Settings
from tests.harness import Gateway, schema

SCHEMA = schema()
PUBLISHED = build_schema(SCHEMA.as_str())


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

    assert exported.read_text(encoding="utf-8") == SCHEMA.as_str()


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


def test_what_is_exported_is_valid_by_itself():
    """With definitions of all directives that are used, for tools that know no federation."""
    for text in (SCHEMA.as_str(), SCHEMA.for_clients()):
        assert validate_schema(build_schema(text)) == []


def plainly(kind: Any) -> str:
    """A type as text, without what every subgraph has, and what the engine tells graphql-core."""
    return re.sub(r"\n\s*|_(entities|service).*| @oneOf", "", print_type(kind))


def test_what_is_exported_is_what_is_served():
    """But for federation's own fields, and for directives that clients can't ask for."""
    served = SCHEMA._schema.type_map

    for text in (SCHEMA.as_str(), SCHEMA.for_clients()):
        types = build_schema(text).type_map
        shown = [name for name in served if name.isalpha()]
        assert [plainly(types[name]) for name in shown] == [plainly(served[name]) for name in shown]


def test_clients_see_nothing_of_federation():
    """No directive of it and no type; but where nobody has to expect a null."""
    text = SCHEMA.for_clients()

    assert not re.search("federation|_Any|_Entity|_Service|@(key|link|tag|cost|shareable)", text)
    sure = re.findall(r"(\w+)(?:\([^()]*\))?: (\w+) @semanticNonNull", text)
    assert {kind for _, kind in sure} == {
        "CreateCustomerGroupPayload",
        "CustomerGroupConnection",
        "CustomerGroupMemberConnection",
        "CustomerGroupMembersPayload",
        "DeleteCustomerGroupPayload",
        "String",
        "Tenant",
        "UpdateCustomerGroupPayload",
    }
    assert len(sure) == 10


async def test_the_service_shows_what_is_exported(gateway: Gateway):
    """A router that asks a running gateway composes the same."""
    answer = await gateway.query("{ _service { sdl } }")

    assert answer["_service"]["sdl"] == SCHEMA.as_str()


def test_the_schema_follows_the_settings():
    """Those of `node`, and of how many rows a page has where a client does not say."""
    text = schema_of(Settings(relay_node=False, default_page_size=50, max_page_size=30)).as_str()

    assert set(re.findall(r"assumedSize: (\d+), slicing", text)) == {"30"}
    default = create_schema(with_node=False).as_str()
    assert text.replace("assumedSize: 30", "assumedSize: 20") == default


ESTIMATED = {
    "{ customerGroups(first: 100) { nodes { customers(first: 100) { nodes { uid } } } } }": 10_201,
    """{ tenant { customerGroups(last: 100) { pageInfo { hasNextPage } edges { node {
        customers(first: 100) { edges { cursor node { uid } } }
    } } } } }""": 10_201,
    "{ customerGroups { nodes { uid } } }": 21,
    '{ customerGroup(by: {uid: "a"}) { uid tenant { backend { kind } } } }': 1,
}


@pytest.mark.parametrize("query", ESTIMATED)
def test_routers_estimate_rows(query: str):
    """An object is 1 where nothing else is said, and a list as long as its page, whichever way its
    rows are shown.
    """
    [operation] = parse(query).definitions

    found = estimate(PUBLISHED.query_type, operation.selection_set.selections, {})
    assert found == ESTIMATED[query]


def estimate(kind: Any, selections: Any, sizes: Mapping[str, int]) -> int:
    """The cost of a selection as the specification of @cost and @listSize has it; `sizes` are those
    of lists that the field above has given.
    """
    total = 0
    for selected in selections:
        field = kind.fields[selected.name.value]
        shown = get_named_type(field.type)
        if isinstance(shown, GraphQLObjectType):
            sized = get_directive_values(PUBLISHED.get_directive("listSize"), field.ast_node) or {}
            slices = [
                int(argument.value.value)
                for argument in selected.arguments or ()
                if argument.name.value in sized.get("slicingArguments", ())
            ]
            size = max(slices, default=sized.get("assumedSize", 1))
            inside = dict.fromkeys(sized.get("sizedFields", ()), size)
            cost = get_directive_values(PUBLISHED.get_directive("cost"), shown.ast_node)
            weight = 1 if cost is None else cost["weight"]
            times = 1 if inside else sizes.get(selected.name.value, size)
            total += times * (weight + estimate(shown, selected.selection_set.selections, inside))
    return total


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


def test_what_has_no_id_says_so() -> None:
    """Caches find objects by their ids, and know connections, edges and payloads by their names."""
    for name, type_ in schema()._schema.type_map.items():
        known = name.startswith("_") or name in ("Query", "Mutation", "PageInfo")
        if isinstance(type_, GraphQLObjectType) and not known:
            shape = name.endswith(("Connection", "Edge", "Payload"))
            says = NO_ID in (type_.description or "")
            assert says is not ("id" in type_.fields or shape), name
