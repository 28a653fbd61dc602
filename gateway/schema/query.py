"""What can be read."""

from __future__ import annotations

from typing import Annotated

import strawberry

from gateway import records
from gateway.engine import Fetched
from gateway.errors import GatewayError, Unsupported
from gateway.loading.reads import GroupOf, GroupsOf
from gateway.schema.connection import Connection, WindowArguments
from gateway.schema.customer_group import CustomerGroup
from gateway.schema.inputs import (
    DEFAULT_TENANT,
    CustomerGroupBy,
    CustomerGroupSort,
    group_ref,
    or_none,
)
from gateway.schema.relay import Info, ListArguments, Node, parse_global_id
from gateway.schema.tenant import Tenant, tenant_of

TenantUid = Annotated[strawberry.ID | None, strawberry.argument(description=DEFAULT_TENANT)]


@strawberry.type(description="What can be read.")
class Query:
    @strawberry.field(
        description="One tenant: a Flow Retail tenantUid or a commercetools project. "
        "Without `uid`: the X-Tenant header, else the configured default."
    )
    def tenant(
        self,
        info: Info,
        uid: Annotated[
            strawberry.ID | None, strawberry.argument(description="Which tenant.")
        ] = strawberry.UNSET,
    ) -> Tenant | None:
        tenant = info.context.tenant_uid(or_none(uid), field=["uid"])
        return records.Tenant(uid=tenant)  # type: ignore[return-value]  # a view of it

    @strawberry.field(
        description="Shortcut for `tenant(uid: $tenantUid) { customerGroups }`.",
        extensions=[WindowArguments(CustomerGroupSort)],
    )
    def customer_groups(
        self, info: Info, rows: ListArguments, tenant_uid: TenantUid = strawberry.UNSET
    ) -> Connection[CustomerGroup] | None:
        tenant = info.context.tenant_uid(or_none(tenant_uid))
        return GroupsOf(tenant, *rows.asked(info.context, tenant))  # type: ignore[return-value]

    @strawberry.field(description="One group, or null when there is none.", extensions=[Fetched()])
    def customer_group(
        self,
        info: Info,
        by: Annotated[CustomerGroupBy, strawberry.argument(description="Which group.")],
        tenant_uid: TenantUid = strawberry.UNSET,
    ) -> CustomerGroup | None:
        tenant, ref = group_ref(info.context, by, tenant_uid)
        return GroupOf(tenant, ref)  # type: ignore[return-value]  # what it is fetched by


@strawberry.type(name="Query", description="What can be read.")
class QueryWithNode(Query):
    """The Query of a subgraph that owns Relay's refetch; two of one supergraph can't both have
    it.
    """

    @strawberry.field(
        description="Relay refetch; null when there is no such node.", extensions=[Fetched()]
    )
    def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The node's `id`.")],
    ) -> Node | None:
        return _node(info, id)  # type: ignore[return-value]  # what it is fetched by

    @strawberry.field(
        description="Several nodes at once, in the order of `ids`.", extensions=[Fetched()]
    )
    def nodes(
        self,
        info: Info,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="The nodes' `id`s.")],
    ) -> list[Node | None]:
        info.context.account.name(ids, field=["ids"])
        wanted = {id: _node_or_mistake(info, id) for id in dict.fromkeys(ids)}
        return [wanted[id] for id in ids]  # type: ignore[misc]


def _node_or_mistake(info: Info, id: str) -> GroupOf | records.Tenant | GatewayError:
    """One of several: its mistake costs itself only."""
    try:
        return _node(info, id)
    except GatewayError as mistake:
        return mistake


def _node(info: Info, id: str) -> GroupOf | records.Tenant:
    match parse_global_id(id).type_name:
        case "CustomerGroup":
            by = CustomerGroupBy(id=strawberry.ID(id))
            return GroupOf(*group_ref(info.context, by, None, field=[]))
        case "Tenant":
            return tenant_of(info.context, id)
        case other:
            raise Unsupported(f"A {other} can't be fetched by its id.", field=["id"])
