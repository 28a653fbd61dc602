"""The one way to a REST API: bearer token, deadline, retry, gate and caps.

Adapters say what to call; here it is made sure that what leaves is that and nothing else, and that
what comes back is bounded in time and size. Failures that mean the same for every API are raised
here; any other 4xx is the adapter's to read.
"""

from __future__ import annotations

import asyncio
import random
import re
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, cast

import httpx
import msgspec

from gateway.backends.port import Caller
from gateway.errors import (
    DeadlineExceeded,
    Forbidden,
    GatewayError,
    InvalidAnswer,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.rest.answer import Answer
from gateway.rest.transport import COLLECT
from gateway.rest.urls import BaseUrl, Query, Target
from gateway.settings import Upstream as UpstreamSettings
from gateway.telemetry import Observer, UpstreamCall
from gateway.time_limits import TimeLimits

SAFE_METHODS: Final = frozenset({"GET"})
BODILESS: Final = frozenset({"GET", "DELETE"})
TRANSIENT: Final = frozenset({502, 503, 504})
NO_BODY: Final = httpx.ByteStream(b"")


class Upstream:
    """One REST API, shared by all requests of this process; holds nothing of any caller."""

    def __init__(
        self,
        name: str,
        settings: UpstreamSettings,
        transport: httpx.AsyncBaseTransport,
        observe: Observer,
        *,
        may_repeat: Callable[[int, bytes], bool] = lambda _status, _body: False,
    ) -> None:
        """`may_repeat(status, body)` says of a 5xx whether this API means by it that the request
        was not carried out, so that even a write may be sent again.
        """
        self.name = name
        self._may_repeat = may_repeat
        self._settings = settings
        self._base = BaseUrl(settings.url or "")
        # A body that is not too long comes whole, in one turn of the event loop.
        self._extensions = {
            "timeout": {"connect": settings.connect_timeout},
            COLLECT: settings.max_body,
        }
        self._transport = transport
        self._gate = asyncio.Semaphore(settings.concurrency)
        self._time_limits = TimeLimits()
        self._observe = observe

    def connect(self, caller: Caller) -> CallerUpstream:
        return CallerUpstream(self, caller)


class CallerUpstream:
    """The upstream for one caller: every request carries the caller's token and request id, and
    only these.
    """

    def __init__(self, upstream: Upstream, caller: Caller) -> None:
        self._upstream = upstream
        self._caller = caller
        self._headers = httpx.Headers(
            {
                "Host": upstream._base.netloc,
                "Authorization": f"Bearer {caller.token}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "X-Request-Id": caller.request_id,
            }
        )
        self._private = (caller.token or "", upstream._base.host)

    def allows(self, calls: int) -> bool:
        """Whether the operation may make so many more REST calls."""
        return self._caller.meter.allows(calls)

    async def send(
        self,
        method: str,
        template: str,
        path: Mapping[str, str],
        *,
        query: Query | None = None,
        body: object = None,
    ) -> Answer:
        """One REST call, and its repetition where that is safe.

        Raises Unauthenticated, Forbidden, RateLimited, Unavailable, InvalidAnswer,
        DeadlineExceeded; for a write of which it can't be told whether it was made,
        OutcomeUnknown; LimitExceeded, and sends nothing, where the operation's calls are used up.
        What was answered to a GET is answered again, if the caller has answers kept.
        """
        if not self._caller.token:
            raise Unauthenticated("This needs a bearer token: send an Authorization header.")
        target = self._upstream._base.fill(template, path, query or {})
        send = partial(self._sent, method, template, target, body)
        answers = self._caller.answers if method == "GET" else None
        if answers is None:
            return await send()
        return await answers.answer((self._upstream, target), send, size=Answer.size)

    async def _sent(self, method: str, template: str, target: Target, body: object) -> Answer:
        request = self._request(method, self._upstream._base.url(target), body)
        settings = self._upstream._settings
        # Here and not where it is sent: calls side by side must not wait at the gate to be refused,
        # and what is sent again is the same call.
        self._caller.meter.spend()
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(request, template, attempt)
            except _Again as again:
                wait = again.after if again.after is not None else 0.05 * 2**attempt
                if attempt > settings.retries or wait > settings.max_retry_after:
                    raise again.failure from None
                # Jitter, so that callers which failed together do not come back together.
                wait *= random.uniform(1.0, 1.2)  # noqa: S311  # no secret
                if wait > self._caller.deadline - asyncio.get_running_loop().time():
                    raise again.failure from None
                await asyncio.sleep(wait)

    async def _attempt(self, request: httpx.Request, template: str, attempt: int) -> Answer:
        loop = asyncio.get_running_loop()
        upstream = self._upstream
        caller = self._caller
        deadline = caller.deadline
        safe = request.method in SAFE_METHODS
        ends = deadline
        sent = False
        status: int | None = None
        try:
            if loop.time() >= deadline:
                raise DeadlineExceeded("The operation's time is over.")
            await self._pass(upstream._gate)
            try:
                began = loop.time()
                ends = min(deadline, began + upstream._settings.timeout)
                with upstream._time_limits.until(ends):
                    sent = True
                    caller.meter.repeats += attempt > 1
                    response = await upstream._transport.handle_async_request(request)
                    try:
                        status = response.status_code
                        content = await _read(response, upstream._settings.max_body)
                    finally:
                        await _stream(response).aclose()
            finally:
                upstream._gate.release()
        except TimeoutError:
            if ends == deadline:
                failure: GatewayError = DeadlineExceeded("The operation's time is over.")
            else:
                failure = Unavailable("The backend did not answer in time.")
            raise failure if safe or not sent else _unknown() from None
        except httpx.ConnectError:
            # Nothing was sent, so even a write may be tried again.
            raise _Again(Unavailable("The backend can't be reached.")) from None
        except httpx.TransportError:
            lost = Unavailable("The connection to the backend was lost.")
            raise (_Again(lost) if safe else _unknown()) from None
        except InvalidAnswer:
            if safe:
                raise
            raise _unknown() from None
        finally:
            if sent:
                upstream._observe(
                    UpstreamCall(
                        backend=upstream.name,
                        method=request.method,
                        template=template,
                        status=status,
                        seconds=loop.time() - began,
                        attempt=attempt,
                        request_id=caller.request_id,
                    )
                )
            elif attempt == 1:
                caller.meter.give_back()
        if upstream._may_repeat(status, content):
            raise _Again(Unavailable("The backend is not available."))
        return Answer(_judge(safe, response), content, self._private)

    async def _pass(self, gate: asyncio.Semaphore) -> None:
        """Through the gate; raises TimeoutError where the deadline comes first."""
        if gate.locked():
            with self._upstream._time_limits.until(self._caller.deadline):
                await gate.acquire()
        else:
            await gate.acquire()  # at once

    def _request(self, method: str, url: httpx.URL, body: object) -> httpx.Request:
        headers, extensions = self._headers, self._upstream._extensions
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


class _Again(Exception):
    """The request may be sent again, `after` seconds if the upstream said so; else `failure` is the
    answer.
    """

    def __init__(self, failure: GatewayError, *, after: float | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.after = after


def _unknown() -> OutcomeUnknown:
    return OutcomeUnknown("The change was sent, and no answer came that tells whether it was made.")


def unreadable() -> OutcomeUnknown:
    """For an adapter that can't read the answer to a write which the upstream accepted."""
    return OutcomeUnknown("The change was accepted, but its answer can't be read.")


def _judge(safe: bool, response: httpx.Response) -> int:
    """The status, where it is an adapter's to read; else raises what it means for any API."""
    status = response.status_code
    if 200 <= status < 300:
        return status
    if status == 401:
        raise Unauthenticated("The backend does not accept this token.")
    if status == 403:
        raise Forbidden("This token has no right to do that.")
    if status == 429:
        after = _retry_after(response.headers.get("Retry-After"))
        limited = RateLimited("The backend asks to slow down.", retry_after=after)
        # A refused request was not carried out, so a write may be sent again as well.
        raise _Again(limited, after=after)
    if 400 <= status < 500:
        return status
    if not safe:
        raise _unknown()
    if status in TRANSIENT:
        raise _Again(Unavailable("The backend is not available."))
    if status >= 500:
        raise Unavailable("The backend failed.")
    raise InvalidAnswer("The backend answered with a status that its contract does not have.")


def _retry_after(value: str | None) -> float | None:
    """Seconds; None for an absent or a date form, which would need the upstream's clock."""
    return float(value) if value and re.fullmatch(r"\d{1,6}", value) else None


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    return cast(httpx.AsyncByteStream, response.stream)  # an asynchronous transport's


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, decompressed, of at most `limit` bytes; raises InvalidAnswer for a longer or a
    broken one.
    """
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise InvalidAnswer("The backend's answer has an encoding that was not asked for.")
    unzip = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    parts: list[bytes] = []
    left = limit
    async for chunk in _stream(response):
        try:
            # One byte more than allowed tells a body that is too long from one that just fits.
            part = unzip.decompress(chunk, left + 1) if unzip else chunk
        except zlib.error:
            raise InvalidAnswer("The backend's answer is not valid gzip.") from None
        left -= len(part)
        if left < 0:
            raise InvalidAnswer("The backend's answer is larger than the gateway takes.")
        if unzip and unzip.unused_data:
            raise InvalidAnswer("The backend's answer goes on behind its end.")
        parts.append(part)
    if unzip and not unzip.eof:
        raise InvalidAnswer("The backend's answer is cut off.")
    return parts[0] if len(parts) == 1 else b"".join(parts)
