"""The one way to a REST API: bearer token, deadline, retry, gate and caps.

Adapters say what to call; here it is made sure that what leaves is that and nothing else, and that
what comes back is bounded in time and size. Failures that mean the same for every API are raised
here; any other 4xx is the adapter's to read.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import httpx

from gateway.backends.port import Caller
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    Unauthenticated,
    Unavailable,
)
from gateway.rest.answer import Answer
from gateway.rest.bodies import read, stream
from gateway.rest.requests import Requests
from gateway.rest.statuses import Again, judge, unknown
from gateway.rest.transport import COLLECT
from gateway.rest.urls import BaseUrl, Query, Target
from gateway.settings import Upstream as UpstreamSettings
from gateway.telemetry import Observer, UpstreamCall
from gateway.time_limits import TimeLimits

SAFE_METHODS: Final = frozenset({"GET"})


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
        self._requests = Requests(
            upstream._base,
            caller.token,
            caller.request_id,
            extensions=upstream._extensions,
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
            raise Unauthenticated(
                f"This needs a bearer token: send the header {self._caller.bearer_header}."
            )
        target = self._upstream._base.fill(template, path, query or {})
        send = partial(self._sent, method, template, target, body)
        answers = self._caller.answers if method == "GET" else None
        if answers is None:
            return await send()
        return await answers.answer((self._upstream, target), send, size=Answer.size)

    async def _sent(self, method: str, template: str, target: Target, body: object) -> Answer:
        request = self._requests.make(method, self._upstream._base.url(target), body)
        settings = self._upstream._settings
        # Here and not where it is sent: calls side by side must not wait at the gate to be refused,
        # and what is sent again is the same call.
        self._caller.meter.spend()
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(request, template, attempt)
            except Again as again:
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
                        if caller.answered is not None:
                            caller.answered(status)
                        content, unreadable = await read(response, upstream._settings.max_body)
                    finally:
                        await stream(response).aclose()
            finally:
                upstream._gate.release()
        except TimeoutError:
            if ends == deadline:
                failure: GatewayError = DeadlineExceeded("The operation's time is over.")
            else:
                failure = Unavailable("The backend did not answer in time.")
            raise failure if safe or not sent else unknown() from None
        except httpx.ConnectError:
            # Nothing was sent, so even a write may be tried again.
            raise Again(Unavailable("The backend can't be reached.")) from None
        except httpx.TransportError:
            lost = Unavailable("The connection to the backend was lost.")
            raise (Again(lost) if safe else unknown()) from None
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
            raise Again(Unavailable("The backend is not available."))
        return Answer(judge(safe, response, unreadable), content, self._private)

    async def _pass(self, gate: asyncio.Semaphore) -> None:
        """Through the gate; raises TimeoutError where the deadline comes first."""
        if gate.locked():
            with self._upstream._time_limits.until(self._caller.deadline):
                await gate.acquire()
        else:
            await gate.acquire()  # at once
