"""What commercetools' refusals mean: by the code of their first error, not by their status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import msgspec
from msgspec import Struct

from gateway.errors import Duplicate, InUse, NotFound, Rejected
from gateway.rest import Answer

NOT_CARRIED_OUT: Final = frozenset({"OverCapacity", "PendingOperation"})
FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "name": ("name",),
    "groupName": ("name",),
    "key": ("key",),
}
"""Its fields, and the input fields that they come from."""


def not_carried_out(status: int, body: bytes) -> bool:
    """Whether a 5xx says that nothing was done, so that what became of a write is known.

    503 with OverCapacity or PendingOperation (vendor's API reference, "Errors").
    """
    return status == 503 and any(mistake.code in NOT_CARRIED_OUT for mistake in _mistakes(body))


class _Mistake(Struct, frozen=True, rename="camel"):
    """One of the errors of a refusal."""

    code: str = ""
    field: Any = None
    current_version: Any = None


class _Errors(Struct, frozen=True):
    """The body of a 4xx or 5xx."""

    errors: Sequence[_Mistake] = ()


def refuse(answer: Answer) -> NoReturn:
    """Raise what a refusal means, by its first error's code (vendor's reference, "Errors")."""
    mistake = next(iter(_mistakes(answer.body)), _Mistake())
    field = FIELDS.get(str(mistake.field), ())
    match mistake.code:
        case "ResourceNotFound":
            raise NotFound("There is no such customer group.")
        case "DuplicateField":
            raise Duplicate(f"The {' '.join(field) or 'value'} is in use.", field=field)
        case "ReferenceExists":
            raise InUse("Something else refers to the group, so it was kept.")
        case "InvalidField" | "InvalidInput" | "RequiredField" | "InvalidOperation":
            raise Rejected("The backend does not take this." + answer.reason(), field=field)
        case _:
            pass
    if answer.status == 404:
        raise NotFound("There is no such customer group.")
    raise Rejected("The backend refused this." + answer.reason())


def _mistakes(body: bytes) -> Sequence[_Mistake]:
    try:
        return msgspec.json.decode(body, type=_Errors).errors
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def code(answer: Answer) -> str | None:
    """The first error's code of a refusal; a bare 409 can only be a conflict of versions."""
    if answer.ok:
        return None
    mistakes = _mistakes(answer.body)
    if not mistakes and answer.status == 409:
        return "ConcurrentModification"
    return mistakes[0].code if mistakes else None


def current_version(answer: Answer) -> int | None:
    """The version that a conflict names as the current one, where it names one."""
    named = next((mistake.current_version for mistake in _mistakes(answer.body)), None)
    return named if isinstance(named, int) else None
