"""The pool behind the transport, over real sockets: which connection a request goes over."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from gateway.rest import HttpTransport
from gateway.rest._transport import COLLECT
from tests.harness import TOKEN, Flow
from tests.rest.wire import LONG, Server, answer, fetch, head, listening, reset, running


async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request with the path it was for, and keeps the connection."""
    while True:
        line = await head(reader)
        writer.write(answer(line.split(b" ")[1]))


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The same, each answer in two parts, 4 ms apart."""
    while True:
        path = (await head(reader)).split(b" ")[1]
        await asyncio.sleep(0.002)
        said = answer(path)
        writer.write(said[:-1])
        await asyncio.sleep(0.004)
        writer.write(said[-1:])


@contextmanager
def thread(talk) -> Iterator[str]:
    """A server in a thread of its own, which goes on while the event loop stands still."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):  # where the client has gone
                talk(connection)

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        serving.join()


# -- used again


async def test_one_request_after_another_goes_over_one_connection(transport):
    """And many side by side over as many as there may be."""
    async with running(kept) as server:
        for number in range(5):
            assert await fetch(transport, f"{server.url}/{number}") == b"/%d" % number
        one = server.connections
        urls = [f"{server.url}/{number}" for number in range(200)]
        bodies = await asyncio.gather(*(fetch(transport, url) for url in urls))

    assert one == 1
    assert server.connections == server.most_open == 4
    assert bodies == [b"/%d" % number for number in range(200)]


# -- its age


async def test_a_connection_that_is_old_is_closed_while_it_is_idle():
    """And the next request gets another."""
    transport = HttpTransport(connections=2, idle=LONG, max_age=0.2)
    async with running(kept) as server:
        assert await fetch(transport, f"{server.url}/1") == b"/1"
        await server.until_open(0)
        assert await fetch(transport, f"{server.url}/2") == b"/2"
        await transport.aclose()

    assert server.connections == 2


async def test_a_connection_that_becomes_old_in_use_is_not_closed_before_the_answer():
    """It is closed behind it."""
    go = asyncio.Event()

    async def talk(reader, writer):
        path = (await head(reader)).split(b" ")[1]
        await go.wait()
        writer.write(answer(path))
        await head(reader)

    transport = HttpTransport(connections=2, idle=LONG, max_age=0.05)
    async with running(talk) as server:
        asked = asyncio.create_task(fetch(transport, f"{server.url}/1"))
        await asyncio.sleep(0.2)
        still = server.open
        go.set()
        assert await asked == b"/1"
        await server.until_open(0)
        await transport.aclose()

    assert still == 1


@pytest.mark.slow
async def test_busy_connections_follow_a_host_to_another_address():
    """No request fails, and soon none goes to the old address, where the host still answers."""
    addresses = ["127.0.0.1"]

    async def moved(reader, writer):
        while True:
            await head(reader)
            writer.write(answer(b"moved"))

    transport = HttpTransport(
        connections=4, idle=LONG, max_age=0.5, look_up=lambda *_: list(addresses)
    )
    async with running(kept) as old:
        port = httpx.URL(old.url).port
        async with running(moved, host="127.0.0.2", port=port or 0) as new:
            url = f"http://shop.example:{port}/old"
            assert await fetch(transport, url) == b"/old"
            addresses[:] = ["127.0.0.2"]
            bodies: list[bytes] = []
            async with asyncio.timeout(LONG):
                while bodies[-8:] != [b"moved"] * 8 or old.open:
                    bodies += await asyncio.gather(*(fetch(transport, url) for _ in range(4)))
                    await asyncio.sleep(0.01)
            assert new.open > 0
            await transport.aclose()

    assert set(bodies) == {b"/old", b"moved"}


# -- used no more


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab",
        answer(b"ab") + b"x",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nab",
    ],
    ids=["close", "1.0", "more", "204 with a body"],
)
async def test_a_connection_that_is_not_to_be_used_again_is_closed(transport, said):
    """By us, whether the server does or not."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(said)
        await head(reader)
        writer.write(answer(b"another's"))

    async with running(talk) as server:
        bodies = [await fetch(transport, server.url) for _ in range(3)]
        await server.until_open(0)

    assert bodies in ([b"ab"] * 3, [b""] * 3)
    assert server.connections == 3


async def test_an_answer_that_was_not_read_to_its_end_takes_its_connection_along(transport):
    """What is left of it would be read as the next one."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(answer(b"begin", length=100))
        await head(reader)
        writer.write(answer(b"another's"))

    async with running(talk) as server:
        for _ in range(3):
            response = await transport.handle_async_request(httpx.Request("GET", server.url))
            await response.aclose()
        await server.until_open(0)

    assert server.connections == 3


async def test_an_answer_that_was_read_and_never_closed_holds_nothing(transport):
    """Its connection was free with its last byte."""
    async with running(kept) as server:
        for _ in range(20):
            response = await transport.handle_async_request(httpx.Request("GET", server.url))
            _ = [chunk async for chunk in response.stream]

    assert server.connections == 1


async def test_closing_an_answer_late_does_not_touch_the_next_one(transport):
    """Its connection may be another's by then."""
    async with running(slow) as server:
        extensions = {COLLECT: 100}
        request = httpx.Request("GET", server.url, extensions=extensions)
        first = await transport.handle_async_request(request)
        second = asyncio.create_task(fetch(transport, f"{server.url}/second"))
        await asyncio.sleep(0.003)
        await first.aclose()
        body = await second

    assert body == b"/second"
    assert server.connections == 1


# -- stale


@pytest.mark.slow
async def test_a_farewell_that_the_event_loop_has_not_seen_yet_is_seen(transport):
    """A busy loop learns late of a closed connection; a write must not be lost to it."""
    turns = []

    def talk(connection: socket.socket) -> None:
        turns.append(connection.recv(10_000).split(b" ")[0])
        connection.sendall(answer(b"{}"))

    with thread(talk) as url:
        await fetch(transport, url)
        time.sleep(0.1)  # noqa: ASYNC251  # the loop stands still, and the server says goodbye
        await fetch(transport, url, "PUT")

    assert turns == [b"GET", b"PUT"]


@pytest.mark.slow
async def test_a_late_answer_that_the_event_loop_has_not_seen_yet_is_nobodys(transport):
    """It came before the next request was sent, so it is not the answer to it."""

    def talk(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(answer(b"own"))
        time.sleep(0.02)
        connection.sendall(answer(b"late"))
        connection.recv(10_000)

    with thread(talk) as url:
        first = await fetch(transport, url)
        time.sleep(0.1)  # noqa: ASYNC251  # the loop stands still, and the answer comes
        second = await fetch(transport, url)
        await transport.aclose()

    assert (first, second) == (b"own", b"own")


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_connection_that_closes_as_it_is_used_again_loses_the_request(
    transport, how, method
):
    """It may have been read, so it is not sent again; and nothing of it stays behind."""
    arrived = []

    async def talk(reader, writer):
        await head(reader)
        writer.write(answer(b"{}"))
        if len(arrived) > 2:
            await head(reader)
        arrived.append(await reader.read(1))
        if how == "reset":
            reset(writer)

    async with running(talk) as server:
        for number in range(1, 4):
            await fetch(transport, server.url)
            with pytest.raises(httpx.ReadError):
                await fetch(transport, server.url, method)
            assert len(arrived) == server.connections == number
        await server.until_open(0)


@pytest.mark.slow
async def test_an_idle_connection_is_closed_before_the_server_does():
    """And not used again after its time, if the loop is late."""
    transport = HttpTransport(connections=4, idle=0.05)
    async with running(kept) as server:
        await asyncio.gather(*(fetch(transport, server.url) for _ in range(3)))
        opened = server.connections
        await server.until_open(0)

        await fetch(transport, server.url)
        time.sleep(0.1)  # noqa: ASYNC251  # so that it is not the timer that closes it
        await fetch(transport, server.url)
        await transport.aclose()

    assert server.connections == opened + 2


# -- how many


@pytest.mark.slow
async def test_the_limit_is_over_all_hosts():
    """An idle connection to one makes room for a new one to another."""
    transport = HttpTransport(connections=2)
    async with running(kept) as one, running(kept) as two, running(kept) as three:
        servers = (one, two, three)
        for _ in range(3):
            for server in servers:
                await fetch(transport, server.url)
                await asyncio.sleep(0.01)
                assert sum(server.open for server in servers) <= 2
        urls = [server.url for server in servers] * 20
        async with asyncio.timeout(60):
            await asyncio.gather(*(fetch(transport, url) for url in urls))
        await transport.aclose()


async def test_who_waits_first_is_served_first():
    """Also against those who come just when a connection is free."""
    transport = HttpTransport(connections=1)
    order = []
    some = asyncio.Event()

    async def ask(number: int) -> None:
        await fetch(transport, f"{server.url}/{number}")
        order.append(number)
        if number == 5:
            some.set()

    async with running(kept) as server:
        first = [asyncio.create_task(ask(number)) for number in range(20)]
        await some.wait()
        later = [asyncio.create_task(ask(number)) for number in range(20, 40)]
        await asyncio.gather(*first, *later)
        await transport.aclose()

    assert order == list(range(40))
    assert server.connections == 1


@pytest.mark.slow
async def test_who_waits_can_leave():
    """From anywhere in the queue, and the others move up."""
    transport = HttpTransport(connections=1)
    async with running(slow) as server:
        tasks = [asyncio.create_task(fetch(transport, server.url)) for _ in range(100)]
        await asyncio.sleep(0.001)
        for task in tasks[1:50] + tasks[51::2]:
            task.cancel()
        async with asyncio.timeout(60):
            done = await asyncio.gather(*tasks, return_exceptions=True)
        await transport.aclose()

    assert done.count(b"/") == 1 + 25
    assert server.connections == 1


# -- cancelled


@pytest.mark.slow
async def test_a_cancelled_request_closes_its_connection(transport):
    """Its answer would be the next one's."""
    asked = asyncio.Event()
    cancelled = asyncio.Event()

    async def talk(reader, writer):
        await head(reader)
        asked.set()
        await cancelled.wait()
        writer.write(answer(b"late"))
        await reader.read()

    async with running(talk) as server:
        for number in range(3):
            task = asyncio.create_task(fetch(transport, server.url))
            await asked.wait()
            task.cancel()
            await asyncio.wait([task])
            cancelled.set()
            await server.until_open(0)
            asked.clear()
            cancelled.clear()
            assert server.connections == number + 1


async def storm(transport: httpx.AsyncBaseTransport, url: str, *, requests: int) -> int:
    """Requests of which most are cancelled, at any moment of theirs; how many were answered, each
    with what it had asked for.
    """
    chance = random.Random(7)  # noqa: S311  # the same every time, as far as sockets allow
    answered = 0

    async def one(number: int) -> None:
        nonlocal answered
        collect = {} if number % 2 else {COLLECT: 1000}
        body = await fetch(transport, f"{url}/{number}", extensions=collect)
        assert body == b"/%d" % number
        answered += 1

    tasks: list[asyncio.Task[None]] = []
    waiting: list[asyncio.Task[None]] = []
    for number in range(requests):
        waiting.append(asyncio.create_task(one(number)))
        if chance.random() < 0.07:
            await asyncio.sleep(chance.choice([0, 0.0005, 0.002, 0.008]))
            for task in chance.sample(waiting, k=len(waiting) * 2 // 5):
                task.cancel()
            tasks += [task for task in waiting if task.done()]
            waiting = [task for task in waiting if not task.done()]
    results = await asyncio.gather(*tasks, *waiting, return_exceptions=True)
    assert [r for r in results if isinstance(r, Exception)] == []
    assert len(results) == requests
    return answered


@pytest.mark.slow
async def test_thousands_of_cancelled_requests_leak_nothing():
    """In the queue, while connecting, while waiting, in the middle of an answer: afterwards as
    many requests as ever go side by side, and no socket is left.
    """
    transport = HttpTransport(connections=5, idle=LONG)
    async with running(slow) as server:
        answered = await storm(transport, server.url, requests=4000)
        async with asyncio.timeout(60):
            urls = [f"{server.url}/{number}" for number in range(100)]
            bodies = await asyncio.gather(*(fetch(transport, url) for url in urls))
        await server.until_open(5)
        await transport.aclose()
        await server.until_open(0)

    assert answered > 10
    assert bodies == [b"/%d" % number for number in range(100)]


@pytest.mark.slow
async def test_cancelled_requests_of_the_simulator_leak_nothing(flow: Flow):
    """The same over a real server for HTTP."""
    flow.add_group("gold")
    flow.switches.latency = 0.05
    transport = HttpTransport(connections=3)
    url = f"{flow.url}/tenants/shop/customer-groups/gold"
    headers = {"Authorization": f"Bearer {TOKEN}"}

    for round_ in range(10):
        tasks = [asyncio.create_task(fetch(transport, url, headers=headers)) for _ in range(40)]
        await asyncio.sleep(0.003 * round_)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    flow.switches.latency = 0.0

    async with asyncio.timeout(60):
        bodies = await asyncio.gather(*(fetch(transport, url, headers=headers) for _ in range(20)))
    await transport.aclose()
    assert all(b'"gold"' in body for body in bodies)


@pytest.mark.slow
async def test_requests_that_time_out_leak_nothing():
    """A timeout is a cancellation, here of servers that never answer, and of broken ones."""
    transport = HttpTransport(connections=3, idle=LONG)
    turns = 0

    async def talk(reader, writer):
        nonlocal turns
        await head(reader)
        turns += 1
        said = [b"", b"HTTP/1.1 200", answer(b"x", length=9), b"\0\0\r\n\r\n", answer(b"{}")]
        writer.write(said[turns % 5])
        if turns % 2:
            await reader.read()

    async def ask(server: Server) -> None:
        async with asyncio.timeout(0.02):
            await fetch(transport, server.url)

    async with running(talk) as server:
        for _ in range(20):
            await asyncio.gather(*(ask(server) for _ in range(10)), return_exceptions=True)
        await server.until_open(0)
    async with running(kept) as server, asyncio.timeout(60):
        await asyncio.gather(*(fetch(transport, server.url) for _ in range(20)))
        await transport.aclose()
        await server.until_open(0)


# -- connecting


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no 127.0.0.2")
@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "is silent"])
async def test_the_next_address_of_a_name_is_tried(silent):
    """Where the first one refuses, and where it does not answer at all."""
    transport = HttpTransport(connections=1, look_up=lambda *_: ["127.0.0.2", "127.0.0.1"])
    async with running(kept) as server:
        port = httpx.URL(server.url).port
        with socket.socket() as deaf, socket.socket() as full:
            if silent:
                deaf.bind(("127.0.0.2", port))
                deaf.listen(0)
                full.connect(("127.0.0.2", port))  # no more than this one gets in
            timeout = {"timeout": {"connect": 0.4}}
            body = await fetch(transport, f"http://name:{port}/x", extensions=timeout)
        await transport.aclose()

    assert body == b"/x"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems queue otherwise")
async def test_connecting_has_its_own_time(transport):
    """After which nothing was sent; and a request that is cancelled meanwhile leaves nothing."""
    with socket.socket() as deaf, socket.socket() as full:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        full.connect(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        timeout = {"timeout": {"connect": 0.05}}
        tasks = [asyncio.create_task(fetch(transport, url)) for _ in range(20)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()

        began = time.perf_counter()
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, url, "PUT", extensions=timeout)

        assert 0.04 < time.perf_counter() - began < 60


async def test_ipv6_addresses_can_be_asked(transport):
    """A URL has them in brackets, and so has Host."""
    heads = []

    async def talk(reader, writer):
        heads.append(await head(reader))
        writer.write(answer(b"six"))

    try:
        async with running(talk, host="::1") as server:
            body = await fetch(transport, server.url)
    except OSError:
        pytest.skip("there is no IPv6 here")

    assert body == b"six"
    assert f"Host: {server.url.removeprefix('http://')}".encode() in heads[0]


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "x" * 300, "a..example"])
async def test_a_name_that_can_not_be_one_is_a_connect_error(transport, host):
    """It comes from the settings, and is found out only here."""
    with pytest.raises(httpx.ConnectError):
        await fetch(transport, f"http://{host}/")


# -- the end


async def test_what_is_under_way_at_the_end_is_lost():
    """Its caller hears of it, and later ones can't connect."""
    transport = HttpTransport(connections=2, idle=LONG)
    arrived = asyncio.Semaphore(0)

    async def talk(reader, writer):
        await head(reader)
        arrived.release()
        await reader.read()

    async with running(talk) as server:
        tasks = [asyncio.create_task(fetch(transport, server.url)) for _ in range(2)]
        for _ in tasks:
            await arrived.acquire()
        await transport.aclose()
        await server.until_open(0)
        failures = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, server.url)
        await server.until_open(0)

    assert [type(failure) for failure in failures] == [httpx.ReadError] * 2


async def test_it_can_be_closed_twice_and_unused():
    """Whatever a lifespan does."""
    transport = HttpTransport(connections=2)
    await transport.aclose()
    async with listening(kept) as url:
        other = HttpTransport(connections=2)
        await fetch(other, url)
        await other.aclose()
        await other.aclose()
