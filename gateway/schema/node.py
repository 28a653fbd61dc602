"""Relay's Node, and the opaque ids by which a node is found again over all tenants and backends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import strawberry

from gateway.errors import InvalidInput
from gateway.request import Context
from gateway.schema.paging import opaque, revealed

Info = strawberry.Info[Context, None]
TYPES: Final = frozenset({"CustomerGroup", "Customer"})


@strawberry.interface(description="An object that can be found again by its `id`.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque and unique over tenants and backends.")


class GlobalId(NamedTuple):
    """What an opaque id says: a type of the schema, a tenant, and the backend's identifier."""

    type_name: str
    tenant_uid: str
    uid: str


def global_id(type_name: str, tenant_uid: str, uid: str) -> strawberry.ID:
    """
    >>> global_id("CustomerGroup", "acme", "gold")
    'Q3VzdG9tZXJHcm91cDphY21lOmdvbGQ'
    """
    return strawberry.ID(opaque(f"{type_name}:{tenant_uid}:{uid}"))


def parse_global_id(value: str, *, field: Sequence[str] = ("id",)) -> GlobalId:
    """What `value` says; raises InvalidInput where it is not an id that `global_id` makes."""
    try:
        parsed = GlobalId(*revealed(value).split(":", 2))
        if parsed.type_name not in TYPES:
            raise ValueError(value)
    except (ValueError, TypeError):
        raise InvalidInput(f"`{field[-1]}` is not an id of this gateway.", field=field) from None
    return parsed
