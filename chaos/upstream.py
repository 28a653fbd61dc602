"""A server of HTTP/1.1 that can break every rule of it, over a simulated API.

Which requests it answers badly, and how, is told by the case whose tenant the request names.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message, Scope

from chaos.worlds import World

MAX_HEAD: Final = 64_000
PATIENCE: Final = 30.0
"""Seconds after which a server that hangs gives up, where its client does not."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; of one that came twice, both, with ", "."""
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, before it becomes bytes; its length is not among the headers."""

    status: int
    headers: Pairs = (("Content-Type", "application/json"),)
    body: bytes = b""
    reason: str = "Some Reason"

    def having(self, **changes: Any) -> Answer:
        return replace(self, **changes)

    def head(self, *more: tuple[str, str], version: str = "HTTP/1.1") -> bytes:
        lines = [f"{version} {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, *more)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def whole(self) -> bytes:
        if self.status == 204 or self.status == 304 or self.status < 200:
            return self.head() + self.body
        return self.head(("Content-Length", str(len(self.body)))) + self.body


class Case(Protocol):
    """What an upstream has to know of an operation under test."""

    def arrived(self, exchange: Exchange) -> None:
        """A request is here, whatever becomes of it."""

    async def answer(self, exchange: Exchange) -> None:
        """Answer it, well or badly."""


class Closed(Exception):
    """The connection is at its end, by our own doing or by the client's."""


class Exchange:
    """One request, and the connection it came over."""

    def __init__(
        self,
        request: Request,
        api: Api,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.request = request
        self.api = api
        self.status: int | None = None
        """Of the whole answer that was sent, if one was."""
        self._reader = reader
        self._writer = writer

    @property
    def tenant(self) -> str:
        found = self.api.tenant_path.match(self.request.path)
        return found[1] if found else ""

    async def real(self) -> Answer:
        """Have the API do what is asked; its own answer."""
        return await self.api.call(self.request)

    async def send(self, answer: Answer) -> None:
        """Send a whole answer, as it should be done."""
        await self.write(answer.whole())
        self.status = answer.status

    async def write(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise Closed
        self._writer.write(data)
        try:
            await self._writer.drain()
        except (ConnectionError, TimeoutError):
            raise Closed from None

    def reset(self) -> None:
        """End the connection with RST."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        with suppress(OSError):
            # asyncio's view of a socket has no setsockopt for structs on every loop.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        raise Closed

    def close(self) -> None:
        """End the connection with FIN, after what was written."""
        self._writer.close()
        raise Closed

    async def half_close(self) -> None:
        """Say that nothing more comes, and leave the other direction open."""
        self._writer.write_eof()
        await self.hang()

    async def hang(self) -> None:
        """Do nothing until the client is gone."""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while await self._reader.read(65_536):
                    pass
        self.close()


@dataclass
class Api:
    """One simulated API behind its own port."""

    name: str
    app: ASGIApp
    world: World
    tenant_path: re.Pattern[str]
    """Finds the tenant in a path."""
    cases: dict[str, Case] = field(default_factory=dict)
    """By tenant."""
    prefix: str = ""
    """Of its paths, in its base URL."""
    ports: list[int] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """One for each open connection."""
    requests: int = 0

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, limit=MAX_HEAD, backlog=1024
        )
        self.ports.append(server.sockets[0].getsockname()[1])
        try:
            yield
        finally:
            server.close()
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}{self.prefix}"

    async def call(self, request: Request) -> Answer:
        """The API's answer; what the request asks for is done."""
        url = urlsplit(request.target)
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "root_path": "",
            "query_string": url.query.encode(),
            "scheme": "http",
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in request.headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 1),
        }
        incoming: list[Message] = [{"type": "http.request", "body": request.body}]
        status, headers, parts = 500, [], list[bytes]()

        async def receive() -> Message:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [(k.decode(), v.decode("latin-1")) for k, v in message["headers"]]
            else:
                parts.append(message.get("body", b""))

        await self.app(scope, receive, send)
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return Answer(status, kept, b"".join(parts))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # who handles a connection is a task
        self.tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                self.requests += 1
                await self._handle(Exchange(request, self, reader, writer))
        except (Closed, ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass  # the harness is at its end
        finally:
            self.tasks.discard(task)
            with suppress(Exception):
                writer.close()

    async def _handle(self, exchange: Exchange) -> None:
        case = self.cases.get(exchange.tenant)
        if case is None:
            await exchange.send(await exchange.real())
            return
        case.arrived(exchange)
        await case.answer(exchange)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """The next request; None where the client has closed the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    found = _LENGTH.search(head)
    body = await reader.readexactly(int(found[1])) if found else b""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            name, value = name.strip().lower(), value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(method, target, headers, body)
