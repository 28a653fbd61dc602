"""Groups by uid over an API that has no batch read: single GETs side by side, or a sweep over the
list.

Whichever is fewer calls. How many pages a sweep takes is known once any page of the list was read
in this request. Before that, the first page is read for three groups or more: it costs one call
more than needed at worst, and where all groups fit on one page it is all there is. A group that
several pages do not show costs a GET more: it may have moved while they were read. So that groups
which are all gone do not cost a whole sweep and a GET each, a long sweep goes on only while its
pages show what is looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from gateway.backends.side_by_side import side_by_side
from gateway.backends.windows import AnsweredPage
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    LimitExceeded,
    RateLimited,
    Unauthenticated,
)
from gateway.records import CustomerGroup

PROBE_ABOVE: Final = 2
"""How many groups are fetched by GETs rather than by a first look at a list of unknown length."""


UNPAID_PAGES: Final = 8
"""How many pages may be read beyond one for each group that they have shown: a list of up to so
many is swept whole.
"""


def most_calls(count: int, batches: int = 1) -> int:
    """The most REST calls that `look_up` makes for so many groups in at most so many batches,
    however long the list is, and whatever is known of it.

    A GET for each; or pages, and a GET for each group that they do not show. Pages are at most
    `_unpaid` more than the groups that they show: so it is those on top of a GET each.

    >>> [most_calls(count) for count in (0, 1, 2, 3, 9, 90)]
    [0, 1, 3, 5, 17, 98]
    """
    return count + max(0, min(count - 1, UNPAID_PAGES * batches))


def _unpaid(count: int) -> int:
    return max(0, min(count - 1, UNPAID_PAGES))


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
    if len(wanted) <= (PROBE_ABOVE if known is None else known):
        return await _one_by_one([*wanted], directory)
    answers = await _sweep(wanted.keys(), directory)
    found: dict[str, CustomerGroup | GatewayError] = {**_among(wanted.keys(), answers)}
    # Only a page that is the whole list shows who is gone: between two, groups can slip through.
    if any(page.total == len([row for row in page.rows if row]) for page in _pages(answers)):
        return found
    missing = [uid for uid in wanted if uid not in found]
    failure = _final(answers)
    if failure is not None:
        return found | dict.fromkeys(missing, failure)
    return found | await _one_by_one(missing, directory)


async def _one_by_one(
    uids: Sequence[str], directory: GroupDirectory
) -> dict[str, CustomerGroup | GatewayError]:
    groups = await side_by_side([directory.look_up_one(uid) for uid in uids])
    return {uid: group for uid, group in zip(uids, groups, strict=True) if group is not None}


Answers = list[AnsweredPage[CustomerGroup] | GatewayError]


async def _sweep(uids: Collection[str], directory: GroupDirectory) -> Answers:
    """The list's pages, as many as it is known to have, or the first; and those behind them where
    they are fewer than the groups that are missing still.

    Never more pages than `_unpaid` and the groups that were found on them.
    """
    todo = list(range(min(directory.list_pages or 1, _unpaid(len(uids)))))
    answers: dict[int, AnsweredPage[CustomerGroup] | GatewayError] = {}
    while todo:
        read = await side_by_side(_page(index, directory) for index in todo)
        answers.update(zip(todo, read, strict=True))
        so_far = list(answers.values())
        found = len(_among(uids, so_far))
        # By what the answers say: the upstream may have clamped the page size.
        length = max((_length(page) for page in _pages(so_far)), default=0)
        if length - len(answers) >= len(uids) - found or _final(so_far) is not None:
            break
        allowed = _unpaid(len(uids)) + found - len(answers)
        # From the end: with the first pages read, groups made at about one time are on the last.
        unread = [index for index in range(length) if index not in answers]
        todo = unread[max(0, len(unread) - allowed) :]
    return list(answers.values())


def _final(answers: Answers) -> GatewayError | None:
    """The failure of a page that a GET for each group would meet just so, if there is one."""
    for answer in answers:
        if isinstance(answer, Unauthenticated | RateLimited | DeadlineExceeded | LimitExceeded):
            return answer
    return None


async def _page(
    index: int, directory: GroupDirectory
) -> AnsweredPage[CustomerGroup] | GatewayError:
    """The page, or its failure: single GETs can stand in for it."""
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
