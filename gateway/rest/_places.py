"""Fair places: how many calls are under way at once, and which waiting call is next.

A call that hangs keeps its place until the timeout, so hanging calls take all places within a few
seconds. Which calls will hang is not known ahead. But if a call was answered quickly a moment ago,
the next one with its token, to its endpoint and tenant, most likely will be too; and while calls
are under way for long, no more of their kind should be started.

So places come in three bands. A *sure* call may take any free place, a *hopeful* one (nothing is
known against it) all but a few, and any other call only the *common* places: all but a quarter.
The quarter is reserved only while some calls are answered quickly. If every answer takes seconds,
all places are for all. A group gets few of the reserved places, so that sure calls which all begin
to hang at once do not take them either.

Waiting calls are served in turns: first by tenant and endpoint, and within one, by operation. The
first call of an operation has its turn beside those of operations already begun, of which each has
`TURN` calls served before the next: operations that began together, and took one call each in turn,
would all end together, and hold all that they have read until then. This module knows no event
loop, and no time but what `clock` says.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final

COMMON: Final = 0
HOPEFUL: Final = 1
SURE: Final = 2

RECENT: Final = 2.0
"""Seconds: while somebody was answered quickly within them, a quarter of the places is kept."""
REMEMBERED: Final = 60.0
"""Seconds for which a quick or a slow answer says something of the next; while a quick one does, a
sixteenth of the places is kept at least."""
MAX_GROUPS: Final = 1_024
MAX_SURE: Final = 4_096
WAITING: Final = 32
"""Calls of each band that may wait for each place: 20 operations of 91 calls fit."""
TURN: Final = 20
"""Calls of one operation: a page of groups, by default, has as many lists of members."""


class Full(Exception):
    """No more may wait; it may be otherwise in `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Flow:
    """One operation on one tenant, with one token. `token` is a digest."""

    __slots__ = ("keys", "tenant", "token")

    def __init__(self, tenant: str, token: bytes) -> None:
        self.tenant = tenant
        self.token = token
        self.keys: dict[str, _Key] = {}


class _Group:
    """The calls to one endpoint of one tenant."""

    __slots__ = ("answered", "doubt", "held", "late", "name", "running", "slow_at", "waiting")

    def __init__(self, name: tuple[str, str]) -> None:
        self.name = name
        self.running = 0
        self.held = [0, 0, 0]
        """Places, by band."""
        self.late = 0
        """Calls under way for so long already that they are slow."""
        self.slow_at = -math.inf
        """When a call was last found to be slow; since then, none was quick while none was late."""
        self.doubt = -math.inf
        """When a call began that was sure and is late: who was last answered before, hangs too."""
        self.answered = False
        self.waiting = 0


_Key = tuple[_Group, bytes]


class Place:
    """What a call that is under way has, until it leaves."""

    __slots__ = ("band", "began", "key", "late", "was_sure")

    def __init__(self, key: _Key, band: int, began: float) -> None:
        self.key = key
        self.band = band
        self.began = began
        self.late = False
        self.was_sure = False
        """Whether its key was, until this call was found to be slow."""


class _Queue:
    """Calls of one operation to one endpoint, which wait."""

    __slots__ = ("begun", "key", "name", "ring", "served", "tickets")

    def __init__(self, name: tuple[Flow, _Key], ring: int) -> None:
        self.name = name
        self.key = name[1]
        self.ring = ring
        self.begun = False
        """Whether one of them was served."""
        self.served = 0
        self.tickets: deque[Ticket] = deque()


class Ticket:
    """What a waiting call has. `grant` is called with its place."""

    __slots__ = ("grant", "queue")

    def __init__(self, queue: _Queue, grant: Callable[[Place], None]) -> None:
        self.queue = queue
        self.grant = grant


_Ring = dict[tuple[_Group, bool], dict[_Queue, None]]
"""For each group, the queues that are begun and those that are not."""


class Places:
    """Those of one upstream. Who has taken one, leaves it; who waits for one and does not want it
    any more, withdraws.
    """

    def __init__(self, capacity: int, *, slow: float, clock: Callable[[], float]) -> None:
        """A call is slow that takes `slow` seconds."""
        self._capacity = capacity
        self._slow = slow
        self._clock = clock
        self._max_waiting = WAITING * capacity
        self._quotas = (0, max(1, capacity // 32), max(1, capacity // 12))
        """How many places beyond the common ones a group may have, by band."""
        self._running = 0
        self._held = [0, 0, 0]
        self._young: dict[Place, None] = {}
        """Places of calls that are not late, the first one first."""
        self._groups: dict[tuple[str, str], _Group] = {}
        self._sure: dict[_Key, float] = {}
        """When each was last answered quickly; the last one is last."""
        self._rings: tuple[_Ring, _Ring, _Ring] = ({}, {}, {})
        self._waits = [0, 0, 0]
        self._turn = 0
        self._queues: dict[tuple[Flow, _Key], _Queue] = {}
        self._by_key: dict[_Key, dict[_Queue, None]] = {}
        self._pace = 0.0

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return sum(self._waits)

    def take(self, flow: Flow, template: str) -> Place | None:
        """A place; None where the call has to wait, if only because others do."""
        if self._running >= self._capacity or self._queues:
            return None
        now = self._clock()
        key = flow.keys.get(template) or self._key(flow, template)
        if self._running * 2 < self._capacity:
            return self._occupy(key, COMMON, now)  # there is room for anyone
        self._sweep(now)
        band = self._band(key[0], self._wish(key, now), self._kept(now))
        return None if band is None else self._occupy(key, band, now)

    def wait(self, flow: Flow, template: str, grant: Callable[[Place], None]) -> Ticket:
        """Queue for a place, which may be there before this returns; raises Full."""
        now = self._clock()
        key = flow.keys.get(template) or self._key(flow, template)
        group = key[0]
        ring = self._wish(key, now)
        # A group without waiting calls may still queue after others have filled the queue.
        room = self._max_waiting if group.waiting else self._max_waiting * 9 // 8
        if self._waits[ring] >= room:
            raise Full(max(1.0, math.ceil(self._waits[ring] / self._capacity * self._pace)))
        name = (flow, key)
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = _Queue(name, ring)
            self._enter_ring(queue)
            self._by_key.setdefault(key, {})[queue] = None
        ticket = Ticket(queue, grant)
        queue.tickets.append(ticket)
        self._waits[queue.ring] += 1
        group.waiting += 1
        self._serve(now)
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """The call got no place, and needs none any more."""
        ticket.queue.tickets.remove(ticket)
        self._gone(ticket.queue)

    def leave(self, place: Place, *, answered: bool, accepted: bool) -> None:
        """The call is over. `answered` says whether a status came, `accepted` whether that status
        did not refuse the token.
        """
        now = self._clock()
        key = place.key
        group = key[0]
        self._young.pop(place, None)
        self._running -= 1
        self._held[place.band] -= 1
        group.running -= 1
        group.held[place.band] -= 1
        if place.late:
            group.late -= 1
        took = now - place.began
        self._pace += (took - self._pace) / 16
        if took >= self._slow:
            group.answered = group.answered or answered
            self._slowly(place, now)
            if answered and accepted and place.was_sure:
                # It did not hang; perhaps this process was too busy to look at it any sooner.
                self._sure[key] = place.began
        elif answered and accepted:
            group.answered = True
            if not group.late:
                group.slow_at = -math.inf
            self._quick(key, now)
        elif not (group.running or group.waiting or group.answered) and group.slow_at < 0:
            # Nothing is known of the group: made-up tenants and tokens leave nothing behind.
            self._groups.pop(group.name, None)
        if self._queues:
            self._serve(now)

    def tick(self) -> None:
        """Serve waiting calls that get room because time has passed."""
        self._serve(self._clock())

    # -- who may have one

    def _kept(self, now: float) -> int:
        """How many places are not for everybody."""
        if not self._sure:
            return 0
        age = now - next(reversed(self._sure.values()))
        if age <= RECENT:
            return self._capacity // 4
        return self._capacity // 16 if age <= REMEMBERED else 0

    def _wish(self, key: _Key, now: float) -> int:
        quick_at = self._sure.get(key)
        group = key[0]
        if quick_at is not None and quick_at >= group.doubt and now - quick_at <= REMEMBERED:
            return SURE
        return COMMON if group.late or now - group.slow_at <= REMEMBERED else HOPEFUL

    def _band(self, group: _Group, wish: int, kept: int) -> int | None:
        """Where a call of `group` that wishes for a band may have a place, if anywhere."""
        common = self._held[COMMON]
        free = self._capacity - common - self._held[HOPEFUL] - kept // 2
        if free > 0:
            # What has never answered may be hanging, and leaves room for who comes later.
            least = kept if group.answered else max(kept, self._capacity // 16)
            if common < self._capacity - least:
                return COMMON
        if group.held[wish] < self._quotas[wish] and (free > 0 or wish == SURE):
            return wish
        return None

    def _occupy(self, key: _Key, band: int, now: float) -> Place:
        place, group = Place(key, band, now), key[0]
        self._running += 1
        self._held[band] += 1
        group.running += 1
        group.held[band] += 1
        self._young[place] = None
        return place

    # -- what is known

    def _key(self, flow: Flow, template: str) -> _Key:
        name = (flow.tenant, template)
        group = self._groups.pop(name, None)
        if group is None:
            group = _Group(name)
            if len(self._groups) >= MAX_GROUPS:
                # The one that was asked for last so long ago that nothing of it is left to do.
                idle = (g for g in self._groups.values() if not g.running and not g.waiting)
                for oldest in idle:
                    del self._groups[oldest.name]
                    break
        self._groups[name] = group
        key = flow.keys[template] = (group, flow.token)
        return key

    def _quick(self, key: _Key, now: float) -> None:
        known = self._sure.pop(key, None)
        self._sure[key] = now
        if known is not None:
            return
        if len(self._sure) > MAX_SURE:
            del self._sure[next(iter(self._sure))]
        for queue in self._by_key.get(key, ()):
            self._move(queue, SURE)

    def _slowly(self, place: Place, now: float) -> None:
        group = place.key[0]
        group.slow_at = now
        if self._sure.pop(place.key, None) is not None:
            place.was_sure = True
            group.doubt = max(group.doubt, place.began)

    def _sweep(self, now: float) -> None:
        """Find who is late; such a call has a common place, however it came by it."""
        while self._young:
            place = next(iter(self._young))
            if now - place.began < self._slow:
                return
            del self._young[place]
            group = place.key[0]
            place.late = True
            group.late += 1
            self._slowly(place, now)
            for held in (self._held, group.held):
                held[place.band] -= 1
                held[COMMON] += 1
            place.band = COMMON

    # -- who is next

    def _serve(self, now: float) -> None:
        self._sweep(now)
        kept = self._kept(now)
        while self._queues and self._running < self._capacity:
            for ring in (self._turn, self._turn - 1, self._turn - 2):
                found = self._next(ring % 3, now, kept)
                if found is not None:
                    break
            else:
                return
            self._turn = (self._turn + 1) % 3
            queue, band = found
            ticket = queue.tickets.popleft()
            self._rotate(queue)
            place = self._occupy(queue.key, band, now)
            self._gone(queue)
            ticket.grant(place)

    def _next(self, wish: int, now: float, kept: int) -> tuple[_Queue, int] | None:
        """Whose turn it is among those who wish for this band, and where its place is."""
        free = self._capacity - self._held[COMMON]
        if wish != SURE and free - self._held[HOPEFUL] <= kept // 2:
            return None
        if wish == COMMON and free <= kept:
            return None
        ring = self._rings[wish]
        moved = True
        while moved:
            moved = False
            for (group, _), queues in ring.items():
                queue = next(iter(queues))
                actual = self._wish(queue.key, now)
                if actual != wish:
                    self._move(queue, actual)
                    moved = True
                    break  # for the ring has changed
                band = self._band(group, wish, kept)
                if band is not None:
                    return queue, band
        return None

    def _rotate(self, queue: _Queue) -> None:
        """Others come first the next time: other groups, and after a turn other operations."""
        ring, name = self._rings[queue.ring], (queue.key[0], queue.begun)
        ring[name] = ring.pop(name)
        queue.served += 1
        if not queue.begun or queue.served % TURN == 0:
            self._leave_ring(queue)
            queue.begun = True
            self._enter_ring(queue)

    def _move(self, queue: _Queue, ring: int) -> None:
        if queue.ring == ring:
            return
        self._waits[queue.ring] -= len(queue.tickets)
        self._waits[ring] += len(queue.tickets)
        self._leave_ring(queue)
        queue.ring = ring
        self._enter_ring(queue)

    def _gone(self, queue: _Queue) -> None:
        """One call fewer waits."""
        self._waits[queue.ring] -= 1
        queue.key[0].waiting -= 1
        if queue.tickets:
            return
        self._leave_ring(queue)
        del self._queues[queue.name]
        queues = self._by_key[queue.key]
        del queues[queue]
        if not queues:
            del self._by_key[queue.key]

    def _enter_ring(self, queue: _Queue) -> None:
        self._rings[queue.ring].setdefault((queue.key[0], queue.begun), {})[queue] = None

    def _leave_ring(self, queue: _Queue) -> None:
        ring, name = self._rings[queue.ring], (queue.key[0], queue.begun)
        del ring[name][queue]
        if not ring[name]:
            del ring[name]
