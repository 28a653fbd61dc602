"""The fixtures of all tests: `flow`, a simulated Flow Retail, and `gateway`, in front of it."""

from collections.abc import AsyncIterator

import pytest

from tests.harness import Flow, Gateway, running_flow, running_gateway, settings


@pytest.fixture
async def flow() -> AsyncIterator[Flow]:
    async with running_flow(Flow()) as running:
        yield running


@pytest.fixture
async def gateway(flow: Flow) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(flow.url)) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What operations cost, as test_rest_calls.py counted it."""
    counted: dict[str, dict[str, set[int]]] = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "REST calls":
                operation, reading, calls = value
                counted.setdefault(operation, {}).setdefault(reading, set()).add(calls)
    if not counted:
        return
    readings = list(dict.fromkeys(name for by_reading in counted.values() for name in by_reading))
    width = max(map(len, counted)) + 2
    terminalreporter.section("REST calls per operation")
    terminalreporter.write_line("".ljust(width) + "  ".join(readings))
    for operation, by_reading in sorted(counted.items()):
        figures = (
            str(max(by_reading[name]) if name in by_reading else "").rjust(len(name))
            for name in readings
        )
        terminalreporter.write_line(operation.ljust(width) + "  ".join(figures))
