"""What a run found: a table and a chart for people, JSON for everything else."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks import chart
from benchmarks.measure import Series
from benchmarks.roster import Peer
from benchmarks.targets import Target
from benchmarks.workloads import Workload

_IDLE = 0.1
"""Where nobody wanted a core for more of the time than this, the peer could have done more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    workloads: Sequence[Workload]
    peers: Sequence[Peer]
    series: Mapping[tuple[str, str], Series]
    memory: Mapping[str, list[float]]
    """Megabytes of each peer, after each pass over all workloads."""
    targets: Sequence[Target]
    options: Mapping[str, object]
    left_out: Mapping[str, str]

    def text(self) -> str:
        return "\n".join(self._lines())

    def write(self, folder: Path) -> None:
        """bench.json with every round, and bench.svg with the medians."""
        folder.mkdir(parents=True, exist_ok=True)
        results = self._json()
        (folder / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
        record = chart.record_of(results)
        if record["cpu_ms"]:
            (folder / "bench.svg").write_text(chart.draw(record))

    def _lines(self) -> Iterator[str]:
        yield f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_machine()}"
        yield ", ".join(f"{name} {value}" for name, value in self.options.items())
        for workload in self.workloads:
            if not any((workload.name, peer.name) in self.series for peer in self.peers):
                continue
            yield ""
            yield f"{workload.name}: {workload.title}"
            yield (
                f"  {'':24}{'queries/s':>10}{'CPU ms':>10}{'p50 ms':>10}{'p99 ms':>10}"
                f"{'REST calls':>12}{'ours: rate':>12}{'CPU':>8}"
            )
            ours = self.series.get((workload.name, "ours"))
            for peer in self.peers:
                found = self.series.get((workload.name, peer.name))
                if found is None:
                    continue
                ratios = ""
                if ours and peer.name != "ours":
                    ratios = f"{ours.rate / found.rate:10.2f} x{found.cpu / ours.cpu:6.2f} x"
                waited = "  ~" if found.idle > _IDLE and not workload.latency else ""
                yield (
                    f"  {peer.title:24}{found.rate:10.1f}{found.cpu:10.2f}"
                    f"{found.latency(0.5):10.1f}{found.latency(0.99):10.1f}"
                    f"{found.rest_calls:12.1f}{ratios}{waited}"
                )
        yield ""
        yield f"Memory, MB: {'after the first pass':>34}{'after the last':>16}"
        for peer in self.peers:
            first, last = self.memory[peer.name][0], self.memory[peer.name][-1]
            yield f"  {peer.title:24}{first:20.0f}{last:16.0f}"
        yield ""
        yield f"{'Targets':46}{'found':>8}{'must':>8}{'wanted':>8}"
        for each in self.targets:
            limits = f"{each.must:8.2f}{each.wanted:8.2f}"
            yield f"  {each.what:44}{each.found:8.2f}{limits}  {each.mark}"
        yield ""
        for peer in self.peers:
            yield f"{peer.title}: {peer.versions}"
        for name, reason in self.left_out.items():
            yield f"{name}: left out, {reason}"
        yield ""
        yield f"~: its core was idle for more than {_IDLE:.0%} of the time; it could do more."
        yield "Ours: how many times the peer's rate; how many times less CPU time a query."
        taken = median(found.others for found in self.series.values())
        from_load = median(found.others_beside_load for found in self.series.values())
        yield f"Other programs took {taken:.0%} of the peers' core, {from_load:.0%} of the load's."

    def _json(self) -> dict[str, object]:
        return {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": _machine(),
            "options": dict(self.options),
            "peers": {peer.name: peer.versions for peer in self.peers},
            "left_out": dict(self.left_out),
            "workloads": {workload.name: workload.title for workload in self.workloads},
            "measured": [
                {
                    "workload": workload,
                    "peer": peer,
                    "queries_per_second": found.rate,
                    "cpu_ms": found.cpu,
                    "p50_ms": found.latency(0.5),
                    "p99_ms": found.latency(0.99),
                    "rest_calls": found.rest_calls,
                    "idle": found.idle,
                    "others": found.others,
                    "others_beside_load": found.others_beside_load,
                    "rounds": [asdict(each) for each in found.rounds],
                }
                for (workload, peer), found in self.series.items()
            ],
            "memory_mb": dict(self.memory),
            "targets": [asdict(each) | {"mark": each.mark} for each in self.targets],
        }


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    parts = [
        f"{os.cpu_count()} cores of {model}",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
    ]
    if node := shutil.which("node"):
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603  # what PATH has
        parts.append(f"Node {said.stdout.strip().removeprefix('v')}")
    return ", ".join(parts)
