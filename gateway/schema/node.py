"""Relay's Node, and the opaque ids by which a node is found again over all tenants and backends."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final, NamedTuple

import strawberry

from gateway.errors import InvalidInput
from gateway.request import Context
from gateway.schema.paging import MAX_OPAQUE

Info = strawberry.Info[Context, None]
LOOKS_AT: Final = "looks_at"
"""In the metadata of a record's field that has a resolver: the attributes that it looks at, beside
`uid` and `tenant_uid`. Without it the record is read whole.
"""
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
    text = f"{type_name}:{tenant_uid}:{uid}"
    return strawberry.ID(base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))


def parse_global_id(value: str, *, field: Sequence[str] = ("id",)) -> GlobalId:
    """What `value` says; raises InvalidInput where it is not an id that `global_id` makes."""
    try:
        if len(value) > MAX_OPAQUE:
            raise ValueError(len(value))
        raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        parsed = GlobalId(*raw.decode().split(":", 2))
        # One spelling per id.
        if parsed.type_name not in TYPES or global_id(*parsed) != value:
            raise ValueError(value)
    except (binascii.Error, ValueError, TypeError):
        raise InvalidInput(f"`{field[-1]}` is not an id of this gateway.", field=field) from None
    return parsed
