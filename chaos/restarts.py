"""Rolling restarts of two gateways under load, behind haproxy and nginx as deploy/ configures them:
no request may be lost, and no change may reach the API twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop

from chaos.client import exchange
from chaos.gateway import DoesNotStart, Process
from chaos.harness import HERE
from chaos.upstream import Api, Exchange
from chaos.worlds import FlowRetailWorld
from gateway.simulator.flow_retail.app import create_app
from gateway.simulator.flow_retail.store import Store
from gateway.simulator.journal import Journal

CLIENTS: Final = 100
GATEWAYS: Final = 2
GROUPS: Final = 50
CHANGES: Final = 5
"""One request of so many is a change."""
AT_LEAST: Final = 2.5
"""Seconds for which a gateway is ready before the next one is stopped; haproxy finds it in two."""
WITHIN: Final = 30.0
"""Seconds that a client waits for an answer, longer than a proxy does."""
TENANT, TOKEN = "shop", "token-of-ada"
QUERY: Final = 'query Q { customerGroup(by: {uid: "%s"}) { uid name } }'
CREATE: Final = """mutation C { createCustomerGroup(input: {name: "%s"}) {
    customerGroup { name } userErrors { code } } }"""
RENAME: Final = """mutation R {
    updateCustomerGroup(input: {customerGroup: {uid: "%s"}, name: "%s"}) {
        customerGroup { name } userErrors { code } } }"""


class Missing(Exception):
    """A proxy is not installed, or does not start; the message says which."""


@dataclass
class Load:
    """What was sent, and what came of it."""

    sent: int = 0
    changes: int = 0
    arrived: Counter[str] = field(default_factory=Counter)
    """The changes that reached the API, by the name that each of them gives a group."""
    lost: Counter[str] = field(default_factory=Counter)
    """What clients got in place of an answer."""
    slowest: float = 0.0
    enough: float = math.inf

    @property
    def repeated(self) -> int:
        return sum(count - 1 for count in self.arrived.values())

    def operation(self) -> tuple[str, Any]:
        """The next one, and the data of its answer."""
        number = self.sent = self.sent + 1
        uid = f"g{number % GROUPS:02}"
        if number % CHANGES:
            return QUERY % uid, {"customerGroup": {"uid": uid}}
        self.changes += 1
        name = f"name {number}"
        shown = {"customerGroup": {"name": name}, "userErrors": []}
        if number % (2 * CHANGES):
            return CREATE % name, {"createCustomerGroup": shown}
        return RENAME % (uid, name), {"updateCustomerGroup": shown}


class _Counted:
    """Has the API do what it is asked, and counts the changes."""

    def __init__(self, load: Load) -> None:
        self._load = load

    def arrived(self, exchange: Exchange) -> None:
        if exchange.request.writes:
            self._load.arrived[json.loads(exchange.request.body)["name"]] += 1

    async def answer(self, exchange: Exchange) -> None:
        await exchange.send(await exchange.real())


def main() -> int:
    parser = argparse.ArgumentParser(prog="make restarts", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="at least; default: 100000")
    parser.add_argument("--rounds", type=int, default=4, help="rolling restarts; default: 4")
    parser.add_argument("--short", action="store_true", help="5,000 requests and one restart")
    parser.add_argument("--proxy", choices=PROXIES, action="append", help="default: each")
    chosen = parser.parse_args()
    requests, rounds = (5_000, 1) if chosen.short else (chosen.requests, chosen.rounds)
    failed = False
    for proxy in chosen.proxy or PROXIES:
        began = time.monotonic()
        try:
            load = uvloop.run(restarts(proxy, requests=requests, rounds=rounds))
        except Missing as missing:
            print(missing, file=sys.stderr)
            return 2
        seconds = time.monotonic() - began
        print(
            f"{proxy}: {load.sent} requests of {CLIENTS} clients in {seconds:.0f} s,"
            f" {load.changes} of them changes; {rounds * GATEWAYS} restarts;"
            f" {load.lost.total()} lost, {load.repeated} changes repeated;"
            f" slowest answer {load.slowest:.2f} s"
        )
        for what, count in load.lost.most_common(10):
            print(f"  {count} x {what}")
        failed = failed or bool(load.lost or load.repeated)
    return failed


async def restarts(
    proxy: str, *, requests: int, rounds: int, settings: Mapping[str, str] | None = None
) -> Load:
    """At least so many requests, while each gateway is restarted so many times, one by one."""
    load = Load()
    async with AsyncExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="restarts-")))
        url = await opened.enter_async_context(_api(load))
        front, *ports = free_ports(1 + GATEWAYS)
        needed = {"GATEWAY_FLOW_RETAIL_URL": url, "GATEWAY_DEFAULT_TENANT": TENANT}
        gateways = Gateways(directory, {**needed, **(settings or {})}, ports)
        opened.push_async_callback(gateways.stop)
        for number in range(GATEWAYS):
            await gateways.start(number)
        await opened.enter_async_context(PROXIES[proxy](directory, front, ports))
        await asyncio.sleep(AT_LEAST)
        calling = [asyncio.create_task(_call(front, load)) for _ in range(CLIENTS)]
        for _ in range(rounds):
            for number in range(GATEWAYS):
                await gateways.restart(number)
                await asyncio.sleep(AT_LEAST)
        load.enough = requests
        await asyncio.gather(*calling)
    return load


@asynccontextmanager
async def _api(load: Load) -> AsyncIterator[str]:
    with Store() as store:
        store.add_token(TOKEN, [TENANT])
        for number in range(GROUPS):
            store.add_group(TENANT, f"g{number:02}", "A group")
        app = create_app(store, journal=Journal(limit=1))
        tenant = re.compile("/v2/tenants/([^/]+)/")
        api = Api("flow_retail", app, FlowRetailWorld(store), tenant, prefix="/v2")
        api.cases[TENANT] = _Counted(load)
        async with api.served():
            yield api.url


async def _call(port: int, load: Load) -> None:
    """One client, over one connection for as long as the proxy keeps it; it repeats nothing."""
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while load.sent < load.enough:
        text, data = load.operation()
        body = json.dumps({"query": text}).encode()
        head = (
            "POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        keep, began = False, time.perf_counter()
        try:
            async with asyncio.timeout(WITHIN):
                if connection is None:
                    connection = await asyncio.open_connection("127.0.0.1", port)
                response, keep = await exchange(*connection, head.encode() + body, began)
        except (OSError, EOFError, TimeoutError) as failure:
            load.lost[type(failure).__name__] += 1
        else:
            load.slowest = max(load.slowest, time.perf_counter() - began)
            if response.status != 200 or not _is(json.loads(response.body), data):
                load.lost[f"{response.status} {response.body[:200]!r}"] += 1
        if connection is not None and not keep:
            connection[1].close()
            connection = None
    if connection is not None:
        connection[1].close()


def _is(answer: Any, data: Mapping[str, Any]) -> bool:
    """Whether it is a whole answer without errors. Nobody knows a renamed group's name."""
    match answer:
        case {"data": {"customerGroup": {"uid": uid, "name": str()}}, **rest}:
            return not rest and data == {"customerGroup": {"uid": uid}}
        case _:
            return bool(answer == {"data": data})


class Gateways:
    def __init__(self, directory: Path, settings: Mapping[str, str], ports: Sequence[int]) -> None:
        self._directory = directory
        self._ports = ports
        self._running: dict[int, Process] = {}
        self._started = 0
        config = directory / "gateway.toml"
        config.write_text("")
        self._settings = {**settings, "GATEWAY_CONFIG": str(config)}

    async def start(self, number: int) -> None:
        self._started += 1
        directory = self._directory / f"gateway-{self._started}"
        directory.mkdir()
        settings = self._settings | {"GATEWAY_PORT": str(self._ports[number])}
        self._running[number] = Process(HERE, directory, settings)
        await self._running[number].ready()
        await _ready(self._ports[number])

    async def restart(self, number: int) -> None:
        await asyncio.to_thread(self._running[number].stop)
        await self.start(number)

    async def stop(self) -> None:
        await asyncio.gather(
            *(asyncio.to_thread(process.stop) for process in self._running.values())
        )


async def _ready(port: int) -> None:
    """Return when the gateway says that it is; until it accepts a connection, it says nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /health/ready HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n",
    )
    answer = await reader.read()
    writer.close()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise DoesNotStart(answer[:200])


@asynccontextmanager
async def haproxy(directory: Path, front: int, ports: Sequence[int]) -> AsyncIterator[None]:
    first, second = (f"127.0.0.1:{port}" for port in ports)
    variables = {"FRONT": f"127.0.0.1:{front}", "FIRST": first, "SECOND": second}
    config = HERE / "deploy" / "haproxy.cfg"
    log = directory / "haproxy.log"
    async with program("haproxy", "-db", "-f", str(config), front=front, log=log, also=variables):
        yield


@asynccontextmanager
async def nginx(directory: Path, front: int, ports: Sequence[int]) -> AsyncIterator[None]:
    text = (HERE / "deploy" / "nginx.conf").read_text()
    for port, other in zip((8000, 8081, 8082), (front, *ports), strict=True):
        text = text.replace(str(port), str(other))
    config = directory / "nginx.conf"
    config.write_text(text)
    log = directory / "nginx.log"
    more = f"daemon off; error_log {log}; pid {directory}/nginx.pid;"
    async with program("nginx", "-c", str(config), "-g", more, front=front, log=log, also={}):
        yield


PROXIES: Final = {"haproxy": haproxy, "nginx": nginx}


@asynccontextmanager
async def program(
    name: str, *arguments: str, front: int, log: Path, also: Mapping[str, str]
) -> AsyncIterator[None]:
    # Debian has proxies where only root looks.
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        raise Missing(
            f"{name} is not installed: apt-get install haproxy nginx-light redis-server prometheus."
        )
    with log.open("ab") as written:
        process = await asyncio.create_subprocess_exec(
            path, *arguments, env={**os.environ, **also}, stdout=written, stderr=written
        )
    try:
        async with asyncio.timeout(WITHIN):
            while not await _listens(front):
                if process.returncode is not None:
                    raise Missing(f"{name} does not start: {_end(log)}")
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _end(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, nor is likely to: each was free a moment ago."""
    with ExitStack() as opened:
        taken = [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in taken]


if __name__ == "__main__":
    sys.exit(main())
