"""What would make an operation's REST calls fewer: only what does, by an estimate with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from gateway.backends.port import Backend, Order, SortDirection, Window
from gateway.loading.reads import GroupOf, GroupsOf, ListOf, MembersOf, empty
from gateway.loading.recording import Change, EstimatedCall, Path

Asked = Callable[[Change], int]
"""The estimate, as if something else was asked for."""


def cheaper(
    call: EstimatedCall,
    calls: Sequence[EstimatedCall],
    backend: Backend,
    *,
    planned: int,
    asked: Asked,
) -> str | None:
    """A sentence about what makes the operation cheapest, with at most how many calls it takes
    then; None where nothing is known to.
    """
    read = call.read
    if read is None or isinstance(read, GroupOf):
        return None
    best, least = None, planned
    ways = _totals(call, read, calls) if empty(read) else _windows(call, read, backend)
    for way, change in (*ways, *_factors(call, calls)):
        bound = asked(change)
        if bound < least:
            best, least = (
                f"{way}: at most {bound} REST call{'s' if bound > 1 else ''} in all.",
                bound,
            )
    return best


Way = tuple[str, Change]


def _windows(call: EstimatedCall, read: ListOf, backend: Backend) -> Iterator[Way]:
    """Less of the list, or from its other end."""
    window, order, path = read.window, read.order, next(iter(call.paths))
    name = _dotted(path)
    if window.from_end and window.after is None and window.before is None:
        if order is not None:
            other = {SortDirection.ASC: SortDirection.DESC, SortDirection.DESC: SortDirection.ASC}
            turned = replace(order, direction=other[order.direction])
            start = Window(size=window.size)
            yield (
                f"`{name}(first: {window.size}, orderBy: {{field: {order.field.value}, "
                f"direction: {turned.direction.value}}})` has the same rows but for ties, the last "
                "one first",
                _at(path, lambda key: replace(key, window=start, order=turned)),
            )
        elif sorts := _sorts(read, backend):
            sort = Order(sorts[0])
            yield (
                f"`{name}(last: {window.size}, orderBy: {{field: {sort.field.value}}})` can be "
                "read from the end",
                _at(path, lambda key: replace(key, order=sort)),
            )
    if fitting := _fitting(read, backend):
        argument = "last" if window.from_end else "first"
        yield f"`{name}({argument}: {fitting})` fits into fewer calls", _at(path, _sized(fitting))


def _sorts(read: ListOf, backend: Backend) -> Sequence[Any]:
    has = backend.capabilities
    groups = isinstance(read, GroupsOf)
    return has.customer_group_sort_fields if groups else has.customer_sort_fields


def _totals(call: EstimatedCall, read: ListOf, calls: Sequence[EstimatedCall]) -> Iterator[Way]:
    """With rows of the same list."""
    path = next(iter(call.paths))
    for rows in calls:
        other = rows.read
        if other is None or isinstance(other, GroupOf) or empty(other) or other.counted() != read:
            continue
        with_rows = next(iter(rows.paths))

        def change(at: Path, key: ListOf, rows: ListOf = other) -> ListOf:
            return rows if empty(key) and at == path[:-1] else key

        if other.window.plain:
            yield f"`{path[-1]}` costs nothing in `{_dotted(with_rows)}`", change
        elif with_rows == path[:-1]:
            yield f"`{path[-1]}` may cost a call beside a cursor or `last`; without it", change


def _factors(call: EstimatedCall, calls: Sequence[EstimatedCall]) -> Iterator[Way]:
    """Fewer rows above the list."""
    for rows in call.per:
        half = rows.size // 2
        if rows.batch or not half:
            continue
        lists = [other.read for other in calls if rows.path in other.paths]
        from_end = any(
            isinstance(read, GroupsOf | MembersOf) and read.window.from_end for read in lists
        )
        argument = "last" if from_end else "first"
        yield (
            f"It is read for each of {rows.size} rows of `{_dotted(rows.path)}`; "
            f"with `{argument}: {half}` there",
            _at(rows.path, _sized(half)),
        )


def _fitting(read: ListOf, backend: Backend) -> int:
    """The largest window that takes fewer calls; 0 if there is none."""

    def calls(size: int) -> int:
        window = replace(read.window, size=size)
        if isinstance(read, GroupsOf):
            return backend.costs.list_groups(window, order=read.order)
        return backend.costs.list_members(read.group, window, order=read.order)

    now, fits, too_many = calls(read.window.size), 0, read.window.size
    while too_many - fits > 1:
        size = (fits + too_many) // 2
        if calls(size) < now:
            fits = size
        else:
            too_many = size
    return fits


def _at(path: Path, change: Callable[[ListOf], ListOf]) -> Change:
    return lambda at, key: change(key) if at == path and not empty(key) else key


def _sized(size: int) -> Callable[[ListOf], ListOf]:
    return lambda key: replace(key, window=replace(key.window, size=min(key.window.size, size)))


def _dotted(path: Path) -> str:
    return ".".join(path)
