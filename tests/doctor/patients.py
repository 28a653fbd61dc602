"""APIs to examine, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.doctor import examine
from gateway.doctor.report import Finding, Report
from gateway.simulator.flow_retail.switches import Switches
from tests.harness import TENANT, TOKEN, Flow, running_flow, settings


async def examined(flow: Flow, *, token: str = TOKEN, **more: Any) -> Report:
    """The report on a simulated Flow Retail that runs."""
    chosen = settings(flow.url, doctor_rate=1000, **more)
    return await examine(chosen, TENANT, token)


async def diagnosis(fill: Callable[[Flow], object], *switches: str, **more: Any) -> Report:
    """The report on a simulated Flow Retail with these switches, each as NAME=VALUE; `more` are
    settings.
    """
    async with running_flow(Flow(switches=Switches.parse(switches))) as flow:
        fill(flow)
        return await examined(flow, **more)


def the(report: Report, question: str) -> Finding:
    """Its only finding about a question."""
    [found] = [each for each in report.findings if each.question == question]
    return found
