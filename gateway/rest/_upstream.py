"""The one way to a REST API: bearer token, deadline, retry, places and caps.

Adapters say what to call; here it is made sure that what leaves is that and nothing else, and that
what comes back is bounded in time and size. Failures that mean the same for every API are raised
here; any other 4xx is the adapter's to read.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import httpx

from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InvalidAnswer,
    Overloaded,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.rest import _causes as causes
from gateway.rest._answer import Answer, NotedAnswer, SampledAnswer
from gateway.rest._bodies import read, stream
from gateway.rest._caller import CallLog, RestCaller, RestSettings
from gateway.rest._events import BreakerChanged, RestObserver, UnusableAnswer, UpstreamCall
from gateway.rest._incidents import Breaker, Incidents, backoff
from gateway.rest._places import Flow, Full, Place, Places
from gateway.rest._requests import Requests
from gateway.rest._statuses import Again, fails, judge, retry_after, unknown
from gateway.rest._transport import COLLECT, FRESH
from gateway.rest._urls import BaseUrl, Query
from gateway.time_limits import TimeLimits
from gateway.trace_context import TraceContext

SAFE_METHODS: Final = frozenset({"GET"})
REFUSED: Final = frozenset({401, 403})
NOBODYS: Final = REFUSED | {429}
"""Statuses that are about one caller, and say nothing of how the API is."""
MAX_PROBLEM: Final = 200
SLOW: Final = 0.2
"""The part of the timeout after which a call is slow."""
TICK: Final = 0.25
"""Seconds after which those who wait are looked at again, though nothing has happened."""
SAMPLED: Final = 1.0
"""Seconds from one sample of a call's answers to the next."""


class Upstream:
    """One REST API, shared by all requests of this process; holds nothing of any caller."""

    def __init__(
        self,
        name: str,
        settings: RestSettings,
        transport: httpx.AsyncBaseTransport,
        observe: RestObserver,
        *,
        user_agent: str = "gateway",
        not_carried_out: Callable[[int, bytes], bool] = lambda _status, _body: False,
        sample: Callable[[SampledAnswer], None] | None = None,
    ) -> None:
        """`not_carried_out(status, body)` says of a 5xx whether this API means by it that nothing
        was done, so that what became of a write is known. `sample` gets one answer a second of each
        method and template, before the answer is used.
        """
        self.name = name
        self._user_agent = user_agent
        self._not_carried_out = not_carried_out
        self._sample = sample
        self._next_samples: dict[tuple[str, str], float] = {}
        """When the next answer of a call is due, by the event loop's time."""
        self._settings = settings
        self._base = BaseUrl(settings.url or "")
        # The status says what became of a write, so that does not wait for the body.
        self._writing: dict[str, object] = {"timeout": {"connect": settings.connect_timeout}}
        # A body that is not too long comes whole, in one turn of the event loop.
        self._reading = self._writing | {COLLECT: settings.max_body}
        self._transport = transport
        self._places = Places(
            settings.concurrency, slow=settings.timeout * SLOW, clock=time.monotonic
        )
        self._ticking = False
        self._incidents = Incidents()
        self._time_limits = TimeLimits()
        self._observe = observe

    @property
    def calls_under_way(self) -> int:
        return self._places.running

    @property
    def calls_waiting(self) -> int:
        """For one of the `concurrency` places."""
        return self._places.waiting

    @property
    def concurrency(self) -> int:
        return self._settings.concurrency

    @property
    def breakers_open(self) -> int:
        """Of how many tenants the breaker is not closed."""
        return self._incidents.breakers_open

    def connect(self, caller: RestCaller) -> CallerUpstream:
        calls = caller.calls
        return CallerUpstream(self, caller) if calls is None else NotedUpstream(self, caller, calls)

    def _report_unusable(
        self,
        tenant: str,
        template: str,
        request_id: str,
        trace: TraceContext | None,
        sample: SampledAnswer | None,
        problem: str,
    ) -> None:
        if sample is not None:
            sample.usable = False
        self._observe(
            UnusableAnswer(
                backend=self.name,
                tenant=tenant,
                template=template,
                cause=f"invalid answer: {problem[:MAX_PROBLEM]}",
                request_id=request_id,
                trace=trace,
            )
        )

    def _keep_time(self) -> None:
        """While calls wait, look at them now and then."""
        if not self._ticking and self._places.waiting:
            self._ticking = True
            asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        self._places.tick()
        self._keep_time()


class CallerUpstream:
    """The upstream for one caller: every request carries the caller's token, its request id and
    what it has passed on, and only these.
    """

    def __init__(self, upstream: Upstream, caller: RestCaller) -> None:
        self._upstream = upstream
        self._caller = caller
        self._observe: RestObserver = upstream._observe
        self._token_status = caller.token_status
        digest = b"" if caller.token_status is None else caller.token_status.digest
        self._flow = Flow(caller.tenant_uid, digest)
        self._requests = Requests(upstream._base, caller, upstream._user_agent)
        self._private = (caller.token or "", upstream._base.host)

    def allows(self, calls: int) -> bool:
        """Whether the operation may make so many more REST calls."""
        return self._caller.meter.allows(calls)

    def due(self) -> None:
        """The current task is to make a call, and waits for its turn: nothing comes of the answers
        that others get meanwhile.
        """

    async def send(
        self,
        method: str,
        template: str,
        path: Mapping[str, str],
        *,
        query: Query | None = None,
        body: object = None,
        status_suffices: bool = False,
    ) -> Answer:
        """One REST call; a read may be sent again, and a write if it has not left.

        A body that does not come leaves the answer without one, whose status counts all the same.
        It is not waited for long if it belongs to a refusal, or if `status_suffices` to know
        whether a write was made.

        Raises Unauthenticated, Forbidden, RateLimited, Overloaded, Unavailable, InvalidAnswer,
        DeadlineExceeded; for a write of which nobody knows whether it was made,
        OutcomeUnknown; LimitExceeded, and sends nothing, where the operation's calls are used up.
        What was answered to a GET is answered again, if the caller has answers kept.
        """
        if not self._caller.token:
            raise Unauthenticated(
                f"This needs a bearer token: send the header {self._caller.bearer_header}."
            )
        target = self._upstream._base.fill(template, path, query or {})
        send = partial(self._sent, method, template, target, body, status_suffices)
        answers = self._caller.answers if method == "GET" else None
        if answers is None:
            return await send()
        # One operation may have several tokens, and tenants that share an API and its paths.
        whose = self._caller.tenant_uid, self._caller.token
        return await answers.answer((self._upstream, whose, target), send)

    async def _sent(
        self, method: str, template: str, target: bytes, body: object, status_suffices: bool
    ) -> Answer:
        upstream = self._upstream
        extensions = upstream._reading if method in SAFE_METHODS else upstream._writing
        request = self._requests.make(method, target, body, extensions=extensions)
        meter = self._caller.meter
        incident = upstream._incidents.of(self._flow.tenant)
        if incident is not None:
            incident.retries.add()
        # Here and not where it is sent: calls side by side must not queue up to be refused.
        meter.spend()
        attempt = 1
        while True:
            try:
                return await self._attempt(request, template, attempt, status_suffices)
            except Again as again:
                wait = self._pause(again, attempt)
                failure = again.failure
                if wait is None:
                    raise failure from None
            await asyncio.sleep(wait)
            if not meter.allows(1):
                raise failure
            meter.spend(repeat=True)
            attempt += 1
            # Where servers reset connections that were kept, the next one is as dead as the first.
            request.extensions[FRESH] = True

    def _pause(self, again: Again, attempt: int) -> float | None:
        """Seconds until the call is sent again; None where it is not to be."""
        upstream, caller = self._upstream, self._caller
        settings = upstream._settings
        wait = backoff(attempt, at_least=again.after)
        if (
            attempt > settings.retries
            or (again.after or 0.0) > settings.max_retry_after
            or wait > caller.deadline - asyncio.get_running_loop().time()
            or not caller.meter.allows(1)
            or not upstream._incidents.begin(self._flow.tenant).retries.take()
        ):
            return None
        return wait

    async def _attempt(
        self, request: httpx.Request, template: str, attempt: int, status_suffices: bool
    ) -> Answer:
        loop = asyncio.get_running_loop()
        upstream = self._upstream
        caller = self._caller
        trace = caller.trace
        if trace is not None and trace.recorded:
            trace = trace.child()
            request.headers["traceparent"] = trace.traceparent
        deadline = caller.deadline
        safe = request.method in SAFE_METHODS
        ends = deadline
        sent = False
        status: int | None = None
        cause: str | None = None
        try:
            if loop.time() >= deadline:
                raise DeadlineExceeded("The operation's time is over.")
            if upstream._incidents:
                self._require_admission(trial=False)  # none waits only to be refused
            place = upstream._places.take(self._flow, template) or await self._wait(template)
            try:
                if upstream._incidents:
                    self._require_admission(trial=True)
                began = loop.time()
                ends = min(deadline, began + upstream._settings.timeout)
                with upstream._time_limits.until(ends) as limit:
                    sent = True
                    response = await upstream._transport.handle_async_request(request)
                    try:
                        status = response.status_code
                        if self._token_status is not None:
                            self._token_status.answered(status, self._flow.tenant)
                        if status >= 300 or status_suffices:
                            ends = limit.shorten(loop.time() + upstream._settings.timeout * SLOW)
                        content, unreadable = await read(response, upstream._settings.max_body)
                    finally:
                        await stream(response).aclose()
            finally:
                upstream._places.leave(
                    place, answered=status is not None, accepted=status not in REFUSED
                )
            if status >= 300 or unreadable is not None or upstream._incidents:
                cause = self._learn(response, unreadable)
        except TimeoutError:
            if ends == deadline:
                cause = "timeout: deadline"
                late: GatewayError = DeadlineExceeded("The operation's time is over.")
            else:
                cause = "timeout: answer"
                late = Unavailable("The backend did not answer in time.")
            if status is None:
                raise late if safe or not sent else unknown() from None
            content, unreadable = b"", late
            cause = self._learn(response, late) or cause
        except httpx.ConnectError as unconnected:
            cause = causes.unconnected(unconnected)
            self._failed()
            # Nothing was sent, so even a write may be tried again.
            raise Again(Unavailable("The backend can't be reached.")) from None
        except httpx.TransportError as lost:
            cause = causes.lost(lost)
            self._failed()
            again = Again(Unavailable("The connection to the backend was lost."))
            raise (again if safe else unknown()) from None
        finally:
            if sent:
                self._observe(
                    UpstreamCall(
                        backend=upstream.name,
                        tenant=caller.tenant_uid,
                        method=request.method,
                        template=template,
                        status=status,
                        cause=cause,
                        seconds=loop.time() - began,
                        attempt=attempt,
                        request_id=caller.request_id,
                        trace=trace,
                    )
                )
            else:
                caller.meter.give_back(repeat=attempt > 1)
        if not safe and upstream._not_carried_out(status, content):
            raise Unavailable("The backend is not available.")
        status = judge(safe, response, unreadable)
        sample = None
        if upstream._sample is not None and status < 300:
            call = (request.method, template)
            if began >= upstream._next_samples.get(call, 0.0):
                upstream._next_samples[call] = began + SAMPLED
                sample = SampledAnswer(
                    backend=upstream.name,
                    method=request.method,
                    template=template,
                    request_id=caller.request_id,
                    body=content,
                )
                upstream._sample(sample)
        # Bound to the API and not to this: answers are kept by the caller, whom this holds.
        report = partial(
            upstream._report_unusable,
            self._flow.tenant,
            template,
            caller.request_id,
            caller.trace,
            sample,
        )
        return Answer(status, content, self._private, report)

    async def _wait(self, template: str) -> Place:
        """A place, once it is our turn; raises Overloaded where too many wait already, TimeoutError
        where the deadline comes first.
        """
        upstream = self._upstream
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        given: list[Place] = []

        def grant(place: Place) -> None:
            given.append(place)
            if not turn.done():  # else we have been cancelled, and leave it below
                turn.set_result(None)

        try:
            ticket = upstream._places.wait(self._flow, template, grant)
        except Full as full:
            raise Overloaded(
                "Too many calls to the backend wait already.", retry_after=full.seconds
            ) from None
        upstream._keep_time()
        try:
            with upstream._time_limits.until(self._caller.deadline):
                await turn
        except BaseException:
            if given:
                upstream._places.leave(given[0], answered=False, accepted=False)
            else:
                upstream._places.withdraw(ticket)
            raise
        return given[0]

    # -- what goes wrong

    def _require_admission(self, *, trial: bool) -> None:
        """Raises RateLimited or Unavailable where nothing is sent for the moment, with this token
        or for this tenant; `trial` says whether the call is sent otherwise.
        """
        upstream, flow = self._upstream, self._flow
        now = time.monotonic()
        paused = upstream._incidents.paused(flow.token, now)
        if paused:
            raise _limited(paused)
        incident = upstream._incidents.of(flow.tenant)
        if incident is None:
            return
        breaker = incident.breaker
        admitted = breaker.admits(now) if trial else not breaker.refuses(now)
        self._report_change(breaker)
        if admitted:
            return
        if breaker.limited:
            raise _limited(breaker.until - now)
        raise Unavailable("The backend is not available.")

    def _learn(
        self, response: httpx.Response, unreadable: GatewayError | Again | None
    ) -> str | None:
        """Note what an answer says of those to come; why it is a failure, if it is one."""
        upstream, flow = self._upstream, self._flow
        status = response.status_code
        if status == 429 or status == 503:
            seconds = retry_after(response.headers)
            if seconds is not None:
                now = time.monotonic()
                upstream._incidents.pause(flow.token, now + seconds)
                breaker = upstream._incidents.begin(flow.tenant).breaker
                breaker.wait(now, seconds, cap=upstream._settings.max_tenant_pause)
                self._report_change(breaker)
        if status >= 500 or (status < 300 and isinstance(unreadable, Again)):
            self._failed()
        elif status not in NOBODYS and not (status < 300 and _hangs(unreadable)):
            self._succeeded()
        if fails(status):
            return f"status {status}"
        match unreadable:
            case None:
                return None
            case Again():
                return "reset"
            case InvalidAnswer():
                return "invalid answer: body"
            case _:
                return None  # it is for places to deal with what hangs

    def _failed(self) -> None:
        """A connection failed, or a 5xx came."""
        breaker = self._upstream._incidents.begin(self._flow.tenant).breaker
        breaker.failed(time.monotonic())
        self._report_change(breaker)

    def _succeeded(self) -> None:
        incident = self._upstream._incidents.of(self._flow.tenant)
        if incident is not None:
            incident.breaker.succeeded()
            self._report_change(incident.breaker)
            self._upstream._incidents.end_if_over(self._flow.tenant)

    def _report_change(self, breaker: Breaker) -> None:
        if breaker.state is not breaker.reported:
            breaker.reported = breaker.state
            self._upstream._observe(
                BreakerChanged(
                    backend=self._upstream.name,
                    tenant=self._flow.tenant,
                    state=breaker.state.value,
                    limited=breaker.limited,
                )
            )


class NotedUpstream(CallerUpstream):
    """Whose calls are noted. A class of its own, so that others pay nothing for it."""

    def __init__(self, upstream: Upstream, caller: RestCaller, calls: CallLog) -> None:
        super().__init__(upstream, caller)
        self._calls = calls
        self._observe = partial(_observe_both, upstream._observe, calls)

    def due(self) -> None:
        self._calls.due()

    async def send(
        self, method: str, template: str, path: Mapping[str, str], **more: Any
    ) -> Answer:
        self._calls.begin([*path.values()])
        answer = await super().send(method, template, path, **more)
        if isinstance(answer, NotedAnswer):
            self._calls.answered(answer.note)
        return answer

    async def _sent(self, *request: Any) -> Answer:
        answer, note = await super()._sent(*request), self._calls.last
        note.size = len(answer.body)
        return NotedAnswer(
            answer.status, answer.body, answer.private, answer.on_unusable, note=note
        )


def _observe_both(observe: RestObserver, calls: CallLog, event: UpstreamCall) -> None:
    observe(event)
    calls.note(event)


def _hangs(unreadable: GatewayError | Again | None) -> bool:
    """Whether that is why the body can't be read."""
    return isinstance(unreadable, DeadlineExceeded | Unavailable)


def _limited(seconds: float) -> RateLimited:
    return RateLimited("The backend asks to slow down.", retry_after=float(math.ceil(seconds)))
