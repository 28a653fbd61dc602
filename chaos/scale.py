"""Two gateways behind haproxy, with a real Redis: what is lost when they restart or Redis dies,
what they share, and how much more they do than one. All of it stays on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from chaos.client import Client
from chaos.figures import GOOD, LIGHT, Shop, upstream
from chaos.restarts import (
    AT_LEAST,
    CLIENTS,
    Gateways,
    Missing,
    free_ports,
    haproxy,
    program,
    restarts,
)

DOCUMENTS: Final = 50
RATE: Final = 40
BURST: Final = 40
EXACT: Final = 0.05
RATIO: Final = 1.5
TURNS: Final = 8
BACK: Final = 5.0
"""Seconds within which both have found that Redis is back."""
LARGE: Final = """{ customerGroups(first: 5) { nodes {
  customers(first: 100) { nodes { id uid customerGroups { id uid name } } } } } }"""
"""Nearly all of its work is the gateway's: haproxy, clients and API share the machine's cores."""


class Large(Shop):
    """Groups of a hundred customers."""

    def _members(self, uid: str) -> list[Any]:
        return [
            {"customerUid": f"c{uid}-{number}", "customerGroupUids": [uid]} for number in range(100)
        ]


class Report:
    """Prints each figure as it is found, and remembers whether all are as they have to be."""

    def __init__(self) -> None:
        self.right = True

    def say(self, what: str, found: object, *, right: bool = True) -> None:
        print(f"{what:.<58} {found}{'' if right else '  WRONG'}", flush=True)
        self.right &= right


@dataclass(frozen=True)
class Fleet:
    front: int
    """haproxy's port."""
    ports: list[int]
    """The gateways' own."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make scale", description=__doc__)
    parser.add_argument("--short", action="store_true", help="less of each; no ratio is required")
    report = Report()
    try:
        asyncio.run(_scale(report, short=parser.parse_args().short))
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    return 0 if report.right else 1


async def _scale(report: Report, *, short: bool) -> None:
    [port] = free_ports(1)
    shared = {
        "GATEWAY_REDIS_URL": f"redis://127.0.0.1:{port}",
        "GATEWAY_FINGERPRINT_KEY": "the same at both of them",
    }
    async with redis(port):
        await _restarts(report, shared, short=short)
        await _rate_limit(report, shared, seconds=5 if short else 20)
    await _redis_dies(report, port, shared, seconds=4 if short else 15)
    await _ratio(report, seconds=8 if short else 24, required=not short)


@asynccontextmanager
async def fleet(
    count: int, settings: Mapping[str, str], *, shop: Shop | None = None
) -> AsyncIterator[Fleet]:
    """One gateway or two behind haproxy, over a shop in memory."""
    async with AsyncExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="scale-")))
        needed = await opened.enter_async_context(upstream(shop or Shop(), directory))
        front, *ports = free_ports(1 + count)
        gateways = Gateways(directory, {**needed, **settings}, ports)
        opened.push_async_callback(gateways.stop)
        for number in range(count):
            await gateways.start(number)
        await opened.enter_async_context(haproxy(directory, front, [ports[0], ports[-1]]))
        await asyncio.sleep(AT_LEAST)
        yield Fleet(front, ports)


@asynccontextmanager
async def redis(port: int) -> AsyncIterator[None]:
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "")
    with tempfile.NamedTemporaryFile(prefix="redis-") as log:
        async with program("redis-server", *options, front=port, log=Path(log.name), also={}):
            yield


async def crowd(port: int, request: bytes, *, clients: int, seconds: float) -> Mapping[int, int]:
    """How many answers of each status so many clients got, each on one connection, in a process of
    their own; 0 stands for none.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "chaos.crowd", str(port), str(clients), str(seconds), "0"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    out, _ = await process.communicate(request)
    return {int(of): int(count) for of, count in re.findall(r"(\d+): (\d+) ", out.decode())}


# -- what is lost


async def _restarts(report: Report, shared: Mapping[str, str], *, short: bool) -> None:
    requests, rounds = (2_000, 1) if short else (100_000, 4)
    load = await restarts("haproxy", requests=requests, rounds=rounds, settings=shared)
    report.say(f"requests through {rounds} rolling restarts", load.sent)
    lost = dict(load.lost.most_common(3))
    report.say("  lost", lost or 0, right=not lost)


async def _redis_dies(
    report: Report, port: int, shared: Mapping[str, str], *, seconds: float
) -> None:
    request = Client(0).request(LIGHT, token=GOOD, tenant="shop")
    async with AsyncExitStack() as first:
        await first.enter_async_context(redis(port))
        async with fleet(2, shared) as gateways:
            await _persisted(report, gateways, "persisted queries missed")
            load = asyncio.create_task(
                crowd(gateways.front, request, clients=CLIENTS, seconds=2 * seconds + BACK)
            )
            await asyncio.sleep(seconds)
            await first.aclose()
            await _persisted(report, gateways, "  without Redis", shared=False)
            async with redis(port):
                found = await load
                answered, count = found.get(200, 0), sum(found.values())
                report.say("requests while Redis dies and comes back", count)
                lost = f"{count - answered} {found}"
                report.say("  lost", 0 if count == answered else lost, right=count == answered)
                await asyncio.sleep(BACK)
                await _persisted(report, gateways, "persisted queries missed afterwards")


# -- what is shared


async def _persisted(report: Report, gateways: Fleet, what: str, *, shared: bool = True) -> None:
    """Register documents at one of the gateways, and ask each for them twice."""
    client = Client(gateways.front)
    for _ in range(4):  # only documents of callers whom a backend has accepted are shared
        await client.ask(LIGHT, token=GOOD, tenant="shop")
    hashes = []
    for _ in range(DOCUMENTS):
        text = f"{{ a{random.getrandbits(60)}: __typename }}"  # no secret
        hashes.append(hashlib.sha256(text.encode()).hexdigest())
        await _post(client, hashes[-1], query=text)
    await asyncio.sleep(0.5)  # they are stored after the answer
    answers = [await _post(client, each) for each in hashes for _ in range(4)]
    client.close()
    missed = sum("errors" in answer for answer in answers)
    report.say(what, f"{missed} of {len(answers)} look-ups", right=not missed or not shared)


async def _post(client: Client, sha256: str, **more: str) -> Any:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": sha256}}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {GOOD}"}
    body = json.dumps({"extensions": extensions, **more}).encode()
    return json.loads((await client.post(body, headers)).body)


async def _rate_limit(report: Report, shared: Mapping[str, str], *, seconds: float) -> None:
    settings = {"GATEWAY_RATE_LIMIT": str(RATE), "GATEWAY_RATE_LIMIT_BURST": str(BURST)}
    async with fleet(2, {**shared, **settings}) as gateways:
        for port in gateways.ports:  # each learns that the token is good
            client = Client(port)
            await client.ask(LIGHT, token=GOOD, tenant="shop")
            client.close()
        await asyncio.sleep(2 * BURST / RATE)  # until the bucket is full
        began = time.monotonic()
        counts = await asyncio.gather(*(_served(gateways, began + seconds) for _ in range(8)))
        allowed = BURST + RATE * (time.monotonic() - began)
    part = sum(counts) / allowed
    report.say(
        "REST calls under a rate limit",
        f"{sum(counts)}, {part:.1%} of the {allowed:.0f} allowed",
        right=abs(part - 1) <= EXACT,
    )


async def _served(gateways: Fleet, until: float) -> int:
    client, served = Client(gateways.front), 0
    while time.monotonic() < until:
        answer = await client.ask(LIGHT, token=GOOD, tenant="shop")
        served += answer.status == 200
        await asyncio.sleep(0.01)
    client.close()
    return served


# -- how much more two do


async def _ratio(report: Report, *, seconds: float, required: bool) -> None:
    """By turns, because other programs take more of the cores at one time than at another."""
    request = Client(0).request(LARGE, token=GOOD, tenant="shop")
    async with fleet(1, {}, shop=Large()) as one, fleet(2, {}, shop=Large()) as two:
        rates: dict[int, list[float]] = {one.front: [], two.front: []}
        for turn in range(1 + TURNS):
            for port, found in rates.items():
                answers = await crowd(port, request, clients=20, seconds=seconds / TURNS)
                if turn:  # the first one warms up
                    found.append(answers.get(200, 0) / seconds * TURNS)
    of_one, of_two = (median(found) for found in rates.values())
    ratio = of_two / of_one
    report.say(
        f"5 lists of 100 customers a second, of 1, of 2; {TURNS} turns",
        f"{of_one:.0f}, {of_two:.0f}: {ratio:.2f} times as many",
        right=ratio >= RATIO or not required,
    )


if __name__ == "__main__":
    sys.exit(main())
