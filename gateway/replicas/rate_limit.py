"""A rate limit in REST calls, of each caller or each tenant: token buckets, shared by Redis.

An operation begins while its bucket holds at least one call, and takes its estimate out at once,
which may leave a debt; when it has ended, what it did not use is put back, and what it used in
addition taken out. So an operation is refused before it has begun or not at all, none is too large
to run, and the calls that are made in the long run are those of the rate. No more than the burst
and one operation's calls can come at once.

A bucket is one number: the time at which it is full again. A full one needs none, so that buckets
of callers who have gone take no room.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache

from gateway.errors import RateLimited
from gateway.replicas.client import RedisClient, Unanswered
from gateway.request import Client
from gateway.settings import Settings
from gateway.telemetry import Observer, RateLimitReached

USE: Final = "rate_limit"
PREFIX: Final = "gateway:rate:"
CAPACITY: Final = 10_000
"""Buckets in this process's memory, about 3 MB; the least recently used is forgotten, and full."""
TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local waits, longest = ARGV[1] + 0, ARGV[2] + 0
local ends, most = {}, 0
for n, key in ipairs(KEYS) do
  local full = tonumber(redis.call('GET', key) or 0) or 0
  ends[n] = math.max(now, math.min(full, now + longest))
  most = math.max(most, ends[n] - now - waits)
end
for n, key in ipairs(KEYS) do
  local full = ends[n] + (most > 0 and 0 or ARGV[2 + n])
  local left = math.ceil((full - now) * 1000)
  if left > 0 then
    redis.call('SET', key, string.format('%.6f', full), 'PX', left)
  else
    redis.call('DEL', key)
  end
end
return string.format('%.6f', math.max(0, most))
"""
"""As `Buckets.take`, by the server's clock: calls in the seconds in which they are refilled."""
FOREVER: Final = 1e12
"""Seconds."""
AT_ONCE: Final = 500
"""The most buckets of one command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Times are in seconds, of any one clock."""

    per_second: float
    burst: int
    most: int
    """The most calls of one operation."""

    def seconds(self, calls: float) -> float:
        """The time in which so many calls are refilled."""
        return calls / self.per_second

    @property
    def waits(self) -> float:
        """The longest time until a bucket is full at which it still holds a call; and a little,
        for rounding.
        """
        return self.seconds(self.burst - 1) + 1e-6

    @property
    def longest(self) -> float:
        """The longest time until a bucket is full. It bounds what a step of the server's clock, or
        a wrong entry, can do.
        """
        return self.seconds(self.burst + 10 * self.most)


class Buckets:
    """Those of this process."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._full: LRUCache[str, float] = LRUCache(CAPACITY)
        """When each bucket is full again."""

    def __len__(self) -> int:
        return len(self._full)

    def take(self, calls: Mapping[str, int], *, waits: float) -> float:
        """Take calls out of each of these buckets, or put back what is below none. Takes nothing if
        one of them is full only after `waits` seconds: returns how much later.
        """
        now, longest = self._clock(), self._rate.longest
        ends = {key: max(now, min(self._full.get(key, now), now + longest)) for key in calls}
        most = max(ends.values()) - now - waits
        if most > 0:
            return most
        for key, end in ends.items():
            full = end + self._rate.seconds(calls[key])
            if full > now:
                self._full[key] = full
            else:
                self._full.pop(key, None)
        return 0.0


class RateLimit:
    """Calls are taken out of this process's buckets as well, for where Redis does not answer: it
    may do so now and then, and yet no process alone exceeds the rate.
    """

    def __init__(self, settings: Settings, redis: RedisClient | None, observe: Observer) -> None:
        """`settings` have a rate limit."""
        assert settings.rate_limit is not None  # noqa: S101  # see above
        self._by = settings.rate_limit_by
        self._rate = Rate(
            per_second=settings.rate_limit,
            burst=settings.rate_limit_burst,
            most=settings.max_rest_calls,
        )
        self._buckets = Buckets(self._rate)
        self._redis = redis
        self._observe = observe
        self._owed: Counter[str] = Counter()
        """Calls that are still to be taken out of buckets in Redis, or put back."""
        self._paying: asyncio.Task[None] | None = None

    async def admit(self, client: Client) -> Charge | None:
        """Take the estimated calls of an operation; None if it needs none. Raises RateLimited."""
        planned = client.meter.planned
        calls = dict.fromkeys(self._keys(client), planned) if planned else {}
        if not calls:
            return None
        shared, waits = True, self._rate.waits
        try:
            wait = await self._take(calls, waits=waits)
            self._pay_soon()
            waits = FOREVER
        except Unanswered:
            shared, wait = False, 0.0
        wait = wait or self._buckets.take(calls, waits=waits)
        if wait > 0:
            self._observe(RateLimitReached(by=self._by))
            raise RateLimited(
                f"The limit of {self._rate.per_second:g} REST calls a second is reached.",
                retry_after=math.ceil(wait * 1000) / 1000,
            )
        return Charge(self, calls, shared=shared)

    def _keys(self, client: Client) -> Sequence[str]:
        """The buckets of an operation. A caller with several tokens has several, so that nobody
        gets another one by adding a token. Who was not accepted for a tenant takes nothing from it.
        """
        statuses = client.token_statuses.values()
        if self._by == "caller":
            return [f"caller:{each.digest.hex()}" for each in statuses]
        return [
            f"{'tenant' if any(s.accepted_for(uid) for s in statuses) else 'strangers'}:{uid}"
            for uid in client.meter.scopes
        ]

    async def _take(self, calls: Mapping[str, int], *, waits: float) -> float:
        if self._redis is None:
            raise Unanswered
        names = [PREFIX + key for key in calls]
        given = [waits, self._rate.longest, *map(self._rate.seconds, calls.values())]
        return await self._redis.ask(USE, "EVAL", TAKE, len(names), *names, *given, read=_seconds)

    def settle(self, calls: Mapping[str, int], *, shared: bool) -> None:
        """Take further calls out, or put back what is below none, after an operation."""
        self._buckets.take(calls, waits=FOREVER)
        if not shared:
            return
        self._owed.update(calls)
        self._pay_soon()

    def _pay_soon(self) -> None:
        if self._owed and self._paying is None:
            self._paying = asyncio.create_task(self._pay())

    async def _pay(self) -> None:
        while self._owed:
            calls = {key: self._owed.pop(key) for key in list(self._owed)[:AT_ONCE]}
            try:
                await self._take(calls, waits=FOREVER)
            except Unanswered:
                self._owed.update(calls)  # until Redis has answered before an operation
                break
        self._paying = None


class Charge:
    """The calls that one operation has taken out of its buckets."""

    __slots__ = ("_calls", "_limit", "_shared")

    def __init__(self, limit: RateLimit, calls: Mapping[str, int], *, shared: bool) -> None:
        self._limit = limit
        self._calls = calls
        self._shared = shared

    def settle(self, made: int) -> None:
        """The operation has ended, and made so many."""
        difference = {key: made - taken for key, taken in self._calls.items() if made != taken}
        if difference:
            self._limit.settle(difference, shared=self._shared)


def _seconds(answer: Any) -> float:
    """Raises ValueError for what is no time to wait."""
    if isinstance(answer, bytes) and 0 <= (seconds := float(answer)) < FOREVER:
        return seconds
    raise ValueError("This is no time to wait.")
