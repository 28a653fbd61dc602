"""The requests of one caller: what they carry, and nothing else."""

from __future__ import annotations

from typing import Final

import httpx
import msgspec

from gateway.rest._urls import BaseUrl

BODILESS: Final = frozenset({"GET", "DELETE"})
NO_BODY: Final = httpx.ByteStream(b"")


class Requests:
    """Makes requests that carry the caller's token and request id, and only these."""

    def __init__(
        self,
        base: BaseUrl,
        token: str | None,
        request_id: str,
    ) -> None:
        self._headers = httpx.Headers(
            {
                "Host": base.netloc,
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "X-Request-Id": request_id,
            }
        )

    def make(
        self, method: str, url: httpx.URL, body: object, *, extensions: dict[str, object]
    ) -> httpx.Request:
        """The request; `body` is sent as JSON."""
        headers = self._headers
        if body is None and method in BODILESS:
            return _Bodiless(method, url, headers, extensions)
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers = httpx.Headers(headers)
            headers["Content-Type"] = "application/json"
        return httpx.Request(method, url, headers=headers, content=content, extensions=extensions)


class _Bodiless(httpx.Request):
    """A request of parts that are as they are to be, shared with others of its caller: httpx's own
    constructor would copy them.
    """

    def __init__(
        self, method: str, url: httpx.URL, headers: httpx.Headers, extensions: dict[str, object]
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.extensions = extensions
        self.stream = NO_BODY
