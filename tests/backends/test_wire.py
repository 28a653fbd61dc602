"""Types that read what is selected: records like those that are read whole."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import structs

from gateway.backends.commercetools.wire import CommercetoolsDecoders
from gateway.backends.flow_retail.wire import WHOLE, FlowDecoders
from gateway.backends.wire import KEPT_PROJECTIONS, Wire, camel, per_projection
from gateway.errors import InvalidAnswer
from gateway.records import Customer, CustomerAddress, CustomerGroup, Projection, Record

GROUP = b'{"customerGroupUid":"gold","name":"Gold","createdBy":"ada","lastModifiedBy":"bob"}'


def group(*attributes: str, body: bytes = GROUP) -> CustomerGroup:
    """The group in `body`, of which these are looked at."""
    return FlowDecoders(Projection.reading({CustomerGroup: attributes})).group.one(body)


def customer(attributes: Mapping[type[Record], list[str]], members: str) -> Customer:
    """The customer with these members, of which nothing was left out."""
    body = b'{"items":[{"customerUid":"ada",%b}]}' % members.encode()
    _, (row,), omissions = FlowDecoders(Projection.reading(attributes)).customers.decode(body)
    assert omissions == []
    assert row is not None
    return row


def test_names_are_in_camel_case():
    """Unless an upstream calls a field otherwise."""
    assert [camel(name) for name in ("uid", "vat_number", "a_b_c")] == ["uid", "vatNumber", "aBC"]


def test_what_is_not_looked_at_is_at_its_default():
    """Every attribute is there: a resolver can't tell the record from another."""
    found = group("created_by")

    assert (found.uid, found.name, found.created_by) == ("gold", "Gold", "ada")
    for field in structs.fields(CustomerGroup):
        if field.name not in ("uid", "name", "created_by"):
            assert getattr(found, field.name) == field.default


def test_such_a_record_is_one_of_its_kind():
    """To isinstance, to a class pattern, and to whoever prints it."""
    found = group("created_by")

    assert isinstance(found, CustomerGroup)
    assert not isinstance(found, Customer)
    match found:
        case CustomerGroup(uid=uid):
            assert uid == "gold"
        case _:
            raise AssertionError(found)
    assert repr(found).startswith("CustomerGroup(")
    with pytest.raises(AttributeError):
        found.key = "k"  # type: ignore[misc]


def test_identifiers_are_always_read():
    """A row that can't be kept is not kept, whatever of it is looked at."""
    assert group().uid == "gold"
    with pytest.raises(InvalidAnswer):
        group(body=b'{"customerGroupUid":"gold"}')
    with pytest.raises(InvalidAnswer):
        group(body=b'{"customerGroupUid":null,"name":"Gold"}')


def test_a_revision_is_that_of_the_whole_group():
    """What it is made of is read with it."""
    assert group("revision").revision == WHOLE.group.one(GROUP).revision


def test_what_is_wrong_where_nobody_looks_costs_nothing():
    """It is no omission, and other fields need no second look."""
    broken = '"city":5,"addresses":[{},7],"email":"a@example.org","consents":"all","credit":[]'

    row = customer({Customer: ["email"]}, broken)

    assert row.email == "a@example.org"
    assert (row.city, row.addresses, row.consents, row.credit) == (None, (), (), None)


def test_a_selection_reaches_into_nested_records():
    """Of an address that shows its city, only that is read; the identifier is always there."""
    addresses = '"addresses":[{"customerAddressUid":"h","city":"Oslo","phone":5,"email":"x"}]'

    row = customer({Customer: ["addresses"], CustomerAddress: ["city"]}, addresses)
    whole = customer({Customer: ["addresses"]}, addresses)

    (address,) = row.addresses
    assert isinstance(address, CustomerAddress)
    assert (address.uid, address.city, address.email, address.phone) == ("h", "Oslo", None, None)
    assert whole.addresses[0].email == "x"
    assert isinstance(whole.addresses[0].phone, InvalidAnswer)


@pytest.mark.parametrize("selected", ["parent_uid", "pricelist_uid"])
def test_an_empty_uid_is_none_however_few_are_read(selected):
    """Both of them, and each without the other."""
    row = customer({Customer: [selected]}, '"customerParentUid":"","pricelistUid":""')

    assert (row.parent_uid, row.pricelist_uid) == (None, None)


def test_fields_are_read_in_any_order():
    """The order of the document is the fast one, and no condition."""

    class Pair(Record, frozen=True, kw_only=True):
        first: str | None = None
        last: str | None = None

    body = b'{"last":"b","first":"a"}'

    for order in ("", "first last", "last first", "last", "other"):
        found: Any = msgspec.json.decode(body, type=Wire(Pair, order=order).reading(None))
        assert (found.first, found.last) == ("a", "b")


def test_decoders_are_made_once_for_a_selection():
    """Equal ones share them; not at every request."""
    decoders = per_projection(FlowDecoders)
    one = decoders(Projection.reading({Customer: ["email", "city"]}))
    two = decoders(Projection.reading({Customer: ["city", "email"]}))

    assert one is two
    assert one.customers is two.customers
    assert decoders(None) is decoders(None)


@pytest.mark.slow
@pytest.mark.parametrize("make", [FlowDecoders, CommercetoolsDecoders])
def test_what_is_made_for_selections_is_bounded(make):
    """Whoever varies what he selects finds that the oldest is forgotten, types and all."""
    decoders = per_projection(make)
    names = Customer.__struct_fields__
    pairs = [{one, other} for one in names for other in names if one < other]
    gc.collect()
    before = len(Record.__subclasses__())

    for pair in pairs:
        _ = decoders(Projection.reading({Customer: pair})).customers

    gc.collect()
    made = len(Record.__subclasses__()) - before
    assert len(pairs) > 4 * KEPT_PROJECTIONS
    # The typing module remembers as many once more.
    assert made <= 10 * (KEPT_PROJECTIONS + 128)
