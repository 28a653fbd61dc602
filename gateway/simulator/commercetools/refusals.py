"""Why a request is not answered with 2xx: every error the documents name, with its members.

Codes and members are those of the vendor's page of errors (docs.commercetools.com, api/errors) and
of its published API reference; the messages are ours, for a client must not read them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Refusal(Exception):
    """An error status, and the one entry of its list of errors."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        members: Mapping[str, Any] | None = None,
        oauth: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.members = members or {}
        self.oauth = oauth or {}
        """What OAuth wants to have beside: error, error_description."""
        self.headers = headers

    def body(self) -> bytes:
        """An ErrorResponse, or an AuthErrorResponse where there is something of OAuth in it."""
        error = {"code": self.code, "message": self.message, **self.members}
        whole = {"statusCode": self.status, "message": self.message, "errors": [error]}
        return msgspec.json.encode(whole | dict(self.oauth))


# 400


def invalid_input(message: str) -> Refusal:
    """A value that can't be used, in the query or in the body."""
    return Refusal(400, "InvalidInput", message)


def malformed(parameter: str, detail: str) -> Refusal:
    """A query parameter that can't be read."""
    return invalid_input(f"Malformed parameter: {parameter}: {detail}.")


def invalid_json(detail: str) -> Refusal:
    """A body that is no JSON, or not the JSON that the resource takes."""
    members = {"detailedErrorMessage": detail}
    return Refusal(400, "InvalidJsonInput", "The body can't be read.", members=members)


def invalid_operation(message: str) -> Refusal:
    """An action that the resource as it is does not allow."""
    return Refusal(400, "InvalidOperation", message)


def invalid_field(field: str, value: object) -> Refusal:
    """A member with a value that it can't have."""
    members = {"field": field, "invalidValue": value}
    return Refusal(400, "InvalidField", f"{field} can't have this value.", members=members)


def required_field(field: str) -> Refusal:
    """A member that is missing."""
    return Refusal(400, "RequiredField", f"{field} is required.", members={"field": field})


def duplicate_field(field: str, value: object) -> Refusal:
    """A value that another resource of the project has."""
    members = {"field": field, "duplicateValue": value}
    return Refusal(400, "DuplicateField", f"{field} must be unique.", members=members)


def referenced_not_found(type_id: str, by: str, value: str) -> Refusal:
    """A reference to nothing, `by` id or key."""
    members = {"typeId": type_id, by: value}
    return Refusal(
        400, "ReferencedResourceNotFound", f"There is no such {type_id}.", members=members
    )


def reference_exists(resource: str, referenced_by: str, status: int = 400) -> Refusal:
    """A resource that can't be deleted as long as another one refers to it."""
    members = {"referencedBy": referenced_by}
    message = f"A {referenced_by} refers to the {resource}."
    return Refusal(status, "ReferenceExists", message, members=members)


def limit_exceeded(resource: str, limit: int) -> Refusal:
    """A resource too many in the project."""
    members = {"exceededResource": resource}
    message = f"There can be {limit} of the type {resource}."
    return Refusal(400, "MaxResourceLimitExceeded", message, members=members)


def too_complex() -> Refusal:
    """A predicate with too much in it."""
    return Refusal(400, "QueryComplexityLimitExceeded", "The predicate is too complex.")


# 401 and 403


def access_denied() -> Refusal:
    """No bearer token at all."""
    return unauthorized("access_denied")


def invalid_token() -> Refusal:
    """A bearer token that nobody was given, or that has run out."""
    return unauthorized("invalid_token")


def unauthorized(code: str) -> Refusal:
    """401; the vendor's example has the code in every place, and no description."""
    headers = {"WWW-Authenticate": "Bearer"}
    return Refusal(401, code, code, oauth={"error": code}, headers=headers)


def insufficient_scope(scopes: Sequence[str], project: str) -> Refusal:
    """403: one of these scopes is needed in the project."""
    wanted = ", ".join(f"{scope}:{project}" for scope in scopes)
    message = f"One of these scopes is needed: {wanted}."
    oauth = {"error": "insufficient_scope", "error_description": message}
    return Refusal(403, "insufficient_scope", message, oauth=oauth)


# 404 and 409


def not_found(what: str) -> Refusal:
    """A path to nothing."""
    return Refusal(404, "ResourceNotFound", f"There is no such {what}.")


def concurrent_modification(current_version: int | None) -> Refusal:
    """409: the resource has another version; None leaves out which."""
    members = {} if current_version is None else {"currentVersion": current_version}
    message = "The version is not the current one."
    return Refusal(409, "ConcurrentModification", message, members=members)
