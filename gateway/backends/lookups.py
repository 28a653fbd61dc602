"""Groups by uid over an API that has no batch read: single GETs side by side, or a sweep over the
list.

Whichever is fewer calls. How many pages a sweep takes is known once any page of the list was read
in this request. Before that, the first page is read for three groups or more: it costs one call
more than needed at worst, and where all groups fit on one page it is all there is. A group that
several pages do not show costs a GET more: it may have moved while they were read.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from gateway.backends.side_by_side import side_by_side
from gateway.backends.windows import AnsweredPage
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    RateLimited,
    Unauthenticated,
)
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
    known = directory.list_pages
    probe = len(wanted) > (PROBE_ABOVE if known is None else known)
    answers = await _sweep(wanted.keys(), directory) if probe else []
    found: dict[str, CustomerGroup | GatewayError] = {**_among(wanted.keys(), answers)}
    # Only a page that is the whole list shows who is gone: between two, groups can slip through.
    if any(page.total == len([row for row in page.rows if row]) for page in _pages(answers)):
        return found
    missing = [uid for uid in wanted if uid not in found]
    for answer in answers:
        if isinstance(answer, Unauthenticated | RateLimited | DeadlineExceeded):
            # A GET for each would end just so.
            return found | dict.fromkeys(missing, answer)
    single = await side_by_side(directory.look_up_one(uid) for uid in missing)
    return found | {
        uid: group for uid, group in zip(missing, single, strict=True) if group is not None
    }


Answers = list[AnsweredPage[CustomerGroup] | GatewayError]


async def _sweep(uids: Collection[str], directory: GroupDirectory) -> Answers:
    """The list's pages, as many as it is known to have, or the first; and those behind them where
    they are fewer than the groups that are missing still.
    """
    first = directory.list_pages or 1
    answers = await _read(range(first), directory)
    # By what the answers say: the upstream may have clamped the page size.
    left = max((_length(page) for page in _pages(answers)), default=0) - first
    if 0 < left < len(uids) - len(_among(uids, answers)):
        answers += await _read(range(first, first + left), directory)
    return answers


async def _read(indexes: range, directory: GroupDirectory) -> Answers:
    """These pages, each or its failure: single GETs can stand in for it."""
    return await side_by_side(_page(index, directory) for index in indexes)


async def _page(
    index: int, directory: GroupDirectory
) -> AnsweredPage[CustomerGroup] | GatewayError:
    try:
        return await directory.list_page(index)
    except GatewayError as failure:
        return failure


def _pages(answers: Answers) -> list[AnsweredPage[CustomerGroup]]:
    return [answer for answer in answers if isinstance(answer, AnsweredPage)]


def _length(page: AnsweredPage[CustomerGroup]) -> int:
    """How many pages like this the list has; 0 where the answer does not tell."""
    return -(-page.total // page.size) if page.total is not None and page.size > 0 else 0


def _among(uids: Collection[str], answers: Answers) -> dict[str, CustomerGroup]:
    rows = (row for page in _pages(answers) for row in page.rows if row is not None)
    return {row.uid: row for row in rows if row.uid in uids}
