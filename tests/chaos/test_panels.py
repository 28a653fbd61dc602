"""The picture of Grafana's dashboard, drawn from given answers of Prometheus."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import pytest

from chaos.dashboard import DASHBOARD, expressions
from chaos.panels import Found, Times, draw

TIMES = Times(start=1_000_000_000, end=1_000_000_240, step=60)
LABELS = {"version": "0.1.0", "profile": "a < b & c", "outcome": "failed", "instance": "one"}


def series(*values: str) -> Mapping[str, Any]:
    return {"metric": LABELS, "values": list(zip(TIMES, values, strict=False))}


def drawn(found: Found) -> str:
    """Parsed, so that it is well-formed; all of its texts, one a line."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    root = ET.fromstring(draw(dashboard, found, TIMES))  # noqa: S314  # what is parsed is ours
    return "\n".join(root.itertext())


def targets() -> list[tuple[int, str]]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return list(expressions(dashboard, rate_interval="1m"))


@pytest.mark.parametrize("values", [(), ("NaN",), ("0",) * 5, ("NaN", "1", "NaN", "2e9", "0.0003")])
def test_every_panel_is_drawn(values) -> None:
    """With its title, whether its series have values, only some, or none at all."""
    lines = drawn({target: [series(*values)] for target in targets()} if values else {})

    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert [p["title"] for p in dashboard["panels"] if p["title"] not in lines.splitlines()] == []


def test_a_stat_shows_its_last_number_in_its_unit() -> None:
    """The one with `textMode` name shows labels; panel 6 is of seconds, panel 5 of parts."""
    found = {(3, "A"): [series("1")], (5, "A"): [series("0.5", "0.0123", "NaN")]}

    lines = drawn({**found, (6, "A"): [series("9", "0.0451")]}).splitlines()

    assert "0.1.0 (a < b & c)" in lines
    assert "1.2%" in lines
    assert "45.1 ms" in lines


def test_a_legend_says_how_many_series_are_left_out() -> None:
    """Eight are shown, those with the largest values."""
    lines = drawn({(9, "A"): [series(str(number)) for number in range(12)]})

    assert lines.count("failed\n") == 8
    assert "and 4 more" in lines
