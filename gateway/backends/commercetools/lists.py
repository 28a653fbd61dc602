"""commercetools' lists: by offset where an order is asked for, by the last id where none is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic

from msgspec import Struct
from msgspec.structs import replace

from gateway.backends.commercetools.refusals import refuse
from gateway.backends.commercetools.wire import MembershipMode
from gateway.backends.lists import side_by_side
from gateway.backends.lists.orders import held, held_by_uid
from gateway.backends.lists.windows import Chunk, RowT, once, read_window, repeated
from gateway.backends.port import CustomerOrder, GroupOrder, Window, no_such_order
from gateway.errors import InvalidAnswer, LimitExceeded, Rejected
from gateway.records import Omission, Page, Row
from gateway.rest import CallerUpstream
from gateway.rest.decoding import ListingDecoder

MAX_LIMIT: Final = 500
MAX_OFFSET: Final = 10_000
BY_ID: Final = ["id asc"]
BY_ID_DESC: Final = ["id desc"]


def literal(value: str) -> str:
    r"""A value in a query predicate. A predicate is a language: whatever the value holds, it has to
    stay one.

    >>> print(literal('a" or name != "'))
    "a\" or name != \""
    """
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_one_of(values: Iterable[str]) -> str:
    """
    >>> is_one_of(["a", "b"])
    'id in ("a", "b")'
    """
    return f"id in ({', '.join(map(literal, values))})"


def is_member_of(group_uid: str, mode: MembershipMode) -> str:
    """
    >>> is_member_of("g", "assignments"), is_member_of("g", "legacy")
    ('customerGroupAssignments(customerGroup(id="g"))', 'customerGroup(id="g")')
    """
    held = f"customerGroup(id={literal(group_uid)})"
    assigned = f"customerGroupAssignments({held})"
    match mode:
        case "assignments":
            return assigned
        case "legacy":
            return held
        case "both":
            return f"({assigned} or {held})"


class RemoteList(Struct, Generic[RowT], frozen=True, kw_only=True):
    """A list that can be queried: where it is, what it is restricted to, what its rows become."""

    upstream: CallerUpstream
    template: str
    path: Mapping[str, str]
    decoder: ListingDecoder[Any]
    record: Callable[[Any], RowT]
    sorts: Mapping[str, str]
    where: tuple[str, ...] = ()
    names_only: bool = False
    """Whether its predicates may know the name only, and refuse an id."""

    async def query(self, *, sort: Sequence[str], limit: int, offset: int = 0) -> Chunk[RowT]:
        """One REST call."""
        query: dict[str, str | int | Sequence[str]] = {"limit": limit, "sort": sort}
        if self.where:
            query["where"] = " and ".join(self.where)
        if offset:
            query["offset"] = offset
        answer = await self.upstream.send("GET", self.template, self.path, query=query)
        if not answer.ok:
            refuse(answer)
        listing, rows, omissions = answer.decoded(self.decoder.decode)
        records = [None if row is None else self.record(row) for row in rows]
        total, no_total = listing.total, None
        if isinstance(total, InvalidAnswer):
            total, no_total = None, total
        if listing.rows is None and limit and (total or 0) > offset:
            omissions.append(Omission("results", "it is null where rows are expected."))
        said = listing.offset, listing.limit, listing.count
        cut = False
        if said != (offset, limit, len(records)) or len(records) > limit:
            cut = _is_cut(said, records, omissions, limit=limit, offset=offset)
        rows_at = dict(enumerate(records, offset))
        return Chunk(rows_at, total, omissions, no_total=no_total, unplaced=cut and limit > 0)

    async def window(self, window: Window, order: GroupOrder | CustomerOrder | None) -> Page[RowT]:
        """The rows of `window`; raises InvalidInput for an order that the API does not have."""
        if order is None:
            if not window.plain:
                try:
                    return held_by_uid(await self._by_id(window))
                except Rejected:
                    if not self.names_only:
                        raise
            return held_by_uid(await read_window(window, _Offsets(self, BY_ID, BY_ID_DESC)))
        field = self.sorts.get(order.field.value)
        if field is None:
            raise no_such_order(order)
        ways = ("asc", "desc") if order.direction.value == "ASC" else ("desc", "asc")
        # The id settles ties, so that one direction is the exact mirror of the other.
        there, back = ([f"{field} {way}", f"id {way}"] for way in ways)
        return held(await read_window(window, _Offsets(self, there, back)), order)

    async def _by_id(self, window: Window) -> Page[RowT]:
        """A cursor's window by the last id: no offset, so no end at 10 000 and no rows that move.

        The vendor's advice for long lists: ``sort=id asc`` and ``where=id > "last"``.
        """
        where = self.where
        if window.after is not None:
            where += (f"id > {literal(window.after.uid)}",)
        if window.before is not None:
            where += (f"id < {literal(window.before.uid)}",)
        way = BY_ID_DESC if window.from_end else BY_ID
        source = _Offsets(replace(self, where=where), way)
        chunk = await source.read(0, max(window.size, 1))
        _require_between(chunk, window)
        more = len(chunk.rows) > window.size or chunk.unplaced
        rows = list(chunk.rows.values())[: window.size]
        left = chunk.total if more else len(rows)
        first = 0 if window.after is None else window.after.offset + 1
        total = None if left is None or window.before is not None else first + left
        if window.from_end:
            rows = rows[::-1]
            end = first + (left or 0) if window.before is None else window.before.offset
            first = max(0, end - len(rows))
        shown = [Row(first + n, row) for n, row in enumerate(rows) if row is not None]
        distinct = once(shown)
        again = len(shown) - len(distinct)
        return Page(
            rows=distinct,
            total=total,
            has_next=window.before is not None if window.from_end else more,
            has_previous=more if window.from_end else window.after is not None,
            omissions=chunk.omissions,
            remarks=[repeated(again)] if again else (),
        )


def _is_cut(
    said: tuple[int | InvalidAnswer | None, ...],
    records: list[Any],
    omissions: list[Omission],
    *,
    limit: int,
    offset: int,
) -> bool:
    """Whether `records` are fewer than there are, by what their answer has `said` of its offset,
    its limit and its count; what can't be so is noted in `omissions`, and taken off `records`.
    """
    said_offset = _number("offset", said[0], offset, omissions)
    said_limit = _number("limit", said[1], limit, omissions)
    said_count = _number("count", said[2], len(records), omissions)
    if records and said_offset != offset:
        raise InvalidAnswer("The backend has answered from another offset than asked for.")
    if len(records) > limit:
        if offset:
            raise InvalidAnswer("The backend has answered more rows than were asked for.")
        if limit:
            omissions.append(
                Omission(f"results[{limit}]", "no more rows than these were asked for.")
            )
        del records[limit:]
    elif len(records) != said_count:
        omissions.append(Omission("count", f"it is {said_count} beside {len(records)} rows."))
        return len(records) < said_count
    elif said_limit <= len(records) < limit:
        omissions.append(Omission("limit", "it is less than was asked for: rows may be missing."))
        return True
    return False


def _number(
    name: str, said: int | InvalidAnswer | None, asked: int, omissions: list[Omission]
) -> int:
    """What an answer says of itself; what was asked for, where it says nothing that can be read."""
    if isinstance(said, InvalidAnswer):
        omissions.append(
            Omission(name, "it can't be read, so the rows are taken for those asked for.")
        )
        return asked
    return asked if said is None else said


def _require_between(chunk: Chunk[RowT], window: Window) -> None:
    """Raises InvalidAnswer for rows that the window's predicates shut out: then they were passed
    over, and these are the list's first rows, whatever was asked for.
    """
    after, before = window.after, window.before
    for row in chunk.rows.values():
        if row is not None and (
            (after is not None and row.uid <= after.uid)
            or (before is not None and row.uid >= before.uid)
        ):
            raise InvalidAnswer("The backend has answered with rows of another place.")


class OffsetCosts:
    """What a list by offset and limit costs; see gateway.backends.lists.windows.ReadCosts."""

    max_page_size: Final = MAX_LIMIT

    def calls(self, offset: int, size: int) -> int:
        return max(1, -(-size // MAX_LIMIT))

    def max_calls(self, offset: int, size: int) -> int:
        """A call for each full answer; where the last is full too, a look for one row more."""
        calls = self.calls(offset, size)
        if offset + (calls - 1) * MAX_LIMIT > MAX_OFFSET:
            return 0  # it is refused
        full = size > 0 and size % MAX_LIMIT == 0
        return calls + (full and offset + size <= MAX_OFFSET)

    def max_calls_anywhere(self, size: int) -> int:
        return size // MAX_LIMIT + 1

    def max_calls_last(self, size: int) -> int | None:
        return self.max_calls(0, max(1, size))


class _Offsets(OffsetCosts, Generic[RowT]):
    """A list by offset and limit, of which offsets above 10 000 can't be reached; see
    gateway.backends.lists.windows.RowSource.
    """

    def __init__(
        self, source: RemoteList[RowT], sort: Sequence[str], mirrored: Sequence[str] = ()
    ) -> None:
        self._source, self._sort, self._mirrored = source, sort, mirrored

    async def read(self, offset: int, size: int) -> Chunk[RowT]:
        """These rows, and the one behind them if there is one: totals are estimates, and do not
        tell. The chunk's total is exact where the list was seen to end.
        """
        if not size:
            return await self._source.query(sort=self._sort, limit=0)
        stop = offset + size
        starts = range(offset, stop, MAX_LIMIT)
        if starts[-1] > MAX_OFFSET:
            raise LimitExceeded(
                f"Rows above offset {MAX_OFFSET} can't be reached so; "
                "page on with `after` and without `orderBy`.",
                field=["offset"],
                limit="max_offset",
                allowed=MAX_OFFSET,
                found=starts[-1],
            )
        parts = await side_by_side(self._part(start, stop + 1 - start) for start in starts)
        chunk = parts[0]
        for part in parts[1:]:
            chunk.rows |= part.rows
            chunk.omissions += part.omissions
            chunk.unplaced |= part.unplaced
        unsure = size % MAX_LIMIT == 0 and stop - 1 in chunk.rows
        if unsure and stop <= MAX_OFFSET:
            # A full answer has no room for one row more.
            chunk.rows |= (await self._part(stop, 1)).rows
            unsure = False
        end = max(chunk.rows, default=offset - 1) + 1
        if chunk.unplaced:
            chunk.total = None
            chunk.no_total = InvalidAnswer("The backend has left out rows: nobody knows how many.")
            return chunk
        if end > stop or unsure:
            chunk.total = None if chunk.total is None else max(chunk.total, end)
            chunk.estimated = True
        elif chunk.rows or not offset:
            chunk.total = end
        elif chunk.total is not None:
            chunk.total = min(chunk.total, offset)
        return chunk

    async def _part(self, offset: int, limit: int) -> Chunk[RowT]:
        limit = min(limit, MAX_LIMIT)
        return await self._source.query(sort=self._sort, limit=limit, offset=offset)

    async def read_last(self, size: int) -> Chunk[RowT] | None:
        chunk = await _Offsets(self._source, self._mirrored).read(0, max(size, 1))
        return None if chunk.total is None else chunk.mirrored(chunk.total)
