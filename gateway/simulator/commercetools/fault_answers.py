"""Errors of commercetools' to come, as a `Faults` takes them.

>>> from gateway.simulator.faults import Faults
>>> Faults().add(over_capacity(), path="/customers", times=2).effect.status
503

Only 502, and 503 with one of these two codes, are to be tried again by a client.
"""

from collections.abc import Sequence

import msgspec

from gateway.simulator.commercetools import refusals
from gateway.simulator.commercetools.refusals import Refusal
from gateway.simulator.faults import Answer


def answer(refusal: Refusal) -> Answer:
    """Any refusal, without there being a reason for it."""
    headers = {"Content-Type": "application/json", **(refusal.headers or {})}
    return Answer(refusal.status, refusal.body(), headers)


def over_capacity() -> Answer:
    """503: too much to do, try again."""
    return answer(Refusal(503, "OverCapacity", "There is too much to do."))


def pending_operation() -> Answer:
    """503: another operation must end first, try again."""
    return answer(Refusal(503, "PendingOperation", "Another operation has not ended."))


def unavailable() -> Answer:
    """503 from something before the API: no JSON, no code, not documented as one to try again."""
    return Answer(503, b"<html><h1>503</h1></html>", {"Content-Type": "text/html"})


def bad_gateway() -> Answer:
    """502: try again."""
    return answer(Refusal(502, "BadGateway", "No answer from behind."))


def general() -> Answer:
    """500: do not try again."""
    return answer(Refusal(500, "General", "Something went wrong."))


def concurrent_modification(current_version: int | None = None) -> Answer:
    """409, as if another client had been faster; None leaves out the current version."""
    return answer(refusals.concurrent_modification(current_version))


def invalid_token() -> Answer:
    """401, as when the token runs out."""
    return answer(refusals.invalid_token())


def insufficient_scope(scopes: Sequence[str], project: str) -> Answer:
    """403, as if the token had none of the scopes."""
    return answer(refusals.insufficient_scope(scopes, project))


def not_found() -> Answer:
    """404, as if the resource had been deleted meanwhile."""
    return answer(refusals.not_found("resource"))


def invalid_input(message: str = "This can't be used.") -> Answer:
    """400."""
    return answer(refusals.invalid_input(message))


def invalid_operation(message: str = "This can't be done.") -> Answer:
    """400."""
    return answer(refusals.invalid_operation(message))


def duplicate_field(field: str, value: object) -> Answer:
    """400, as if another resource had the value."""
    return answer(refusals.duplicate_field(field, value))


def reference_exists(referenced_by: str = "customer") -> Answer:
    """400, as if something referred to the group."""
    return answer(refusals.reference_exists("customer-group", referenced_by))


def several(*errors: Refusal) -> Answer:
    """An answer with a list of errors; the documents allow several of one status."""
    entries = [{"code": each.code, "message": each.message, **each.members} for each in errors]
    first = errors[0]
    body = {"statusCode": first.status, "message": first.message, "errors": entries}
    return Answer(first.status, msgspec.json.encode(body), {"Content-Type": "application/json"})
