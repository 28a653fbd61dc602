"""One answer of HTTP/1.1 as it comes in, within limits; httptools reads its grammar.

An exchange has a parser of its own, so nothing that came for one request can show up in the answer
to another. Whatever is wrong with an answer is a ReadError: the request was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD: Final = 64 * 1024
"""Bytes of names and values of an answer's headers, and of anything else that is not its body."""
MAX_HEADERS: Final = 128
MAX_INTERIM: Final = 8
"""Answers 1xx ahead of the one that counts."""
WINDOW: Final = 256 * 1024
"""Bytes that may wait to be fetched, where no more are collected."""
MAX_PIECES: Final = 16
"""Pieces of the body that one read of the socket leaves as they are."""
BODILESS: Final = frozenset({204, 304})


class _Refused(Exception):
    """What came can be parsed, and is not taken."""


class Exchange(httpx.AsyncByteStream):
    """The answer to one request; as a stream, its body.

    Of a success, up to `collect` bytes of the body are waited for before anything is handed over,
    so that a body of usual size costs one turn of the event loop. With -1, and of any other answer,
    all is handed over as it comes: its status may tell enough.
    """

    def __init__(
        self, collect: int, *, resume: Callable[[], None], abandon: Callable[[Exchange], None]
    ) -> None:
        self.status = 0
        """0 until all headers are there."""
        self.headers: list[tuple[bytes, bytes]] = []
        self.over = False
        """Nothing more will come."""
        self.complete = False
        self.reusable = False
        """Whether the connection may be used again; decided by the end of the answer."""
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
        """More has come than is fetched: the server is to wait."""
        return self._size - self._taken > max(self._collect, WINDOW)

    @property
    def _ready(self) -> bool:
        return self.over or (self.status > 0 and self._size - self._taken > self._collect)

    # -- what the connection says

    def feed(self, data: bytes) -> None:
        self._received += len(data)
        pieces = len(self._parts)
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]  # there until it is over
        except (HttpParserError, HttpParserUpgrade) as error:
            # Behind its end the answer is as good as before; what came there is nobody's.
            self.reusable = False
            if not self.complete:
                self.fail(type(error).__name__)
        else:
            # Chunk extensions and half a head reach no callback. Even a chunk of one byte has no
            # more than five bytes around it.
            if self._received - self._size > MAX_HEAD + 8 * self._size:
                self.fail("HeadTooLong")
        if len(self._parts) > pieces + MAX_PIECES:
            # A body of one-byte chunks must not take a list of objects that is larger than itself.
            self._parts[pieces:] = [b"".join(self._parts[pieces:])]
        if self._ready:
            self._wake()

    def finish(self) -> None:
        """The server has closed the connection, which may be how it ends its answer."""
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
            self._parser = None  # the two hold each other
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- what the parser says

    def on_message_begin(self) -> None:
        if self.complete:
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value)
        if self._head > MAX_HEAD or len(self.headers) == MAX_HEADERS:
            raise _Refused
        if not self.status:  # else it is a trailer
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()  # type: ignore[union-attr]
        if status < 200:
            self._interim += 1
            # httptools itself stops at 101, after which comes another protocol.
            if status < 100 or self._interim > MAX_INTERIM:
                raise _Refused
            self.headers.clear()
            return
        framed = status in BODILESS
        length = b"0"
        codings = 0
        for name, value in self.headers:
            match len(name):  # which is told sooner than what they are called
                case 14 if name.lower() == b"content-length":
                    # httptools refuses two of them, one beside a coding, and one that is no number.
                    framed = True
                    length = value
                case 17 if name.lower() == b"transfer-encoding":
                    codings += 1
                    if codings > 1 or value.lower() != b"chunked":
                        raise _Refused
                    framed = True
        self._until_closed = not framed
        # It has no body, and may get one all the same (RFC 9110, 8.6; of 304 it is another's).
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

    # -- what the caller asks

    async def answered(self) -> None:
        """Until the body is there, or as much of the answer as is handed over; raises ReadError
        where not even a head came.
        """
        while not self._ready:
            await self._more()
        if not self.status:
            raise self._lost()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if self._parts:
                parts, self._parts = self._parts, []
                self._taken = self._size
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                continue
            if self.complete:
                return
            if self._failure is not None:
                raise self._lost()
            self._resume()
            await self._more()

    async def aclose(self) -> None:
        """An answer that was not read to its end takes its connection along."""
        self._abandon(self)

    def _more(self) -> Awaitable[None]:
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def _lost(self) -> httpx.ReadError:
        return httpx.ReadError(self._failure or "ReadError")
