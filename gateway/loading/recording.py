"""What a cost estimate counts, call by call: of which template, in which hop, for which fields.

A hop is what can be sent at once; what needs an earlier answer comes in a later one. Calls are
recorded where Placeholders counts them, so that together they are exactly the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.backends.port import Backend, ById, ReadTemplates, RestCalls
from gateway.loading.cost_model import Placeholders, Rows
from gateway.loading.reads import (
    GroupOf,
    GroupsOf,
    ListOf,
    MembersOf,
    ReadKey,
    empty,
    one_call,
    plan,
)

Path = tuple[str, ...]
"""Of a field in the response, without indexes."""
Change = Callable[[Path, ListOf], ListOf]
"""From a connection's path and what it asks for to what is asked for in its place."""


@dataclass(slots=True, eq=False, kw_only=True)
class EstimatedCall:
    """REST calls of one template in one hop."""

    tenant_uid: str
    method: str
    template: str
    at_most: int = 0
    metered: bool = False
    """Whether there may be more of them, which nobody knows ahead."""
    paths: dict[Path, bool] = field(default_factory=dict)
    """The fields that they serve, in order, and whether they are made for them."""
    or_pages_of: str | None = None
    """The list of which pages may be read in place of groups one by one."""
    per: Sequence[Rows] = ()
    """The rows for each of which they are made."""
    read: ListOf | GroupOf | None = None
    hop: float = math.inf
    divisible: int = 0
    """How many of them are made only if they fit."""
    extra: int = 0
    """How many more may be made if there is room."""
    ahead: bool = False
    """Whether it can be read before its parent is there."""
    after: EstimatedCall | None = None
    """Whose answer it needs, beside that of its parent."""


class Recorded(Placeholders):
    """Placeholders that record what they count: for those who want to know, since it takes longer.
    With `change`, as if something else was asked for.
    """

    def __init__(
        self, backend: Callable[[str], Backend], *, limit: int | None, change: Change | None
    ) -> None:
        super().__init__(backend, limit=limit, cap=None)
        self._change = change
        self._asks: list[list[tuple[Path, EstimatedCall]]] = [[]]
        """Which field asks for what, in order; a list for each of several changes."""
        self._calls: dict[ReadKey, EstimatedCall] = {}
        self._now: dict[Path, dict[ListOf, dict[Path, None]]] = {}

    def answer(self, key: ReadKey) -> Any:
        if isinstance(key, GroupOf):
            value = super().answer(key)
            self._ask(self.path, self._call(key))
            return value
        connection = self.path[:-1]
        if self._change is not None:
            key = self._change(connection, key)
        self._now.setdefault(connection, {}).setdefault(key, {})[self.path] = None
        return super().answer(key)

    def end_of_tick(self) -> None:
        super().end_of_tick()
        now, self._now = self._now, {}
        for connection, asked in now.items():
            for key, read in plan([*asked], partial(one_call, self._backend)).items():
                call = self._call(read)
                if key != read and not read.window.plain:
                    total = self._call(key.counted())
                    total.after = total.after or call
                    call = total
                for path in asked[key]:
                    self._ask(path if empty(key) else connection, call, path)

    def count(
        self, calls: int, per: tuple[Rows, ...] | None = (), *, read: ListOf | None = None
    ) -> None:
        whole, divisible = self._whole, self._divisible
        super().count(calls, per, read=read)
        if read is not None:
            call = self._call(read)
            call.at_most, call.divisible = self._whole - whole, self._divisible - divisible
            call.per, call.metered = per or (), per is None and calls > 0
            call.ahead = isinstance(read, MembersOf) and calls == 1 and any(self._known(read))

    def count_change(
        self, tenant_uid: str, calls: Sequence[RestCalls], per: tuple[()] | None = ()
    ) -> None:
        super().count_change(tenant_uid, calls, per)
        for method, template, at_most in calls:
            last = self._asks[-1][-1][1] if self._asks[-1] else None
            if per is None and last and (last.method, last.template) == (method, template):
                last.metered = True
                continue
            call = EstimatedCall(
                tenant_uid=tenant_uid, method=method, template=template, after=last
            )
            call.at_most, call.metered = (0, True) if per is None else (at_most, False)
            self._ask(self.path, call)

    def forget(self) -> None:
        super().forget()
        self._calls.clear()
        self._asks.append([])

    def _count_look_ups(self, tenant_uid: str, keys: Sequence[GroupOf]) -> None:
        extra = self.extra_calls
        super()._count_look_ups(tenant_uid, keys)
        by_id = [key for key in keys if isinstance(key.ref, ById)]
        if by_id:
            self._call(by_id[-1]).extra = self.extra_calls - extra
        first = {path: key for key, path in reversed(self._groups.items())}
        for key in keys:
            self._call(key).divisible = int(first[self._groups[key]] is not key)

    def _call(self, key: ReadKey) -> EstimatedCall:
        """The calls that read it; how many of a list is known once they are counted."""
        call = self._calls.get(key)
        if call is None:
            costs = self._backend(key.tenant_uid).costs
            templates = costs.templates
            call = EstimatedCall(
                tenant_uid=key.tenant_uid, method="GET", template=templates.members, read=key
            )
            self._calls[key] = call
            if isinstance(key, GroupsOf):
                call.template = templates.groups
            elif isinstance(key, GroupOf):
                by_id = isinstance(key.ref, ById)
                call.template = templates.group if by_id else templates.group_by_key
                call.metered = key not in self._groups
                if not call.metered:
                    call.at_most = costs.get_groups(by_id, not by_id, batches=0)
        return call

    def _ask(self, path: Path, call: EstimatedCall, at: Path | None = None) -> None:
        """`at` is the path at which the answer is waited for, if that is another."""
        call.paths.setdefault(path, not call.paths)
        self._asks[-1].append((at or path, call))

    # -- what was recorded

    def hops(self, planned: int) -> Sequence[Sequence[EstimatedCall]]:
        """The calls of each hop, together as many as are `planned`."""
        asks = [ask for asks in self._asks for ask in asks]
        while self._settle():
            pass
        found: dict[float, dict[object, EstimatedCall]] = {}
        for call in dict.fromkeys([call for _, call in asks]):
            if call.at_most or call.metered:
                calls = found.setdefault(call.hop, {})
                if isinstance(call.read, GroupOf):
                    _merge(calls, call, self._backend(call.tenant_uid).costs.templates)
                else:
                    calls[call] = call
        hops = [[*found[hop].values()] for hop in sorted(found)]
        every = [call for calls in hops for call in calls]
        excess = sum([call.at_most + call.extra for call in every]) - planned
        for call in every:
            cut = min(excess, call.extra)
            excess -= cut
            call.at_most += call.extra - cut
        for call in reversed(every):
            cut = min(excess, call.divisible)
            excess -= cut
            call.at_most -= cut
        return hops

    def _settle(self) -> bool:
        """Put each call into the first hop in which it can be sent; whether any is earlier than was
        known before.
        """
        earlier, base = False, 0.0
        for asks in self._asks:
            answered: dict[Path, float] = {}
            for path, call in asks:
                above = max([answered.get(path[:end], base) for end in range(len(path))])
                hop = 1 + max(above, call.after.hop if call.after else 0)
                if call.ahead and self._fits and not self._changes:
                    hop = 1
                if hop < call.hop:
                    earlier, call.hop = True, hop
                answered[path] = max(above, call.hop, answered.get(path, 0))
            base = max([base, *answered.values()])
        return earlier


def _merge(
    calls: dict[object, EstimatedCall], call: EstimatedCall, templates: ReadTemplates
) -> None:
    """Add a group that is looked up in the same hop as others."""
    with_others = calls.setdefault((call.tenant_uid, call.template), call)
    if with_others is not call:
        for path, made_for in call.paths.items():
            with_others.paths[path] = made_for or with_others.paths.get(path, False)
        with_others.at_most += call.at_most
        with_others.extra += call.extra
        with_others.divisible += call.divisible
        with_others.metered |= call.metered
    several = with_others.at_most > 1 and call.template == templates.group
    if several or with_others.extra or with_others.metered:
        with_others.or_pages_of = templates.groups
