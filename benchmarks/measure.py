"""Rounds of load, and what is made of them."""

from __future__ import annotations

import gc
import math
import time
from dataclasses import dataclass, field
from statistics import median

from benchmarks.load import press
from benchmarks.roster import HEADERS, Peer
from benchmarks.server import CoreTime, Server
from benchmarks.stub import Stub
from benchmarks.workloads import Workload


class Broken(Exception):
    """Answers under load were not those that had been checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One peer, one workload, a few seconds."""

    queries: int
    seconds: float
    cpu: float
    """Milliseconds, of the peer."""
    own_cpu: float
    """Milliseconds, of the load generator and the stub, on another core."""
    others: float
    """Milliseconds that other programs took of the peer's core."""
    others_beside_load: float
    """Milliseconds that other programs took of the load generator's core."""
    idle: float
    """Milliseconds that nobody wanted it."""
    rest_calls: int


@dataclass(slots=True)
class Series:
    """All rounds of one peer with one workload."""

    rounds: list[Round] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Queries a second."""
        return median(each.queries / each.seconds for each in self.rounds)

    @property
    def cpu(self) -> float:
        """Milliseconds a query."""
        return median(each.cpu / each.queries for each in self.rounds)

    @property
    def idle(self) -> float:
        """Which part of the time nobody wanted the peer's core: it waited for load or answers."""
        return median(each.idle / each.seconds / 1000 for each in self.rounds)

    @property
    def others(self) -> float:
        """Which part of the time other programs had the peer's core."""
        return median(each.others / each.seconds / 1000 for each in self.rounds)

    @property
    def others_beside_load(self) -> float:
        """Which part of the time other programs had the load generator's core."""
        return median(each.others_beside_load / each.seconds / 1000 for each in self.rounds)

    @property
    def rest_calls(self) -> float:
        return median(each.rest_calls / each.queries for each in self.rounds)

    def latency(self, part: float) -> float:
        """Milliseconds within which this part of the answers came."""
        ordered = sorted(self.latencies)
        return ordered[math.ceil(part * len(ordered)) - 1] * 1000


@dataclass(slots=True)
class Bench:
    """What stands ready to be measured, and what came of it."""

    stub: Stub
    core: int
    """The load generator's."""
    series: dict[tuple[str, str], Series] = field(default_factory=dict)
    """By workload and peer."""

    async def round(
        self,
        workload: Workload,
        peer: Peer,
        server: Server,
        *,
        lengths: set[int],
        seconds: float,
        counts: bool = True,
    ) -> None:
        """Raises Broken. A warm-up does not count."""
        path = peer.path_of(workload)
        requests = workload.requests(path, text=peer.texts.get(workload.name), headers=HEADERS)
        self.stub.latency = workload.latency
        gc.collect()
        gc.disable()
        core, own_core = CoreTime.now(server.core), CoreTime.now(self.core)
        cpu, own = server.cpu(), time.process_time()
        calls = self.stub.calls
        measured = await press(
            server.port,
            requests,
            connections=workload.connections,
            seconds=seconds,
            lengths=lengths,
        )
        cpu, own = server.cpu() - cpu, time.process_time() - own
        core = CoreTime.now(server.core) - core
        own_core = CoreTime.now(self.core) - own_core
        calls = self.stub.calls - calls
        gc.enable()
        self.stub.latency = 0.0
        if measured.wrong:
            raise Broken(
                f"{peer.name}, {workload.name}: {measured.wrong} answers of "
                f"{len(measured.latencies)} were not as checked, such as {measured.example!r}"
            )
        if counts:
            series = self.series.setdefault((workload.name, peer.name), Series())
            series.latencies += measured.latencies
            series.rounds.append(
                Round(
                    queries=len(measured.latencies),
                    seconds=measured.seconds,
                    cpu=cpu,
                    own_cpu=own * 1000,
                    others=max(0.0, core.used - cpu),
                    others_beside_load=max(0.0, own_core.used - own * 1000),
                    idle=core.idle,
                    rest_calls=calls,
                )
            )
