"""An observer that makes spans of events, by OpenTelemetry: the only module that knows it.

An operation that is not sampled costs a decision and an id. A span is made when its event comes,
with the id that it was given before: that is what its REST call carried.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from os import environ
from typing import Final

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from gateway import VERSION
from gateway.errors import UpstreamError
from gateway.rest import UpstreamCall
from gateway.telemetry import Event, Figure, OperationDone, OperationPrepared
from gateway.telemetry.log_output import Line
from gateway.trace_context import RANDOM, SAMPLED, TraceContext

log = logging.getLogger("gateway")
OPERATION: Final = "GraphQL Operation"
PATIENCE: Final = 2.0
"""Seconds in which what waits is exported when the process ends."""
SAID_EVERY: Final = 10.0
"""Seconds between two lines that say how many spans were lost."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
NOT_CALLERS: Final = frozenset(
    {"INTERNAL_SERVER_ERROR", *(kind.code for kind in UpstreamError.__subclasses__())}
)
"""The codes of errors that no caller can mend."""
NO_PARENT: Final = Context()
SILENCED: Final = (
    "opentelemetry.exporter",
    "opentelemetry.sdk._shared_internal",
    "opentelemetry.util.re",
    "urllib3",
)
"""Loggers that would name the collector's host, or the headers for it."""
Attributes = Mapping[str, str | int | Sequence[str]]


class Spans:
    """Records the spans of sampled operations, of reading and planning them, and of REST calls."""

    def __init__(
        self,
        exporter: SpanExporter | None = None,
        *,
        sampler: Sampler | None = None,
        delay: float | None = None,
    ) -> None:
        """By default, all is as the OTEL_* variables say; raises ValueError if they can't be used.

        `delay` is in seconds, for which a span may wait.
        """
        for name in SILENCED:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        self._random = RandomIdGenerator()
        self._ids = _GivenIds()
        self._sampler = sampler or TracerProvider(shutdown_on_exit=False).sampler
        self._exporter = _Counting(exporter)
        self._most = int(environ.get("OTEL_BSP_MAX_QUEUE_SIZE") or 2048)
        self._handed = 0
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=self._most,
            schedule_delay_millis=None if delay is None else delay * 1000,
        )
        known = Resource.create({SERVICE_NAME: "customer-groups-gateway", SERVICE_VERSION: VERSION})
        provider = TracerProvider(
            sampler=ALWAYS_ON,  # what is not sampled does not come this far
            resource=known.merge(OTELResourceDetector().detect()),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("gateway", VERSION)

    def figures(self) -> Iterator[Figure]:
        yield "gateway_spans_lost_total", (), self.lost

    @property
    def lost(self) -> int:
        """Spans that no collector has taken."""
        return self._exporter.lost

    def begin(self, parent: TraceContext | None) -> TraceContext:
        """The span of an operation, below the one that its request names: recorded if sampled."""
        if parent is None:
            trace_id, flags, context = self._random.generate_trace_id(), RANDOM, NO_PARENT
        else:
            trace_id, flags = int(parent.trace_id, 16), parent.flags & RANDOM
            context = _context(parent.trace_id, parent.span_id, parent.flags, remote=True)
        sampled = (
            self._sampler.should_sample(context, trace_id, OPERATION, SpanKind.SERVER).decision
            is Decision.RECORD_AND_SAMPLE
        )
        return TraceContext(
            trace_id=f"{trace_id:032x}",
            span_id=f"{self._random.generate_span_id():016x}",
            flags=flags | SAMPLED if sampled else flags,
            state="" if parent is None else parent.state,
            parent_id=None if parent is None else parent.span_id,
            recorded=sampled,
        )

    def __call__(self, event: Event) -> None:
        match event:
            case UpstreamCall(trace=TraceContext(recorded=True) as trace):
                self._rest_call(event, trace)
            case OperationPrepared(trace=trace):
                self._prepared(event, trace)
            case OperationDone(trace=TraceContext(recorded=True) as trace):
                self._operation(event, trace)
            case _:
                pass

    def stop(self, patience: float = PATIENCE) -> None:
        """Export what waits, for at most so many seconds."""
        # The SDK's own patience is 30 seconds.
        thread = threading.Thread(target=self._processor.shutdown, daemon=True)
        thread.start()
        thread.join(patience)
        if thread.is_alive():
            self._exporter.give_up(self._handed)

    def _rest_call(self, event: UpstreamCall, trace: TraceContext) -> None:
        attributes: dict[str, str | int] = {
            "http.request.method": event.method,
            "url.template": event.template,
            "gateway.backend": event.backend,
            "gateway.tenant": event.tenant,
        }
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        failed = event.cause
        if failed == f"status {event.status}":
            failed = str(event.status)
        name = f"{event.method} {event.template}"
        self._record(name, trace, event.seconds, attributes, kind=SpanKind.CLIENT, failed=failed)

    def _prepared(self, event: OperationPrepared, trace: TraceContext) -> None:
        # Refusals are the caller's, and the operation's span has their codes.
        later = 0.0
        if event.planning is not None:
            later = event.planning
            self._record("graphql.plan", trace.child(), later, {})
        self._record("graphql.parse", trace.child(), event.parsing, {}, later=later)

    def _operation(self, event: OperationDone, trace: TraceContext) -> None:
        attributes: dict[str, str | int | Sequence[str]] = {
            "http.request.method": event.method if event.method in METHODS else "_OTHER",
            "http.route": "/graphql",
            "gateway.request_id": event.request_id,
            "gateway.rest_calls": event.rest_calls,
        }
        for name, value in {
            "http.response.status_code": event.status,
            "graphql.operation.type": event.kind,
            "graphql.operation.name": event.operation_name,
            "gateway.document_sha256": event.sha256,
            "gateway.tenant": event.tenant,
            "gateway.backend": event.backend,
        }.items():
            if value is not None:
                attributes[name] = value
        if event.error_codes:
            attributes["gateway.error_codes"] = tuple(dict.fromkeys(event.error_codes))
        failed = next((code for code in event.error_codes if code in NOT_CALLERS), None)
        name = event.kind or OPERATION
        self._record(name, trace, event.seconds, attributes, kind=SpanKind.SERVER, failed=failed)

    def _record(
        self,
        name: str,
        trace: TraceContext,
        seconds: float,
        attributes: Attributes,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        failed: str | None = None,
        later: float = 0.0,
    ) -> None:
        """A span that took so many seconds, and ended `later` seconds ago."""
        # Otherwise the SDK would drop the oldest, and log a line for each.
        if self._handed - self._exporter.taken >= self._most:
            self._exporter.dropped += 1
            return
        self._handed += 1
        ended = time.time_ns() - int(later * 1e9)
        self._ids.trace_id, self._ids.span_id = int(trace.trace_id, 16), int(trace.span_id, 16)
        context = NO_PARENT
        if trace.parent_id is not None:
            remote = kind is SpanKind.SERVER
            context = _context(trace.trace_id, trace.parent_id, trace.flags, remote=remote)
        span = self._tracer.start_span(
            name, context, kind, attributes, start_time=ended - int(seconds * 1e9)
        )
        if failed is not None:
            span.set_attribute("error.type", failed)
            span.set_status(StatusCode.ERROR)
        span.end(ended)


def _context(trace_id: str, span_id: str, flags: int, *, remote: bool) -> Context:
    parent = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=TraceFlags(flags)
    )
    return set_span_in_context(NonRecordingSpan(parent), NO_PARENT)


class _GivenIds(IdGenerator):
    """Spans get the ids that they were given when they began."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id

    def is_trace_id_random(self) -> bool:
        return True


class _Counting(SpanExporter):
    """Counts the spans that another exporter takes, and those that are lost.

    It runs in the thread that exports, which may wait for the collector.
    """

    def __init__(self, exporter: SpanExporter | None) -> None:
        session = requests.Session()
        session.hooks["response"].append(self._answered)
        self._exporter = exporter or OTLPSpanExporter(session=session)
        self._status: int | None = None
        self.taken = 0
        self.dropped = 0
        """Counted by those who hand spans over, because too many waited."""
        self._exported = self._failed = 0
        self._said = 0
        self._next = 0.0

    @property
    def lost(self) -> int:
        return self.dropped + self._failed

    def _answered(self, response: requests.Response, **_how: object) -> None:
        self._status = response.status_code

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        self._status = None
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self._exported += len(spans)
            else:
                self._failed += len(spans)
            if time.monotonic() >= self._next:
                self._say()
        return result

    def give_up(self, handed: int) -> None:
        """Of so many spans that were handed over, those are lost that are not exported by now:
        nothing is sent again.
        """
        self._failed = handed - self._exported
        self.shutdown()

    def shutdown(self) -> None:
        self._say()
        self._exporter.shutdown()

    def _say(self) -> None:
        lost = self.lost
        if lost > self._said:
            cause = None if self._status is None else f"status {self._status}"
            fields = {"count": lost - self._said, "total": lost, "cause": cause}
            log.warning(Line("spans_lost", fields))
            self._said = lost
            self._next = time.monotonic() + SAID_EVERY
