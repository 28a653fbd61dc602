"""The load generator: raw HTTP/1.1 connections that each send, wait, and send again.

Requests are bytes made ahead. Of an answer only what is needed is looked at: that it is a 200,
where it ends, and whether it is as long as one that was checked.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


@dataclass(slots=True)
class Measured:
    """What came of a while of load. `seconds` is from the first request to the last answer."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    wrong: int = 0
    """Answers that were no 200 or not as long as a checked one."""
    example: bytes = b""
    """The first of them."""


async def ask(port: int, request: bytes, *, within: float = 60) -> tuple[int, bytes]:
    """Status and body of one answer."""
    answers: list[bytes] = []
    source = iter([request])
    done = asyncio.get_running_loop().create_future()

    def answered(answer: bytes, _seconds: float) -> None:
        answers.append(answer)

    connect = partial(_Client, source, answered, done)
    async with asyncio.timeout(within):
        transport, _ = await asyncio.get_running_loop().create_connection(
            connect, "127.0.0.1", port
        )
        try:
            await done
        finally:
            transport.close()
    return int(answers[0][9:12]), _body(answers[0])


async def press(
    port: int, requests: Iterator[bytes], *, connections: int, seconds: float, lengths: set[int]
) -> Measured:
    """Load from `connections` clients for about `seconds`; an answer's length, its head left out,
    has to be among `lengths`.
    """
    loop = asyncio.get_running_loop()
    measured = Measured()
    began = perf_counter()
    ends = began + seconds

    def answered(answer: bytes, took: float) -> None:
        measured.latencies.append(took)
        if not answer.startswith(b"HTTP/1.1 200") or len(_body(answer)) not in lengths:
            measured.wrong += 1
            measured.example = measured.example or answer[:2000]

    def until() -> Iterator[bytes]:
        while perf_counter() < ends:
            yield next(requests)

    source = until()
    waiting: list[asyncio.Future[None]] = []
    transports: list[asyncio.BaseTransport] = []
    for _ in range(connections):
        done = loop.create_future()
        waiting.append(done)
        transport, _ = await loop.create_connection(
            partial(_Client, source, answered, done), "127.0.0.1", port
        )
        transports.append(transport)
    async with asyncio.timeout(seconds + 120):
        await asyncio.gather(*waiting)
    measured.seconds = perf_counter() - began
    for transport in transports:
        transport.close()
    return measured


class _Client(asyncio.Protocol):
    """One connection; sends the next request when the last one was answered."""

    def __init__(
        self,
        requests: Iterator[bytes],
        answered: Callable[[bytes, float], None],
        done: asyncio.Future[None],
    ) -> None:
        self._requests, self._answered, self._done = requests, answered, done
        self._parts: list[bytes] = []
        self._left = -1  # bytes that are to come still; -1: not known, -2: chunked
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport  # uvloop's are no asyncio.Transport, but have all of one
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            if not self._done.done():
                self._done.set_result(None)
            return
        self._sent = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        if self._left >= 0:
            self._left -= len(data)
        elif self._left == -1:
            data = b"".join(self._parts)
            end = data.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(data, 0, end + 2)
            self._left = int(found[1]) - (len(data) - end - 4) if found else -2
        if self._left == -2:
            tail = data if len(data) >= 7 else b"".join(self._parts)
            if not tail.endswith(_LAST_CHUNK):
                return
        elif self._left > 0:
            return
        took = perf_counter() - self._sent
        answer = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._left = [], -1
        self._answered(answer, took)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("The server closed the connection."))


def _body(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    return b"".join(_chunks(body)) if b"transfer-encoding: chunked" in head.lower() else body


def _chunks(body: bytes) -> Iterator[bytes]:
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return
        yield body[:length]
        body = body[length + 2 :]
