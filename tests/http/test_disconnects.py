"""A client that leaves: its reads end, and no one else's; a change that was begun goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from urllib.parse import urlsplit

from gateway.telemetry import OperationDone, UpstreamCall
from tests.harness import TOKEN, Flow, Gateway

LIST = "{ customerGroups { nodes { uid } } }"
CREATE = 'mutation { createCustomerGroup(input: {name: "Gold"}) { customerGroup { uid } } }'


async def ask_and_leave(gateway: Gateway, query: str, *, once: Callable[[], bool]) -> None:
    """Send an operation over a socket of its own, and close it when `once` holds."""
    parts = urlsplit(gateway.url)
    body = json.dumps({"query": query}).encode()
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        + f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await until(once)
    writer.close()
    await writer.wait_closed()


async def until(holds: Callable[[], bool], *, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # what it waits for is behind a socket
            await asyncio.sleep(0.01)


def rest(gateway: Gateway) -> list[int | None]:
    """The statuses of the REST calls that have ended; None for one that got no answer."""
    return [event.status for event in gateway.events if isinstance(event, UpstreamCall)]


async def test_a_query_whose_client_left_ends_its_rest_calls(gateway: Gateway, flow: Flow):
    """Within a second; the upstream, which takes three, is not waited for."""
    flow.switches.latency = 3

    await ask_and_leave(gateway, LIST, once=lambda: len(flow.calls) == 1)

    await until(lambda: rest(gateway) == [None], seconds=1)
    (done,) = [event for event in gateway.events if isinstance(event, OperationDone)]
    assert (done.rest_calls, tuple(done.error_codes)) == (1, ("CLIENT_GONE",))


async def test_a_query_beside_it_is_answered(gateway: Gateway, flow: Flow):
    """One client's leaving is nothing to another that asks for the same."""
    flow.add_group("gold")
    flow.switches.latency = 0.5

    staying = asyncio.ensure_future(gateway.query(LIST))
    await ask_and_leave(gateway, LIST, once=lambda: len(flow.calls) == 2)

    assert await staying == {"customerGroups": {"nodes": [{"uid": "gold"}]}}
    assert sorted(rest(gateway), key=str) == [200, None]


async def test_a_change_that_was_sent_is_never_cancelled(gateway: Gateway, flow: Flow):
    """Its answer is read to the end, though nobody is there to hear of it."""
    flow.switches.latency = 0.3

    await ask_and_leave(gateway, CREATE, once=lambda: len(flow.calls) == 1)

    await until(lambda: rest(gateway) == [201])
    await until(lambda: isinstance(gateway.events[-1], OperationDone))
    assert flow.store.count_groups("shop") == 1
