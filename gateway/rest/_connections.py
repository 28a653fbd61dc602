"""A pool of connections for HTTP/1.1: each carries one request at a time, to one origin.

A connection is used again only if its answer was read to its end, no other byte has arrived since,
it was not idle for long, and it is not old. Any other connection is aborted, because a TLS shutdown
would keep its socket open for as long as the server likes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import select
import ssl
import sys
from collections.abc import Callable
from typing import Any, Final

import httpx

from gateway.rest._causes import tls_reason
from gateway.rest._dns import Addresses, LookUp
from gateway.rest._exchange import Exchange
from gateway.rest._proxies import Origin, Proxy, ProxyError, ProxyRefused
from gateway.rest._tls import tls_context

SOONEST: Final = 0.75
"""The part of the greatest age that each connection reaches."""
READ: Final = 256 * 1024
"""Bytes that are read from a socket at once."""


class ConnectionPool:
    """At most `limit` sockets, for all origins together. Requests wait for one in order."""

    def __init__(
        self,
        limit: int,
        *,
        idle: float,
        max_age: float,
        look_up: LookUp,
        proxy: Proxy | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limit = limit
        self._proxy = proxy
        self._tls = tls
        self._idle_time = idle
        self._max_age = max_age
        self._addresses = Addresses(look_up)
        self._slots = asyncio.Semaphore(limit)  # one for each exchange
        # The event loop reads into it and has it parsed at once, so one serves all connections; the
        # parser copies what is kept. Without it, each body would be copied twice.
        self.buffer = memoryview(bytearray(READ))
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []  # the one that was used last is the last
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def exchange(
        self,
        origin: Origin,
        request: bytes,
        *,
        collect: int,
        connect_timeout: float | None,
        fresh: bool = False,
    ) -> Exchange:
        """Send `request` and return its answer when the head has arrived; `fresh` asks for a new
        connection.

        Raises httpx.ConnectError if nothing was sent, httpx.ReadError if the answer was lost.
        """
        await self._slots.acquire()
        try:
            used = None if fresh else self._used(origin)
            connection = used or await self._connect(origin, connect_timeout)
        except BaseException:
            self._slots.release()
            raise
        exchange = connection.send(request, collect)
        try:
            await exchange.answered()
        except BaseException:
            await exchange.aclose()
            raise
        if exchange.status == 407 and self._proxy is not None and origin.scheme == "http":
            await exchange.aclose()
            raise ProxyError("ProxyRefused") from ProxyRefused(exchange.status)
        return exchange

    async def aclose(self) -> None:
        """Close all connections; answers under way are lost."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._addresses.close()
        closing = list(self._open)
        for connection in closing:
            connection.close("Closed")
        # The event loop closes sockets in its next iterations, and must not be closed before.
        await asyncio.gather(*(connection.gone.wait() for connection in closing))

    # -- called by connections

    def put_back(self, connection: _Connection) -> None:
        self._slots.release()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._idle_time, self._sweep)

    def forget(self, connection: _Connection, *, busy: bool) -> None:
        self._open.discard(connection)
        if busy:
            self._slots.release()
        elif connection in self._idle:
            self._idle.remove(connection)

    # --

    def _used(self, origin: Origin) -> _Connection | None:
        """The usable idle connection that was used last."""
        for connection in reversed(self._idle):
            if connection.origin != origin:
                continue
            if connection.usable(self._idle_time):
                self._idle.remove(connection)
                return connection
            connection.close("Stale")  # this removes it, and no other, from the list
        return None

    async def _connect(self, origin: Origin, seconds: float | None) -> _Connection:
        loop = asyncio.get_running_loop()
        ends = None if seconds is None else loop.time() + seconds
        peer = origin if self._proxy is None else self._proxy.origin
        host = peer.host.decode("ascii")
        try:
            if self._closed:
                raise ConnectionAbortedError
            async with asyncio.timeout_at(ends):
                *others, last = await self._addresses.of(host, peer.port)
                for address in others:
                    # An address that does not answer leaves half of the time to the others.
                    patience = None if ends is None else (ends - loop.time()) / 2
                    with contextlib.suppress(OSError, httpx.ReadError):
                        async with asyncio.timeout(patience):
                            return await self._dial(origin, address, peer.port)
                return await self._dial(origin, last, peer.port)
        except (OSError, UnicodeError, httpx.TransportError) as failure:
            # The name may have moved since it was looked up.
            self._addresses.forget(host, peer.port)
            # The proxy has no part in TLS.
            direct = self._proxy is None or isinstance(failure, ssl.SSLError)
            error = httpx.ConnectError if direct else ProxyError
            named = isinstance(failure, httpx.TransportError)
            raise error(str(failure) if named else type(failure).__name__) from failure

    async def _dial(self, origin: Origin, address: str, port: int) -> _Connection:
        if len(self._open) >= self._limit:
            # There are as many slots as sockets, so an idle one holds this socket.
            self._idle[0].close("Crowded")
        tls = self._trusted() if origin.scheme == "https" else None
        # Proxies such as tinyproxy close behind each answer over http and do not say so before:
        # what is written meanwhile would be lost.
        connection = _Connection(self, origin, once=self._proxy is not None and tls is None)
        self._open.add(connection)
        name = origin.host.decode("ascii") if tls else None
        try:
            if self._proxy is not None and tls is not None:
                await _tunnel(connection, self._proxy, address, tls)
            else:
                await asyncio.get_running_loop().create_connection(
                    lambda: connection, address, port, ssl=tls, server_hostname=name
                )
            if self._closed or not connection.open:
                raise ConnectionAbortedError
        except BaseException:
            connection.close("Unconnected")
            raise
        # Not all at one time, though they were made at one: TLS handshakes hold the loop up.
        connection.retire_in(self._max_age * random.uniform(SOONEST, 1))  # noqa: S311  # no secret
        return connection

    def _trusted(self) -> ssl.SSLContext:
        """The default is read when it is first needed, because that takes milliseconds."""
        if self._tls is None:
            self._tls = tls_context()
        return self._tls

    def _sweep(self) -> None:
        self._sweeper = None
        while self._idle and not self._idle[0].usable(self._idle_time):
            self._idle[0].close("Idle")
        if self._idle:
            when = self._idle[0].idle_since + self._idle_time
            self._sweeper = asyncio.get_running_loop().call_at(when, self._sweep)


class _Connection(asyncio.BufferedProtocol):
    """One socket. It holds one of the pool's slots while it has an exchange."""

    def __init__(self, pool: ConnectionPool, origin: Origin, *, once: bool) -> None:
        self.origin = origin
        self._once = once
        self.gone = asyncio.Event()
        self.idle_since = 0.0
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None  # uvloop's are no asyncio.Transport, but have all of one
        self._readable: Callable[[], bool] = lambda: False
        self._exchange: Exchange | None = None
        self._retires: asyncio.TimerHandle | None = None
        self._closed = False
        self._paused = False

    @property
    def open(self) -> bool:
        return not self._closed and not self._transport.is_closing()

    def usable(self, idle: float) -> bool:
        """Whether it can carry the next request: not if it has been idle for `idle` seconds."""
        return (
            self.open
            and self._loop.time() - self.idle_since < idle
            # Bytes that the event loop has not read yet are most likely the end of the connection.
            and not self._readable()
        )

    def retire_in(self, seconds: float) -> None:
        """Carry no new request after that, because the host may have moved to another address. What
        is under way then is not disturbed.
        """
        self._retires = self._loop.call_later(seconds, self._retire)

    def _retire(self) -> None:
        self._once = True
        if self._exchange is None:
            self.close("Old")

    def send(self, request: bytes, collect: int) -> Exchange:
        self._exchange = Exchange(collect, resume=self._resume, abandon=self._abandon)
        self._transport.write(request)
        return self._exchange

    def close(self, why: str) -> None:
        """Abort the connection; its exchange fails with `why`."""
        if self._closed:
            return
        self._closed = True
        if self._retires is not None:
            self._retires.cancel()
        exchange, self._exchange = self._exchange, None
        self._pool.forget(self, busy=exchange is not None)
        if self._transport is None:
            self.gone.set()
        else:
            self._transport.abort()
        if exchange is not None and not exchange.over:
            exchange.fail(why)

    # -- called by the exchange

    def _resume(self) -> None:
        if self._paused and not self._closed:
            self._paused = False
            self._transport.resume_reading()

    def _abandon(self, exchange: Exchange) -> None:
        if self._exchange is exchange:
            self.close("Abandoned")

    # -- called by the event loop

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._readable = _readable(transport.get_extra_info("socket").fileno())
        if self._closed:
            self._transport.abort()  # its request was cancelled meanwhile

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._pool.buffer

    def buffer_updated(self, nbytes: int) -> None:
        exchange = self._exchange
        if exchange is None:
            self.close("Unasked")
            return
        exchange.feed(self._pool.buffer[:nbytes])
        if not exchange.over:
            if exchange.flooded and not self._paused:
                self._paused = True
                self._transport.pause_reading()
        # If a server answers before it has read the whole request, the rest would precede the next.
        elif (
            exchange.reusable
            and not self._once
            and self.open
            and not self._transport.get_write_buffer_size()
        ):
            self._exchange = None
            self.idle_since = self._loop.time()
            self._resume()
            self._pool.put_back(self)
        else:
            self.close("Done")

    def eof_received(self) -> None:
        if self._exchange is not None:
            self._exchange.finish()
        self.close("Closed")

    def connection_lost(self, failure: Exception | None) -> None:
        if self._exchange is not None and failure is None:
            self._exchange.finish()
        # With TLS 1.3, a server refuses a client certificate after the handshake.
        if isinstance(failure, ssl.SSLError):
            self.close(tls_reason(failure))
        else:
            self.close(type(failure).__name__)
        self.gone.set()


async def _tunnel(connection: _Connection, proxy: Proxy, address: str, tls: ssl.SSLContext) -> None:
    """Connect it to its origin with TLS, through the proxy at `address`."""
    loop = asyncio.get_running_loop()
    origin = connection.origin
    opening = _Opening()
    plain, _ = await loop.create_connection(lambda: opening, address, proxy.origin.port)
    try:
        plain.write(proxy.connect(origin))
        await opening.answer.answered()
        if not 200 <= opening.answer.status < 300:
            raise ProxyRefused(opening.answer.status)
        name = origin.host.decode("ascii")
        encrypted = await loop.start_tls(plain, connection, tls, server_hostname=name)
    except BaseException:
        plain.abort()
        raise
    connection.connection_made(encrypted)  # start_tls leaves that to its caller


class _Opening(asyncio.Protocol):
    """A connection to a proxy, until that has answered to CONNECT."""

    def __init__(self) -> None:
        self.answer = Exchange(-1, resume=lambda: None, abandon=lambda _: None)

    def data_received(self, data: bytes) -> None:
        if not self.answer.over:
            self.answer.feed(data)

    def eof_received(self) -> None:
        self.answer.finish()

    def connection_lost(self, failure: Exception | None) -> None:
        self.answer.fail(type(failure).__name__)


def _readable(descriptor: int) -> Callable[[], bool]:
    """A function that returns whether the socket has bytes to read, or was closed."""
    if sys.platform == "win32":
        return lambda: bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda: bool(poll.poll(0))
