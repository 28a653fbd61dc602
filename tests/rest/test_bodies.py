"""The status counts before the body: what an answer means whose body can't be read."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest

from gateway.errors import (
    Forbidden,
    GatewayError,
    InvalidAnswer,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.rest.bodies import MOST_MEMBERS
from gateway.rest.transport import HttpTransport
from gateway.rest.upstream import CallerUpstream, Upstream
from gateway.settings import Upstream as UpstreamSettings
from tests.rest.test_upstream import SECRET, Body, Says, caller, connect, get, put
from tests.rest.wire import head, running


def packed(body: bytes) -> bytes:
    """It as gzip, the same at any time."""
    return gzip.compress(body, mtime=0)


PACKED = packed(b'{"message":"Sorry"}')
LARGE = packed(b" " * 5_000)
MAX_BODY = 1_000
WAYS = {
    "gzip without a body": b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
    "an unknown coding": b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
    "two codings": b"Content-Encoding: gzip, br\r\nContent-Length: 2\r\n\r\n{}",
    "no gzip": b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    "gzip cut off": b"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n" + PACKED[:12],
    "gzip with a wrong checksum": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(PACKED), PACKED[:-8] + b"\0" * 8),
    "too large": b"Content-Length: 2000\r\n\r\n" + b" " * 2000,
    "too large when unpacked": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(LARGE), LARGE),
    "fewer bytes than announced": b"Content-Length: 20\r\n\r\n{}",
    "none of the announced bytes": b"Content-Length: 20\r\n\r\n",
    "a chunk without a length": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nmore\r\n",
    "chunks without an end": b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
}
"""What an answer has behind its status line; the connection is closed after it."""

REDIRECTS = (300, 301, 302, 305, 307, 308)
REFUSED = (400, 404, 409, 410, 413, 422)
MEANINGS: dict[int, tuple[object, object]] = {
    401: (Unauthenticated, Unauthenticated),
    403: (Forbidden, Forbidden),
    408: (Unavailable, 408),
    425: (Unavailable, 425),
    429: (RateLimited, RateLimited),
    303: (InvalidAnswer, OutcomeUnknown),
    **dict.fromkeys(REDIRECTS, (InvalidAnswer, InvalidAnswer)),
    **{status: (status, status) for status in REFUSED},
    **dict.fromkeys((500, 501, 502, 503, 504), (Unavailable, OutcomeUnknown)),
}
"""What each status means to a read and to a write: an error, or an answer for the adapter."""
DONE = (200, 201, 202, 204)


async def meaning(connection: CallerUpstream, method: str) -> object:
    """The status of the answer, or the class of the error."""
    try:
        answer = await (get if method == "GET" else put)(connection)
    except GatewayError as failure:
        return type(failure)
    assert answer.reason() in ("", " It says: Sorry.")
    return answer.status


async def meanings(method: str, way: bytes) -> dict[int, object]:
    """What each status means to such a request, with this behind it, over a real socket."""
    statuses = iter(statuses_asked := [*MEANINGS, *DONE])

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await head(reader)
        if method != "GET":
            await reader.readexactly(len(b'{"name":"Gold"}'))
        assert request.startswith(method.encode())
        writer.write(b"HTTP/1.1 %d Said\r\n" % next(statuses) + way)
        await writer.drain()
        writer.close()

    transport = HttpTransport(connections=1)
    async with running(talk) as server:
        chosen = UpstreamSettings(url=server.url, max_body=MAX_BODY, retries=0)
        made = Upstream("flow_retail", chosen, transport, lambda _event: None)
        # Each of a tenant of its own, for after many failures nothing more is sent.
        found = {
            status: await meaning(made.connect(caller(tenant=f"t{status}")), method)
            for status in statuses_asked
        }
        await transport.aclose()
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_whatever_is_behind_it_a_status_means_the_same_to_a_write(way):
    """Nothing that is done or refused becomes an unknown outcome."""
    found = await meanings("PUT", WAYS[way])

    assert found == {status: write for status, (_, write) in MEANINGS.items()} | {
        status: status for status in DONE
    }


@pytest.mark.parametrize("way", WAYS)
async def test_whatever_is_behind_it_a_status_means_the_same_to_a_read(way):
    """Only what was to be read is missed."""
    found = await meanings("GET", WAYS[way])

    done = {status: found.pop(status) for status in DONE}
    assert found == {status: read for status, (read, _) in MEANINGS.items()}
    if way == "gzip without a body":
        assert done == {status: status for status in DONE}
    else:
        lost = way.startswith(("fewer", "none", "a chunk", "chunks"))
        assert done.pop(204) in (204, InvalidAnswer)  # its body, if any, is no part of it
        assert set(done.values()) == {Unavailable if lost else InvalidAnswer}


async def test_the_body_of_an_unreadable_answer_is_empty():
    """Whoever needs it finds out, and whoever does not goes on."""
    connection, _ = connect(Says(200, b"{}", {"Content-Encoding": "br"}))

    assert (await put(connection)).body == b""


@pytest.mark.parametrize("status", [408, 425])
async def test_a_read_that_came_too_late_or_too_early_is_repeated(status):
    """As one that met a 503."""
    connection, script = connect(Says(status), Says(body=b"found"))

    assert (await get(connection)).body == b"found"
    assert len(script.requests) == 2


@pytest.mark.parametrize("status", [408, 425, *REDIRECTS])
async def test_a_write_that_was_not_taken_is_not_repeated(status):
    """And its outcome is known."""
    connection, script = connect(Says(status))

    assert await meaning(connection, "PUT") in (status, InvalidAnswer)
    assert len(script.requests) == 1


# -- what is readable

SAID = b'{"name":"Gold"}'
HALVES = packed(SAID[:7]) + packed(SAID[7:])


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (SAID, ""),
        (SAID, " , "),
        (SAID, "Identity"),
        (packed(SAID), "x-gzip"),
        (packed(SAID), "X-GZip, identity"),
        (HALVES, "gzip"),
        (packed(SAID) + packed(b""), "gzip"),
        (b"\xef\xbb\xbf" + SAID, "identity"),
        (packed(b"\xef\xbb\xbf" + SAID), "gzip"),
    ],
)
@pytest.mark.parametrize("in_pieces", [False, True])
async def test_what_real_servers_send_is_read(body, coding, in_pieces):
    """No coding at all, old names of gzip, gzip of several members, a byte order mark."""
    pieces = [body[at : at + 1] for at in range(len(body))] if in_pieces else [body]
    connection, _ = connect(Says(200, Body(*pieces), {"Content-Encoding": coding}))

    assert (await get(connection)).body == SAID


async def test_gzip_has_no_more_members_than_it_may():
    """Empty ones are small, and take time each."""
    some, more = (packed(b"") * (MOST_MEMBERS + more) for more in (0, 1))
    coding = {"Content-Encoding": "gzip"}
    connection, _ = connect(Says(200, some, coding), Says(200, more, coding))

    assert (await get(connection)).body == b""
    with pytest.raises(InvalidAnswer):
        await get(connection)


async def test_members_count_together():
    """Each is within the limit, and both are not."""
    body = packed(b" " * 60) * 2
    connection, _ = connect(Says(200, body, {"Content-Encoding": "gzip"}), max_body=100)

    with pytest.raises(InvalidAnswer):
        await get(connection)


@pytest.mark.parametrize("coding", ["deflate", SECRET])
async def test_an_answer_in_a_coding_that_was_not_asked_for_is_not_read(coding):
    """Nor is the coding named."""
    connection, _ = connect(Says(200, zlib.compress(SAID), {"Content-Encoding": coding}))

    with pytest.raises(InvalidAnswer) as failure:
        await get(connection)

    assert coding not in failure.value.message
