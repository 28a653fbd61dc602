"""What a developer is shown, and what is kept from everybody else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from graphql import get_introspection_query

from tests.harness import Flow, Gateway, codes, running_gateway, settings


@pytest.fixture
async def production(flow: Flow) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(flow.url, profile="production")) as running:
        yield running


MISSPELT = [
    ("{ customerGrops { totalCount } }", None),
    ("{ customerGroups(fist: 1) { totalCount } }", None),
    ("{ customerGroups(orderBy: {field: NAM}) { totalCount } }", None),
    ("{ customerGroups(orderBy: {field: NAME, directio: ASC}) { totalCount } }", None),
    ('{ node(id: "x") { ... on CustomerGrop { name } } }', None),
    ("query ($o: CustomerGroupOrdr) { __typename @include(if: $o) }", None),
    (
        "query ($o: CustomerGroupSort) { customerGroups(orderBy: $o) { totalCount } }",
        {"o": {"field": "NAM"}},
    ),
    (
        "query ($o: CustomerGroupSort) { customerGroups(orderBy: $o) { totalCount } }",
        {"o": {"field": "NAME", "directio": "ASC"}},
    ),
]


@pytest.mark.slow
async def test_only_development_suggests_names(gateway, production):
    """Neither fields nor anything else: suggestions are introspection one guess at a time."""
    for query, variables in MISSPELT:
        suggested = await gateway.post(query, variables)
        refused = await production.post(query, variables)

        assert "errors" in refused.json()
        assert "Did you mean" in suggested.text
        assert "Did you mean" not in refused.text


@pytest.mark.parametrize(
    "query",
    [
        "{ __schema { types { name } } }",
        '{ __type(name: "Query") { name } }',
        "{ ...F } fragment F on Query { __schema { queryType { name } } }",
    ],
)
async def test_introspection_is_for_development(gateway, production, query):
    """The schema is in the repository; production need not tell it to everyone."""
    shown = await gateway.ask(query, token=None)
    refused = await production.ask(query, token=None)

    assert "errors" not in shown
    assert set(codes(refused)) == {"GRAPHQL_VALIDATION_FAILED"}
    assert "data" not in refused


async def test_clients_can_read_all_of_the_introspection(gateway):
    """Those that look deeper into lists of lists than GraphiQL does; and no place of a directive is
    named that graphql-js 16 does not know.
    """
    query = get_introspection_query(type_depth=14, one_of=True, input_value_deprecation=True)

    found = await gateway.query(query, token=None)

    named = {place for each in found["__schema"]["directives"] for place in each["locations"]}
    kinds = {kind["name"]: kind for kind in found["__schema"]["types"]}
    known = {value["name"] for value in kinds["__DirectiveLocation"]["enumValues"]}
    assert named <= known
    assert not known & {"DIRECTIVE_DEFINITION", "FRAGMENT_VARIABLE_DEFINITION"}
    assert kinds["CustomerGroupBy"]["isOneOf"]


async def test_production_tells_a_supergraph_its_schema_where_it_is_to(flow, gateway, production):
    """`_service` is introspection by another name: it is off with it, or by a setting."""
    query = "{ __typename _service { sdl } }"

    refused = await production.ask(query, token=None)
    async with running_gateway(
        settings(flow.url, profile="production", federation_sdl=True)
    ) as subgraph:
        answer = await subgraph.query(query, token=None)

    assert codes(refused) == ["GRAPHQL_VALIDATION_FAILED"]
    assert "type CustomerGroup implements Node" in answer["_service"]["sdl"]
    assert answer == await gateway.query(query, token=None)
    assert flow.calls == []


async def test_graphiql_is_for_development(gateway, production):
    """A browser gets it on /graphql; in production, that there is nothing to GET, nor any of the
    page's files.
    """
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

    page = await gateway.client.get(f"{gateway.url}/graphql", headers=browser)
    refused = await production.client.get(f"{production.url}/graphql", headers=browser)
    [icon] = re.findall(r'href="(graphiql/icon[^"]*)"', page.text)
    # Not GET: the server may close the file a moment after this test's event loop is gone.
    shown = await gateway.client.head(f"{gateway.url}/{icon}")
    hidden = await production.client.head(f"{production.url}/{icon}")

    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["X-Request-Id"]
    assert refused.status_code == 405
    assert codes(refused.json()) == ["BAD_REQUEST"]
    assert (shown.status_code, hidden.status_code) == (200, 404)
