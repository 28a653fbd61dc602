"""Flow Retail's answers, in the names and the order of its OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from msgspec import Struct, field, structs
from msgspec.structs import force_setattr

from gateway import records
from gateway.backends.wire import Cleanup, Wire, camel
from gateway.errors import InvalidAnswer
from gateway.records import Omission, Projection
from gateway.rest.decoding import Count, ItemT, Listing, ListingDecoder, RowDecoder

# In an OptionalUID "" is none. These run for each object of a page: written out, they take half the
# time of a loop over names.


def _no_parent_or_pricelist(customer: Any) -> None:
    if customer.parent_uid == "":
        force_setattr(customer, "parent_uid", None)
    if customer.pricelist_uid == "":
        force_setattr(customer, "pricelist_uid", None)


def _no_organization(extension: Any) -> None:
    if extension.organization_uid == "":
        force_setattr(extension, "organization_uid", None)


def _no_user(manager: Any) -> None:
    if manager.tenant_user_uid == "":
        force_setattr(manager, "tenant_user_uid", None)


_EXTENSION: Final = Wire(
    records.CustomerExtension,
    names={"code": "extensionCode"},
    cleanup=Cleanup(["organization_uid"], _no_organization),
)
_ADDRESS: Final = Wire(
    records.CustomerAddress,
    names={"uid": "customerAddressUid"},
    order="address city companyName firstname lastname countryCode email phone postalCode type "
    "customerAddressUid displayName",
)
_CONTACT: Final = Wire(
    records.CustomerContact,
    names={"uid": "customerContactUid"},
    nested={"extensions": _EXTENSION},
    order="firstname lastname email mobile createdAt lastModifiedAt customerContactUid extensions "
    "displayName role",
)
CUSTOMER: Final = Wire(
    records.Customer,
    names={"uid": "customerUid", "parent_uid": "customerParentUid"},
    nested={
        "addresses": _ADDRESS,
        "contacts": _CONTACT,
        "extensions": _EXTENSION,
        "consents": Wire(records.CustomerConsent, names={"uid": "consentUid"}),
        "credit": Wire(records.CustomerCredit),
        "account_manager": Wire(
            records.CustomerAccountManager, cleanup=Cleanup(["tenant_user_uid"], _no_user)
        ),
        "default_store": Wire(
            records.CustomerStore, names={"uid": "storeUid"}, order="name storeUid"
        ),
        "ehf": Wire(records.CustomerEhf),
    },
    absent=["commercetools"],
    order="address city companyName countryCode createdAt customerUid customerParentUid "
    "customerType email externalId firstname lastModifiedAt lastname ledgerNumber mobile "
    "postalCode pricelistUid vatNumber origin addresses contacts extensions consents loyaltyId "
    "displayName credit paymentTerms internalNote accountManager ehfEnabled ehf customerGroupUids "
    "defaultStore relevance",
    cleanup=Cleanup(["parent_uid", "pricelist_uid"], _no_parent_or_pricelist),
)
GROUP: Final = Wire(
    records.CustomerGroup,
    names={"uid": "customerGroupUid"},
    absent=["key", "version", "commercetools"],
    order="customerGroupUid name createdBy createdAt lastModifiedBy lastModifiedAt",
)


class Paging(Struct, frozen=True, rename="camel"):
    """What an answer says of its page; an upstream that says less is taken at what was asked."""

    page_number: Count | None = None
    page_size: Count | None = None
    total_count: Count | None = None


class FlowListing(Listing[ItemT], frozen=True, kw_only=True):
    rows: list[ItemT] | None = field(name="items")
    paging: Paging | None = None


class UsablePaging(Struct, frozen=True):
    """What can be used of what an answer says of its page."""

    paging: Paging
    no_total: InvalidAnswer | None
    """Why the total is not known, where the answer says one."""
    omissions: Sequence[Omission]
    """What can't be used of where the rows stand."""


def usable(paging: Paging | InvalidAnswer) -> UsablePaging:
    """Of a paging that can't be read, or in which something can't be."""
    if isinstance(paging, InvalidAnswer):
        return UsablePaging(Paging(), paging, [Omission("paging", _AS_ASKED)])
    read = structs.asdict(paging)
    broken = {name: value for name, value in read.items() if isinstance(value, InvalidAnswer)}
    no_total = broken.pop("total_count", None)
    kept = {
        name: None if isinstance(value, InvalidAnswer) else value for name, value in read.items()
    }
    return UsablePaging(
        Paging(**kept), no_total, [Omission(f"paging.{camel(name)}", _AS_ASKED) for name in broken]
    )


_AS_ASKED: Final = "it can't be read, so the rows are taken for those that were asked for."


class FlowDecoders:
    """Decoders that read what is selected; each is made once it is needed."""

    def __init__(self, projection: Projection | None) -> None:
        self._projection = projection

    @cached_property
    def group(self) -> RowDecoder[records.CustomerGroup]:
        return RowDecoder(GROUP.reading(self._projection))

    @cached_property
    def groups(self) -> ListingDecoder[records.CustomerGroup]:
        return ListingDecoder(FlowListing, GROUP.reading(self._projection))

    @cached_property
    def customers(self) -> ListingDecoder[records.Customer]:
        return ListingDecoder(FlowListing, CUSTOMER.reading(self._projection))


WHOLE: Final = FlowDecoders(None)
