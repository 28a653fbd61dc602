"""One connection of a client: HTTP/1.1 within bounds, on uvicorn's protocol for httptools."""

from __future__ import annotations

import asyncio
import json
import re
import select
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from uvicorn._types import ASGI3Application, ASGISendEvent, HTTPResponseStartEvent
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from gateway.disconnect import Presence
from gateway.serving._connections import ClientConnections

MAX_PIPELINED: Final = 32
"""Pipelined requests that may wait for their turn; what follows them is not read."""
READ_AT_LEAST: Final = 0.25
"""The part of the unsent bytes that a client has to read within `unread_timeout`."""
PROBES: Final = frozenset({"/health", "/health/live", "/health/ready"})
"""Answered however many requests are under way."""
COME_AGAIN: Final = 1
"""Seconds after which a client that was refused for lack of room may try again."""
HOST: Final = re.compile(rb"[!$%&'()*+,;=\[\]:._~0-9A-Za-z-]*")
"""RFC 3986's host and port, roughly."""


class _RequestRefusal(Exception):
    """A request that is refused; `limit` is the setting that it exceeds."""

    def __init__(
        self, status: int, message: str, code: str = "BAD_REQUEST", *, limit: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.limit = status, limit
        extensions: dict[str, Any] = {"code": code}
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if limit is not None:
            extensions["limit"] = limit
        if status == 503:
            extensions["retryAfter"] = COME_AGAIN
            headers.append((b"retry-after", str(COME_AGAIN).encode()))
        # In the form of a GraphQL response, because that is what clients expect here.
        self.body = json.dumps(
            {"errors": [{"message": message, "extensions": extensions}]}
        ).encode()
        headers.append((b"content-length", str(len(self.body)).encode()))
        self.head = STATUS_LINE[status] + _lines(headers)


def _is_light(cycle: RequestResponseCycle) -> bool:
    """Whether it is a health probe, or a preflight, whose refusal a browser would hide from the
    page.
    """
    return cycle.scope["path"] in PROBES or cycle.scope["method"] == "OPTIONS"


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([name + b": " + value + b"\r\n" for name, value in headers])


TOO_MANY: Final = _RequestRefusal(
    503, "There are too many requests; send it again later.", "OVERLOADED"
)


class Cycle(RequestResponseCycle):
    """uvicorn's, except that a response with one body message is written in one piece, and all its
    headers are checked at once.
    """

    _head: HTTPResponseStartEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        head, self._head = self._head, None
        if message["type"] == "http.response.start" and not self.response_started:
            self._head = message  # may replace the head of a response that failed before its body
        elif head is None:
            await super().send(message)
        elif not self._sent_whole(head, message):
            await super().send(head)
            await super().send(message)

    def _sent_whole(self, head: HTTPResponseStartEvent, message: ASGISendEvent) -> bool:
        """Send a response that is complete, has the announced length and keeps the connection open.
        Otherwise send nothing, and return False.
        """
        body: bytes = message.get("body", b"")  # type: ignore[assignment]
        given = list(head["headers"])
        if (
            message.get("more_body")
            or (b"content-length", b"%d" % len(body)) not in given
            or (b"connection", b"close") in given
            or not self.keep_alive
            or self.flow.write_paused
            or self.disconnected
            or self.scope["method"] == "HEAD"
        ):
            return False
        headers = self.default_headers + given
        lines = _lines(headers)
        if not lines.count(b"\n") == lines.count(b"\r") == len(headers) or b"\0" in lines:
            return False  # uvicorn raises
        self.response_started = self.response_complete = True
        self.transport.writelines([b"".join([STATUS_LINE[head["status"]], lines, b"\r\n"]), body])
        self.message_event.set()
        self.on_response()
        return True


class ClientConnection(HttpToolsProtocol):
    """uvicorn's, except that each request gets exactly one answer, in order, whatever a client
    sends, and that no wait for a client is endless.

    A request to upgrade is ignored (RFC 9110, 7.8). httptools assumes that it is accepted, and
    stops at the end of the head; uvicorn then takes the body for a further request. Here a new
    parser reads the head again without the Upgrade header, and then the rest.
    """

    def __init__(
        self,
        connections: ClientConnections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all = connections
        settings = connections.settings
        self._max_head, self._max_headers = settings.max_head, settings.max_headers
        self._keep_alive = settings.keep_alive_timeout
        self._root = settings.root_path
        self._running: RequestResponseCycle | None = None
        """The request that is answered next; `self.cycle` is the one that was read last."""
        self._in_head = self._in_body = False
        self._presence = Presence()
        self._ended = False
        """Whether nothing more is read."""
        self._refused = False
        """Whether the connection is about to close after a refusal."""
        self._again = False
        """Whether a head is read again, without its Upgrade header."""
        self._began = 0.0
        """When the first byte of the request was read, by the event loop's time."""
        self._steps = 0
        """Counts the parser's events."""
        self._idle_bytes = 0
        """Bytes that were read since the last event."""
        self._head_left = self._headers_left = self._hosts = 0
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        descriptor = transport.get_extra_info("socket").fileno()
        if self._all.make_room(len(self.connections), descriptor):
            self._all.waits_for_request(self, self._all.settings.silent_timeout)
        else:
            self._answer(_RequestRefusal(503, "There are too many connections.", "OVERLOADED"))
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.waits_no_more(self)
        self._all.is_read(self)
        self._disconnect()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        steps = self._steps
        rest: bytes | memoryview = data
        try:
            while True:
                try:
                    self.parser.feed_data(rest)
                    break
                except HttpParserUpgrade as offer:
                    rest = memoryview(rest)[offer.args[0] :]
                    self._read_head_again()
        except HttpParserError as mistake:
            cause = mistake.__context__
            if not self._ended:
                refusal = cause if isinstance(cause, _RequestRefusal) else None
                self._refuse(refusal or _RequestRefusal(400, "The request is not valid HTTP/1.1."))
            return
        if steps != self._steps:
            self._idle_bytes = 0
        else:
            # httptools buffers an unfinished header without limit.
            self._idle_bytes += len(data)
            if self._idle_bytes > self._max_head:
                self._refuse(self._too_large())
        if self._in_head and steps != self._steps and not self._is_busy():
            waited = self.loop.time() - self._began
            self._all.waits_for_request(self, self._all.settings.head_timeout - waited)

    def _read_head_again(self) -> None:
        """Give the head to a new parser, without its Upgrade header."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        lines = [method + b" " + self.url + b" HTTP/" + version.encode()]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = HttpRequestParser(self)
        self._again = True
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))
        self._again = False

    # Called by httptools; what these raise is the context of the error that feed_data raises.

    def on_message_begin(self) -> None:
        if self._ended:
            raise _RequestRefusal(400, "There is no further request on this connection.")
        super().on_message_begin()
        if not self._again:
            self._began = self.loop.time()
        self.scope["state"].update(began=self._began, presence=self._presence)
        self._steps += 1
        self._in_head = True
        self._head_left, self._headers_left, self._hosts = self._max_head, self._max_headers, 0

    def on_url(self, url: bytes) -> None:
        self._head_left -= len(url)
        if self._head_left < 0:
            raise self._too_large()
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_left -= len(name) + len(value) + 4
        self._headers_left -= 1
        if self._head_left < 0:
            raise self._too_large()
        if self._headers_left < 0:
            raise _RequestRefusal(
                431,
                f"The request has more than {self._max_headers} headers.",
                "LIMIT_EXCEEDED",
                limit="max_headers",
            )
        # Trailers of a chunked body are no headers of the request (RFC 9110, 6.5.1).
        if self._in_head:
            name = name.lower()
            if name == b"host":
                self._hosts += 1 if HOST.fullmatch(value) else 2
            elif name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _RequestRefusal(501, "This is no proxy.")
            return
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise _RequestRefusal(505, "The request is not of HTTP/1.1.")
        if self._hosts != 1 and (self._hosts or version == "1.1"):
            raise _RequestRefusal(400, "A request has one Host header.")
        busy = self._is_busy()
        if busy and len(self.pipeline) >= MAX_PIPELINED:
            self.cycle.keep_alive = False
            self._ended = True
            raise _RequestRefusal(400, "Too many requests wait on this connection.")
        self._in_head = False
        url = parse_url(self.url)
        path = url.path.decode("ascii")
        if self._root and path.startswith(f"{self._root}/"):
            path = path.removeprefix(self._root)
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version == "1.1"
            and self.parser.should_keep_alive()
            and not self._all.draining,
            on_response=self.on_response_complete,
        )
        if busy:
            if self.pipeline:  # with one waiting, a disconnect is still noticed
                self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._start_asgi_task(self.cycle, self.app)
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._steps += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._steps += 1
        self._in_body = False
        super().on_message_complete()
        if self.cycle is self._running:
            self.flow.resume_reading()  # otherwise a disconnect would go unnoticed
        self._ended = not self.cycle.keep_alive

    def _too_large(self) -> _RequestRefusal:
        return _RequestRefusal(
            431,
            f"The request's line and headers are larger than {self._max_head} bytes.",
            "LIMIT_EXCEEDED",
            limit="max_head",
        )

    # Called by uvicorn when a request begins, and by its requests.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Start the request, or refuse it if too many are running: that takes a sixth of the time
        that the app would need to refuse it.
        """
        self._running = cycle
        self._all.waits_no_more(self)
        if len(self.tasks) < self._all.settings.max_requests or _is_light(cycle):
            super()._start_asgi_task(cycle, app)
        else:
            self._all.no_room("max_requests")
            # Not now: the event loop would go on reading as long as each is answered at once.
            self.loop.call_soon(self._turn_away, cycle)

    def _turn_away(self, cycle: RequestResponseCycle) -> None:
        if cycle.disconnected:
            return
        cycle.response_started = cycle.response_complete = True
        # A client that does not read gets one refusal, not any number of them.
        cycle.keep_alive = cycle.keep_alive and not self.flow.write_paused
        self._answer(TOO_MANY, cycle)
        if cycle.keep_alive:
            self.on_response_complete()
        else:
            self._ended = True
            self._linger()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._wait_for_reader()
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self.flow.write_paused:
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._all.is_read(self)
            if not self._is_busy():
                self._wait()

    def _wait_for_reader(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._all.waits_for_reader(self)

    def _wait(self) -> None:
        """Wait for the next request."""
        head = self._all.settings.head_timeout
        self._all.waits_for_request(self, head if self._in_head else self._keep_alive)

    def _is_busy(self) -> bool:
        """Whether a request has not been answered yet."""
        return self._running is not None and not self._running.response_complete

    # How a connection ends.

    def drain(self) -> None:
        """Let the answer that is to come say that it is the last one."""
        if self._is_busy() and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close it unless a request is being read or answered, or has come and is unread."""
        if not (self._is_busy() or self._in_head or self.transport.is_closing()):
            arrived = select.poll()
            arrived.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
            if not arrived.poll(0):
                self._close()

    def is_unread(self) -> bool:
        """Whether a whole answer waits for its client."""
        return not self._is_busy() and self.transport.get_write_buffer_size() > 0

    def waited_too_long(self) -> None:
        if self._in_head:
            message = "The request's headers did not come in time."
            self._refuse(_RequestRefusal(408, message, limit="head_timeout"))
        else:
            self._all.reached("silent_timeout" if self.cycle is None else "keep_alive_timeout")
            self._close()

    def make_room(self) -> None:
        self._close()

    def is_read(self) -> bool:
        before, self._unread = self._unread, self.transport.get_write_buffer_size()
        return self._unread <= before * (1 - READ_AT_LEAST) and not self._refused

    def abort(self) -> None:
        self.transport.abort()

    def _close(self) -> None:
        self.transport.close()
        self._wait_for_reader()

    def _disconnect(self) -> None:
        """Tell the running request that its client has disconnected."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
            self._presence.end()

    def _refuse(self, refusal: _RequestRefusal) -> None:
        """Send the refusal if it is that request's turn. Either way nothing more is read."""
        self._ended = True
        if refusal.limit is not None:
            self._all.reached(refusal.limit)
        running = self._running
        if running is None or running.response_complete:
            # If the request was answered before its body ended, it gets no second answer.
            if not self._in_body:
                self._answer(refusal)
            self._linger()
        elif self._in_body and running is self.cycle and not running.response_started:
            self._disconnect()
            self._answer(refusal)
            self._linger()
        else:
            if self._in_body and self.pipeline:
                self.pipeline.popleft()
            last = self.pipeline[0][0] if self.pipeline else running
            last.keep_alive = False

    def _answer(self, refusal: _RequestRefusal, cycle: RequestResponseCycle | None = None) -> None:
        """Write the refusal, and close the connection unless `cycle` keeps it."""
        keep = cycle is not None and cycle.keep_alive
        head_only = cycle is not None and cycle.scope["method"] == "HEAD"
        asked = self.headers or () if cycle is None else cycle.scope["headers"]
        headers = [*self.server_state.default_headers, *self._all.for_pages(asked)]
        if not keep:
            headers.append((b"connection", b"close"))
        body = b"" if head_only else refusal.body
        self._all.refused(refusal.status, refusal.limit)
        self.transport.write(b"".join([refusal.head, _lines(headers), b"\r\n", body]))

    def _linger(self) -> None:
        """Close after the client has closed: closing with unread bytes would reset the connection,
        and the client would lose the answer (RFC 9112, 9.6).
        """
        self._refused = True
        self.flow.resume_reading()
        self.transport.write_eof()
        self._all.waits_no_more(self)
        self._all.waits_for_reader(self)
