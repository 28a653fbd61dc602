"""One run: start everybody, check everybody, measure everybody in turn, say what was found."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.check import Differs, check
from benchmarks.measure import Bench
from benchmarks.report import Report
from benchmarks.roster import BUILD, HEADERS, ROOT, Missing, Peer, environment, find_peer
from benchmarks.server import DoesNotStart, Server, free_port
from benchmarks.shop import Shop
from benchmarks.stub import Stub
from benchmarks.targets import targets
from benchmarks.workloads import Workload, post, workloads


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    peers: Sequence[str]
    workloads: Sequence[str]
    """Without any, all of them."""
    rounds: int
    """0: only check."""
    seconds: float
    warm_up: float
    checkouts: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Ready:
    """A peer that is up, and its right answers' lengths by workload."""

    peer: Peer
    server: Server
    lengths: dict[str, set[int]]


async def run(options: Options) -> None:
    """Raises Differs, Broken, DoesNotStart."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("There is one core only: the load is made on the core that is measured.", flush=True)
    os.sched_setaffinity(0, {cores[0]})
    BUILD.mkdir(parents=True, exist_ok=True)
    shop = Shop()
    stub = Stub(shop)
    url = await stub.serve()
    chosen = [
        workload
        for workload in workloads(shop)
        if not options.workloads or workload.name in options.workloads
    ]
    left_out: dict[str, str] = {}
    with ExitStack() as started:
        ready: list[Ready] = []
        for name in options.peers:
            port = free_port()
            try:
                peer = find_peer(
                    name, port=port, stub=url, checkout=options.checkouts.get(name, ROOT)
                )
                server = Server(peer.command, core=cores[-1], port=port, log=BUILD / f"{name}.log")
                started.callback(server.stop)
                await server.start(
                    environment=environment(peer, port=port, stub=url),
                    directory=peer.directory,
                    probe=post(peer.path, peer.probe, HEADERS, variables={}),
                )
            except Missing as reason:
                left_out[name] = str(reason)
                continue
            except DoesNotStart as problem:
                if name not in ("ours", "before", "bare"):
                    left_out[name] = f"it does not start: {problem}"
                    continue
                raise DoesNotStart(f"{name} {problem}") from None
            lengths = {}
            for workload in chosen:
                if workload.name in peer.workloads:
                    try:
                        lengths[workload.name] = await check(peer, workload, port=port, stub=stub)
                    except Differs as difference:
                        raise Differs(f"{name}, {workload.name}: {difference}") from None
            print(f"checked: {peer.title}, {' '.join(lengths)}", flush=True)
            ready.append(Ready(peer, server, lengths))
        if not options.rounds:
            print("All answers are as the data has them, in as few REST calls as can be.")
        else:
            report = await _measured(options, chosen, ready, stub, left_out)
            report.write(ROOT / "build")
            print(report.text(), flush=True)


async def _measured(
    options: Options,
    chosen: Sequence[Workload],
    ready: Sequence[Ready],
    stub: Stub,
    left_out: Mapping[str, str],
) -> Report:
    bench = Bench(stub, core=min(os.sched_getaffinity(0)))

    async def pass_over(seconds: float, *, counts: bool) -> None:
        for workload in chosen:
            for each in ready:
                if lengths := each.lengths.get(workload.name):
                    await bench.round(
                        workload,
                        each.peer,
                        each.server,
                        lengths=lengths,
                        seconds=seconds,
                        counts=counts,
                    )

    await pass_over(options.warm_up, counts=False)
    memory: dict[str, list[float]] = {each.peer.name: [] for each in ready}
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", flush=True)
        await pass_over(options.seconds, counts=True)
        for each in ready:
            memory[each.peer.name].append(each.server.memory())
    found = targets(bench.series, {workload.name: workload for workload in chosen}, memory)
    return Report(
        workloads=chosen,
        peers=[each.peer for each in ready],
        series=bench.series,
        memory=memory,
        targets=list(found),
        options={"rounds": options.rounds, "seconds": options.seconds, "warm-up": options.warm_up},
        left_out=left_out,
    )
