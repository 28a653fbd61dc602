"""A collector of traces behind a socket: OTLP over HTTP, as the specification's protobuf has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.telemetry.spans import Spans
from tests.harness import Flow, Gateway, running_gateway, served, settings


@dataclass
class Collector:
    url: str = ""
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        """In the order in which they have ended."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def operation(self) -> Span:
        [span] = [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]
        return span

    @property
    def rest_calls(self) -> list[Span]:
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_CLIENT]

    async def _take(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        return Response(status_code=self.status)


def attributes(span: Any) -> dict[str, object]:
    """Of a span, or of a resource."""
    found: dict[str, object] = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        if kind == "array_value":
            value = [one.string_value for one in value.values]
        found[each.key] = value
    return found


@asynccontextmanager
async def running_collector() -> AsyncIterator[Collector]:
    collector = Collector()
    route = Route("/v1/traces", collector._take, methods=["POST"])
    async with served(Starlette(routes=[route])) as url:
        collector.url = f"{url}/v1/traces"
        yield collector


def exporter(url: str, *, timeout: float = 10) -> OTLPSpanExporter:
    """It asks no proxy."""
    session = requests.Session()
    session.trust_env = False
    return OTLPSpanExporter(url, session=session, timeout=timeout)


@asynccontextmanager
async def tracing_gateway(
    flow: Flow, collector: Collector, *, sampler: Sampler = ALWAYS_ON, **more: Any
) -> AsyncIterator[Gateway]:
    """A gateway, all of whose spans the collector has in the end."""
    spans = Spans(exporter(collector.url), sampler=sampler)
    try:
        async with running_gateway(settings(flow.url, **more), spans=spans) as gateway:
            yield gateway
    finally:
        await asyncio.to_thread(spans.stop, 60)
