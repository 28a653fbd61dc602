"""What becomes of an operation whose client disconnects: a query ends, a begun change goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

ResultT = TypeVar("ResultT")


class Disconnected(Exception):
    """The client has left, and the work for it was cancelled."""


async def while_connected(work: Coroutine[Any, Any, ResultT], receive: Receive) -> ResultT:
    """The result of `work`, which is cancelled where the client leaves: that raises Disconnected.

    The request has been read: nothing but the disconnect can still be received.
    """
    working = asyncio.current_task()
    assert working is not None  # noqa: S101  # a coroutine is run by a task
    left = False

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        left = True
        working.cancel()

    # The work stays in the request's own task, which is cancelled as asyncio.timeout does it: tasks
    # for both would take four times as long.
    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if left and working.uncancel() == 0:
            raise Disconnected from None
        raise  # the server is shutting down
    finally:
        watching.cancel()


async def unless_begun(work: Coroutine[Any, Any, ResultT], begun: Callable[[], bool]) -> ResultT:
    """The result of `work`, which nobody can cancel any more once `begun()`: not a client that
    leaves, nor a server that shuts down.
    """
    working = asyncio.create_task(work)
    try:
        await asyncio.wait([working])  # does not pass a cancellation on
    except asyncio.CancelledError:
        if not begun():
            working.cancel()
        await asyncio.wait([working])
    return working.result()
