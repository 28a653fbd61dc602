"""`gateway check`: which backends it asks, and how it ends."""

from __future__ import annotations

import asyncio
import re
import tomllib
from pathlib import Path

import pytest

from gateway.check import reach_all
from gateway.process.start_line import NAMED
from gateway.settings import (
    CommercetoolsSettings,
    FlowRetailSettings,
    RedisSettings,
    TenantSettings,
)
from tests.harness import Flow, settings
from tests.replicas.redis_server import redis_server
from tests.test_command_line import run

NOBODY = "http://127.0.0.1:1"
OTEL = {"OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY, "OTEL_TRACES_EXPORTER": "zipkin"}


async def test_each_way_to_a_backend_is_tried_once(flow: Flow):
    """Tenants that share connections share a line, which names them."""
    flow_retail, commercetools = FlowRetailSettings(url=flow.url), CommercetoolsSettings(url=NOBODY)
    tenants = {
        "oslo": TenantSettings(upstream=flow_retail),
        "wien": TenantSettings(upstream=commercetools),
        "graz": TenantSettings(upstream=commercetools, project="graz-live"),
    }

    lines = [each.line for each in await reach_all(settings(flow.url, tenants=tenants))]

    assert len(flow.journal.requests) == 1
    assert [re.sub(r"\d\.\d+ s", "0 s", line) for line in lines] == [
        f"{flow.url}, for oslo, all others: reached, status 404, 0 s",
        f"{NOBODY}, for wien, graz: not reached, refused, 0 s",
    ]


async def test_a_proxy_is_named_without_its_password():
    """And of many tenants some."""
    proxy = "http://ann:s3cret@127.0.0.1:1"
    upstream = FlowRetailSettings(url="https://flow.example/v2", proxy=proxy)
    tenants = {f"t{number}": TenantSettings(upstream=upstream) for number in range(NAMED + 2)}

    [found] = await reach_all(settings("", tenants=tenants))

    assert not found.reached
    assert "v2 through http://***:***@127.0.0.1:1, for t0, t1, " in found.line
    assert " and 2 more: not reached, proxy: refused, " in found.line


@pytest.mark.slow
async def test_redis_is_tried_too(flow: Flow, tmp_path: Path):
    """Without it the gateway serves all the same, but not as it is meant to."""
    with redis_server(tmp_path) as redis:
        there = settings(flow.url, redis=RedisSettings(url=redis.url, timeout=10))
        [_, found] = await reach_all(there)
    [_, lost] = await reach_all(there)

    assert (found.reached, found.line) == (True, f"{redis.url}: reached")
    assert (lost.reached, lost.line) == (False, f"{redis.url}: not reached, connection")


@pytest.mark.slow
async def test_the_command_tells_by_its_exit_code_what_it_found(flow: Flow, tmp_path):
    """0: as it should be; 1: a backend is not reached; 2: settings that can't be used. What it
    prints is a gateway.toml, and warnings go to stderr.
    """
    there, not_there = {"GATEWAY_FLOW_RETAIL_URL": flow.url}, {"GATEWAY_FLOW_RETAIL_URL": NOBODY}

    found = await asyncio.gather(
        run(tmp_path, "check", **not_there, **OTEL),
        run(tmp_path, "check", "--connect", **there),
        run(tmp_path, "check", "--connect", **not_there),
        run(tmp_path, "check", "--connect"),
        run(tmp_path, "check", **there, GATEWAY_TRUSTED_DOCUMENTS="nowhere.json"),
    )

    assert [code for code, _, _ in found] == [0, 0, 1, 2, 2]
    for _, out, _ in found[:3]:
        assert tomllib.loads(out)["max_depth"] == 20
    assert found[0][2].splitlines() == [
        "WARNING: There are no traces: OTEL_TRACES_EXPORTER may be otlp or none.",
        "WARNING: A URL of Flow Retail ends in /v2, unlike flow_retail.url.",
    ]
    assert re.search(r"# \S+/v2, for all others: reached, status \d+, \d\.\d+ s\n$", found[1][1])
    assert "nowhere.json" in found[4][2]
