"""What a broken answer may cost: no more time than a few sound ones, whatever is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest

from gateway import records
from gateway.backends.commercetools import wire as commercetools_wire
from gateway.backends.flow_retail.wire import WHOLE, FlowDecoders
from gateway.errors import InvalidAnswer
from gateway.records import Omission, Projection
from gateway.rest.decoding import LONGEST
from gateway.rest.decoding._tolerant import MOST_OMISSIONS
from tests.stalls import processor_time

BODY = 8_000_000
"""The longest answer that is taken, in bytes."""
ALLOWED = 0.5
"""Seconds; a few times what the worst of them takes, and a fraction of what they took by exceptions
for all.
"""
FEW = FlowDecoders(Projection.reading({records.Customer: ["uid", "email", "customer_group_uids"]}))
WRONG_MAIL = b'{"customerUid":"a","email":1}'


def page(row: bytes, count: int) -> bytes:
    return b'{"items":[' + b",".join([row] * count) + b'],"paging":{"totalCount":5}}'


def filled(row: bytes) -> bytes:
    """As many of these rows as an answer has room for."""
    return page(row, (BODY - 100) // (len(row) + 1))


def row_of(member: bytes, element: bytes, count: int | None = None) -> bytes:
    """A row with a list of these elements, as many as an answer has room for."""
    count = count or (BODY - 100) // (len(element) + 1)
    return b'{"customerUid":"a","' + member + b'":[' + b",".join([element] * count) + b"]}"


TEXTS = (
    "address city companyName countryCode displayName email externalId firstname internalNote "
    "lastname ledgerNumber loyaltyId mobile origin postalCode vatNumber"
)
OTHERS = "addresses contacts consents extensions credit accountManager ehf defaultStore createdAt"
CUSTOMER = {"customerUid": "a"} | dict.fromkeys(f"{TEXTS} {OTHERS}".split(), 5)
"""Of which nothing but the uid is right."""
BROKEN: Mapping[str, Callable[[], bytes]] = {
    "objects without a uid": lambda: filled(b"{}"),
    "as many of them as a page may have": lambda: page(b"{}", LONGEST),
    "numbers": lambda: filled(b"0"),
    "one wrong leaf in each": lambda: filled(WRONG_MAIL),
    "one wrong leaf in each of a page": lambda: page(WRONG_MAIL, LONGEST),
    "many wrong leaves in each": lambda: page(json.dumps(CUSTOMER).encode(), LONGEST),
    "numbers for uids": lambda: page(row_of(b"customerGroupUids", b"0"), 1),
    "numbers for uids in many rows": lambda: filled(row_of(b"customerGroupUids", b"0", LONGEST)),
    "objects for addresses": lambda: page(row_of(b"addresses", b"{}"), 1),
    "objects for addresses in many rows": lambda: filled(row_of(b"addresses", b"{}", LONGEST)),
    "a wrong number in much text": lambda: page(
        b'{"customerUid":"a","paymentTerms":1.5,"email":"' + b"x" * BODY + b'"}', 1
    ),
    "members that no one knows": lambda: page(
        WRONG_MAIL[:-1] + b"".join(b',"%x":0' % n for n in range(800_000)) + b"}", 1
    ),
    "bytes that are not UTF-8": lambda: page(
        b'{"customerUid":"a","email":"' + b"\xff" * BODY + b'"}', 1
    ),
    "halves of emoji": lambda: page(
        b'{"customerUid":"a","email":"' + b"\\ud83d" * (BODY // 6) + b'"}', 1
    ),
    "no numbers": lambda: page(row_of(b"addresses", b"NaN"), 1),
    "no number behind much text": lambda: page(
        row_of(b"addresses", b'""')[:-1] + b',"relevance":NaN}', 1
    ),
    "quotes": lambda: b'{"items":NaN' + b'"' * BODY,
    "backslashes": lambda: b'{"items":"\\ud83d' + b"\\" * BODY,
    "brackets": lambda: b'{"items":' + b"[" * BODY,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("decoders", [WHOLE, FEW], ids=["whole", "few fields"])
def test_no_answer_takes_long_to_be_found_broken(name, decoders):
    """Others wait for it, and no deadline cuts it short."""
    body = BROKEN[name]()

    def decode() -> None:
        with suppress(InvalidAnswer):
            decoders.customers.decode(body)

    assert processor_time(decode, allowed=ALLOWED) <= ALLOWED


@pytest.mark.slow
@pytest.mark.parametrize("row", [b"{}", b"0", WRONG_MAIL, b'{"customerUid":"a"}'])
def test_a_page_of_more_rows_than_any_can_have_is_an_invalid_answer(row):
    """Sound or not; up to there, an upstream may answer more than it was asked for."""
    _, rows, _ = WHOLE.customers.decode(page(row, LONGEST))
    assert len(rows) == LONGEST

    with pytest.raises(InvalidAnswer, match="more rows than a page can have"):
        WHOLE.customers.decode(page(row, LONGEST + 1))


def test_flaws_are_listed_up_to_a_number_and_counted_beyond():
    """In a page, and in the lists of a row."""
    _, _, of_rows = WHOLE.customers.decode(page(b"{}", 1_000))
    _, _, of_a_row = WHOLE.customers.decode(page(row_of(b"addresses", b"{}", 1_000), 1))

    for omissions in (of_rows, of_a_row):
        assert len(omissions) == MOST_OMISSIONS
        parts = 1_000 - MOST_OMISSIONS + 1
        assert omissions[-1] == Omission("$", f"{parts} more parts of it can't be used.", parts)
    assert of_rows[-2].where == f"items[{MOST_OMISSIONS - 2}]"
    assert of_a_row[-2].where == f"items[0].addresses[{MOST_OMISSIONS - 2}]"


@pytest.mark.slow
def test_one_broken_leaf_in_each_of_2000_whole_rows_costs_those_leaves_only():
    """As when a field changes its type: larger pages are hardly asked for."""
    row = json.dumps({"customerUid": "a"} | dict.fromkeys(TEXTS.split(), "x") | {"email": 1})
    _, rows, _ = WHOLE.customers.decode(page(row.encode(), 2_000))

    assert {row is not None and type(row.email) for row in rows} == {InvalidAnswer}


@pytest.mark.slow
def test_sound_rows_are_kept_among_too_many_broken_ones():
    """However many have been looked into; what is left out is told."""
    broken = json.dumps(CUSTOMER).encode()
    body = page(broken, LONGEST - 1).replace(b'],"paging"', b',{"customerUid":"z"}],"paging"')

    _, rows, omissions = WHOLE.customers.decode(body)

    assert rows[0] is not None
    assert rows[-2] is None
    assert rows[-1] is not None
    assert rows[-1].uid == "z"
    assert omissions[-1].problem.endswith("more parts of it can't be used.")


@pytest.mark.parametrize("element", [b'""', b'"g"', b"0"])
def test_a_list_in_a_row_that_is_longer_than_any_can_be_is_left_out(element):
    """With an omission; the row stays."""
    uids = row_of(b"customerGroupUids", element, LONGEST + 1)

    _, rows, omissions = WHOLE.customers.decode(page(uids, 1))

    assert [row and row.customer_group_uids for row in rows] == [()]
    assert [omission.where for omission in omissions] == ["items[0].customerGroupUids"]


def test_more_custom_fields_than_any_resource_can_have_are_an_error_of_their_own():
    """The row stays."""
    fields = ",".join(f'"f{number}":0' for number in range(LONGEST + 1))
    custom = f'{{"type":{{"id":"t"}},"fields":{{{fields}}}}}'
    body = f'{{"results":[{{"id":"g","name":"Gold","custom":{custom}}}]}}'.encode()

    _, (row,), omissions = commercetools_wire.WHOLE.groups.decode(body)

    assert row is not None
    record = commercetools_wire.WHOLE.group_record(row, "wien")
    assert record.commercetools is not None
    assert isinstance(record.commercetools.custom, InvalidAnswer)
    assert omissions == []


@pytest.mark.slow
def test_the_addresses_of_a_customer_take_time_in_proportion():
    """Which of them are for invoices is not looked up by going through all that are."""
    ids = [f"{number:x}" for number in range(LONGEST)]
    row = {
        "id": "ada",
        "addresses": [{"id": uid} for uid in ids],
        "billingAddressIds": ids[::-2],
        "shippingAddressIds": ids[::-1],
    }
    body = json.dumps({"results": [row]}).encode()
    _, (found,), _ = commercetools_wire.WHOLE.customers.decode(body)
    assert found is not None

    def record() -> records.Customer:
        return commercetools_wire.WHOLE.customer_record(found, "wien", "both")

    assert [address.type and address.type.value for address in record().addresses[:2]] == [
        "DELIVERY_ADDRESS",
        "INVOICE_ADDRESS",
    ]
    assert processor_time(record, allowed=ALLOWED) <= ALLOWED
