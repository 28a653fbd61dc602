"""The enums of the schema, with a description for every value; records and port declare most."""

from __future__ import annotations

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
    OpenEnum,
)

__all__ = [
    "BackendKind",
    "ConcurrencyControl",
    "CountPrecision",
    "CustomerAddressType",
    "CustomerContactRole",
    "CustomerExtensionCode",
    "CustomerGroupSortField",
    "CustomerGroupUserErrorCode",
    "CustomerSortField",
    "CustomerType",
    "MemberAction",
    "MemberStatus",
    "SortDirection",
]


class CustomerGroupUserErrorCode(Enum):
    """Each has its description as its value."""

    INVALID_INPUT = "A value is malformed or contradicts another."
    NOT_FOUND = "What was named does not exist."
    DUPLICATE = "A uid, key or name is in use."
    REVISION_CONFLICT = "The group has changed since it was read."
    GROUP_NOT_EMPTY = "`onlyIfEmpty` was asked for, and it has members."
    IN_USE = "Something else refers to the group."
    LIMIT_EXCEEDED = "More than the gateway or the backend takes at once."
    UNSUPPORTED_BY_BACKEND = "This tenant's backend has no such thing."
    REJECTED_BY_BACKEND = "The backend refused it and did not say more."
    OUTCOME_UNKNOWN = "It was sent, and it is not known whether it was done. Read, then repeat."
    UNAUTHENTICATED = "Ended part of the way: the backend does not accept the token."
    FORBIDDEN = "Ended part of the way: the token has no right to this."
    RATE_LIMITED = "Ended part of the way: the backend asks to slow down; see `retryAfter`."
    OVERLOADED = "Ended part of the way: too many requests wait; see `retryAfter`."
    UPSTREAM_UNAVAILABLE = "Ended part of the way: the backend gave no answer."
    UPSTREAM_INVALID_ANSWER = "The backend gave an answer that can't be used."
    DEADLINE_EXCEEDED = "Ended part of the way: the operation's time was over."


def _show(enum: type[Enum], description: str, name: str | None = None, **values: str) -> None:
    """Make `enum` a GraphQL enum, of its own name or another; `values` describes its members."""
    if issubclass(enum, OpenEnum):
        values["UNRECOGNIZED"] = "A value that this version of the gateway does not know."
    shown = strawberry.enum(enum, name=name, description=description)
    for value in shown.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]


_show(
    CustomerType,
    "What a customer is.",
    COMPANY="A company.",
    PERSON="A private person.",
    B2B="A business customer.",
)
_show(
    CustomerAddressType,
    "What an address is for.",
    DELIVERY_ADDRESS="Where goods are sent.",
    INVOICE_ADDRESS="Where invoices are sent.",
)
_show(
    CustomerContactRole,
    "What a contact does for the customer.",
    ADMIN="Administers the customer's account.",
    PURCHASER="Buys on behalf of the customer.",
    ACCOUNTING="Handles the customer's invoices.",
    NONE="No role in particular.",
)
_show(
    CustomerExtensionCode,
    "Which extension of the backend.",
    TWO_INVOICE="The Two Invoice extension.",
    KLAVIYO_PROFILE_ID="The customer's profile at Klaviyo.",
)
_show(
    SortDirection,
    "Which end of an order comes first.",
    name="CustomerGroupSortDirection",
    ASC="Smallest, earliest or alphabetically first.",
    DESC="The other way around.",
)
_show(
    CustomerGroupSortField,
    "What groups can be ordered by; `Tenant.backend` lists which of these a tenant has.",
    NAME="By name.",
    CREATED_AT="By the time of creation.",
    LAST_MODIFIED_AT="By the time of the last change.",
)
_show(
    CustomerSortField,
    "What customers can be ordered by; `Tenant.backend` lists which of these a tenant has.",
    name="CustomerGroupMemberSortField",
    DISPLAY_NAME="By the name that is shown.",
    FIRSTNAME="By first name.",
    LASTNAME="By last name.",
    COMPANY_NAME="By the company's name.",
    EMAIL="By e-mail address.",
    CREATED_AT="By the time of creation.",
    LAST_MODIFIED_AT="By the time of the last change.",
)
_show(
    BackendKind,
    "Which system holds a tenant's groups.",
    name="CustomerGroupBackendKind",
    FLOW_RETAIL="Flow Retail, API v2.",
    COMMERCETOOLS="commercetools.",
)
_show(
    ConcurrencyControl,
    "How `expectedRevision` is enforced.",
    name="CustomerGroupConcurrencyControl",
    ENFORCED="The backend compares revisions atomically.",
    BEST_EFFORT="The gateway reads, compares, then writes: a change between the two is not seen.",
)
_show(
    CountPrecision,
    "What a `totalCount` is worth.",
    name="CustomerGroupCountPrecision",
    EXACT="The number of rows.",
    ESTIMATED="About the number of rows.",
)
_show(
    MemberAction,
    "What was to be done with a customer.",
    name="CustomerGroupMemberAction",
    ADD="Make it a member.",
    REMOVE="Make it no longer a member.",
)
_show(
    MemberStatus,
    "What became of one customer's change.",
    name="CustomerGroupMemberStatus",
    ACCEPTED="The backend accepted the change, or shows that it is so by now, which this "
    "edit may have brought about.",
    UNCHANGED="In the wanted state before the edit; nothing was changed.",
    PLANNED="dryRun: would be sent.",
    FAILED="Refused, or not sent; see `error`.",
    UNKNOWN="Sent, but neither an answer nor the list of members shows what became of it, see "
    "`error`: call again with the same input.",
)
_show(
    CustomerGroupUserErrorCode,
    "What kind of mistake or refusal it is.",
    **{code.name: code.value for code in CustomerGroupUserErrorCode},
)
