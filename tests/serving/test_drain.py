"""How a server stops: no connection is reset that a client has made, and no request is lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gateway.http import health
from gateway.serving import Management, Server, listen, server
from gateway.serving._listener import AT_ONCE
from gateway.settings import Settings
from gateway.telemetry import Draining, Event, Stopped
from tests.serving.test_connection import GET, WITHIN, Echo
from tests.serving.test_connection_limits import until

WAIT = b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\n\r\n"
READY = b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = b"content-length:"
CLOSE = b"\r\nconnection: close\r\n"


class Waits(Echo):
    """Answers /wait once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/wait":
            self.waiting += 1
            await self.go.wait()
        await super().__call__(scope, receive, send)


@dataclass
class Running:
    app: Waits
    server: Server
    address: tuple[str, int]
    events: list[Event]
    ending: asyncio.Task[None]
    clients: list[Client] = field(default_factory=list)

    def stop(self) -> None:
        """What a signal does."""
        self.server.should_exit = True

    async def drains(self) -> None:
        await until(lambda: any(isinstance(event, Draining) for event in self.events))

    async def open(self) -> Client:
        self.clients.append(Client(*await asyncio.open_connection(*self.address)))
        return self.clients[-1]


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, request: bytes = GET) -> bytes:
        """The head of the answer."""
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> bytes:
        async with asyncio.timeout(WITHIN):
            head = await self.reader.readuntil(b"\r\n\r\n")
            [length] = [int(line[15:]) for line in head.split(b"\r\n") if line[:15] == LENGTH]
            await self.reader.readexactly(length)
        return head

    async def rest(self) -> bytes:
        """What comes until the server closes the connection."""
        async with asyncio.timeout(WITHIN):
            return await self.reader.read()


@asynccontextmanager
async def running(
    *, drain: float, deadline: float = 10, management: Management | None = None
) -> AsyncIterator[Running]:
    app, events = Waits(), list[Event]()
    with listen("127.0.0.1", 0, remedy="") as listener:
        chosen = Settings(drain=drain, deadline=deadline)
        made = server(app, chosen, observe=events.append, management=management)
        ending = asyncio.create_task(made.serve(sockets=[listener]))
        await until(lambda: made.started)
        it = Running(app, made, listener.getsockname(), events, ending)
        try:
            yield it
        finally:
            app.go.set()
            it.stop()
            await ending
            for client in it.clients:
                client.writer.close()


@pytest.mark.slow
async def test_a_draining_server_answers_as_before_and_closes_what_it_has_answered():
    """On connections that it has and on new ones: a proxy goes on until its probe fails."""
    async with running(drain=1) as it:
        kept, idle = await it.open(), await it.open()
        before = await kept.ask()
        it.stop()
        await it.drains()
        last, new = await kept.ask(), await (await it.open()).ask()
        ended = await kept.rest()
        closed = idle.reader.at_eof()
        await it.ending

    assert CLOSE not in before
    assert [CLOSE in head for head in (last, new)] == [True, True]
    assert (ended, closed) == (b"", False)
    assert it.events[0] == Draining(seconds=1)
    assert it.events[-1] == Stopped(cut_off=0)


@pytest.mark.slow
async def test_the_management_port_is_not_ready_either():
    """It answers until the end."""
    found = []
    with listen("127.0.0.1", 0, remedy="") as beside:
        management = Management(Starlette(routes=health.ROUTES), beside)
        async with running(drain=1, management=management) as it:
            client = Client(*await asyncio.open_connection(*beside.getsockname()))
            it.clients.append(client)
            found.append(await client.ask(READY))
            it.stop()
            await it.drains()
            found.append(await client.ask(READY))

    assert [head[:13] for head in found] == [b"HTTP/1.1 200 ", b"HTTP/1.1 503 "]


@pytest.mark.slow
async def test_what_is_answered_while_it_drains_says_that_it_is_the_last():
    """Though it was asked before: the proxy must not take that connection for the next request."""
    async with running(drain=1) as it:
        client = await it.open()
        client.writer.write(WAIT)
        await until(lambda: it.app.waiting == 1)
        it.stop()
        await it.drains()
        it.app.go.set()

        assert CLOSE in await client.answer()
        assert await client.rest() == b""


@pytest.mark.slow
async def test_a_request_on_an_idle_connection_is_answered_after_the_listener_has_closed():
    """The proxy has been told nothing yet. A connection that stays idle is closed last."""
    async with running(drain=0.1) as it:
        idle, silent = await it.open(), await it.open()
        await idle.ask()
        [listener] = it.server.listeners
        it.stop()
        await until(lambda: listener.closed)

        assert CLOSE in await idle.ask()
        assert not silent.reader.at_eof()
        assert await silent.rest() == b""


@pytest.mark.slow
async def test_a_request_whose_head_is_coming_is_answered():
    """However late the rest of it comes."""
    async with running(drain=0) as it:
        client = await it.open()
        client.writer.write(LAST[:20])
        await asyncio.sleep(0.1)
        it.stop()
        await asyncio.sleep(0.5)

        assert CLOSE in await client.ask(LAST[20:])


@pytest.mark.slow
async def test_a_request_that_nobody_has_read_yet_is_answered():
    """It came while the event loop was busy with something else."""
    async with running(drain=0) as it:
        client = await it.open()
        await client.ask()
        [connection] = it.server.server_state.connections
        client.writer.write(LAST)
        connection.shutdown()

        assert (await client.answer()).startswith(b"HTTP/1.1 200 ")


async def test_connections_that_wait_to_be_accepted_are_answered():
    """More than are accepted at once: the system resets those that a closed listener leaves."""
    listener = listen("127.0.0.1", 0, remedy="")
    made = server(Echo())
    made.config.load()
    made.lifespan = made.config.lifespan_class(made.config)
    await made.startup(sockets=[listener])
    clients = [socket.create_connection(listener.getsockname()) for _ in range(AT_ONCE + 20)]
    for client in clients:
        client.sendall(LAST)
        client.setblocking(False)
    made.listeners[0].close()
    loop = asyncio.get_running_loop()
    answers = [await loop.sock_recv(client, 1000) for client in clients]
    for client in clients:
        client.close()
    await until(lambda: not made.server_state.connections)

    assert {answer[:13] for answer in answers} == {b"HTTP/1.1 200 "}


@pytest.mark.slow
async def test_nobody_connects_shortly_before_the_listener_closes():
    """Their first SYN is not answered, and by the next one the listener is closed. So each of those
    that connect meanwhile is either answered or refused; none is reset.
    """
    async with running(drain=0.1) as it:
        it.stop()
        found: set[str] = set()
        tasks = set[asyncio.Task[None]]()

        async def one() -> None:
            try:
                client = await it.open()
            except ConnectionRefusedError:
                found.add("refused")
                return
            found.add("answered" if CLOSE in await client.ask() else "kept")

        while not it.ending.done():
            tasks.add(asyncio.create_task(one()))
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)

    assert found - {"kept"} == {"answered", "refused"}


@pytest.mark.slow
async def test_what_takes_longer_than_the_deadline_is_cut_off():
    """Some seconds later. Operations end by themselves, so that nothing of them is."""
    async with running(drain=0, deadline=0.1) as it:
        client = await it.open()
        client.writer.write(WAIT)
        await until(lambda: it.app.waiting == 1)
        it.stop()
        await client.rest()
        await it.ending

    assert it.events[-1] == Stopped(cut_off=1)


@pytest.mark.slow
async def test_an_answer_that_is_not_read_by_then_counts_too():
    """Its client got a part of it."""
    async with running(drain=0, deadline=0.1) as it:
        client = await it.open()
        body = b"x" * 20_000_000
        head = b"POST /next HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.writer.write(head + body)
        await until(lambda: len(it.app.asked) == 1)
        it.stop()
        await it.ending

    assert it.events[-1] == Stopped(cut_off=1)
