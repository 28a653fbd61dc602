"""A bounded share of processor time, for callers whose token no backend has accepted."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
import types
from bisect import insort
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from gateway.errors import Overloaded

MAX_SAVED: Final = 0.2
"""The most seconds of unused processor time that are saved up."""
MAX_WAITING: Final = 64
"""The most requests that wait; each keeps its body in memory."""
SOON: Final = 0.001
ResultT = TypeVar("ResultT")


class Share:
    """A budget of processor time, which is earned at a constant rate.

    While some is left, requests run at once, and are charged for what they took. Otherwise they
    wait until the debt is earned back: the lowest rank runs first, and within a rank the oldest
    request.
    """

    def __init__(
        self, part: float, *, max_saved: float = MAX_SAVED, max_waiting: int = MAX_WAITING
    ) -> None:
        """`part` is the part of one core that is earned: seconds of processor time in a second."""
        self._part = part
        self._max_saved = max_saved
        self._max_waiting = max_waiting
        self._left = max_saved  # negative if more was taken than earned
        self._counted_at: float | None = None
        self._waiting: list[_Queued] = []  # the next one first
        self.numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def left(self) -> float:
        """Seconds of processor time that are left; a debt is negative."""
        now = time.monotonic()
        if self._counted_at is not None:
            earned = (now - self._counted_at) * self._part
            self._left = min(self._left + earned, self._max_saved)
        self._counted_at = now
        return self._left

    @property
    def open(self) -> bool:
        """Whether a request can run at once."""
        return not self._waiting and self.left > 0

    def charge(self, seconds: float) -> None:
        self._left = self.left - seconds

    async def enter(self, *rank: int) -> None:
        """Wait for a turn. Raises Overloaded if too many requests of lower ranks wait, now or
        later.
        """
        if not self.open:
            await self.turn(*rank)

    def turn(self, *rank: int) -> asyncio.Future[None]:
        """A future that is done at one's turn, or fails with Overloaded as `enter` does."""
        turn = asyncio.get_running_loop().create_future()
        insort(self._waiting, _Queued(rank, next(self.numbers), turn))
        if len(self._waiting) > self._max_waiting:
            last = self._waiting.pop().turn
            if not last.done():  # it may have been cancelled just now
                last.set_exception(self.overloaded())
        self._look_again()
        turn.add_done_callback(self._gone)
        return turn

    def overloaded(self) -> Overloaded:
        """The error for a request that cannot wait, or no longer."""
        seconds = max(1, math.ceil(-self.left / self._part))
        return Overloaded("Too much is asked without an accepted token.", retry_after=seconds)

    def _look_again(self) -> None:
        if self._waiting and self._timer is None:
            wait = max(-self.left / self._part, SOON)
            self._timer = asyncio.get_running_loop().call_later(wait, self._let_in)

    def _let_in(self) -> None:
        self._timer = None
        # One at a time, because its cost is known only afterwards.
        if self._waiting and self.left > 0:
            first = self._waiting.pop(0).turn
            if not first.done():
                first.set_result(None)
        self._look_again()

    def _gone(self, turn: asyncio.Future[None]) -> None:
        """Remove a request from the queue that is cancelled: its time is over, or its client is
        gone.
        """
        if turn.cancelled():
            self._waiting = [waiting for waiting in self._waiting if waiting.turn is not turn]
        else:
            turn.exception()  # otherwise asyncio logs that it was never retrieved


def _not_at_all() -> None:
    return None


class _Queued(NamedTuple):
    rank: tuple[int, ...]
    number: int
    turn: asyncio.Future[None]


class Usage:
    """The processor time that one request takes of a share."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._taken = 0.0
        self._runs = False
        self._rank: Sequence[int] = ()
        self._waits: Callable[[], float | None] = _not_at_all
        self._turn: asyncio.Future[None] | None = None

    async def charged(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """The result of `work`, whose processor time is charged step by step. Tasks that it starts
        have to be charged on their own.
        """
        return await self._steps(work)

    def begin(self, rank: int, waits: Callable[[], float | None]) -> None:
        """The request has begun. From now on it waits between two steps as well while there is a
        debt: in this rank, ahead of requests that have begun later. If its turn does not come
        within `waits()` seconds, Overloaded is raised in it; None means that it does not wait.
        """
        self._rank = rank, next(self._share.numbers)
        self._waits = waits

    def end(self) -> None:
        if self._turn is not None:
            self._turn.cancel()

    def give_back(self) -> None:
        """Undo all charges."""
        self._share.charge(-self._taken)
        self._taken = 0.0

    @types.coroutine
    def _steps(self, work: Coroutine[Any, Any, ResultT]) -> Generator[Any, Any, ResultT]:
        step: Callable[[], Any] = partial(work.send, None)
        while True:
            # A nested `charged` runs within a step of the outer one, which is charged for it.
            outermost, self._runs = not self._runs, True
            began = time.thread_time()
            try:
                waits_for = step()
            except StopIteration as finished:
                result: ResultT = finished.value
                return result
            finally:
                if outermost:
                    self._runs = False
                    self._charge(time.thread_time() - began)
            try:
                yield waits_for
                if outermost and self._share.left <= 0 and (seconds := self._waits()) is not None:
                    yield from self._yield(seconds).__await__()
            except BaseException as thrown:
                step = partial(work.throw, thrown)
            else:
                step = partial(work.send, None)

    async def _yield(self, seconds: float) -> None:
        if seconds <= 0:
            raise self._share.overloaded()
        # All tasks of a request share one turn, and none of them cancels it for the others.
        if self._turn is None or self._turn.done():
            self._turn = self._share.turn(*self._rank)
        turn = self._turn
        await asyncio.wait([turn], timeout=seconds)
        if not turn.done():
            raise self._share.overloaded()
        turn.result()

    def _charge(self, seconds: float) -> None:
        self._taken += seconds
        self._share.charge(seconds)
