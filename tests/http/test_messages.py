"""What errors say is for people who write GraphQL: none shows a value as Python prints it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import PYTHON, Flow, Gateway

BY = "query ($v: CustomerGroupBy!) { customerGroup(by: $v) { id } }"
ORDER = "query ($v: CustomerGroupSort) { customerGroups(orderBy: $v) { totalCount } }"
FIRST = "query ($v: Int) { customerGroups(first: $v) { totalCount } }"
SHOWN = "query ($v: Boolean!) { tenant { uid @include(if: $v) } }"
MEMBERS = """mutation ($v: UpdateCustomerGroupMembersInput!) {
    updateCustomerGroupMembers(input: $v) { userErrors { code } } }"""
CREATE = """mutation ($v: CreateCustomerGroupInput!) {
    createCustomerGroup(input: $v) { userErrors { code } } }"""
REPRESENTATIONS = "query ($v: [_Any!]!) { _entities(representations: $v) { __typename } }"
FIELDS = {"typeId": "t", "fields": [{"name": "a"}, {"name": None}, {}]}
WRONG: list[tuple[str, Any, str]] = [
    *[(BY, value, "") for value in ({}, None, 5, "it's", [], {"nope": None})],
    (BY, {"uid": "a", "key": None}, ""),
    (BY, {"uid": None}, ".uid"),
    *[(BY, {"uid": uid}, ".uid") for uid in (True, 1.5, ["a"], {"a": True})],
    *[(ORDER, value, "") for value in ({}, True, ["NAME"])],
    *[(ORDER, {"field": field}, ".field") for field in ("X", "it's", None, True, ["NAME"])],
    (ORDER, {"field": "NAME", "direction": None}, ".direction"),
    *[(FIRST, value, "") for value in ("5", True, 1.5, 2**40, [None], {"a": None}, 1e300, "O'x")],
    *[(SHOWN, value, "") for value in ("5", 1, None, {}, "None")],
    (MEMBERS, {"customerGroup": {"uid": "a"}, "addCustomerUids": [None]}, ".addCustomerUids[0]"),
    (MEMBERS, {"customerGroup": {}, "addCustomerUids": "a"}, ".customerGroup"),
    (CREATE, {"name": None}, ".name"),
    (CREATE, {"name": "x", "custom": FIELDS}, ".custom.fields[1].name"),
    (REPRESENTATIONS, [None], "[0]"),
]
ALSO_WRONG: list[tuple[str, dict[str, Any]]] = [
    ("{ customerGroup(by: {uid: null}) { id } }", {}),
    ("{ customerGroup(by: null) { id } }", {}),
    ("{ customerGroups(orderBy: {field: null}) { totalCount } }", {}),
    ("{ customerGroups(first: true, orderBy: {field: [NAME]}) { totalCount } }", {}),
    ("{ nodes(ids: [null, true]) { id } }", {}),
    ("{ tenant { uid @skip(if: null) @include } }", {}),
    ("query ($b: Boolean = true) { tenant { uid @skip(if: $b) } }", {"b": None}),
    ("query ($b: [ID!]! = [null]) { nodes(ids: $b) { id } }", {}),
    (
        """query ($d: CustomerGroupSortDirection = ASC) {
            customerGroups(orderBy: {field: NAME, direction: $d}) { totalCount } }""",
        {"d": None},
    ),
    (
        """mutation ($d: DateTime, $l: Long) { updateCustomerGroup(input: {
            customerGroup: {uid: "a"}
            customFields: [{name: "a", value: {d: $d, l: $l}}]}) { userErrors { code } } }""",
        {"d": "it's", "l": {"a": True}},
    ),
    (REPRESENTATIONS, {"v": [True, None, {"__typename": True}, {"__typename": "Tenant"}]}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("query", "value", "place"), WRONG)
async def test_a_wrong_variable_is_named_with_the_place_in_it(
    gateway: Gateway, flow: Flow, query, value, place
):
    """And with the place of its definition in the document."""
    body = await gateway.ask(query, {"v": value})

    for error in body["errors"]:
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert error["message"].startswith("Variable '$v' has invalid value")
        assert error["locations"] == [{"line": 1, "column": query.index("$v") + 1}]
        assert not PYTHON.search(error["message"]), error["message"]
    assert body["errors"][0]["message"].startswith(f"Variable '$v' has invalid value{place}: ") or (
        body["errors"][0]["message"].startswith(f"Variable '$v' has invalid value at {place}: ")
    )
    assert flow.calls == []


@pytest.mark.slow
@pytest.mark.parametrize(("query", "variables"), ALSO_WRONG)
async def test_no_message_shows_a_value_of_python(gateway: Gateway, query, variables):
    """Be it of a literal, of a default, or of a variable that is found wrong where it is used."""
    body = await gateway.ask(query, variables)

    assert body["errors"]
    for error in body["errors"]:
        assert not PYTHON.search(error["message"]), error["message"]
