"""Reads the caller and the time limit of a request from its headers."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterable, Mapping
from typing import Final

from gateway.http.requests import EXPLAIN, TENANT, TIMEOUT, BadRequest, Headers
from gateway.settings import TENANT_UID
from gateway.trace_context import TraceContext, baggage, trace_context

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750's b64token: nothing that could end the header or begin another."""
CLIENTS: Final = ("apollographql", "graphql", "x-graphql")
"""What the headers of a client's name and version begin with."""
YES: Final = ("1", "true", "yes")
NO: Final = ("", "0", "false", "no")
MAX_NAME: Final = 64
MAX_TOKEN: Final = 8_192
"""Characters; servers in front of APIs seldom take a longer one."""


def bearer_tokens(headers: Headers, names: Iterable[str]) -> dict[str, str]:
    """The bearer tokens in the headers of these names, which are in lower case. A malformed one is
    left out; then the first REST call fails with UNAUTHENTICATED.
    """
    found = {name: bearer_token(headers[name]) for name in names if name in headers}
    return {name: token for name, token in found.items() if token is not None}


def bearer_token(authorization: str) -> str | None:
    """The token of a Bearer header; None if it has none, several, or one that is too long."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    well_formed = scheme.lower() == "bearer" and len(token) <= MAX_TOKEN and TOKEN.fullmatch(token)
    return token if well_formed else None


def tenant_uid(headers: Headers) -> str | None:
    """The tenant that X-Tenant names, if any. Raises BadRequest for what is no tenant's name; so
    keys of caches have a bounded length.
    """
    given = headers.get("x-tenant")
    if given and not re.fullmatch(TENANT_UID, given):
        raise BadRequest(400, f"`{TENANT}` is 1 to 128 of A-Z, a-z, 0-9, _ and -.")
    return given


def request_id(headers: Headers) -> str:
    """The caller's X-Request-Id if it has only harmless characters, else a new one."""
    given = headers.get("x-request-id", "")
    if given and REQUEST_ID.fullmatch(given):
        return given
    return f"{random.getrandbits(128):032x}"  # no secret


def client(headers: Headers) -> tuple[str | None, str | None]:
    """The name and the version of the client, as it says, but cut: of any characters."""
    for kind in CLIENTS:
        name = headers.get(f"{kind}-client-name")
        if name:
            version = headers.get(f"{kind}-client-version")
            return name[:MAX_NAME], version and version[:MAX_NAME]
    return None, None


def trace(headers: Headers) -> TraceContext | None:
    """Where the client says that its request stands in a trace."""
    given = headers.get("traceparent")
    return None if given is None else trace_context(given, headers.get("tracestate", ""))


def passed_on(
    headers: Headers, trace: TraceContext | None, *, with_baggage: bool
) -> Mapping[str, str]:
    """The headers that REST calls carry for the client."""
    kept = {} if trace is None else trace.headers
    if with_baggage and (valid := baggage(headers.get("baggage", ""))):
        return {**kept, "baggage": valid}
    return kept


def seconds(headers: Headers, ceiling: float) -> float:
    """The seconds that the operation may take: X-Request-Timeout, at most `ceiling`. Raises
    BadRequest if it is not a positive number.
    """
    given = headers.get("x-request-timeout")
    if given is None:
        return ceiling
    asked = float(given) if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", given) else math.nan
    if not asked > 0:
        raise BadRequest(400, f"`{TIMEOUT}` is a number of seconds above 0, such as 2.5.")
    return min(asked, ceiling)


def wants_cost(headers: Headers) -> bool:
    """Whether the caller wants `extensions.cost`."""
    return headers.get("x-show-cost", "").lower() in YES


def wants_explanation(headers: Headers) -> bool:
    """Whether the operation is to be explained, and not to run. Raises BadRequest for what says
    neither: a change must not run then.
    """
    given = headers.get("x-explain", "").strip().lower()
    if given not in (*YES, *NO):
        raise BadRequest(400, f"`{EXPLAIN}` is true or false.")
    return given in YES
