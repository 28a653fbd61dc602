"""Pages that contradict themselves: what of them can be believed.

An answer says which page it is, of what size, and how many rows the list has; and it has rows. Any
of these can be wrong, and rows that are shown in the wrong place are worse than none. What can't be
so is left out with an omission; where nobody can tell which rows these are, the answer is invalid.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.backends.lists.windows import AnsweredPage, RowT
from gateway.errors import InvalidAnswer
from gateway.records import Omission


def believed(page: AnsweredPage[RowT], index: int, size: int) -> AnsweredPage[RowT]:
    """As much of `page` as can be so, where page `index` of `size` rows was asked for; raises
    InvalidAnswer where its rows may be those of any place.

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
    untold = InvalidAnswer("The backend's total is less than the rows that it has answered.")
    return replace(page, total=None, untold=untold)


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
