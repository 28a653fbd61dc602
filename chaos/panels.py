"""Draws a Grafana dashboard as SVG, from its JSON and what Prometheus answers to its queries.

It knows rows and the panels `stat` and `timeseries`, with what deploy/grafana/dashboard.json says
of them. Grafana may draw the same otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

WIDTH: Final = 1_000
MOST: Final = 8
"""Series of a panel; its legend says how many more there are."""
COLOURS: Final = (
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#e15759",
    "#b07aa1",
    "#76b7b2",
    "#9c755f",
    "#d4a600",
    "#ff9da7",
    "#79706e",
)
THRESHOLDS: Final = {"green": "#2e8540", "orange": "#d9730d", "red": "#d22d3d", "text": "#24292e"}
UNITS: Final[Mapping[str, Sequence[tuple[float, str]]]] = {
    "short": ((1, ""), (1e3, " K"), (1e6, " Mil")),
    "ops": ((1, " ops/s"), (1e3, "K ops/s")),
    "percentunit": ((0.01, "%"),),
    "s": ((1e-6, " µs"), (1e-3, " ms"), (1, " s"), (60, " min"), (3600, " hours")),
    "bytes": ((1, " B"), (2**10, " KiB"), (2**20, " MiB"), (2**30, " GiB")),
}
"""What numbers are divided by, and followed by."""
_TOP, _ROW, _GAP, _LINE, _LETTER = 44, 30, 8, 13, 5.2
Found = Mapping[tuple[int, str], Sequence[Any]]
"""The series of range queries, by the panel's id and the target's refId."""


@dataclass(frozen=True)
class Times:
    start: int
    end: int
    step: int

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.end + 1, self.step))


@dataclass(frozen=True)
class _Series:
    label: str
    values: Sequence[float | None]
    """One for each of the times."""


def draw(dashboard: Mapping[str, Any], found: Found, times: Times) -> str:
    return "\n".join(_elements(dashboard, found, times)) + "\n"


def _elements(dashboard: Mapping[str, Any], found: Found, times: Times) -> Iterator[str]:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    height = _TOP + _ROW * max(place["y"] + place["h"] for place in places) + _GAP
    title = escape(dashboard["title"])
    first, last = (datetime.fromtimestamp(at, UTC) for at in (times.start, times.end))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="10" fill="#24292e" role="img">'
    )
    yield f"<title>{title}</title>"
    yield f'<rect width="{WIDTH}" height="{height}" fill="#f4f5f5"/>'
    yield f'<text x="10" y="27" font-size="17" font-weight="bold">{title}</text>'
    yield _text(WIDTH - 10, 27, f"{first:%Y-%m-%d, %H:%M:%S} to {last:%H:%M:%S} UTC", "end", 12)
    column = (WIDTH - _GAP) / 24
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        x, y = round(_GAP + place["x"] * column), _TOP + place["y"] * _ROW
        w, h = round(place["w"] * column) - _GAP, place["h"] * _ROW - _GAP
        heading = escape(panel["title"])
        if panel["type"] == "row":
            yield f'<g font-weight="bold">{_text(x + 2, y + 17, panel["title"], size=14)}</g>'
            continue
        yield f'<g transform="translate({x} {y})">'
        yield f'<rect width="{w}" height="{h}" rx="2" fill="#fff" stroke="#d8d9da"/>'
        small = ' font-size="9.5"' if 6.6 * len(panel["title"]) > w else ' font-size="12"'
        yield f'<text x="8" y="17" font-weight="bold"{small}>{heading}</text>'
        series = [
            _Series(_label(target["legendFormat"], one["metric"]), _values(one["values"], times))
            for target in panel["targets"]
            for one in found.get((panel["id"], target["refId"]), ())
        ]
        kinds = {"stat": _stat, "timeseries": _timeseries}
        yield from kinds[panel["type"]](panel, series, w=w, h=h, times=times)
        yield "</g>"
    yield "</svg>"


def _text(x: float, y: float, text: str, anchor: str = "start", size: float = 10) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}">'
        f"{escape(text)}</text>"
    )


def _label(pattern: str, metric: Mapping[str, str]) -> str:
    return re.sub(r"{{\s*(\w+)\s*}}", lambda name: metric.get(name[1], ""), pattern).strip()


def _values(pairs: Sequence[tuple[float, str]], times: Times) -> list[float | None]:
    found = {round(at): float(value) for at, value in pairs}
    values = (found.get(at, math.nan) for at in times)
    return [value if math.isfinite(value) else None for value in values]


def _unit(name: str, most: float) -> tuple[float, str]:
    """The largest of the unit's sizes that `most` has one of."""
    return next((size for size in reversed(UNITS[name]) if size[0] <= most), UNITS[name][0])


def _stat(
    panel: Mapping[str, Any], series: Sequence[_Series], *, w: int, h: int, times: Times
) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    for number, one in enumerate(series):
        value = next((value for value in reversed(one.values) if value is not None), None)
        if value is None:
            continue
        steps = defaults["thresholds"]["steps"]
        colour = [
            step["color"] for step in steps if step["value"] is None or step["value"] <= value
        ]
        size, after = _unit(defaults["unit"], abs(value))
        digits = f".{defaults['decimals']}f" if "decimals" in defaults else ".3g"
        text = f"{value / size:{digits}}{after}"
        if panel["options"].get("textMode") == "name":
            text = one.label
        large = min(30.0, 1.6 * (w - 16) / len(text)) / len(series)
        y = 26 + (h - 26) * (number + 0.5) / len(series) + large / 3
        yield (
            f'<g fill="{THRESHOLDS[colour[-1]]}" font-weight="bold">'
            f"{_text(w / 2, round(y), text, 'middle', round(large, 1))}</g>"
        )


def _timeseries(
    panel: Mapping[str, Any], series: Sequence[_Series], *, w: int, h: int, times: Times
) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    largest = sorted(series, key=lambda one: -sum(filter(None, one.values)))[:MOST]
    shown = [one for one in series if one in largest]
    below: list[Sequence[float]] = []
    lines: list[Sequence[float | None]] = []
    level = [0.0] * len(list(times))
    for one in shown:
        below.append(level)
        if "stacking" in custom:
            level = [base + (value or 0) for base, value in zip(level, one.values, strict=True)]
            lines.append(level)
        else:
            lines.append(one.values)
    numbers = [value for line in lines for value in line if value is not None]
    least = min([defaults.get("min", math.inf), *numbers, 0.0])
    size, after = _unit(defaults["unit"], max([*numbers, 0.0]) or 1)
    step = _step((max([*numbers, 0.0]) / size or 1) / 4)
    ticks = [step * number for number in range(math.floor(least / size / step), 99)]
    top = next(tick for tick in ticks if tick * size >= max([*numbers, 0.0]) and tick > 0)
    ticks = [tick for tick in ticks if tick <= top]

    legend = list(_legend(shown, len(series) - len(shown), w))
    left, right, high = 62, w - 12, 28
    low = h - 24 - _LINE * (1 + max(line for line, *_ in legend)) if legend else h - 24

    def x(at: float) -> float:
        return left + (at - times.start) / (times.end - times.start) * (right - left)

    def y(value: float) -> float:
        share = (value / size - ticks[0]) / (top - ticks[0])
        return low - share * (low - high)

    for tick in ticks:
        yield f'<path d="M{left} {y(tick * size):.1f}H{right}" stroke="#e4e5e6"/>'
        yield _text(left - 5, round(y(tick * size)) + 3, f"{tick:.4g}{after}", "end", 9)
    every = 60 * math.ceil((times.end - times.start) / 60 / 6)
    for at in range(math.ceil(times.start / every) * every, times.end + 1, every):
        yield f'<path d="M{x(at):.1f} {high}V{low}" stroke="#e4e5e6"/>'
        yield _text(round(x(at)), low + 12, f"{datetime.fromtimestamp(at, UTC):%H:%M}", "middle", 9)
    for colour, line, base in zip(COLOURS, lines, below, strict=False):
        points = [
            (f"{x(at):.0f} {y(value):.1f}", f"{x(at):.0f} {y(from_):.1f}")
            if value is not None
            else None
            for at, value, from_ in zip(times, line, base, strict=True)
        ]
        for part in _parts(points):
            over = "L".join(point for point, _ in part)
            under = "L".join(point for _, point in reversed(part))
            yield (
                f'<path d="M{over}L{under}Z" fill="{colour}" '
                f'fill-opacity="{custom["fillOpacity"] / 100:g}"/>'
            )
            yield (
                f'<path d="M{over}h0" fill="none" stroke="{colour}" stroke-linecap="round" '
                f'stroke-width="{custom["lineWidth"] + 0.3:g}"/>'
            )
    for line_number, at_x, colour, label in legend:
        baseline = low + 28 + _LINE * line_number
        if colour:
            yield f'<path d="M{at_x:g} {baseline - 3}h9" stroke="{colour}" stroke-width="3"/>'
        yield _text(at_x + 13, baseline, label, size=9.5)


def _step(at_least: float) -> float:
    """The next one of 1, 2, 5, 10, 20 and so on."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(power * first for first in (1, 2, 5, 10) if power * first >= at_least * 0.999)


def _legend(shown: Sequence[_Series], more: int, w: int) -> Iterator[tuple[int, float, str, str]]:
    """The line, the place, the colour and the text of each entry; as many on a line as fit."""
    entries = [(colour, one.label) for colour, one in zip(COLOURS, shown, strict=False)]
    if more:
        entries.append(("", f"and {more} more"))
    most = int((w - 30) / _LETTER)
    line, x = 0, 8.0
    for colour, label in entries:
        if len(label) > most:
            half = (most - 1) // 2
            label = f"{label[:half]}…{label[-half:]}"
        wide = 22 + _LETTER * len(label) + 1.6 * sum(map(str.isupper, label))
        if x > 8 and x + wide > w:
            line, x = line + 1, 8.0
        yield line, x, colour, label
        x += wide


def _parts(points: Sequence[tuple[str, str] | None]) -> Iterator[list[tuple[str, str]]]:
    """Those without a gap between them."""
    part: list[tuple[str, str]] = []
    for point in [*points, None]:
        if point is not None:
            part.append(point)
        elif part:
            yield part
            part = []
