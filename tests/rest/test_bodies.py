"""The status counts before the body: what an answer means whose body can't be read."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from gateway.errors import (
    DeadlineExceeded,
    Forbidden,
    GatewayError,
    InvalidAnswer,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.rest import Answer, CallerUpstream, HttpTransport, Upstream
from gateway.rest._bodies import MAX_MEMBERS
from gateway.settings import UpstreamSettings
from tests.rest.test_upstream import (
    GOLD,
    GROUP,
    SECRET,
    Body,
    Says,
    caller,
    connect,
    get,
    put,
    upstream,
)
from tests.rest.wire import Talk, head, reset, running


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

STALLS = {
    "none of the announced bytes": b"Content-Length: 20\r\n\r\n",
    "fewer bytes than announced": b"Content-Length: 20\r\n\r\n{}",
    "fewer bytes than are taken": b"Content-Length: 5000\r\n\r\n" + b" " * MAX_BODY,
    "no length": b"\r\n{}",
    "no chunk": b"Transfer-Encoding: chunked\r\n\r\n",
    "half a chunk": b"Transfer-Encoding: chunked\r\n\r\n9\r\n{}",
    "half of the gzip": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
    % (len(PACKED), PACKED[:12]),
}
"""The same, where the connection stays open and nothing more comes."""

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


@asynccontextmanager
async def connected(talk: Talk, **more: Any) -> AsyncIterator[Upstream]:
    """An upstream that says what `talk` says, over a real socket."""
    transport = HttpTransport(connections=100)
    async with running(talk) as server:
        chosen = UpstreamSettings(url=server.url, max_body=MAX_BODY, retries=0, **more)
        yield Upstream("flow_retail", chosen, transport, lambda _event: None)
        await transport.aclose()


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

    async with connected(talk) as made:
        # Each of a tenant of its own, for after many failures nothing more is sent.
        return {
            status: await meaning(made.connect(caller(tenant=f"t{status}")), method)
            for status in statuses_asked
        }


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


async def meanings_without_end(method: str, more: Callable[[], AsyncIterator[bytes]]) -> Any:
    """The same, where behind the status line comes this, and nothing after it; all at once."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await head(reader)
        writer.write(b"HTTP/1.1 %b Said\r\n" % request.split(b"/t")[2][:3])
        async for piece in more():
            writer.write(piece)
            await writer.drain()
        await reader.read()

    async def asked(status: int) -> object:
        connection = made.connect(caller(tenant=f"t{status}"))
        path = {"tenantUid": f"t{status}", "customerGroupUid": "gold"}
        try:
            return (await connection.send(method, GROUP, path)).status
        except GatewayError as failure:
            return type(failure)

    statuses = [*MEANINGS, *DONE]
    async with connected(talk, timeout=1.0) as made:
        return dict(zip(statuses, await asyncio.gather(*map(asked, statuses)), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("way", STALLS)
@pytest.mark.parametrize("method", ["PUT", "GET"])
async def test_a_body_that_does_not_come_hides_no_status(method, way):
    """It is as with any other that can't be read; a read that was to show it was too slow."""

    async def more() -> AsyncIterator[bytes]:
        yield STALLS[way]

    found = await meanings_without_end(method, more)

    writes = method == "PUT"
    assert found == {status: either[writes] for status, either in MEANINGS.items()} | {
        status: status if writes or status == 204 else Unavailable for status in DONE
    }


@pytest.mark.slow
@pytest.mark.parametrize("method", ["PUT", "GET"])
async def test_a_body_that_drips_hides_no_status(method):
    """Though there is always some more of it; the head comes in two pieces."""

    async def more() -> AsyncIterator[bytes]:
        yield b"Content-Le"
        await asyncio.sleep(0.01)
        yield b"ngth: 1000\r\n\r\n"
        for _ in range(1000):
            yield b" "
            await asyncio.sleep(0.02)

    found = await meanings_without_end(method, more)

    writes = method == "PUT"
    assert found == {status: either[writes] for status, either in MEANINGS.items()} | {
        status: status if writes or status == 204 else Unavailable for status in DONE
    }


async def test_a_connection_that_is_reset_in_the_body_hides_no_status():
    """Neither that of a write, nor that of a read which needs no more."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await head(reader)
        status = 200 if request.startswith(b"DELETE") else 401
        writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: 20\r\n\r\n{" % status)
        await asyncio.sleep(0.01)
        reset(writer)

    async with connected(talk) as made:
        connection = made.connect(caller())

        assert (await connection.send("DELETE", GROUP, GOLD)).status == 200
        with pytest.raises(Unauthenticated):
            await get(connection)


ENDLESS = Body(b"{", 60.0)


@pytest.mark.slow
async def test_a_body_of_which_only_the_status_matters_is_not_waited_for_as_long_as_others():
    """That of a refusal, and that of a write which is answered without content."""
    made, _ = upstream(Says(401, ENDLESS), Says(200, ENDLESS), Says(200, ENDLESS), timeout=2.0)
    ended: list[object] = []

    async def ends(name: str, sent: Awaitable[Answer]) -> None:
        with suppress(GatewayError):
            await sent
        ended.append(name)

    connections = [made.connect(caller(tenant=f"t{number}")) for number in range(3)]
    await asyncio.gather(
        ends("refused", get(connections[0])),
        ends("made", put(connections[1])),
        ends("told", connections[2].send("PUT", GROUP, GOLD, status_suffices=True)),
    )

    assert set(ended[:2]) == {"refused", "told"}


@pytest.mark.slow
async def test_a_status_that_came_before_the_deadline_counts():
    """What was made by then, was made; what was to be read, was not."""
    made, _ = upstream(Says(200, ENDLESS), Says(404, ENDLESS), Says(200, ENDLESS))
    connection = made.connect(caller(seconds=0.2))

    changed, missing, read = await asyncio.gather(
        put(connection), get(connection), get(connection), return_exceptions=True
    )

    assert (changed.status, missing.status) == (200, 404)
    assert isinstance(read, DeadlineExceeded)


@pytest.mark.slow
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}])
@pytest.mark.parametrize("status", [429, 503, 408])
async def test_a_read_is_repeated_whose_refusal_has_a_body_that_does_not_come(status, headers):
    """As one with a body is."""
    connection, script = connect(Says(status, ENDLESS, headers), Says(body=b"found"), timeout=0.25)

    assert (await get(connection)).body == b"found"
    assert len(script.requests) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "cause"), [(200, "timeout: answer"), (404, "timeout: answer"), (401, "status 401")]
)
async def test_the_status_of_a_body_that_does_not_come_is_in_the_event(status, cause):
    """Beside why it has none."""
    events: list[Any] = []
    made, _ = upstream(Says(status, ENDLESS), timeout=0.2, observe=events.append)

    with suppress(GatewayError):
        await get(made.connect(caller()))

    assert [(event.status, event.cause) for event in events] == [(status, cause)]


async def test_the_body_of_an_unreadable_answer_is_empty():
    """Whoever needs it finds out, and whoever does not goes on."""
    connection, _ = connect(Says(200, b"{}", {"Content-Encoding": "br"}))

    assert (await put(connection)).body == b""


@pytest.mark.slow
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
    some, more = (packed(b"") * (MAX_MEMBERS + more) for more in (0, 1))
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
