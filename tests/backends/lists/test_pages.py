"""Which pages cover a window."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.lists.pages import Cover, cover, max_pages


def covers(pages: Cover, offset: int, size: int) -> bool:
    """Whether every row of the window is on one of the pages, and no page is for nothing."""
    start, stop = pages.first * pages.size, (pages.first + pages.count) * pages.size
    return start <= offset < start + pages.size and offset + size <= stop


def best(offset: int, size: int, max_page_size: int) -> tuple[int, int]:
    """The fewest equal pages that cover a window and their least size, by trying them all."""
    end = offset + size
    return min(
        (-(-end // page_size) - offset // page_size, page_size)
        for page_size in range(1, max_page_size + 1)
    )


@pytest.mark.slow
@given(st.integers(0, 3000), st.integers(1, 150), st.integers(1, 60))
@settings(deadline=None, derandomize=True, max_examples=500)
def test_a_cover_is_exact_and_the_fewest_pages_with_the_least_rows(offset, size, max_page_size):
    """Against trying every page size: as few pages as can be, and as small as those can be."""
    pages = cover(offset, size, max_page_size)

    assert covers(pages, offset, size)
    assert pages.size <= max_page_size
    assert (pages.count, pages.size) == best(offset, size, max_page_size)


@pytest.mark.slow
@given(st.integers(0, 2_000_000_000), st.integers(0, 250), st.integers(1, 10_000))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_cover_is_found_at_any_offset(offset, size, max_page_size):
    """Also far beyond what can be tried: the rows are on the pages, and at most one page more than
    an aligned window would take is needed.
    """
    pages = cover(offset, size, max_page_size)

    assert covers(pages, offset, max(size, 1))
    assert pages.count <= -(-max(size, 1) // max_page_size) + 1


@pytest.mark.slow
@given(st.integers(0, 100_000_000), st.integers(0, 50))
@settings(deadline=None, derandomize=True, max_examples=500)
def test_half_the_largest_page_is_one_page(offset, size):
    """With pages of up to 100 rows, anywhere in the first 100 million rows."""
    assert cover(offset, size, 100).count == 1


@pytest.mark.slow
@given(st.integers(0, 10_000_000), st.integers(0, 300), st.integers(1, 200))
@settings(deadline=None, derandomize=True, max_examples=1000)
def test_no_cover_is_more_pages_than_the_most_of_its_size(offset, size, max_page_size):
    """Nor is that of fewer rows."""
    most = max_pages(size, max_page_size)

    assert cover(offset, size, max_page_size).count <= most
    assert max_pages(max(0, size - 1), max_page_size) <= most


@pytest.mark.parametrize("max_page_size", [1, 2, 3, 5, 7])
def test_the_most_pages_of_a_size_are_needed_somewhere(max_page_size):
    """It is no guess from above."""
    for size in range(3 * max_page_size):
        found = max(cover(offset, size, max_page_size).count for offset in range(1500))
        assert found == max_pages(size, max_page_size)


def test_half_the_largest_page_is_one_page_throughout_an_ordinary_list():
    """Every window of up to half a page, at every offset of a list that has thousands of rows."""
    for max_page_size, rows in ((20, 713), (30, 4018), (100, 5000)):
        size = max_page_size // 2  # a shorter window lies within one of these
        assert all(cover(offset, size, max_page_size).count == 1 for offset in range(rows))


@pytest.mark.parametrize(
    ("offset", "size", "max_page_size"), [(713, 10, 20), (4018, 15, 30), (135_431_981, 50, 100)]
)
def test_far_down_a_list_half_the_largest_page_can_be_two_pages(offset, size, max_page_size):
    """The first offset at which every page size leaves a border inside of the window."""
    borders = {
        page_size: -(-(offset + 1) // page_size) * page_size
        for page_size in range(size, max_page_size + 1)
    }

    assert all(offset < border < offset + size for border in borders.values())
    assert cover(offset, size, max_page_size).count == 2


@pytest.mark.slow
def test_a_page_has_a_third_more_rows_than_asked_for_at_most():
    """Over the offsets of a list of 2 000 rows, for windows of 5 to 50 rows: 1.15 to 1.4 rows read
    for each row asked for.
    """
    for size in range(5, 51):
        read = sum(cover(offset, size, 100).size for offset in range(2000))
        assert 1.1 < read / (2000 * size) < 1.45, size
    assert sum(cover(offset, 50, 100).size for offset in range(2000)) / (2000 * 50) < 1.2


@pytest.mark.parametrize("page", [0, 1, 7, 1000])
@pytest.mark.parametrize("size", [1, 20, 100])
def test_a_window_that_is_a_page_is_read_as_that_page(page, size):
    """An aligned window has no over-fetch."""
    assert cover(page * size, size, 100) == Cover(page, 1, size)


def test_no_rows_are_a_page_of_one():
    """A total alone costs one row, at the start of the list or elsewhere."""
    assert cover(0, 0, 100) == Cover(0, 1, 1)
    assert cover(40, 0, 100) == Cover(40, 1, 1)
