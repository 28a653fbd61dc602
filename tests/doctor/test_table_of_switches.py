"""docs/upstreams.md says of each switch of the simulators how the doctor finds it out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from gateway.simulator.commercetools.switches import Switches as CommercetoolsSwitches
from gateway.simulator.flow_retail.switches import Switches as FlowRetailSwitches
from tests.doctor import test_commercetools, test_flow_retail
from tests.doctor.writing import test_switches

DOCS = Path(__file__).parents[2] / "docs" / "upstreams.md"
BY_READING = {
    "Flow Retail": test_flow_retail.EXPECTED.keys(),
    "commercetools": {name for name, _ in test_commercetools.FOUND} | {"latency"},
}
"""The switches whose positions the tests of reading find out."""
BY_CHANGES = {
    "Flow Retail": {name for case in test_switches.FLOW_RETAIL for name in case[0]},
    "commercetools": {name for case in test_switches.COMMERCETOOLS for name in case[0]},
}
"""And those that the tests of `--write` do."""


def table(title: str) -> dict[str, str]:
    """Each switch with how it is found out, as the docs say."""
    section = DOCS.read_text().partition(f"\n### {title}'")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", section, re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a switch has two rows"
    return {name: by.strip("`") for name, by in rows}


@pytest.mark.parametrize(
    ("title", "switches"),
    [("Flow Retail", FlowRetailSwitches), ("commercetools", CommercetoolsSwitches)],
)
def test_each_switch_has_a_row(title, switches):
    """And what is said to be found out is tried by tests, position by position."""
    rows = table(title)

    assert rows.keys() == {each.name for each in fields(switches)}
    assert set(rows.values()) <= {"reading", "--write", "--customer", "never"}
    assert {name for name, by in rows.items() if by == "reading"} == BY_READING[title]
    assert {name for name, by in rows.items() if by.startswith("--")} <= BY_CHANGES[title]
    assert {name for name, by in rows.items() if by == "never"} <= test_switches.NEVER
