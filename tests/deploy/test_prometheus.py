"""The dashboard and the alert rules in a real Prometheus, which watches a gateway under load."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path

import pytest

from chaos.dashboard import DASHBOARD, expressions
from chaos.prometheus import prometheus
from gateway.simulator.faults import Answer
from tests.deploy.test_configurations import DEPLOY
from tests.harness import Flow
from tests.replicas.redis_server import redis_server
from tests.serving.test_process import CREATE, LIST, Served, serving

pytestmark = pytest.mark.slow
LOAD = [
    LIST,
    "query Members { customerGroups(first: 2) { nodes { customers { totalCount } } } }",
    'query Fails { customerGroup(by: {uid: "down"}) { name } }',
    'query Unusable { customerGroup(by: {uid: "broken"}) { name } }',
    "{ customerGroups(first: 1000000) { nodes { uid } } }",
    "{ nothing }",
    CREATE,
]


async def load(served: Served) -> None:
    """Operations that succeed, fail in each way, and are refused: more than the rate limit has."""
    for number in range(100):
        await served.ask(LOAD[number % len(LOAD)])
        await served.client.get(f"{served.url}/graphql", headers={"X-Long": 40_000 * "x"})
        persisted = {"version": 1, "sha256Hash": f"{number:064}"}
        body = {"extensions": {"persistedQuery": persisted}}
        await served.client.post(f"{served.url}/graphql", json=body)
        await asyncio.sleep(0.05)


async def test_every_panel_shows_data_and_every_rule_is_evaluated(tmp_path: Path, flow: Flow):
    """Over a gateway that works, fails and refuses, with Redis and a rate limit."""
    flow.add_groups(5)
    flow.fail(Answer(503), path="/customer-groups/down", times=None)
    flow.fail(Answer(200, b"no JSON"), path="/customer-groups/broken", times=None)
    chosen = {"MANAGEMENT_PORT": "0", "RATE_LIMIT": "2", "RATE_LIMIT_BURST": "30"}
    with redis_server(tmp_path) as redis:
        environ = {f"GATEWAY_{name}": value for name, value in chosen.items()}
        async with serving(tmp_path, flow, GATEWAY_REDIS_URL=redis.url, **environ) as served:
            rules = DEPLOY / "prometheus/alerts.yml"
            async with prometheus(tmp_path, [served.management], rules=rules) as asked:
                await load(served)
                dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
                empty = expressions(dashboard, rate_interval="1m")
                with suppress(TimeoutError):
                    async with asyncio.timeout(60):  # a rate needs two scrapes
                        while empty:
                            await asked.scrapes()
                            for panel, query in tuple(empty.items()):
                                if await asked.ask(query):
                                    del empty[panel]
                groups = (await asked.get("rules"))["groups"]

    assert list(empty) == []
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
