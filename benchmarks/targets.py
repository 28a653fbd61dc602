"""What ours has to reach, and what we would like: ratios from one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.measure import Series
from benchmarks.workloads import Workload

_FASTER = {
    # how many times a peer's queries a second: must, wanted
    "apollo": {"W1": (2.5, 5), "W2": (5, 12), "W3": (1.5, 5), "W4": (1.5, 3), "W7": (1, 1)},
    "mercurius": {"W1": (0.5, 1), "W2": (1.5, 4), "W3": (0.5, 1), "W4": (0.5, 1), "W5": (1, 3)},
    "tailcall": {"W2": (3, 6)},
}
_CPU_OF_BARE = {"W2": (3, 2), "W4": (3, 1.5)}
_HOPS = 1.15
_MEMORY = (80, 60)  # megabytes
_GROWTH = (5, 2)  # megabytes, from one pass over all workloads to the last


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    what: str
    found: float
    must: float
    wanted: float
    at_most: bool = False

    @property
    def mark(self) -> str:
        if self._holds(self.wanted):
            return "wanted"
        return "must" if self._holds(self.must) else "MISSED"

    def _holds(self, bound: float) -> bool:
        return self.found <= bound if self.at_most else self.found >= bound


def targets(
    series: Mapping[tuple[str, str], Series],
    workloads: Mapping[str, Workload],
    memory: Mapping[str, list[float]],
) -> Iterator[Target]:
    """Those of them that were measured."""
    for peer, bounds in _FASTER.items():
        for name, (must, wanted) in bounds.items():
            ours, theirs = series.get((name, "ours")), series.get((name, peer))
            if ours and theirs:
                ratio = ours.rate / theirs.rate
                yield Target(
                    what=f"{name} queries a second, against {peer}",
                    found=ratio,
                    must=must,
                    wanted=wanted,
                )
    for name, (must, wanted) in _CPU_OF_BARE.items():
        ours, bare = series.get((name, "ours")), series.get((name, "bare"))
        if ours and bare:
            yield Target(
                what=f"{name} CPU a query, against bare",
                found=ours.cpu / bare.cpu,
                must=must,
                wanted=wanted,
                at_most=True,
            )
    for name, workload in workloads.items():
        if workload.hops and (ours := series.get((name, "ours"))):
            yield Target(
                what=f"{name} time, against {workload.hops} hops",
                found=ours.latency(0.5) / (workload.hops * workload.latency * 1000),
                must=_HOPS,
                wanted=_HOPS,
                at_most=True,
            )
    if readings := memory.get("ours"):
        must, wanted = _MEMORY
        yield Target(
            what="memory after load, MB", found=readings[-1], must=must, wanted=wanted, at_most=True
        )
        if len(readings) > 1:
            must, wanted = _GROWTH
            yield Target(
                what="memory, growth since the first pass, MB",
                found=readings[-1] - readings[0],
                must=must,
                wanted=wanted,
                at_most=True,
            )
