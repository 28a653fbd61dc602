"""One connection, byte by byte over a socket: each request has one answer, and no byte of a body is
ever another request.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from gateway.settings import Settings
from gateway.telemetry import Event
from tests.harness import served

WITHIN = 20
"""Seconds for what should take none: the machine may be busy."""
Parts = Sequence[bytes]


@dataclass
class Echo:
    """An app that answers with what it was asked, and keeps it."""

    asked: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        self.asked.append((scope["method"], scope["path"], body))
        self.headers.append(dict(scope["headers"]))
        answer = f"{scope['method']} {scope['path']} ".encode() + body
        length = (b"content-length", str(len(answer)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})


@dataclass
class Server:
    app: Echo
    url: str
    events: list[Event]

    async def says(self, *parts: bytes, ends: bool = True) -> list[tuple[int, bytes]]:
        """The answers to what is sent in these segments: status and body of each. The last request
        asks to close the connection, unless the server `ends` it by itself.
        """
        last = b"" if ends else b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        return answers(await self.raw(*parts, last))

    async def raw(self, *parts: bytes) -> bytes:
        """All that comes back until the server closes."""
        at = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        try:
            async with asyncio.timeout(WITHIN):
                for number, part in enumerate(filter(None, parts)):
                    if number:
                        await asyncio.sleep(0.02)  # so that it is a segment of its own
                    writer.write(part)
                    await writer.drain()
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    app, events = Echo(), []
    async with served(app, Settings(), observe=events.append) as url:
        yield Server(app, url, events)


def answers(said: bytes) -> list[tuple[int, bytes]]:
    """The responses in it; each has a Content-Length, and none is to a HEAD."""
    found = []
    while said:
        head, _, said = said.partition(b"\r\n\r\n")
        length = int(re.findall(rb"(?i)content-length: (\d+)", head)[0])
        found.append((int(head.split()[1]), said[:length]))
        said = said[length:]
    return found


def post(body: bytes, *headers: str, chunked: bool = False, path: str = "/graphql") -> bytes:
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, framing, "", ""]).encode()
    return head + (b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body)


INNER = post(b"inner", path="/inner")
"""A body that is a whole request."""
GET = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
OFFERS = ["h2c", "websocket", "TLS/1.2", "foo", "h2c, websocket", "", "HTTP/2.0, IRC/6.9"]
CONNECTIONS = ["Upgrade", "upgrade, HTTP2-Settings", "keep-alive, Upgrade", "close, UPGRADE"]


@pytest.mark.slow
@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("connection", CONNECTIONS)
async def test_an_offer_to_upgrade_is_ignored(server: Server, offer, chunked, connection):
    """RFC 9110, 7.8: in one segment or several, the body is the body, and each request has one
    answer.
    """
    request = post(INNER, f"Connection: {connection}", f"Upgrade: {offer}", "X: y", chunked=chunked)
    head = request.index(b"\r\n\r\n") + 4
    right = [(200, b"POST /graphql " + INNER)]
    if "close" not in connection:
        right.append((200, b"GET /last "))
    for parts in [
        [request],
        [request[:head], request[head:]],
        [request[: head + 5], request[head + 5 :]],
        [request[:30], request[30 : head - 2], request[head - 2 :]],
    ]:
        assert await server.says(*parts, ends=False) == right
    assert server.app.headers[0][b"x"] == b"y"


async def test_requests_that_offer_to_upgrade_may_follow_each_other(server: Server):
    """Among others that do not, in one segment."""
    offer = post(INNER, "Connection: Upgrade", "Upgrade: h2c")
    chunked = post(INNER, "Upgrade: h2c", "Connection: Upgrade", chunked=True)

    said = await server.says(offer + chunked + GET + offer, ends=False)

    posted = (200, b"POST /graphql " + INNER)
    assert said == [posted, posted, (200, b"GET /next "), posted, (200, b"GET /last ")]


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(["plain", "chunked", "offer", "both", "get"]), max_size=6), st.data()
)
def test_however_requests_are_cut_into_segments_each_has_one_answer(kinds, data):
    """Any order of requests, with offers and without, cut anywhere."""
    requests, right = [], []
    for number, kind in enumerate(kinds):
        if kind == "get":
            requests.append(GET)
            right.append((200, b"GET /next "))
            continue
        offer = ["Connection: Upgrade", "Upgrade: x"] if kind in ("offer", "both") else []
        body = INNER * number
        requests.append(post(body, *offer, chunked=kind in ("chunked", "both") and number > 0))
        right.append((200, b"POST /graphql " + body))
    sent = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(sent) - 1)), max_size=4)))
    edges = [0, *cuts, len(sent)]
    parts = [sent[a:b] for a, b in pairwise(edges)]

    async def ask() -> list[tuple[int, bytes]]:
        async with served(Echo(), Settings()) as url:
            return await Server(Echo(), url, []).says(*parts, ends=False)

    assert asyncio.run(ask()) == [*right, (200, b"GET /last ")]


async def test_nothing_follows_a_request_to_connect(server: Server):
    """Whose other end might be told anything; this is no proxy."""
    [(status, body)] = await server.says(b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n" + INNER)

    assert status == 501
    assert json.loads(body)["errors"][0]["message"] == "This is no proxy."
    assert server.app.asked == []


BROKEN = {
    "two framings": post(b"abc", "Transfer-Encoding: chunked"),
    "two lengths": post(b"abc", "Content-Length: 3"),
    "lengths that differ": post(b"abc", "Content-Length: 30"),
    "a length with a sign": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    "a length that is none": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3 3\r\n\r\nabc",
    "a length without end": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
    + b"9" * 40
    + b"\r\n\r\nabc",
    "chunked, then another": post(b"abc", "Transfer-Encoding: gzip", chunked=True).replace(
        b"gzip", b"chunked, gzip"
    ),
    "another coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\nabc",
    "a folded header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c: d\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n",
    "a chunk's size that is none": post(b"abc", chunked=True).replace(b"3\r\nabc", b"0x3\r\nabc"),
    "a chunk of negative size": post(b"abc", chunked=True).replace(b"3\r\nabc", b"-3\r\nabc"),
    "a chunk that is too long": post(b"abc", chunked=True).replace(b"3\r\nabc", b"3\r\nabcde"),
    "a chunk's size without end": post(b"abc", chunked=True).replace(b"3\r\n", b"f" * 40 + b"\r\n"),
    "chunks with bare line feeds": post(b"abc", chunked=True).replace(b"3\r\nabc", b"3\nabc"),
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a method that is none": b"FETCH / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no path": b"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\nA: b\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
    "a Host that is none": b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
    "two Hosts of HTTP/1.0": b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
}


@pytest.mark.parametrize("what", BROKEN)
async def test_what_is_no_request_has_one_answer_and_nothing_after_it(server: Server, what):
    """Nobody knows where the next one begins: whatever comes behind it is not looked at."""
    [(status, body)] = await server.says(BROKEN[what] + GET, GET)

    assert status == 400
    assert json.loads(body)["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    assert server.app.asked == []


@pytest.mark.parametrize("what", BROKEN)
async def test_what_is_no_request_does_not_answer_the_one_before(server: Server, what):
    """Requests that were sent before it are answered first, each with its own answer."""
    said = await server.says(GET + INNER + BROKEN[what] + GET)

    assert said[:2] == [(200, b"GET /next "), (200, b"POST /inner inner")]
    assert [status for status, _ in said[2:]] in ([], [400])
    assert len(server.app.asked) == 2


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9"])
async def test_another_version_is_told_so(server: Server, version):
    """505."""
    said = await server.says(b"GET / " + version + b"\r\nHost: x\r\n\r\n")

    assert [status for status, _ in said] == [505]


async def test_http_1_0_has_no_host(server: Server):
    """And is answered once."""
    assert await server.says(b"GET / HTTP/1.0\r\n\r\n" + GET) == [(200, b"GET / ")]


async def test_what_follows_a_body_in_chunks_is_no_header(server: Server):
    """A trailer can't name a tenant or bring a token."""
    request = post(b"abc", "X-Tenant: shop", chunked=True)
    request = request[:-2] + b"X-Tenant: other\r\nAuthorization: Bearer x\r\n\r\n"

    for parts in ([request], [request[:-30], request[-30:]]):
        assert await server.says(*parts, ends=False) == [
            (200, b"POST /graphql abc"),
            (200, b"GET /last "),
        ]
    for headers in server.app.headers[::2]:
        assert headers[b"x-tenant"] == b"shop"
        assert b"authorization" not in headers


async def test_a_head_may_have_no_body(server: Server):
    """An answer to HEAD has the length of what it leaves out."""
    said = await server.raw(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET)

    assert said.startswith(b"HTTP/1.1 200")
    assert said.endswith(b"\r\n\r\n")
    assert said.count(b"HTTP/1.1") == 1


async def test_nothing_is_read_behind_a_request_that_asks_to_close(server: Server):
    """Also where it comes in the same segment."""
    closing = post(b"abc", "Connection: close")

    assert await server.says(closing + GET + INNER) == [(200, b"POST /graphql abc")]
    assert len(server.app.asked) == 1


async def test_more_requests_than_may_wait_are_not_read(server: Server):
    """Those before them are answered, and the connection is closed: the client sends again."""
    said = await server.says(GET * 1_000)

    assert said == [(200, b"GET /next ")] * 33
    assert len(server.app.asked) == 33


async def test_a_request_that_waits_for_leave_is_given_it(server: Server):
    """Expect: 100-continue, with an offer as curl --http2 makes it or without."""
    for headers in ([], ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"]):
        request = post(b"abc", "Expect: 100-continue", "Connection: close", *headers)
        said = await server.raw(request[:-3], request[-3:])

        assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
        assert said.endswith(b"POST /graphql abc")


@pytest.mark.parametrize("length", [b"0", b"4"])
async def test_an_app_that_fails_behind_a_head_has_its_client_answered(length: bytes, caplog):
    """Nothing of that head was sent. Without an answer, a client would wait as long as it can."""

    async def fails(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(b"content-length", length)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            raise FileNotFoundError

    async with served(fails) as url:
        said = await Server(Echo(), url, []).raw(GET)

    assert [status for status, _ in answers(said)] == [500]
    assert "FileNotFoundError" in caplog.text
