"""What was answered to the reads of one operation, so that none of them is sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final

from gateway.rest._answer import Answer

CAPACITY: Final = 16 * 2**20


@dataclass(slots=True)
class AnswerCaches:
    """All that are in use."""

    size: int = 0
    """Bytes."""
    hits: int = 0
    misses: int = 0


class AnswerCache:
    """What backends were answered to their reads for one operation, which sends none of them again,
    nor any that is under way.

    It is for those that change nothing: an answer is as good at the end as it was when it came.
    """

    def __init__(self, room: int = CAPACITY, *, caches: AnswerCaches | None = None) -> None:
        """`room` is for so many bytes; 16 MiB are some 6,000 customers of Flow Retail."""
        self._all = caches or AnswerCaches()
        self._size = 0
        self.complete = True
        """Whether all that has come is here; not from the first one on that finds no room."""
        self._room = room
        self._answers: dict[Hashable, Answer] = {}
        self._under_way: dict[Hashable, list[asyncio.Future[list[Answer]]]] = {}
        """Who waits for a read that somebody else has sent."""

    async def answer(self, read: Hashable, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """What was answered to this read, which is sent only where nobody else has sent it; raises
        what `send` raises, of which nothing is kept.
        """
        while read not in self._answers and read in self._under_way:
            mine: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
            self._under_way[read].append(mine)
            known = await mine
            if known:
                self._all.hits += 1
                return known[0]
        if read in self._answers:
            self._all.hits += 1
            return self._answers[read]
        self._all.misses += 1
        waiting = self._under_way[read] = []
        answers: list[Answer] = []
        failed: Exception | None = None
        try:
            answers.append(await send())
        except Exception as failure:
            failed = failure
            raise
        finally:
            # Where it was cancelled there is neither: then somebody else has to send it.
            del self._under_way[read]
            for each in waiting:
                if each.done():
                    continue
                if failed is None:
                    each.set_result(answers)
                else:
                    each.set_exception(failed)
        size = len(answers[0].body)
        self.complete = self.complete and self._size + size <= self._room
        if self.complete:
            self._answers[read] = answers[0]
            self._size += size
            self._all.size += size
        return answers[0]

    def close(self) -> None:
        """The operation is over; from now on nothing is kept."""
        self.complete = False
        self._answers.clear()
        self._all.size -= self._size
        self._size = 0
