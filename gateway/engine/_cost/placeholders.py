"""Placeholders for what backends would answer: one row in place of as many as there may be.

An operation whose cost is estimated asks these instead of loaders and backends. They answer at
once, call nobody, and note what the real ones would have called.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gateway.backends.port import (
    Backend,
    ById,
    ByKey,
    CustomerOrder,
    GroupChange,
    GroupDraft,
    GroupOrder,
    GroupRef,
    MembershipEdit,
    Window,
)
from gateway.engine._run.account import Uncounted
from gateway.loading.reads import GroupOf, GroupsOf, Key, ListOf, MembersOf, one_call, plan
from gateway.records import Customer, CustomerGroup, Page, Row, RowT, Tenant
from gateway.request import Context
from gateway.selection import Selection

UNKNOWN: Final = "?"
"""What the uid of a placeholder begins with; no backend's uid can."""
MOST_AHEAD: Final = 1_000
"""More reads than that are not foreseen, but made when it is their turn."""
AnswerT = TypeVar("AnswerT")


class Rows(Struct, frozen=True):
    """The rows of one window: `path` leads to its connection in the response, without indexes."""

    path: tuple[str, ...]
    size: int


class Note(Struct, frozen=True):
    """REST calls that will be made at most: `calls`, for each of the rows of each of `per`."""

    calls: int
    per: tuple[Rows, ...] = ()

    @property
    def total(self) -> int:
        total = self.calls
        for rows in self.per:
            total *= rows.size
        return total


@dataclass(slots=True)
class Notes:
    """What an estimate has come to so far."""

    calls: list[Note] = field(default_factory=list)
    groups: dict[GroupOf, tuple[str, ...]] = field(default_factory=dict)
    """Groups that are looked up, each once however often it is asked for, and by which object's
    fields: those of one object are asked for together.
    """
    lists: dict[ListOf, None] = field(default_factory=dict)
    """Windows that are read, each once."""
    cap: int | None = None
    """The most rows of any window: to try whether shorter ones would do."""
    longest: Window = Window(size=0)  # noqa: RUF009  # it is frozen
    path: tuple[str, ...] = ()
    """The field that is being resolved."""
    ahead: list[MembersOf] = field(default_factory=list)
    """Members of groups that the arguments name: to read them, nothing has to be known."""
    meant: dict[str, Sequence[str]] = field(default_factory=dict)
    """The uids of the groups that one stands in for, by its own."""
    _per: dict[str, tuple[Rows, ...] | None] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def unknown_uid(self, per: tuple[Rows, ...] | None) -> str:
        """The uid of a placeholder for the rows of each of `per`; None: nobody knows how many."""
        uid = f"{UNKNOWN}{next(self._numbers)}"
        self._per[uid] = per
        return uid

    def per(self, uid: str) -> tuple[Rows, ...] | None:
        """What a record with this uid stands in for; () for one that is itself."""
        return self._per.get(uid, ())

    def foresee(self, key: MembersOf) -> None:
        """Note a list that is going to be asked for, where it is known which."""
        if isinstance(key.group, ById):
            for uid in self.meant.get(key.group.uid, [key.group.uid]):
                if not uid.startswith(UNKNOWN) and len(self.ahead) < MOST_AHEAD:
                    self.ahead.append(replace(key, group=ById(uid)))

    def add(self, calls: int, per: tuple[Rows, ...] | None = ()) -> None:
        """Note `calls`; what nobody can bound is not noted, but metered when it happens."""
        if per is not None and calls:
            self.calls.append(Note(calls, per))


class PlaceholderContext(Context):
    """A context like another one, in which nothing is called."""

    def __init__(self, real: Context, notes: Notes) -> None:
        super().__init__(real.client, real.tenants, real.bounds)
        self.account = Uncounted(real.bounds, deadline=real.client.deadline)
        self._real = real
        self._notes = notes
        self._answers: dict[Key, Any] = {}
        self._asked: dict[tuple[str, ...], list[ListOf]] = {}

    def backend(self, tenant_uid: str, *, reading: Selection | None = None) -> Backend:
        return _PlaceholderBackend(self._real.backend(tenant_uid), tenant_uid, self._notes)

    async def changing(self, change: Callable[[], Awaitable[AnswerT]], *, cost: int) -> AnswerT:
        """What fits into the budget is for the whole operation to say."""
        return await change()

    def prime(self, group: CustomerGroup) -> None:
        """Each placeholder is known already."""

    def end_of_tick(self) -> None:
        """Note the reads that serve what was asked for since the last time, as loaders do.

        Only what one connection's fields ask for is sure to come to the loaders together.
        """
        asked, self._asked = self._asked, {}
        self._foresee([key for keys in asked.values() for key in keys])
        for keys in asked.values():
            served = plan(keys, partial(one_call, self._real.backend))
            # Not every cursor's window tells the total; where it does not, it is read by itself.
            totals = [
                key.counted()
                for key, read in served.items()
                if key != read and not read.window.plain
            ]
            for read in dict.fromkeys([*served.values(), *totals]):
                if read not in self._notes.lists:
                    self._notes.lists[read] = None
                    self._notes.add(_most_reads(read, self._real), _per(read, self._notes))

    def _foresee(self, keys: Sequence[ListOf]) -> None:
        """Note members that can be read before their group is there. In vain, where there is no
        such group: so no more than one call is risked. A total comes with a read of its list, and
        is not asked for ahead of that.
        """
        for key, read in plan(keys, partial(one_call, self._real.backend)).items():
            if isinstance(key, MembersOf) and _most_reads(read, self._real) == 1:
                self._notes.foresee(key)

    def answer(self, key: Key) -> Any:
        """A placeholder for what `key` asks for."""
        if not isinstance(key, GroupOf):
            if key.window.size > self._notes.longest.size:
                self._notes.longest = key.window
            if self._notes.cap is not None and key.window.size > self._notes.cap:
                key = replace(key, window=replace(key.window, size=self._notes.cap))
            self._asked.setdefault(self._notes.path[:-1], []).append(key)
        if key not in self._answers:
            self._answers[key] = self._answer(key)
        return self._answers[key]

    def several(self, items: Sequence[object]) -> list[object]:
        """Some of these placeholders for all: one for a tenant's groups, and each tenant once."""
        distinct = list({id(item): item for item in items}.values())
        groups: dict[str, list[CustomerGroup]] = {}
        others: dict[object, object] = {}
        for item in distinct:
            if isinstance(item, CustomerGroup):
                groups.setdefault(item.tenant_uid, []).append(item)
            else:
                others[item if isinstance(item, Tenant) else id(item)] = item
        shown = list(others.values())
        for tenant_uid, members in groups.items():
            if len(members) == 1:
                shown += members
            else:
                rows = Rows(self._notes.path, len(members))
                uid = self._notes.unknown_uid((rows,))
                self._notes.meant[uid] = [member.uid for member in members]
                shown.append(group(uid, tenant_uid))
        return shown

    def _answer(self, key: Key) -> Any:
        notes = self._notes
        match key:
            case GroupOf(tenant_uid, ref):
                uid = ref.uid if isinstance(ref, ById) else notes.unknown_uid(())
                if not (isinstance(ref, ById) and uid.startswith(UNKNOWN)):
                    notes.groups[key] = notes.path[:-1]
                return group(uid, tenant_uid)
            case GroupsOf() | MembersOf():
                return self._page(key)

    def _page(self, key: ListOf) -> Page[Any]:
        above = _per(key, self._notes)
        # Of a connection's fields: its own path is one step up.
        rows = Rows(self._notes.path[:-1], key.window.size)
        uid = self._notes.unknown_uid(None if above is None else (*above, rows))
        if isinstance(key, GroupsOf):
            return page(group(uid, key.tenant_uid))
        in_groups = (self._notes.unknown_uid(None),)
        return page(Customer(tenant_uid=key.tenant_uid, uid=uid, customer_group_uids=in_groups))


def _per(key: ListOf, notes: Notes) -> tuple[Rows, ...] | None:
    match key:
        case MembersOf(group=ById(uid)):
            return notes.per(uid)
        case _:
            return ()


def _most_reads(key: ListOf, context: Context) -> int:
    costs = context.backend(key.tenant_uid).costs
    match key:
        case GroupsOf():
            return costs.list_groups(key.window, order=key.order)
        case MembersOf():
            return costs.list_members(key.group, key.window, order=key.order)


def group(uid: str, tenant_uid: str) -> CustomerGroup:
    return CustomerGroup(tenant_uid=tenant_uid, uid=uid, name="")


def page(record: RowT) -> Page[RowT]:
    """A page of one row, which may be the last."""
    return Page(rows=[Row(0, record)], total=None, has_next=False, has_previous=False)


class _PlaceholderBackend:
    """A backend that notes what the real one would have called at most; see
    gateway.backends.port.Backend.
    """

    def __init__(self, real: Backend, tenant_uid: str, notes: Notes) -> None:
        self.kind = real.kind
        self.capabilities = real.capabilities
        self.cursor_kind = real.cursor_kind
        self.costs = real.costs
        self.waits = real.waits
        self._tenant = tenant_uid
        self._notes = notes

    async def get_groups(self, refs: Collection[GroupRef]) -> Mapping[GroupRef, CustomerGroup]:
        by_key = sum(isinstance(ref, ByKey) for ref in refs)
        self._notes.add(self.costs.get_groups(len(refs) - by_key, by_key))
        return {ref: self._group(ref) for ref in refs}

    async def list_groups(
        self, window: Window, *, order: GroupOrder | None = None
    ) -> Page[CustomerGroup]:
        self._notes.add(self.costs.list_groups(window, order=order))
        return page(self._group(None))

    async def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> Page[Customer]:
        self._notes.add(self.costs.list_members(group, window, order=order))
        uid = self._notes.unknown_uid(None)
        groups = (group.uid,) if isinstance(group, ById) else ()
        return page(Customer(tenant_uid=self._tenant, uid=uid, customer_group_uids=groups))

    async def create_group(self, draft: GroupDraft) -> CustomerGroup:
        self._notes.add(self.costs.create_group())
        return self._group(None if draft.uid is None else ById(draft.uid))

    async def update_group(
        self,
        group: GroupRef,
        changes: Sequence[GroupChange],
        *,
        expected_revision: str | None = None,
    ) -> CustomerGroup:
        self._notes.add(self.costs.update_group(expected_revision=expected_revision))
        return self._group(group)

    async def delete_group(
        self,
        group: GroupRef,
        *,
        expected_revision: str | None = None,
        only_if_empty: bool = False,
    ) -> str:
        self._notes.add(
            self.costs.delete_group(
                group, expected_revision=expected_revision, only_if_empty=only_if_empty
            )
        )
        return self._group(group).uid

    async def edit_members(
        self, group: GroupRef, *, add: Sequence[str], remove: Sequence[str]
    ) -> MembershipEdit:
        # Whom to remove is read first: then the edit is metered, and begun only if all of it fits.
        if not any(uid.startswith(UNKNOWN) for uid in remove):
            self._notes.add(self.costs.edit_members(add=len(add), remove=len(remove)))
        return MembershipEdit([])

    def _group(self, ref: GroupRef | None) -> CustomerGroup:
        uid = ref.uid if isinstance(ref, ById) else self._notes.unknown_uid(())
        return group(uid, self._tenant)
