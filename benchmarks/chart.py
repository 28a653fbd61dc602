"""The chart and the table of docs/performance.md, drawn from the results on record.

`python -m benchmarks.chart` draws them again. `python -m benchmarks.chart build/bench.json` first
puts the run of that file on record, in results.json.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
RECORD: Final = HERE / "results.json"
PAGE: Final = HERE.parent / "docs" / "performance.md"
CHART: Final = HERE.parent / "docs" / "performance.svg"

PEERS: Final = {
    "ours": ("this gateway", "#0b5fff"),
    "naive": ("naive Strawberry", "#b07aa1"),
    "hive": ("Hive Gateway", "#e15759"),
    "apollo": ("Apollo Server", "#f28e2b"),
    "tailcall": ("tailcall 1.0", "#59a14f"),
    "mercurius": ("mercurius + jit", "#9c755f"),
    "bare": ("no GraphQL at all", "#888888"),
}
"""Their titles and colours, in the order of the table."""
WORKLOADS: Final = {
    "W1": "50 groups, 6 fields",
    "W2": "20 groups x 20 customers, 12 fields, addresses",
    "W2c": "W2 on commercetools",
    "W3": "50 customers and their groups",
    "W4": "one group",
    "W5": "100 customers, every field",
    "W7": "W1, every text new",
    "W8": "a membership edit of 10,000",
}
"""Those whose processor time is compared; W6 has one client, who waits for the network."""

Results = Mapping[str, Any]

_LEFT, _RIGHT, _TOP, _ROW = 330, 46, 92, 34
_WIDTH = 960
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


def record_of(run: Results) -> Results:
    """What stays on record of a run, which is what build/bench.json holds."""
    cpu: dict[str, dict[str, float]] = {}
    for found in run["measured"]:
        if found["workload"] in WORKLOADS and found["peer"] in PEERS:
            cpu.setdefault(found["workload"], {})[found["peer"]] = float(f"{found['cpu_ms']:.3g}")
    return {
        "date": run["date"][:10],
        "commit": run["peers"]["ours"].partition(",")[0],
        "machine": run["machine"],
        "rounds": run["options"]["rounds"],
        "cpu_ms": cpu,
        "memory_mb": {
            peer: round(readings[-1])
            for peer, readings in run["memory_mb"].items()
            if peer in PEERS
        },
    }


def table(results: Results) -> str:
    """The figures as a table in Markdown; the best GraphQL server of each row is in bold."""
    lines = [
        f"Milliseconds of processor time for one query, medians of {results['rounds']} rounds, "
        f"measured on {results['date']}",
        f"on commit {results['commit']}: {results['machine']}.",
        "",
        "| | " + " | ".join(title for title, _ in PEERS.values()) + " |",
        "|---" * (len(PEERS) + 1) + "|",
    ]
    rows = {
        f"{name}: {title}": results["cpu_ms"][name]
        for name, title in WORKLOADS.items()
        if name in results["cpu_ms"]
    }
    for title, row in [*rows.items(), ("memory after load, MB", results["memory_mb"])]:
        best = min((peer for peer in row if peer != "bare"), key=row.__getitem__)
        shown = {peer: f"{value:.3g}" for peer, value in row.items()}
        shown[best] = f"**{shown[best]}**"
        lines.append(f"| {title} | " + " | ".join(shown.get(peer, "") for peer in PEERS) + " |")
    return "\n".join(lines) + "\n"


def draw(results: Results) -> str:
    """The CPU milliseconds of each query as SVG: a row for each workload, a dot for each peer."""
    return "\n".join(_elements(results)) + "\n"


def _elements(results: Results) -> Iterator[str]:
    rows = {name: results["cpu_ms"][name] for name in WORKLOADS if name in results["cpu_ms"]}
    values = [value for row in rows.values() for value in row.values()]
    low = math.floor(math.log10(min(values)))
    high = max(low + 1, math.ceil(math.log10(max(values))))
    bottom = _TOP + _ROW * len(rows)

    def x(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    heading = (
        f"Processor time of one query, in milliseconds (logarithmic; further left is better). "
        f"{results['date']}, commit {results['commit']}"
    )
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 40}" '
        'font-family="sans-serif" font-size="13" fill="#222" role="img">'
    )
    yield f"<title>{escape(heading)}</title>"
    yield f'<rect width="{_WIDTH}" height="{bottom + 40}" fill="#fff"/>'
    yield f'<text x="20" y="26" font-size="14" font-weight="bold">{escape(heading)}</text>'
    at = 20
    for title, colour in PEERS.values():
        yield f'<circle cx="{at + 6}" cy="52" r="6" fill="{colour}"/>'
        yield f'<text x="{at + 17}" y="56">{escape(title)}</text>'
        at += 36 + 7 * len(title)
    for power in range(low, high + 1):
        place = x(10**power)
        yield f'<path d="M{place} {_TOP - 12}V{bottom}" stroke="#ddd"/>'
        yield f'<text x="{place}" y="{bottom + 20}" text-anchor="middle">{10**power:g} ms</text>'
    for number, (name, row) in enumerate(rows.items()):
        y = _TOP + _ROW * number + _ROW // 2
        label = escape(f"{name}: {WORKLOADS[name]}")
        yield f'<text x="{_LEFT - 14}" y="{y + 4}" text-anchor="end">{label}</text>'
        yield f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="#eee"/>'
        # The gateway last, so that no other dot hides it.
        for peer in reversed(PEERS):
            if peer in row:
                title, colour = PEERS[peer]
                size = 8 if peer == "ours" else 6
                yield (
                    f'<circle cx="{x(row[peer])}" cy="{y}" r="{size}" fill="{colour}" '
                    f'fill-opacity="0.85"><title>{escape(title)}: {row[peer]:.3g} ms</title>'
                    "</circle>"
                )
    yield "</svg>"


def main(arguments: list[str]) -> None:
    if arguments:
        run = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        RECORD.write_text(json.dumps(record_of(run), indent=1) + "\n", encoding="utf-8")
    results = json.loads(RECORD.read_text(encoding="utf-8"))
    CHART.write_text(draw(results), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_TABLE.sub(lambda _: table(results), page), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
