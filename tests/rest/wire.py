"""Servers on real sockets that say what a test wants them to, byte for byte, and a small client."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

LONG = 120.0
"""Seconds, even for a busy machine."""
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """What came in. The client's end of a closed connection may close a little later."""

    url: str
    connections: int = 0
    """All there have been so far."""
    open: int = 0
    most_open: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def until_open(self, count: int) -> None:
        """Until so many connections are open; raises TimeoutError after less time than a transport
        with `idle=LONG` keeps an idle connection.
        """
        async with asyncio.timeout(LONG / 2):
            while self.open != count:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def running(
    talk: Talk, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """A server that says on every connection what `talk` says."""
    server = Server("")

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        server.open += 1
        server.most_open = max(server.most_open, server.open)
        server.changed.set()
        task = asyncio.current_task()
        assert task is not None
        server.tasks.add(task)
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, RuntimeError):
            pass  # the client has gone; uvloop says so by a RuntimeError
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            server.open -= 1
            server.changed.set()
            server.tasks.discard(task)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()

    listener = await asyncio.start_server(converse, host, port, ssl=tls, limit=1_000_000)
    port = listener.sockets[0].getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    server.url = f"{'https' if tls else 'http'}://{name}:{port}"
    try:
        yield server
    finally:
        listener.close()
        tasks = list(server.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[str]:
    """The same, for a test that needs only the base URL."""
    async with running(talk) as server:
        yield server.url


def answer(body: bytes, *, length: int | None = None) -> bytes:
    """A 200 with `body`, and a Content-Length that may lie."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST."""
    lingers = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingers)
    writer.transport.abort()


async def fetch(
    transport: httpx.AsyncBaseTransport, url: str, method: str = "GET", **more: object
) -> bytes:
    """The whole body of one answer."""
    response = await transport.handle_async_request(httpx.Request(method, url, **more))
    try:
        return b"".join([chunk async for chunk in response.stream])
    finally:
        await response.aclose()


def named(url: str) -> str:
    """With the name that the tests' certificates are for."""
    return url.replace("127.0.0.1", "localhost")


async def cancel_again_and_again(transport: httpx.AsyncBaseTransport, tls: ssl.SSLContext) -> None:
    """Cancel 20 requests after each of 0 to 24 ms; all of the transport's three connections must
    serve the next 20 then, and close with it.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await head(reader)
            await asyncio.sleep(0.002)
            writer.write(answer(b"x" * 50, length=100))
            await asyncio.sleep(0.002)
            writer.write(b"y" * 50)

    async with running(talk, tls=tls) as server:
        url = named(server.url)
        for round_ in range(25):
            tasks = [asyncio.create_task(fetch(transport, url)) for _ in range(20)]
            await asyncio.sleep(0.001 * round_)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [r for r in results if isinstance(r, Exception)] == []
        async with asyncio.timeout(60):
            bodies = await asyncio.gather(*(fetch(transport, url) for _ in range(20)))
        await server.until_open(3)
        await transport.aclose()
        await server.until_open(0)

    assert bodies == [b"x" * 50 + b"y" * 50] * 20
