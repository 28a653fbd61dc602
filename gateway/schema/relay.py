"""Relay's nodes and their opaque ids; the windows of lists that arguments and cursors ask for."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import strawberry
from msgspec import Struct

from gateway.backends.port import Order, Position, Window, no_such_order
from gateway.errors import InvalidInput, LimitExceeded
from gateway.request import IDENTIFIER, Context
from gateway.settings import Bounds

Info = strawberry.Info[Context, None]
TYPES: Final = frozenset({"CustomerGroup", "Customer", "Tenant"})
ESTIMATED: Final = "~"
"""Behind a cursor's kind: its offset is counted back from an estimated total."""
NO_ID: Final = "It has no `id`: caches keep it with what shows it."
"""In the description of a type whose objects cannot be told from each other."""
MAX_OFFSET: Final = 2_000_000_000  # so that page numbers stay within 32 bits
MAX_UID: Final = 1024  # far above any backend's; a cursor is sent back to it, in a URL
MAX_OPAQUE: Final = 6_000
"""Characters of a cursor or an id with such a uid, of characters of four bytes; a longer one is
none.
"""


def opaque(text: str) -> str:
    """`text` in base64, so that clients do not rely on what it says."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def revealed(value: str) -> str:
    """The text of which `opaque` has made `value`; raises ValueError for any other spelling."""
    if len(value) > MAX_OPAQUE:
        raise ValueError(len(value))
    # b64decode drops foreign characters unless told to validate.
    raw = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    text = raw.decode()
    if opaque(text) != value:
        raise ValueError(value)
    return text


@strawberry.interface(description="An object that can be found again by its `id`.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque and unique over tenants and backends.")


class GlobalId(NamedTuple):
    """What an opaque id says: a type of the schema, a tenant, and the backend's identifier, which
    is empty for the tenant itself.
    """

    type_name: str
    tenant_uid: str
    uid: str


def global_id(type_name: str, tenant_uid: str, uid: str = "") -> strawberry.ID:
    """
    >>> global_id("CustomerGroup", "acme", "gold")
    'Q3VzdG9tZXJHcm91cDphY21lOmdvbGQ'
    """
    return strawberry.ID(opaque(f"{type_name}:{tenant_uid}:{uid}"))


def parse_global_id(value: str, *, field: Sequence[str] = ("id",)) -> GlobalId:
    """What `value` says; raises InvalidInput where it is not an id that `global_id` makes."""
    try:
        parsed = GlobalId(*revealed(value).split(":", 2))
        if parsed.type_name not in TYPES or (parsed.type_name == "Tenant") is bool(parsed.uid):
            raise ValueError(value)
    except (ValueError, TypeError):
        raise InvalidInput(f"`{field[-1]}` is not an id of this gateway.", field=field) from None
    return parsed


class ListArguments(Struct, frozen=True, kw_only=True):
    """A connection field's arguments, as given."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    offset: int | None = None
    order: Order[Any] | None = None

    def asked(
        self, context: Context, tenant_uid: str, group_uid: str | None = None
    ) -> tuple[Window, Order[Any] | None]:
        """The rows wanted of the tenant's groups, or of this group's customers, and their order,
        both checked; raises InvalidInput, LimitExceeded and Unsupported.
        """
        backend = context.backend(tenant_uid)
        has = backend.capabilities
        # Here and not where the rows are read: a total alone would never come by there.
        if self.order is not None and self.order.field not in (
            *has.customer_group_sort_fields,
            *has.customer_sort_fields,
        ):
            raise no_such_order(self.order)
        if has.max_offset is not None and (self.offset or 0) > has.max_offset:
            raise LimitExceeded(
                f"This tenant's backend reaches offset {has.max_offset}; page on with `after`, "
                "and without `orderBy`.",
                field=["offset"],
                limit="max_offset",
                allowed=has.max_offset,
                found=self.offset,
            )
        kind, of = "", None
        if self.after is not None or self.before is not None:
            kind = backend.cursor_kind(self.order)
            # A cost estimate does not know a group that is named by its key, or is a row of a list:
            # its placeholder has a uid that no group can have. A run checks these cursors.
            if group_uid is None or IDENTIFIER.fullmatch(group_uid):
                of = list_checksum(tenant_uid, group_uid)
        return self.window(context.bounds, kind=kind, of=of), self.order

    def window(self, bounds: Bounds, *, kind: str = "", of: str | None = "") -> Window:
        """What Relay's arguments and `offset` ask for.

        Raises InvalidInput for values that are out of range or contradict each other, and for
        cursors that are not ours or not of this `kind` and list (see `decode_cursor`);
        LimitExceeded where `first` or `last` is above `bounds.max_page_size`.
        """
        first, last, offset = self.first, self.last, self.offset
        after, before, limit = self.after, self.before, bounds.max_page_size
        for name, value in (("first", first), ("last", last), ("offset", offset)):
            if value is not None and value < 0:
                raise InvalidInput(f"`{name}` is {value}; it can't be negative.", field=[name])
        if offset is not None and offset > MAX_OFFSET:
            raise InvalidInput(f"`offset` is {offset}; at most {MAX_OFFSET} is.", field=["offset"])
        for name, value in (("first", first), ("last", last)):
            if value is not None and value > limit:
                raise LimitExceeded(
                    f"`{name}` is {value}; at most {limit} can be asked for at once.",
                    field=[name],
                    limit="max_page_size",
                    allowed=limit,
                    found=value,
                )
        if first is not None and last is not None:
            raise InvalidInput("`first` and `last` can't be given together.", field=["last"])
        if offset is not None:
            for name, given in (("after", after), ("before", before), ("last", last)):
                if given is not None:
                    message = f"`offset` and `{name}` can't be given together."
                    raise InvalidInput(message, field=[name])
        start = None if after is None else decode_cursor(after, kind=kind, of=of, field="after")
        stop = None if before is None else decode_cursor(before, kind=kind, of=of, field="before")

        backward = last is not None
        size = last if last is not None else bounds.default_page_size if first is None else first
        return Window(size=size, offset=offset or 0, after=start, before=stop, from_end=backward)


def list_checksum(tenant_uid: str, group_uid: str | None = None) -> str:
    """A checksum of the list that a cursor belongs to: a tenant's groups, or a group's customers.

    It guards against mistakes only. A client that forges one loses rows of its own.

    >>> list_checksum("acme"), list_checksum("acme", "gold")
    ('5c4ba3e', '6451ef45')
    """
    text = tenant_uid if group_uid is None else f"{tenant_uid}/{group_uid}"
    return f"{zlib.crc32(text.encode()):x}"


def encode_cursor(position: Position, *, kind: str = "", of: str = "") -> str:
    """An opaque cursor: the row's offset and uid, how its backend reads positions, and the checksum
    of its list.
    """
    return opaque(f"{position.offset}.{kind}.{of}.{position.uid}")


def decode_cursor(
    cursor: str, *, kind: str = "", of: str | None = "", field: str = "after"
) -> Position:
    """The position in `cursor`. Raises InvalidInput unless this gateway made it, of this `kind` and
    for this list; `of` is the list's checksum, or None if the list is not known yet.
    """
    try:
        number, made_under, made_in, uid = revealed(cursor).split(".", 3)
        read_as = made_under.removesuffix(ESTIMATED)
        position = Position(int(number), uid, exact=made_under == read_as)
        if not 0 <= position.offset <= MAX_OFFSET or str(position.offset) != number:
            raise ValueError(number)
        if len(uid) > MAX_UID:
            raise ValueError(len(uid))
    except ValueError:
        raise InvalidInput(f"`{field}` is not a cursor of this gateway.", field=[field]) from None
    if read_as != kind or (of is not None and made_in != of):
        raise InvalidInput(
            f"`{field}` is a cursor of another list or another `orderBy`.", field=[field]
        )
    return position
