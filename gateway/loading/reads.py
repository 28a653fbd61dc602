"""What an operation reads: keys that say it, and the reads of lists that serve them.

A key says what is wanted, whole. Reads are fewer: windows of one list share one where one REST call
has room for them, and its total comes with any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, Self

from msgspec import Struct, structs
from msgspec.structs import replace

from gateway.backends.port import Backend, CustomerOrder, GroupOrder, GroupRef, Window
from gateway.engine import Key, Notice
from gateway.errors import CallerError, GatewayError, NotFound
from gateway.records import Drift, Page

TOTAL: Final = Window(size=0)


class GroupOf(Struct, Key, frozen=True):
    """One group; None where there is none."""

    tenant_uid: str
    ref: GroupRef


class _OfList(Key):
    """Of a window of a list."""

    __slots__ = ()
    by_value: ClassVar[bool] = True
    window: Window

    def remarks(self, answer: object) -> Sequence[Any]:
        """On the rows, if any were asked for: those that were left out come first."""
        if not (isinstance(answer, Page) and self.window.size):
            return ()
        if not answer.remarks:
            return answer.omissions
        return [*answer.omissions, *map(_remark, answer.remarks)]

    def counted(self) -> Self:
        """The key of the list's total alone: the same for all windows of one list."""
        return replace(self, window=TOTAL, order=None)  # type: ignore[type-var]  # it is a Struct


class GroupsOf(Struct, _OfList, frozen=True):
    """A window of a tenant's groups."""

    tenant_uid: str
    window: Window
    order: GroupOrder | None = None


class MembersOf(Struct, _OfList, frozen=True):
    """A window of a group's customers."""

    tenant_uid: str
    group: GroupRef
    window: Window
    order: CustomerOrder | None = None


ListOf = GroupsOf | MembersOf
ReadKey = GroupOf | ListOf
"""What is read from a tenant's backend; its type says by which call."""


def plan(keys: Sequence[ListOf], one_call: Callable[[ListOf], int]) -> dict[ListOf, ListOf]:
    """For each key the read that serves it: windows of one list share a read where one call does.

    A total is served by any read of its list, and asked for alone only where there is none.
    """
    served: dict[ListOf, ListOf] = {}
    lists: dict[ListOf, list[ListOf]] = {}
    totals: list[ListOf] = []
    for key in dict.fromkeys(keys):
        if empty(key):
            totals.append(key)
        elif key.window.plain:
            lists.setdefault(replace(key, window=TOTAL), []).append(key)
        else:
            served[key] = key
    for windows in lists.values():
        if len(windows) == 1:
            [key] = windows
            served[key] = key
            continue
        windows.sort(key=lambda key: (key.window.offset, -key.window.size))
        limit = one_call(windows[0])
        for run in _runs(windows, limit):
            start = run[0].window.offset
            size = max(key.window.offset + key.window.size for key in run) - start
            read = replace(run[0], window=Window(size=size, offset=start))
            served |= dict.fromkeys(run, read)
    if totals:
        by_list = {read.counted(): read for read in served.values()}
        served |= {key: by_list.get(key.counted(), key.counted()) for key in totals}
    return served


def one_call(backend: Callable[[str], Backend], key: ListOf) -> int:
    """The longest window that one call serves, all but anywhere; 0 for a tenant without a backend,
    whose reads fail by themselves.
    """
    try:
        return (backend(key.tenant_uid).capabilities.max_page_size or 0) // 2
    except GatewayError:
        return 0


def _remark(remark: Any) -> Any:
    return Notice("drift", structs.asdict(remark)) if isinstance(remark, Drift) else remark


def empty(key: ListOf) -> bool:
    """Whether it is known ahead that there is nothing to read but the total."""
    return key.window.plain and key.window.size == 0


def lacks_total(page: Page[Any] | Exception) -> bool:
    match page:
        case Page():
            return page.total is None
        case NotFound():
            return False  # the list itself is not there
        case _:
            return isinstance(page, CallerError)


def _runs(windows: Sequence[ListOf], limit: int) -> Iterator[list[ListOf]]:
    """Windows in the order of their offsets, the longer first, cut into runs that fit within
    `limit` rows or within their first window.
    """
    run: list[ListOf] = []
    stop = 0
    for key in windows:
        start, end = key.window.offset, key.window.offset + key.window.size
        if run and end > stop:
            yield run
            run = []
        if not run:
            stop = max(end, start + limit)
        run.append(key)
    yield run


def part(page: Page[Any] | Exception, window: Window) -> Page[Any] | Exception:
    """What of a read's answer is `window`; cursor windows are served by reads of their own."""
    if isinstance(page, Exception) or not window.plain:
        return page
    start, stop = window.offset, window.offset + window.size
    beyond = page.has_next or any(row.offset >= stop for row in page.rows)
    return Page(
        rows=[row for row in page.rows if start <= row.offset < stop],
        total=page.total,
        has_next=beyond if page.total is None else stop < page.total,
        has_previous=start > 0 and page.total != 0,
        omissions=page.omissions,
        remarks=page.remarks,
    )
