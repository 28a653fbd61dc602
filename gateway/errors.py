"""What can go wrong, as one tree. Its branches say who can act: the caller (`CallerError`), whoever
sends or lists documents (`DocumentError`), whoever gives out tokens (`AccessError`), or nobody here
(`UpstreamError`).

Mutations answer as `userErrors` every CallerError, and every failure after which something is done,
or may be; all else, and everything in a query, is a GraphQL error with `extensions.code`. Messages
are for people; they name neither tokens nor hosts nor what the upstream said beyond one sanitized
sentence.
"""

from collections.abc import Sequence
from typing import ClassVar


class GatewayError(Exception):
    """An expected failure. `message` ends with a full stop and may be shown to anyone."""

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    field: Sequence[str] = ()
    limit: str | None = None
    allowed: int | None = None
    found: int | None = None
    retry_after: float | None = None

    def __init__(self, message: str, **details: object) -> None:
        """`details` are shown beside the code, unless they are None or empty."""
        super().__init__(message)
        self.message = message
        self._details = details

    @property
    def extensions(self) -> dict[str, object]:
        """What `errors[].extensions` shows; graphql-core takes it from here."""
        shown = {name: value for name, value in self._details.items() if value not in (None, [])}
        return {"code": self.code, **shown}


class CallerError(GatewayError):
    """The caller can act on it. `field` is the path of the input value it is about, where there is
    one.
    """

    code = "BAD_USER_INPUT"

    def __init__(self, message: str, *, field: Sequence[str] = (), **details: object) -> None:
        super().__init__(message, field=list(field), **details)
        self.field = tuple(field)


class InvalidInput(CallerError):
    """A value is malformed, out of range, or contradicts another; nothing was sent."""

    code = "BAD_USER_INPUT"


class NotFound(CallerError):
    """What a change names does not exist, or the caller can't see it. (Lookups answer null.)"""

    code = "NOT_FOUND"


class Duplicate(CallerError):
    """A uid, key or name that must be unique is in use."""

    code = "DUPLICATE"


class RevisionConflict(CallerError):
    """The group changed after the caller read it; `current` is what it is now, if known."""

    code = "REVISION_CONFLICT"

    def __init__(
        self, message: str, *, current: object | None = None, field: Sequence[str] = ()
    ) -> None:
        super().__init__(message, field=field)
        self.current = current


class GroupNotEmpty(CallerError):
    """`onlyIfEmpty` was asked for, and the group has members."""

    code = "GROUP_NOT_EMPTY"


class InUse(CallerError):
    """Something else refers to the group, so the backend keeps it."""

    code = "IN_USE"


class LimitExceeded(CallerError):
    """The request exceeds a limit; nothing was sent.

    `limit` is the setting, `allowed` its value, `found` what was requested.
    """

    code = "LIMIT_EXCEEDED"

    def __init__(
        self,
        message: str,
        *,
        field: Sequence[str] = (),
        limit: str | None = None,
        allowed: int | None = None,
        found: int | None = None,
    ) -> None:
        super().__init__(message, field=field, limit=limit, allowed=allowed, found=found)
        self.limit, self.allowed, self.found = limit, allowed, found


class Unsupported(CallerError):
    """The tenant's backend has no such thing; nothing was sent."""

    code = "UNSUPPORTED_BY_BACKEND"


class Rejected(CallerError):
    """The backend refused the request, with a status that has no meaning of its own here."""

    code = "REJECTED_BY_BACKEND"


class DocumentError(GatewayError):
    """The document that a request names or sends does not run; no part of it has."""

    text: ClassVar[str]

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.text)


class PersistedQueryNotFound(DocumentError):
    """No document has the id or hash; a client that has the text sends it with its next request."""

    code = "PERSISTED_QUERY_NOT_FOUND"
    text = "PersistedQueryNotFound"  # no sentence, because Apollo's clients compare it


class PersistedQueryNotAllowed(DocumentError):
    """Only documents of the manifest run, and this one is not in it."""

    code = "PERSISTED_QUERY_NOT_ALLOWED"
    text = "Only documents of the manifest are run here."


class PersistedQueryNotSupported(DocumentError):
    """There is neither a manifest nor a store, so no document has an id or hash."""

    code = "PERSISTED_QUERY_NOT_SUPPORTED"
    text = "PersistedQueryNotSupported"  # no sentence, because Apollo's clients compare it


class AccessError(GatewayError):
    """The token is missing, not valid, or has no right to this."""


class Unauthenticated(AccessError):
    """No bearer token came with the request, or the upstream does not accept it (401)."""

    code = "UNAUTHENTICATED"


class Forbidden(AccessError):
    """The upstream accepts the token, but not for this (403)."""

    code = "FORBIDDEN"


class UpstreamError(GatewayError):
    """The upstream or the network failed, or there is no capacity for the call."""


class Unavailable(UpstreamError):
    """No usable answer: the connection failed, or a 5xx came."""

    code = "UPSTREAM_UNAVAILABLE"


class RateLimited(UpstreamError):
    """429; `retry_after` is in seconds, where the upstream gave it."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, retryAfter=retry_after)
        self.retry_after = retry_after


class Overloaded(UpstreamError):
    """Too many requests wait for this process or for an upstream; nothing was sent. `retry_after`
    is in seconds.
    """

    code = "OVERLOADED"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, retryAfter=retry_after)
        self.retry_after = retry_after


class InvalidAnswer(UpstreamError):
    """An answer came, but not one that the REST contract allows."""

    code = "UPSTREAM_INVALID_ANSWER"


class DeadlineExceeded(UpstreamError):
    """The operation's time ended before the answer came."""

    code = "DEADLINE_EXCEEDED"


class OutcomeUnknown(UpstreamError):
    """A change was sent, and neither its answer nor a read after it shows whether it was made."""

    code = "OUTCOME_UNKNOWN"
