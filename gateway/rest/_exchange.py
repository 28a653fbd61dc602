"""One answer of HTTP/1.1 as it arrives, within limits; httptools parses the grammar.

Each exchange has a parser of its own, so no byte of one answer can become part of another. Whatever
is wrong with an answer is a ReadError, because the request was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD: Final = 64 * 1024
"""Bytes of an answer that are not its body: header names and values, and everything else."""
MAX_HEADERS: Final = 128
MAX_INTERIM: Final = 8
"""Answers 1xx before the final one."""
WINDOW: Final = 256 * 1024
"""Bytes of a body that may wait for their reader, unless more are collected."""
MAX_PIECES: Final = 16
"""Pieces of a body from one read of the socket; more are joined."""
BODILESS: Final = frozenset({204, 304})


class _Refused(Exception):
    """The answer is HTTP, but not accepted here."""


class Exchange(httpx.AsyncByteStream):
    """The answer to one request; as a stream, its body.

    A 2xx is ready when its body is complete or has more than `collect` bytes, so that a body of
    usual size costs one iteration of the event loop. With -1, and for any other status, it is ready
    with its head, because the status may be all that matters.
    """

    def __init__(
        self, collect: int, *, resume: Callable[[], None], abandon: Callable[[Exchange], None]
    ) -> None:
        self.status = 0
        """0 until the head is complete."""
        self.headers: list[tuple[bytes, bytes]] = []
        self.over = False
        """Whether no more bytes are expected."""
        self.complete = False
        self.reusable = False
        """Whether the connection may be used again; known when the answer is over."""
        self._collect = collect
        self._resume = resume
        self._abandon = abandon
        self._failure: str | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._taken = 0
        self._received = 0
        self._head = 0
        self._interim = 0
        self._until_closed = False
        self._promises_more = False
        self._parser: HttpResponseParser | None = HttpResponseParser(self)

    @property
    def flooded(self) -> bool:
        """Whether so much waits for its reader that the socket should not be read."""
        return self._size - self._taken > max(self._collect, WINDOW)

    @property
    def _ready(self) -> bool:
        return self.over or (self.status > 0 and self._size - self._taken > self._collect)

    # -- called by the connection

    def feed(self, data: bytes | memoryview) -> None:
        self._received += len(data)
        pieces = len(self._parts)
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]  # there until it is over
        except (HttpParserError, HttpParserUpgrade) as error:
            # Bytes after a complete answer do not spoil it; they are dropped.
            self.reusable = False
            if not self.complete:
                self.fail(type(error).__name__)
        else:
            # No callback gets chunk extensions and incomplete heads, so they are counted here. A
            # chunk of one byte has five bytes around it.
            if self._received - self._size > MAX_HEAD + 8 * self._size:
                self.fail("HeadTooLong")
        if len(self._parts) > pieces + MAX_PIECES:
            # For a body of one-byte chunks, the list would be larger than the body.
            self._parts[pieces:] = [b"".join(self._parts[pieces:])]
        if self._ready:
            self._wake()

    def finish(self) -> None:
        """The server closed the connection, which ends an answer without a length."""
        if self._until_closed and self._failure is None:
            self.complete = self.over = True
            self._wake()
        else:
            self.fail("ServerDisconnected")

    def fail(self, why: str) -> None:
        self.complete = self.reusable = False
        self.over = True
        self._failure = self._failure or why
        self._wake()

    def _wake(self) -> None:
        if self.over:
            self._parser = None  # it has a reference to this object
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- called by the parser

    def on_message_begin(self) -> None:
        if self.complete:
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value)
        if self._head > MAX_HEAD or len(self.headers) == MAX_HEADERS:
            raise _Refused
        if not self.status:  # otherwise it is a trailer
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()  # type: ignore[union-attr]
        if status < 200:
            self._interim += 1
            # httptools stops at 101, because another protocol follows.
            if status < 100 or self._interim > MAX_INTERIM:
                raise _Refused
            self.headers.clear()
            return
        framed = status in BODILESS
        length = b"0"
        codings = 0
        for name, value in self.headers:
            match len(name):  # faster than comparing names
                case 14 if name.lower() == b"content-length":
                    # httptools refuses two of them, one together with a coding, and non-numbers.
                    framed = True
                    length = value
                case 17 if name.lower() == b"transfer-encoding":
                    codings += 1
                    if codings > 1 or value.lower() != b"chunked":
                        raise _Refused
                    framed = True
        self._until_closed = not framed
        # A 204 has no body, but some servers send one (RFC 9110, 8.6; a 304's length is another's).
        self._promises_more = status == 204 and (length != b"0" or codings > 0)
        if status >= 300:
            self._collect = -1
        self.status = status

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)

    def on_message_complete(self) -> None:
        if self.status:
            self.complete = self.over = True
            self.reusable = not self._promises_more and self._parser.should_keep_alive()  # type: ignore[union-attr]

    # -- called by the reader of the answer

    async def answered(self) -> None:
        """Wait until the answer is ready; raises ReadError if there is no complete head."""
        while not self._ready:
            await self._more()
        if not self.status:
            raise self._lost()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self  # the event loop would keep a list of generators

    async def __anext__(self) -> bytes:
        while True:
            if self._parts:
                parts, self._parts = self._parts, []
                self._taken = self._size
                return parts[0] if len(parts) == 1 else b"".join(parts)
            if self.complete:
                raise StopAsyncIteration
            if self._failure is not None:
                raise self._lost()
            self._resume()
            await self._more()

    async def aclose(self) -> None:
        """Close the connection, unless the answer was read to its end."""
        self._abandon(self)

    def _more(self) -> Awaitable[None]:
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def _lost(self) -> httpx.ReadError:
        return httpx.ReadError(self._failure or "ReadError")
