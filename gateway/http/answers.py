"""The body of a GraphQL response: data, and the errors as clients may see them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from graphql import GraphQLError, GraphQLSyntaxError

from gateway.errors import GatewayError, LimitExceeded
from gateway.telemetry import Outcome
from gateway.telemetry.log_lines import stack
from gateway.telemetry.log_output import Line
from gateway.trace_context import TraceContext

log = logging.getLogger("gateway.http")
Body = dict[str, Any]
ENCODED: Final = msgspec.json.Encoder()


def body(
    data: object,
    errors: Sequence[GraphQLError],
    *,
    max_errors: int,
    unlisted: int = 0,
    request_id: str,
    trace: TraceContext | None = None,
    executed: bool,
) -> Body:
    """The body of an operation that was executed, or refused: then there is no `data`.

    At most `max_errors` errors are listed. The others are counted, and added to the errors that
    were `unlisted` before. An unexpected exception is masked, and logged once under the request's
    id, however many fields failed with it.
    """
    answer: Body = {"data": data} if executed else {}
    if not errors and not unlisted:
        return answer
    listed = [_shown(error, request_id) for error in errors[:max_errors]]
    found = len(errors) + unlisted
    if found > len(listed):
        listed.append(_unlisted(found - len(listed), found=found, max_errors=max_errors))
    for failure in dict.fromkeys(filter(None, map(_unexpected, errors))):
        log_unexpected(failure, request_id, trace)
    # Errors first, so that nobody overlooks them.
    return {"errors": listed} | answer


def encoded(answer: Body) -> bytes:
    """The body as JSON; msgspec raises for text that is not Unicode, and for too deep nesting."""
    return ENCODED.encode(answer)


def too_large(size: int, *, allowed: int) -> Body:
    """The body that replaces one of `size` bytes."""
    message = f"The answer has {size} bytes; at most {allowed} are allowed. Ask for less."
    refusal = LimitExceeded(message, limit="max_response_body", allowed=allowed, found=size)
    return {"errors": [{"message": message, "extensions": refusal.extensions}], "data": None}


def codes(answer: Mapping[str, Any]) -> Sequence[str]:
    """The codes of a body's errors, in order."""
    return tuple(error["extensions"]["code"] for error in answer.get("errors", ()))


def limits(answer: Mapping[str, Any]) -> Sequence[str]:
    """The settings that a body's errors name, in order."""
    named = [error["extensions"].get("limit") for error in answer.get("errors", ())]
    return tuple(name for name in named if name is not None)


def outcome(answer: Body, *, reported: bool) -> Outcome:
    """Of an operation that was executed; `reported` says whether payloads have failures."""
    if "errors" not in answer:
        return "partial" if reported else "ok"
    data = answer["data"]
    values = msgspec.structs.astuple(data) if isinstance(data, msgspec.Struct) else data or ()
    if isinstance(values, dict):
        values = values.values()
    return "failed" if all(value is None for value in values) else "partial"


def log_unexpected(
    failure: BaseException, request_id: str, trace: TraceContext | None = None
) -> None:
    """Log an unexpected exception, without its message, which may contain anything."""
    fields = {
        "type": type(failure).__name__,
        "request": request_id,
        "trace_id": trace and trace.trace_id,
    }
    log.error(Line("unexpected", fields, stack=stack(failure)))


def unexpected(request_id: str) -> dict[str, Any]:
    """The error that clients see in place of an unexpected exception."""
    return {
        "message": "Something went wrong here; the request id tells the operator what.",
        "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id},
    }


def _original(error: GraphQLError) -> Exception | None:
    """The exception behind the error, unless it is one of graphql-core's own."""
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    return original


def _unexpected(error: GraphQLError) -> Exception | None:
    """The exception behind the error, if it is neither the client's mistake nor a GatewayError."""
    # Without a path but with nodes: a scalar refused a literal or a variable.
    refused = error.path is None and error.nodes
    original = _original(error)
    return None if refused or isinstance(original, GatewayError) else original


def _shown(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """The error as clients may see it: with its code, and masked if it is unexpected."""
    if _unexpected(error):
        return {**error.formatted, **unexpected(request_id)}
    original = _original(error)
    if isinstance(original, GatewayError):
        return {**error.formatted, "extensions": dict(original.extensions)}
    return {
        **error.formatted,
        "message": error.message.replace("not to be None", "not to be null"),  # GraphQL's word
        "extensions": {"code": _code(error), **(error.extensions or {})},
    }


def _unlisted(more: int, *, found: int, max_errors: int) -> dict[str, Any]:
    """The entry that counts the errors that are not listed."""
    message = f"And {more} more errors."
    refusal = LimitExceeded(message, limit="max_errors", allowed=max_errors, found=found)
    return {"message": message, "extensions": refusal.extensions}


def _code(error: GraphQLError) -> str:
    if isinstance(error, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED"
    if error.path is None:
        return "GRAPHQL_VALIDATION_FAILED"
    return "BAD_USER_INPUT"
