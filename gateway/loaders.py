"""What one request has asked its backends for: each thing once, and all of one tick together.

A key says what is wanted, whole: the batch functions see all keys of a tick and plan the calls. An
error is a value, so it fails one key only. Made for one request, closed with it: batches run in
tasks of their own, which nobody else would cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, overload

from aiodataloader import DataLoader
from msgspec import Struct
from msgspec.structs import replace

from gateway.backends.port import Backend, ById, ByKey, CustomerOrder, GroupOrder, GroupRef
from gateway.errors import CallerError, GatewayError, NotFound
from gateway.paging import Window
from gateway.records import Customer, CustomerGroup, Page

TOTAL: Final = Window(size=0)


class GroupOf(Struct, frozen=True):
    """One group; None where there is none."""

    tenant_uid: str
    ref: GroupRef


class GroupsOf(Struct, frozen=True):
    """A window of a tenant's groups."""

    tenant_uid: str
    window: Window
    order: GroupOrder | None = None

    @property
    def source(self) -> object:
        """What is the same for all windows of one list, however ordered."""
        return self.tenant_uid

    def counted(self) -> GroupsOf:
        """The key of the list's total alone."""
        return GroupsOf(self.tenant_uid, TOTAL)


class MembersOf(Struct, frozen=True):
    """A window of a group's customers."""

    tenant_uid: str
    group: GroupRef
    window: Window
    order: CustomerOrder | None = None

    @property
    def source(self) -> object:
        """What is the same for all windows of one list, however ordered."""
        return self.tenant_uid, self.group

    def counted(self) -> MembersOf:
        """The key of the list's total alone."""
        return MembersOf(self.tenant_uid, self.group, TOTAL)


ListOf = GroupsOf | MembersOf
Key = GroupOf | ListOf
"""What is read from a tenant's backend; its type says by which call."""
Groups = DataLoader[GroupOf, CustomerGroup | Exception | None]
Lists = DataLoader[ListOf, Page[Any] | Exception]


class Loaders:
    """The loaders of one request, over the backends that `backend` gives by tenant."""

    def __init__(self, backend: Callable[[str], Backend]) -> None:
        self._backend = backend
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False
        self.forget()

    @overload
    def load(self, key: GroupOf) -> Awaitable[CustomerGroup | None]: ...
    @overload
    def load(self, key: GroupsOf) -> Awaitable[Page[CustomerGroup]]: ...
    @overload
    def load(self, key: MembersOf) -> Awaitable[Page[Customer]]: ...
    @overload
    def load(self, key: ListOf) -> Awaitable[Page[Any]]: ...
    @overload
    def load(self, key: Key) -> Awaitable[Any]: ...

    def load(self, key: Key) -> Awaitable[Any]:
        """What `key` asks for, once a request; raises the GatewayError that it failed with."""
        # Cancelling one waiter would cancel every waiter of its key, and graphql-core cancels the
        # siblings of a failed field: so each waits behind a shield of its own.
        shielded = asyncio.shield(self.ask(key))
        shielded.add_done_callback(_seen)
        return shielded

    def ask(self, key: Key) -> asyncio.Future[Any]:
        """The answer to come, as `load` gives it: one for all who ask, which nobody may cancel."""
        return self._groups.load(key) if isinstance(key, GroupOf) else self._lists.load(key)

    def ask_ahead(self, keys: Iterable[Key]) -> None:
        """Begin to read what will be asked for, or may be."""
        for key in keys:
            self.ask(key).add_done_callback(_seen)

    def prime(self, group: CustomerGroup) -> None:
        """Let `group` be known, so that it is not fetched again in this request."""
        self._known.seen.append(group)

    def forget(self) -> None:
        """Let nothing be known: after a change, what was read ahead of it is no longer true."""
        # New loaders, not cleared ones: what is under way may answer only those it began with.
        self._known = _Known()

    async def close(self) -> None:
        """End what is still under way, and let nothing more begin."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        # Loaders and what they load with hold each other, and all that was read.
        self._known.let_go()

    @property
    def _groups(self) -> Groups:
        known = self._known
        if known.groups is None:
            known.groups = DataLoader(partial(self._load_groups, known))
        for group in known.seen:
            known.groups.prime(GroupOf(group.tenant_uid, ById(group.uid)), group)
        known.seen.clear()
        return known.groups

    @property
    def _lists(self) -> Lists:
        known = self._known
        if known.lists is None:
            known.lists = DataLoader(partial(self._load_lists, known))
        return known.lists

    @contextmanager
    def _owned(self) -> Iterator[None]:
        if self._closed:
            raise asyncio.CancelledError  # aiodataloader begins batches two ticks late
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # aiodataloader runs batches in tasks
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    async def _load_groups(
        self, known: _Known, keys: list[GroupOf]
    ) -> list[CustomerGroup | Exception | None]:
        with self._owned():
            tenants = list(dict.fromkeys(key.tenant_uid for key in keys))
            if len(tenants) == 1:  # as in nearly all requests: it needs no task of its own
                found = [await self._groups_of(tenants[0], keys)]
            else:
                parts = (self._groups_of(tenant, keys) for tenant in tenants)
                found = await asyncio.gather(*parts)
            groups = {key: group for part in found for key, group in part.items()}
            for key in keys:
                if isinstance(key.ref, ByKey) and isinstance(
                    group := groups.get(key), CustomerGroup
                ):
                    known.seen.append(group)
            return [groups.get(key) for key in keys]

    async def _groups_of(
        self, tenant_uid: str, keys: Sequence[GroupOf]
    ) -> dict[GroupOf, CustomerGroup | Exception]:
        refs = [key.ref for key in keys if key.tenant_uid == tenant_uid]
        try:
            found = await self._backend(tenant_uid).get_groups(refs)
        except Exception as failure:  # of any kind: other tenants are no part of it
            return {GroupOf(tenant_uid, ref): failure for ref in refs}
        return {GroupOf(tenant_uid, ref): group for ref, group in found.items()}

    async def _load_lists(self, known: _Known, keys: list[ListOf]) -> list[Page[Any] | Exception]:
        with self._owned():
            served = plan(keys, self._one_call)
            waiting: dict[ListOf, list[tuple[ListOf, asyncio.Future[Any]]]] = {}
            loader = known.lists
            assert loader is not None  # noqa: S101  # it has called this
            for key, read in served.items():
                waiting.setdefault(read, []).append((key, loader.load(key)))
            reads = {read: self._begun(read, known) for read in waiting}
            for read, task in reads.items():
                task.add_done_callback(partial(_hand_out, waiting[read]))
            await asyncio.wait(reads.values())
            # Not every read tells the total, and one may be refused for what it asks beside it:
            # those that were counted on such a read ask for the total alone.
            for key in keys:
                if _empty(key) and _untold(reads[served[key]].result()):
                    served[key] = key.counted()
                    reads[served[key]] = self._begun(served[key], known)
            await asyncio.wait(reads.values())
            return [part(reads[served[key]].result(), key.window) for key in keys]

    def _begun(self, read: ListOf, known: _Known) -> asyncio.Task[Page[Any] | Exception]:
        """The read under way, made once however many batches it serves."""
        task = known.reads.get(read)
        if task is None:
            known.reads[read] = task = asyncio.ensure_future(self._read(read, known))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return task

    async def _read(self, key: ListOf, known: _Known) -> Page[Any] | Exception:
        try:
            backend = self._backend(key.tenant_uid)
            match key:
                case GroupsOf():
                    groups = await backend.list_groups(key.window, order=key.order)
                    known.seen += [row.record for row in groups.rows]
                    return groups
                case MembersOf():
                    return await backend.list_members(key.group, key.window, order=key.order)
        except Exception as failure:  # of any kind: other lists are no part of it
            return failure

    def _one_call(self, key: ListOf) -> int:
        """The longest window that one call serves, all but anywhere."""
        try:
            return (self._backend(key.tenant_uid).capabilities.max_page_size or 0) // 2
        except GatewayError:
            return 0  # the read itself will fail with it


@dataclass(slots=True)
class _Known:
    """What was read since the last change, and is being read."""

    groups: Groups | None = None
    lists: Lists | None = None
    reads: dict[ListOf, asyncio.Task[Page[Any] | Exception]] = field(default_factory=dict)
    seen: list[CustomerGroup] = field(default_factory=list)
    """Groups that need not be fetched; `groups` is told of them when one is asked for."""

    def let_go(self) -> None:
        self.groups = self.lists = None
        self.reads.clear()
        self.seen.clear()


def _hand_out(
    waiting: Iterable[tuple[ListOf, asyncio.Future[Any]]],
    read: asyncio.Task[Page[Any] | Exception],
) -> None:
    """Answer those whose read is done, ahead of the others in their batch."""
    if read.cancelled():
        return
    answer = read.result()
    for key, future in waiting:
        if future.done() or (_empty(key) and _untold(answer)):
            continue
        found = part(answer, key.window)
        if isinstance(found, Exception):
            future.set_exception(found)
        else:
            future.set_result(found)


def _seen(answer: asyncio.Future[Any]) -> None:
    """Nobody may ever ask for it; then its failure is no news."""
    if not answer.cancelled():
        answer.exception()


def plan(keys: Sequence[ListOf], one_call: Callable[[ListOf], int]) -> dict[ListOf, ListOf]:
    """For each key the read that serves it: windows of one list share a read where one call does.

    A total is served by any read of its list, and asked for alone only where there is none.
    """
    served: dict[ListOf, ListOf] = {}
    lists: dict[object, list[ListOf]] = {}
    for key in dict.fromkeys(keys):
        if key.window.plain and key.window.size:
            lists.setdefault((type(key), key.source, key.order), []).append(key)
        else:
            served[key] = key
    for windows in lists.values():
        windows.sort(key=lambda key: (key.window.offset, -key.window.size))
        limit = one_call(windows[0])
        for run in _runs(windows, limit):
            start = run[0].window.offset
            size = max(key.window.offset + key.window.size for key in run) - start
            read = replace(run[0], window=Window(size=size, offset=start))
            served |= dict.fromkeys(run, read)
    by_list = {(type(read), read.source): read for read in served.values() if not _empty(read)}
    for key in keys:
        if _empty(key):
            served[key] = by_list.get((type(key), key.source), key.counted())
    return served


def _empty(key: ListOf) -> bool:
    """Whether it is known ahead that there is nothing to read but the total."""
    return key.window.plain and key.window.size == 0


def _untold(page: Page[Any] | Exception) -> bool:
    match page:
        case Page():
            return page.total is None
        case NotFound():
            return False  # the list itself is not there
        case _:
            return isinstance(page, CallerError)


def _runs(windows: Sequence[ListOf], limit: int) -> Iterator[list[ListOf]]:
    """Windows in the order of their offsets, the longer first, cut into runs that fit within
    `limit` rows or within their first window.
    """
    run: list[ListOf] = []
    stop = 0
    for key in windows:
        start, end = key.window.offset, key.window.offset + key.window.size
        if run and end > stop:
            yield run
            run = []
        if not run:
            stop = max(end, start + limit)
        run.append(key)
    yield run


def part(page: Page[Any] | Exception, window: Window) -> Page[Any] | Exception:
    """What of a read's answer is `window`; cursor windows are served by reads of their own."""
    if isinstance(page, Exception) or not window.plain:
        return page
    start, stop = window.offset, window.offset + window.size
    beyond = page.has_next or any(row.offset >= stop for row in page.rows)
    return Page(
        rows=[row for row in page.rows if start <= row.offset < stop],
        total=page.total,
        has_next=beyond if page.total is None else stop < page.total,
        has_previous=start > 0 and page.total != 0,
        flaws=page.flaws,
    )
