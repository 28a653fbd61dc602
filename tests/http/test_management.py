"""The management port: what it answers, to whom it answers, and whom it can't hurt."""

from __future__ import annotations

import asyncio
import itertools
import re
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from gateway import VERSION
from gateway.http.management import management
from gateway.simulator.faults import Delay
from gateway.telemetry import Figure
from gateway.telemetry.metrics import Metrics
from tests.harness import NO_TLS, Flow, running_measured, served, settings
from tests.http.test_disconnects import until
from tests.serving.test_process import serving

LIST = "{ customerGroups(first: 2) { nodes { name } } }"


@contextmanager
def stuck(count: int, url: str, *, sent: bytes = b"") -> Iterator[None]:
    """So many connections that only send this."""
    with ExitStack() as opened:
        for _ in range(count):
            port = int(url.rpartition(":")[2])
            opened.enter_context(socket.create_connection(("127.0.0.1", port))).sendall(sent)
        yield


async def test_it_answers_metrics_and_health(flow: Flow):
    """And says in which format."""
    async with running_measured(settings(flow.url)) as measured:
        metrics = await measured.client.get(f"{measured.management}/metrics")
        health = await measured.client.get(f"{measured.management}/health")

    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert health.json() == {"status": "ok", "version": VERSION}


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/", "//graphql", "/metrics/../graphql", "/"])
async def test_graphql_can_not_be_reached_there(flow: Flow, method, path):
    """By no path and no method."""
    async with running_measured(settings(flow.url)) as measured:
        response = await measured.client.request(
            method,
            httpx.URL(measured.management).copy_with(raw_path=path.encode()),
            json={"query": LIST},
            headers={"Authorization": "Bearer x", "Accept": "text/html", "Origin": "http://a"},
        )

    assert response.status_code == 404
    assert flow.calls == []
    assert not any(name.startswith("access-control") for name in response.headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_metrics_are_only_read(flow: Flow, method):
    """Nothing can be set there."""
    async with running_measured(settings(flow.url)) as measured:
        response = await measured.client.request(method, f"{measured.management}/metrics")

    assert response.status_code == 405


async def test_metrics_are_not_shown_to_clients(flow: Flow):
    """The other port has GraphQL and health alone."""
    async with running_measured(settings(flow.url)) as measured:
        response = await measured.client.get(f"{measured.url}/metrics")

    assert response.status_code == 404


async def test_it_answers_while_clients_have_taken_all(flow: Flow):
    """All connections, and all requests that may be under way."""
    flow.fail(Delay(60), times=1)
    chosen = settings(flow.url, max_connections=2, max_requests=1)
    async with running_measured(chosen) as measured:
        asking = asyncio.create_task(measured.post(LIST))
        await until(lambda: len(flow.calls) == 1)
        assert (await measured.post(LIST)).status_code == 503
        with stuck(20, measured.url):
            scraped = await measured.scrape()
            health = await measured.client.get(f"{measured.management}/health")
        asking.cancel()

    assert scraped.value("gateway_requests_in_flight") == 1
    assert scraped.value("gateway_requests_refused_total", status="503") > 0
    assert health.status_code == 200


async def test_scrapers_that_send_nothing_keep_nobody_out(flow: Flow):
    """Of many, those that have waited longest make room."""
    async with running_measured(settings(flow.url)) as measured:
        with stuck(50, measured.management):
            health = await measured.client.get(f"{measured.management}/health")
            await measured.scrape()
            await measured.query(LIST)

    assert health.status_code == 200


async def test_scrapers_that_do_not_read_keep_nobody_out(flow: Flow):
    """However much they ask for."""
    ask = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    async with running_measured(settings(flow.url)) as measured:
        with stuck(10, measured.management, sent=20 * ask):
            health = await measured.client.get(f"{measured.management}/health")
            await measured.scrape()
            await measured.query(LIST)

    assert health.status_code == 200


@pytest.mark.slow
async def test_metrics_take_a_tenth_of_the_time_at_most(flow: Flow):
    """However many ask, and however often."""
    rendered: list[float] = []

    def figures() -> list[Figure]:
        rendered.append(time.monotonic())
        time.sleep(0.02)  # as if there was much to read
        return []

    metrics = Metrics(settings(flow.url))
    metrics.watch(figures)
    client = httpx.AsyncClient(trust_env=False, verify=NO_TLS)
    async with served(management(metrics)) as url, client:

        async def ask() -> set[int]:
            return {(await client.get(f"{url}/metrics")).status_code for _ in range(4)}

        statuses = await asyncio.gather(*(ask() for _ in range(20)))

    assert statuses == [{200}] * 20
    assert 4 <= len(rendered) < 40
    assert min(b - a for a, b in itertools.pairwise(rendered)) >= 0.2


@pytest.mark.slow
async def test_it_answers_while_there_is_no_descriptor_for_clients(tmp_path: Path, flow: Flow):
    """Clients leave some free."""
    async with serving(tmp_path, flow, GATEWAY_MANAGEMENT_PORT="0") as it:
        await it.ask("{ __typename }")  # by then it has raised its own limit
        resource.prlimit(it.process.pid, resource.RLIMIT_NOFILE, (256, 256))
        with stuck(400, it.url):
            await asyncio.sleep(1)
            async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as scraper:
                shown = (await scraper.get(f"{it.management}/metrics")).text

    reached = re.search(r'gateway_limits_reached_total{limit="descriptors"} (\S+)', shown)
    assert reached is not None
    assert float(reached[1]) > 100
