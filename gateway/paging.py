"""Pure arithmetic: which REST pages cover a window of rows, what Relay's arguments ask for, what
cursors say.

Rows are counted from 0 over the whole list. Page indexes here are counted from 0 too; an adapter
adds the number its API gives to the first page.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from gateway.errors import InvalidInput, LimitExceeded

MAX_OFFSET: Final = 2_000_000_000  # so that page numbers stay within 32 bits
MAX_UID: Final = 1024  # far above any backend's; a cursor is sent back to it, in a URL
MAX_OPAQUE: Final = 6_000
"""Characters of a cursor or an id with such a uid, of characters of four bytes; a longer one is
none.
"""


class Cover(Struct, frozen=True):
    """`count` neighbouring pages of `size` rows each, from page `first` on."""

    first: int
    count: int
    size: int

    @property
    def pages(self) -> range:
        return range(self.first, self.first + self.count)


def cover(offset: int, size: int, max_page_size: int) -> Cover:
    """The fewest equal pages that cover the rows ``[offset, offset + size)``, with the least
    over-fetch among those.

    `count` pages of P rows from page k on cover them if and only if ``k * P <= offset`` and
    ``(k + count) * P >= offset + size``; the largest such k is ``offset // P``. For ``size <=
    max_page_size / 2`` one page does, but for rare offsets far down a list: with pages of 100 rows
    the first is 135 431 981, with pages of 20 rows 713. A window of no rows is covered by a page of
    one row, which is how a total is asked for.

    >>> cover(40, 20, 100)
    Cover(first=2, count=1, size=20)
    >>> cover(30, 20, 100)
    Cover(first=1, count=1, size=25)
    >>> cover(30, 90, 100)
    Cover(first=0, count=2, size=60)
    """
    size = max(size, 1)
    end = offset + size
    count = -(-size // max_page_size)
    while True:
        for page_size in range(-(-size // count), max_page_size + 1):
            first = offset // page_size
            if (first + count) * page_size >= end:
                return Cover(first, count, page_size)
        count += 1


def most_pages(size: int, max_page_size: int) -> int:
    """The most pages that `cover` needs for up to `size` rows, wherever they stand in a list of up
    to ten million.

    >>> most_pages(1, 20), most_pages(10, 20), most_pages(50, 100), most_pages(51, 100)
    (1, 2, 1, 2)
    """
    if size <= 1 or (max_page_size >= 100 and 2 * size <= max_page_size):
        return 1
    return -(-(size - 1) // max_page_size) + 1


class Position(Struct, frozen=True):
    """Where a cursor points: a row's offset when it was read, and that row's uid, by which a move
    of rows is seen.
    """

    offset: int
    uid: str


class Window(Struct, frozen=True, kw_only=True):
    """The rows wanted of one list.

    `size` rows from `offset` on; or, with `after`, from behind that row on; with `before`, ending
    ahead of that row; with `from_end`, the last `size` of what the others leave. `size` 0 asks for
    the total alone.
    """

    size: int
    offset: int = 0
    after: Position | None = None
    before: Position | None = None
    from_end: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is known ahead which rows these are."""
        return self.after is None and self.before is None and not self.from_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may be asked for at once."""

    default_page_size: int
    """Rows of a connection without `first` and `last`."""
    max_page_size: int
    """The largest `first` and `last`."""
    max_membership_uids: int
    """Customers in each list of one membership edit."""
    max_custom_fields: int = 500
    """Custom fields in each list of one change."""
    max_rows: int = 20_000
    """Rows of one operation's connections, and groups of customers, each time they are shown."""
    max_values: int = 200_000
    """Fields of all objects of one answer."""
    max_response_body: int = 20_000_000
    """Bytes of one answer, about."""
    max_entities: int = 1_000
    """Ids and representations that one operation names."""
    max_errors: int = 100
    """Errors that are listed; others are counted."""


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
