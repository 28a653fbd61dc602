"""Of whatever an upstream answers, what is selected reads as it does in the whole.

Selections and broken answers at random, and one difference that is meant: what is wrong where
nobody looks is not reported, and a page that can't be read for it is read without.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from gateway import records
from gateway.backends.commercetools import wire as commercetools_wire
from gateway.backends.commercetools.wire import CommercetoolsDecoders
from gateway.backends.flow_retail import wire as flow_retail_wire
from gateway.backends.flow_retail.wire import FlowDecoders
from gateway.errors import InvalidAnswer
from gateway.records import Customer, CustomerGroup, Omission, Projection, Record
from tests.test_tolerance import CUSTOMER, GROUP, cases

Json = dict[str, Any]

# -- what is selected

NESTED = {
    "addresses": records.CustomerAddress,
    "contacts": records.CustomerContact,
    "extensions": records.CustomerExtension,
    "consents": records.CustomerConsent,
    "credit": records.CustomerCredit,
    "account_manager": records.CustomerAccountManager,
    "default_store": records.CustomerStore,
    "ehf": records.CustomerEhf,
}


def some_of(record: type[Record], *more: str) -> st.SearchStrategy[set[str]]:
    return st.sets(st.sampled_from([*record.__struct_fields__, *more]))


SELECTIONS = st.fixed_dictionaries(
    {},
    optional={
        Customer: some_of(Customer),
        CustomerGroup: some_of(CustomerGroup, "revision"),
        **{record: some_of(record) for record in NESTED.values()},
    },
)

# -- what is answered

FLOW_CUSTOMERS = [row for _, row in cases(CUSTOMER, "customerUid")]
FLOW_GROUPS = [row for _, row in cases(GROUP, "customerGroupUid")]

REFERENCE = {"typeId": "user", "id": "ada"}
RESOURCE = {
    "id": "u1",
    "version": 3,
    "key": "k",
    "createdAt": "2025-07-30T18:10:06.447Z",
    "lastModifiedAt": "2025-07-30T18:10:06.447Z",
    "custom": {"type": {"typeId": "type", "id": "t"}, "fields": {"a": 1}},
}
PLACE = {
    "id": "a1",
    "firstName": "Ada",
    "lastName": "L",
    "company": "",
    "streetName": "Storgata",
    "streetNumber": "1",
    "city": "Oslo",
    "country": "NO",
    "mobile": "1",
}
SHOP_GROUP = RESOURCE | {
    "name": "Gold",
    "createdBy": {"user": REFERENCE},
    "lastModifiedBy": {"clientId": "c", "isPlatformClient": False},
}
SHOP_CUSTOMER = RESOURCE | {
    "customerNumber": "7",
    "firstName": "Ada",
    "lastName": "L",
    "companyName": "",
    "email": "ada@example.org",
    "vatId": "1",
    "externalId": "e",
    "addresses": [PLACE, PLACE | {"id": "a2", "city": "Bergen"}],
    "defaultBillingAddressId": "a2",
    "billingAddressIds": ["a2"],
    "shippingAddressIds": ["a1"],
    "customerGroup": {"typeId": "customer-group", "id": "g1"},
    "customerGroupAssignments": [{"customerGroup": {"typeId": "customer-group", "id": "g2"}}],
}

RUBBISH = st.recursive(
    st.sampled_from([None, "", "x", 5, -(2**70), 0.5, 1e300, True, "PERSON", "\ud83d"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["id", "city", "customerAddressUid"]), inner, max_size=2)
    ),
    max_leaves=4,
)
RAW = st.sampled_from([b'"J\xf8rgen"', b"1e999", b"9" * 400, b'"\\ud83d"', b"NaN", b"[[]]"])
"""What no JSON library writes, and upstreams send."""
MARK = '"to be spoilt"'


def mixed(rows: list[Json]) -> st.SearchStrategy[bytes]:
    """A row whose members are of these rows, or rubbish, or not there."""
    members = {name: [row[name] for row in rows if name in row] for name in rows[0]}
    objects = st.fixed_dictionaries(
        {},
        optional={
            name: st.sampled_from(values[:1]) | st.sampled_from(values) | RUBBISH
            for name, values in members.items()
        },
    )

    def written(row: object, spoilt: str, raw: bytes) -> bytes:
        if isinstance(row, dict) and spoilt in row:
            row = row | {spoilt: MARK[1:-1]}
        return json.dumps(row).encode().replace(MARK.encode(), raw)

    whole = st.builds(lambda row, more: {**rows[0], **row, **more}, objects, objects)
    row = whole | objects | st.sampled_from(rows)
    spoilt = st.builds(written, row, st.sampled_from(list(members)), RAW)
    return st.one_of(*[st.builds(json.dumps, row | RUBBISH).map(str.encode)] * 4, spoilt)


# -- how it is compared


def seen(value: object, selection: Projection) -> object:
    """What can be seen of a value by looking at what is selected."""
    match value:
        case InvalidAnswer():
            return "error", value.message
        case tuple():
            return [seen(element, selection) for element in value]
        case Record():
            record: Any = value.__class__
            fields = selection.of(record)
            return record.__name__, {
                field.name: seen(getattr(value, field.name), selection)
                for field in structs.fields(record)
                if fields is None or field.name in fields or field.required
            }
        case _:
            return type(value), repr(value)


def decoded(decode: Any, body: bytes) -> tuple[Any, list[Any], list[Omission]] | None:
    try:
        answer: tuple[Any, list[Any], list[Omission]] = decode(body)
    except InvalidAnswer:
        return None
    return answer


def assert_same(body: bytes, part: Any, whole: Any, selection: Projection, heeds: Any) -> None:
    """The page of `part` is that of `whole`, as far as it is looked at."""
    found, expected = decoded(part, body), decoded(whole, body)
    if expected is None:
        return  # for something that may stand where nobody looks
    assert found is not None
    assert found[0].__class__ is expected[0].__class__
    assert [seen(row, selection) for row in found[1]] == [
        seen(row, selection) for row in expected[1]
    ]
    assert found[2] == [omission for omission in expected[2] if heeds(omission)]
    for one, other in zip(found[1], expected[1], strict=True):
        assert getattr(one, "__class__", None) is getattr(other, "__class__", None)


def flow_heeds(selection: Projection, top: type[Record]) -> Any:
    """Whether an omission is in what is selected: all are in lists, named as in the schema."""

    def heeds(omission: Omission) -> bool:
        record = top
        for member in re.findall(r"\.(\w+)", omission.where):
            name = re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), member)
            fields = selection.of(record)
            if fields is not None and name not in fields:
                return False
            record = NESTED.get(name, record)
        return True

    return heeds


MANY = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@MANY
@given(attributes=SELECTIONS, rows=st.lists(mixed(FLOW_CUSTOMERS), max_size=3))
def test_flow_retails_customers(attributes, rows):
    """Fields and omissions, of nested records too."""
    selection = Projection.reading(attributes)
    body = b'{"items":[' + b",".join(rows) + b'],"paging":{"totalCount":3}}'

    assert_same(
        body,
        FlowDecoders(selection).customers.decode,
        flow_retail_wire.WHOLE.customers.decode,
        selection,
        flow_heeds(selection, Customer),
    )


@pytest.mark.slow
@MANY
@given(attributes=SELECTIONS, rows=st.lists(mixed(FLOW_GROUPS), max_size=3))
def test_flow_retails_groups(attributes, rows):
    """Their revisions too, one by one as well as in a list."""
    selection = Projection.reading(attributes)
    body = b'{"items":[' + b",".join(rows) + b"]}"
    part, whole = FlowDecoders(selection), flow_retail_wire.WHOLE

    assert_same(
        body, part.groups.decode, whole.groups.decode, selection, flow_heeds(selection, Customer)
    )
    for row in rows:
        one, other = decoded(part.group.one, row), decoded(whole.group.one, row)
        assert one is not None or other is None
        if other is not None:
            assert seen(one, selection) == seen(other, selection)
            if "revision" in attributes.get(CustomerGroup, ()):
                assert revision(one) == revision(other)


def revision(group: Any) -> object:
    try:
        found = group.revision
    except UnicodeEncodeError as problem:
        found = problem
    return str(found) if isinstance(found, Exception) else found


SHOP_LISTS: Mapping[str, set[str]] = {
    "addresses": {"addresses", "mobile", "address", "postal_code", "city", "country_code"},
    "billingAddressIds": {"addresses"},
    "shippingAddressIds": {"addresses"},
    "customerGroupAssignments": {"customer_group_uids"},
}
"""The fields of a customer that are made of each list."""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["assignments", "legacy", "both"])
@MANY
@given(attributes=SELECTIONS, rows=st.lists(mixed([SHOP_CUSTOMER]), max_size=3))
def test_commercetools_customers(mode, attributes, rows):
    """Although several fields are made of one, and one of several."""
    selection = Projection.reading(attributes)
    body = b'{"results":[' + b",".join(rows) + b'],"total":3}'

    def read(decoders: CommercetoolsDecoders) -> Any:
        def decode(body: bytes) -> Any:
            listing, rows, omissions = decoders.customers.decode(body)
            return (
                listing,
                [row and decoders.customer_record(row, "t", mode) for row in rows],
                omissions,
            )

        return decode

    def heeds(omission: Omission) -> bool:
        fields = selection.of(Customer)
        members = re.findall(r"\.(\w+)", omission.where)
        return fields is None or not members or bool(SHOP_LISTS[members[0]] & fields)

    part, whole = CommercetoolsDecoders(selection), commercetools_wire.WHOLE
    assert_same(body, read(part), read(whole), selection, heeds)


@pytest.mark.slow
@MANY
@given(attributes=SELECTIONS, rows=st.lists(mixed([SHOP_GROUP]), max_size=3))
def test_commercetools_groups(attributes, rows):
    """Their revisions too: a version, or what can be seen where there is none."""
    selection = Projection.reading(attributes)
    body = b'{"results":[' + b",".join(rows) + b"]}"
    part, whole = CommercetoolsDecoders(selection), commercetools_wire.WHOLE

    def read(decoders: CommercetoolsDecoders) -> Any:
        def decode(body: bytes) -> Any:
            listing, rows, omissions = decoders.groups.decode(body)
            return listing, [row and decoders.group_record(row, "t") for row in rows], omissions

        return decode

    assert_same(body, read(part), read(whole), selection, lambda _: True)
    found, expected = decoded(read(part), body), decoded(read(whole), body)
    if found and expected and "revision" in attributes.get(CustomerGroup, ()):
        assert [row and revision(row) for row in found[1]] == [
            row and revision(row) for row in expected[1]
        ]
