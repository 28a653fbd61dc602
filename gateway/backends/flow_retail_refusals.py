"""What Flow Retail lacks, and what its refusals mean on any of its paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from gateway.backends.port import ById, GroupRef
from gateway.errors import NotFound, Rejected, Unsupported
from gateway.rest.answer import Answer


def refuse(answer: Answer) -> NoReturn:
    """Raise what a 4xx means: by its status, because the documents know no error bodies."""
    if answer.status == 404:
        raise NotFound("There is no such customer group, or no such tenant.")
    raise Rejected("The backend refused this." + answer.reason())


def uid_of(group: GroupRef) -> str:
    """The uid; raises Unsupported for a group that is named by a key."""
    match group:
        case ById(uid):
            return uid
        case _:
            raise no_keys()


def no_keys(field: Sequence[str] = ()) -> Unsupported:
    return Unsupported("Flow Retail groups have no keys.", field=field)


def no_custom_fields(field: Sequence[str] = ()) -> Unsupported:
    return Unsupported("Flow Retail groups have no custom fields.", field=field)
