"""Customers as a test or the demo gives them."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from gateway.simulator.commercetools.resources import INTEGRATION, Customer


class Reference(msgspec.Struct):
    """A reference to a group, in a customer that is given."""

    id: str


class Assignment(msgspec.Struct):
    """A CustomerGroupAssignment, in a customer that is given."""

    customerGroup: Reference


OURS = frozenset(
    {
        "id",
        "version",
        "createdAt",
        "createdBy",
        "lastModifiedAt",
        "lastModifiedBy",
        "customerGroup",
        "customerGroupAssignments",
    }
)
"""The members that `opened` takes out of a document."""


def opened(
    project: str, given: Mapping[str, Any] | bytes, now: str
) -> tuple[Customer, Mapping[str, Any]]:
    """A customer as the store has it, and all the members that can be read in what is given.

    Of a mapping, `id`, `version`, the times and authors and the references to groups become ours,
    if they are well-formed; if not they stay in the document and are answered as they are. Bytes,
    which are for what no mapping can say, are answered without any change, whatever happens.
    """
    members = read(given) if isinstance(given, bytes) else given
    left = dict(members)

    def take(name: str, kind: Any, default: Any) -> Any:
        if name not in left:
            return default
        try:
            value = msgspec.convert(left[name], kind)
        except msgspec.ValidationError:
            return default
        del left[name]
        return value

    created_at = take("createdAt", str, now)
    created_by = take("createdBy", dict[str, Any], dict(INTEGRATION))
    legacy_group = take("customerGroup", Reference, None)
    assignments = take("customerGroupAssignments", list[Assignment], [])
    customer = Customer(
        project=project,
        id=take("id", str, None) or str(uuid4()),
        version=take("version", int, 1),
        created_at=created_at,
        created_by=created_by,
        last_modified_at=take("lastModifiedAt", str, created_at),
        last_modified_by=take("lastModifiedBy", dict[str, Any], created_by),
        document=given if isinstance(given, bytes) else msgspec.json.encode(left),
        whole=isinstance(given, bytes),
        given=frozenset(left) & OURS,
        legacy_group=legacy_group and legacy_group.id,
        groups=tuple(dict.fromkeys(each.customerGroup.id for each in assignments)),
    )
    return customer, members


def read(customer: bytes) -> Mapping[str, Any]:
    """What can be read in a customer given as bytes, which may be nothing."""
    try:
        members = json.loads(customer)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def sortable(value: object) -> object:
    """What a row sorts by; a value of an unexpected type sorts like an absent one."""
    return value if isinstance(value, str | int | float) else None
