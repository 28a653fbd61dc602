"""The spans that a collector gets of operations and REST calls, and what it costs if it is away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from gateway.rest import UpstreamCall
from gateway.simulator.faults import Answer
from gateway.telemetry.spans import Spans
from tests.harness import TENANT, TOKEN, Flow, running_gateway, settings
from tests.http.test_secrets import EFFECTS, OPERATIONS, VALUE
from tests.rest.wire import running
from tests.telemetry.collector import (
    attributes,
    exporter,
    running_collector,
    tracing_gateway,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "rojo=1"}
NAMED = "query Names { customerGroups { nodes { name customers { totalCount } } } }"


@pytest.fixture
async def collector():
    async with running_collector() as one:
        yield one


async def test_an_operation_is_a_span_with_its_rest_calls_below(flow, collector):
    """And with its document's parsing and its planning; all below the client's span."""
    flow.add_group("gold")
    async with tracing_gateway(flow, collector) as gateway:
        await gateway.query(NAMED, headers=PARENT)

    operation, [listed, members] = collector.operation, collector.rest_calls
    assert operation.name == "query"
    assert operation.parent_span_id.hex() == SPAN
    below = [span for span in collector.spans if span != operation]
    assert sorted(span.name for span in below if span.kind == Span.SPAN_KIND_INTERNAL) == [
        "graphql.parse",
        "graphql.plan",
    ]
    assert {span.parent_span_id for span in below} == {operation.span_id}
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert len({span.span_id for span in collector.spans}) == 5
    for span in below:
        assert operation.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= operation.end_time_unix_nano
    assert members.start_time_unix_nano >= listed.end_time_unix_nano


async def test_a_rest_call_carries_its_own_span(flow, collector):
    """So the backend's span stands below it; the client's tracestate goes on as it is."""
    flow.add_group("gold")
    async with tracing_gateway(flow, collector) as gateway:
        await gateway.query(NAMED, headers=PARENT)

    carried = [request.headers["traceparent"] for request in flow.journal.requests]
    assert carried == [f"00-{TRACE}-{span.span_id.hex()}-01" for span in collector.rest_calls]
    assert {request.headers["tracestate"] for request in flow.journal.requests} == {"rojo=1"}


async def test_spans_say_what_semantic_conventions_name(flow, collector):
    """And, under names of our own, what the log has too."""
    async with tracing_gateway(flow, collector) as gateway:
        response = await gateway.post(NAMED, headers={"X-Request-Id": "r1"})

    said = attributes(collector.operation)
    assert said.pop("gateway.document_sha256")
    assert said == {
        "http.request.method": "POST",
        "http.route": "/graphql",
        "http.response.status_code": response.status_code,
        "graphql.operation.type": "query",
        "graphql.operation.name": "Names",
        "gateway.request_id": "r1",
        "gateway.tenant": TENANT,
        "gateway.backend": "flow_retail",
        "gateway.rest_calls": 1,
    }
    [call] = collector.rest_calls
    assert attributes(call) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.template": call.name.removeprefix("GET "),
        "gateway.backend": "flow_retail",
        "gateway.tenant": TENANT,
    }
    assert call.name == "GET /tenants/{tenantUid}/customer-groups"
    [resource] = [
        each.resource for request in collector.requests for each in request.resource_spans
    ]
    assert attributes(resource)["service.name"] == "customer-groups-gateway"


async def test_each_attempt_is_a_span(flow, collector):
    """The first says why it failed, the second that it is one."""
    flow.fail(Answer(503))
    async with tracing_gateway(flow, collector) as gateway:
        await gateway.query(NAMED)

    first, second = collector.rest_calls
    assert (first.status.code, attributes(first)["error.type"]) == (
        Status.STATUS_CODE_ERROR,
        "503",
    )
    assert second.status.code == Status.STATUS_CODE_UNSET
    assert attributes(second)["http.request.resend_count"] == 1
    carried = [request.headers["traceparent"].split("-")[2] for request in flow.journal.requests]
    assert carried == [first.span_id.hex(), second.span_id.hex()]


@pytest.mark.parametrize(
    ("document", "answer", "name", "status", "codes"),
    [
        (NAMED, 500, "query", Status.STATUS_CODE_ERROR, ["UPSTREAM_UNAVAILABLE"]),
        (NAMED, 403, "query", Status.STATUS_CODE_UNSET, ["FORBIDDEN"]),
        ("{ nope }", 200, "GraphQL Operation", 0, ["GRAPHQL_VALIDATION_FAILED"]),
        ("{", 200, "GraphQL Operation", 0, ["GRAPHQL_PARSE_FAILED"]),
    ],
)
async def test_an_operation_failed_if_no_caller_can_mend_it(
    flow, collector, document, answer, name, status, codes
):
    """A caller's own mistake is told, but is no error of the gateway's."""
    flow.fail(Answer(answer), times=None)
    async with tracing_gateway(flow, collector) as gateway:
        await gateway.post(document)

    operation = collector.operation
    assert (operation.name, operation.status.code) == (name, status)
    assert attributes(operation)["gateway.error_codes"] == codes
    assert attributes(operation).get("error.type") == (codes[0] if status else None)
    assert operation.parent_span_id == b""


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_the_parent_decides_whether_a_trace_is_sampled(flow, collector, flags):
    """The backend learns of it, and the log has the trace in any case."""
    sampler = ParentBased(TraceIdRatioBased(0 if flags == "01" else 1))
    async with tracing_gateway(flow, collector, sampler=sampler) as gateway:
        await gateway.query(NAMED, headers={"traceparent": f"00-{TRACE}-{SPAN}-{flags}"})

    [request] = flow.journal.requests
    _, trace_id, span_id, sent = request.headers["traceparent"].split("-")
    assert (trace_id, sent) == (TRACE, flags)
    assert span_id != SPAN
    assert bool(collector.spans) is (flags == "01")
    assert gateway.events[-1].trace.trace_id == TRACE


async def test_a_request_without_a_trace_begins_one(flow, collector):
    """Sampled by the root's rule: here, none is."""
    sampler = ParentBased(TraceIdRatioBased(0))
    async with tracing_gateway(flow, collector, sampler=sampler) as gateway:
        for _ in range(2):
            await gateway.query(NAMED)

    carried = [request.headers["traceparent"].split("-") for request in flow.journal.requests]
    assert len({trace_id for _, trace_id, _, _ in carried}) == 2
    assert {flags for *_, flags in carried} == {"02"}
    assert collector.spans == []


@pytest.mark.slow
async def test_nothing_of_a_caller_or_a_host_is_exported(flow: Flow, collector):
    """Whatever goes wrong. Nor is any of a document, but its operation's name, or a tracestate."""
    flow.add_group("gold")
    baggage = {"baggage": "user=bgg-1a2b", "tracestate": "rojo=st-3c4d", **PARENT}
    async with tracing_gateway(flow, collector, deadline=0.4, forward_baggage=True) as gateway:
        for effect in EFFECTS:
            for query, variables in OPERATIONS:
                flow.faults.clear()
                if effect is not None:
                    flow.fail(effect, times=None)
                await gateway.post(query, variables, headers={**PARENT, **baggage})

    assert len(collector.spans) > 2 * len(EFFECTS) * len(OPERATIONS)
    exported = b"".join(collector.bodies).decode("latin-1")
    host = urlsplit(flow.url).netloc
    for secret in (TOKEN, VALUE, host, "127.0.0.1", "internal.example", "/v2", "bgg-", "st-3c4d"):
        assert secret not in exported, secret
    for text in ("nope", "userErrors", "totalCount", "{ "):
        assert text not in exported, text


# -- a collector that takes nothing


def lines(caplog) -> list[str]:
    return [str(r.msg) for r in caplog.records if str(r.msg).startswith("spans_lost")]


async def test_a_collector_that_refuses_costs_its_spans_alone(flow, collector, caplog):
    """The log says how many, and not where it is."""
    collector.status = 400
    async with tracing_gateway(flow, collector) as gateway:
        await gateway.query(NAMED)

    assert lines(caplog) == ["spans_lost count=4 total=4"]
    assert urlsplit(collector.url).netloc not in caplog.text


@pytest.mark.parametrize("answers", ["never", "not listening"])
async def test_a_collector_that_is_away_holds_nothing_up(flow, caplog, answers):
    """Operations are answered while an export hangs, and the end comes after a bounded time; then
    nothing goes on.
    """
    connected = asyncio.Event()
    before = set(threading.enumerate())

    async def hang(reader, writer):
        connected.set()
        await reader.read()

    async with running(hang) as server:
        port = urlsplit(server.url).port if answers == "never" else 9  # discard: nobody is there
        spans = Spans(exporter(f"http://127.0.0.1:{port}/v1/traces", timeout=60), delay=0.01)
        async with running_gateway(settings(flow.url), spans=spans) as gateway:
            await gateway.query(NAMED, headers=PARENT)
            if answers == "never":
                await asyncio.wait_for(connected.wait(), 60)
            for _ in range(5):
                await gateway.query(NAMED, headers=PARENT)
        await asyncio.to_thread(spans.stop, 0.1)
    exporting = {each for each in threading.enumerate() if "Otel" in each.name} - before
    for each in exporting:
        await asyncio.to_thread(each.join, 10)

    assert not [each for each in exporting if each.is_alive()]
    assert len(flow.calls) == 6
    assert f":{port}" not in caplog.text


class Stuck(SpanExporter):
    """An exporter that waits until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()
        self.exported = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.entered.set()
        self.released.wait(60)
        self.exported += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None: ...


def test_spans_beyond_what_may_wait_are_dropped_and_counted(caplog):
    """Whoever hands them over waits for nothing, and is told nothing."""
    stuck = Stuck()
    spans = Spans(stuck, delay=60)

    def record(count: int) -> None:
        trace = spans.begin(None)
        assert trace.recorded
        for _ in range(count):
            spans(
                UpstreamCall(
                    backend="b",
                    tenant="t",
                    method="GET",
                    template="/x",
                    status=200,
                    seconds=0.1,
                    attempt=1,
                    request_id="r1",
                    trace=trace.child(),
                )
            )

    record(512)  # as many as are exported at once
    assert stuck.entered.wait(60)
    record(2048 + 100)
    assert spans.lost == 100
    assert caplog.records == []

    stuck.released.set()
    spans.stop(60)
    assert stuck.exported == 512 + 2048
    assert lines(caplog) == ["spans_lost count=100 total=100"]
    assert spans.lost == 100
