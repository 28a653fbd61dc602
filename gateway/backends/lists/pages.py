"""Which pages cover a window of rows.

Rows are counted from 0 over the whole list. Page indexes here are counted from 0 too; an adapter
adds the number its API gives to the first page.
"""

from __future__ import annotations

from msgspec import Struct


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
