"""Draws deploy/grafana/dashboard.json as docs/dashboard.svg, from what a real Prometheus has seen:
two gateways in four minutes with an outage, a slow backend, a greedy caller and a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

from chaos.client import Client, Unanswered
from chaos.gateway import Process
from chaos.harness import HERE, upstreams
from chaos.operations import COMMERCETOOLS, FLOW_RETAIL
from chaos.panels import Found, Times, draw
from chaos.prometheus import Prometheus, prometheus
from chaos.restarts import CREATE, RENAME, Missing, free_ports
from chaos.scale import redis
from chaos.upstream import Answer, Exchange

DASHBOARD: Final = HERE / "deploy" / "grafana" / "dashboard.json"
PICTURE: Final = HERE / "docs" / "dashboard.svg"
STEP: Final = 5
"""Seconds from one point of a line to the next."""
MEMBERS: Final = """query Members { customerGroup(by: {uid: "g03"}) {
    name customers(first: 10) { totalCount nodes { uid displayName } } } }"""
OVERVIEW: Final = """query Overview { customerGroups(first: 10) {
    nodes { name customers { totalCount } } } }"""
CREATE_GROUP: Final = CREATE.replace("mutation C", "mutation CreateGroup")
RENAME_GROUP: Final = RENAME.replace("mutation R", "mutation RenameGroup")
LOAD: Final = [
    *3 * ["query Groups { customerGroups(first: 10) { nodes { uid name } } }", MEMBERS],
    OVERVIEW,
    CREATE_GROUP % "Gold",
    MEMBERS,
    RENAME_GROUP % ("g07", "Silver"),
    "query TooMany { customerGroups(first: 1000000) { nodes { uid } } }",
    MEMBERS,
    RENAME_GROUP % ("nobody", "Bronze"),
    OVERVIEW,
    "{ nothing }",
]


def expressions(dashboard: Any, *, rate_interval: str) -> dict[tuple[int, str], str]:
    """By panel and target, with what Grafana would put in the place of its variables."""
    return {
        (panel["id"], target["refId"]): target["expr"]
        .replace("$__rate_interval", rate_interval)
        .replace("$instance", ".*")
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    }


class Backend:
    """Answers as the simulator does, after a while, and sometimes badly."""

    def __init__(self) -> None:
        self.away = False
        self.latency = 0.01
        self._count = 0

    def arrived(self, exchange: Exchange) -> None:
        self._count += 1

    async def answer(self, exchange: Exchange) -> None:
        if self.away:
            exchange.reset()
        await asyncio.sleep(self.latency * (1 + self._count % 5))
        match self._count % 150:
            case 0 | 1 | 2:
                await exchange.send(Answer(503))
            case 50 if not exchange.request.writes:
                await exchange.send(Answer(200, body=b"no JSON"))
            case 100:
                await exchange.send(Answer(500))
            case _:
                await exchange.send(await exchange.real())


async def ask(clients: list[Client], tenant: str, *, first: int, pause: float) -> None:
    """One operation after the other, by turns of each gateway."""
    token = f"token-of-{tenant}"
    for number in itertools.count(first):
        client = clients[number % len(clients)]
        with suppress(Unanswered):
            await client.ask(LOAD[number % len(LOAD)], token=token, tenant=tenant)
            if number % 10 == 0:
                sha256 = hashlib.sha256(str(number).encode()).hexdigest()
                extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256}}
                body = json.dumps({"extensions": extensions}).encode()
                await client.post(body, {"Content-Type": "application/json"})
                await client.post(body, {"Content-Type": "application/json", "X": 40_000 * "x"})
        await asyncio.sleep(pause)


async def observed(dashboard: Any) -> tuple[Found, Times]:
    async with AsyncExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="dashboard-")))
        apis = await opened.enter_async_context(upstreams())
        tenants = {"oslo": FLOW_RETAIL, "bergen": FLOW_RETAIL, "wien": COMMERCETOOLS}
        backends = {name: Backend() for name in apis}
        for tenant, name in tenants.items():
            apis[name].world.fill(tenant, f"token-of-{tenant}")
            apis[name].cases[tenant] = backends[name]
        listed = [f'{tenant} = "{name}"' for tenant, name in tenants.items()]
        config = directory / "gateway.toml"
        config.write_text("\n".join(["[tenants]", *listed]))
        for_redis, *ports = free_ports(5)
        await opened.enter_async_context(redis(for_redis))
        settings = {
            "GATEWAY_CONFIG": str(config),
            "GATEWAY_FLOW_RETAIL_URL": apis[FLOW_RETAIL].url,
            "GATEWAY_FLOW_RETAIL_CONCURRENCY": "8",
            "GATEWAY_COMMERCETOOLS_URL": apis[COMMERCETOOLS].url,
            "GATEWAY_COMMERCETOOLS_CONCURRENCY": "8",
            "GATEWAY_RATE_LIMIT": "50",
            "GATEWAY_REDIS_URL": f"redis://127.0.0.1:{for_redis}",
            "GATEWAY_FINGERPRINT_KEY": "the same at both of them",
        }

        async def start(port: int, management: int) -> Process:
            own = {"GATEWAY_PORT": str(port), "GATEWAY_MANAGEMENT_PORT": str(management)}
            log = directory / f"{time.monotonic()}"
            log.mkdir()
            process = Process(HERE, log, {**settings, **own})
            opened.callback(process.stop)
            await process.ready()
            return process

        await start(ports[0], ports[1])
        second = await start(ports[2], ports[3])
        targets = [f"http://127.0.0.1:{port}" for port in ports[1::2]]
        rules = HERE / "deploy" / "prometheus" / "alerts.yml"
        watching = await opened.enter_async_context(prometheus(directory, targets, rules=rules))
        clients = [Client(port) for port in ports[::2]]
        work = {
            asyncio.create_task(ask(clients, tenant, first=number, pause=0.4))
            for number, tenant in enumerate(6 * ["oslo", "wien"])
        }
        await asyncio.sleep(20)  # rates need some scrapes
        start_at = int(time.time())
        await asyncio.sleep(40)
        backends[COMMERCETOOLS].away = True
        await asyncio.sleep(30)
        backends[COMMERCETOOLS].away = False
        await asyncio.sleep(30)
        backends[FLOW_RETAIL].latency = 0.2
        await asyncio.sleep(25)
        backends[FLOW_RETAIL].latency = 0.01
        await asyncio.sleep(20)
        greedy = [
            asyncio.create_task(ask(clients, "bergen", first=number, pause=0.03))
            for number in range(5)
        ]
        await asyncio.sleep(25)
        for task in greedy:
            task.cancel()
        await asyncio.sleep(15)
        await asyncio.to_thread(second.stop)
        await asyncio.sleep(3)
        await start(ports[2], ports[3])
        await asyncio.sleep(30)
        times = Times(start_at, int(time.time()) - 1, STEP)
        found = await answers(watching, dashboard, times)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, *greedy, return_exceptions=True)
        for client in clients:
            client.close()
        return found, times


async def answers(watching: Prometheus, dashboard: Any, times: Times) -> Found:
    of: Mapping[str, str] = {name: str(getattr(times, name)) for name in ("start", "end", "step")}
    found = {}
    for target, query in expressions(dashboard, rate_interval="15s").items():
        found[target] = (await watching.get("query_range", query=query, **of))["result"]
    return found


def main() -> int:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    try:
        found, times = asyncio.run(observed(dashboard))
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    PICTURE.write_text(draw(dashboard, found, times), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
