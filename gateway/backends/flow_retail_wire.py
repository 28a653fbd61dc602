"""Flow Retail's answers, in the names of its OpenAPI document."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from gateway import records
from gateway.backends.decoding import ItemT, Listing, ListingDecoder, RowDecoder, many, wire

_EXTENSION = wire(
    records.CustomerExtension,
    names={"code": "extensionCode"},
    empty_is_none=["organization_uid"],
)
_CONTACT = wire(
    records.CustomerContact,
    names={"uid": "customerContactUid"},
    types={"extensions": many(_EXTENSION)},
)
_CUSTOMER = wire(
    records.Customer,
    names={"uid": "customerUid", "parent_uid": "customerParentUid"},
    types={
        "addresses": many(wire(records.CustomerAddress, names={"uid": "customerAddressUid"})),
        "contacts": many(_CONTACT),
        "extensions": many(_EXTENSION),
        "consents": many(wire(records.CustomerConsent, names={"uid": "consentUid"})),
        "credit": wire(records.CustomerCredit) | None,
        "account_manager": wire(records.AccountManager, empty_is_none=["tenant_user_uid"]) | None,
        "default_store": wire(records.CustomerStore, names={"uid": "storeUid"}) | None,
        "ehf": wire(records.CustomerEhf) | None,
    },
    empty_is_none=["parent_uid", "pricelist_uid"],
    absent=["commercetools"],
)
_GROUP = wire(
    records.CustomerGroup,
    names={"uid": "customerGroupUid"},
    absent=["key", "version", "commercetools"],
)


Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Paging(Struct, frozen=True, rename="camel"):
    """What an answer says of its page; an upstream that says less is taken at what was asked."""

    page_number: Count | None = None
    page_size: Count | None = None
    total_count: Count | None = None


class FlowListing(Listing[ItemT], frozen=True, kw_only=True):
    rows: list[ItemT] = field(name="items")
    paging: Paging | None = None


decode_group = RowDecoder(_GROUP)
decode_groups = ListingDecoder(FlowListing, _GROUP)
decode_customers = ListingDecoder(FlowListing, _CUSTOMER)
