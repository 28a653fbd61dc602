"""What is sent again: seldom, and never so often that it is a load of its own."""

from __future__ import annotations

import asyncio
import random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.rest import HttpTransport, Upstream
from gateway.rest._incidents import RetryBudget
from gateway.settings import UpstreamSettings
from tests.rest.test_upstream import Says, Script, caller, get, upstream
from tests.rest.wire import head, running


@pytest.mark.slow
@given(failing=st.lists(st.booleans(), min_size=100, max_size=1000))
def test_repeats_never_add_a_tenth(failing):
    """However failures are spread over the calls: 1.1 times the first attempts, from 100 on."""
    budget = RetryBudget()
    sent = 0

    for fails in failing:
        budget.add()
        sent += 1 + (fails and budget.take())

    assert sent < 1.1 * len(failing)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 1.0], ids=["brown-out", "outage"])
async def test_a_brown_out_is_not_multiplied(share):
    """Of 200 reads so many fail by 503; the upstream gets less than 1.1 times as many."""
    made, script = upstream(Says())
    dice = random.Random(7)  # noqa: S311  # no secret

    class Failing(Script):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.turns = [Says(503 if dice.random() < share else 200)]
            return await super().handle_async_request(request)

    made._transport = script = Failing([])
    connection = made.connect(caller())
    failures = 0

    for _ in range(200):
        try:
            await get(connection)
        except GatewayError:
            failures += 1

    assert failures >= 70
    assert len(script.requests) < 220


async def test_a_read_is_repeated_over_a_new_connection():
    """The server resets every connection at its second request: the other one that was kept would
    have gone the same way.
    """
    connections = 0

    async def talk(reader, writer):
        nonlocal connections
        connections += 1
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await head(reader)

    transport = HttpTransport(connections=4)
    async with running(talk) as server:
        made = Upstream(
            "flow_retail", UpstreamSettings(url=server.url), transport, lambda _event: None
        )
        connection = made.connect(caller())
        await asyncio.gather(get(connection), get(connection))
        kept = connections

        answer = await get(connection)
        await transport.aclose()

    assert kept == 2
    assert answer.body == b"{}"
    assert connections == 3
