"""What an operation looks at, as fields of records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from gateway import records
from gateway.records import Customer, CustomerAddress, CustomerGroup, Projection, Record, made_of

RECORDS = [
    record
    for record in vars(records).values()
    if isinstance(record, type) and issubclass(record, Record) and record is not Record
]


def test_a_field_is_made_of_itself():
    """Its name is all that there is to say."""
    selection = Projection.reading({CustomerGroup: ["created_by"], Customer: ()})

    assert selection.of(CustomerGroup) == {"created_by"}
    assert selection.of(Customer) == frozenset()


def test_a_record_that_is_not_named_is_looked_at_as_a_whole():
    """Who names only the fields at the top gets all that is inside of them."""
    assert Projection.reading({Customer: ["addresses"]}).of(CustomerAddress) is None


def test_what_looks_at_the_same_is_the_same():
    """In any order and any number, by itself or through a property."""
    one = Projection.reading({CustomerGroup: ["name", "revision"], Customer: ["email"]})
    fields = [*made_of(CustomerGroup, "revision")][::-1]
    other = Projection.reading({Customer: ["email"] * 2, CustomerGroup: fields})

    assert one == other
    assert hash(one) == hash(other)
    assert one != Projection.reading({Customer: ["email"]})


@pytest.mark.parametrize("name", ["id", "customerGroupUids", "__init__", "Customer"])
def test_what_no_record_has_is_a_mistake(name):
    """It would be a field that is shown and was never read."""
    with pytest.raises(AttributeError):
        Projection.reading({Customer: [name]})


@pytest.mark.parametrize("record", RECORDS)
def test_every_property_says_what_it_is_made_of(record):
    """Fields of that record, each of them."""
    properties = [name for name, kind in vars(record).items() if isinstance(kind, property)]

    for name in properties:
        assert set(made_of(record, name)) <= {field.name for field in structs.fields(record)}
    assert ("revision" in properties) == (record is CustomerGroup)


@pytest.mark.parametrize("version", [None, 3])
def test_a_revision_is_made_of_no_more_than_it_says(version):
    """A group that was read for its revision alone has the revision of the whole group."""
    when = datetime(2025, 7, 30, tzinfo=UTC)
    texts = {name: name for name in ("uid", "name", "key", "created_by", "last_modified_by")}
    times = {"created_at": when, "last_modified_at": when + timedelta(days=1)}
    whole = CustomerGroup(tenant_uid="shop", version=version, **texts, **times)
    read = {name: getattr(whole, name) for name in made_of(CustomerGroup, "revision")}

    assert CustomerGroup(uid="uid", **read).revision == whole.revision
