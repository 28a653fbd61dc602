"""Relay's paging: the window that a connection's arguments ask for, and what cursors say."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final

from gateway.backends.port import Position, Window
from gateway.errors import InvalidInput, LimitExceeded
from gateway.settings import Bounds

MAX_OFFSET: Final = 2_000_000_000  # so that page numbers stay within 32 bits
MAX_UID: Final = 1024  # far above any backend's; a cursor is sent back to it, in a URL
MAX_OPAQUE: Final = 6_000
"""Characters of a cursor or an id with such a uid, of characters of four bytes; a longer one is
none.
"""


def window(
    bounds: Bounds,
    *,
    kind: str = "",
    of: str | None = "",
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    offset: int | None = None,
) -> Window:
    """Relay's arguments, and `offset`, as a Window.

    Raises InvalidInput for values that are out of range or contradict each other, and for cursors
    that are not ours or not of this `kind` and list (see `decode_cursor`); LimitExceeded where
    `first` or `last` is above `bounds.max_page_size`.
    """
    for name, value in (("first", first), ("last", last), ("offset", offset)):
        if value is not None and value < 0:
            raise InvalidInput(f"`{name}` is {value}; it can't be negative.", field=[name])
    if offset is not None and offset > MAX_OFFSET:
        raise InvalidInput(f"`offset` is {offset}; at most {MAX_OFFSET} is.", field=["offset"])
    for name, value in (("first", first), ("last", last)):
        if value is not None and value > bounds.max_page_size:
            raise LimitExceeded(
                f"`{name}` is {value}; at most {bounds.max_page_size} can be asked for at once.",
                field=[name],
                limit="max_page_size",
                allowed=bounds.max_page_size,
                found=value,
            )
    if first is not None and last is not None:
        raise InvalidInput("`first` and `last` can't be given together.", field=["last"])
    if offset is not None:
        for name, given in (("after", after), ("before", before), ("last", last)):
            if given is not None:
                raise InvalidInput(f"`offset` and `{name}` can't be given together.", field=[name])
    start = None if after is None else decode_cursor(after, kind=kind, of=of, field="after")
    stop = None if before is None else decode_cursor(before, kind=kind, of=of, field="before")

    backward = last is not None
    size = last if last is not None else bounds.default_page_size if first is None else first
    return Window(size=size, offset=offset or 0, after=start, before=stop, from_end=backward)


def list_mark(tenant_uid: str, group_uid: str | None = None) -> str:
    """A few characters by which cursors tell one list from another: a tenant's groups, or a group's
    customers.

    A checksum will do. It is there for mistakes: whoever forges one loses rows of their own.

    >>> list_mark("acme"), list_mark("acme", "gold")
    ('5c4ba3e', '6451ef45')
    """
    text = tenant_uid if group_uid is None else f"{tenant_uid}/{group_uid}"
    return f"{zlib.crc32(text.encode()):x}"


def encode_cursor(position: Position, *, kind: str = "", of: str = "") -> str:
    """An opaque cursor that carries the row's offset, how positions are read there, the mark of its
    list, and its uid.
    """
    text = f"{position.offset}.{kind}.{of}.{position.uid}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(
    cursor: str, *, kind: str = "", of: str | None = "", field: str = "after"
) -> Position:
    """The position in `cursor`; raises InvalidInput where it is not one of ours, or not of this
    kind or this list. `of` is the list's mark, None where it is not known which list that is.
    """
    try:
        if len(cursor) > MAX_OPAQUE:
            raise ValueError(len(cursor))
        # b64decode drops foreign characters unless told to validate.
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        number, made_under, made_in, uid = raw.decode().split(".", 3)
        position = Position(int(number), uid)
        if not 0 <= position.offset <= MAX_OFFSET or len(uid) > MAX_UID:
            raise ValueError(number)
        # One spelling per position.
        if encode_cursor(position, kind=made_under, of=made_in) != cursor:
            raise ValueError(cursor)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"`{field}` is not a cursor of this gateway.", field=[field]) from None
    if made_under != kind or (of is not None and made_in != of):
        raise InvalidInput(
            f"`{field}` is a cursor of another list or another `orderBy`.", field=[field]
        )
    return position
