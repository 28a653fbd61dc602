"""Outbound HTTP proxies: what is said to them, and how they fail."""

from __future__ import annotations

from base64 import b64encode
from typing import NamedTuple

import httpx


class Origin(NamedTuple):
    """A scheme, host and port. Connections to one origin are interchangeable."""

    scheme: str
    host: bytes
    port: int


class Proxy:
    """An HTTP proxy. Its repr shows nothing of its URL, which may hold a password."""

    def __init__(self, url: str) -> None:
        """`url` is `http://user:password@host:port`; all but the host may be missing.

        Raises ValueError; its message does not show the URL.
        """
        try:
            parsed = httpx.URL(url if "://" in url else f"http://{url}")
        except (httpx.InvalidURL, UnicodeError):
            raise ValueError(
                "It is not the URL of a proxy; a password has %40 for @, and so on"
            ) from None
        if parsed.scheme != "http":
            raise ValueError("The URL of a proxy begins with http://; others are not supported")
        if not parsed.raw_host or parsed.raw_path != b"/" or parsed.fragment:
            raise ValueError("The URL of a proxy has no path, query or fragment")
        port = parsed.port or 80
        if port > 65_535:
            raise ValueError("The URL of a proxy has a port of at most 65535")
        self.origin = Origin("http", parsed.raw_host, port)
        self.headers: list[tuple[bytes, bytes]] = []
        """The headers of each request to the proxy itself."""
        if parsed.userinfo:
            user = b64encode(f"{parsed.username}:{parsed.password}".encode())
            self.headers.append((b"Proxy-Authorization", b"Basic " + user))

    def connect(self, origin: Origin) -> bytes:
        """The request for a tunnel to `origin`."""
        host = b"[%b]" % origin.host if b":" in origin.host else origin.host
        authority = b"%b:%d" % (host, origin.port)
        headers = [(b"Host", authority), *self.headers]
        lines = [b"CONNECT %b HTTP/1.1" % authority, *[b"%b: %b" % each for each in headers]]
        return b"\r\n".join([*lines, b"\r\n"])


class ProxyError(httpx.ConnectError):
    """The proxy can't be reached, or refuses. Nothing was sent to the upstream."""


class ProxyRefused(OSError):
    """The proxy answered `status` instead of passing the request on."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status
