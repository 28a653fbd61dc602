"""What commercetools' API reference says of its answers: our rows, with the members that they do
not read, and without defaults for those that are always there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Generic, Literal

from msgspec import field

from gateway.backends.commercetools.adapter import CUSTOMERS, GROUP, GROUP_BY_KEY, GROUPS
from gateway.backends.commercetools.members import CUSTOMER
from gateway.backends.commercetools.wire import (
    Actor,
    AddressRow,
    Assignment,
    CommercetoolsListing,
    Custom,
    CustomerRow,
    GroupRow,
    Reference,
)
from gateway.contract import Contract, Kind, documented
from gateway.records import Instant, Int64, Record
from gateway.rest.decoding import Count, ItemT

_UNDOCUMENTED: Final = ("versionModifiedAt", "lastMessageSequenceNumber")
"""Of each resource: clients of others read them, and the reference has not got them."""


class _Reference(Reference, frozen=True, kw_only=True, rename="camel"):
    type_id: str


class _KeyReference(Record, frozen=True, kw_only=True, rename="camel"):
    type_id: str
    key: str


class _Actor(Actor, frozen=True, kw_only=True, rename="camel"):
    is_platform_client: bool | None = None
    anonymous_id: str | None = None
    user: _Reference | None = None
    customer: _Reference | None = None
    associate: _Reference | None = None
    attributed_to: Any = None


class _Custom(Custom, frozen=True, kw_only=True):
    type: _Reference
    fields: dict[str, Any]


class _Address(AddressRow, frozen=True, kw_only=True, rename="camel"):
    id: str = ""
    country: str
    key: str | None = None
    title: str | None = None
    salutation: str | None = None
    additional_street_info: str | None = None
    region: str | None = None
    state: str | None = None
    department: str | None = None
    building: str | None = None
    apartment: str | None = None
    pO_box: str | None = None
    fax: str | None = None
    additional_address_info: str | None = None
    external_id: str | None = None
    custom: _Custom | None = None


class _Assignment(Assignment, frozen=True, kw_only=True, rename="camel"):
    customer_group: _Reference


class _Group(GroupRow, frozen=True, kw_only=True, rename="camel"):
    version: Int64
    created_at: Instant
    last_modified_at: Instant
    created_by: _Actor | None = None
    last_modified_by: _Actor | None = None
    custom: _Custom | None = None


class _Customer(CustomerRow, frozen=True, kw_only=True, rename="camel"):
    version: Int64
    created_at: Instant
    last_modified_at: Instant
    created_by: _Actor | None = None
    last_modified_by: _Actor | None = None
    custom: _Custom | None = None
    email: str
    password: str | None = None
    middle_name: str | None = None
    title: str | None = None
    salutation: str | None = None
    date_of_birth: str | None = None
    locale: str | None = None
    addresses: tuple[_Address, ...]
    default_shipping_address_id: str | None = None
    is_email_verified: bool
    customer_group: _Reference | None = None
    customer_group_assignments: tuple[_Assignment, ...] = ()
    stores: tuple[_KeyReference, ...] = ()
    authentication_mode: Literal["Password", "ExternalAuth"] | None = None


class _Page(CommercetoolsListing[ItemT], Generic[ItemT], frozen=True, kw_only=True):
    rows: list[ItemT] = field(name="results")
    limit: Count
    offset: Count
    count: Count


def _contract(kind: Any, *, rows: str | None = None) -> Contract:
    path = "" if rows is None else f"{rows}[]."
    known: list[tuple[str, Kind]] = [(path + name, "unknown_member") for name in _UNDOCUMENTED]
    return Contract(documented(kind), known, rows)


CONTRACTS: Final[Mapping[tuple[str, str], Contract]] = {
    ("GET", GROUPS): _contract(_Page[_Group], rows="results"),
    ("GET", CUSTOMERS): _contract(_Page[_Customer], rows="results"),
    ("POST", GROUPS): _contract(_Group),
    **{
        (method, template): _contract(_Group)
        for method in ("GET", "POST", "DELETE")
        for template in (GROUP, GROUP_BY_KEY)
    },
    **{(method, CUSTOMER): _contract(_Customer) for method in ("GET", "POST")},
}
"""By method and path template."""
