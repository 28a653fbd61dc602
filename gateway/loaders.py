"""What one request has asked its backends for: each thing once, and all of one tick together.

A key says what is wanted, whole: the batch functions see all keys of a tick and plan the calls. An
error is a value, so it fails one key only. Made for one request, closed with it: batches run in
tasks of their own, which nobody else would cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, overload

from aiodataloader import DataLoader

from gateway.backends.port import Backend, ById, ByKey, CustomerOrder, GroupOrder, GroupRef
from gateway.errors import CallerError, GatewayError, NotFound
from gateway.paging import Window
from gateway.records import Customer, CustomerGroup, Page

TOTAL: Final = Window(size=0)


@dataclass(frozen=True, slots=True)
class GroupOf:
    """One group; None where there is none."""

    tenant_uid: str
    ref: GroupRef


@dataclass(frozen=True, slots=True)
class GroupsOf:
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


@dataclass(frozen=True, slots=True)
class MembersOf:
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

    def load(self, key: Key) -> Awaitable[Any]:
        """What `key` asks for, once a request; raises the GatewayError that it failed with."""
        # Cancelling one waiter would cancel every waiter of its key, and graphql-core cancels the
        # siblings of a failed field: so each waits behind a shield of its own.
        match key:
            case GroupOf():
                return asyncio.shield(self._groups.load(key))
            case _:
                return asyncio.shield(self._lists.load(key))

    def prime(self, group: CustomerGroup) -> None:
        """Let `group` be known, so that it is not fetched again in this request."""
        _prime(self._groups, group)

    def forget(self) -> None:
        """Let nothing be known: after a change, what was read ahead of it is no longer true."""
        # New loaders, not cleared ones: what is under way may prime only those that it began with.
        self._groups: Groups = DataLoader(self._load_groups)
        self._lists: Lists = DataLoader(self._load_lists)
        self._reads: dict[ListOf, asyncio.Task[Page[Any] | Exception]] = {}

    async def close(self) -> None:
        """End what is still under way, and let nothing more begin."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

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

    async def _load_groups(self, keys: list[GroupOf]) -> list[CustomerGroup | Exception | None]:
        with self._owned():
            tenants = dict.fromkeys(key.tenant_uid for key in keys)
            loader = self._groups
            found = await asyncio.gather(*(self._groups_of(tenant, keys) for tenant in tenants))
            groups = {key: group for part in found for key, group in part.items()}
            for key in keys:
                if isinstance(key.ref, ByKey) and isinstance(
                    group := groups.get(key), CustomerGroup
                ):
                    _prime(loader, group)
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

    async def _load_lists(self, keys: list[ListOf]) -> list[Page[Any] | Exception]:
        with self._owned():
            served = plan(keys, self._one_call)
            pages = await self._read_all(served.values())
            # Not every read tells the total, and one may be refused for what it asks beside it:
            # those that were counted on such a read ask for the total alone.
            untold = [key for key in keys if _empty(key) and _untold(pages[served[key]])]
            served |= {key: key.counted() for key in untold}
            pages |= await self._read_all(set(served.values()) - set(pages))
            return [part(pages[served[key]], key.window) for key in keys]

    async def _read_all(self, keys: Iterable[ListOf]) -> dict[ListOf, Page[Any] | Exception]:
        """The answers to these reads, each made once however many batches it serves."""
        reads = list(dict.fromkeys(keys))
        for key in reads:
            if key not in self._reads:
                self._reads[key] = task = asyncio.ensure_future(self._read(key))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        made = self._reads
        return dict(zip(reads, await asyncio.gather(*(made[key] for key in reads)), strict=True))

    async def _read(self, key: ListOf) -> Page[Any] | Exception:
        loader = self._groups
        try:
            backend = self._backend(key.tenant_uid)
            match key:
                case GroupsOf():
                    groups = await backend.list_groups(key.window, order=key.order)
                    for row in groups.rows:
                        _prime(loader, row.record)
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


def _prime(loader: Groups, group: CustomerGroup) -> None:
    loader.prime(GroupOf(group.tenant_uid, ById(group.uid)), group)


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
