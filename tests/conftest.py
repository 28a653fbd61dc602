"""The fixtures of all tests: `flow`, a simulated Flow Retail, and `gateway`, in front of it; beside
it `commercetools`, and `wide`, a gateway in front of both.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as settings_of_hypothesis

if TYPE_CHECKING:
    # The process that hands tests to the workers reads this module before they start, and needs no
    # gateway: fixtures import it.
    from tests.harness import Flow, Gateway
    from tests.two_backends import Commercetools

# The same examples every time: a run fails for what was changed, and not by chance.
settings_of_hypothesis.register_profile("fixed", derandomize=True, deadline=None)
settings_of_hypothesis.register_profile("random", deadline=None)
settings_of_hypothesis.load_profile("fixed")

ON_BOTH_LOOPS = {
    "test_transport",
    "test_connection",
    "test_connection_limits",
    "test_connections",
    "test_dns",
    "test_proxies",
    "test_tls",
    "test_time_limits",
}
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """asyncio's own event loop; for what depends on it, the one that serves as well."""
    loops: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in ON_BOTH_LOOPS and sys.platform != "win32":
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Nearly all that is made while tests are collected stays: there is no garbage to look for.
    As `serve` does: what is there then stays, so no collection needs to go through it.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
        gc.set_threshold(5_000, 10, 10)


@pytest.fixture
async def flow() -> AsyncIterator[Flow]:
    from tests.harness import Flow, running_flow

    async with running_flow(Flow()) as running:
        yield running


@pytest.fixture
async def gateway(flow: Flow) -> AsyncIterator[Gateway]:
    from tests.harness import running_gateway, settings

    async with running_gateway(settings(flow.url)) as running:
        yield running


@pytest.fixture
async def commercetools() -> AsyncIterator[Commercetools]:
    from tests.two_backends import running_commercetools

    async with running_commercetools() as running:
        yield running


@pytest.fixture
async def wide(flow: Flow, commercetools: Commercetools) -> AsyncIterator[Gateway]:
    """The gateway over both systems."""
    from tests.harness import running_gateway
    from tests.two_backends import both

    async with running_gateway(both(flow.url, commercetools.url)) as running:
        yield running


Capability = Callable[[str, str, str], None]


@pytest.fixture
def capability(record_property: Callable[[str, object], None]) -> Capability:
    """Notes what a backend's capability came to, for the table at the end of the test run."""

    def note(name: str, backend: str, outcome: str) -> None:
        record_property("Capabilities", (name, backend, outcome))

    return note


Stalled = Callable[[str, str, float], None]


@pytest.fixture
def stalled(record_property: Callable[[str, object], None]) -> Stalled:
    """Notes for how many seconds the event loop stood still, for the same table."""

    def note(name: str, profile: str, seconds: float) -> None:
        record_property("Stalls", (name, profile, f"{seconds * 1000:.1f}"))

    return note


HEADINGS = {
    "REST calls": "REST calls (of Flow Retail, by how its documents can be read)",
    "Capabilities": "Capabilities",
    "Compared": "Operations that were run by generated functions and by graphql-core",
    "Proved": "Documents, and how many were proved valid in one pass",
    "Stalls": "Longest stall of the event loop, ms",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What operations cost and what backends can do, as the tests found it."""
    for title in HEADINGS:
        table: dict[str, dict[str, object]] = {}
        for report in terminalreporter.getreports("passed"):
            for name, value in report.user_properties:
                if name == title:
                    row, column, figure = value
                    table.setdefault(row, {})[column] = figure
        if table:
            terminalreporter.section(HEADINGS[title])
            for line in _lines(table):
                terminalreporter.write_line(line)


def _lines(table: dict[str, dict[str, object]]) -> Iterator[str]:
    columns = list(dict.fromkeys(name for row in table.values() for name in row))
    figures = {name: [str(row.get(name, "")) for row in table.values()] for name in columns}
    widths = {name: max(len(name), *map(len, figures[name])) for name in columns}
    margin = max(map(len, table)) + 2
    yield "".ljust(margin) + "  ".join(name.rjust(widths[name]) for name in columns)
    for name, row in sorted(table.items()):
        cells = (str(row.get(column, "")).rjust(widths[column]) for column in columns)
        yield name.ljust(margin) + "  ".join(cells)
