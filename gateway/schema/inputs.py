"""What clients send: input types, and their translation into the port's words.

Every check here happens before any REST call, and names the input field that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import strawberry

from gateway.backends.port import ById, ByKey, GroupRef
from gateway.context import Context
from gateway.errors import InvalidInput, LimitExceeded
from gateway.schema.enums import CustomerGroupSortField, CustomerSortField, SortDirection
from gateway.schema.node import parse_global_id

UID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@strawberry.input(description="How groups are ordered.")
class CustomerGroupOrder:
    field: CustomerGroupSortField = strawberry.field(description="By what.")
    direction: SortDirection = strawberry.field(
        default=SortDirection.ASC, description="Which end comes first."
    )


@strawberry.input(description="How customers are ordered.")
class CustomerOrder:
    field: CustomerSortField = strawberry.field(description="By what.")
    direction: SortDirection = strawberry.field(
        default=SortDirection.ASC, description="Which end comes first."
    )


@strawberry.input(
    one_of=True,
    description="Exactly one member. `id` carries its tenant; `uid` and `key` are looked up in "
    "`tenantUid`.",
)
class CustomerGroupBy:
    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="A `CustomerGroup.id` of this gateway."
    )
    uid: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The backend's own identifier: Flow Retail customerGroupUid, commercetools id.",
    )
    key: str | None = strawberry.field(
        default=strawberry.UNSET, description="User-defined key; commercetools only."
    )


@strawberry.input(description="A group to be made.")
class CreateCustomerGroupInput:
    tenant_uid: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Without it: the X-Tenant header, else the configured default.",
    )
    name: str = strawberry.field(description="Its name; not blank.")
    uid: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Chosen identifier. It makes the request safe to repeat: after a lost answer "
        "the gateway looks the group up.",
    )
    key: str | None = strawberry.field(default=strawberry.UNSET, description="commercetools only.")


@strawberry.input(description="Changes to one group; what is absent stays as it is.")
class UpdateCustomerGroupInput:
    tenant_uid: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Without it: the X-Tenant header, else the configured default.",
    )
    customer_group: CustomerGroupBy = strawberry.field(description="Which group.")
    expected_revision: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Refuse with REVISION_CONFLICT unless the group is still in this state.",
    )
    name: str | None = strawberry.field(default=strawberry.UNSET, description="Its new name.")
    key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="commercetools only. Null removes the key; absent keeps it.",
    )


@strawberry.input(description="A group to be deleted.")
class DeleteCustomerGroupInput:
    tenant_uid: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Without it: the X-Tenant header, else the configured default.",
    )
    customer_group: CustomerGroupBy = strawberry.field(description="Which group.")
    expected_revision: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Refuse with REVISION_CONFLICT unless the group is still in this state.",
    )
    only_if_empty: bool = strawberry.field(
        default=False,
        description="Refuse with GROUP_NOT_EMPTY while it has members; costs one more read.",
    )


@strawberry.input(description="Customers to be added to and removed from one group.")
class UpdateCustomerGroupMembersInput:
    tenant_uid: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="Without it: the X-Tenant header, else the configured default.",
    )
    customer_group: CustomerGroupBy = strawberry.field(description="Which group.")
    add_customer_uids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Customers that are to be members."
    )
    remove_customer_uids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Customers that are to be members no longer."
    )


def given(value: object) -> bool:
    """Whether the client sent the field, be it with null."""
    return value is not strawberry.UNSET


def group_ref(
    context: Context, by: CustomerGroupBy, tenant_uid: str | None, *, field: Sequence[str] = ("by",)
) -> tuple[str, GroupRef]:
    """The tenant and the group that `by` means; `tenant_uid` is the one that the client named, if
    any.

    Raises InvalidInput where `by` is malformed or its id is of another tenant than the one named.
    """
    if by.id is not strawberry.UNSET and by.id is not None:
        path = [*field, "id"]
        parsed = parse_global_id(by.id, field=path)
        if parsed.type_name != "CustomerGroup":
            raise InvalidInput(f"`id` is that of a {parsed.type_name}.", field=path)
        if tenant_uid is not None and tenant_uid != parsed.tenant_uid:
            raise InvalidInput("`id` is of another tenant than `tenantUid`.", field=path)
        return context.tenant_uid(parsed.tenant_uid, field=path), ById(uid(parsed.uid, path))
    tenant = context.tenant_uid(tenant_uid)
    if by.uid is not strawberry.UNSET and by.uid is not None:
        return tenant, ById(uid(by.uid, [*field, "uid"]))
    if by.key is strawberry.UNSET or by.key is None:
        raise InvalidInput("Exactly one of `id`, `uid` and `key` is needed.", field=field)
    return tenant, ByKey(by.key)


def uid(value: str, field: Sequence[str]) -> str:
    """`value`; raises InvalidInput where it can't be an identifier of any backend."""
    if not UID.fullmatch(value):
        raise InvalidInput("An identifier is 1 to 128 of A-Z, a-z, 0-9, _ and -.", field=field)
    return value


def group_name(value: str) -> str:
    """`value`; raises InvalidInput where it is blank."""
    if not value.strip():
        raise InvalidInput("A group's name can't be blank.", field=["name"])
    return value


def distinct_uids(values: Sequence[str], field: str, *, limit: int) -> list[str]:
    """`values` once each, in order; raises InvalidInput or LimitExceeded."""
    if len(values) > limit:
        raise LimitExceeded(
            f"`{field}` has {len(values)} entries; at most {limit} can be sent at once.",
            field=[field],
        )
    return list(
        dict.fromkeys(uid(value, [field, str(number)]) for number, value in enumerate(values))
    )
