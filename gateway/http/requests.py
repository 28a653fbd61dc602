"""Reads GraphQL requests from HTTP requests.

The specification is GraphQL over HTTP (graphql.github.io/graphql-over-http). Every refusal is a
well-formed GraphQL response.
"""

from __future__ import annotations

import re
import types
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec
from starlette.types import Receive

from gateway.disconnect import Disconnected
from gateway.errors import GatewayError

JSON: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
CHARSET: Final = re.compile(r'charset\s*=\s*"?([^";\s]+)', re.IGNORECASE)
QUALITY: Final = re.compile(r"\d(?:\.\d*)?|\.\d+")
OPERATION_NAME: Final = re.compile(r"[_A-Za-z][_0-9A-Za-z]{0,127}")
Object = dict[str, Any]
NO_HEADERS: Final[Mapping[str, str]] = types.MappingProxyType({})
Headers = Mapping[str, str]
"""A request's headers by their names in lower case; see `read_headers`."""


class BadRequest(GatewayError):
    """An HTTP request that contains no valid GraphQL request."""

    code = "BAD_REQUEST"

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        limit: str | None = None,
        **details: object,
    ) -> None:
        super().__init__(message, limit=limit, **details)
        self.limit = limit
        self.status = status
        self.headers = headers


class TooLarge(BadRequest):
    """More bytes than a limit allows."""

    code = "LIMIT_EXCEEDED"


class GraphQLRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one operation, as clients send them."""

    query: str | None = None
    variables: Object = msgspec.field(default_factory=dict)
    operation_name: str | None = None
    extensions: Object = msgspec.field(default_factory=dict)
    document_id: str | None = None
    """The id of a persisted document."""
    size: int = 0
    """Length of the query and the variables together."""


class _Parameters(msgspec.Struct, frozen=True, rename="camel"):
    """The same parameters in JSON; null counts as absent."""

    query: str | None = None
    variables: msgspec.Raw = msgspec.Raw(b"null")
    operation_name: str | None = None
    extensions: Object | None = None
    document_id: str | None = None
    doc_id: str | None = msgspec.field(default=None, name="doc_id")  # Relay's name
    id: object = None  # older Relay's name; others number requests by it


_parameters = msgspec.json.Decoder(_Parameters)
_object = msgspec.json.Decoder(Object | None)


def read_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """ASGI's headers, by their names; Starlette's own mapping searches all headers at each look-up.

    The values of a repeated header are joined with a comma (RFC 9110, 5.3). For a list that is
    right; a token, a tenant or a number of seconds becomes invalid by it.
    """
    items = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    headers = dict(items)
    if len(headers) < len(items):
        joined: dict[str, list[str]] = {}
        for name, value in items:
            joined.setdefault(name, []).append(value)
        return {name: ", ".join(values) for name, values in joined.items()}
    return headers


async def read_body(headers: Headers, receive: Receive, *, max_body: int) -> bytes:
    """The JSON body of a POST; raises BadRequest with the fitting status."""
    content_type, _, parameters = headers.get("content-type", "").partition(";")
    if content_type.strip().lower() != JSON:
        raise BadRequest(415, f"A GraphQL request is sent as {JSON}.")
    charset = CHARSET.search(parameters)
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise BadRequest(415, "A GraphQL request is sent in UTF-8.")
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        # RFC 9110, 15.5.16: so that the client can tell this from a wrong media type.
        plain = {"Accept-Encoding": "identity"}
        raise BadRequest(415, "A request's body is taken uncompressed only.", headers=plain)
    return await _body(headers, receive, max_body)


def read_post(body: bytes, *, max_variables: int) -> GraphQLRequest:
    """The GraphQL request in a POST's body; raises BadRequest."""
    sent: _Parameters = _decoded(_parameters, body, "The body")
    return _request(sent, max_variables)


def read_get(
    headers: Headers,
    given: Mapping[str, str],
    *,
    max_variables: int,
    bearer_headers: Collection[str],
) -> GraphQLRequest:
    """The GraphQL request in the query parameters that are `given`; raises BadRequest.

    `bearer_headers` are the names, in lower case, of those that carry bearer tokens.
    """
    if is_unasked(headers, bearer_headers):
        # Any page that the user has opened may have sent it, without a preflight.
        raise BadRequest(
            403,
            "A browser's GET needs a header that makes it ask first: "
            "send `Apollo-Require-Preflight: 1`, or a POST.",
        )
    extensions = given.get("extensions", "")
    return _request(
        _Parameters(
            query=given.get("query") or None,  # what is empty is absent
            variables=msgspec.Raw(given.get("variables", "").encode() or b"null"),
            operation_name=given.get("operationName") or None,
            extensions=_decoded(_object, extensions.encode() or b"null", "`extensions`"),
            document_id=given.get("documentId"),
            doc_id=given.get("doc_id"),
            id=given.get("id"),
        ),
        max_variables,
    )


def _request(sent: _Parameters, max_variables: int) -> GraphQLRequest:
    size = len(bytes(sent.variables))
    if size > max_variables:
        raise TooLarge(
            413,
            f"The variables have {size} bytes; at most {max_variables} are allowed.",
            limit="max_variables",
            allowed=max_variables,
            found=size,
        )
    named = sent.id if isinstance(sent.id, str) else None
    request = GraphQLRequest(
        query=sent.query,
        variables=_decoded(_object, sent.variables, "`variables`") or {},
        operation_name=sent.operation_name,
        extensions=sent.extensions or {},
        document_id=sent.document_id or sent.doc_id or named,
        size=size + len(sent.query or ""),
    )
    found_by = request.document_id or "persistedQuery" in request.extensions
    if request.query is None and not found_by:
        raise BadRequest(400, "The request has no `query`.")
    return request


def _decoded(decoder: msgspec.json.Decoder[Any], given: bytes, what: str) -> Any:
    try:
        return decoder.decode(given)
    except msgspec.ValidationError as mistake:
        raise BadRequest(400, f"{what} can't be read as part of a request: {mistake}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest(400, f"{what} is not JSON in UTF-8.") from None
    except RecursionError:
        raise BadRequest(400, f"{what} is nested too deeply.") from None


async def _body(headers: Headers, receive: Receive, limit: int) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit, int(announced))
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit, size)
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _too_large(limit: int, size: int) -> TooLarge:
    return TooLarge(
        413,
        f"The request is larger than {limit} bytes.",
        limit="max_request_body",
        allowed=limit,
        found=size,
    )


TENANT: Final = "X-Tenant"
TIMEOUT: Final = "X-Request-Timeout"
SHOW_COST: Final = "X-Show-Cost"
EXPLAIN: Final = "X-Explain"
ASKING: Final = (
    TENANT,
    "X-Request-Id",
    TIMEOUT,
    SHOW_COST,
    EXPLAIN,
    "X-Apollo-Operation-Name",
    "Apollo-Require-Preflight",
)
"""Headers that a page can send to another origin only after a preflight."""


def is_unasked(headers: Headers, bearer_headers: Collection[str]) -> bool:
    """Whether a browser may have sent this for a page of another origin, without a preflight.

    Every browser names itself Mozilla, newer ones say where a request comes from, and all of them
    ask first where one of `ASKING` is to be sent (Fetch Standard, CORS-safelisted request-header).
    """
    # Of other schemes, a browser adds credentials by itself.
    bearer = any(headers.get(name, "").lower().startswith("bearer ") for name in bearer_headers)
    if bearer or any(name.lower() in headers for name in ASKING):
        return False
    signs = ("sec-fetch-site", "sec-fetch-dest", "origin", "referer", "cookie")
    named = headers.get("user-agent", "").startswith("Mozilla/")
    return named or any(name in headers for name in signs)


def response_type(accept: str | None) -> str | None:
    """The response type that an Accept header prefers; None if it accepts neither.

    >>> response_type(None), response_type("text/html, */*;q=0.1")
    ('application/json', 'application/json')
    >>> response_type("application/json;q=0.9, application/graphql-response+json")
    'application/graphql-response+json'
    """
    if accept is None or not accept.strip():
        return JSON
    offered = qualities(accept)
    application = offered.get("application/*", offered.get("*/*", 0.0))
    json, response = offered.get(JSON, application), offered.get(GRAPHQL_RESPONSE, application)
    if response > json or (response == json > 0 and GRAPHQL_RESPONSE in offered):
        return GRAPHQL_RESPONSE
    return JSON if json > 0 else None


def wants_page(accept: str | None) -> bool:
    """Whether an Accept header prefers a page to read over either response type.

    >>> wants_page("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
    True
    >>> wants_page("application/json, text/html;q=0.1"), wants_page("*/*"), wants_page(None)
    (False, False, False)
    """
    offered = qualities(accept or "")
    others = offered.get("application/*", offered.get("*/*", 0.0))
    return offered.get("text/html", 0.0) > max(
        offered.get(JSON, others), offered.get(GRAPHQL_RESPONSE, others)
    )


def qualities(accept: str) -> Mapping[str, float]:
    """The quality of each media range or content coding of an Accept header; media ranges with
    another charset than UTF-8 are left out.
    """
    offered: dict[str, float] = {}
    for part in accept.split(","):
        name, *given = (piece.strip().lower() for piece in part.split(";"))
        pairs = (parameter.partition("=") for parameter in given)
        parameters = {key.strip(): value.strip(' "') for key, _, value in pairs}
        if parameters.get("charset", "utf-8") not in ("utf-8", "utf8"):
            continue
        # Some clients send `.5`, and others more than three decimals.
        quality = QUALITY.fullmatch(parameters.get("q", "1"))
        offered[name] = min(float(quality[0]), 1.0) if quality else 0.0
    return offered
