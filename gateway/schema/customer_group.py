"""Customer groups: views over their records, and the way to their members."""

from __future__ import annotations

from datetime import datetime

import strawberry

from gateway import records
from gateway.backends.port import ById
from gateway.engine import LOOKS_AT
from gateway.errors import InvalidInput
from gateway.loading.reads import GroupOf, MembersOf
from gateway.schema.commercetools import CommercetoolsCustomerGroup
from gateway.schema.connection import Connection, WindowArguments
from gateway.schema.customer import Customer
from gateway.schema.inputs import CustomerGroupBy, CustomerGroupMemberSort, group_ref
from gateway.schema.relay import Info, ListArguments, Node, global_id
from gateway.schema.sdl import personal
from gateway.schema.tenant import Tenant


def _id(group: strawberry.Parent[records.CustomerGroup]) -> strawberry.ID:
    return global_id("CustomerGroup", group.tenant_uid, group.uid)


@strawberry.federation.type(
    keys=["id", "tenantUid uid"],
    description="A named set of customers, used for prices, discounts and segmentation.",
)
class CustomerGroup(Node):
    id: strawberry.ID = strawberry.field(
        resolver=_id,
        description="Opaque and unique over tenants and backends.",
        metadata={LOOKS_AT: ()},
    )
    uid: strawberry.ID = strawberry.field(
        description="The backend's own identifier, unique within its tenant."
    )
    tenant_uid: strawberry.ID = strawberry.field(description="The tenant that it belongs to.")
    name: str = strawberry.field(description="What people call it.")
    key: str | None = strawberry.field(
        description="User-defined key; null where the backend has none."
    )
    revision: str | None = strawberry.field(
        description="Opaque token of this state; send it back as `expectedRevision`. Null, with an "
        "error, where the backend does not send the group's version."
    )
    created_at: datetime | None = strawberry.field(description="When it was created.")
    created_by: str | None = personal(description="Who created it, as the backend names them.")
    last_modified_at: datetime | None = strawberry.field(description="When it last changed.")
    last_modified_by: str | None = personal(
        description="Who last changed it, as the backend names them."
    )

    commercetools: CommercetoolsCustomerGroup | None = strawberry.field(
        description="What only commercetools has; null for groups of other backends."
    )

    @strawberry.field(
        description="The tenant that it belongs to. Costs no REST call.", metadata={LOOKS_AT: ()}
    )
    def tenant(group: strawberry.Parent[records.CustomerGroup]) -> Tenant:
        return records.Tenant(uid=group.tenant_uid)  # type: ignore[return-value]  # a view of it

    @strawberry.field(
        description="The customers in this group. Any window, at any offset, costs the fewest "
        "REST requests that the backend's paging allows.",
        extensions=[WindowArguments(CustomerGroupMemberSort)],
        metadata={LOOKS_AT: ()},
    )
    def customers(
        group: strawberry.Parent[records.CustomerGroup], info: Info, rows: ListArguments
    ) -> Connection[Customer] | None:
        asked = rows.asked(info.context, group.tenant_uid, group.uid)
        return MembersOf(group.tenant_uid, ById(group.uid), *asked)  # type: ignore[return-value]

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        return isinstance(value, records.CustomerGroup)

    @classmethod
    def resolve_reference(
        cls,
        info: Info,
        id: strawberry.ID | None = None,
        tenantUid: str | None = None,  # key fields come under their GraphQL names
        uid: strawberry.ID | None = None,
    ) -> object:
        by = CustomerGroupBy(id=id) if id is not None else CustomerGroupBy(uid=uid)
        tenant_uid, ref = group_ref(info.context, by, tenantUid, field=["representations"])
        if uid is not None and ref != ById(uid):
            raise InvalidInput("Its keys are of two groups.", field=["representations"])
        return GroupOf(tenant_uid, ref)
