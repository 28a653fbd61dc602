"""Looking up a host: who waits for whom, and what a resolver that hangs can hold up."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import httpx
import pytest

from gateway.rest import HttpTransport
from gateway.rest._dns import KEPT, Addresses
from tests.conftest import LoopFactory
from tests.rest.wire import fetch, head, running

HUNG = "http://hung.example/"
LOOPS: list[LoopFactory] = [asyncio.new_event_loop]
if sys.platform != "win32":
    import uvloop

    LOOPS.append(uvloop.new_event_loop)


class Resolver:
    """Says of every host that it is here, or the `failures` first; hangs until it `may_answer`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.threads: list[threading.Thread] = []
        self.failures: list[Exception] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        self.threads.append(threading.current_thread())
        self.may_answer.wait()
        if self.failures:
            raise self.failures.pop(0)
        return ["127.0.0.1"]

    def hang(self) -> None:
        self.may_answer.clear()

    async def until_asked(self, times: int) -> None:
        for _ in range(2000):
            if len(self.asked) >= times:
                return
            await asyncio.sleep(0.001)
        raise TimeoutError

    def finish(self) -> None:
        """Whatever hangs has its answer, and has told the event loop, if there still is one."""
        self.may_answer.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    made = Resolver()
    yield made
    made.finish()


async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One answer for each connection, so that every request opens one."""
    await head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    await reader.read()


def named(url: str, host: str = "shop.example") -> str:
    return f"http://{host}:{httpx.URL(url).port}/"


# -- one for all


async def test_many_connections_at_once_need_one_lookup(resolver):
    """And those that are opened soon after need none."""
    transport = HttpTransport(connections=20, look_up=resolver)
    async with running(once) as server:
        url = named(server.url)
        resolver.hang()
        tasks = [asyncio.create_task(fetch(transport, url)) for _ in range(20)]
        await resolver.until_asked(1)
        resolver.may_answer.set()
        bodies = await asyncio.gather(*tasks)
        bodies.append(await fetch(transport, url))
        await transport.aclose()

    assert bodies == [b"ok"] * 21
    assert server.connections == 21
    assert resolver.asked == [("shop.example", httpx.URL(url).port)]


async def test_who_leaves_does_not_end_the_lookup_for_others(resolver):
    """Neither who began it and is cancelled, nor who has no more time."""
    transport = HttpTransport(connections=3, look_up=resolver)
    async with running(once) as server:
        url = named(server.url)
        resolver.hang()
        first = asyncio.create_task(fetch(transport, url))
        await resolver.until_asked(1)
        other = asyncio.create_task(fetch(transport, url))
        with pytest.raises(httpx.ConnectError, match=r"^TimeoutError$"):
            await fetch(transport, url, extensions={"timeout": {"connect": 0.01}})
        first.cancel()
        await asyncio.wait([first])
        resolver.may_answer.set()
        body = await other
        await transport.aclose()

    assert first.cancelled()
    assert body == b"ok"
    assert len(resolver.asked) == 1


async def test_a_failure_that_nobody_waits_for_any_more_is_not_complained_of(resolver):
    """Asyncio would log an exception that was never looked at."""
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    addresses = Addresses(resolver)
    resolver.hang()
    resolver.failures = [socket.gaierror("shop.example is unknown")]

    tasks = [asyncio.create_task(addresses.of("shop.example", 80)) for _ in range(3)]
    await resolver.until_asked(1)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    resolver.finish()
    await asyncio.sleep(0)
    found = await addresses.of("shop.example", 80)

    assert found == ["127.0.0.1"]
    assert len(resolver.asked) == 2
    assert complaints == []


# -- what is kept


async def test_a_failed_lookup_is_tried_again(resolver):
    """It fails all who wait for it, with a message that names no host, and nobody else."""
    transport = HttpTransport(connections=5, look_up=resolver)
    resolver.failures = [socket.gaierror("shop.example is unknown")]
    async with running(once) as server:
        url = named(server.url)
        resolver.hang()
        tasks = [asyncio.create_task(fetch(transport, url)) for _ in range(5)]
        await resolver.until_asked(1)
        resolver.may_answer.set()
        failures = await asyncio.gather(*tasks, return_exceptions=True)
        body = await fetch(transport, url)
        await transport.aclose()

    assert [(type(f), str(f)) for f in failures] == [(httpx.ConnectError, "gaierror")] * 5
    assert body == b"ok"
    assert len(resolver.asked) == 2


@pytest.mark.slow
async def test_an_answer_is_used_again_for_some_seconds_and_then_not_any_more(resolver):
    """By how old it is, not by when it was used last."""
    addresses = Addresses(resolver, kept=0.1)
    for _ in range(3):
        await addresses.of("shop.example", 80)
        await asyncio.sleep(0.01)
    soon = len(resolver.asked)
    await asyncio.sleep(0.1)
    await addresses.of("shop.example", 80)

    assert soon == 1
    assert len(resolver.asked) == 2
    assert KEPT <= 5


async def test_a_host_that_can_not_be_reached_is_looked_up_again(resolver):
    """Its name may have moved since."""
    transport = HttpTransport(connections=1, look_up=resolver)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"http://shop.example:{deaf.getsockname()[1]}/"
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await fetch(transport, url)
    await transport.aclose()

    assert len(resolver.asked) == 2


async def test_an_address_is_not_looked_up(resolver):
    """Neither of IPv4 nor of IPv6."""
    transport = HttpTransport(connections=1, look_up=resolver)
    addresses = Addresses(resolver)
    async with running(once) as server:
        body = await fetch(transport, server.url)
        await transport.aclose()

    assert body == b"ok"
    for address in ("10.0.0.1", "::1", "2001:db8::1"):
        assert list(await addresses.of(address, 80)) == [address]
    assert resolver.asked == []


# -- a resolver that hangs


@pytest.mark.slow
async def test_hosts_whose_dns_hangs_hold_up_nobody_else(resolver):
    """More of them than the event loop has threads, and each asked for again and again; also
    after the calls to them have failed.
    """
    hung = [HttpTransport(connections=4, look_up=resolver) for _ in range(40)]
    healthy = [HttpTransport(connections=4) for _ in range(2)]
    resolver.hang()

    async def fail(transport: HttpTransport) -> None:
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await fetch(transport, HUNG, extensions={"timeout": {"connect": 0.25}})

    async with running(once) as server, asyncio.timeout(60):
        url = named(server.url, "localhost")
        failing = [asyncio.create_task(fail(transport)) for transport in hung * 2]
        await resolver.until_asked(40)
        beside = await fetch(healthy[0], url)
        under_way = not any(task.done() for task in failing)
        await asyncio.gather(*failing)
        after = await fetch(healthy[1], url)
        for transport in (*hung, *healthy):
            await transport.aclose()

    assert (beside, after) == (b"ok", b"ok")
    assert under_way
    assert len(resolver.asked) == 40


async def test_closing_does_not_wait_for_a_lookup(resolver):
    """Who waits for it hears of it, and later ones look nothing up."""
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    transport = HttpTransport(connections=2, look_up=resolver)
    resolver.hang()
    tasks = [asyncio.create_task(fetch(transport, HUNG)) for _ in range(4)]
    await resolver.until_asked(1)
    async with asyncio.timeout(60):
        await transport.aclose()
        failures = await asyncio.gather(*tasks, return_exceptions=True)
    resolver.finish()
    await asyncio.sleep(0.01)  # the answer comes, to nobody

    assert [type(failure) for failure in failures] == [httpx.ConnectError] * 4
    assert len(resolver.asked) == 1
    assert complaints == []


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("polite", [True, False], ids=["closed", "left"])
def test_neither_the_loop_nor_the_interpreter_waits_for_a_lookup(resolver, new_loop, polite):
    """And what the resolver says after the loop's end, whether the transport was closed or not,
    disturbs nobody.
    """

    async def scenario() -> None:
        transport = HttpTransport(connections=1, look_up=resolver)
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, HUNG, extensions={"timeout": {"connect": 0.01}})
        if polite:
            await transport.aclose()

    resolver.hang()
    began = time.perf_counter()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())
    took = time.perf_counter() - began
    hanging = [thread.is_alive() for thread in resolver.threads]
    resolver.finish()  # an exception in the thread is a warning, and that an error

    assert took < 60
    assert hanging == [True]
    assert [thread.daemon for thread in resolver.threads] == [True]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems promise memory otherwise")
async def test_a_system_without_threads_is_a_connect_error(resolver):
    """Nothing was sent; and as soon as there are some again, it is well."""
    addresses = Addresses(resolver)
    before = threading.stack_size(2**46)  # more than there are addresses for
    try:
        with pytest.raises(httpx.ConnectError, match=r"^RuntimeError$"):
            await addresses.of("shop.example", 80)
    finally:
        threading.stack_size(before)

    assert await addresses.of("shop.example", 80) == ["127.0.0.1"]
