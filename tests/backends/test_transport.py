"""The production transport, over real sockets: one request in, one request out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.backends.transport import AiohttpTransport
from tests.harness import TOKEN, Flow

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(talk: Talk) -> AsyncIterator[str]:
    """A server that says on every connection what `talk` says, byte for byte; its base URL."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    made = AiohttpTransport(connections=4)
    yield made
    await made.aclose()


def answer(body: bytes, *, length: int | None = None) -> bytes:
    """A 200 with `body`, and a Content-Length that may lie."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    return head.encode() + body


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def fetch(
    transport: AiohttpTransport, url: str, method: str = "GET", **more: object
) -> bytes:
    """The whole body of one answer."""
    response = await transport.handle_async_request(httpx.Request(method, url, **more))
    try:
        return b"".join([chunk async for chunk in response.stream])
    finally:
        await response.aclose()


async def test_a_request_goes_out_with_its_own_headers_and_no_others(transport):
    """aiohttp adds no User-Agent, no Accept and no Accept-Encoding of its own."""
    heads = []

    async def talk(reader, writer):
        heads.append(await head(reader))
        writer.write(answer(b"{}"))

    async with listening(talk) as url:
        await fetch(transport, f"{url}/v2/x?a=1", headers={"X-Request-Id": "r1"})

    request, *lines = heads[0].decode().strip().split("\r\n")
    assert request == "GET /v2/x?a=1 HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in lines}
    # httpx's own defaults; the seam replaces all but Host and Connection.
    assert names - {"x-request-id"} <= {"host", "accept", "accept-encoding", "connection"}
    assert "user-agent" not in names


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_request_whose_answer_was_lost_is_not_sent_again(transport, method):
    """aiohttp repeats GET, PUT and DELETE by itself; here it is the seam that decides."""
    arrived = []

    async def talk(reader, writer):
        await head(reader)
        arrived.append(method)
        if len(arrived) == 1:
            writer.write(answer(b"{}"))  # so that the second one goes over a used connection
            await head(reader)
            arrived.append(method)

    async with listening(talk) as url:
        await fetch(transport, url, method)
        with pytest.raises(httpx.ReadError):
            await fetch(transport, url, method)

    assert arrived == [method, method]


async def test_a_refused_connection_is_a_connect_error(transport):
    """Nothing was sent, and the caller can know it."""
    async with listening(lambda reader, writer: head(reader)) as url:
        pass

    with pytest.raises(httpx.ConnectError):
        await fetch(transport, url, "PUT")


async def test_an_unknown_host_is_a_connect_error(transport):
    """A name that does not resolve is like a host that does not listen."""
    with pytest.raises(httpx.ConnectError):
        await fetch(transport, "http://no-such-host.invalid/", "PUT")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        answer(b"cut", length=9),
        b"HTTP/1.1 200 OK\r\nContent-Length: 3",
    ],
    ids=[
        "nothing",
        "no http",
        "no status",
        "no number",
        "two lengths",
        "long header",
        "no chunk",
        "cut chunk",
        "cut body",
        "cut head",
    ],
)
async def test_an_answer_that_is_not_http_is_a_read_error(transport, said):
    """Whatever a server says, httpx's exceptions are the only ones that come through the seam."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(said)
        await writer.drain()

    async with listening(talk) as url:
        with pytest.raises(httpx.ReadError):
            await fetch(transport, url)
        with pytest.raises(httpx.ReadError):
            await fetch(transport, url, "PUT", content=b"{}")


async def test_a_connection_that_the_server_closed_while_idle_is_not_used(transport):
    """The next request, be it a write, goes over a new one."""
    connections = []

    async def talk(reader, writer):
        connections.append(writer)
        await head(reader)
        writer.write(answer(b"%d" % len(connections)))

    async with listening(talk) as url:
        first = await fetch(transport, url)
        await asyncio.sleep(0.02)
        second = await fetch(transport, url, "PUT")

    assert (first, second) == (b"1", b"2")


async def test_what_nobody_asked_for_is_nobodys_answer(transport):
    """A second answer that comes late, on an idle connection, does not reach the next caller."""
    turns = []

    async def talk(reader, writer):
        turns.append(writer)
        await head(reader)
        writer.write(answer(b"first" if len(turns) == 1 else b"own"))
        await asyncio.sleep(0.02)
        writer.write(answer(b"late"))
        while True:
            await head(reader)
            writer.write(answer(b"another's"))

    async with listening(talk) as url:
        first = await fetch(transport, url)
        await asyncio.sleep(0.05)
        second = await fetch(transport, url)

    assert (first, second) == (b"first", b"own")


async def test_a_body_longer_than_its_length_does_not_run_into_the_next_answer(transport):
    """The rest is dropped with its connection."""
    turns = []

    async def talk(reader, writer):
        turns.append(writer)
        await head(reader)
        writer.write(answer(b"ab" + answer(b"poison"), length=2))
        await head(reader)

    async with listening(talk) as url:
        bodies = [await fetch(transport, url) for _ in range(3)]

    assert bodies == [b"ab"] * 3


async def test_cookies_are_not_kept_for_host_names_either(transport):
    """aiohttp's own jar takes cookies of host names only, so the host is a name here."""
    heads = []

    async def talk(reader, writer):
        for _ in range(2):
            heads.append(await head(reader))
            writer.write(
                b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=ada; Path=/\r\nContent-Length: 0\r\n\r\n"
            )

    async with listening(talk) as url:
        named = url.replace("127.0.0.1", "localhost")
        await fetch(transport, named)
        await fetch(transport, named)

    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


async def test_a_redirect_is_an_answer_like_any_other(transport):
    """It would carry the caller's token to wherever it points."""
    heads = []

    async def talk(reader, writer):
        heads.append(await head(reader))
        writer.write(b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")

    async with listening(talk) as url:
        response = await transport.handle_async_request(httpx.Request("GET", url))
        await response.aclose()

    assert response.status_code == 307
    assert len(heads) == 1


async def test_proxies_and_netrc_of_the_environment_are_ignored(monkeypatch, tmp_path):
    """A token must not go through a machine that the settings don't name."""
    (tmp_path / "netrc").write_text("machine localhost login eve password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    heads = []

    async def talk(reader, writer):
        heads.append(await head(reader))
        writer.write(answer(b"direct"))

    transport = AiohttpTransport(connections=1)
    async with listening(talk) as url:
        body = await fetch(transport, url.replace("127.0.0.1", "localhost"))
    await transport.aclose()

    assert body == b"direct"
    assert b"authorization" not in heads[0].lower()


async def test_the_pool_survives_hundreds_of_cancelled_requests(flow: Flow):
    """Cancelled in the queue, while connecting, while waiting: every connection comes back."""
    flow.add_group("gold")
    flow.switches.latency = 0.05
    transport = AiohttpTransport(connections=3)
    url = f"{flow.url}/tenants/shop/customer-groups/gold"
    headers = {"Authorization": f"Bearer {TOKEN}"}

    for round_ in range(10):
        tasks = [asyncio.create_task(fetch(transport, url, headers=headers)) for _ in range(40)]
        await asyncio.sleep(0.003 * round_)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    flow.switches.latency = 0.0

    async with asyncio.timeout(2):
        bodies = await asyncio.gather(*(fetch(transport, url, headers=headers) for _ in range(20)))
    await transport.aclose()
    assert all(b'"gold"' in body for body in bodies)
