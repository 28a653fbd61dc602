"""The production transport, over real sockets: one request in, one request out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.rest import HttpTransport
from gateway.rest._transport import COLLECT
from tests.rest.wire import answer, fetch, head, listening, running


async def test_a_request_goes_out_with_its_own_headers_and_no_others(transport):
    """The transport adds no User-Agent, no Accept and no Accept-Encoding of its own."""
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
    """Clients often repeat GET, PUT and DELETE by themselves; here it is the seam that decides."""
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
    """Cookie jars may treat addresses otherwise, so the host is a name here."""
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

    transport = HttpTransport(connections=1)
    async with listening(talk) as url:
        body = await fetch(transport, url.replace("127.0.0.1", "localhost"))
    await transport.aclose()

    assert body == b"direct"
    assert b"authorization" not in heads[0].lower()


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("GET", {"headers": {"X": "a\r\nHost: evil"}}),
        ("GET", {"headers": {"X": "a\nb"}}),
        ("GET", {"headers": {"X": "a\rb"}}),
        ("GET", {"headers": {"X": "a\0b"}}),
        ("GET", {"headers": {"X\r\nY": "b"}}),
        ("GET /evil HTTP/1.1\r\n\r\nGET", {}),
        ("GET /evil", {}),
        ("PUT", {"content": b"abc", "headers": {"Content-Length": "2"}}),
        ("PUT", {"content": b"abc", "headers": {"Transfer-Encoding": "chunked"}}),
        ("GET", {"headers": {"Transfer-Encoding": "chunked"}}),
        ("GET", {"stream": httpx.ByteStream(b"abc")}),
        ("HEAD", {}),
        ("CONNECT", {}),
    ],
)
async def test_what_could_be_read_as_another_request_is_not_sent(transport, method, more):
    """Nor one whose answer could be read in two ways. The other end sees nothing of it."""
    heads = []

    async def talk(reader, writer):
        heads.append(await head(reader))

    async with listening(talk) as url:
        with pytest.raises(httpx.LocalProtocolError):
            await fetch(transport, url, method, **more)
        await asyncio.sleep(0.01)

    assert heads == []


async def test_only_http_is_spoken(transport):
    """No other scheme, and none of the environment's proxies for it."""
    with pytest.raises(httpx.UnsupportedProtocol):
        await fetch(transport, "ftp://127.0.0.1/")


async def test_a_body_in_parts_goes_out_as_one(transport):
    """Where its length was told; the transport has no chunks of its own."""
    seen = []

    async def parts() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    async def talk(reader, writer):
        await head(reader)
        seen.append(await reader.readexactly(3))
        writer.write(answer(b"{}"))

    async with listening(talk) as url:
        await fetch(transport, url, "PUT", content=parts(), headers={"Content-Length": "3"})

    assert seen == [b"abc"]


async def test_a_response_has_the_status_and_headers_that_came(transport):
    """Its request too."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}")

    async with listening(talk) as url:
        request = httpx.Request("GET", url)
        response = await transport.handle_async_request(request)
        body = await response.aread()

    assert (response.status_code, body, response.request) == (429, b"{}", request)
    assert response.headers.multi_items() == [("retry-after", "3"), ("content-length", "2")]


async def test_a_header_may_hold_any_bytes(transport):
    """Some proxies name themselves in other encodings; that is no reason to lose an answer."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nVia: caf\xe9 \xff\r\nContent-Encoding: GZIP\r\n"
            b"Content-Length: 0\r\n\r\n"
        )

    async with listening(talk) as url:
        response = await transport.handle_async_request(httpx.Request("GET", url))
        await response.aread()

    assert (response.headers["via"], response.headers["content-encoding"]) == ("café ÿ", "GZIP")


async def pieces(transport: HttpTransport, url: str, *, collect: int | None) -> list[bytes]:
    extensions = {} if collect is None else {COLLECT: collect}
    request = httpx.Request("GET", url, extensions=extensions)
    response = await transport.handle_async_request(request)
    try:
        return [chunk async for chunk in response.stream]
    finally:
        await response.aclose()


async def in_three(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await head(reader)
        for piece in (answer(b"a", length=6), b"bc", b"def"):
            writer.write(piece)
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_a_body_is_handed_over_as_it_comes_or_collected(transport):
    """A caller that says how much it takes gets that in one piece."""
    async with listening(in_three) as url:
        as_it_comes = await pieces(transport, url, collect=None)
        collected = await pieces(transport, url, collect=6)

    assert as_it_comes == [b"a", b"bc", b"def"]
    assert collected == [b"abcdef"]


async def test_more_than_is_collected_does_not_wait_for_its_end(transport):
    """The caller can give it up as soon as it is too much."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(answer(b"abc", length=1_000_000_000))
        await reader.read()

    async with listening(talk) as url, asyncio.timeout(60):
        request = httpx.Request("GET", url, extensions={COLLECT: 2})
        response = await transport.handle_async_request(request)
        first = await anext(aiter(response.stream))
        await response.aclose()

    assert first == b"abc"


async def test_a_head_is_known_though_its_body_was_cut(transport):
    """Whoever counts answers counts this one by its status."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(answer(b"abc", length=9))

    async with listening(talk) as url:
        request = httpx.Request("GET", url, extensions={COLLECT: 100})
        response = await transport.handle_async_request(request)
        with pytest.raises(httpx.ReadError):
            await response.aread()
        await response.aclose()

    assert response.status_code == 200


@pytest.mark.slow
async def test_a_server_that_writes_for_ever_waits_for_its_reader(transport):
    """What nobody has fetched yet is not all taken into memory."""
    written = 0

    async def talk(reader, writer):
        nonlocal written
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 100_000)
            written += 100_000
            await writer.drain()

    async with listening(talk) as url, asyncio.timeout(60):
        response = await transport.handle_async_request(httpx.Request("GET", url))
        before = -1
        while before < written:  # until all buffers on the way are full
            before = written
            await asyncio.sleep(0.1)
        read = 0
        async for chunk in response.stream:
            read += len(chunk)
            if read > before + 1_000_000:
                break
        await response.aclose()

    assert before < 30_000_000
    assert written > before


async def test_an_answer_to_half_a_request_is_an_answer(transport):
    """Its connection is not used again: the other half would arrive ahead of the next request."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\n{}")
        await asyncio.sleep(10)

    async with running(talk) as server:
        response = await transport.handle_async_request(
            httpx.Request("PUT", server.url, content=b"x" * 20_000_000)
        )
        await response.aread()
        await fetch(transport, server.url)

    assert response.status_code == 413
    assert server.connections == 2
