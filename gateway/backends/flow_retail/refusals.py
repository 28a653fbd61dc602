"""What Flow Retail lacks, and what its answers mean on any of its paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import msgspec

from gateway.backends.confirming import PROMISED
from gateway.backends.port import ById, GroupRef
from gateway.errors import NotFound, Rejected, Unsupported
from gateway.rest import Answer


def refuse(answer: Answer) -> NoReturn:
    """Raise what a 4xx means: by its status, because the documents know no error bodies."""
    if answer.status == 404:
        raise NotFound("There is no such customer group, or no such tenant.")
    raise Rejected("The backend refused this." + answer.reason())


class _About(msgspec.Struct, rename="camel"):
    """As much of an answer's body as tells which group it is about."""

    customer_group_uid: str = ""


def confirms(answer: Answer, uid: str) -> bool:
    """Whether a 2xx says of a write to the group `uid`, which is answered without content, that it
    was done: one with content does where that is JSON, and not about another group.
    """
    if answer.status == PROMISED:
        return False
    if not answer.body:
        return True
    try:
        about = msgspec.json.decode(answer.body, type=_About).customer_group_uid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return about.casefold() in ("", uid.casefold())


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
