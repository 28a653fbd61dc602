"""What is the same for writes to every API: looks ahead of one and after it, and whether an answer
confirms it.

A status of 2xx alone is not enough: what answers may be a cache, a page from something in between,
or the API about another request. What contradicts the change leaves its outcome unknown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable
from typing import Final, TypeVar

from gateway.errors import GatewayError, GroupNotEmpty, NotFound, OutcomeUnknown
from gateway.records import Customer, Page

ReadT = TypeVar("ReadT")

PROMISED: Final = 202
"""The request was taken in; that it will be carried out is all it says (RFC 9110, 15.3.3)."""


async def look(read: Awaitable[ReadT]) -> ReadT | GatewayError | None:
    """What is read; None where it does not exist, or the failure."""
    try:
        return await read
    except NotFound:
        return None
    except GatewayError as failure:
        return failure


def require_empty(members: Page[Customer]) -> None:
    """Raises GroupNotEmpty unless a window of one member shows that the group has none."""
    # A total alone may be an estimate. Without one, or with something that can't be read, nobody
    # says that it is empty.
    if members.rows or members.omissions or members.total != 0:
        raise GroupNotEmpty("The group has members, or may have: it was kept.")


def contradicted() -> OutcomeUnknown:
    """For an answer to a change that is a success, and not about what was asked for."""
    return OutcomeUnknown(
        "The change was sent, and its answer does not show what was asked for: whether it was made "
        "is not known."
    )


def same_name(shown: str, sent: str) -> bool:
    r"""Whether `shown` may be the backend's form of the name that was `sent`: backends may strip
    blanks at the ends, and compose characters.

    >>> same_name("Zo\u00eb", " Zoe\u0308"), same_name("Gold", "gold")
    (True, False)
    """
    return shown == sent or _normal(shown) == _normal(sent)


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()
