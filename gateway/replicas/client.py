"""The connection to Redis or Valkey, without which everything goes on.

Whoever asks gets an answer in time, or Unanswered. After failures nothing is asked for a while: a
task looks now and then whether Redis answers again, so that no operation waits for the attempt.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from gateway.telemetry import Observer, RedisCall, RedisChanged
from gateway.time_limits import TimeLimits

AnswerT = TypeVar("AnswerT")
CONNECTIONS: Final = 16
"""At once; who finds them all in use waits, as part of the timeout."""
ENOUGH: Final = 3
"""Failures in a row."""
LONG_ENOUGH: Final = 0.05
"""Seconds since the first of them: one stall of the event loop fails many calls at once."""
PAUSE: Final = 1.0
"""Seconds from one attempt to the next to find Redis again."""
CONNECTING: Final = 1.0
"""Seconds that such an attempt may take: nobody waits for it."""
OURS: Final[Mapping[str, Any]] = {
    "decode_responses": False,
    "driver_info": None,  # else each connection begins with two more round trips
    "health_check_interval": 0,
    "protocol": 2,  # which has no notifications of maintenance to be set up
    "retry": None,
    "retry_on_error": [],
    "socket_connect_timeout": None,
    "socket_timeout": None,  # time is limited here
}


class Unanswered(Exception):
    """Redis is away, slow, full or broken: go on without it."""


class RedisClient:
    """To be opened and closed on one event loop, as an asynchronous context manager."""

    def __init__(self, url: str, *, timeout: float, observe: Observer) -> None:
        from redis.asyncio import ConnectionPool, Redis  # most gateways need none

        self._timeout = timeout
        self._observe = observe
        self._time_limits = TimeLimits()
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._failures = 0
        self._first_failed = math.inf
        pool = ConnectionPool.from_url(url, max_connections=CONNECTIONS, **OURS)
        self._redis = Redis(connection_pool=pool)
        self._attempts: asyncio.Task[None] | None = None
        """Runs while Redis is away."""

    async def __aenter__(self) -> RedisClient:
        if not await self._found():
            self._leave()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._attempts is not None:
            self._attempts.cancel()
        with suppress(Exception):
            async with asyncio.timeout(CONNECTING):
                await self._redis.connection_pool.disconnect()

    async def ask(
        self, use: str, *command: bytes | str | float, read: Callable[[Any], AnswerT]
    ) -> AnswerT:
        """What `read` makes of the command's answer; it raises for one that can't be used. `use`
        says in metrics what it is for. Raises Unanswered.
        """
        if self._attempts is not None:
            self._observe(RedisCall(use=use, result="skipped"))
            raise Unanswered
        begun = False
        loop = asyncio.get_running_loop()
        try:
            with self._time_limits.until(loop.time() + self._timeout):
                async with self._places:
                    begun = True
                    answer = read(await self._send(*command))
        except Exception as failure:  # of any kind: a server can send anything
            self._failed(use, failure, begun=begun)
            raise Unanswered from None
        self._failures = 0
        self._observe(RedisCall(use=use, result="ok"))
        return answer

    async def _send(self, *command: bytes | str | float) -> Any:
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    def _failed(self, use: str, failure: Exception, *, begun: bool) -> None:
        result, cause = _cause(failure) if begun else ("busy", None)
        self._observe(RedisCall(use=use, result=result, cause=cause))
        if result == "refused":
            self._failures = 0  # it is there, and nobody has waited for long
        if result in ("busy", "refused"):
            return
        now = asyncio.get_running_loop().time()
        if not self._failures:
            self._first_failed = now
        self._failures += 1
        long_enough = now - self._first_failed >= LONG_ENOUGH
        if self._failures >= ENOUGH and long_enough and self._attempts is None:
            self._leave()

    def _leave(self) -> None:
        self._observe(RedisChanged(state="away"))
        self._attempts = asyncio.create_task(self._come_back())

    async def _come_back(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            if await self._found():
                break
        self._failures, self._attempts = 0, None
        self._observe(RedisChanged(state="back"))

    async def _found(self) -> bool:
        """Whether Redis answers in time over a connection that is open."""
        try:
            for seconds in (CONNECTING, self._timeout):
                async with asyncio.timeout(seconds):
                    await self._send("PING")
        except Exception as failure:  # as above
            result, cause = _cause(failure)
            self._observe(RedisCall(use="attempt", result=result, cause=cause))
            return False
        self._observe(RedisCall(use="attempt", result="ok"))
        return True


def _cause(failure: Exception) -> tuple[str, str | None]:
    """The kind of a failure, of few; and of a refusal, what redis-py calls it."""
    from redis import exceptions

    why = failure.__cause__  # of a connection that can't be made
    match why if isinstance(why, exceptions.AuthenticationError) else failure:
        case TimeoutError():
            return "timeout", None
        case exceptions.AuthenticationError() | exceptions.AuthorizationError():
            return "unauthenticated", None
        case exceptions.ResponseError():
            return "refused", type(failure).__name__
        case exceptions.ConnectionError() | OSError():
            return "connection", None
        case _:
            return "invalid", None
