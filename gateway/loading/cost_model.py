"""The cost model: placeholders for what would be read, and the REST calls that reading it takes.

While an operation's cost is estimated, these stand in for loaders and backends. They answer at
once, call nobody, and count what the real ones would call. One placeholder stands for all rows of a
window, however many there will be.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from gateway.backends.port import (
    Backend,
    ById,
    ByKey,
    CustomerOrder,
    EditOutcome,
    GroupDeletion,
    GroupDraft,
    GroupOrder,
    GroupRef,
    GroupUpdate,
    MembershipEdit,
    RestCalls,
    Window,
    most,
)
from gateway.loading.reads import GroupOf, GroupsOf, ListOf, MembersOf, ReadKey, one_call, plan
from gateway.records import Customer, CustomerGroup, Page, Row, RowT, Tenant

UNKNOWN: Final = "?"
"""What the uid of a placeholder begins with; no backend's uid can."""
MAX_PREFETCHED: Final = 1_000
"""More reads than that are not prefetched, but made when it is their turn."""


class Rows(NamedTuple):
    """The rows of one window, or the groups of one batch, which a client can't ask for in parts;
    `path` leads to its field in the response, without indexes.
    """

    path: tuple[str, ...]
    size: int
    batch: bool = False


class Placeholders:
    """What one operation would read; see gateway.engine.CostModel."""

    def __init__(
        self, backend: Callable[[str], Backend], *, limit: int | None, cap: int | None
    ) -> None:
        """`backend` gives the real ones by tenant, `limit` is of REST calls, `cap` of the rows of
        each window.
        """
        self.path: tuple[str, ...] = ()
        self.extra_calls = 0
        self.named = 0
        """The customers of changes."""
        self.scopes: set[str] = set()
        """The tenants at which calls are counted."""
        self.multiplied: tuple[str, ...] | None = None
        self.longest = "first", 0
        self._whole = 0
        """All calls that are counted."""
        self._changes = False
        """Whether some of them are those of changes."""
        self._divisible = 0
        """Those of batches, beyond the first group's: where they don't fit, some are not made."""
        self._looked_up, self._looked_up_divisible = 0, 0
        """Those that look groups up: all, and of batches beyond the first group's."""
        self._prefetched: list[MembersOf] = []
        self._backend = backend
        self._limit = limit
        self._cap = cap
        self._groups: dict[GroupOf, tuple[str, ...]] = {}
        """Groups that are looked up, each once however often it is asked for, and by which field.
        """
        self._lists: set[ListOf] = set()
        """Windows that are read, each once."""
        self._answers: dict[ReadKey, Any] = {}
        self._asked: dict[tuple[str, ...], list[ListOf]] = {}
        self._per: dict[str, tuple[Rows, ...] | None] = {}
        self._meant: dict[str, Sequence[str]] = {}
        """The uids of the groups that one stands in for, by its own."""
        self._numbers = itertools.count()

    @property
    def rest_calls(self) -> int:
        """All calls; if they don't fit and are those of a batch, as many as the limit allows."""
        if self._fits or self._whole - self._divisible > (self._limit or 0):
            return self._whole
        return self._limit or 0

    @property
    def reserved(self) -> int:
        """The calls that look-ups of groups leave for others. If all fits and nothing is changed,
        they may have those as well that lists, counted at their most, turn out not to need.
        """
        others = self._whole - self._looked_up
        if self._fits:
            return others if self._changes else 0
        return others - self._divisible + self._looked_up_divisible

    @property
    def prefetched(self) -> Sequence[MembersOf]:
        """Members that can be read before their group is there. If a batch does not fit, its groups
        go first.
        """
        return self._prefetched if self._fits else ()

    @property
    def _fits(self) -> bool:
        return self._limit is None or self._whole <= self._limit

    def backend(self, tenant_uid: str) -> Backend:
        """A placeholder of the tenant's backend."""
        return _PlaceholderBackend(self._backend(tenant_uid), tenant_uid, self)

    def answer(self, key: ReadKey) -> Any:
        """A placeholder for what `key` asks for."""
        if not isinstance(key, GroupOf):
            window = key.window
            if window.size > self.longest[1]:
                self.longest = "last" if window.from_end else "first", window.size
            if self._cap is not None and window.size > self._cap:
                key = replace(key, window=replace(window, size=self._cap))
            self._asked.setdefault(self.path[:-1], []).append(key)
        if key not in self._answers:
            self._answers[key] = self._answer(key)
        return self._answers[key]

    def several(self, items: Sequence[object]) -> list[object]:
        """Some of these placeholders for all: one for a tenant's groups, and each tenant once."""
        groups: dict[str, list[CustomerGroup]] = {}
        others: dict[object, object] = {}
        for item in {id(item): item for item in items}.values():
            if isinstance(item, CustomerGroup):
                groups.setdefault(item.tenant_uid, []).append(item)
            else:
                others[item if isinstance(item, Tenant) else id(item)] = item
        shown = list(others.values())
        for tenant_uid, members in groups.items():
            if len(members) == 1:
                shown += members
            else:
                uid = self.unknown_uid((Rows(self.path, len(members), batch=True),))
                self._meant[uid] = [member.uid for member in members]
                shown.append(group(uid, tenant_uid))
        return shown

    def end_of_tick(self) -> None:
        """Count the reads that serve what was asked for since the last time, as loaders do.

        Only what one connection's fields ask for is sure to come to the loaders together.
        """
        if not self._asked:
            return
        asked, self._asked = self._asked, {}
        self._note_prefetched([key for keys in asked.values() for key in keys])
        for keys in asked.values():
            served = plan(keys, partial(one_call, self._backend))
            # Not every cursor's window tells the total; where it does not, it is read by itself.
            totals = [
                key.counted()
                for key, read in served.items()
                if key != read and not read.window.plain
            ]
            for read in dict.fromkeys([*served.values(), *totals]):
                if read not in self._lists:
                    self._lists.add(read)
                    self.scopes.add(read.tenant_uid)
                    self.count(self._most_reads(read), self._rows_above(read), read=read)

    def forget(self) -> None:
        """Count a call for each group that was looked up, and how many more there may be. What was
        read until now is read again after this.
        """
        tenants: dict[str, list[GroupOf]] = {}
        for key in self._groups:
            tenants.setdefault(key.tenant_uid, []).append(key)
        for tenant_uid, keys in tenants.items():
            self._count_look_ups(tenant_uid, keys)
        divisible = len(self._groups) - len(set(self._groups.values()))
        self._looked_up_divisible += divisible
        self._divisible += divisible
        for known in (self._groups, self._lists, self._answers):
            known.clear()

    def _count_look_ups(self, tenant_uid: str, keys: Sequence[GroupOf]) -> None:
        by_id = sum([isinstance(key.ref, ById) for key in keys])
        # What the fields of one object ask for comes to the loaders together, or in parts.
        batches = len({self._groups[key][:-1] for key in keys})
        costs = self._backend(tenant_uid).costs
        least = costs.get_groups(by_id, len(keys) - by_id, batches=0)
        self.scopes.add(tenant_uid)
        self._looked_up += least
        self._whole += least
        self.extra_calls += costs.get_groups(by_id, len(keys) - by_id, batches=batches) - least

    def count(
        self, calls: int, per: tuple[Rows, ...] | None = (), *, read: ListOf | None = None
    ) -> None:
        """Count `calls`, multiplied by the rows of each of `per`. With None the factor has no
        bound: such calls are metered when they are made. `read` is what they are for.
        """
        if per is None or not calls:
            return
        for rows in per:
            calls *= rows.size
        self._whole += calls
        if per and per[0].batch:
            self._divisible += calls - calls // per[0].size
        if per and self.multiplied is None:
            self.multiplied = per[0].path

    def count_change(
        self, tenant_uid: str, calls: Sequence[RestCalls], per: tuple[()] | None = ()
    ) -> None:
        """Count the calls of a change."""
        self._changes = True
        self.scopes.add(tenant_uid)
        self.count(most(calls), per)

    def unknown_uid(self, per: tuple[Rows, ...] | None) -> str:
        """The uid of a placeholder for the rows of each of `per`; None: their number is unknown."""
        uid = f"{UNKNOWN}{next(self._numbers)}"
        self._per[uid] = per
        return uid

    def _note_prefetched(self, keys: Sequence[ListOf]) -> None:
        """Note what can be prefetched. In vain, where there is no
        such group: so no more than one call is risked. A total comes with a read of its list, and
        is not asked for ahead of that.
        """
        for key, read in plan(keys, partial(one_call, self._backend)).items():
            if isinstance(key, MembersOf) and self._most_reads(read) == 1:
                self._prefetched += itertools.islice(
                    self._known(key), MAX_PREFETCHED - len(self._prefetched)
                )

    def _known(self, key: MembersOf) -> Iterator[MembersOf]:
        """The lists that `key` stands for, of groups that the arguments name."""
        if isinstance(key.group, ById):
            for uid in self._meant.get(key.group.uid, [key.group.uid]):
                if not uid.startswith(UNKNOWN):
                    yield replace(key, group=ById(uid))

    def _answer(self, key: ReadKey) -> Any:
        match key:
            case GroupOf(tenant_uid, ref):
                uid = ref.uid if isinstance(ref, ById) else self.unknown_uid(())
                if not (isinstance(ref, ById) and uid.startswith(UNKNOWN)):
                    self._groups[key] = self.path
                return group(uid, tenant_uid)
            case GroupsOf() | MembersOf():
                return self._page(key)

    def _page(self, key: ListOf) -> Page[Any]:
        above = self._rows_above(key)
        # Of a connection's fields: its own path is one step up.
        rows = Rows(self.path[:-1], key.window.size)
        uid = self.unknown_uid(None if above is None else (*above, rows))
        if isinstance(key, GroupsOf):
            return page(group(uid, key.tenant_uid))
        in_groups = (self.unknown_uid(None),)
        return page(Customer(tenant_uid=key.tenant_uid, uid=uid, customer_group_uids=in_groups))

    def _rows_above(self, key: ListOf) -> tuple[Rows, ...] | None:
        """The rows for each of which the list is read."""
        match key:
            case MembersOf(group=ById(uid)):
                return self._per.get(uid, ())
            case _:
                return ()

    def _most_reads(self, key: ListOf) -> int:
        costs = self._backend(key.tenant_uid).costs
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
    """A backend that counts what the real one would call at most; see gateway.backends.port."""

    def __init__(self, real: Backend, tenant_uid: str, placeholders: Placeholders) -> None:
        self.kind = real.kind
        self.capabilities = real.capabilities
        self.cursor_kind = real.cursor_kind
        self.costs = real.costs
        self.waits = real.waits
        self._tenant = tenant_uid
        self._model = placeholders
        self._count = partial(placeholders.count_change, tenant_uid)

    async def get_groups(self, refs: Collection[GroupRef]) -> Mapping[GroupRef, CustomerGroup]:
        by_key = sum(isinstance(ref, ByKey) for ref in refs)
        templates = self.costs.templates
        template = templates.group_by_key if by_key else templates.group
        self._get(template, self.costs.get_groups(len(refs) - by_key, by_key))
        return {ref: self._group(ref) for ref in refs}

    async def list_groups(
        self, window: Window, *, order: GroupOrder | None = None
    ) -> Page[CustomerGroup]:
        self._get(self.costs.templates.groups, self.costs.list_groups(window, order=order))
        return page(self._group(None))

    async def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> Page[Customer]:
        calls = self.costs.list_members(group, window, order=order)
        self._get(self.costs.templates.members, calls)
        self._get(self.costs.templates.members, 1, None)  # there may be more pages
        groups = (group.uid,) if isinstance(group, ById) else ()
        uid = self._model.unknown_uid(None)
        return page(Customer(tenant_uid=self._tenant, uid=uid, customer_group_uids=groups))

    async def create_group(self, draft: GroupDraft) -> CustomerGroup:
        self._count(self.costs.write(draft))
        return self._group(None if draft.uid is None else ById(draft.uid))

    async def update_group(self, update: GroupUpdate) -> CustomerGroup:
        self._count(self.costs.write(update))
        return self._group(update.group)

    async def delete_group(self, deletion: GroupDeletion) -> str:
        self._count(self.costs.write(deletion))
        return self._group(deletion.group).uid

    async def edit_members(self, edit: MembershipEdit) -> EditOutcome:
        # Whom to remove is read first: then the edit is metered, and begun only if all of it fits.
        known = not any(uid.startswith(UNKNOWN) for uid in edit.remove)
        self._model.named += len(edit)
        calls = self.costs.write(edit)
        self._count(calls, () if known else None)
        self._count(calls[-1:], None)  # there may be more, to find out who is refused
        return EditOutcome([])

    def _get(self, template: str, calls: int, per: tuple[()] | None = ()) -> None:
        self._count([RestCalls("GET", template, calls)], per)

    def _group(self, ref: GroupRef | None) -> CustomerGroup:
        uid = ref.uid if isinstance(ref, ById) else self._model.unknown_uid(())
        return group(uid, self._tenant)
