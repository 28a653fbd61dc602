"""A client that leaves: its reads end, and no one else's; a change that was begun goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from gateway.disconnect import Disconnected, Presence, unless_begun, while_connected
from gateway.rest import UpstreamCall
from gateway.telemetry import OperationDone
from tests.harness import TOKEN, Flow, Gateway

LIST = "{ customerGroups { nodes { uid } } }"
CREATE = 'mutation { createCustomerGroup(input: {name: "Gold"}) { customerGroup { uid } } }'


async def ask_and_leave(
    gateway: Gateway, query: str, *, once: Callable[[], bool], more: int = 0, then: bytes = b""
) -> None:
    """Send an operation over a socket of its own, its body and `more` bytes as a segment of their
    own; close it when `once` holds, and `then` was sent.
    """
    parts = urlsplit(gateway.url)
    body = json.dumps({"query": query}).encode() + b" " * more
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        + f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )
    await asyncio.sleep(0.05)
    writer.write(body)
    await until(once)
    if then:
        writer.write(then)
        await asyncio.sleep(0.05)
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


async def test_who_leaves_within_the_body_was_not_refused(gateway: Gateway):
    """Nobody was answered, and no client has sent anything wrong."""
    parts = urlsplit(gateway.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
        b"Content-Length: 99\r\n\r\n{"
    )
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()

    await until(lambda: bool(gateway.events))
    [done] = [event for event in gateway.events if isinstance(event, OperationDone)]
    assert (done.status, done.outcome) == (None, "client_gone")
    assert tuple(done.error_codes) == ("CLIENT_GONE",)


@pytest.mark.parametrize("more", [70_000, 200_000])
async def test_so_does_one_with_a_large_body(gateway: Gateway, flow: Flow, more: int):
    """While the app has not taken much of a body, nothing more is read of the connection, and so
    not its end: that is over once the body is complete.
    """
    flow.switches.latency = 3

    await ask_and_leave(gateway, LIST, once=lambda: len(flow.calls) == 1, more=more)

    await until(lambda: rest(gateway) == [None], seconds=1)


async def test_so_does_one_behind_which_another_request_waits(gateway: Gateway, flow: Flow):
    """It is read while the first is under way, and so is the end of the connection."""
    flow.switches.latency = 3
    then = b"GET /health HTTP/1.1\r\nHost: gateway\r\n\r\n"

    await ask_and_leave(gateway, LIST, once=lambda: len(flow.calls) == 1, then=then)

    await until(lambda: rest(gateway) == [None], seconds=1)


@pytest.mark.slow
async def test_a_query_beside_it_is_answered(gateway: Gateway, flow: Flow):
    """One client's leaving is nothing to another that asks for the same."""
    flow.add_group("gold")
    flow.switches.latency = 0.5

    staying = asyncio.ensure_future(gateway.query(LIST))
    await ask_and_leave(gateway, LIST, once=lambda: len(flow.calls) == 2)

    assert await staying == {"customerGroups": {"nodes": [{"uid": "gold"}]}}
    assert sorted(rest(gateway), key=str) == [200, None]


@pytest.mark.slow
async def test_a_change_that_was_sent_is_never_cancelled(gateway: Gateway, flow: Flow):
    """Its answer is read to the end, though nobody is there to hear of it."""
    flow.switches.latency = 0.3

    await ask_and_leave(gateway, CREATE, once=lambda: len(flow.calls) == 1)

    await until(lambda: rest(gateway) == [201])
    await until(lambda: isinstance(gateway.events[-1], OperationDone))
    assert flow.store.count_groups("shop") == 1


class Client:
    """The receiving side of a request that was read: it waits until the client leaves."""

    def __init__(self) -> None:
        self._left = asyncio.Event()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> dict[str, object]:
        await self._left.wait()
        return {"type": "http.disconnect"}


class Work:
    """What goes on until it is let go, and tells how it ended."""

    def __init__(self) -> None:
        self.ended = ""
        self._may_end = asyncio.Event()

    def let_go(self) -> None:
        self._may_end.set()

    async def run(self) -> str:
        try:
            await self._may_end.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return "answer"


async def ticks(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_work_whose_client_stays_has_its_result_and_leaves_nothing_behind():
    """No task waits on for a client that is answered."""
    before = asyncio.all_tasks()
    work = Work()
    request = asyncio.ensure_future(while_connected(work.run(), Client().receive))
    await ticks()
    work.let_go()

    assert await request == "answer"
    await ticks()
    assert asyncio.all_tasks() == before


async def test_work_whose_client_left_is_cancelled_at_once():
    """And that is told from the server's cancelling the request."""
    client, work = Client(), Work()
    request = asyncio.ensure_future(while_connected(work.run(), client.receive))
    await ticks()
    client.leave()

    with pytest.raises(Disconnected):
        await request
    assert work.ended == "cancelled"
    assert request.cancelling() == 0


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_server_that_shuts_down_cancels_work_too(leaves):
    """Whether or not the client leaves at the same time: the request stays cancelled."""
    client, work = Client(), Work()
    request = asyncio.ensure_future(while_connected(work.run(), client.receive))
    await ticks()
    request.cancel()
    if leaves:
        client.leave()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert work.ended == "cancelled"


@pytest.mark.parametrize("by", ["client", "server"])
async def test_a_begun_change_is_not_cancelled_by_anybody(by):
    """It goes on to its end, and its answer is there for whoever is."""
    client, work = Client(), Work()
    change = unless_begun(work.run(), lambda: True)
    request = asyncio.ensure_future(while_connected(change, client.receive))
    await ticks()
    if by == "client":
        client.leave()
    else:
        request.cancel()
    await ticks()
    work.let_go()

    assert await request == "answer"
    assert work.ended == "done"


async def test_a_change_that_is_not_begun_is_cancelled():
    """Nothing was sent yet, and nobody is there any more to want it."""
    client, work = Client(), Work()
    change = unless_begun(work.run(), lambda: False)
    request = asyncio.ensure_future(while_connected(change, client.receive))
    await ticks()
    client.leave()

    with pytest.raises(Disconnected):
        await request
    assert work.ended == "cancelled"


async def test_a_failure_of_work_is_raised_as_it_is():
    """With or without a task of its own."""

    async def fail() -> str:
        raise ValueError("no")

    for work in (fail(), unless_begun(fail(), lambda: True)):
        with pytest.raises(ValueError, match="no"):
            await while_connected(work, Client().receive)


class Silent:
    """A server that tells of its client by presence alone."""

    async def receive(self) -> dict[str, object]:
        raise AssertionError("This is not to be asked.")


@pytest.mark.parametrize("ahead", [False, True])
async def test_a_server_that_tells_of_presence_is_not_asked(ahead):
    """The work is cancelled all the same, also where the client left before it began."""
    presence, work = Presence(), Work()
    if ahead:
        presence.end()
    request = asyncio.ensure_future(while_connected(work.run(), Silent().receive, presence))
    await ticks()
    presence.end()

    with pytest.raises(Disconnected):
        await request
    assert work.ended == "cancelled"
    assert request.cancelling() == 0


async def test_a_client_that_leaves_later_cancels_nothing():
    """A connection outlives its requests."""
    presence, work = Presence(), Work()
    request = asyncio.ensure_future(while_connected(work.run(), Silent().receive, presence))
    await ticks()
    work.let_go()
    assert await request == "answer"

    presence.end()
