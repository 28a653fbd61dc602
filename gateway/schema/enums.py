"""The enums of records and port, as GraphQL shows them: with a description for every value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import strawberry

from gateway.backends.port import (
    BackendKind,
    ConcurrencyControl,
    CountPrecision,
    CustomerGroupSortField,
    CustomerSortField,
    MemberAction,
    MemberStatus,
    SortDirection,
)
from gateway.records import (
    CustomerAddressType,
    CustomerContactRole,
    CustomerExtensionCode,
    CustomerType,
)

__all__ = [
    "BackendKind",
    "ConcurrencyControl",
    "CountPrecision",
    "CustomerAddressType",
    "CustomerContactRole",
    "CustomerExtensionCode",
    "CustomerGroupSortField",
    "CustomerSortField",
    "CustomerType",
    "MemberAction",
    "MemberStatus",
    "SortDirection",
]


def _show(enum: type[Enum], description: str, values: Mapping[str, str]) -> None:
    """Make `enum` a GraphQL enum; `values` describes each of its members."""
    shown = strawberry.enum(enum, description=description)
    for value in shown.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


_UNRECOGNIZED = {
    "UNRECOGNIZED": "A value that this version of the gateway does not know.",
}

_show(
    CustomerType,
    "What a customer is.",
    {
        "COMPANY": "A company.",
        "PERSON": "A private person.",
        "B2B": "A business customer.",
        **_UNRECOGNIZED,
    },
)
_show(
    CustomerAddressType,
    "What an address is for.",
    {
        "DELIVERY_ADDRESS": "Where goods are sent.",
        "INVOICE_ADDRESS": "Where invoices are sent.",
        **_UNRECOGNIZED,
    },
)
_show(
    CustomerContactRole,
    "What a contact does for the customer.",
    {
        "ADMIN": "Administers the customer's account.",
        "PURCHASER": "Buys on behalf of the customer.",
        "ACCOUNTING": "Handles the customer's invoices.",
        "NONE": "No role in particular.",
        **_UNRECOGNIZED,
    },
)
_show(
    CustomerExtensionCode,
    "Which extension of the backend.",
    {
        "TWO_INVOICE": "The Two Invoice extension.",
        "KLAVIYO_PROFILE_ID": "The customer's profile at Klaviyo.",
        **_UNRECOGNIZED,
    },
)

_show(
    SortDirection,
    "Which end of an order comes first.",
    {"ASC": "Smallest, earliest or alphabetically first.", "DESC": "The other way around."},
)
_show(
    CustomerGroupSortField,
    "What groups can be ordered by; `Backend.capabilities` tells which of it a tenant has.",
    {
        "NAME": "By name.",
        "CREATED_AT": "By the time of creation.",
        "LAST_MODIFIED_AT": "By the time of the last change.",
    },
)
_show(
    CustomerSortField,
    "What customers can be ordered by; `Backend.capabilities` tells which of it a tenant has.",
    {
        "DISPLAY_NAME": "By the name that is shown.",
        "FIRSTNAME": "By first name.",
        "LASTNAME": "By last name.",
        "COMPANY_NAME": "By the company's name.",
        "EMAIL": "By e-mail address.",
        "CREATED_AT": "By the time of creation.",
        "LAST_MODIFIED_AT": "By the time of the last change.",
    },
)

_show(
    BackendKind,
    "Which system holds a tenant's groups.",
    {"FLOW_RETAIL": "Flow Retail, API v2.", "COMMERCETOOLS": "commercetools."},
)
_show(
    ConcurrencyControl,
    "How `expectedRevision` is held.",
    {
        "ENFORCED": "The backend compares revisions atomically.",
        "BEST_EFFORT": "The gateway reads, compares, then writes: a change between the two "
        "is not seen.",
    },
)
_show(
    CountPrecision,
    "What a `totalCount` is worth.",
    {"EXACT": "The number of rows.", "ESTIMATED": "About the number of rows."},
)

_show(
    MemberAction,
    "What was to be done with a customer.",
    {"ADD": "Make it a member.", "REMOVE": "Make it no longer a member."},
)
_show(
    MemberStatus,
    "What became of one customer's change.",
    {
        "ACCEPTED": "The backend accepted the change, or shows that it is so by now, which this "
        "edit may have brought about.",
        "UNCHANGED": "In the wanted state before the edit; nothing was changed.",
        "PLANNED": "dryRun: would be sent.",
        "FAILED": "Refused, or not sent; see `error`.",
        "UNKNOWN": "Sent, but no answer tells what became of it, nor does a look at the members: "
        "call again with the same input.",
    },
)
