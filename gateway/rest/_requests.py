"""The requests of one caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx
import msgspec

from gateway.rest._caller import RestCaller
from gateway.rest._urls import BaseUrl

BODILESS: Final = frozenset({"GET", "DELETE"})
NO_BODY: Final = httpx.ByteStream(b"")


class Requests:
    """Makes requests that carry the caller's token, its request id and what it has passed on, and
    nothing else of it.
    """

    def __init__(self, base: BaseUrl, caller: RestCaller, user_agent: str) -> None:
        self._url = base.url
        self._headers = httpx.Headers(
            {
                "Host": base.url.netloc.decode("ascii"),
                "Authorization": f"Bearer {caller.token}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": user_agent,
                "X-Request-Id": caller.request_id,
                **caller.passed_on,
            }
        )

    def make(
        self, method: str, target: bytes, body: object, *, extensions: Mapping[str, object]
    ) -> httpx.Request:
        """The request; `body` is sent as JSON.

        Its URL is the API's base URL; httpx's extension "target" has the path and query, which are
        quoted already. To put them into the URL would cost 12 % of a small operation.
        """
        extensions = {**extensions, "target": target}
        if body is None and method in BODILESS:
            return httpx.Request(
                method, self._url, headers=self._headers, stream=NO_BODY, extensions=extensions
            )
        content = None if body is None else msgspec.json.encode(body)
        headers = httpx.Headers(self._headers)
        if content is not None:
            headers["Content-Type"] = "application/json"
        return httpx.Request(
            method, self._url, headers=headers, content=content, extensions=extensions
        )
