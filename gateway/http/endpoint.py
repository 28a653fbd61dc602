"""/graphql: reads one request, runs its operation, sends one response."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Coroutine, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from graphql import GraphQLError
from msgspec.structs import replace
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from gateway.accepted_tokens import AcceptedTokens
from gateway.disconnect import Disconnected, unless_begun, while_connected
from gateway.engine import Engine, Operation, Refused
from gateway.errors import DeadlineExceeded, GatewayError, Overloaded, RateLimited
from gateway.http import answers, caller
from gateway.http.exchange import Exchange, loggable
from gateway.http.explain import ExplainingContext, explanation
from gateway.http.graphiql import GraphiQL
from gateway.http.requests import (
    EXPLAIN,
    GRAPHQL_RESPONSE,
    JSON,
    BadRequest,
    GraphQLRequest,
    Headers,
    read_body,
    read_get,
    read_headers,
    read_post,
    response_type,
    wants_page,
)
from gateway.http.security_headers import SECURITY_HEADERS, SecurityHeaders, encoded
from gateway.http.share import Share, Usage
from gateway.replicas.persisted_queries import SharedQueries
from gateway.replicas.rate_limit import RateLimit
from gateway.request import Client, Context, Tenants
from gateway.settings import Settings
from gateway.telemetry import (
    Cache,
    Figure,
    Meter,
    Observer,
    OperationPrepared,
    UntrustedDocument,
)
from gateway.time_limits import TimeLimits
from gateway.trace_context import BeginTrace, TraceContext

ResultT = TypeVar("ResultT")
KEPT_ACCEPTS: Final = 64
MAX_ACCEPT: Final = 1_000
"""Characters of an Accept header that are read; browsers send some 150."""
KNOWN, BEGUN, NEW, LAST = range(4)
"""The ranks of strangers' requests that wait for processor time, first to last: documents that are
cached, operations that have begun, new documents, and large bodies, which are decoded afterwards.
"""
LARGE: Final = 32_768
"""Bytes of a body; above this, a stranger waits before it is decoded."""
HEADERS: Final = {
    media_type: encoded(
        {**SECURITY_HEADERS, "Vary": "Accept", "Content-Type": f"{media_type}; charset=utf-8"}
    )
    for media_type in (JSON, GRAPHQL_RESPONSE)
}


class Endpoint:
    """The GraphQL endpoint, as an ASGI app."""

    def __init__(
        self,
        engine: Engine,
        tenants: Tenants,
        settings: Settings,
        *,
        observe: Observer,
        begin_trace: BeginTrace | None = None,
        graphiql: GraphiQL | None,
        shared_queries: SharedQueries | None = None,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self._engine = engine
        self._tenants = tenants
        self._settings = settings
        self._observe = observe
        self._begin_trace = begin_trace
        self._graphiql = graphiql
        self._shared_queries = shared_queries
        self._rate_limit = rate_limit
        self._bearer_headers = [name.lower() for name in settings.bearer_headers]
        self._methods = "GET, POST" if settings.get_queries else "POST"
        self._shows_cost = settings.profile == "development"
        self._time_limits = TimeLimits()
        self._accepted = AcceptedTokens(settings.fingerprint_key)
        self._strangers = Share(settings.stranger_share)
        # There are few different Accept headers: each kind of client always sends the same one.
        self._response_type = lru_cache(maxsize=KEPT_ACCEPTS)(response_type)

    def figures(self) -> Iterator[Figure]:
        """How large caches are, and how useful."""
        caches: Sequence[tuple[str, Cache]] = [
            ("accepted_tokens", self._accepted),
            ("reads", self._tenants.caches),
        ]
        for name, cache in [*self._engine.caches, *caches]:
            yield "gateway_cache_bytes", (name,), cache.size
            yield "gateway_cache_hits_total", (name,), cache.hits
            yield "gateway_cache_misses_total", (name,), cache.misses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        headers = read_headers(scope["headers"])
        request_id = caller.request_id(headers)
        trace = caller.trace(headers)
        if self._begin_trace is not None:
            trace = self._begin_trace(trace)
        accept = headers.get("accept", "")[:MAX_ACCEPT]
        if self._graphiql and request.method == "GET" and wants_page(accept):
            page = self._graphiql.page(request)
            page.headers["X-Request-Id"] = request_id
            await SecurityHeaders(page)(scope, receive, send)
            return
        media_type = self._response_type(accept)
        # Other servers than ours do not say when the request began: then it begins here.
        state = scope.get("state", {})
        began = state["began"] if "began" in state else asyncio.get_running_loop().time()
        exchange = Exchange(request.method, trace)
        more: Mapping[str, str] = {}
        try:
            if media_type is None:
                raise BadRequest(406, f"The response is {GRAPHQL_RESPONSE} or {JSON}.")
            client = exchange.client = self._client(headers, request_id, trace, began)
            if client.accepted:
                answered = await self._answering(request, headers, client, None, exchange)
            else:
                answered = await self._to_stranger(request, headers, client, exchange)
            content, executed = answered
            status = 200 if executed or media_type == JSON else 400
        except Disconnected:
            exchange.codes, exchange.outcome = ("CLIENT_GONE",), "client_gone"
            self._done(exchange, headers, request_id, began)
            return
        except BadRequest as refusal:
            exchange.codes = (refusal.code,)
            exchange.limits = () if refusal.limit is None else (refusal.limit,)
            content, status, more = _refused(refusal), refusal.status, refusal.headers
        except Overloaded as refusal:
            exchange.codes = (refusal.code,)
            content, status, more = _refused(refusal), 503, _later(refusal)
        except RateLimited as refusal:  # here; a backend's is an error of its field
            exchange.codes, exchange.limits = (refusal.code,), ("rate_limit",)
            content, status, more = _refused(refusal), 429, _later(refusal)
        except asyncio.CancelledError:  # the server stops, and waits no longer
            exchange.codes, exchange.outcome = (DeadlineExceeded.code,), "failed"
            stopped = DeadlineExceeded("The gateway stopped before this was done; send it again.")
            content, status, more = _refused(stopped), 503, {"Connection": "close"}
        except Exception as failure:  # uvicorn's own answer would not be GraphQL
            exchange.codes, exchange.outcome = ("INTERNAL_SERVER_ERROR",), "failed"
            answers.log_unexpected(failure, request_id, trace)
            content = answers.encoded({"errors": [answers.unexpected(request_id)]})
            status = 500
        lines = [
            *HEADERS[media_type or JSON],
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", request_id.encode("ascii")),
            *encoded(more),
        ]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": content})
        exchange.status = status
        self._done(exchange, headers, request_id, began)

    async def _read(self, request: Request, headers: Headers, client: Client) -> GraphQLRequest:
        settings = self._settings
        if request.method == "POST":
            try:
                with self._time_limits.until(client.deadline):
                    body = await read_body(
                        headers, request.receive, max_body=settings.max_request_body
                    )
            except TimeoutError:
                # Otherwise the server would go on waiting for the body; RFC 9110, 15.5.9.
                gone = {"Connection": "close"}
                raise BadRequest(408, "The body did not come in time.", headers=gone) from None
            if len(body) > LARGE:
                await self._turn(request, client, LAST, len(body))
            return read_post(body, max_variables=settings.max_variables)
        if request.method == "GET" and settings.get_queries:
            return read_get(
                headers,
                request.query_params,
                max_variables=settings.max_variables,
                bearer_headers=self._bearer_headers,
            )
        raise BadRequest(405, "A GraphQL request is a POST.", headers={"Allow": self._methods})

    def _client(
        self, headers: Headers, request_id: str, trace: TraceContext | None, began: float
    ) -> Client:
        settings = self._settings
        seconds = caller.seconds(headers, settings.deadline)
        tokens = caller.bearer_tokens(headers, self._bearer_headers)
        name, version = caller.client(headers)
        return Client(
            tokens=tokens,
            token_statuses={name: self._accepted.status(token) for name, token in tokens.items()},
            request_id=request_id,
            name=name,
            version=version,
            trace=trace,
            passed_on=caller.passed_on(headers, trace, with_baggage=settings.forward_baggage),
            tenant_uid=caller.tenant_uid(headers) or settings.default_tenant,
            began=began,
            deadline=began + seconds,
            meter=Meter(settings.max_rest_calls),
            shows_cost=self._shows_cost or caller.wants_cost(headers),
            shows_calls=self._shows_cost,
        )

    async def _to_stranger(
        self, request: Request, headers: Headers, client: Client, exchange: Exchange
    ) -> tuple[bytes, bool]:
        """Like `_answering`, and charges the processor time to the share of strangers."""
        usage = Usage(self._strangers)
        try:
            return await usage.charged(self._answering(request, headers, client, usage, exchange))
        finally:
            usage.end()
            if client.accepted:  # a backend has accepted the token meanwhile
                usage.give_back()

    async def _answering(
        self,
        request: Request,
        headers: Headers,
        client: Client,
        usage: Usage | None,
        exchange: Exchange,
    ) -> tuple[bytes, bool]:
        """Read the request, wait for a turn if the caller is a stranger, and answer like
        `_answered`.
        """
        wanted = await self._read(request, headers, client)
        exchange.name = wanted.operation_name
        if usage is not None and not self._strangers.open:
            known = self._engine.knows(
                wanted.query, document_id=wanted.document_id, extensions=wanted.extensions
            )
            await self._turn(request, client, KNOWN if known else NEW, wanted.size)
        if self._shared_queries is not None:
            exchange.text = wanted.query
            if not wanted.query:
                wanted = await self._found(wanted, self._shared_queries)
        if "x-explain" in headers and caller.wants_explanation(headers):
            return self._explained(wanted, client, exchange)
        context = exchange.context = Context(
            client, self._tenants, self._settings, observe=self._observe
        )
        return await self._answered(wanted, context, request, usage, exchange)

    def _explained(
        self, wanted: GraphQLRequest, client: Client, exchange: Exchange
    ) -> tuple[bytes, bool]:
        """What the operation would cost; changes too, by GET too: nothing is called."""
        if not self._settings.explain:  # whoever asks this does not want it to run
            raise BadRequest(400, f"`{EXPLAIN}` is switched off here, so nothing was done.")
        context = exchange.context = ExplainingContext(client, self._tenants, self._settings)
        try:
            estimate, refused = self._engine.explain(
                wanted.query,
                wanted.operation_name,
                wanted.variables,
                context,
                document_id=wanted.document_id,
                extensions=wanted.extensions,
            )
        except Refused as refusal:
            return self._content(exchange, context, None, refusal.errors, executed=False), False
        extensions = {"explain": explanation(context, estimate, refused)}
        content = self._content(exchange, context, None, (), executed=True, extensions=extensions)
        return content, True

    async def _found(self, wanted: GraphQLRequest, shared: SharedQueries) -> GraphQLRequest:
        """The request, with the text that another replica has registered under its hash."""
        sha256 = self._engine.missing(document_id=wanted.document_id, extensions=wanted.extensions)
        text = None if sha256 is None else await shared.get(sha256)
        if text is None:
            return wanted
        return replace(wanted, query=text, document_id=f"sha256:{sha256}")

    @staticmethod
    def _patience(context: Context) -> float | None:
        """The seconds for which a stranger's operation may wait; None if it must not wait."""
        if context.client.accepted or context.changes:
            return None
        return context.client.deadline - asyncio.get_running_loop().time()

    async def _turn(self, request: Request, client: Client, *rank: int) -> None:
        """Let a stranger wait for a turn; raises Overloaded or Disconnected."""
        if client.accepted or self._strangers.open:
            return
        try:
            with self._time_limits.until(client.deadline):
                await _connected(self._strangers.enter(*rank), request)
        except TimeoutError:
            raise self._strangers.overloaded() from None

    async def _answered(
        self,
        wanted: GraphQLRequest,
        context: Context,
        request: Request,
        usage: Usage | None,
        exchange: Exchange,
    ) -> tuple[bytes, bool]:
        """The response's content, and whether the operation was executed. Raises Disconnected if
        the client has, and the operation was cancelled.
        """
        if usage is not None:
            usage.begin(BEGUN, lambda: self._patience(context))
        try:
            operation = self._timed(wanted, context)
            if operation.changes and request.method == "GET":
                raise BadRequest(405, "A mutation is a POST.", headers={"Allow": "POST"})
        except Refused as refusal:
            return self._content(exchange, context, None, refusal.errors, executed=False), False
        if usage is not None:
            await asyncio.sleep(0)  # a stranger may have to wait here
        work = self._execute(operation, exchange, context)
        if operation.changes:
            if usage is not None:
                work = usage.charged(work)
            work = unless_begun(work, lambda: context.changes)
        return await _connected(work, request), True

    def _timed(self, wanted: GraphQLRequest, context: Context) -> Operation:
        """The same as `_operation`, and tells how long it took if that is recorded."""
        trace = context.client.trace
        if trace is None or not trace.recorded:
            return self._operation(wanted, context)
        began = time.perf_counter()
        try:
            return self._operation(wanted, context)
        finally:
            ended, read = time.perf_counter(), context.identified
            self._observe(
                OperationPrepared(
                    parsing=(read or ended) - began,
                    planning=None if read is None else ended - read,
                    trace=trace,
                )
            )

    def _operation(self, wanted: GraphQLRequest, context: Context) -> Operation:
        operation = self._engine.prepare(
            wanted.query,
            wanted.operation_name,
            wanted.variables,
            context,
            document_id=wanted.document_id,
            extensions=wanted.extensions,
        )
        if operation.untrusted:
            self._observe(
                UntrustedDocument(
                    operation_name=loggable(wanted.operation_name),
                    sha256=operation.untrusted,
                    request_id=context.client.request_id,
                    trace=context.client.trace,
                )
            )
        return operation

    async def _execute(self, operation: Operation, exchange: Exchange, context: Context) -> bytes:
        charge = await self._rate_limit.admit(context.client) if self._rate_limit else None
        try:
            result = await operation.execute()
            reports = [
                GraphQLError(failure.message, path=path, original_error=failure)
                for path, failure in context.account.reported()
            ]
        finally:
            await context.close()
            if charge is not None:
                charge.settle(context.client.meter.rest_calls)
        if exchange.text and operation.registered and context.accepted and self._shared_queries:
            await self._shared_queries.put(operation.registered, exchange.text)
        errors = [*(result.errors or ()), *reports]
        return self._content(
            exchange, context, result.data, errors, executed=True, extensions=result.extensions
        )

    def _content(
        self,
        exchange: Exchange,
        context: Context,
        data: object,
        errors: Sequence[GraphQLError],
        *,
        executed: bool,
        extensions: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The encoded body; an error replaces one that is too large, unless it reports a change."""
        client, allowed = context.client, self._settings.max_response_body
        body = answers.body(
            data,
            errors,
            max_errors=self._settings.max_errors,
            unlisted=context.account.unlisted,
            request_id=client.request_id,
            trace=client.trace,
            executed=executed,
        )
        shown = dict(extensions or {})
        if client.shows_cost:
            shown["cost"] = _cost(client.meter)
            if executed and context.trace is not None:
                planned, made = client.meter.planned, client.meter.rest_calls
                shown["rest"] = context.trace.shown(client.began, planned=planned, made=made)
        if shown:
            body["extensions"] = shown
        content = answers.encoded(body)
        if len(content) > allowed:
            if shown.pop("rest", None):  # which only explains it
                content = answers.encoded(body)
            if len(content) > allowed and executed and not context.changes:
                body = answers.too_large(len(content), allowed=allowed)
                content = answers.encoded(body)
        reported = context.reported
        exchange.codes = (*answers.codes(body), *(failure.code for failure in reported))
        if exchange.codes:
            named = [failure.limit for failure in reported if failure.limit is not None]
            exchange.limits = (*answers.limits(body), *named)
        if executed:
            exchange.outcome = answers.outcome(body, reported=bool(reported))
        return content

    def _done(self, exchange: Exchange, headers: Headers, request_id: str, began: float) -> None:
        seconds = asyncio.get_running_loop().time() - began
        self._observe(exchange.event(headers, request_id=request_id, seconds=seconds))


def _connected(work: Coroutine[Any, Any, ResultT], request: Request) -> Awaitable[ResultT]:
    return while_connected(work, request.receive, request.scope.get("state", {}).get("presence"))


def _refused(refusal: GatewayError) -> bytes:
    """The content of the answer to a request whose operation did not run or was cancelled."""
    error = {"message": refusal.message, "extensions": refusal.extensions}
    return answers.encoded({"errors": [error]})


def _later(refusal: GatewayError) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(refusal.retry_after or 1))}


def _cost(meter: Meter) -> dict[str, Any]:
    return {
        "restCallsPlanned": meter.planned,
        "restCallsMade": meter.rest_calls,
        "limit": meter.limit,
    }
