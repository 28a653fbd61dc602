"""What the API says: JSON for what was found, and an error in the shape that is switched on."""

from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from gateway.simulator.flow_retail.pages import Page
from gateway.simulator.flow_retail.refusal import Refusal
from gateway.simulator.flow_retail.store import Group
from gateway.simulator.flow_retail.switches import Switches


def refused(refusal: Refusal, switches: Switches) -> Response:
    """The answer for a refusal; the documents show no body for any."""
    match switches.error_body:
        case "json_message":
            body, kind = msgspec.json.encode({"message": refusal.message}), "application/json"
        case "json_errors":
            errors = [{"message": refusal.message}]
            body, kind = msgspec.json.encode({"errors": errors}), "application/json"
        case "html":
            title = f"{refusal.status} {HTTPStatus(refusal.status).phrase}"
            page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
            body, kind = page.encode(), "text/html"
        case "empty":
            return Response(status_code=refusal.status, headers=refusal.headers)
    return Response(body, refusal.status, headers=refusal.headers, media_type=kind)


def group_json(group: Group) -> bytes:
    """A CustomerGroupResponseSchema."""
    return msgspec.json.encode(
        {
            "customerGroupUid": group.uid,
            "name": group.name,
            "createdBy": group.created_by,
            "createdAt": group.created_at,
            "lastModifiedBy": group.last_modified_by,
            "lastModifiedAt": group.last_modified_at,
        }
    )


def item(body: bytes, status: int = 200) -> Response:
    """One thing."""
    return Response(body, status, media_type="application/json")


def listed(items: Sequence[bytes], page: Page) -> Response:
    """A page of things that are JSON already, with the `paging` that was used."""
    paging = msgspec.json.encode(
        {"pageNumber": page.number, "pageSize": page.size, "totalCount": page.total}
    )
    body = b"".join((b'{"items":[', b",".join(items), b'],"paging":', paging, b"}"))
    return Response(body, media_type="application/json")


def nothing() -> Response:
    """204, for a write that answers with no content."""
    return Response(status_code=204)
