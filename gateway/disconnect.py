"""Operations whose client disconnects: a query is cancelled, a change that has begun goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

ResultT = TypeVar("ResultT")


class Disconnected(Exception):
    """The client has disconnected, and the work for it was cancelled."""


class Presence:
    """Whether the client of a connection is still connected. The server that reads the connection
    calls `end`; waiting for ASGI's message instead would cost a task for every request.
    """

    def __init__(self) -> None:
        self._over = False
        self._callback: Callable[[], object] | None = None

    def end(self) -> None:
        """The client has disconnected."""
        self._over = True
        if self._callback is not None:
            self._callback()

    def when_over(self, callback: Callable[[], object] | None) -> None:
        """Call `callback` when the client disconnects, or now if it has; replaces the last one."""
        self._callback = callback
        if self._over and callback is not None:
            callback()


async def while_connected(
    work: Coroutine[Any, Any, ResultT], receive: Receive, presence: Presence | None = None
) -> ResultT:
    """The result of `work`. If the client disconnects, `work` is cancelled and this raises
    Disconnected.

    The request's body has been read, so `receive` can only return the disconnect. It is awaited
    here if the server gives no `presence`.
    """
    working = asyncio.current_task()
    assert working is not None  # noqa: S101  # a coroutine is run by a task
    left = False

    def leave() -> None:
        nonlocal left
        left = True
        working.cancel()

    watching = None
    if presence is None:
        presence = Presence()
        watching = asyncio.create_task(_watch(receive, presence))
    presence.when_over(leave)
    # The work stays in the request's own task, which is cancelled as asyncio.timeout does it: tasks
    # for both would take four times as long.
    try:
        return await work
    except asyncio.CancelledError:
        if left and working.uncancel() == 0:
            raise Disconnected from None
        raise  # the server is shutting down
    finally:
        presence.when_over(None)
        if watching is not None:
            watching.cancel()


async def _watch(receive: Receive, presence: Presence) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    presence.end()


async def unless_begun(work: Coroutine[Any, Any, ResultT], begun: Callable[[], bool]) -> ResultT:
    """The result of `work`. Once `begun()` is true, neither a client that disconnects nor a server
    that shuts down cancels it.
    """
    working = asyncio.create_task(work)
    try:
        await asyncio.wait([working])  # does not pass a cancellation on
    except asyncio.CancelledError:
        if not begun():
            working.cancel()
        await asyncio.wait([working])
    return working.result()
