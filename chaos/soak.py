"""Minutes of mixed faults beside clients that leave: nothing may grow, nothing may be left."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from chaos.client import Client, Unanswered
from chaos.harness import running, upstreams
from chaos.operations import COMMERCETOOLS, FLOW_RETAIL, OPERATIONS
from chaos.trials import MIXED, Plan, Trial, Unprepared
from chaos.upstream import Api
from gateway import serving
from gateway.app import create_app
from gateway.settings import CommercetoolsSettings, FlowRetailSettings, Settings, TenantSettings

POOL: Final = 2_000
"""Tenants of commercetools, whose turn comes again; those of Flow Retail are ever new."""
WORKERS: Final = 10
GROWTH: Final = 2.0
"""Megabytes a minute above which memory is said to grow, in a run of ten minutes."""
SETTLED: Final = 25.0
"""Seconds within which all that was opened must be closed again."""
Apis = Mapping[str, Api]
Sample = tuple[float, float]
"""A time, and megabytes."""
_BODY: Final = (
    b'{"query":"{ customerGroups(first: 5) { nodes { uid customers { totalCount } } } }"}'
)


@dataclass
class Load:
    """What was done so far."""

    operations: int = 0
    faults: int = 0
    left: int = 0
    refused: int = 0
    """Answers of 503, and closed connections."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="default: 600")
    parser.add_argument("--short", action="store_true", help="a minute")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    seconds = 60.0 if chosen.short else chosen.seconds
    return asyncio.run(_soak(seconds, chosen.seed))


async def _soak(seconds: float, seed: int) -> int:
    load = Load()
    memory, descriptors = await _process(load, seconds * 0.8, seed)
    tasks = await _in_process(load, seconds * 0.2, seed)
    half = memory[len(memory) // 2 :]
    slope = _slope(half)
    # Minutes are too short for a slope: what comes and goes is as much as what stays.
    allowed = GROWTH if seconds >= 300 else 20 / (seconds * 0.4 / 60)
    settled = descriptors[1] <= descriptors[0] + 1 and tasks[1] <= tasks[0]
    print(
        f"soak: {seconds:.0f} s, {load.operations} operations, {load.faults} faults, "
        f"{load.left} clients left midway, {load.refused} were turned away: "
        f"memory {half[0][1]:.0f} MB half way, {half[-1][1]:.0f} MB at the end, "
        f"slope {slope:+.2f} MB a minute (at most {allowed:.1f}); "
        f"descriptors {descriptors[0]} before, {descriptors[1]} after; "
        f"tasks {tasks[0]} before, {tasks[1]} after"
    )
    return 0 if settled and slope <= allowed else 1


async def _process(load: Load, seconds: float, seed: int) -> tuple[list[Sample], tuple[int, int]]:
    """The gateway as a process: its memory over time, and its descriptors before and after."""
    async with running(POOL) as run:
        client = Client(run.gateway.port)
        await _once(run.apis, client, load, 0, seed)
        client.close()
        before = await _least(run.gateway.descriptors, until=0)
        memory: list[Sample] = []
        ends = time.monotonic() + seconds
        work = asyncio.create_task(_work(run.apis, run.gateway.port, load, ends, seed))
        while not work.done():
            memory.append((time.monotonic(), run.gateway.memory()))
            await asyncio.sleep(1.0)
        await work
        after = await _least(run.gateway.descriptors, until=before)
        return memory, (before, after)


async def _in_process(load: Load, seconds: float, seed: int) -> tuple[int, int]:
    """The same app in a thread of this process, whose tasks can be counted."""
    async with upstreams() as apis:
        with _served(apis[FLOW_RETAIL].url, apis[COMMERCETOOLS].url) as (port, tasks):
            client = Client(port)
            await _once(apis, client, load, 0, seed)
            client.close()
            before = await _least(tasks, until=0)
            await _work(apis, port, load, time.monotonic() + seconds, seed)
            return before, await _least(tasks, until=before)


@contextmanager
def _served(flow: str, commercetools: str) -> Iterator[tuple[int, Callable[[], int]]]:
    """The gateway on an event loop of its own; its port, and how many tasks there are."""
    ct = CommercetoolsSettings(url=commercetools, timeout=1.5)
    settings = Settings(
        deadline=4.0,
        flow_retail=FlowRetailSettings(url=flow, timeout=1.5, max_page_size=10),
        commercetools=ct,
        tenants={f"k{number}": TenantSettings(upstream=ct) for number in range(POOL)},
    )
    listener = serving.listen("127.0.0.1", 0, remedy="")
    server = serving.server(create_app(settings, observe=lambda _: None))
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def tasks() -> int:
        return len(asyncio.all_tasks(loops[0]))

    try:
        yield listener.getsockname()[1], tasks
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


async def _least(count: Callable[[], int], *, until: int) -> int:
    """The least that is counted within the time to settle, or as soon as it is `until` or less."""
    least = count()
    ends = time.monotonic() + (SETTLED if until else 8.0)
    while time.monotonic() < ends and least > until:
        await asyncio.sleep(0.25)
        least = min(least, count())
    return least


async def _work(apis: Apis, port: int, load: Load, ends: float, seed: int) -> None:
    """Operations and clients of every kind until `ends`, a time of `time.monotonic`."""
    numbers = itertools.count(1)
    client = Client(port)

    async def worker() -> None:
        while time.monotonic() < ends:
            number = next(numbers)
            chance = random.Random(f"{seed} {number}").random()  # noqa: S311  # no secret
            if chance < 0.15:
                await _stranger(port, load, number)
            elif chance < 0.35:
                leaves = asyncio.timeout(chance - 0.15)
                with suppress(TimeoutError):
                    async with leaves:
                        await _once(apis, client, load, number, seed)
                load.left += leaves.expired()
            else:
                await _once(apis, client, load, number, seed)

    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    client.close()


async def _once(apis: Apis, client: Client, load: Load, number: int, seed: int) -> None:
    names = list(OPERATIONS)
    plan = Plan(f"{MIXED}-{seed}", names[number % len(names)], "all")
    trial = Trial(plan, number, apis, client, seed=seed + number, pool=POOL)
    load.operations += 1
    try:
        outcome = await trial.run(within=30.0)
    except (Unprepared, Unanswered):
        load.refused += 1
        return
    finally:
        load.faults += len(trial.notes.played)
    answer = outcome.response
    load.refused += answer is None or answer.status != 200


async def _stranger(port: int, load: Load, number: int) -> None:
    """A client that never gets as far as an answer, and leaves."""
    head = b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
    whole = head + b"Content-Length: %d\r\n\r\n" % len(_BODY) + _BODY
    sent = (b"", head[:20], head, whole[:-30], whole, whole * 3, b"\x00\xff garbage\r\n\r\n")
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(sent[number % len(sent)])
            async with asyncio.timeout(0.3):
                while number % 2 and await reader.read(1_000):
                    pass
        except TimeoutError:
            pass
        finally:
            if number % 3:
                writer.close()
            else:
                writer.transport.abort()
    load.left += 1


def _slope(memory: Sequence[Sample]) -> float:
    """Megabytes a minute."""
    times, sizes = zip(*memory, strict=True)
    return statistics.linear_regression(times, sizes).slope * 60


if __name__ == "__main__":
    sys.exit(main())
