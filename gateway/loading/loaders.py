"""What one request has asked its backends for: each thing once, and all of one tick together.

The batch functions see all keys of a tick and plan the calls. Groups that a backend would look up
one by one wait while lists are under way that may lead to more: together they may be on one page.
An error is a value, so it fails one key only. Made for one request, closed with it: batches run in
tasks of their own, which nobody else would cancel.

An answer is worked on as soon as it is there, and let go after that: with the records of a hundred
answers alive at once, few are in the processor's caches when their turn comes, and a large
operation takes a third more processor time. Bodies that nobody touches cost next to nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from aiodataloader import DataLoader

from gateway.backends.port import AnswerCache, Backend, ById, ByKey, GroupRef
from gateway.errors import GatewayError, InvalidAnswer
from gateway.loading.reads import (
    GroupOf,
    GroupsOf,
    ListOf,
    MembersOf,
    ReadKey,
    empty,
    lacks_total,
    one_call,
    part,
    plan,
)
from gateway.loading.rest_trace import Path, Purpose, RestTrace
from gateway.records import CustomerGroup, Page

Groups = DataLoader[GroupOf, CustomerGroup | Exception | None]
Lists = DataLoader[ListOf, Page[Any] | Exception]
Listener = Callable[[Any], None]
"""Is called with what was read, or with the exception in its place; it must not raise."""
ITERATIONS: Final = 6
"""Iterations of the event loop until the groups that a list leads to have been asked for: a waiter
asks for them two later, and aiodataloader begins batches two later than that.
"""
KeyFutures = Sequence[tuple[ListOf, asyncio.Future[Any]]]
"""Keys that one read serves, and how those who have asked for them are answered."""


class Loaders:
    """The loaders of one request, over the backends that `backend` gives by tenant."""

    def __init__(
        self,
        backend: Callable[[str], Backend],
        answers: AnswerCache | None = None,
        trace: RestTrace | None = None,
    ) -> None:
        """With `answers`, where the backends keep what they were answered, lists are let go once
        they were delivered. `trace` is for what is shown of the REST calls.
        """
        self._backend = backend
        self._answers = answers
        self._trace = trace
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False
        self.forget()

    @property
    def traced(self) -> bool:
        """Whether the paths are wanted of the fields that ask."""
        return self._trace is not None

    def change(self, path: Path) -> None:
        """The field at `path` begins a change."""
        if self._trace is not None:
            self._trace.change(path)

    def notify(self, key: ReadKey, listener: Listener, path: Path | None = None) -> None:
        """Have `listener` called: now, if the answer is there, else in the iteration of the event
        loop in which it comes. (A callback of a future has to wait for the next iteration.)
        """
        if path is not None and self._trace is not None:
            self._trace.ask(key, path)
        answer = self._begun(key)
        if answer.done():
            if not isinstance(key, GroupOf) and self._lets_go and not answer.exception():
                self._lists.clear(key)  # who asks for it from now on has it read anew
            listener(answer.exception() or answer.result())
        elif isinstance(key, GroupOf):
            answer.add_done_callback(partial(_notify, listener))
        else:
            self._known.listeners.setdefault(key, []).append(listener)

    def prefetch(self, keys: Iterable[ReadKey]) -> None:
        """Begin to read what will be asked for, or may be."""
        for key in keys:
            self._begun(key).add_done_callback(_seen)

    def prime(self, group: CustomerGroup) -> None:
        """Let `group` be known, so that it is not fetched again in this request."""
        self._known.seen.append(group)
        if self._trace is not None:
            self._trace.saw([group])

    def forget(self) -> None:
        """Let nothing be known: after a change, what was read ahead of it is no longer true."""
        # New loaders, not cleared ones: what is under way may answer only those it began with.
        self._known = _Loaded()
        if self._trace is not None:
            self._trace.forget()

    async def close(self) -> None:
        """End what is still under way, and let nothing more begin."""
        self._closed = True
        pending = [task for task in self._tasks if not task.done()]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.gather(*pending, return_exceptions=True)
        # Loaders and what they load with hold each other, and all that was read.
        self._known.close()
        self._tasks.clear()  # those that were cancelled before they began are still here

    def _begun(self, key: ReadKey) -> asyncio.Future[Any]:
        return self._groups.load(key) if isinstance(key, GroupOf) else self._lists.load(key)

    @property
    def _lets_go(self) -> bool:
        """Whether what was read can be had again without a REST call."""
        return self._answers is not None and self._answers.complete

    @property
    def _groups(self) -> Groups:
        known = self._known
        if known.groups is None:
            known.groups = DataLoader(partial(self._load_groups, known), cache_map=known.answers)
        for group in known.seen:
            known.groups.prime(GroupOf(group.tenant_uid, ById(group.uid)), group)
        known.seen.clear()
        return known.groups

    @property
    def _lists(self) -> Lists:
        known = self._known
        if known.lists is None:
            known.lists = DataLoader(
                partial(self._load_lists, known),  # type: ignore[arg-type]
                cache_map=known.answers,
            )
        return known.lists

    def _own(self, task: asyncio.Task[Any] | None) -> None:
        """Have `close` end the task, which is the one that runs where it has begun already."""
        if self._closed:
            raise asyncio.CancelledError  # aiodataloader begins batches two ticks late
        assert task is not None  # noqa: S101  # aiodataloader runs batches in tasks
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _load_groups(
        self, known: _Loaded, keys: list[GroupOf]
    ) -> list[CustomerGroup | Exception | None]:
        self._own(asyncio.current_task())
        tenants = {key.tenant_uid: None for key in keys}
        # Of one tenant, as in nearly all requests, it needs no task of its own.
        parts = [self._groups_of(tenant, keys, known) for tenant in tenants]
        found = [await parts[0]] if len(parts) == 1 else await asyncio.gather(*parts)
        groups = {key: group for part in found for key, group in part.items()}
        for key in keys:
            if isinstance(key.ref, ByKey) and isinstance(group := groups.get(key), CustomerGroup):
                known.seen.append(group)
        return [groups.get(key) for key in keys]

    async def _groups_of(
        self, tenant_uid: str, keys: Sequence[GroupOf], known: _Loaded
    ) -> dict[GroupOf, CustomerGroup | Exception]:
        refs = [key.ref for key in keys if key.tenant_uid == tenant_uid]
        if (trace := self._trace) is not None:
            keys = [GroupOf(tenant_uid, ref) for ref in refs]
        try:
            backend, gathered = self._backend(tenant_uid), known.gathered.get(tenant_uid)
            lists = known.lists_to_come(tenant_uid)
            if gathered is None and lists is not None and backend.waits(refs):
                gathered = known.gathered[tenant_uid] = _Gathered(lists)
                gathered.task = asyncio.create_task(self._look_up(tenant_uid, gathered, known))
                self._own(gathered.task)
            if gathered is None:
                if trace is not None:
                    trace.serving(None, keys).begin()
                found = await backend.get_groups(refs)
            else:
                gathered.refs += refs
                if trace is not None:
                    gathered.purpose = trace.serving(gathered.purpose, keys)
                if not backend.waits(gathered.refs):
                    gathered.look_up_now()
                found = await asyncio.shield(gathered.task)
        except Exception as failure:  # of any kind: other tenants are no part of it
            return {GroupOf(tenant_uid, ref): failure for ref in refs}
        if trace is not None:
            trace.found(keys, found)
        return {GroupOf(tenant_uid, ref): found[ref] for ref in refs if ref in found}

    async def _look_up(
        self, tenant_uid: str, gathered: _Gathered, known: _Loaded
    ) -> Mapping[GroupRef, CustomerGroup | GatewayError]:
        """The groups that were gathered; begun when they are enough, or no more are to come."""
        await gathered.due
        for _ in range(ITERATIONS):
            await asyncio.sleep(0)
        known.gathered.pop(tenant_uid, None)
        if gathered.purpose is not None:
            gathered.purpose.begin()
        return await self._backend(tenant_uid).get_groups(gathered.refs)

    async def _load_lists(self, known: _Loaded, keys: list[ListOf]) -> list[None]:
        self._own(asyncio.current_task())
        wanted = [(key, known.answers[key]) for key in keys]
        try:
            # What was let go is had again by the read that it came from.
            new = [key for key in keys if key not in known.served]
            known.served |= plan(new, partial(one_call, self._backend))
            await self._answer(wanted, known)
            # Some reads lack the total, and some are refused for what else they ask. Keys that
            # relied on such a read for their total ask for the total alone.
            left = [(key, answer) for key, answer in wanted if not answer.done()]
            known.served |= {key: key.counted() for key, _ in left}
            await self._answer(left, known)
        except Exception as failure:  # of ours: nobody is left waiting
            for key, answer in wanted:
                if not answer.done():
                    _fail(answer, failure)
                    known.notify(key, failure)
        return [None for _ in keys]  # everybody has been answered

    async def _answer(self, wanted: KeyFutures, known: _Loaded) -> None:
        """Answer these keys by the reads that serve them, each as soon as it is done."""
        waiting: dict[ListOf, list[tuple[ListOf, asyncio.Future[Any]]]] = {}
        for key, answer in wanted:
            waiting.setdefault(known.served[key], []).append((key, answer))
        for task in [self._reading(read, keys, known) for read, keys in waiting.items()]:
            await task

    def _reading(self, read: ListOf, waiting: KeyFutures, known: _Loaded) -> asyncio.Task[None]:
        """The read under way, made once however many batches it serves."""
        reading = known.reads.get(read)
        if reading is None:
            reading = known.reads[read] = _Reading()
            reading.task = asyncio.create_task(self._read(read, reading, known))
            self._own(reading.task)
        if self._trace is not None:
            keys = [key for key, _ in waiting]
            reading.purpose = self._trace.serving(reading.purpose, keys)
        if reading.answer is None:
            reading.waiting += waiting
        else:
            self._hand_out(read, reading.answer, waiting, known, lets_go=False)
        return reading.task

    async def _read(self, read: ListOf, reading: _Reading, known: _Loaded) -> None:
        if reading.purpose is not None:
            reading.purpose.begin()
        answer = await self._asked(read, known)
        known.answered += 1
        lets_go = self._lets_go and not isinstance(answer, Exception)
        if lets_go:
            known.reads.pop(read, None)
        else:
            reading.answer = answer
        self._hand_out(read, answer, reading.waiting, known, lets_go=lets_go)

    async def _asked(self, read: ListOf, known: _Loaded) -> Page[Any] | Exception:
        try:
            backend = self._backend(read.tenant_uid)
            match read:
                case GroupsOf():
                    groups = await backend.list_groups(read.window, order=read.order)
                    shown = [row.record for row in groups.rows]
                    known.seen += shown
                    if self._trace is not None:
                        self._trace.saw(shown)
                    return groups
                case MembersOf():
                    return await backend.list_members(read.group, read.window, order=read.order)
        except Exception as failure:  # of any kind: other lists are no part of it
            return failure

    @staticmethod
    def _hand_out(
        read: ListOf,
        answer: Page[Any] | Exception,
        waiting: KeyFutures,
        known: _Loaded,
        *,
        lets_go: bool,
    ) -> None:
        """Answer those whose read is done, ahead of the others in their batch."""
        for key, future in waiting:
            if future.done():
                continue
            if empty(key) and lacks_total(answer) and read != key.counted():
                if isinstance(answer, Page) and answer.rows:
                    known.shown[key] = answer.rows[-1].offset + 1
                continue
            found = answer if key.window == read.window else part(answer, key.window)
            if known.shown:
                found = _not_less(found, known.shown.get(key, 0))
            if isinstance(found, Exception):
                _fail(future, found)
            elif lets_go and known.lists is not None and key in known.listeners:
                known.lists.clear(key)
                future.cancel()  # nobody waits for it
            else:
                future.set_result(found)
            known.notify(key, found)


def _not_less(found: Page[Any] | Exception, rows: int) -> Page[Any] | Exception:
    """The list's total, unless it is less than the rows that were shown of it."""
    if isinstance(found, Page) and found.total is not None and found.total < rows:
        return InvalidAnswer("The backend's total is less than the rows that it has answered.")
    return found


@dataclass(slots=True, eq=False)
class _Reading:
    """A read, and whom it serves."""

    waiting: list[tuple[ListOf, asyncio.Future[Any]]] = field(default_factory=list)
    answer: Page[Any] | Exception | None = None
    """None as long as it is under way."""
    task: asyncio.Task[None] = field(init=False)
    purpose: Purpose | None = None


class _Gathered:
    """Groups of one tenant that are looked up together, later than they were asked for."""

    def __init__(self, lists: Sequence[asyncio.Task[None]]) -> None:
        """Lists under way, of which each may ask for more groups."""
        self.refs: list[GroupRef] = []
        self.due: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[Mapping[GroupRef, CustomerGroup | GatewayError]]
        self.purpose: Purpose | None = None
        self._lists = len(lists)
        for each in lists:
            each.add_done_callback(self._answered)
        if not lists:
            self.look_up_now()

    def look_up_now(self) -> None:
        if not self.due.done():
            self.due.set_result(None)

    def _answered(self, _: asyncio.Task[None]) -> None:
        self._lists -= 1
        if not self._lists:
            self.look_up_now()


@dataclass(slots=True)
class _Loaded:
    """What was read since the last change, and is being read."""

    groups: Groups | None = None
    lists: Lists | None = None
    answers: dict[Any, asyncio.Future[Any]] = field(default_factory=dict)
    """What both have been asked for."""
    reads: dict[ListOf, _Reading] = field(default_factory=dict)
    served: dict[ListOf, ListOf] = field(default_factory=dict)
    """For each key the read that serves it."""
    listeners: dict[ListOf, list[Listener]] = field(default_factory=dict)
    seen: list[CustomerGroup] = field(default_factory=list)
    """Groups that need not be fetched; they are handed to `groups` when one is asked for."""
    gathered: dict[str, _Gathered] = field(default_factory=dict)
    """By tenant, groups that wait for others."""
    shown: dict[ListOf, int] = field(default_factory=dict)
    """For totals that are asked for alone: how many rows the read showed that had no total."""
    answered: int = 0
    """How many lists were. What is asked for ahead of the first comes from no list."""

    def lists_to_come(self, tenant_uid: str) -> list[asyncio.Task[None]] | None:
        """The tenant's lists under way; None where no other list can lead to further groups.

        One that was just answered can: after work that took long, several are answered within a few
        iterations of the event loop, and each asks for its groups in another iteration.
        """
        lists = [
            reading.task
            for read, reading in self.reads.items()
            if reading.answer is None and read.tenant_uid == tenant_uid
        ]
        return lists if self.answered and (lists or self.answered > 1) else None

    def notify(self, key: ListOf, found: Page[Any] | Exception) -> None:
        for listener in self.listeners.pop(key, ()):
            listener(found)

    def close(self) -> None:
        for answer in self.answers.values():
            answer.cancel()  # whoever still waits for it would wait for ever
        self.groups = self.lists = None
        for kept in (self.reads, self.served, self.listeners, self.seen, self.shown):
            kept.clear()
        self.gathered.clear()
        self.answers.clear()


def _notify(listener: Listener, answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled():
        listener(answer.exception() or answer.result())


def _fail(answer: asyncio.Future[Any], failure: Exception) -> None:
    answer.set_exception(failure)
    _seen(answer)


def _seen(answer: asyncio.Future[Any]) -> None:
    """Nobody may ever ask for it; then its failure is no news."""
    if not answer.cancelled():
        answer.exception()
