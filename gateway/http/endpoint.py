"""/graphql: one request in, one operation, one response out."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from graphql import GraphQLError, GraphQLSyntaxError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from strawberry.types.execution import ExecutionResult

from gateway.context import Asker, Context, Tenants
from gateway.errors import GatewayError, LimitExceeded
from gateway.http.requests import (
    GRAPHQL_RESPONSE,
    JSON,
    OPERATION_NAME,
    REQUEST_ID,
    BadRequest,
    GraphQLRequest,
    bearer_token,
    read_request,
    response_type,
)
from gateway.paging import Bounds
from gateway.schema.federation import Schema
from gateway.telemetry import Meter, Observer, OperationDone

CLIENT_GONE: Final = 499
"""nginx's status for a client that left; it is in no specification, and nobody sees it."""
log = logging.getLogger("gateway.http")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSettings:
    default_tenant: str | None
    deadline: float
    max_request_body: int
    max_errors: int
    page: str | None
    """The GraphiQL page, or None where there is none."""


class Endpoint:
    """The GraphQL endpoint, as a Starlette request handler."""

    def __init__(
        self,
        schema: Schema,
        tenants: Tenants,
        bounds: Bounds,
        settings: EndpointSettings,
        observe: Observer,
    ) -> None:
        self._schema = schema
        self._tenants = tenants
        self._bounds = bounds
        self._settings = settings
        self._observe = observe

    async def __call__(self, request: Request) -> Response:
        request_id = _request_id(request)
        accept = request.headers.get("Accept")
        if request.method == "GET" and self._settings.page and "text/html" in (accept or ""):
            return HTMLResponse(self._settings.page, headers={"X-Request-Id": request_id})
        media_type = response_type(accept)
        try:
            if request.method != "POST":
                raise BadRequest(405, "A GraphQL request is a POST.", headers={"Allow": "POST"})
            if media_type is None:
                raise BadRequest(406, f"The response is {GRAPHQL_RESPONSE} or {JSON}.")
            wanted = await read_request(request, max_body=self._settings.max_request_body)
            answered = await self._answered(wanted, request, request_id)
            if answered is None:
                return Response(status_code=CLIENT_GONE)  # nobody reads it
            body, executed = answered
            status = 200 if executed or media_type == JSON else 400
            headers = {}
        except BadRequest as refusal:
            body = {"errors": [{"message": refusal.message, "extensions": refusal.extensions}]}
            status, headers = refusal.status, refusal.headers
        return Response(
            msgspec.json.encode(body),
            status_code=status,
            headers={"X-Request-Id": request_id, "Vary": "Accept", **headers},
            media_type=f"{media_type or JSON}; charset=utf-8",
        )

    async def _answered(
        self, wanted: GraphQLRequest, request: Request, request_id: str
    ) -> tuple[dict[str, Any], bool] | None:
        """What `_execute` answers; None where the client has left and the work was ended.

        Work that has begun to change something goes on to its end, whoever is there to hear of it.
        """
        asker = Asker(
            token=bearer_token(request.headers.get("Authorization")),
            request_id=request_id,
            tenant_uid=request.headers.get("X-Tenant") or self._settings.default_tenant,
            deadline=asyncio.get_running_loop().time() + self._settings.deadline,
            meter=Meter(),
        )
        context = Context(asker, self._tenants, self._bounds)
        work = asyncio.ensure_future(self._execute(wanted, asker, context))
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not context.changes:
                self._done(wanted, asker, ("CLIENT_GONE",))
                return None
            return await work
        finally:
            gone.cancel()
            if not context.changes:
                work.cancel()
            await asyncio.wait((work, gone))

    async def _execute(
        self, wanted: GraphQLRequest, asker: Asker, context: Context
    ) -> tuple[dict[str, Any], bool]:
        """The response's body, and whether the operation was executed at all."""
        request_id = asker.request_id
        try:
            result = await self._schema.execute(
                wanted.query or " ",  # Strawberry raises for "", where a blank is a syntax error
                variable_values=wanted.variables,
                context_value=context,
                operation_name=wanted.operation_name,
            )
            reports = [
                GraphQLError(failure.message, path=path, original_error=failure)
                for path, failure in context.reports()
            ]
        finally:
            await context.close()
        errors = [*(result.errors or ()), *reports]
        executed = not _is_request_error(result)
        body: dict[str, Any] = {"data": result.data} if executed else {}
        if errors:
            # Errors first, so that nobody overlooks them.
            most = self._settings.max_errors
            listed = [_shown(error, request_id) for error in errors[:most]]
            if len(errors) > most:
                listed.append(_uncounted(len(errors) - most))
            body = {"errors": listed} | body
        for failure in dict.fromkeys(filter(None, map(_unexpected, errors))):
            log.error(
                "unexpected %s request=%s", type(failure).__name__, request_id, exc_info=failure
            )
        self._done(wanted, asker, _codes(body))
        return body, executed

    def _done(self, wanted: GraphQLRequest, asker: Asker, codes: Sequence[str]) -> None:
        began = asker.deadline - self._settings.deadline
        self._observe(
            OperationDone(
                operation_name=_loggable(wanted.operation_name),
                seconds=asyncio.get_running_loop().time() - began,
                rest_calls=asker.meter.rest_calls,
                error_codes=codes,
                request_id=asker.request_id,
            )
        )


async def _gone(request: Request) -> None:
    """Returns when the client has left; its request has been read, so nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _original(error: GraphQLError) -> Exception | None:
    """What was raised at first, where that was not graphql-core's own."""
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    return original


def _unexpected(error: GraphQLError) -> Exception | None:
    """What was raised, where it is neither the client's mistake nor a failure of the tree."""
    # Without a path but with nodes: a scalar refused a literal or a variable.
    refused = error.path is None and error.nodes
    original = _original(error)
    return None if refused or isinstance(original, GatewayError) else original


def _shown(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """The error as a client may see it: what is expected, with its code; all else masked."""
    original = _original(error)
    if _unexpected(error):
        return {
            **error.formatted,
            "message": "Something went wrong here; the request id tells the operator what.",
            "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
        }
    if isinstance(original, GatewayError):
        extensions: dict[str, Any] = dict(original.extensions)
    else:
        extensions = {"code": _code(error), **(error.extensions or {})}
    return {**error.formatted, "extensions": extensions}


def _uncounted(more: int) -> dict[str, Any]:
    """Stands for errors that are not listed."""
    message = f"And {more} more errors."
    return {"message": message, "extensions": {"code": LimitExceeded.code}}


def _loggable(operation_name: str | None) -> str | None:
    """The name where it is one: before the document is read it may be anything."""
    usable = operation_name is not None and OPERATION_NAME.fullmatch(operation_name)
    return operation_name if usable else None


def _request_id(request: Request) -> str:
    """The caller's X-Request-Id where it is harmless, else a new one."""
    given = request.headers.get("X-Request-Id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _is_request_error(result: ExecutionResult) -> bool:
    """Whether execution never began: parsing, validation or the variables failed."""
    if result.data is not None or not result.errors:
        return False
    return all(error.path is None for error in result.errors)


def _code(error: GraphQLError) -> str:
    if isinstance(error, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED"
    if error.path is None:
        return "GRAPHQL_VALIDATION_FAILED"
    return "BAD_USER_INPUT"


def _codes(body: dict[str, Any]) -> Sequence[str]:
    return tuple(error["extensions"]["code"] for error in body.get("errors", ()))
