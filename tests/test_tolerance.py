"""Broken rows, end to end: each breach of the contract costs the value it stands in and no other.

The tables below are the contract, copied from the vendor's document by hand; `seen` says what a
client is to see of a value of each kind, and is written from what the documents promise, not from
the decoder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from gateway.rest.decoding._tolerant import MOST_OMISSIONS
from gateway.simulator import faults
from tests.harness import TENANT, Flow, codes, paths, running_gateway, schema, settings
from tests.two_backends import both, running_commercetools

Path = tuple[str | int, ...]

UID, OWN_UID, TEXT, OPTIONAL_UID, TIME = "uid", "own uid", "text", "optional uid", "time"
INT, LONG, FLOAT, BOOL = "int", "long", "float", "bool"
ENUMS = {
    "customer type": ("COMPANY", "PERSON", "B2B"),
    "address type": ("DELIVERY_ADDRESS", "INVOICE_ADDRESS"),
    "role": ("ADMIN", "PURCHASER", "ACCOUNTING", "NONE"),
    "extension": ("TWO_INVOICE", "KLAVIYO_PROFILE_ID"),
}

EXTENSION = {
    "extensionCode": ("code", "extension"),
    "organizationUid": ("organizationUid", OPTIONAL_UID),
}
ADDRESS = {
    "customerAddressUid": ("uid", UID),
    "type": ("type", "address type"),
    "displayName": ("displayName", TEXT),
    "firstname": ("firstname", TEXT),
    "lastname": ("lastname", TEXT),
    "companyName": ("companyName", TEXT),
    "address": ("address", TEXT),
    "postalCode": ("postalCode", TEXT),
    "city": ("city", TEXT),
    "countryCode": ("countryCode", TEXT),
    "email": ("email", TEXT),
    "phone": ("phone", TEXT),
}
CONTACT = {
    "customerContactUid": ("uid", UID),
    "displayName": ("displayName", TEXT),
    "firstname": ("firstname", TEXT),
    "lastname": ("lastname", TEXT),
    "email": ("email", TEXT),
    "mobile": ("mobile", TEXT),
    "role": ("role", "role"),
    "createdAt": ("createdAt", TIME),
    "lastModifiedAt": ("lastModifiedAt", TIME),
    "extensions": ("extensions", [EXTENSION]),
}
CONSENT = {
    "consentUid": ("uid", UID),
    "name": ("name", TEXT),
    "status": ("status", BOOL),
    "source": ("source", TEXT),
    "createdAt": ("createdAt", TIME),
}
CUSTOMER: dict[str, tuple[str, Any]] = {
    "customerUid": ("uid", OWN_UID),
    "customerType": ("customerType", "customer type"),
    "displayName": ("displayName", TEXT),
    "firstname": ("firstname", TEXT),
    "lastname": ("lastname", TEXT),
    "companyName": ("companyName", TEXT),
    "email": ("email", TEXT),
    "mobile": ("mobile", TEXT),
    "address": ("address", TEXT),
    "postalCode": ("postalCode", TEXT),
    "city": ("city", TEXT),
    "countryCode": ("countryCode", TEXT),
    "vatNumber": ("vatNumber", TEXT),
    "externalId": ("externalId", TEXT),
    "origin": ("origin", TEXT),
    "createdAt": ("createdAt", TIME),
    "lastModifiedAt": ("lastModifiedAt", TIME),
    "addresses": ("addresses", [ADDRESS]),
    "contacts": ("contacts", [CONTACT]),
    "extensions": ("extensions", [EXTENSION]),
    "consents": ("consents", [CONSENT]),
    "customerParentUid": ("parentUid", OPTIONAL_UID),
    "pricelistUid": ("pricelistUid", OPTIONAL_UID),
    "loyaltyId": ("loyaltyId", TEXT),
    "credit": ("credit", {"limit": ("limit", LONG), "balance": ("balance", LONG)}),
    "paymentTerms": ("paymentTerms", INT),
    "internalNote": ("internalNote", TEXT),
    "accountManager": (
        "accountManager",
        {
            "tenantUserUid": ("tenantUserUid", OPTIONAL_UID),
            "displayName": ("displayName", TEXT),
            "userCode": ("userCode", TEXT),
        },
    ),
    "defaultStore": ("defaultStore", {"storeUid": ("uid", UID), "name": ("name", TEXT)}),
    "relevance": ("relevance", FLOAT),
    "ehf": ("ehf", {"enabled": ("enabled", BOOL), "address": ("address", TEXT)}),
    "ehfEnabled": ("ehfEnabled", BOOL),
    "ledgerNumber": ("ledgerNumber", TEXT),
    "customerGroupUids": ("customerGroupUids", [UID]),
}
GROUP = {
    "customerGroupUid": ("uid", OWN_UID),
    "name": ("name", UID),  # as little as its uid can it be missing
    "createdAt": ("createdAt", TIME),
    "createdBy": ("createdBy", TEXT),
    "lastModifiedAt": ("lastModifiedAt", TIME),
    "lastModifiedBy": ("lastModifiedBy", TEXT),
}

SAMPLES = {
    UID: "u1",
    OWN_UID: "u1",
    TEXT: "Blåbær",
    OPTIONAL_UID: "o1",
    TIME: "2025-07-30T18:10:06.447Z",
    INT: -14,
    LONG: 2**53 + 1,
    FLOAT: 0.25,
    BOOL: False,
}


def sample(kind: Any) -> Any:
    """A value as the contract has it: every member there, and two elements in every list."""
    match kind:
        case dict():
            return {name: sample(inner) for name, (_, inner) in kind.items()}
        case [inner]:
            return [sample(inner), sample(inner)]
        case str() if kind in ENUMS:
            return ENUMS[kind][0]
        case _:
            return SAMPLES[kind]


# -- the promise


class Unusable(Exception):
    """An object without its identifier."""


@dataclass
class Told:
    """What the response's errors say: paths of leaves that are null for it, and parts left out."""

    errors: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def seen(kind: Any, value: Any, told: Told, at: Path, where: str) -> Any:
    """What a client sees of `value`; raises Unusable where null can't stand for it."""
    if value is None:
        if kind in (UID, OWN_UID):
            raise Unusable(where)
        return [] if isinstance(kind, list) else None
    match kind:
        case dict():
            return seen_object(kind, value, told, at, where)
        case [inner]:
            if not isinstance(value, list):
                told.left_out.append(where)
                return []
            kept: list[Any] = []
            for number, element in enumerate(value):
                place = f"{where}[{number}]"
                try:
                    kept.append(seen_element(inner, element, told, (*at, len(kept)), place))
                except Unusable:
                    told.left_out.append(place)
            return kept
    if value == "" and kind in (OPTIONAL_UID, TIME):
        return None
    if value == "" and kind == OWN_UID:
        raise Unusable(where)
    if kind in ENUMS and isinstance(value, str):
        return value if value in ENUMS[kind] else "UNRECOGNIZED"
    types: dict[str, tuple[type, ...]] = {
        INT: (int,),
        LONG: (int,),
        FLOAT: (int, float),
        BOOL: (bool,),
    }
    fits = type(value) in types.get(kind, (str,)) and (kind != TIME or value == SAMPLES[TIME])
    if fits:
        return value
    if kind in (UID, OWN_UID):
        raise Unusable(where)
    told.errors.append(at)
    return None


def seen_object(kind: Any, value: Any, told: Told, at: Path, where: str) -> Any:
    try:
        return seen_element(kind, value, told, at, where)
    except Unusable:
        told.errors.append(at)
        return None


def seen_element(kind: Any, value: Any, told: Told, at: Path, where: str) -> Any:
    """Like `seen`, of a value in a list: there is no null for it."""
    if not isinstance(kind, dict):
        return seen(kind, value, told, at, where)
    if not isinstance(value, dict):
        raise Unusable(where)
    inside = Told()
    shown = {
        name: seen(inner, value.get(member), inside, (*at, name), f"{where}.{member}")
        for member, (name, inner) in kind.items()
    }
    told.errors += inside.errors
    told.left_out += inside.left_out
    return shown


# -- the breaches

ABSENT = object()
WRONG: tuple[Any, ...] = (5, 0.5, True, "wörd", [], {}, [[]], [{}], {"a": 1})
BREACHES: tuple[Any, ...] = (ABSENT, None, "", *WRONG)


def broken(kind: Any, whole: Any) -> Iterator[tuple[str, Any]]:
    """`whole` with one breach in it, for every place and every breach, each with its name."""
    match kind:
        case dict():
            yield "extra member", whole | {"surprise": {"deep": [1, None]}, "tenantUid": 5}
            for member, (_, inner) in kind.items():
                for breach in BREACHES:
                    if breach is ABSENT:
                        without = {name: kept for name, kept in whole.items() if name != member}
                        yield f"{member} absent", without
                    else:
                        yield f"{member} = {json.dumps(breach)}", whole | {member: breach}
                for name, value in broken(inner, whole[member]):
                    yield f"{member}: {name}", whole | {member: value}
        case [inner]:
            for breach in BREACHES[1:]:
                yield f"first = {json.dumps(breach)}", [breach, *whole[1:]]
            for name, value in broken(inner, whole[0]):
                yield f"first {name}", [value, *whole[1:]]


def cases(kind: Any, uid: str) -> list[tuple[str, Any]]:
    """All breaches of an object, each row with its own uid where it has any."""
    found = []
    for number, (name, row) in enumerate(broken(kind, sample(kind))):
        row = dict(row)  # what is inside is shared, and nobody changes it
        if row.get(uid) == SAMPLES[UID]:
            row[uid] = f"c{number:04}"
        found.append((name, row))
    return found


# -- the response, held against the schema

SCHEMA = schema()._schema


def selection(kind: Any, *, without: frozenset[str] = frozenset()) -> str:
    """Every field of a type, and of the types of its fields."""
    named = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    assert isinstance(named, GraphQLObjectType)
    inner = (
        f"{name} {selection(field.type)}"
        for name, field in named.fields.items()
        if name not in without
    )
    return "{ " + " ".join(inner) + " }"


def check(kind: Any, value: Any, at: Path = ()) -> None:
    """`value` is one that the schema allows here; every field that it has is the type's own."""
    if value is None:
        assert not is_non_null_type(kind), at
        return
    kind = get_nullable_type(kind)
    if is_list_type(kind):
        assert isinstance(kind, GraphQLList)
        assert isinstance(value, list), at
        for number, element in enumerate(value):
            check(kind.of_type, element, (*at, number))
        return
    match kind:
        case GraphQLObjectType():
            for name, inner in value.items():
                check(kind.fields[name].type, inner, (*at, name))
        case GraphQLEnumType():
            assert value in kind.values, at
        case GraphQLNonNull():
            raise AssertionError(at)
        case _:
            assert fits(kind.name, value), (at, value)


def fits(scalar: str, value: object) -> bool:
    match scalar:
        case "ID" | "String":
            return isinstance(value, str)
        case "Boolean":
            return isinstance(value, bool)
        case "Int":
            return type(value) is int and -(2**31) <= value < 2**31
        case "Long":
            return type(value) is int and -(2**63) <= value < 2**63
        case "Float":
            return type(value) in (int, float)
        case "DateTime":
            return bool(re.fullmatch(r"\d{4}(-\d\d){2}T(\d\d:){2}\d\d\.\d{3}Z", str(value)))
        case _:
            return False


def left_out(body: Any, connection: Path) -> list[str]:
    """The JSON paths of what the connection's errors say is missing."""
    found = []
    for error in body["errors"]:
        if error["path"] == list(connection):
            match = re.fullmatch(
                r"Left out of the backend's answer: (\S+): .+\.", error["message"], re.DOTALL
            )
            assert match, error
            found.append(match[1])
    return sorted(found)


CUSTOMER_FIELDS = selection(SCHEMA.type_map["Customer"], without=frozenset(["customerGroups"]))
MEMBERS = (
    '{ customerGroup(by: {uid: "gold"}) { customers(first: 2000) { totalCount nodes '
    f"{CUSTOMER_FIELDS} }} }} }}"
)
NODES: Path = ("customerGroup", "customers", "nodes")


async def ask_for(flow: Flow, query: str) -> Any:
    """The response of a gateway that takes it all in one page."""
    flow.switches.max_page_size = 2000
    generous = {"max_page_size": 2000, "max_body": 10_000_000, "timeout": 30.0}
    chosen = settings(
        flow.url, flow_retail=generous, max_page_size=2000, deadline=30.0, max_errors=9999
    )
    async with running_gateway(chosen) as gateway:
        return await gateway.ask(query)


def test_the_table_names_every_field_of_the_schema():
    """A field that is added is broken here too."""
    customer = SCHEMA.type_map["Customer"]
    assert isinstance(customer, GraphQLObjectType)

    made_here = {"id", "tenantUid", "customerGroups", "commercetools"}
    assert {name for name, _ in CUSTOMER.values()} == set(customer.fields) - made_here
    for name, kind in CUSTOMER.values():
        for inner in (kind, *(kind if isinstance(kind, list) else [])):
            if isinstance(inner, dict):
                nested = get_named_type(customer.fields[name].type)
                assert isinstance(nested, GraphQLObjectType)
                assert {shown for shown, _ in inner.values()} == set(nested.fields)


@pytest.mark.slow
async def test_each_breach_in_each_field_costs_that_field_only(flow):
    """Absent, null, "", wrong types, unknown enum values, extra members; nested ones as well.

    All in one group, read by one query that selects every field of a customer.
    """
    flow.add_group("gold")
    rows = [
        row
        for name, row in cases(CUSTOMER, "customerUid")
        if name != "customerGroupUids absent"  # the simulator would fill it in
    ]
    assert len(rows) > 900
    with flow.store.transaction():
        for number, row in enumerate(rows):
            flow.store.add_customer(TENANT, row, ["gold"], uid=f"c{number:04}")

    body = await ask_for(flow, MEMBERS)

    assert sorted(flow.calls) == ["GET customer-groups/gold", "GET customer-groups/gold/customers"]
    assert_promised(body, CUSTOMER, rows, NODES)
    assert body["data"]["customerGroup"]["customers"]["totalCount"] == len(rows)


def assert_promised(body: Any, kind: Any, rows: list[Any], nodes: Path) -> None:
    """The response is valid, and has just what is promised for these rows."""
    told, expected = Told(), []
    for number, row in enumerate(rows):
        where = f"items[{number}]"
        try:
            expected.append(seen_element(kind, row, told, (*nodes, len(expected)), where))
        except Unusable:
            told.left_out.append(where)
    found = body["data"]
    for name in nodes:
        found = found[name]
    names = expected[0].keys()
    assert [{name: node[name] for name in names} for node in found] == expected
    check(SCHEMA.query_type, body["data"])
    assert set(codes(body)) == {"UPSTREAM_INVALID_ANSWER"}
    assert left_out(body, nodes[:-1]) == sorted(told.left_out)
    at_leaves = [tuple(path or ()) for path in paths(body) if path != list(nodes[:-1])]
    assert sorted(at_leaves, key=str) == sorted(told.errors, key=str)


async def test_an_answer_as_agreed_has_no_errors(flow):
    """The rows that the breaches are made of are themselves whole."""
    flow.add_group("gold")
    flow.store.add_customer(TENANT, sample(CUSTOMER), ["gold"])

    body = await ask_for(flow, MEMBERS)

    assert "errors" not in body
    node = body["data"]["customerGroup"]["customers"]["nodes"][0]
    assert node.pop("commercetools") is None
    assert all(value not in (None, []) for value in node.values())
    check(SCHEMA.query_type, body["data"])


async def test_each_part_that_is_left_out_is_told_or_counted_once(flow):
    """Of a list that is read in two pages, with several broken parts in each row."""
    rows, broken_parts = 60, 9
    flow.add_group("gold")
    for number in range(rows):
        row = {"customerUid": f"c{number:02}", "addresses": [3] * broken_parts}
        flow.store.add_customer(TENANT, row, ["gold"])
    flow.switches.max_page_size = 30
    query = """{ customerGroup(by: {uid: "gold"}) {
        customers(first: 60) { nodes { addresses { uid } } } } }"""
    chosen = settings(flow.url, flow_retail={"max_page_size": 30}, max_errors=9999)

    async with running_gateway(chosen) as gateway:
        messages = [error["message"] for error in (await gateway.ask(query))["errors"]]

    counted = [
        int(found[1]) for each in messages if (found := re.search(r"(\d+) more parts", each))
    ]
    assert len(messages) == 2 * MOST_OMISSIONS  # of each page
    assert len(messages) - len(counted) + sum(counted) == rows * broken_parts


async def test_a_row_with_nothing_but_a_uid_is_a_customer(flow):
    """As the contract's required fields are no promise; customerGroupUids is absent too."""
    flow.add_group("gold")
    flow.fail(
        faults.Body(b'{"items":[{"customerUid":"ada"}],"paging":{"totalCount":1}}'),
        path="/customers",
    )

    body = await ask_for(flow, MEMBERS)

    assert "errors" not in body
    node = body["data"]["customerGroup"]["customers"]["nodes"][0]
    assert node.pop("uid") == "ada"
    assert node.pop("tenantUid") == TENANT
    assert node.pop("id")
    assert all(value in (None, []) for value in node.values())


async def test_each_breach_in_each_field_of_a_group_costs_that_field_only(flow):
    """Groups are as tolerant as customers; a group without a name or uid is left out."""
    rows = [row for _, row in cases(GROUP, "customerGroupUid")]
    answer = {
        "items": rows,
        "paging": {"pageNumber": 1, "pageSize": 2000, "totalCount": len(rows)},
    }
    flow.fail(faults.Body(json.dumps(answer).encode()))
    fields = selection(SCHEMA.type_map["CustomerGroup"], without=frozenset(["customers", "tenant"]))

    body = await ask_for(flow, f"{{ customerGroups(first: 2000) {{ nodes {fields} }} }}")

    assert_promised(body, GROUP, rows, ("customerGroups", "nodes"))


@pytest.mark.parametrize("uid", ["", "..", "a/b", "x" * 300, "gold\n"])
async def test_a_group_uid_that_can_not_be_asked_for_leaves_the_others(flow, gateway, uid):
    """It comes from the backend, so it is on the list of uids; its group is null."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold", customerGroupUids=["gold", uid])

    body = await gateway.ask(
        '{ customerGroup(by: {uid: "gold"}) { customers { nodes '
        "{ customerGroupUids customerGroups { uid } } } } }"
    )

    node = body["data"]["customerGroup"]["customers"]["nodes"][0]
    assert node == {"customerGroupUids": ["gold", uid], "customerGroups": [{"uid": "gold"}, None]}
    assert paths(body) == [[*NODES, 0, "customerGroups", 1]]
    assert sorted(flow.calls) == ["GET customer-groups/gold", "GET customer-groups/gold/customers"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "member",
    [
        b'"origin":"\\ud83d"',
        b'"origin":"J\xf8rgen"',
        b'"relevance":1e999',
        b'"paymentTerms":' + b"9" * 4000,
        b'"createdAt":"0001-01-01T00:00:00+01:00"',
        b'"createdAt":"9999-12-31T23:59:59.999+00:00"',
        b'"internalNote":"' + b"\\u0000" * 10 + b'"',
        b'"city":"Oslo","city":5,"city":null',
    ],
)
async def test_what_json_allows_and_decoders_do_not_leaves_the_page(flow, gateway, member):
    """Half an emoji, Latin-1, numbers beyond all ranges, a member three times."""
    flow.add_group("gold")
    flow.store.add_customer(
        TENANT, b'{"customerUid":"ada",' + member + b',"lastname":"L"}', ["gold"], uid="ada"
    )
    flow.add_customer("bob", "gold", lastname="B")

    body = await gateway.ask(MEMBERS.replace("2000", "20"))

    nodes = body["data"]["customerGroup"]["customers"]["nodes"]
    assert [(node["uid"], node["lastname"]) for node in nodes] == [("ada", "L"), ("bob", "B")]
    assert set(codes(body)) <= {"UPSTREAM_INVALID_ANSWER"}
    check(SCHEMA.query_type, body["data"])


CUSTOM = """{ customerGroups(tenantUid: "wien") { nodes {
    uid commercetools { custom { fields { name value } } }
} } }"""


@pytest.mark.parametrize(
    "value",
    ["1e400", "-1e400", "NaN", "-Infinity", "9" * 5000, "[1,[1e400]]", '{"deep":{"number":NaN}}'],
)
async def test_a_custom_value_that_can_not_be_shown_is_an_error_of_its_own(flow, value):
    """It does not vanish; the other values stay, those that are whole strings of such words too."""
    fields = f'{{"n":{value},"other":[1.5,null],"text":"NaN"}}'
    custom = f'{{"type":{{"typeId":"type","id":"t"}},"fields":{fields}}}'
    row = f'{{"id":"g1","version":1,"name":"A","custom":{custom}}}'
    async with running_commercetools() as commercetools:
        commercetools.fail(faults.Body(f'{{"results":[{row}],"total":1}}'.encode()))
        async with running_gateway(both(flow.url, commercetools.url)) as gateway:
            body = await gateway.ask(CUSTOM)

    (node,) = body["data"]["customerGroups"]["nodes"]
    shown = {field["name"]: field["value"] for field in node["commercetools"]["custom"]["fields"]}
    assert shown == {"n": None, "other": [1.5, None], "text": "NaN"}
    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"]
    nodes = ["customerGroups", "nodes", 0]
    assert paths(body) == [[*nodes, "commercetools", "custom", "fields", 0, "value"]]
