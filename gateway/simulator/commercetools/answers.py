"""What the API says: JSON for what was found, and for what was not."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from gateway.simulator.commercetools.pages import Page
from gateway.simulator.commercetools.refusals import Refusal
from gateway.simulator.commercetools.resources import Customer, Group, Resource
from gateway.simulator.commercetools.switches import Switches


def refused(refusal: Refusal) -> Response:
    """An ErrorResponse."""
    return Response(
        refusal.body(), refusal.status, headers=refusal.headers, media_type="application/json"
    )


def item(body: bytes, status: int = 200) -> Response:
    """One thing."""
    return Response(body, status, media_type="application/json")


def listed(results: Sequence[bytes], page: Page, total: int | None) -> Response:
    """A PagedQueryResult of things that are JSON already; no total if there is None."""
    paging = {"limit": page.limit, "offset": page.offset, "count": len(results)}
    if total is not None:
        paging["total"] = total
    head = msgspec.json.encode(paging)[:-1]
    body = b"".join((head, b',"results":[', b",".join(results), b"]}"))
    return Response(body, media_type="application/json")


def group_json(group: Group) -> bytes:
    """A CustomerGroup; optional members are left out, never null."""
    members = dict(stamps(group))
    if group.key is not None:
        members["key"] = group.key
    members["name"] = group.name
    if group.custom is not None:
        members["custom"] = group.custom
    return msgspec.json.encode(members)


def customer_json(customer: Customer, switches: Switches) -> bytes:
    """A Customer: our own members, then the document it was given as."""
    if customer.whole:
        return customer.document
    members = dict(stamps(customer))
    if customer.legacy_group is not None:
        members["customerGroup"] = reference(customer.legacy_group)
    if customer.groups or switches.no_assignments == "list":
        members["customerGroupAssignments"] = [
            {"customerGroup": reference(group)} for group in customer.groups
        ]
    for name in customer.given:
        members.pop(name, None)
    ours, document = msgspec.json.encode(members), customer.document
    if ours == b"{}" or document == b"{}":
        return ours if document == b"{}" else document
    return b"".join((ours[:-1], b",", document[1:]))


def stamps(resource: Resource) -> Iterator[tuple[str, Any]]:
    """The members that all resources have."""
    yield "id", resource.id
    yield "version", resource.version
    yield "createdAt", resource.created_at
    if resource.created_by is not None:
        yield "createdBy", resource.created_by
    yield "lastModifiedAt", resource.last_modified_at
    if resource.last_modified_by is not None:
        yield "lastModifiedBy", resource.last_modified_by


def reference(group: str) -> dict[str, str]:
    """A CustomerGroupReference."""
    return {"typeId": "customer-group", "id": group}
