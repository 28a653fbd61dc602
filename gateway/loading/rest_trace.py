"""What the REST calls of one operation did: when, with which answer, and for which fields.

Made for operations whose responses show it, and handed to the loaders, who say which keys a read
serves, and to the REST client, which says what it sends. Why a call is made goes along in a
context variable, for a read is made in tasks of its own: a call is in a hop behind all those whose
answers have led to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.backends.port import ById, GroupRef, UpstreamCall
from gateway.loading.reads import GroupOf, MembersOf, ReadKey, empty
from gateway.records import CustomerGroup

MOST: Final = 200
"""How many calls are listed; a response should not grow much by them."""
MOST_FIELDS: Final = 50
"""Of each call."""
Path = tuple[str, ...]
"""Response keys that lead to a field, without indexes."""
Paths = dict[Path, None]
"""Each once, in order."""


@dataclass(slots=True, eq=False)
class TracedCall:
    """An attempt to make a REST call; or, with `of`, fields that were answered by another call."""

    event: UpstreamCall
    hop: int
    start: float
    end: float
    fields: Sequence[Paths]
    of: TracedCall | None = None
    size: int | None = None
    rows: int | None = None
    """Both are set by the REST client, for answers that adapters read."""
    reused: Paths = field(default_factory=dict)
    """Fields that it has answered beside those it was made for."""

    @property
    def ok(self) -> bool:
        return self.event.status is not None and self.event.status < 300

    def serves(self, path: Path) -> bool:
        return path in self.reused or any(path in paths for paths in self.fields)

    def shown(self, began: float) -> dict[str, Any]:
        event = self.event
        cause = event.cause or ("cancelled" if event.status is None else None)
        paths = dict.fromkeys(path for paths in self.fields for path in paths)
        return {
            "hop": self.hop,
            "backend": event.backend,
            "tenant": event.tenant,
            "method": event.method,
            "template": event.template,
            "start": round((self.start - began) * 1000, 2),
            "end": round((self.end - began) * 1000, 2),
            "attempt": event.attempt,
            "status": event.status,
            **({"cause": cause} if cause else {}),
            "rows": (self.of or self).rows,
            "bytes": self.size,
            "fields": [".".join(path) for path in paths][:MOST_FIELDS],
            "source": "operation" if self.of else "network",
        }


@dataclass(slots=True, eq=False)
class _Asked:
    """A key, by the fields that ask for it."""

    name: str | None
    """Of a group: what a call for it alone has in its path."""
    paths: Paths = field(default_factory=dict)
    call: TracedCall | None = None
    """The last one that was made for it, or that has shown the group before."""


@dataclass(slots=True, eq=False)
class Purpose:
    """What calls are made for."""

    asked: list[_Asked] = field(default_factory=list)
    hop: int | None = None
    """The last one that is known to have been answered; None before the first call."""
    call: TracedCall | None = None
    """The last one."""
    of_groups: bool = True
    """Whether its answers show groups."""

    def begin(self) -> None:
        """The current task, and those that it begins, call for this from now on."""
        _NOW.set(_Step(self))


@dataclass(slots=True, eq=False)
class _Step:
    """What the current task is about: one call, and its repeats."""

    purpose: Purpose
    only: Sequence[_Asked] = ()
    """Those that the call is for; empty if it is for all."""
    hop: int = 0
    due: bool = False
    """Whether the hop is that of a call which still waits for its turn."""
    began: float = 0.0
    call: TracedCall | None = None

    @property
    def asked(self) -> Sequence[_Asked]:
        return self.only or self.purpose.asked


_NOW: Final[ContextVar[_Step]] = ContextVar("_NOW")


class RestTrace:
    """The REST calls of one operation; a gateway.rest.CallLog."""

    def __init__(self) -> None:
        self.calls: list[TracedCall] = []
        self.dropped = 0
        """REST calls that are not listed."""
        self._asked: dict[ReadKey, _Asked] = {}
        self._hops: dict[Path, int] = {}
        """The last hop that has answered the field."""
        self._last = 0
        self._latest: dict[str, TracedCall] = {}
        """By tenant, the latest call that has shown groups."""
        self._reuses: dict[tuple[int, int], TracedCall] = {}

    def shown(self, began: float, *, planned: int, made: int) -> dict[str, Any]:
        """As JSON has it, in milliseconds since `began`, in the order of beginnings."""
        calls = sorted(self.calls, key=lambda call: call.start)
        dropped = {"dropped": self.dropped} if self.dropped else {}
        listed = {"calls": [call.shown(began) for call in calls]}
        return {"planned": planned, "made": made, **dropped, **listed}

    # -- called by loaders

    def change(self, path: Path) -> None:
        """The current task begins a change, which waits for all that was before it."""
        Purpose([_Asked(None, {path: None})], self._last).begin()

    def ask(self, key: ReadKey, path: Path) -> None:
        """The field at `path` asks for the key. A connection's fields ask as the connection."""
        path = path if isinstance(key, GroupOf) or empty(key) else path[:-1]
        asked = self._of(key)
        call = asked.call
        made_for_it = call is None or any(paths is asked.paths for paths in call.fields)
        if call is not None and call.ok and (asked.paths or not made_for_it):
            self._reuse(call, [path], 1 + self._above([path]))
        else:
            asked.paths[path] = None
            self._reached([path], 0 if call is None else call.hop)

    def serving(self, purpose: Purpose | None, keys: Collection[ReadKey]) -> Purpose:
        """The purpose, or a new one, for these keys as well."""
        if purpose is None:
            purpose = Purpose(of_groups=not any(isinstance(key, MembersOf) for key in keys))
        asked = [self._of(key) for key in keys]
        if purpose.call is None:
            purpose.asked += asked
        else:
            self._answered_by(purpose.call, asked)
        return purpose

    def found(self, keys: Iterable[GroupOf], groups: Mapping[GroupRef, object]) -> None:
        """These were answered: those that no call was made for, by what others had shown."""
        for key in keys:
            asked, group = self._of(key), groups.get(key.ref)
            latest = self._latest.get(key.tenant_uid)
            if asked.call is None and latest and not isinstance(group, Exception):
                self._answered_by(latest, [asked])
            if isinstance(group, CustomerGroup):
                self._see(group, asked.call)

    def saw(self, groups: Iterable[CustomerGroup]) -> None:
        """The current task has shown these, which nobody need ask for any more."""
        step = _NOW.get(None) or _Step(Purpose())
        for group in groups:
            self._see(group, step.purpose.call)

    def forget(self) -> None:
        """What was read is read again."""
        self._asked.clear()
        self._latest.clear()

    # -- called by the REST client

    def due(self) -> None:
        purpose = _NOW.get().purpose
        _NOW.set(_Step(purpose, hop=self._next(purpose), due=True))

    def begin(self, names: Sequence[str]) -> None:
        step = _NOW.get(None) or _Step(Purpose())
        purpose = step.purpose
        only = [asked for asked in purpose.asked if asked.name in names[1:]]
        hop = step.hop if step.due else self._next(purpose)
        _NOW.set(_Step(purpose, only, hop, began=_time()))

    def note(self, event: UpstreamCall) -> TracedCall:
        step, now = _NOW.get(), _time()
        purpose, asked = step.purpose, step.asked
        fields = [each.paths for each in asked]
        call = TracedCall(event, step.hop, now - event.seconds, now, fields)
        step.call = purpose.call = call
        purpose.hop = max(purpose.hop or 0, step.hop)
        self._last = max(self._last, step.hop)
        if purpose.of_groups and call.ok:
            self._latest[event.tenant] = call
        for each in asked:
            each.call = call
            self._reached(each.paths, step.hop)
        if len(self.calls) < MOST:
            self.calls.append(call)
        else:
            self.dropped += 1
        return call

    @property
    def last(self) -> TracedCall:
        call = _NOW.get().call
        assert call is not None  # noqa: S101  # it was sent
        return call

    def answered(self, call: object) -> None:
        step = _NOW.get()
        if isinstance(call, TracedCall) and call is not step.call:
            step.purpose.call = call
            step.purpose.hop = max(step.purpose.hop or 0, step.hop)
            self._answered_by(call, step.asked, step.hop, step.began)

    # -- hops

    def _of(self, key: ReadKey) -> _Asked:
        asked = self._asked.get(key)
        if asked is None:
            ref = key.ref if isinstance(key, GroupOf) else None
            name = None if ref is None else ref.uid if isinstance(ref, ById) else ref.key
            asked = self._asked[key] = _Asked(name)
        return asked

    def _see(self, group: CustomerGroup, call: TracedCall | None) -> None:
        asked = self._of(GroupOf(group.tenant_uid, ById(group.uid)))
        asked.call = asked.call or call

    def _answered_by(
        self, call: TracedCall, asked: Sequence[_Asked], hop: int = 0, began: float | None = None
    ) -> None:
        paths = [path for each in asked for path in each.paths]
        self._reuse(call, paths, hop or 1 + self._above(paths), began)
        for each in asked:
            each.call = call

    def _reuse(
        self, call: TracedCall, paths: Collection[Path], hop: int, began: float | None = None
    ) -> None:
        """The fields are answered by a call that was made for others."""
        new = dict.fromkeys(path for path in paths if not call.serves(path))
        if not new:
            return
        self._reached(new, hop)
        now = _time()
        here = id(call), hop
        if here not in self._reuses:
            began = now if began is None else began
            self._reuses[here] = TracedCall(call.event, hop, began, now, [{}], of=call)
            if len(self.calls) < MOST:
                self.calls.append(self._reuses[here])
        self._reuses[here].end = now
        self._reuses[here].fields[0].update(new)
        call.reused.update(new)

    def _next(self, purpose: Purpose) -> int:
        if purpose.hop is None:
            purpose.hop = self._above([path for each in purpose.asked for path in each.paths])
        return purpose.hop + 1

    def _above(self, paths: Iterable[Path]) -> int:
        """The last hop that has answered a field above one of these."""
        hops = self._hops
        return max(
            (hops.get(path[:end], 0) for path in paths for end in range(1, len(path))), default=0
        )

    def _reached(self, paths: Iterable[Path], hop: int) -> None:
        for path in paths:
            self._hops[path] = max(self._hops.get(path, 0), hop)


def _time() -> float:
    return asyncio.get_running_loop().time()
