"""One answer as it comes in: what is taken for one, what is not, and how much of it."""

from __future__ import annotations

import asyncio
import itertools
import tracemalloc
from collections.abc import Iterable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rest._exchange import MAX_HEAD, MAX_HEADERS, Exchange

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
Taken = tuple[int, bytes, bool]
"""Status, body, and whether the connection may be used again."""


def read(pieces: Iterable[bytes], *, collect: int = 1_000_000) -> Taken | None:
    """What the pieces come to, when the server closes after them; None for a ReadError."""
    exchange = Exchange(collect, resume=lambda: None, abandon=lambda _exchange: None)
    for piece in pieces:
        if exchange.over:
            exchange.reusable = False  # as the connection does: it was not asked for
            break
        exchange.feed(piece)
    if not exchange.over:
        exchange.finish()

    async def body() -> bytes:
        await exchange.answered()
        return b"".join([part async for part in exchange])

    try:
        return exchange.status, asyncio.run(body()), exchange.reusable
    except httpx.ReadError:
        return None


def by_bytes(said: bytes) -> Iterable[bytes]:
    return (said[at : at + 1] for at in range(len(said)))


TAKEN = {
    "a length": (OK + b"Content-Length: 2\r\n\r\nab", (200, b"ab", True)),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", (200, b"", True)),
    "other case": (OK + b"cOnTeNt-LeNgTh:2\r\n\r\nab", (200, b"ab", True)),
    "no reason": (b"HTTP/1.1 404\r\nContent-Length: 2\r\n\r\nab", (404, b"ab", True)),
    "close": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nab", (200, b"ab", False)),
    "chunks": (CHUNKED + b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", (200, b"abcde", True)),
    "extensions": (CHUNKED + b"2;a=b;c\r\nab\r\n0;d\r\n\r\n", (200, b"ab", True)),
    "trailers": (CHUNKED + b"2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n", (200, b"ab", True)),
    "until closed": (OK + b"\r\nab", (200, b"ab", False)),
    "1.0": (b"HTTP/1.0 200 OK\r\n\r\nab", (200, b"ab", False)),
    "1.0, a length": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", (200, b"ab", False)),
    "1.0, kept": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab",
        (200, b"ab", True),
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
    "204, nothing": (b"HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n", (204, b"", True)),
    "204, a length": (b"HTTP/1.1 204 Some\r\nContent-Length: 2\r\n\r\n", (204, b"", False)),
    "204, chunks": (b"HTTP/1.1 204 Some\r\nTransfer-Encoding: chunked\r\n\r\n", (204, b"", False)),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, b"", True)),
    "100": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nab",
        (200, b"ab", True),
    ),
    "103": (
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nLink: </x>\r\n\r\n" * 3
        + OK
        + b"Content-Length: 2\r\n\r\nab",
        (200, b"ab", True),
    ),
}


@pytest.mark.parametrize(("said", "taken"), TAKEN.values(), ids=TAKEN)
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(said, taken):
    """Whole, and byte by byte; and its parts are all there when it is handed over as it comes."""
    assert read([said]) == read(by_bytes(said)) == taken
    assert read([said], collect=-1) == read(by_bytes(said), collect=-1) == taken


@pytest.mark.parametrize(("said", "taken"), TAKEN.values(), ids=TAKEN)
def test_an_answer_that_is_cut_off_is_none(said, taken):
    """Wherever; but for one whose end is that of the connection."""
    if taken is not None and b"\r\n\r\nab" in said and b"ength" not in said:
        said = said.partition(b"\r\n\r\n")[0] + b"\r\n"

    found = [read([said[:end]]) for end in range(len(said) - 1)]

    assert found == [None] * len(found)


@pytest.mark.parametrize("more", [b"x", b"HTTP/1.1 200 OK\r\n", TAKEN["chunks"][0]])
@pytest.mark.parametrize(("said", "taken"), TAKEN.values(), ids=TAKEN)
def test_what_comes_behind_an_answer_is_no_part_of_it(said, taken, more):
    """And its connection is not used again."""
    if b"ength" not in said and b"chunked" not in said and taken[0] == 200:
        return  # this one has no end of its own

    assert read([said + more]) == read([said, more]) == (*taken[:2], False)


REFUSED = {
    "both": OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both, turned": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "both, after 100": b"HTTP/1.1 100 Continue\r\n\r\n"
    + OK
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "one length twice": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\nab",
    "negative": OK + b"Content-Length: -2\r\n\r\nab",
    "plus": OK + b"Content-Length: +2\r\n\r\nab",
    "hexadecimal": OK + b"Content-Length: 0x2\r\n\r\nab",
    "too many digits": OK + b"Content-Length: 99999999999999999999\r\n\r\nab",
    "an empty length": OK + b"Content-Length:\r\n\r\nab",
    "gzip as transfer coding": OK + b"Transfer-Encoding: gzip\r\n\r\nab",
    "gzip, chunked": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": OK
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "almost chunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "no number": CHUNKED + b"zz\r\nab\r\n0\r\n\r\n",
    "0x": CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-2\r\nab\r\n0\r\n\r\n",
    "a chunk beyond 2**64": CHUNKED + b"F" * 17 + b"\r\nab\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"2\r\nabc\r\n0\r\n\r\n",
    "a chunk without its CR": CHUNKED + b"2\nab\r\n0\r\n\r\n",
    "a space ahead of the colon": OK + b"Content-Length : 2\r\n\r\nab",
    "a folded header": OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nab",
    "a header without its CR": OK + b"X: a\nContent-Length: 2\r\n\r\nab",
    "a header with a CR": OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\nab",
    "a header with a NUL": OK + b"X: a\0b\r\nContent-Length: 2\r\n\r\nab",
    "a header without a name": OK + b": a\r\nContent-Length: 2\r\n\r\nab",
    "two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nab",
    "four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nab",
    "099": b"HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nab",
    "101": b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    + OK
    + b"Content-Length: 2\r\n\r\nab",
    "101 alone": b"HTTP/1.1 101 Go\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nab",
    "1xx for ever": b"HTTP/1.1 102 Wait\r\n\r\n" * 9 + OK + b"Content-Length: 2\r\n\r\nab",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/3": b"HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nab",
    "too many headers": OK + b"X: y\r\n" * MAX_HEADERS + b"Content-Length: 2\r\n\r\nab",
    "too long a header": OK + b"X: " + b"y" * MAX_HEAD + b"\r\nContent-Length: 2\r\n\r\nab",
    "headers too long together": OK
    + (b"X: " + b"y" * 2000 + b"\r\n") * 33
    + b"Content-Length: 2\r\n\r\nab",
    "headers too long for a long body": OK
    + (b"X: " + b"y" * 2000 + b"\r\n") * 33
    + b"Content-Length: 100000\r\n\r\n"
    + b" " * 100_000,
    "hints too long together": (b"HTTP/1.1 103 Hint\r\nX: " + b"y" * 9000 + b"\r\n\r\n") * 8
    + OK
    + b"Content-Length: 2\r\n\r\nab",
    "trailers too long together": CHUNKED
    + b"2\r\nab\r\n0\r\n"
    + (b"X: " + b"y" * 2000 + b"\r\n") * 33
    + b"\r\n",
    "too long a reason": b"HTTP/1.1 200 " + b"y" * MAX_HEAD + b"\r\nContent-Length: 2\r\n\r\nab",
    "too long an extension": CHUNKED + b"2;" + b"y" * MAX_HEAD + b"\r\nab\r\n0\r\n\r\n",
    "extensions too long together": CHUNKED + (b"1;" + b"y" * 99 + b"\r\na\r\n") * 900,
}


@pytest.mark.parametrize("said", REFUSED.values(), ids=REFUSED)
def test_an_answer_that_could_be_read_in_two_ways_or_is_too_long_is_refused(said):
    """Whole, in pieces, and byte by byte."""
    assert read([said]) is None
    assert read(said[at : at + 1000] for at in range(0, len(said), 1000)) is None
    assert read(by_bytes(said)) is None


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (OK + b"X: ", b"y" * 1000),
        (OK, b"X: y\r\n" * 10),
        (b"", b"HTTP/1.1 102 Wait\r\n\r\n"),
        (b"", b"\r\n" * 500),
        (CHUNKED + b"1;", b"y" * 1000),
        (CHUNKED + b"0\r\nX: ", b"y" * 1000),
        (CHUNKED, b"1;" + b"y" * 99 + b"\r\na\r\n"),
    ],
    ids=["header", "headers", "1xx", "empty lines", "extension", "trailer", "extensions"],
)
def test_what_never_ends_is_cut_off(start, piece):
    """And not kept until then."""
    exchange = Exchange(1_000_000, resume=lambda: None, abandon=lambda _exchange: None)
    exchange.feed(start)

    fed = 0
    while not exchange.over and fed < 10_000_000:
        exchange.feed(piece)
        fed += len(piece)

    assert not exchange.complete
    assert fed <= 3 * MAX_HEAD


def test_a_body_of_one_byte_chunks_is_taken():
    """Five bytes around each are what it takes; some servers write like that."""
    chunks = b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n"

    assert read([CHUNKED, chunks]) == (200, b"a" * 100_000, True)
    assert read([CHUNKED + chunks]) == (200, b"a" * 100_000, True)


@pytest.mark.slow
def test_a_body_of_small_chunks_takes_no_more_memory_than_its_bytes():
    """A list of a hundred thousand objects would take twenty times as much."""
    exchange = Exchange(10_000_000, resume=lambda: None, abandon=lambda _exchange: None)
    segment = b"2\r\nab\r\n" * 10_000
    exchange.feed(CHUNKED)
    tracemalloc.start()

    for _ in range(20):
        exchange.feed(segment)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 2 * 20 * 20_000


def test_headers_are_as_they_came_and_trailers_are_not_among_them():
    """In their order, the same name twice; nor are those of answers ahead of it."""
    exchange = Exchange(-1, resume=lambda: None, abandon=lambda _exchange: None)
    exchange.feed(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    exchange.feed(OK + b"A: 1\r\na:  2 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\nB: 3\r\n\r\n")

    assert exchange.complete
    assert exchange.headers == [(b"A", b"1"), (b"a", b"2"), (b"Transfer-Encoding", b"chunked")]


@pytest.mark.slow
@given(
    said=st.sampled_from([*(said for said, _ in TAKEN.values()), *REFUSED.values()]),
    behind=st.sampled_from([b"", b"x", b"\r\n", OK]),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_cuts_change_nothing(said, behind, cuts):
    """Status and body do not depend on where the network has cut an answer."""
    all_of_it = said + behind
    at = [0, *sorted(cuts), len(all_of_it)]
    pieces = [all_of_it[start:end] for start, end in itertools.pairwise(at)]

    whole, cut = read([all_of_it]), read(filter(None, pieces))

    assert (whole and whole[:2]) == (cut and cut[:2])


@pytest.mark.slow
@given(said=st.binary(max_size=300))
def test_noise_is_refused_or_an_answer_but_never_a_failure_of_its_own(said):
    """Behind a head and without one."""
    for start in (b"", OK, CHUNKED):
        read([start + said])
