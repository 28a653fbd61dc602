"""Groups by uid over an API that has no batch read: single GETs side by side, or a sweep over the
list, whichever is fewer calls.

How many pages a sweep takes is known once any page of the list was read in this operation. Before
that, the first page is read for three groups or more: it costs one call more than needed at worst,
and where all groups fit on one page it is all there is. A group that several pages do not show
costs a GET more: it may have moved while they were read. So that groups which are all gone do not
cost a whole sweep and a GET each, a long sweep goes on only while its pages show what is looked
for.

An operation asks for groups in batches, as its lists are answered. So pages that were read are
searched first, and a sweep under way is awaited: the groups of a small batch are often on its
pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final, Protocol

from gateway.backends.lists import side_by_side
from gateway.backends.lists.pages import AnsweredPage
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    LimitExceeded,
    Overloaded,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.records import CustomerGroup

PROBE_ABOVE: Final = 2
"""How many groups are fetched by GETs rather than by a first look at a list of unknown length."""


UNPAID_PAGES: Final = 8
"""A sweep reads at most one page for each group found and so many more, so lists of up to so many
pages are always read completely.
"""

MAX_KEPT: Final = 10_000
"""Groups that are remembered of one operation and tenant: about 4 MB of them."""


def max_calls(count: int, batches: int = 1) -> int:
    """The most REST calls that `GroupDirectory.look_up` makes for so many groups in at most so many
    batches, however long the list is, and whatever is known of it.

    A GET for each; or pages, and a GET for each group that they do not show. In a batch, pages are
    at most UNPAID_PAGES more than the groups that they show, and fewer than the groups.

    >>> [max_calls(count) for count in (0, 1, 2, 3, 9, 90)]
    [0, 1, 3, 5, 17, 98]
    """
    return count + max(0, min(count - 1, UNPAID_PAGES * batches))


class GroupSource(Protocol):
    """Where groups are read, one at a time or a page at a time."""

    async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
        """A page of the largest size, in the list's own order."""

    async def look_up_one(self, uid: str) -> CustomerGroup | GatewayError | None:
        """One REST call; None where there is no such group."""


class Budget(Protocol):
    """The REST calls that the operation may make."""

    looked_up: int
    """Those that were begun for look-ups, at all tenants."""

    @property
    def room(self) -> int | None:
        """How many more there may be for look-ups; None for any number."""

    def refusal(self, calls: int, left: int) -> LimitExceeded:
        """What so many more calls fail with, where only so many are left."""


class GroupDirectory:
    """One tenant's groups, as far as one operation has seen them."""

    def __init__(self, page_size: int, budget: Budget, *, remembers: bool) -> None:
        """`page_size` is the largest that is asked for. An operation that changes something
        `remembers` nothing but how long the list is: what it has seen may no longer be true.
        """
        self._budget = budget
        self._remembers = remembers
        self._page_size = page_size
        self._seen: dict[str, CustomerGroup] = {}
        self._whole = False
        """Whether one page has shown all groups there are. Only then is a group that was not seen
        gone: between two pages, groups can slip through.
        """
        self._length: int | None = None
        """How many pages of the largest size the list has, as far as that is known."""
        self._read: set[int] = set()
        """Pages that were read, or have failed."""
        self._failure: GatewayError | None = None
        """A page's failure that every other call would meet just so."""
        self._sweeping = asyncio.Lock()

    def count(self, total: int) -> None:
        """Learn how many groups the list has."""
        self._length = max(1, -(-total // self._page_size))

    def see(self, page: AnsweredPage[CustomerGroup], *, own_order: bool = True) -> None:
        """Learn what a page of the list shows, whatever it was read for."""
        if page.total is not None:
            self.count(page.total)
        if not self._remembers:
            return
        rows = [row for row in page.rows if row is not None]
        if len(self._seen) + len(rows) <= MAX_KEPT:
            self._seen |= {row.uid: row for row in rows}
            whole = page.index == 0 and page.total == len(rows) and not page.omissions
            self._whole = self._whole or whole
        if own_order and page.size == self._page_size:
            self._read.add(page.index)

    def waits(self, uids: Collection[str]) -> bool:
        """Whether these are so few that single GETs would be made, and with some more of them
        pages would be read instead.
        """
        unseen = sum(uid not in self._seen for uid in uids)
        return 0 < unseen <= self._few and not (self._whole or self._sweeping.locked())

    async def look_up(
        self, uids: Collection[str], source: GroupSource
    ) -> dict[str, CustomerGroup | GatewayError]:
        """The groups of these uids, or the error of one that fails; one that does not exist is left
        out.
        """
        if not self._remembers:
            return await self._fresh().look_up(uids, source)
        missing = self._unseen(dict.fromkeys(uids))
        if len(missing) > self._few or (missing and self._sweeping.locked()):
            async with self._sweeping:
                missing = self._unseen(missing)
                if not self._whole:
                    await self._sweep(missing, source)
            missing = self._unseen(missing)
        found: dict[str, CustomerGroup | GatewayError] = {
            uid: self._seen[uid] for uid in uids if uid in self._seen
        }
        if not missing or self._whole:
            return found
        if self._failure is not None:
            return found | dict.fromkeys(missing, self._failure)
        room = self._budget.room
        fitting = missing[:room]
        others = missing[len(fitting) :]
        self._budget.looked_up += len(fitting)
        groups = await side_by_side([self._get(uid, source) for uid in fitting])
        if others:
            found |= dict.fromkeys(others, self._budget.refusal(len(missing), room or 0))
        return found | {
            uid: group for uid, group in zip(fitting, groups, strict=True) if group is not None
        }

    async def _get(self, uid: str, source: GroupSource) -> CustomerGroup | GatewayError | None:
        """One REST call, unless a page has shown the group before this task's turn came."""
        return self._seen.get(uid) or await source.look_up_one(uid)

    def _fresh(self) -> GroupDirectory:
        directory = GroupDirectory(self._page_size, self._budget, remembers=True)
        directory._length = self._length
        return directory

    def _unseen(self, uids: Collection[str]) -> list[str]:
        return [uid for uid in uids if uid not in self._seen]

    @property
    def _few(self) -> int:
        """Up to how many groups cost no more by a GET each than by the pages that are left."""
        if self._length is None:
            return PROBE_ABOVE
        return max(0, self._length - len(self._read))

    async def _sweep(self, uids: Sequence[str], source: GroupSource) -> None:
        """Read pages that were not read yet, as long as they are fewer than the groups that are
        missing: never more than what `max_calls` leaves beyond a GET each, and the groups that
        they show; or all pages, if they fit into the operation's calls and the GETs do not.
        """
        missing, allowed = len(uids), max_calls(len(uids)) - len(uids)
        while missing > self._few and self._failure is None:
            unread = [index for index in range(self._length or 1) if index not in self._read]
            # From the end: with the first pages read, groups made at about one time are on the
            # last.
            most, room = allowed, self._budget.room
            if room is not None and room >= missing:
                most = min(allowed, max(1, room - missing))
            elif room is not None:
                most = room if room >= len(unread) else min(allowed, room)
            todo = unread[max(0, len(unread) - most) :] if self._read else unread[:most]
            if not todo:
                return
            self._budget.looked_up += len(todo)
            await side_by_side([self._read_page(index, source) for index in todo])
            left = len(self._unseen(uids))
            allowed += missing - left - len(todo)
            missing = left

    async def _read_page(self, index: int, source: GroupSource) -> None:
        """Read the page. A failure fails no group yet, because GETs can take its place."""
        try:
            page = await source.list_page(index)
        except GatewayError as failure:
            if isinstance(failure, FINAL):
                self._failure = failure
        else:
            if page.size > 0:
                self._page_size = page.size  # the upstream may clamp it
            self.see(page)
        self._read.add(index)


FINAL: Final = (
    Unauthenticated,
    LimitExceeded,
    Unavailable,
    RateLimited,
    Overloaded,
    DeadlineExceeded,
)
"""What a GET for each group would meet just as a page does."""
