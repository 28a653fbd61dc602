"""Where answers deviate from what the vendors' documents say of them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.commercetools.contract import CONTRACTS as COMMERCETOOLS
from gateway.backends.flow_retail.contract import CONTRACTS as FLOW_RETAIL
from gateway.contract import UNKNOWN, Value, deviations
from tests.answers import ADA, as_documented, changed, values

ROOT = Path(__file__).parents[1]
OPENAPI = json.loads((ROOT / "contract/flow-retail.openapi.json").read_text())
CONTRACTS = FLOW_RETAIL | COMMERCETOOLS
MEMBERS = FLOW_RETAIL["GET", "/tenants/{tenantUid}/customer-groups/{customerGroupUid}/customers"]


def put(what):
    return lambda holder, name: holder.__setitem__(name, what)


def told(answer, contract):
    return [(each.member, each.kind, each.example) for each in deviations(answer, contract)]


def found(answer, contract):
    return [(member, kind) for member, kind, _ in told(answer, contract)]


each_contract = pytest.mark.parametrize(
    "contract", CONTRACTS.values(), ids=[" ".join(call) for call in CONTRACTS]
)


def resolved(schema):
    if "$ref" not in schema:
        return schema
    place = OPENAPI
    for key in schema["$ref"].removeprefix("#/").split("/"):
        place = place[key]
    return resolved(place)


def in_openapi(schema, member="$", *, required=True):
    """Each value that the vendor's document has, by another reader than the gateway's."""
    schema = resolved(schema)
    parts = [resolved(part) for part in schema.get("allOf", [schema])]
    kind, members = parts[0]["type"], {}
    for part in parts:
        for name, inner in part.get("properties", {}).items():
            members[name] = (inner, name in part["required"])
    if kind == "string":
        kind = "instant" if schema.get("format") == "date-time" else "text"
    names = {"array": "list", "integer": "whole number", "boolean": "true or false"}
    said = Value(
        member=member,
        type=names.get(kind, kind),
        required=required,
        nullable=schema.get("nullable", False),
        values=frozenset(schema["enum"]) if "enum" in schema else None,
    )
    yield said
    for name, (inner, always) in members.items():
        yield from in_openapi(inner, name if member == "$" else f"{member}.{name}", required=always)
    if kind == "array":
        yield from in_openapi(schema["items"], f"{member}[]")


def test_flow_retails_contract_is_its_openapi_document():
    """Each call's answer, member by member: type, enum, whether it must be there or may be null."""
    documented = {
        (method.upper(), path): answer["content"]["application/json"]["schema"]
        for path, item in OPENAPI["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        for answer in map(resolved, operation["responses"].values())
        if "content" in answer
    }

    assert documented.keys() == FLOW_RETAIL.keys()
    for call, schema in documented.items():
        ours = {
            each.member: (each.type, each.required, each.nullable, each.values)
            for each in values(FLOW_RETAIL[call].answer)
        }
        theirs = {
            each.member: (each.type, each.required, each.nullable, each.values)
            for each in in_openapi(schema)
        }
        assert ours == theirs


@each_contract
def test_an_answer_as_documented_deviates_nowhere(contract):
    """With all members."""
    assert deviations(as_documented(contract.answer), contract) == []


@each_contract
def test_each_value_of_another_type_is_found(contract):
    """Null too, unless it may be null."""
    for value in values(contract.answer):
        other = {"an": "object"} if value.type != "object" else [1, 2]
        wrong = [(value.member, "wrong_type")] if value.type != "anything" else []
        null = [] if value.nullable else [(value.member, "null")]
        assert found(changed(contract, value.member, put(other)), contract) == wrong
        assert found(changed(contract, value.member, put(None)), contract) == null


@each_contract
def test_each_member_that_must_be_there_is_missed(contract):
    """And no other."""
    for value in values(contract.answer):
        if value.member == "$" or value.member.endswith("[]"):
            continue
        answer = changed(contract, value.member, lambda holder, name: holder.pop(name))
        assert found(answer, contract) == [(value.member, "missing")] * value.required


@each_contract
def test_a_member_of_each_object_that_is_not_documented_is_found(contract):
    """By its name, if it is one."""
    for value in filter(lambda value: value.members, values(contract.answer)):
        path = "" if value.member == "$" else f"{value.member}."
        answer = changed(contract, value.member, lambda holder, name: holder[name].update(new=[1]))
        assert told(answer, contract) == [(f"{path}new", "unknown_member", "list of 1")]


@each_contract
def test_each_enum_value_that_is_not_documented_is_found(contract):
    """It is told by its length."""
    for value in filter(lambda value: value.values, values(contract.answer)):
        answer = changed(contract, value.member, put("NEWEST"))
        assert told(answer, contract) == [(value.member, "unknown_value", "text of 6 characters")]


@pytest.mark.parametrize("given_", ["", "yesterday", "2025-07-30", "2025-07-30T18:10:06"])
def test_text_that_is_no_instant_has_the_wrong_type(given_):
    """Nor is one without an offset."""
    answer = changed(MEMBERS, "items[].createdAt", put(given_))

    assert found(answer, MEMBERS) == [("items[].createdAt", "wrong_type")]


def test_a_whole_number_may_be_written_with_a_point():
    """JSON knows one kind of number."""
    assert deviations(changed(MEMBERS, "paging.totalCount", put(2.0)), MEMBERS) == []
    assert found(changed(MEMBERS, "paging.totalCount", put(2.5)), MEMBERS) == [
        ("paging.totalCount", "wrong_type")
    ]


def test_what_the_documents_contradict_themselves_is_known():
    """Flow Retail's example lacks members that are required; its text names one it has not got."""
    answer = as_documented(MEMBERS.answer)
    [customer] = answer["items"]
    for name in ("customerParentUid", "ehf", "defaultStore", "relevance"):
        del customer[name]
    del customer["contacts"][0]["role"]
    customer["accountingConfigs"] = []
    assert [each for each in deviations(answer, MEMBERS) if not each.known] == []

    customer["credit"] = None
    assert [each.member for each in deviations(answer, MEMBERS) if not each.known] == [
        "items[].credit"
    ]


def test_what_is_known_is_written_down():
    """For operators, with its reason."""
    page = (ROOT / "docs/upstreams.md").read_text()
    known = {member.rpartition(".")[2] for each in CONTRACTS.values() for member, _ in each.known}

    assert known
    assert [name for name in known if f"`{name}`" not in page] == []


def test_each_member_and_kind_is_told_once():
    """However many rows deviate; the first is the example."""
    answer = as_documented(MEMBERS.answer)
    answer["items"] = [{**answer["items"][0], "credit": n} for n in ([], 1, "x")]

    assert told(answer, MEMBERS) == [("items[].credit", "wrong_type", "list of 0")]


def test_names_that_may_be_values_are_not_shown():
    """Of members that no document has: mail addresses, uids, whatever is long."""
    for name in ("ada@example.org", "6f1c-22", "x" * 41, "", "1", "é", "a\n"):
        answer = as_documented(MEMBERS.answer) | {name: 1}
        assert found(answer, MEMBERS) == [("?", "unknown_member")]


def test_few_unknown_names_are_told():
    """Whoever answers chooses how many there are."""
    answer = as_documented(MEMBERS.answer) | {f"n{number}": 1 for number in range(1000)}

    assert len(deviations(answer, MEMBERS)) == UNKNOWN + 1


JSON = st.recursive(
    st.sampled_from([None, True, 4711, 47.11, ADA]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["uid", ADA]), inner),
    max_leaves=5,
)


@given(contract=st.sampled_from([*CONTRACTS.values()]), what=JSON, data=st.data())
def test_no_value_is_ever_told(contract, what, data):
    """Whatever stands in any place of an answer: shapes and documented names are all there is."""
    place = data.draw(st.sampled_from([*values(contract.answer)]))
    said = str(deviations(changed(contract, place.member, put(what)), contract))

    assert "Ada" not in said
    assert "4711" not in said
    assert "47.11" not in said


@given(answer=JSON)
def test_anything_may_be_an_answer(answer):
    """It never raises."""
    for contract in CONTRACTS.values():
        assert deviations(answer, contract)
