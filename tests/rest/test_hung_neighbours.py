"""Who is well beside those who hang: over sockets, with an upstream that answers some and not
others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.errors import DeadlineExceeded, GatewayError, Overloaded, Unavailable
from gateway.rest import HttpTransport, Upstream
from gateway.rest._places import WAITING
from gateway.settings import UpstreamSettings
from tests.rest.test_upstream import GOLD, GROUP, caller, get
from tests.rest.wire import Server, head, running


@asynccontextmanager
async def partly_hung(**settings: object) -> AsyncIterator[tuple[Upstream, Server]]:
    """An upstream that never answers for the token "ill"."""

    async def talk(reader, writer):
        while True:
            if b"Bearer ill" in await head(reader):
                await asyncio.sleep(100)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    chosen = {"concurrency": 16, "timeout": 60, **settings}
    transport = HttpTransport(connections=chosen["concurrency"])
    async with running(talk) as server:
        made = Upstream(
            "flow_retail",
            UpstreamSettings(url=server.url, **chosen),
            transport,
            lambda _event: None,
        )
        try:
            yield made, server
        finally:
            await transport.aclose()


async def leave(tasks: list[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("tenants", [1, 50])
async def test_who_is_answered_goes_on_while_all_others_hang(tenants):
    """Of more calls than there are places; no timeout has to pass for it."""
    async with partly_hung() as (made, server):
        healthy = made.connect(caller(token="ada", seconds=100))  # noqa: S106
        await get(healthy)
        hung = [
            asyncio.ensure_future(
                get(made.connect(caller(token=f"ill{n}", tenant=f"t{n % tenants}", seconds=100)))
            )
            for n in range(50)
        ]
        await asyncio.sleep(0.05)

        for _ in range(20):
            await get(healthy)

        assert not any(task.done() for task in hung)
        assert made._places.waiting >= 30
        assert server.most_open <= 16
        await leave(hung)
        assert (made._places.waiting, made._places.running) == (0, 0)


async def test_calls_that_wait_end_with_their_deadline():
    """What is left of them is nothing."""
    async with partly_hung(concurrency=1) as (made, _server):
        hung = asyncio.ensure_future(get(made.connect(caller(token="ill", seconds=100))))  # noqa: S106
        await asyncio.sleep(0.01)
        waiting = caller(seconds=0.02)

        with pytest.raises(DeadlineExceeded):
            await get(made.connect(waiting))

        assert made._places.waiting == 0
        assert waiting.meter.rest_calls == 0
        await leave([hung])


async def test_what_does_not_fit_into_the_queue_is_told_at_once():
    """It is OVERLOADED, says when to come again, and was not sent."""
    async with partly_hung(concurrency=1) as (made, _server):
        ill = made.connect(caller(token="ill", seconds=100))  # noqa: S106
        hung = [asyncio.ensure_future(get(ill)) for _ in range(WAITING + 1)]
        await asyncio.sleep(0.01)
        late = caller(token="ill", seconds=100)  # noqa: S106

        with pytest.raises(Overloaded) as refusal:
            await get(made.connect(late))

        assert refusal.value.retry_after >= 1
        assert late.meter.rest_calls == 0
        await leave(hung)


@pytest.mark.slow
async def test_places_come_back_however_a_call_ends():
    """Answered, too late, refused, cancelled while it waits and while it is under way, or in the
    very moment in which it gets its place.
    """
    async with partly_hung(concurrency=2, timeout=0.05) as (made, _server):
        for number in range(30):
            tasks = [
                asyncio.ensure_future(get(made.connect(caller(token=token))))
                for token in ("ill", "ada", "ill", "bob", "eve")
            ]
            await asyncio.sleep(0.002 * (number % 10))
            tasks[number % 5].cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError, Unavailable):
                    await task

            assert (made._places.waiting, made._places.running) == (0, 0)


async def test_who_is_cancelled_as_it_gets_its_place_gives_it_on():
    """The place was set aside for it already, and nobody else would ever have it."""
    async with partly_hung(concurrency=1) as (made, _server):
        connection = made.connect(caller(token="ada"))  # noqa: S106
        flow, places = connection._flow, made._places
        place = places.take(flow, GROUP)
        assert place is not None
        waiting = asyncio.ensure_future(get(connection))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        places.leave(place, answered=True, accepted=True)

        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError, GatewayError):
            await waiting

        assert (places.waiting, places.running) == (0, 0)
        assert (await connection.send("GET", GROUP, GOLD)).ok
