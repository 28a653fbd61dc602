"""The production transport: httpx's transport interface over connections of our own.

It sends each request once, as it is: no cookies, redirects, netrc, decompression or retries. It
reads no environment.
"""

from __future__ import annotations

import ssl
from typing import Final

import httpx

from gateway.rest._connections import ConnectionPool
from gateway.rest._dns import LookUp, look_up
from gateway.rest._proxies import Origin, Proxy

PORTS: Final = {"http": 80, "https": 443}
IDLE: Final = 4.0
"""Seconds. Servers close idle connections after 5 (uvicorn, Node, Apache) or more, and lose a
request that arrives at that moment."""
MAX_AGE: Final = 60.0
"""Seconds. A failover moves a name within a minute."""
UNREADABLE: Final = frozenset({"HEAD", "CONNECT"})
"""Methods whose answers have no body, whatever their headers say."""
FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
COLLECT: Final = "collect"
"""A request's extension: if a 2xx has a body of at most so many bytes, the response comes when all
of it has arrived, in one piece. Without it, the response comes with the head."""
FRESH: Final = "fresh"
"""A request's extension: true if it must not use a connection that was used before."""


class HttpTransport(httpx.AsyncBaseTransport):
    """Raises httpx.ConnectError if nothing was sent, and httpx.ReadError if the connection or the
    answer broke later; httpx.LocalProtocolError and UnsupportedProtocol for a request that it does
    not send.

    Of httpx's timeouts it heeds `connect`; the caller limits the whole call. A response must be
    closed, unless it was read to its end.
    """

    def __init__(
        self,
        *,
        connections: int,
        idle: float = IDLE,
        max_age: float = MAX_AGE,
        look_up: LookUp = look_up,
        proxy: Proxy | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """At most `connections` sockets, idle ones included, which close after `idle` seconds. One
        carries no new request after `max_age` seconds, or three quarters of them. `look_up` runs in
        a thread. `proxy` is for all requests. `tls` is made by `tls_context`.
        """
        self._proxy = proxy
        self._connections = ConnectionPool(
            connections, idle=idle, max_age=max_age, look_up=look_up, proxy=proxy, tls=tls
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in PORTS:
            raise httpx.UnsupportedProtocol("Neither http nor https.", request=request)
        origin = Origin(url.scheme, url.raw_host, url.port or PORTS[url.scheme])
        stream = request.stream
        # httpx would read a body that is in memory asynchronously, too.
        body = b"".join(stream) if isinstance(stream, httpx.ByteStream) else await request.aread()
        timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
        exchange = await self._connections.exchange(
            origin,
            _serialized(request, body, self._proxy if url.scheme == "http" else None),
            collect=request.extensions.get(COLLECT, -1),
            fresh=request.extensions.get(FRESH, False),
            connect_timeout=timeouts.get("connect"),
        )
        return httpx.Response(
            exchange.status, headers=exchange.headers, stream=exchange, request=request
        )

    async def aclose(self) -> None:
        await self._connections.aclose()


def _serialized(request: httpx.Request, body: bytes, proxy: Proxy | None) -> bytes:
    """The request's bytes, as they are for `proxy` if there is one.

    Raises LocalProtocolError if the server could take a part of them for another request.
    """
    target = request.extensions.get("target") or request.url.raw_path
    headers = request.headers.raw
    if proxy is not None:
        target = b"http://%b%b" % (request.url.netloc, target)
        headers = [*headers, *proxy.headers]
    line = b"%b %b HTTP/1.1" % (request.method.encode("ascii"), target)
    head = b"\r\n".join([line, *[b"%b: %b" % header for header in headers], b"\r\n"])
    ends = len(headers) + 2
    framed = [value for name, value in headers if name.lower() in FRAMING]
    if (
        line.count(b" ") != 2
        or head.count(b"\n") != ends
        or head.count(b"\r") != ends
        or b"\0" in head
        or (framed != [b"%d" % len(body)] and (framed or body))
        or request.method in UNREADABLE
    ):
        raise httpx.LocalProtocolError("The request can't be sent as it is.", request=request)
    return head + body
