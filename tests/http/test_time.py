"""One deadline an operation: what is done by then is answered, the rest is null and says why."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.app import create_app
from gateway.simulator.faults import Delay
from tests.harness import TOKEN, Flow, Gateway, codes, paths, running_gateway, schema, settings
from tests.http.test_disconnects import until

TWO = '{ fast: customerGroup(by: {uid: "gold"}) { name } slow: customerGroups { totalCount } }'


@pytest.mark.slow
async def test_what_is_done_is_answered_when_the_time_is_over(gateway: Gateway, flow: Flow):
    """At about the time that the client asked for, not when the upstream comes round."""
    flow.add_group("gold")
    flow.fail(Delay(100), method="GET", path="/customer-groups$")
    began = time.monotonic()

    body = await gateway.ask(TWO, headers={"X-Request-Timeout": "0.5"})

    assert time.monotonic() - began < 60
    assert body["data"] == {"fast": {"name": "Gold"}, "slow": {"totalCount": None}}
    assert codes(body) == ["DEADLINE_EXCEEDED"]
    assert paths(body) == [["slow", "totalCount"]]


async def test_what_the_server_cuts_off_is_told_so(flow: Flow):
    """Ours cuts nothing off that ends by itself; another one may."""
    flow.switches.latency = 60
    app = create_app(settings(flow.url), make_schema=schema)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        body = {"query": "{ customerGroups { nodes { uid } } }"}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        asked = asyncio.create_task(client.post("/graphql", json=body, headers=headers))
        await until(lambda: len(flow.calls) == 1)
        asked.cancel()
        answer = await asked

    assert (answer.status_code, codes(answer.json())) == (503, ["DEADLINE_EXCEEDED"])
    assert answer.headers["Connection"] == "close"


async def test_a_client_can_not_ask_for_more_than_the_setting(flow: Flow):
    """Its deadline is a wish; the gateway's is the rule."""
    flow.switches.latency = 100
    async with running_gateway(settings(flow.url, deadline=0.3)) as gateway:
        began = time.monotonic()
        body = await gateway.ask(
            "{ customerGroups { totalCount } }", headers={"X-Request-Timeout": "60"}
        )

    assert time.monotonic() - began < 60
    assert codes(body) == ["DEADLINE_EXCEEDED"]


@pytest.mark.slow
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("dribbles", [False, True])
async def test_a_body_that_does_not_come_is_not_waited_for(flow: Flow, framing, dribbles):
    """Nor one that comes a byte at a time: the time of a request begins with its headers."""
    async with running_gateway(settings(flow.url, deadline=0.3)) as gateway:
        parts = urlsplit(gateway.url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(
            b"POST /graphql HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            + framing.encode()
            + b"\r\n\r\n"
        )

        async def dribble() -> None:
            while dribbles:
                writer.write(b"1\r\n \r\n" if "chunked" in framing else b" ")
                await asyncio.sleep(0.05)

        dribbling = asyncio.create_task(dribble())
        began = time.monotonic()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        taken = time.monotonic() - began
        dribbling.cancel()
        body = b""
        with suppress(ConnectionResetError):  # of what was sent and is not read
            body = await reader.read()
        writer.close()

    assert head.startswith("http/1.1 408 ")
    assert "connection: close" in head
    assert 0.2 < taken < 60
    if not dribbles:
        assert codes(json.loads(body)) == ["BAD_REQUEST"]


@pytest.mark.slow
@pytest.mark.parametrize("given", ["", "0", "-1", "soon", "1s", "1e3", "nan", "inf", "0.0"])
async def test_a_time_that_is_none_is_refused(gateway: Gateway, flow: Flow, given):
    """A client that meant 2 seconds must not get 10."""
    response = await gateway.post("{ __typename }", headers={"X-Request-Timeout": given})

    assert response.status_code == 400
    assert codes(response.json()) == ["BAD_REQUEST"]
    assert "X-Request-Timeout" in response.json()["errors"][0]["message"]


@pytest.mark.slow
async def test_later_levels_get_what_is_left(gateway: Gateway, flow: Flow):
    """Two calls of 0.4 seconds one after the other do not fit into 0.6."""
    flow.add_group("gold")
    flow.switches.latency = 0.4
    began = time.monotonic()

    body = await gateway.ask(
        "{ customerGroups { nodes { uid customers { totalCount } } } }",
        headers={"X-Request-Timeout": "0.6"},
    )

    assert time.monotonic() - began < 60
    [node] = body["data"]["customerGroups"]["nodes"]
    assert node == {"uid": "gold", "customers": {"totalCount": None}}
    assert codes(body) == ["DEADLINE_EXCEEDED"]
