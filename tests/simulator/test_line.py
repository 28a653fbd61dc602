"""Faults over a real socket, where a connection can be closed."""

import asyncio
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from gateway import serving
from gateway.simulator.faults import Answer, Close, Drip, Faults, LoseAnswer, Stall, Truncate
from gateway.simulator.flow_retail.app import create_app


@pytest.fixture(params=["h11", "httptools", "ours"])
async def line(store, faults: Faults, request) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the simulator under uvicorn, or under our own server, as a process has it."""
    store.add_group("shop", "gold", "Gold")
    app = create_app(store, faults=faults)
    listener = serving.listen("127.0.0.1", 0, remedy="")
    if request.param == "ours":
        server: uvicorn.Server = serving.server(app)
    else:
        server = uvicorn.Server(uvicorn.Config(app, http=request.param, log_config=None))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    async with httpx.AsyncClient(
        base_url=f"{serving.address(listener)}/v2/tenants/shop/",
        headers={"Authorization": "Bearer all"},
    ) as client:
        yield client
    server.should_exit = True
    await running


@pytest.mark.slow
async def test_a_connection_closes_without_a_byte(line, faults, caplog):
    """And uvicorn, which did not close it, has nothing to complain of."""
    faults.add(Close())
    faults.add(LoseAnswer())
    with caplog.at_level(logging.WARNING), pytest.raises(httpx.RemoteProtocolError):
        await line.get("customer-groups/gold")
    with caplog.at_level(logging.WARNING), pytest.raises(httpx.RemoteProtocolError):
        await line.delete("customer-groups/gold")

    assert (await line.get("customer-groups/gold")).status_code == 404
    assert caplog.messages == []


@pytest.mark.slow
async def test_a_body_stops_short_of_its_promised_length(line, faults, caplog):
    """The headers and the first bytes arrive."""
    faults.add(Truncate(7))
    async with line.stream("GET", "customer-groups/gold") as answer:
        assert answer.status_code == 200
        chunks = answer.aiter_raw()
        assert len(await anext(chunks)) == 7
        with caplog.at_level(logging.WARNING), pytest.raises(httpx.RemoteProtocolError):
            await anext(chunks)

    assert caplog.messages == []


@pytest.mark.slow
async def test_a_body_drips(line, faults):
    """In as many pieces as it has bytes, or nearly."""
    faults.add(Drip(0.0005))
    async with line.stream("GET", "customer-groups/gold") as answer:
        chunks = [chunk async for chunk in answer.aiter_raw()]

    assert len(chunks) > 20
    assert len(b"".join(chunks)) == int(answer.headers["content-length"])


@pytest.mark.slow
async def test_a_body_is_promised_and_does_not_come(line, faults):
    """Until the client leaves; the next request is answered."""
    faults.add(Stall(403))
    async with line.stream("GET", "customer-groups/gold") as answer:
        assert (answer.status_code, answer.headers["content-length"]) == (403, "20")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(answer.aiter_raw()), 0.05)

    assert (await line.get("customer-groups/gold")).status_code == 200


@pytest.mark.slow
async def test_an_answer_leaves_the_connection_usable(line, faults):
    """Although the app did not read the request's body."""
    faults.add(Answer(503, b"{}"))
    first = await line.post("customer-groups", json={"name": "x" * 100_000})
    second = await line.get("customer-groups/gold")

    assert (first.status_code, second.status_code) == (503, 200)
