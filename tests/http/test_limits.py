"""Each limit of docs/limits-and-errors.md: what exceeds it is refused before any REST call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings
from tests.harness import Flow, Gateway, running_gateway, settings

PAGE = Path(__file__).parents[2] / "docs" / "limits-and-errors.md"
SECTION = PAGE.read_text(encoding="utf-8").partition("## Limits\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| `(\w+)` \| `GATEWAY_\w+` \| `(\d+)` \|", SECTION, re.M)
WHILE_RUNNING = {"max_rows", "max_values", "max_response_body", "max_errors"}
"""Those that can be known only then; their tests are in test_bounds."""

OVER: dict[str, tuple[str, Any]] = {
    "max_request_body": ("{ __typename } #" + "x" * 1_000_000, None),
    "max_variables": ("{ __typename }", {"v": "x" * 500_000}),
    "max_variable_values": ("{ __typename }", {"v": [1] * 25_000}),
    "max_document": ("{ __typename } #" + "x" * 30_000, None),
    "max_lines": ("{ __typename }" + "\n" * 1_000, None),
    "max_tokens": ("{ " + "__typename " * 1_000 + "}", None),
    "max_depth": (
        "{ tenant { "
        + 'customerGroup(by: {uid: "a"}) { tenant { ' * 9
        + "backend { kind }"
        + " } }" * 9
        + " } }",
        None,
    ),
    "max_nesting": (
        'mutation { updateCustomerGroup(input: {customFields: {name: "a", value: '
        + "[" * 99
        + "]" * 99
        + "}}) { userErrors { code } } }",
        None,
    ),
    "max_fields": (
        "{ ...A ...A } fragment A on Query { "
        + "...B " * 5
        + "} fragment B on Query { "
        + "__typename " * 101
        + "}",
        None,
    ),
    "max_root_fields": ("{ " + " ".join(f"a{n}: __typename" for n in range(26)) + " }", None),
    "max_aliases": (
        "{ tenant { " + " ".join(f"a{n}: uid" for n in range(101)) + " } }",
        None,
    ),
    "max_alias_length": (
        f"{{ tenant {{ ...F }} }} fragment F on Tenant {{ {'z' * 101}: uid }}",
        None,
    ),
    "max_directives": ("{ tenant { uid" + " @include(if: true)" * 101 + " } }", None),
    "max_fragment_spreads": (
        "{ tenant { " + "...F " * 101 + "} } fragment F on Tenant { uid }",
        None,
    ),
    "max_comparisons": ("{ tenant { " + "uid " * 102 + "} }", None),
    "max_entities": (
        "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        {"ids": [f"x{n}" for n in range(1_001)]},
    ),
    "max_page_size": ("{ customerGroups(first: 101) { totalCount } }", None),
    "max_membership_uids": (
        """mutation ($add: [ID!]!) { updateCustomerGroupMembers(
            input: {customerGroup: {uid: "gold"}, addCustomerUids: $add}
        ) { userErrors { code field limit allowed found } } }""",
        {"add": [f"c{n}" for n in range(10_001)]},
    ),
    "max_custom_fields": (
        """mutation ($fields: [CommercetoolsCustomerCustomFieldInput!]) { updateCustomerGroup(
            input: {customerGroup: {uid: "gold"}, customFields: $fields}
        ) { userErrors { code } } }""",
        {"fields": [{"name": f"f{n}"} for n in range(501)]},
    ),
    "max_rest_calls": (
        "{ customerGroups(first: 100) { nodes { customers { totalCount } } } }",
        None,
    ),
}


def test_the_table_lists_all_limits():
    """With their defaults, which the settings have."""
    assert {name for name, _ in ROWS} == OVER.keys() | WHILE_RUNNING
    for name, default in ROWS:
        assert getattr(Settings(), name) == int(default)


@pytest.mark.slow
@pytest.mark.parametrize("name", OVER)
async def test_what_is_over_a_limit_is_refused(gateway: Gateway, flow: Flow, name):
    """With the limit's name, both numbers, the place, and no REST call."""
    query, variables = OVER[name]

    body = await gateway.ask(query, variables)

    if name == "max_membership_uids":  # a mistake of a change is data
        assert body["data"]["updateCustomerGroupMembers"]["userErrors"] == [
            {
                "code": "LIMIT_EXCEEDED",
                "field": ["input", "addCustomerUids"],
                "limit": name,
                "allowed": 10_000,
                "found": 10_001,
            }
        ]
    else:
        error = next(e for e in body["errors"] if e["extensions"].get("limit") == name)
        assert "data" not in body
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["extensions"]["allowed"] == getattr(Settings(), name)
        assert error["extensions"]["found"] > error["extensions"]["allowed"]
        about_a_place = name not in ("max_request_body", "max_variables")
        assert bool(error.get("locations")) == about_a_place
    assert flow.calls == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["max_tokens", "max_depth", "max_aliases", "max_root_fields"])
async def test_a_limit_is_a_setting(flow: Flow, name):
    """What the default lets pass is refused where the setting is lower."""
    query = "{ a: tenant { uid } b: tenant { uid } }"
    async with running_gateway(settings(flow.url)) as gateway:
        taken = await gateway.ask(query)
    async with running_gateway(settings(flow.url, **{name: 1})) as gateway:
        refused = await gateway.ask(query)

    assert "errors" not in taken
    assert {error["extensions"]["limit"] for error in refused["errors"]} == {name}
