"""Groups by uid over an API that has no batch read: single GETs side by side, or a sweep over the
list.

Whichever is fewer calls. How many pages a sweep takes is known once any page of the list was read
in this request. Before that, the first page is read for three groups or more: it costs one call
more than needed at worst, and where all groups fit on one page it is all there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final, Protocol

from gateway.backends.windows import AnsweredPage
from gateway.errors import GatewayError
from gateway.records import CustomerGroup

PROBE_ABOVE: Final = 2
"""How many groups are fetched by GETs rather than by a first look at a list of unknown length."""


class GroupDirectory(Protocol):
    """Where groups are found one at a time, or a page at a time."""

    @property
    def list_pages(self) -> int | None:
        """How many pages of the largest size the list has, if this request has seen it."""

    async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
        """A page of the largest size, in the list's own order."""

    async def look_up_one(self, uid: str) -> CustomerGroup | GatewayError | None:
        """One REST call; None where there is no such group."""


async def look_up(
    uids: Collection[str], directory: GroupDirectory
) -> dict[str, CustomerGroup | GatewayError]:
    """The groups of these uids, or the error of one that fails; one that does not exist is left
    out.
    """
    wanted = dict.fromkeys(uids)
    found: dict[str, CustomerGroup | GatewayError] = {}
    pages = directory.list_pages
    if len(wanted) > (PROBE_ABOVE if pages is None else pages):
        swept, complete = await _sweep(wanted.keys(), directory)
        found |= swept
        if complete:
            return found
    missing = [uid for uid in wanted if uid not in found]
    single = await asyncio.gather(*(directory.look_up_one(uid) for uid in missing))
    return found | {
        uid: group for uid, group in zip(missing, single, strict=True) if group is not None
    }


async def _sweep(
    uids: Collection[str], directory: GroupDirectory
) -> tuple[dict[str, CustomerGroup], bool]:
    """Those of `uids` that the list shows, and whether the others do not exist for certain.

    Reads on behind the first page only while that is fewer calls than a GET for each one missing.
    """
    known = directory.list_pages
    first = 1 if known is None else known
    pages, failed = await _read(range(first), directory)
    found = _among(uids, pages)
    left = (directory.list_pages or 0) - first
    if known is None and not failed and 0 < left < len(uids) - len(found):
        more, failed = await _read(range(first, first + left), directory)
        pages += more
        found = _among(uids, pages)
    seen = {row.uid for page in pages for row in page.rows if row is not None}
    # Groups may move from page to page meanwhile: only a full count says that one is gone.
    return found, not failed and all(page.total == len(seen) for page in pages)


async def _read(
    indexes: range, directory: GroupDirectory
) -> tuple[list[AnsweredPage[CustomerGroup]], bool]:
    """The pages that could be read, and whether any could not: single GETs stand in for it."""
    answers = await asyncio.gather(*(_page(index, directory) for index in indexes))
    pages = [answer for answer in answers if answer is not None]
    return pages, len(pages) < len(answers)


async def _page(index: int, directory: GroupDirectory) -> AnsweredPage[CustomerGroup] | None:
    try:
        return await directory.list_page(index)
    except GatewayError:
        return None


def _among(
    uids: Collection[str], pages: Sequence[AnsweredPage[CustomerGroup]]
) -> dict[str, CustomerGroup]:
    rows = (row for page in pages for row in page.rows if row is not None)
    return {row.uid: row for row in rows if row.uid in uids}
