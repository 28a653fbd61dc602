"""Calls that are looked at as they were answered: nothing is judged, decoded or sent again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from gateway.errors import GatewayError
from gateway.rest import _causes as causes
from gateway.rest._bodies import read, stream
from gateway.rest._caller import RestCaller, RestSettings
from gateway.rest._requests import Requests
from gateway.rest._statuses import retry_after
from gateway.rest._urls import BaseUrl, Query

AnsweredT = TypeVar("AnsweredT")


async def probe(
    transport: httpx.AsyncBaseTransport,
    url: str,
    *,
    seconds: float,
    connect_timeout: float,
    user_agent: str,
) -> int | str:
    """The status with which a GET of the API's base URL is answered in so many seconds, without a
    token; or why none came, in the words of the log.
    """
    base = BaseUrl(url).url
    headers = {"Host": base.netloc.decode("ascii"), "User-Agent": user_agent}
    request = httpx.Request(
        "GET", base, headers=headers, extensions={"timeout": {"connect": connect_timeout}}
    )

    async def status() -> int:
        response = await transport.handle_async_request(request)
        await response.aclose()
        return response.status_code

    return await _or_cause(status(), seconds)


async def _or_cause(answer: Awaitable[AnsweredT], seconds: float) -> AnsweredT | str:
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError:
        return "timeout: answer"
    except httpx.ConnectError as unconnected:
        return causes.unconnected(unconnected)
    except httpx.TransportError as lost:
        return causes.lost(lost)


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in any case."""
    body: bytes = field(repr=False)
    """Decompressed; empty if it can't be read."""
    unreadable: str | None
    """Why it can't be."""
    seconds: float

    @property
    def retry_after(self) -> float | None:
        """Seconds for which the API asks to wait."""
        return retry_after(self.headers)


class RawCalls:
    """REST calls as `Upstream` makes them, for one caller, without what keeps an API alive: whoever
    uses them counts and paces them.
    """

    def __init__(
        self,
        settings: RestSettings,
        transport: httpx.AsyncBaseTransport,
        caller: RestCaller,
        *,
        user_agent: str,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._base = BaseUrl(settings.url or "")
        self._requests = Requests(self._base, caller, user_agent)

    async def send(
        self,
        method: str,
        template: str,
        path: Mapping[str, str],
        *,
        query: Query | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> RawAnswer | str:
        """What was answered within `timeout`, or why nothing was, in the words of the log. Raises
        InvalidAnswer for a value that would change the path.
        """
        settings = self._settings
        request = self._requests.make(
            method,
            self._base.fill(template, path, query or {}),
            body,
            extensions={"timeout": {"connect": settings.connect_timeout}},
        )
        if body is not None:
            request.headers["Content-Type"] = content_type
        return await _or_cause(self._answer(request), settings.timeout)

    async def _answer(self, request: httpx.Request) -> RawAnswer:
        began = time.monotonic()
        response = await self._transport.handle_async_request(request)
        try:
            body, problem = await read(response, self._settings.max_body)
        finally:
            await stream(response).aclose()
        why = None
        if problem is not None:
            failure = problem if isinstance(problem, GatewayError) else problem.failure
            why = failure.message
        seconds = time.monotonic() - began
        return RawAnswer(response.status_code, response.headers, body, why, seconds)
