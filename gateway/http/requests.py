"""From an HTTP request to what a GraphQL request says, or to the answer that it is none.

The specification is GraphQL over HTTP (graphql.github.io/graphql-over-http). What is refused here
is refused with a well-formed GraphQL response.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from starlette.requests import ClientDisconnect, Request

from gateway.errors import GatewayError

JSON: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
OPERATION_NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,127}")


class BadRequest(GatewayError):
    """An HTTP request that holds no GraphQL request."""

    code = "BAD_REQUEST"

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class GraphQLRequest(msgspec.Struct, frozen=True):
    """The parameters of one operation, as clients send them."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = msgspec.field(default=None, name="operationName")
    extensions: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(GraphQLRequest)


async def read_request(request: Request, *, max_body: int) -> GraphQLRequest:
    """The GraphQL request in a POST; raises BadRequest with the status that fits."""
    content_type, _, parameters = request.headers.get("Content-Type", "").partition(";")
    if content_type.strip().lower() != JSON:
        raise BadRequest(415, f"A GraphQL request is sent as {JSON}.")
    charset = re.search(r'charset\s*=\s*"?([^";\s]+)', parameters, re.IGNORECASE)
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise BadRequest(415, "A GraphQL request is sent in UTF-8.")
    body = await _body(request, max_body)
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as mistake:
        raise BadRequest(400, f"The body is no GraphQL request: {mistake}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest(400, "The body is not JSON in UTF-8.") from None
    except RecursionError:
        raise BadRequest(400, "The body is nested too deeply.") from None


async def _body(request: Request, limit: int) -> bytes:
    too_large = BadRequest(413, f"The request is larger than {limit} bytes.")
    announced = request.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large
    parts: list[bytes] = []
    left = limit
    try:
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                raise too_large
            parts.append(chunk)
    except ClientDisconnect:
        # Nobody is left to read it, but an exception would be logged as a failure of ours.
        raise BadRequest(400, "The request was cut off.") from None
    return b"".join(parts)


def response_type(accept: str | None) -> str | None:
    """Which of the two response types an Accept header prefers; None where it takes neither.

    >>> response_type(None), response_type("text/html, */*;q=0.1")
    ('application/json', 'application/json')
    >>> response_type("application/json;q=0.9, application/graphql-response+json")
    'application/graphql-response+json'
    """
    if accept is None or not accept.strip():
        return JSON
    offered: dict[str, float] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        charset = next((p[8:].strip('"') for p in parameters if p.startswith("charset=")), "utf-8")
        if charset != "utf-8":
            continue
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        offered[name] = float(quality) if re.fullmatch(r"\d(\.\d{0,3})?", quality) else 0.0
    application = offered.get("application/*", offered.get("*/*", 0.0))
    json, response = offered.get(JSON, application), offered.get(GRAPHQL_RESPONSE, application)
    if response > json or (response == json > 0 and GRAPHQL_RESPONSE in offered):
        return GRAPHQL_RESPONSE
    return JSON if json > 0 else None


def bearer_token(authorization: str | None) -> str | None:
    """The token of a Bearer header; None where there is none, so that the first REST call says
    so.
    """
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    # RFC 6750's b64token: nothing that could end the header or begin another.
    usable = scheme.lower() == "bearer" and re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token)
    return token if usable else None
