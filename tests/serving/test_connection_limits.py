"""What one connection may take, and how many there may be: beyond it, it alone is ended."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from gateway.serving import listen, server
from gateway.settings import Settings
from gateway.telemetry import Event, LimitReached
from tests.harness import served
from tests.serving.test_connection import GET, INNER, WITHIN, Echo, Server, answers, post

SOON = 0.2
"""Seconds of a limit that is to be reached."""


@asynccontextmanager
async def serving(app: object = None, **chosen: object) -> AsyncIterator[Server]:
    events: list[Event] = []
    app = app or Echo()
    async with served(app, Settings(**chosen), observe=events.append) as url:
        yield Server(app, url, events)


def reached(server: Server) -> list[str]:
    return [event.limit for event in server.events if isinstance(event, LimitReached)]


@asynccontextmanager
async def connected(
    server: Server, *, buffer: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    at = urlsplit(server.url)
    client = socket.socket()
    if buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, (at.hostname, at.port))
    reader, writer = await asyncio.open_connection(sock=client)
    try:
        async with asyncio.timeout(WITHIN):
            yield reader, writer
    finally:
        writer.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN):
        while not holds():  # noqa: ASYNC110  # what it waits for is behind a socket
            await asyncio.sleep(0.01)


LARGE = {
    "one header": b"A: " + b"x" * 40_000,
    "many headers": b"\r\n".join(b"A%d: " % n + b"x" * 1_000 for n in range(40)),
    "a header's name": b"A" * 40_000 + b": x",
}


@pytest.mark.parametrize("what", LARGE)
async def test_a_head_that_is_too_large_is_refused(what):
    """431, and the limit that it does not keep to; whether it comes at once or by and by."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + LARGE[what] + b"\r\n\r\n"
    async with serving() as server:
        for parts in ([head], [head[:20_000], head[20_000:33_000], head[33_000:]]):
            [(status, body)] = await server.says(*parts)

            assert status == 431
            assert json.loads(body)["errors"][0]["extensions"] == {
                "code": "LIMIT_EXCEEDED",
                "limit": "max_head",
            }
    assert reached(server) == ["max_head"] * 2


async def test_a_head_of_32_kb_is_read():
    """Such as one with a token of 20 kB, whose refusal is for GraphQL."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 32_000 + b"\r\nConnection: close\r\n\r\n"
    async with serving() as server:
        for parts in ([head], [head[:10], head[10:20_000], head[20_000:]]):
            assert await server.says(*parts) == [(200, b"GET / ")]


async def test_a_url_counts_like_a_header():
    """It is part of the head."""
    async with serving() as server:
        [(status, _)] = await server.says(
            b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        )

    assert status == 431


async def test_a_head_of_too_many_headers_is_refused():
    """However short they are."""
    async with serving() as server:
        for count, status in [(99, 200), (100, 431)]:
            more = b"".join(b"A: b\r\n" for _ in range(count - 1))
            head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more + b"\r\n"
            assert [status for status, _ in await server.says(head)] == [status]

    assert reached(server) == ["max_headers"]


ENDLESS = {
    "a header": (b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"x" * 50_000),
    "headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n" * 8_000),
    "a URL": (b"GET /", b"x" * 50_000),
    "a trailer": (post(b"abc", chunked=True)[:-2] + b"A: ", b"x" * 50_000),
    "trailers": (post(b"abc", chunked=True)[:-2], b"A: b\r\n" * 8_000),
    "a chunk's extension": (post(b"", chunked=True)[:-10] + b"3;a=", b"x" * 50_000),
    "empty lines": (b"", b"\r\n" * 25_000),
}


@pytest.mark.parametrize("what", ENDLESS)
async def test_what_never_ends_is_ended(what):
    """Without a request of it, and with what was read of it let go."""
    begin, more = ENDLESS[what]
    async with serving() as server, connected(server) as (reader, writer):
        writer.write(begin)
        for _ in range(40):
            writer.write(more)
            await asyncio.sleep(0)
        said = await reader.read()

    assert [status for status, _ in answers(said)] == [431]
    assert len(reached(server)) == 1
    assert server.app.asked == []


@pytest.mark.slow
async def test_a_large_body_in_many_segments_is_no_large_head():
    """Nor is the head behind it, which begins in the same segment."""
    body = post(b"x" * 200_000)
    async with serving() as server:
        sent = (body + GET) * 3
        parts = [sent[at : at + 70_000] for at in range(0, len(sent), 70_000)]
        said = await server.says(*parts, ends=False)

    assert [status for status, _ in said] == [200] * 7


@pytest.mark.slow
async def test_a_head_that_does_not_come_is_waited_for_so_long():
    """408, however often another byte comes."""
    async with serving(head_timeout=SOON) as server, connected(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"A")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        said = await reader.read()
        dripping.cancel()

    [(status, body)] = answers(said)
    assert status == 408
    assert json.loads(body)["errors"][0]["extensions"]["limit"] == "head_timeout"
    assert reached(server) == ["head_timeout"]


@pytest.mark.slow
async def test_a_further_head_has_its_own_time():
    """From its first byte, or the end of the answer before it."""
    async with serving(head_timeout=SOON) as server, connected(server) as (reader, writer):
        writer.write(GET + b"GET / HTTP/1.1\r\n")
        said = await reader.read()

    assert [status for status, _ in answers(said)] == [200, 408]


@pytest.mark.slow
async def test_a_connection_that_sends_nothing_is_closed():
    """Without a word: there was no request."""
    async with serving(silent_timeout=SOON) as server, connected(server) as (reader, _):
        assert await reader.read() == b""

    assert reached(server) == ["silent_timeout"]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [GET, post(b"x" * 100_000)])
async def test_a_connection_without_a_further_request_is_closed(sent):
    """After its answer."""
    async with serving(keep_alive_timeout=SOON) as server, connected(server) as (reader, writer):
        writer.write(sent)
        said = await reader.read()

    assert [status for status, _ in answers(said)] == [200]
    assert reached(server) == ["keep_alive_timeout"]


@pytest.mark.slow
async def test_a_body_that_nobody_waits_for_keeps_no_connection():
    """An app may answer before it has come; what still comes of it is not another request."""

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = (b"content-length", b"2")
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": b"ok"})

    async with serving(app, keep_alive_timeout=SOON) as server:
        async with connected(server) as (reader, writer):
            writer.write(post(b"x" * 1_000)[:-500])
            await asyncio.sleep(0.05)
            writer.write(b"x")
            said = await reader.read()
        broken = await server.says(post(b"abc", chunked=True)[:-5], b"zzz\r\n" + GET)

    assert answers(said) == [(200, b"ok")]
    assert broken == [(200, b"ok")]


class Long:
    """An app with a long answer, in one piece or many."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for left in reversed(range(self.pieces)):
            piece = b"x" * (20_000_000 // self.pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        self.ended = True


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [1, 100])
@pytest.mark.parametrize("closing", [False, True])
async def test_an_answer_that_is_not_read_is_let_go(pieces, closing):
    """With the connection, whether it was to be closed or not; and the app's work for it ends."""
    app = Long(pieces)
    request = GET.replace(b"Host", b"Connection: close\r\nHost") if closing else GET
    async with serving(app, unread_timeout=SOON) as server, connected(server) as (_, writer):
        writer.write(request)
        await until(lambda: reached(server) == ["unread_timeout"])
        await until(lambda: app.ended)


@pytest.mark.slow
async def test_an_answer_that_is_read_slowly_is_read_to_the_end():
    """As long as a quarter of what is left is read each time."""
    app = Long(1)
    async with serving(app, unread_timeout=1) as server, connected(server) as (reader, writer):
        writer.write(GET)
        read = 0
        while read < 20_000_000:
            read += len(await reader.read(1_000_000))
            await asyncio.sleep(0.005)
        assert read < 20_010_000

    assert reached(server) == []


async def test_the_longest_silent_makes_room_for_a_new_connection():
    """Nobody who asks is kept out by those who do not."""
    async with (
        serving(max_connections=3) as server,
        connected(server) as first,
        connected(server) as second,
    ):
        for reader, writer in (first, second):
            writer.write(GET)
            assert (await reader.readuntil(b"/next ")).startswith(b"HTTP/1.1 200")
        async with connected(server) as silent:
            first[1].write(GET)
            await first[0].readuntil(b"/next ")
            # The second has now waited longest.
            assert await server.says(ends=False) == [(200, b"GET /last ")]
            assert await second[0].read() == b""
            first[1].write(GET)
            assert await first[0].readuntil(b"/next ")
            assert not silent[0].at_eof()

    assert reached(server) == ["max_connections"]


@pytest.mark.slow
async def test_where_all_are_busy_a_new_connection_is_refused():
    """503, with a time to come again; those under way are answered."""
    go = asyncio.Event()

    class Slow(Echo):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await go.wait()
                await super().__call__(scope, receive, send)

    async with serving(Slow(), max_connections=2) as server:
        busy = [asyncio.create_task(server.says(ends=False)) for _ in range(2)]
        await asyncio.sleep(0.1)
        said = await server.raw()
        go.set()
        answered = await asyncio.gather(*busy)

    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in said
    assert answered == [[(200, b"GET /last ")]] * 2


class Busy(Echo):
    """An app that answers /wait when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/wait":
            self.waiting += 1
            await self.go.wait()
        await super().__call__(scope, receive, send)


@asynccontextmanager
async def full(**chosen: object) -> AsyncIterator[Server]:
    """A server with as many requests under way as there may be."""
    async with serving(Busy(), max_requests=2, **chosen) as server:
        app = server.app
        assert isinstance(app, Busy)
        wait = b"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        under_way = [asyncio.create_task(server.raw(wait)) for _ in range(2)]
        await until(lambda: app.waiting == 2)
        yield server
        app.go.set()
        said = await asyncio.gather(*under_way)
        assert [answers(each) for each in said] == [[(200, b"GET /wait ")]] * 2


REQUESTS = {
    "a body": [post(INNER)],
    "a body in chunks": [post(INNER, chunked=True)],
    "a body in a segment of its own": [post(INNER)[:-50], post(INNER)[-50:]],
    "a large body": [post(b"x" * 500_000)],
    "an upgrade": [post(INNER, "Connection: Upgrade", "Upgrade: h2c")],
    "several ahead": [GET * 20],
}


@pytest.mark.parametrize("which", REQUESTS)
async def test_a_request_that_is_turned_away_is_read_to_its_end(which):
    """Its connection goes on, and no byte of its body is another request."""
    async with full() as server:
        said = await server.says(*REQUESTS[which], GET, ends=False)

    requests = 20 if which == "several ahead" else 1
    assert [status for status, _ in said] == [503] * (requests + 2)
    assert {path for _, path, _ in server.app.asked} == {"/wait"}
    assert json.loads(said[0][1])["errors"][0]["extensions"] == {
        "code": "OVERLOADED",
        "retryAfter": 1,
    }
    assert reached(server) == ["max_requests"] * (requests + 2)


async def test_health_is_answered_however_many_requests_are_under_way():
    """And a browser that asks whether a page may send a request, for it would pass no refusal on.
    And a request to HEAD has no body even where it is turned away.
    """
    health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    async with full() as server:
        probes = [health, health.replace(b"GET", b"OPTIONS")]
        probes += [health.replace(b"/health", path) for path in (b"/health/live", b"/health/ready")]
        said = await server.says(*probes, ends=False)
        named = await server.raw(
            b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", health[:-2] + b"Connection: close\r\n\r\n"
        )

    assert [status for status, _ in said] == [200, 200, 200, 200, 503]
    head, _, rest = named.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert answers(rest) == [(200, b"GET /health ")]


@pytest.mark.slow
async def test_who_does_not_read_is_not_turned_away_again_and_again():
    """What waits to be read stays small."""
    async with full(unread_timeout=60) as server, connected(server, buffer=4_096) as streams:
        reader, writer = streams
        writer.transport.pause_reading()  # type: ignore[union-attr]
        sent = 0
        with suppress(TimeoutError):
            while True:
                writer.write(GET * 30)
                sent += 30
                async with asyncio.timeout(1):
                    await until(lambda: len(server.events) >= sent)  # noqa: B023
        writer.transport.resume_reading()  # type: ignore[union-attr]
        said = await reader.read()

    head = said.rpartition(b"HTTP/1.1 ")[2]
    assert head.startswith(b"503 ")
    assert b"\r\nconnection: close\r\n" in head


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [((), None), (("https://shop.example",), b"https://shop.example"), (("*",), b"https://shop.")],
)
async def test_a_page_may_read_why_it_was_turned_away(origins, allowed):
    """A browser hides even the status from it otherwise; no other page may."""
    asked = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: %b\r\n\r\n"
    async with full(cors_origins=origins) as server:
        said = await server.raw(asked % b"https://shop.example")
        other = await server.raw(asked % b"https://other.example")

    assert said.startswith(b"HTTP/1.1 503 ")
    assert (b"\r\naccess-control-expose-headers: Retry-After\r\n" in said) is bool(origins)
    assert (allowed is None) or b"\r\naccess-control-allow-origin: " + allowed in said
    assert (b"access-control" in other) is ("*" in origins)


async def test_new_connections_do_not_wait_for_one_another():
    """160 are accepted in a few turns of the event loop: under load each turn takes long."""
    listener = listen("127.0.0.1", 0, remedy="")
    running = server(Echo())
    running.config.load()
    running.lifespan = running.config.lifespan_class(running.config)
    await running.startup(sockets=[listener])
    clients = [socket.create_connection(listener.getsockname()) for _ in range(160)]
    turns = 0
    while len(running.server_state.connections) < len(clients):
        await asyncio.sleep(0)
        turns += 1
        assert turns < 60
    for client in clients:
        client.close()
    for listening in running.listeners:
        listening.close()
    await until(lambda: not running.server_state.connections)


async def test_processes_that_share_a_listener_share_new_connections():
    """Two of them, here in one event loop: the one that wakes up first does not take all."""
    listener = listen("127.0.0.1", 0, remedy="")
    sharing = [server(Echo(), Settings(workers=2, drain=0)) for _ in range(2)]
    for each in sharing:
        each.config.load()
        each.lifespan = each.config.lifespan_class(each.config)
        await each.startup(sockets=[listener.dup()])
    clients = [socket.create_connection(listener.getsockname()) for _ in range(160)]
    await until(lambda: sum(len(each.server_state.connections) for each in sharing) == 160)
    shares = [len(each.server_state.connections) for each in sharing]
    for client in [*clients, listener]:
        client.close()
    for each in sharing:
        each.listeners[0].close()
    await until(lambda: not any(each.server_state.connections for each in sharing))

    assert min(shares) >= 40
