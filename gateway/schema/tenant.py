"""A tenant, and what its backend can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import strawberry

from gateway import records
from gateway.backends import port
from gateway.engine import LOOKS_AT, Fetched
from gateway.errors import InvalidInput
from gateway.loading.reads import GroupOf, GroupsOf
from gateway.request import Context
from gateway.schema.connection import Connection, WindowArguments
from gateway.schema.enums import (
    BackendKind,
    ConcurrencyControl,
    CountPrecision,
    CustomerGroupSortField,
    CustomerSortField,
)
from gateway.schema.inputs import CustomerGroupBy, CustomerGroupSort, group_ref
from gateway.schema.relay import NO_ID, Info, ListArguments, Node, global_id, parse_global_id

if TYPE_CHECKING:
    from gateway.schema.customer_group import CustomerGroup


@strawberry.type(
    description=f"What a tenant's backend has; the rest is refused, never ignored. {NO_ID}"
)
class CustomerGroupBackendCapabilities:
    optimistic_concurrency: ConcurrencyControl = strawberry.field(
        description="How `expectedRevision` is enforced."
    )
    atomic_membership_updates: bool = strawberry.field(
        description="True: one REST request changes any number of members. "
        "False: one request per customer."
    )
    customer_group_keys: bool = strawberry.field(
        description="Whether groups can have a key and be found by it."
    )
    custom_fields: bool = strawberry.field(description="Whether groups can have custom fields.")
    chosen_uids: bool = strawberry.field(
        description="Whether a client may choose a new group's uid."
    )
    max_page_size: int | None = strawberry.field(
        description="The most rows that one REST call answers; null when unknown."
    )
    max_offset: int | None = strawberry.field(
        description="Largest reachable offset; null when unlimited or unknown."
    )
    total_count: CountPrecision = strawberry.field(description="What a `totalCount` is worth.")
    customer_group_sort_fields: list[CustomerGroupSortField] = strawberry.field(
        description="What groups can be ordered by."
    )
    customer_sort_fields: list[CustomerSortField] = strawberry.field(
        description="What customers can be ordered by."
    )


@strawberry.type(description=f"What this tenant's backend can do. Costs no REST call. {NO_ID}")
class CustomerGroupBackend:
    kind: BackendKind = strawberry.field(description="Which system it is.")

    @strawberry.field(description="What it has and what it lacks.")
    def capabilities(backend: strawberry.Parent[port.Backend]) -> CustomerGroupBackendCapabilities:
        return backend.capabilities  # type: ignore[return-value]  # the type is a view of it


def tenant_of(context: Context, id: str, *, field: Sequence[str] = ("id",)) -> records.Tenant:
    """The tenant of this global id; raises InvalidInput where it is another's, or none."""
    parsed = parse_global_id(id, field=field)
    if parsed.type_name != "Tenant":
        raise InvalidInput(f"`id` is that of a {parsed.type_name}.", field=field)
    return records.Tenant(uid=context.tenant_uid(parsed.tenant_uid, field=field))


def _id(tenant: strawberry.Parent[records.Tenant]) -> strawberry.ID:
    return global_id("Tenant", tenant.uid)


@strawberry.federation.type(
    keys=["id", "uid"],
    description="Whose data: a Flow Retail tenantUid or a commercetools project.",
)
class Tenant(Node):
    id: strawberry.ID = strawberry.field(
        resolver=_id,
        description="Opaque and unique over tenants and backends.",
        metadata={LOOKS_AT: ("uid",)},
    )
    uid: strawberry.ID = strawberry.field(description="Unique within this gateway.")

    @strawberry.field(description="The system that holds this tenant's groups.")
    def backend(tenant: strawberry.Parent[records.Tenant], info: Info) -> CustomerGroupBackend:
        return info.context.backend(tenant.uid)  # type: ignore[return-value]  # a view of it

    @strawberry.field(description="One group, or null when there is none.", extensions=[Fetched()])
    def customer_group(
        tenant: strawberry.Parent[records.Tenant],
        info: Info,
        by: Annotated[CustomerGroupBy, strawberry.argument(description="Which group.")],
    ) -> Annotated[CustomerGroup, strawberry.lazy("gateway.schema.customer_group")] | None:
        tenant_uid, ref = group_ref(info.context, by, tenant.uid)
        return GroupOf(tenant_uid, ref)  # type: ignore[return-value]  # what it is fetched by

    @strawberry.field(
        description="The tenant's groups.", extensions=[WindowArguments(CustomerGroupSort)]
    )
    def customer_groups(
        tenant: strawberry.Parent[records.Tenant], info: Info, rows: ListArguments
    ) -> (
        Connection[Annotated[CustomerGroup, strawberry.lazy("gateway.schema.customer_group")]]
        | None
    ):
        return GroupsOf(tenant.uid, *rows.asked(info.context, tenant.uid))  # type: ignore[return-value]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, records.Tenant)

    @classmethod
    def resolve_reference(
        cls, info: Info, id: strawberry.ID | None = None, uid: str | None = None
    ) -> object:
        field = ["representations"]
        if id is None:
            return records.Tenant(uid=info.context.tenant_uid(uid, field=field))
        tenant = tenant_of(info.context, id, field=field)
        if uid not in (None, tenant.uid):
            raise InvalidInput("Its keys are of two tenants.", field=field)
        return tenant
