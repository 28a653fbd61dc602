"""Reading a window of a remote list in the fewest calls, and following rows that move while a
client pages.

A `RowSource` reads rows by offset; `read_window` decides which. It starts at the cursor's own row
where that costs no further call: if another row stands there now, the list has changed, and the
cursor's row is looked for nearby, so that no row that was there all along is skipped or shown
twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from gateway.backends.port import Position, Window
from gateway.errors import InvalidAnswer, Unsupported
from gateway.records import Drift, Omission, Page, Row


class Identified(Protocol):
    """A record with the identifier by which a row is known again."""

    @property
    def uid(self) -> str: ...


RowT = TypeVar("RowT", bound=Identified)


class Chunk(Struct, Generic[RowT]):
    """Rows by offset, as far as they were read; None stands for one that could not be kept."""

    rows: dict[int, RowT | None] = field(default_factory=dict)
    total: int | None = None
    omissions: list[Omission] = field(default_factory=list)
    estimated: bool = False
    """Whether there may be more rows than `total` says."""
    no_total: InvalidAnswer | None = None
    """Why there is no total, where the upstream says one that can't be read."""
    unplaced: bool = False
    """Whether what it says of their place can't be read: they may be fewer than a page has."""
    drift: tuple[Drift, ...] = ()
    """How rows have moved since the window's cursors were made."""

    def add(self, other: Chunk[RowT]) -> None:
        """Take over what was read later; where both know a row, the later reading holds."""
        self.rows.update(other.rows)
        if other.total is not None:
            self.total, self.estimated = other.total, other.estimated
        self.no_total = other.no_total or self.no_total
        self.unplaced |= other.unplaced
        self.omissions += other.omissions

    def missing(self, start: int, stop: int) -> range:
        """The span of rows in ``[start, stop)`` that exist and were not read."""
        if self.total is not None and not self.estimated:
            stop = min(stop, self.total)
        unread = [offset for offset in range(start, stop) if offset not in self.rows]
        return range(unread[0], unread[-1] + 1) if unread else range(start, start)

    def mirrored(self, total: int) -> Chunk[RowT]:
        """These rows of a list of `total` where they stand once its order is reversed."""
        return replace(self, rows={total - 1 - at: row for at, row in self.rows.items()})

    def find(self, uid: str) -> int | None:
        return next((at for at, row in self.rows.items() if row and row.uid == uid), None)


class ReadCosts(Protocol):
    """What a RowSource costs, as far as that is known without reading."""

    @property
    def max_page_size(self) -> int:
        """The most rows that one call answers."""

    def calls(self, offset: int, size: int) -> int:
        """How many calls `read` will make for these rows; `read_window` decides by it."""

    def max_calls(self, offset: int, size: int) -> int:
        """The most calls that `read` makes for these rows."""

    def max_calls_anywhere(self, size: int) -> int:
        """The most calls that `read` makes for up to `size` rows, whichever they are."""

    def max_calls_last(self, size: int) -> int | None:
        """The most calls for the last `size` rows by `read_last`; None where it has no answer."""


class RowSource(ReadCosts, Protocol[RowT]):
    """A remote list that can be read by offset."""

    async def read(self, offset: int, size: int) -> Chunk[RowT]:
        """These rows at least, as far as they exist; `size` 0: only the total, in one call."""

    async def read_last(self, size: int) -> Chunk[RowT] | None:
        """The last `size` rows in one call, or None where the order can't be reversed."""


async def read_window(wanted: Window, source: RowSource[RowT]) -> Page[RowT]:
    """The rows of `wanted`. If it needs a total, or asks for that alone, raises Unsupported if the
    upstream sends none, and InvalidAnswer if it can't be read.
    """
    if wanted.from_end and wanted.before is None:
        return await _read_end(wanted, source)
    if wanted.before is not None and (wanted.from_end or wanted.after is None):
        return await _read_before(wanted.before, wanted, source)
    if wanted.after is not None:
        return await _read_after(wanted.after, wanted, source)
    chunk = await source.read(wanted.offset, wanted.size)
    if not wanted.size and chunk.total is None and chunk.no_total is not None:
        raise chunk.no_total
    return _page(chunk, wanted.offset, wanted.offset + wanted.size)


async def _read_after(after: Position, wanted: Window, source: RowSource[RowT]) -> Page[RowT]:
    """`size` rows from behind the cursor on, up to `before` where that is given too."""
    start, size = after.offset + 1, wanted.size
    ceiling = None
    if wanted.before is not None:
        ceiling = max(start, wanted.before.offset)
        size = min(size, ceiling - start)
    if source.calls(after.offset, size + 1) > source.calls(start, size):
        chunk = await source.read(start, size)
    else:
        chunk = await source.read(after.offset, size + 1)
        here = await _locate(after, chunk, source)
        # Where the cursor's row is gone, the row in its place has not been seen yet.
        start = after.offset if here is None else here + 1
        await _complete(chunk, start, start + size, source)
        if ceiling is not None and here is not None:
            ceiling += here - after.offset  # as far as is known, both moved together
    if wanted.before is not None and (seen := chunk.find(wanted.before.uid)) is not None:
        _note_move(wanted.before, seen, chunk, ended=True)
        ceiling = seen
    stop = start + size if ceiling is None else min(start + size, ceiling)
    return _page(chunk, start, stop, ceiling=ceiling)


async def _read_before(before: Position, wanted: Window, source: RowSource[RowT]) -> Page[RowT]:
    """The last `size` rows ahead of the cursor, down to `after` where that is given too; or the
    list's first ones.
    """
    floor = 0 if wanted.after is None else wanted.after.offset + 1
    size = max(0, min(wanted.size, before.offset - floor))
    if not wanted.from_end:
        # One row at least: a total alone may be an estimate, and not know of the cursor's own row.
        chunk = await source.read(0, max(size, 1))
        seen = chunk.find(before.uid)
        if seen is not None:
            _note_move(before, seen, chunk, ended=True)
        ceiling = before.offset if seen is None else seen
        return _page(chunk, 0, min(size, ceiling), ceiling=ceiling)
    start, stop = before.offset - size, before.offset
    if source.calls(start, size + 1) > source.calls(start, size):
        chunk = await source.read(start, size)
    else:
        chunk = await source.read(start, size + 1)
        here = await _locate(before, chunk, source, ended=True)
        if here is not None and here != stop:
            if wanted.after is not None:
                floor += here - stop  # as far as is known, both moved together
            start, stop = max(0, floor, here - wanted.size), here
        await _complete(chunk, start, stop, source)
    if wanted.after is not None and (seen := chunk.find(wanted.after.uid)) is not None:
        _note_move(wanted.after, seen, chunk)
        floor = seen + 1
        start = max(start, floor)
    return _page(chunk, start, stop, floor=floor)


async def _read_end(wanted: Window, source: RowSource[RowT]) -> Page[RowT]:
    """The last `size` rows, down to `after` where that is given."""
    at = 0 if wanted.after is None else wanted.after.offset
    chunk = await source.read_last(wanted.size)
    mirrored = chunk is not None
    if chunk is None:
        # The whole list, often; and in any case its total, without which its end can't be found.
        size = source.max_page_size if wanted.size else 1
        chunk = await source.read(at - at % size, size)
        if chunk.total is None and at >= size:  # a page past the end may have no total
            chunk.add(await source.read(0, size))
    if chunk.total is None:
        no_total = Unsupported("The end of this list can't be read: its total is not known.")
        raise chunk.no_total or no_total
    start, stop = max(0, chunk.total - wanted.size), chunk.total
    floor = 0 if wanted.after is None else at + 1
    if wanted.after is not None and (not mirrored or at >= start - 1):
        if mirrored:
            await _complete(chunk, start, stop, source)
        here = chunk.find(wanted.after.uid)
        if here is not None and not (mirrored and chunk.estimated):
            _note_move(wanted.after, here, chunk)
        if here is None and not mirrored:
            here = await _locate(wanted.after, chunk, source)
            stop = chunk.total
            start = max(0, stop - wanted.size)
        floor = at if here is None else here + 1
        start = max(start, floor)
    await _complete(chunk, start, stop, source)
    page = _page(chunk, start, stop, floor=floor)
    return replace(page, estimated=True) if mirrored and chunk.estimated else page


async def _locate(
    position: Position, chunk: Chunk[RowT], source: RowSource[RowT], *, ended: bool = False
) -> int | None:
    """The offset at which the cursor's row stands now; None where it is not near its old place.
    `ended`: the window ends there.
    """
    row = chunk.rows.get(position.offset)
    if row is not None and row.uid == position.uid:
        return position.offset
    found = chunk.find(position.uid)
    if found is None:
        reach = max(1, source.max_page_size // 2)
        near = position.offset if chunk.total is None else min(position.offset, chunk.total)
        # Half a page around the old place is one call all but anywhere; one row is everywhere.
        while source.calls(max(0, near - reach // 2), reach) > 1:
            reach //= 2
        chunk.add(await source.read(max(0, near - reach // 2), reach))
        found = chunk.find(position.uid)
    _note_move(position, found, chunk, ended=ended)
    return found


def _note_move(
    position: Position, here: int | None, chunk: Chunk[RowT], *, ended: bool = False
) -> None:
    """Note how the cursor's row has moved, as far as the place where it stands now proves it."""
    if here == position.offset or not position.exact or chunk.unplaced:
        return
    if here is not None:
        side = "ends ahead of" if ended else "begins behind"
        down = here > position.offset
        found = "INSERTED" if down else "REMOVED"
        done = (
            f"The cursor's row stands {abs(here - position.offset)} further "
            f"{'down' if down else 'up'} now: the page {side} it there."
        )
    elif chunk.rows.get(position.offset) is not None or (
        chunk.total is not None and chunk.total <= position.offset
    ):
        found = "REMOVED"
        side = "ends ahead of" if ended else "begins with"
        done = f"The cursor's row is not near its place: the page {side} the row there."
    else:  # the row there can't be read, and may be the cursor's
        return
    chunk.drift += (Drift(found, done),)


async def _complete(chunk: Chunk[RowT], start: int, stop: int, source: RowSource[RowT]) -> None:
    """Read what `chunk` lacks of these rows."""
    unread = chunk.missing(start, stop)
    if unread:
        chunk.add(await source.read(unread.start, len(unread)))


LOOK: Final = 1
"""The most calls of `_locate`."""


def max_calls(wanted: Window, costs: ReadCosts) -> int:
    """The most calls that `read_window` makes for `wanted`, wherever the rows of its cursors stand
    by now.

    It reads the rows with the cursor's own, looks around the cursor's place in one call more, and
    completes what it has in another read.
    """
    after, before, size = wanted.after, wanted.before, wanted.size
    if wanted.from_end and before is None:
        mirrored = costs.max_calls_last(size)
        if mirrored is not None:
            return mirrored
        page = costs.max_page_size if size else 1
        calls = costs.max_calls(0, page) + _completing(size, costs)
        if after is not None:
            calls += LOOK
            if after.offset >= page:
                calls += costs.max_calls(after.offset - after.offset % page, page)
        return calls
    if after is not None and before is not None:
        size = max(0, min(size, before.offset - after.offset - 1))
    if before is not None and wanted.from_end:
        known = min(size, before.offset)  # there may be more ahead of the cursor's row by now
        rows = with_cursor = before.offset - known
    elif after is not None:
        known = size
        rows, with_cursor = after.offset + 1, after.offset
    elif before is not None:
        return costs.max_calls(0, max(1, min(size, before.offset)))
    else:
        return costs.max_calls(wanted.offset, size)
    if costs.calls(with_cursor, known + 1) > costs.calls(rows, known):
        return costs.max_calls(rows, known)
    return costs.max_calls(with_cursor, known + 1) + LOOK + _completing(size, costs)


def _completing(size: int, costs: ReadCosts) -> int:
    return costs.max_calls_anywhere(size) if size else 0


def _page(
    chunk: Chunk[RowT], start: int, stop: int, *, floor: int = 0, ceiling: int | None = None
) -> Page[RowT]:
    """These rows; `floor` and `ceiling` are where the rows begin and end that the window's cursors
    leave to choose from.
    """
    rows = [
        Row(offset, row)
        for offset in range(start, stop)
        if (row := chunk.rows.get(offset)) is not None
    ]
    drift = chunk.drift
    if (distinct := len({row.record.uid for row in rows})) < len(rows):
        drift = (*drift, repeated(len(rows) - distinct))
        rows = once(rows)
    if chunk.unplaced:
        has_next = bool(rows) and (chunk.total is None or rows[-1].offset + 1 < chunk.total)
    elif chunk.total is None:
        has_next = stop > start and stop - 1 in chunk.rows
    else:
        has_next = stop < chunk.total or stop in chunk.rows
    return Page(
        rows=rows,
        total=chunk.total,
        has_next=has_next and (ceiling is None or stop < ceiling),
        has_previous=start > floor and (chunk.total is None or chunk.total > 0),
        omissions=chunk.omissions,
        remarks=drift,
    )


def repeated(rows: int) -> Drift:
    """Says that so many rows came again."""
    again = "A row came again: it is" if rows == 1 else f"{rows} rows came again: each is"
    return Drift("REPEATED", f"{again} shown once.")


def once(rows: Sequence[Row[RowT]]) -> list[Row[RowT]]:
    """These rows without those that come again: they moved while the list was read."""
    firsts: dict[str, Row[RowT]] = {}
    for row in rows:
        firsts.setdefault(row.record.uid, row)
    return list(firsts.values())
