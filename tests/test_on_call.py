"""The questions of docs/operations.md that an on-call person asks: each situation is met, and the
page's query, in Prometheus, and its line of the log answer.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.applications import Starlette

from chaos.prometheus import EVERY, prometheus
from gateway import serving
from gateway.errors import GatewayError
from gateway.rest import BreakerChanged
from gateway.settings import Settings, UpstreamSettings
from gateway.simulator.faults import Answer, Close
from gateway.telemetry import OperationDone
from gateway.telemetry.log_lines import log_event
from gateway.telemetry.log_output import Line
from tests.harness import TENANT, Flow, Measured, running_measured
from tests.two_backends import Commercetools, both

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
CLIENT = {"graphql-client-name": "web", "graphql-client-version": "1.2"}
GROUP = 'query Gold { customerGroup(by: {uid: "gold"}) { name } }'


class Row(NamedTuple):
    question: str
    queries: list[str]
    lines: list[list[str]]
    """Each the name of a line, and the fields that answer."""


def part(heading: str) -> str:
    """What the page has below a heading, up to the next one."""
    return PAGE.read_text(encoding="utf-8").partition(f"\n{heading}\n")[2].partition("\n#")[0]


def rows() -> Iterator[Row]:
    """Those of the page's table."""
    found = re.findall(r"^\| ([^|]+\?) \|(.*)\|(.*)\|$", part("### 22 questions"), re.MULTILINE)
    for question, queries, lines in found:
        named = [re.findall("`(.+?)`", each) for each in lines.split(",") if each.strip()]
        yield Row(question, re.findall("`(.+?)`", queries), named)


@dataclass
class Night:
    """A gateway over both systems, of which one REST call at a time is made to Flow Retail."""

    gateway: Measured
    flow: Flow
    commercetools: Commercetools

    async def ask(self, query: str = GROUP, *, tenant: str = TENANT, **headers: str) -> None:
        await self.gateway.post(query, headers={"X-Tenant": tenant, **CLIENT, **headers})


# -- what happens in such a night


async def nothing(_: Night) -> None: ...


async def a_query(night: Night) -> None:
    await night.ask()


async def a_refusal(night: Night) -> None:
    night.flow.fail(Answer(403))
    await night.ask()


async def a_lost_connection(night: Night) -> None:
    await asyncio.sleep(1)  # each cause has a line a second
    night.flow.fail(Close(), times=2)
    await night.ask()


async def a_slow_backend(night: Night) -> None:
    night.flow.switches.latency = 2 * EVERY
    await asyncio.gather(*(night.ask() for _ in range(3)))
    night.flow.switches.latency = 0


async def a_busy_process(_: Night) -> None:
    time.sleep(EVERY)  # noqa: ASYNC251  # that is what is wrong


async def a_repeat(night: Night) -> None:
    night.flow.fail(Answer(503))
    await night.ask()


async def a_query_that_is_too_dear(night: Night) -> None:
    await night.ask("{ customerGroups(first: 100) { nodes { customers { totalCount } } } }")


async def a_query_and_a_request_that_are_too_large(night: Night) -> None:
    await night.ask(f"{{ {'tenant { ' * 30}uid{' }' * 30} }}")
    await night.ask(**{"X-Large": "x" * 40_000})


async def a_change(night: Night) -> None:
    await night.ask('mutation { createCustomerGroup(input: {name: "A"}) { __typename } }')


async def a_roll_out(night: Night) -> None:
    """A client leaves, and a process is stopped."""
    night.flow.switches.latency = 60
    seen = len(night.gateway.events)
    leaving = asyncio.create_task(night.ask())
    await asyncio.sleep(0.1)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    while not any(isinstance(each, OperationDone) for each in night.gateway.events[seen:]):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    night.flow.switches.latency = 0
    with serving.listen("127.0.0.1", 0, remedy="") as listener:
        server = serving.server(Starlette(), Settings(drain=0.1), observe=log_event)
        server.should_exit = True
        await server.serve(sockets=[listener])


async def a_limit_of_the_backend(night: Night) -> None:
    night.commercetools.fail(Answer(429, headers={"Retry-After": "1"}))
    await night.ask("{ customerGroups { nodes { uid } } }", tenant="wien")


async def an_outage(night: Night) -> None:
    """For one tenant, until it is held back."""
    night.flow.fail(Answer(500), path="/other/", times=None)
    seen = len(night.gateway.events)
    while not any(isinstance(event, BreakerChanged) for event in night.gateway.events[seen:]):
        await night.ask(tenant="other")
    await asyncio.sleep(2 * EVERY)
    night.flow.faults.clear()


Situation = Callable[[Night], Awaitable[None]]
SITUATIONS: Mapping[str, Situation] = {
    "Does it serve?": nothing,
    "How many operations?": a_query,
    "Which errors?": a_refusal,
    "How long do 99 of 100 take?": a_query,
    "Which operation is it?": a_refusal,
    "Which tenant?": a_refusal,
    "Which backend?": a_lost_connection,
    "Which client, which caller?": a_query,
    "Why do REST calls fail?": a_lost_connection,
    "Us or them?": a_slow_backend,
    "Do REST calls wait for a place?": a_slow_backend,
    "Is the event loop late?": a_busy_process,
    "Are REST calls sent again?": a_repeat,
    "Is the budget of REST calls enough?": a_query_that_is_too_dear,
    "Which limits are met?": a_query_and_a_request_that_are_too_large,
    "Who changed what?": a_change,
    "What became of one request?": a_query,
    "Do the caches work?": a_query,
    "Which version and settings run?": nothing,
    "Did the roll-out lose anything?": a_roll_out,
    "Does the backend limit us?": a_limit_of_the_backend,
    "Is a tenant held back?": an_outage,
}


def test_the_page_has_each_of_the_22_questions():
    """And each has an answer."""
    found = list(rows())

    assert [row.question for row in found] == list(SITUATIONS)
    assert len(found) == 22
    assert [row.question for row in found if not row.queries + row.lines] == []


def test_the_runbook_and_the_sizing_name_what_there_is():
    """Alerts, codes of errors, settings, lines of the log and their fields."""
    alerts = (PAGE.parents[1] / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    failures = [GatewayError]
    for failure in failures:
        failures.extend(failure.__subclasses__())
    settings = {field.name for kind in (Settings, UpstreamSettings) for field in fields(kind)}
    known = {
        *re.findall(r"alert: (\w+)", alerts),
        *(failure.code for failure in failures),
        *settings,
        *re.findall(r"`(\w+)`", part("## Log")),
    }
    text = part("### Ten nights") + part("## Sizing")
    named = set(re.findall(r"`([A-Za-z]*[A-Z_]\w*)`", text)) - {"retryAfter"}

    assert len(re.findall(r"^\*\*\d+\. ", text, re.MULTILINE)) == 10
    assert len(named) > 30
    assert sorted(named - known) == []


@asynccontextmanager
async def night(flow: Flow, commercetools: Commercetools) -> AsyncIterator[Night]:
    flow.add_group("gold")
    chosen = both(flow.url, commercetools.url, flow_retail={"concurrency": 1})
    async with running_measured(chosen) as gateway:
        yield Night(gateway, flow, commercetools)


@pytest.mark.slow
async def test_the_log_has_the_lines_that_answer(flow: Flow, commercetools: Commercetools, caplog):
    """After each situation, a line with all of the fields that the page names."""
    unanswered = []
    async with night(flow, commercetools) as it:
        with caplog.at_level(logging.DEBUG, logger="gateway"):
            for row in rows():
                caplog.clear()
                await SITUATIONS[row.question](it)
                lines = [each.msg for each in caplog.records if isinstance(each.msg, Line)]
                for event, *fields in row.lines:
                    if not any(
                        line.event == event and line.fields.keys() >= set(fields) for line in lines
                    ):
                        unanswered.append((row.question, event, fields))

    assert unanswered == []


@pytest.mark.slow
async def test_prometheus_answers_what_it_can(flow: Flow, commercetools: Commercetools, tmp_path):
    """Each query has a value above 0 once its situation was met."""
    async with (
        night(flow, commercetools) as it,
        prometheus(tmp_path, [it.gateway.management]) as asked,
    ):
        for _ in range(2):  # rates are of what grows
            for situation in dict.fromkeys(SITUATIONS.values()):
                await situation(it)
            await asked.scrapes()
        unanswered = [(row.question, query) for row in rows() for query in row.queries]
        with suppress(TimeoutError):
            async with asyncio.timeout(30):  # of a scrape that fails, gauges have no value
                while unanswered:
                    if any(value > 0 for value in await asked.ask(unanswered[0][1])):
                        del unanswered[0]
                    else:
                        await asyncio.sleep(EVERY)

    assert unanswered == []
