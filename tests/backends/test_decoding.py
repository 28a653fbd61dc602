"""Bytes to records, as far as they can be understood."""

from __future__ import annotations

import contextlib
import gc
import json
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from gateway import records
from gateway.backends.commercetools.wire import WHOLE as COMMERCETOOLS
from gateway.backends.flow_retail.wire import WHOLE
from gateway.backends.wire import camel
from gateway.errors import InvalidAnswer
from gateway.records import Customer, CustomerGroup, Omission
from gateway.schema.scalars import rfc3339

DEEP = b"[" * 100_000 + b"]" * 100_000


def group(body: bytes) -> CustomerGroup:
    return WHOLE.group.one(body)


def page(*items: bytes, paging: bytes = b'{"totalCount":9}') -> bytes:
    return b'{"items":[' + b",".join(items) + b'],"paging":' + paging + b"}"


def customers(*items: bytes) -> tuple[list[Customer | None], list[Omission]]:
    _, rows, omissions = WHOLE.customers.decode(page(*items))
    return rows, omissions


def customer(**members: object) -> Customer:
    """The record of one customer with these members, of which nothing was left out."""
    (row,), omissions = customers(json.dumps({"customerUid": "ada", **members}).encode())
    assert row is not None
    assert omissions == []
    return row


def test_a_row_with_an_empty_uid_is_one_without():
    """Nothing can be asked of it, and a list of such rows would look as if all were well."""
    rows, omissions = customers(b'{"customerUid":""}', b'{"customerUid":"bob"}')

    assert [row and row.uid for row in rows] == [None, "bob"]
    assert [omission.where for omission in omissions] == ["items[0]"]


def test_a_group_with_an_empty_uid_is_none_in_commercetools_either():
    body = (
        b'{"limit":2,"offset":0,"count":2,"results":[{"id":"","name":"A"},{"id":"b","name":"B"}]}'
    )

    _, rows, omissions = COMMERCETOOLS.groups.decode(body)

    assert [row and row.id for row in rows] == [None, "b"]
    assert [omission.where for omission in omissions] == ["results[0]"]


def test_names_are_in_camel_case():
    """Unless an upstream calls a field otherwise."""
    assert [camel(name) for name in ("uid", "vat_number", "a_b_c")] == ["uid", "vatNumber", "aBC"]


def test_a_group_is_read_by_its_documented_names():
    """As the document's CustomerGroupResponseSchema has them."""
    found = group(
        b'{"customerGroupUid":"gold","name":"Gold","createdBy":"ada",'
        b'"createdAt":"2025-07-30T18:10:06.447Z","lastModifiedBy":"bob",'
        b'"lastModifiedAt":"2025-07-30T20:10:06.447+02:00"}'
    )

    assert (found.uid, found.name, found.created_by, found.last_modified_by) == (
        "gold",
        "Gold",
        "ada",
        "bob",
    )
    assert found.created_at == found.last_modified_at


def test_what_an_upstream_adds_does_not_become_what_it_lacks():
    """Flow Retail has neither keys nor versions; a new member of that name means another thing."""
    plain = group(b'{"customerGroupUid":"gold","name":"Gold"}')
    for more in (b'"key":"k","version":2,"tenantUid":"x"', b'"key":1,"version":"2","tenantUid":[]'):
        found = group(b'{"customerGroupUid":"gold","name":"Gold",' + more + b"}")
        assert found == plain
        assert found.revision == plain.revision


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"5",
        b"[]",
        b'"gold"',
        b"{}",
        b'{"customerGroupUid":"gold"}',
        b'{"customerGroupUid":null,"name":"Gold"}',
        b'{"customerGroupUid":5,"name":"Gold"}',
        b'{"customerGroupUid":"gold","name":["Gold"]}',
        b'{"customerGroupUid":1,"name":"Gold"',  # a wrong type, and cut off behind it
        b'{"customerGroupUid":1,"name":"Go\xff',
        b'{"customerGroupUid":"gold","name":"Gold"} trailing',
        b'{"customerGroupUid":"gold","name":"Gold","more":' + DEEP + b"}",
        b'{"customerGroupUid":1,"name":"Gold","more":' + DEEP + b"}",
        b"<html></html>",
        b"\xef\xbb\xbf",
        b"\x00",
    ],
)
def test_what_is_no_group_is_an_invalid_answer(body):
    """And nothing else: no decoder's own exception comes through."""
    with pytest.raises(InvalidAnswer):
        group(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"items":{},"paging":{}}',
        b'{"paging":{}}',
        b'{"items":[{"customerGroupUid":1}',
        page(b'{"customerGroupUid":"gold","name":"Gold","more":' + DEEP + b"}"),
        page(b'{"customerGroupUid":"gold","name":"Gold"}') + b"}",
    ],
)
def test_what_is_no_page_is_an_invalid_answer(body):
    """A list whose shape can't be told can't be shown in part."""
    with pytest.raises(InvalidAnswer) as failure:
        WHOLE.groups.decode(body)

    assert failure.value.message.endswith(".")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("total_count", b'{"totalCount":"5"}'),
        ("total_count", b'{"totalCount":-1}'),
        ("total_count", b'{"totalCount":1.01}'),
        ("total_count", b'{"totalCount":1e10}'),
        ("total_count", b'{"totalCount":-1.0}'),
        ("total_count", b'{"totalCount":2147483648}'),
        ("total_count", b'{"totalCount":' + b"9" * 5000 + b"}"),
        ("total_count", b'{"totalCount":NaN}'),
        ("page_size", b'{"pageSize":1.5}'),
        ("page_number", b'{"pageNumber":-1}'),
    ],
)
def test_a_part_of_paging_that_can_not_be_read_holds_its_error(member, value):
    """The rows are as valid as ever, and so are the other parts."""
    paging = b'{"pageNumber":3,' + value[1:]
    listing, rows, omissions = WHOLE.groups.decode(
        page(b'{"customerGroupUid":"gold","name":"Gold"}', paging=paging)
    )

    assert [row.uid for row in rows] == ["gold"]
    assert isinstance(getattr(listing.paging, member), InvalidAnswer)
    assert listing.paging.page_number == 3 or member == "page_number"
    assert omissions == []


def test_paging_that_can_not_be_read_at_all_is_an_error_in_its_place():
    """Not in that of the rows."""
    listing, rows, omissions = WHOLE.groups.decode(
        page(b'{"customerGroupUid":"gold","name":"Gold"}', paging=b"[]")
    )

    assert isinstance(listing.paging, InvalidAnswer)
    assert [row.uid for row in rows] == ["gold"]
    assert omissions == []


@pytest.mark.parametrize("paging", [b'{"totalCount":0}', b'{"totalCount":"0"}', b"null"])
def test_null_for_the_rows_is_no_rows(paging):
    """As for any other list, whether or not the rest is as agreed."""
    listing, rows, omissions = WHOLE.groups.decode(b'{"items":null,"paging":' + paging + b"}")

    assert listing.rows is None
    assert rows == []
    assert omissions == []


@pytest.mark.parametrize("paging", [b"null", b"{}", b'{"totalCount":null,"pageSize":null}'])
def test_an_upstream_that_says_nothing_of_paging_is_taken_at_what_was_asked(paging):
    """No part of it is needed to keep the rows."""
    _, rows, omissions = WHOLE.groups.decode(
        page(b'{"customerGroupUid":"gold","name":"Gold"}', paging=paging)
    )

    assert [row.uid for row in rows] == ["gold"]
    assert omissions == []


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (b"null", "it is null where an object is expected."),
        (b"[]", "it is a list where an object is expected."),
        (b'"gold"', "it is a string where an object is expected."),
        (b"true", "it is a boolean where an object is expected."),
        (b"1.5", "it is a number where an object is expected."),
        (b"{}", "`customerGroupUid` is missing."),
        (b'{"customerGroupUid":"x","name":null}', "`name` is missing."),
        (b'{"customerGroupUid":{},"name":"x"}', "`customerGroupUid` is an object."),
        (b'{"customerGroupUid":1e999,"name":"x"}', "`customerGroupUid` is a number."),
    ],
)
def test_a_row_that_can_not_be_kept_leaves_its_neighbours(broken, problem):
    """None stands in its place, so that the others keep theirs; the omission says where it was."""
    good = b'{"customerGroupUid":"gold","name":"Gold"}'

    _, rows, omissions = WHOLE.groups.decode(page(good, broken, good))

    assert [row and row.uid for row in rows] == ["gold", None, "gold"]
    assert omissions == [Omission("items[1]", problem)]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b'"\\ud83d"', "\ufffd"),
        (b'"Ada \\ud83d"', "Ada \ufffd"),
        (b'"\\ude00\\ud83d"', "\ufffd\ufffd"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"J\xf8rgen"', "J\ufffdrgen"),
        (b'"\\u0000\\u202e"', "\x00\u202e"),
    ],
)
def test_a_string_that_is_cut_in_the_middle_costs_only_itself(name, shown):
    """Half an emoji, as a string cut by UTF-16 units ends in, or Latin-1 where UTF-8 should be."""
    rows, omissions = customers(
        b'{"customerUid":"ada","displayName":' + name + b',"city":"Oslo"}', b'{"customerUid":"bob"}'
    )

    assert [(row.uid, row.display_name, row.city) for row in rows if row] == [
        ("ada", shown, "Oslo"),
        ("bob", None, None),
    ]
    assert omissions == []
    assert msgspec.json.encode(shown)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("relevance", "1e999"),
        ("relevance", "-1e999"),
        ("relevance", "9" * 400),
        ("relevance", '"1.5"'),
        ("relevance", "true"),
        ("paymentTerms", "2147483648"),
        ("paymentTerms", "-2147483649"),
        ("paymentTerms", "14.5"),
        ("paymentTerms", '"14"'),
        ("paymentTerms", "false"),
        ("createdAt", '"2025-07-30T18:10:06"'),
        ("createdAt", '"2025-07-30"'),
        ("createdAt", '"2025-02-30T18:10:06Z"'),
        ("createdAt", '"yesterday"'),
        ("createdAt", "1753899006"),
        ("ehfEnabled", "1"),
        ("ehfEnabled", '"true"'),
        ("customerType", "{}"),
        ("credit", "[]"),
        ("credit", "0"),
        ("defaultStore", '{"name":"Oslo"}'),
        ("defaultStore", '{"storeUid":7}'),
    ],
)
def test_a_value_that_can_not_be_shown_is_its_leafs_error(member, value):
    """It is the record's value there; the row and its other leaves stay."""
    rows, omissions = customers(
        f'{{"customerUid":"ada","{member}":{value},"city":"Oslo"}}'.encode(),
    )

    row = rows[0]
    assert row is not None
    broken = {
        name: kept
        for name, kept in structs.asdict(row).items()
        if kept not in (None, (), "") and name not in ("uid", "city")
    }
    (failure,) = broken.values()
    assert isinstance(failure, InvalidAnswer)
    assert failure.message.endswith(".")
    assert value.strip('"') not in failure.message
    assert (row.uid, row.city) == ("ada", "Oslo")
    assert omissions == []


@pytest.mark.parametrize(
    ("member", "value", "shown"),
    [
        ("relevance", 5, 5),
        ("relevance", -0.0, 0),
        ("paymentTerms", -(2**31), -(2**31)),
        ("createdAt", "", None),
        ("customerParentUid", "", None),
        ("pricelistUid", "", None),
        ("customerType", "ROBOT", records.CustomerType.UNRECOGNIZED),
        ("externalId", "", ""),
        ("customerGroupUids", None, ()),
        ("addresses", None, ()),
        ("defaultStore", None, None),
    ],
)
def test_what_stands_for_nothing_or_something_new_is_no_mistake(member, value, shown):
    """ "" is none in an OptionalUID and a time; null is an empty list; an enum may grow."""
    found = structs.asdict(customer(**{member: value}))
    names = {"customerParentUid": "parent_uid"}
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in member)

    assert found[names.get(member, snake)] == shown


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1000.0", 1000),
        ("1e3", 1000),
        ("1E+3", 1000),
        ("-1.25e2", -125),
        ("1000e-3", 1),
        ("-0.0", 0),
        ("2147483647.000", 2**31 - 1),
        ("2147483648.0", None),
        ("1.5", None),
        ("1e-1", None),
        ("1e99", None),
        ("1e999999999", None),
        ("1" + "0" * 5000 + ".0", None),
    ],
)
def test_an_integer_may_be_written_as_another_number(written, meant):
    """JSON knows only numbers; one that has a fraction, or is too large, is its leaf's error."""
    rows, _ = customers(f'{{"customerUid":"ada","paymentTerms":{written}}}'.encode())

    shown = rows[0].payment_terms if rows[0] else None
    assert (None if isinstance(shown, InvalidAnswer) else shown) == meant
    assert rows[0] is not None
    assert rows[0].valid is (meant is not None)


def test_a_long_integer_loses_nothing():
    """As it would on its way through a float."""
    rows, _ = customers(b'{"customerUid":"ada","credit":{"limit":9007199254740993.0}}')

    assert rows[0] is not None
    assert rows[0].credit.limit == 9007199254740993


# -- instants


def instant_of(text: str) -> object:
    """As a customer's row among others has it; as the group's record, too."""
    other = b'{"customerUid":"bob"}'
    rows, _ = customers(f'{{"customerUid":"ada","createdAt":"{text}"}}'.encode(), other)
    assert rows[0] is not None
    found = group(f'{{"customerGroupUid":"g","name":"G","createdAt":"{text}"}}'.encode())
    if not isinstance(found.created_at, InvalidAnswer):
        assert rows[0].created_at == found.created_at
    return found.created_at


@pytest.mark.slow
@given(
    when=st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),
    fraction=st.from_regex(r"[0-9]{1,12}|999999[0-9]{1,4}|[0-9]{3}999[5-9]{1,3}", fullmatch=True),
    offset=st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-23:59", "+23:59"]),
    between=st.sampled_from("Tt "),
)
@settings(max_examples=300, deadline=None)
def test_every_instant_of_rfc_3339_is_read_and_never_rounded_up(when, fraction, offset, between):
    """Cut to milliseconds, it is what it was when it came."""
    second = when.replace(microsecond=0)
    text = f"{second:%H:%M:%S}.{fraction}{offset}"

    found = instant_of(f"{second.date().isoformat()}{between}{text}")

    known = offset.upper().replace("Z", "+00:00")
    expected = datetime.fromisoformat(f"{second.isoformat()}.{fraction[:3]:0<3}000{known}")
    assert isinstance(found, datetime)
    assert found.replace(microsecond=found.microsecond // 1000 * 1000) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999Z"),
        ("2025-07-30T20:10:06.9999999+02:00", "2025-07-30T18:10:06.999Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"),
        ("2016-12-31T23:59:60.5Z", "2016-12-31T23:59:59.999Z"),
        ("1990-12-31T15:59:60-08:00", "1990-12-31T23:59:59.999Z"),
        ("2025-07-30t20:10:06z", "2025-07-30T20:10:06.000Z"),
    ],
)
def test_an_instant_is_cut_and_not_rounded(text, shown):
    """The last of all of them, too; a leap second is the end of its minute."""
    found = instant_of(text)

    assert isinstance(found, datetime)
    assert rfc3339(found) == shown


def test_a_finer_instant_is_found_wherever_it_is():
    """In a nested object, behind many rows that have none to be cut."""
    contact = '"contacts":[{"customerContactUid":"c","createdAt":"2025-01-01T00:00:00.%s"}]'
    plain = f'{{"customerUid":"a",{contact % "1234567Z"}}}'.encode()
    finer = f'{{"customerUid":"b",{contact % "1239999Z"}}}'.encode()

    rows, omissions = customers(*[plain] * 500, finer)

    assert omissions == []
    assert rows[-1] is not None
    found = rows[-1].contacts[0].created_at
    assert isinstance(found, datetime)
    assert rfc3339(found) == "2025-01-01T00:00:00.123Z"
    assert rows[-1].valid


# -- what was repaired


def test_a_text_that_has_lost_something_says_so():
    """It is a text like any other; the record is not valid, so that who shows it looks."""
    rows, omissions = customers(
        b'{"customerUid":"a\xff","displayName":"J\xf8rgen","city":"Oslo \xef\xbf\xbd","email":null,'
        b'"customerGroupUids":["x","\\ud83d"],"addresses":[{"customerAddressUid":"h","city":"\xe6"}]}',
        b'{"customerUid":"bob","displayName":"Bob","city":"\xc3\xb8 \\ufffd"}',
    )

    ada, bob = rows
    assert ada is not None
    assert (ada.uid, ada.display_name, ada.city) == ("a\ufffd", "J\ufffdrgen", "Oslo \ufffd")
    marked = [ada.uid, ada.display_name, ada.customer_group_uids[1], ada.addresses[0].city]
    assert [type(text) for text in marked] == [records.RepairedText] * 4
    assert [type(text) for text in (ada.city, ada.customer_group_uids[0])] == [str, str]
    assert (ada.valid, ada.addresses[0].valid, gc.is_tracked(ada)) == (False, False, True)
    assert bob is not None
    assert (bob.valid, bob.city, type(bob.city)) == (True, "\u00f8 \ufffd", str)
    assert omissions == []
    assert marked[0].how == (  # type: ignore[union-attr]
        "The backend sent bytes that are not UTF-8 and half of a surrogate pair; "
        "U+FFFD stands for each."
    )


def test_a_revision_does_not_depend_on_how_a_name_was_repaired():
    """It is that of what is shown."""
    repaired = group(b'{"customerGroupUid":"g","name":"J\xf8rgen"}')
    sent = group('{"customerGroupUid":"g","name":"J\ufffdrgen"}'.encode())

    assert type(repaired.name) is records.RepairedText
    assert repaired.revision == sent.revision


def test_a_list_goes_without_what_can_not_be_kept():
    """With an omission for each, and its path."""
    rows, omissions = customers(
        b'{"customerUid":"ada","customerGroupUids":["a",null,5,"b"],'
        b'"addresses":[{"customerAddressUid":"h"},{"city":"Oslo"},null],'
        b'"contacts":[{"customerContactUid":"c","extensions":[[],{"extensionCode":"NEW"}]}],'
        b'"consents":"all","extensions":{}}'
    )

    row = rows[0]
    assert row is not None
    assert row.customer_group_uids == ("a", "b")
    assert [address.uid for address in row.addresses] == ["h"]
    extensions = row.contacts[0].extensions
    assert [extension.code for extension in extensions] == [
        records.CustomerExtensionCode.UNRECOGNIZED
    ]
    assert (row.consents, row.extensions) == ((), ())
    assert sorted(omission.where for omission in omissions) == [
        "items[0].addresses[1]",
        "items[0].addresses[2]",
        "items[0].consents",
        "items[0].contacts[0].extensions[0]",
        "items[0].customerGroupUids[1]",
        "items[0].customerGroupUids[2]",
        "items[0].extensions",
    ]
    assert all(omission.problem.endswith(".") for omission in omissions)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters())
    | st.sampled_from(["", "PERSON", "2025-07-30T18:10:06Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
MEMBERS = [camel(field.name) for field in structs.fields(Customer)] + [
    "customerUid",
    "customerParentUid",
]


@pytest.mark.slow
@given(row=st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=8) | JSON)
@settings(max_examples=300, deadline=None)
@example(row={"customerUid": "ada", "addresses": [{"customerAddressUid": "\ud83d"}]})
def test_whatever_a_row_is_the_others_stay(row: Any):
    """Any JSON at all in any member, or in the row's own place."""
    rows, omissions = customers(
        b'{"customerUid":"a"}', json.dumps(row).encode(), b'{"customerUid":"b"}'
    )

    assert [rows[0] and rows[0].uid, rows[2] and rows[2].uid] == ["a", "b"]
    assert len(rows) == 3
    if rows[1] is None:
        assert omissions[-1].where == "items[1]"
    else:
        # All that can be shown can be written.
        msgspec.json.encode(rows[1], enc_hook=str)


@pytest.mark.slow
@given(body=st.binary() | st.text().map(str.encode), cut=st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_bytes_that_are_no_answer_are_an_invalid_answer(body, cut):
    """Noise, and a good answer cut anywhere and gone on with noise."""
    good = page(b'{"customerGroupUid":"gold","name":5}', b'{"customerGroupUid":"au","name":"Au"}')
    for said in (body, good[:cut] + body):
        for decode in (WHOLE.groups.decode, WHOLE.group.one):
            with contextlib.suppress(InvalidAnswer):
                decode(said)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(row=st.fixed_dictionaries({"customerUid": st.just("ada")}, optional={}), data=st.data())
def test_a_row_reads_the_same_beside_a_broken_one(row, data):
    """The tolerant way and the fast one are of one opinion."""
    texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5)
    row |= data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "displayName": texts,
                "relevance": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
                "paymentTerms": st.integers(-(2**31), 2**31 - 1),
                "createdAt": st.datetimes().map(lambda when: f"{when.isoformat()}+02:00"),
                "customerType": st.sampled_from(["PERSON", "B2B", "NEW", ""]),
                "pricelistUid": st.sampled_from(["", "p"]),
                "customerGroupUids": st.lists(texts, max_size=3),
                "credit": st.fixed_dictionaries({}, optional={"limit": st.integers(-9, 9)}),
                "contacts": st.lists(
                    st.fixed_dictionaries(
                        {"customerContactUid": texts},
                        optional={"role": st.just("NEW"), "extensions": st.just([{}])},
                    ),
                    max_size=2,
                ),
            },
        )
    )
    body = json.dumps(row).encode()

    (alone,), no_omissions = customers(body)
    (beside, _), _ = customers(body, b"null")
    (among_wrong,), _ = customers(json.dumps(row | {"city": 5}).encode())

    assert alone == beside
    assert no_omissions == []
    assert among_wrong is not None
    # Its city is an error, and it says that whoever shows it has to look.
    assert structs.asdict(among_wrong) | {"city": None} == structs.asdict(alone)
    assert alone.valid
    assert not among_wrong.valid


def test_only_what_holds_no_error_is_kept_from_the_garbage_collector():
    """An error that is raised leads back to the records around it, however deep it is in them."""
    city = {"customerAddressUid": "a", "city": 5}
    rows, omissions = customers(
        json.dumps({"customerUid": "deep", "addresses": [city]}).encode(),
        json.dumps({"customerUid": "good", "addresses": [city | {"city": "Oslo"}]}).encode(),
    )

    assert omissions == []
    deep, good = rows
    assert [gc.is_tracked(row) for row in (deep, deep.addresses[0])] == [True, True]
    assert [row.valid for row in (deep, deep.addresses[0])] == [False, False]
    assert [row.valid for row in (good, good.addresses[0])] == [True, True]
    assert not gc.is_tracked(good)
