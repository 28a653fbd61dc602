"""Lists that are paged by number and size: which pages cover a window, and what of an answered page
can be believed.

Rows are counted from 0 over the whole list. Page indexes are counted from 0 too; an adapter adds
the number that its API gives to the first page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic

from msgspec import Struct
from msgspec.structs import replace

from gateway.backends.lists import side_by_side
from gateway.backends.lists.windows import Chunk, RowT
from gateway.errors import InvalidAnswer
from gateway.records import Omission


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


def max_pages(size: int, max_page_size: int) -> int:
    """The most pages that `cover` needs for up to `size` rows, wherever they stand in a list of up
    to ten million.

    >>> max_pages(1, 20), max_pages(10, 20), max_pages(50, 100), max_pages(51, 100)
    (1, 2, 1, 2)
    """
    if size <= 1 or (max_page_size >= 100 and 2 * size <= max_page_size):
        return 1
    return -(-(size - 1) // max_page_size) + 1


class AnsweredPage(Struct, Generic[RowT], frozen=True):
    """One page as the upstream says that it answered it: `index` counts from 0, `size` is the page
    size it used; `no_total` and `unplaced` are as a chunk's.
    """

    index: int
    size: int
    rows: Sequence[RowT | None]
    total: int | None
    omissions: Sequence[Omission] = ()
    no_total: InvalidAnswer | None = None
    unplaced: bool = False

    def chunk(self) -> Chunk[RowT]:
        rows = dict(enumerate(self.rows, self.index * self.size))
        return Chunk(
            rows, self.total, list(self.omissions), no_total=self.no_total, unplaced=self.unplaced
        )


class PageCosts:
    """What NumberedPages cost if the upstream does not clamp; `mirrored`: with a `get_last`."""

    def __init__(self, max_page_size: int, *, mirrored: bool) -> None:
        self.max_page_size = max_page_size
        self._mirrored = mirrored

    def calls(self, offset: int, size: int) -> int:
        return cover(offset, size, self.max_page_size).count

    def max_calls(self, offset: int, size: int) -> int:
        return self.calls(offset, size)

    def max_calls_anywhere(self, size: int) -> int:
        return max_pages(size, self.max_page_size)

    def max_calls_last(self, size: int) -> int | None:
        if not self._mirrored:
            return None
        more = size - self.max_page_size
        return 1 + (self.max_calls_anywhere(more) if more > 0 else 0)


ROUNDS = 3
"""How often a window is planned before an upstream of ever other page sizes is given up."""


class NumberedPages(PageCosts, Generic[RowT]):
    """A RowSource over an API that pages by number and size, and may clamp the size.

    `get_page(index, size)` is one REST call. The answer's own index and size are what counts:
    after a clamped answer the rest is asked for in pages of that size.
    """

    def __init__(
        self,
        get_page: Callable[[int, int], Awaitable[AnsweredPage[RowT]]],
        *,
        max_page_size: int,
        get_last: Callable[[int], Awaitable[AnsweredPage[RowT]]] | None = None,
    ) -> None:
        super().__init__(max_page_size, mirrored=get_last is not None)
        self._get_page = get_page
        self._get_last = get_last

    async def read(self, offset: int, size: int) -> Chunk[RowT]:
        chunk: Chunk[RowT] = Chunk()
        plan = cover(offset, size, self.max_page_size)
        for attempt in range(ROUNDS):
            answers = await side_by_side([self._get_page(n, plan.size) for n in plan.pages])
            first = answers[0]
            if not attempt and plan == Cover(first.index, 1, first.size):
                return first.chunk()  # nearly always: what is not on the page does not exist
            _require_distinct(answers)
            for answer in answers:
                chunk.add(answer.chunk())
            answered = min(answer.size for answer in answers)
            if answered < 1:
                break
            if answered < plan.size:
                self.max_page_size = min(self.max_page_size, answered)
            same_size = all(answer.size == plan.size for answer in answers)
            same_pages = [answer.index for answer in answers] == list(plan.pages)
            if same_size and (same_pages or chunk.total is None):
                # A row that is not there now does not exist. (Without a total, another page than
                # the one asked for can only be taken for the last.)
                return chunk
            unread = chunk.missing(offset, offset + size)
            if not unread:
                return chunk
            if answered < plan.size:
                plan = cover(unread.start, len(unread), answered)
            else:  # an upstream that makes its pages larger may know only one size
                start = unread.start // answered
                plan = Cover(start, (unread.stop - 1) // answered - start + 1, answered)
        raise InvalidAnswer("The backend's pages do not add up to the list that was asked for.")

    async def read_last(self, size: int) -> Chunk[RowT] | None:
        if self._get_last is None:
            return None
        last = await self._get_last(min(max(size, 1), self.max_page_size))
        if last.total is None:
            if last.no_total is not None:
                raise last.no_total
            return None
        return last.chunk().mirrored(last.total)


def _require_distinct(pages: Sequence[AnsweredPage[Any]]) -> None:
    """Raises InvalidAnswer where two pages have the same rows: more than one can't have moved."""
    pages_of: dict[Sequence[str], int] = {}
    for page in pages:
        uids = tuple(row.uid for row in page.rows if row is not None)
        if len(uids) > 1 and pages_of.setdefault(uids, page.index) != page.index:
            raise InvalidAnswer("The backend has answered the same rows for different pages.")


def believed(page: AnsweredPage[RowT], index: int, size: int) -> AnsweredPage[RowT]:
    """As much of `page` as can be so, where page `index` of `size` rows was asked for.

    An answer says which page it is, of what size, and how many rows the list has; and it has rows.
    Any of these can be wrong, and rows that are shown in the wrong place are worse than none. What
    can't be so is left out with an omission; raises InvalidAnswer where the rows may be those of
    any place.

    It is what it says that it is, if its rows are as many as that page has: an upstream may answer
    another page, or make its pages smaller. Else it may be what was asked for.
    """
    if _fits(page, page.index, page.size):
        return page
    if _fits(page, index, size):
        return _with_omission(replace(page, index=index, size=size), "paging", _NOT_THAT_PAGE)
    distinct = _distinct(page.rows)
    if len(distinct) < len(page.rows):  # each but the first moves those behind it
        return believed(_with_omission(replace(page, rows=distinct), "items", _TWICE), index, size)
    count, total = len(page.rows), page.total
    if count > max(page.size, size):
        if count == total:  # all rows there are
            return _with_omission(replace(page, index=0, size=count), "paging", _ALL_ROWS)
        if index or page.index:
            raise InvalidAnswer("The backend's page has more rows than it has room for.")
        first = replace(page, size=size, rows=page.rows[:size])
        return believed(_with_omission(first, f"items[{size}]", _TOO_MANY), index, size)
    if (page.index, page.size) != (index, size):
        raise InvalidAnswer("The backend has answered with another page than it says.")
    start = index * size
    if total is None or total >= start + count:
        return (
            page
            if page.unplaced
            else replace(_with_omission(page, "items", _TOO_FEW), unplaced=True)
        )
    if start and total <= start:
        raise InvalidAnswer("The backend has answered with rows behind the end of its list.")
    page = _with_omission(page, "paging.totalCount", _LOW_TOTAL)
    if count < size:  # the list ends here
        return replace(page, total=start + count)
    no_total = InvalidAnswer("The backend's total is less than the rows that it has answered.")
    return replace(page, total=None, no_total=no_total)


def _fits(page: AnsweredPage[RowT], index: int, size: int) -> bool:
    """Whether page `index` of `size` rows has as many rows as this one."""
    if index < 0 or size < 1 or len(page.rows) > size:
        return False
    return page.total is None or len(page.rows) == min(size, max(0, page.total - index * size))


def _distinct(rows: Sequence[RowT | None]) -> Sequence[RowT | None]:
    """The rows, each once; of those that can't be read, all."""
    seen: set[str] = set()
    kept: list[RowT | None] = []
    for row in rows:
        if row is None or row.uid not in seen:
            kept.append(row)
        if row is not None:
            seen.add(row.uid)
    return kept


def _with_omission(page: AnsweredPage[RowT], where: str, problem: str) -> AnsweredPage[RowT]:
    return replace(page, omissions=[*page.omissions, Omission(where, problem)])


_NOT_THAT_PAGE = "it can't be right beside these rows, which are taken for those asked for."
_ALL_ROWS = "it can't be right beside these rows, which are taken for the whole list."
_TOO_MANY = "the page has no room for it, nor for any behind it."
_TWICE = "some come twice, which are shown once."
_TOO_FEW = "they are fewer than the page has by its paging."
_LOW_TOTAL = "it is less than the rows beside it, and not believed."
