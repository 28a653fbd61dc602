"""Whether spans are recorded, as the OTEL_* variables say: by `gateway serve` as a process."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest

from gateway.telemetry.traces import tracing
from tests.serving.test_process import LIST, serving, stopped
from tests.telemetry.collector import attributes, running_collector

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
NOT_INSTALLED = """
import sys
sys.modules["opentelemetry"] = None
from gateway.telemetry.traces import tracing
with tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) as spans:
    assert spans is None
"""
OFF = """
import os, sys
import gateway.__main__
from gateway.telemetry.traces import tracing
with tracing({}) as spans:
    assert spans is None
assert not {"opentelemetry", "google.protobuf", "requests"} & sys.modules.keys()
"""


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "True"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_traces_are_off(environ, caplog):
    """And nothing is said: nobody has asked for them."""
    with tracing(environ) as spans:
        assert spans is None
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["", "TRACES_"])
def test_an_endpoint_turns_them_on(kind):
    """That of traces alone, or that of all telemetry."""
    with tracing({f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT": "http://127.0.0.1:9"}) as spans:
        assert spans is not None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER may be otlp or none"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "by http/protobuf"),
    ],
)
def test_what_is_not_possible_is_said(environ, said, caplog):
    """The gateway serves all the same."""
    with tracing(ENDPOINT | environ):
        assert said in caplog.text


async def run(script: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stderr=asyncio.subprocess.PIPE
    )
    _, written = await process.communicate()
    assert process.returncode == 0, written.decode()
    return written.decode()


@pytest.mark.slow
async def test_without_the_extra_the_start_says_what_to_install():
    """As a warning: in a cluster, the variables may be set for all programs."""
    assert "pip install 'customer-groups-gateway[otel]'" in await run(NOT_INSTALLED)


@pytest.mark.slow
async def test_what_is_off_is_not_even_imported():
    """It would take half a second, and memory."""
    assert await run(OFF) == ""


@pytest.mark.slow
async def test_the_sdk_reads_its_variables_and_the_rest_is_flushed_at_the_end(flow, tmp_path):
    """The name of the service, the sampler, and the collector's address."""
    async with running_collector() as collector:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1/traces"),
            "OTEL_SERVICE_NAME": "groups",
            "OTEL_TRACES_SAMPLER": "traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
            "NO_PROXY": "*",
        }
        async with serving(tmp_path, flow, **environ) as gateway:
            await gateway.ask(LIST)
            assert collector.spans == []
            gateway.process.send_signal(signal.SIGTERM)
            code, written = await stopped(gateway)

    assert (code, "spans_lost" in written) == (0, False)
    assert len(collector.spans) == 4
    [resource] = [
        each.resource for request in collector.requests for each in request.resource_spans
    ]
    assert attributes(resource)["service.name"] == "groups"


@pytest.mark.slow
async def test_workers_record_the_spans_of_what_they_answer(flow, tmp_path):
    """Each exports its own, and what waits when it is told to end."""
    async with running_collector() as collector:
        environ = {
            "GATEWAY_WORKERS": "2",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1/traces"),
            "NO_PROXY": "*",
        }
        async with serving(tmp_path, flow, **environ) as gateway:
            for _ in range(5):
                await gateway.ask(LIST)
            gateway.process.send_signal(signal.SIGTERM)
            await stopped(gateway)

    assert len(collector.spans) == 20


@pytest.mark.slow
async def test_a_collector_that_refuses_is_told_of_by_its_status(flow, tmp_path):
    """Nor is anything of its address or of the headers for it in the log, however malformed."""
    async with running_collector() as collector:
        collector.status = 401
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1/traces"),
            "OTEL_EXPORTER_OTLP_HEADERS": "Bearer s3cret",
            "NO_PROXY": "*",
        }
        async with serving(tmp_path, flow, **environ) as gateway:
            await gateway.ask(LIST)
            gateway.process.send_signal(signal.SIGTERM)
            _, written = await stopped(gateway)

    assert 'spans_lost count=4 total=4 cause="status 401"' in written
    assert "s3cret" not in written
    assert collector.url.split("/")[2] not in written


@pytest.mark.slow
async def test_a_collector_that_is_away_delays_the_end_for_two_seconds_at_most(flow, tmp_path):
    """What waits is lost, and no line names the collector."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*"}
    async with serving(tmp_path, flow, **environ) as gateway:
        await gateway.ask(LIST)
        gateway.process.send_signal(signal.SIGTERM)
        code, written = await stopped(gateway)

    assert code == 0
    assert "spans_lost count=4 total=4" in written
    assert "127.0.0.1:9" not in written
