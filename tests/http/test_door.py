"""What is decided before an operation is looked at: by a request's headers, and by how many there
are.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.telemetry import LimitReached, OperationDone
from tests.harness import TOKEN, Flow, Gateway, codes, running_gateway, settings
from tests.http.test_disconnects import until

LIST = "{ customerGroups { nodes { uid } } }"
AUTHORIZED = ("Authorization", f"Bearer {TOKEN}")


async def send(gateway: Gateway, *headers: tuple[str, str], query: str = LIST) -> httpx.Response:
    return await gateway.client.post(
        f"{gateway.url}/graphql", json={"query": query}, headers=list(headers)
    )


TOKENS: dict[str, Sequence[tuple[str, str]]] = {
    "two": [AUTHORIZED, ("Authorization", "Bearer other")],
    "the same twice": [AUTHORIZED, AUTHORIZED],
    "two in one header": [("Authorization", f"Bearer {TOKEN}, Bearer other")],
    "another scheme beside it": [("Authorization", "Basic YTpi"), AUTHORIZED],
    "none": [],
    "an empty one": [("Authorization", "Bearer")],
    "20 kB": [("Authorization", "Bearer " + "x" * 20_000)],
}


@pytest.mark.parametrize("which", TOKENS)
async def test_there_is_one_bearer_token_or_none(gateway: Gateway, flow: Flow, which):
    """All else is UNAUTHENTICATED, without a REST call; what needs none is answered."""
    query = "{ customerGroups { nodes { uid } } tenant { uid } }"

    body = (await send(gateway, *TOKENS[which], query=query)).json()

    assert codes(body) == ["UNAUTHENTICATED"]
    assert body["data"] == {"customerGroups": None, "tenant": {"uid": "shop"}}
    assert flow.calls == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("X-Tenant", ["shop", "other"]),
        ("X-Tenant", ["x" * 10_000]),
        ("X-Request-Timeout", ["1", "2"]),
        ("X-Request-Timeout", ["9" * 10_000]),
    ],
)
async def test_a_header_that_can_not_be_is_named(gateway: Gateway, flow: Flow, name, values):
    """400, and no REST call."""
    response = await send(gateway, AUTHORIZED, *((name, value) for value in values))

    assert response.status_code == 400
    assert codes(response.json()) == ["BAD_REQUEST"]
    assert f"`{name}`" in response.json()["errors"][0]["message"]
    assert flow.calls == []


@pytest.mark.parametrize("values", [["a", "b"], ["x" * 10_000]])
async def test_a_request_id_that_can_not_be_is_replaced(gateway: Gateway, values):
    """It is for logs alone, and no reason to refuse anything."""
    response = await send(gateway, AUTHORIZED, *(("X-Request-Id", value) for value in values))

    assert response.status_code == 200
    assert len(response.headers["X-Request-Id"]) == 32


@pytest.mark.slow
async def test_requests_that_are_too_many_are_told_when_to_come_again(flow: Flow):
    """At once, with a GraphQL response; those under way are answered, and others after them."""
    flow.switches.latency = 1
    async with running_gateway(settings(flow.url, max_requests=2)) as gateway:
        under_way = [asyncio.create_task(gateway.query(LIST)) for _ in range(2)]
        await until(lambda: len(flow.calls) == 2)
        refused = await send(gateway, AUTHORIZED)
        healthy = await gateway.client.get(f"{gateway.url}/health")
        waiting = [task for task in under_way if not task.done()]
        answered = await asyncio.gather(*under_way)
        later = await send(gateway, AUTHORIZED)

    assert len(waiting) == 2
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["errors"][0]["extensions"] == {"code": "OVERLOADED", "retryAfter": 1}
    assert healthy.json()["status"] == "ok"
    assert answered == [{"customerGroups": {"nodes": []}}] * 2
    assert later.status_code == 200
    limits = [event.limit for event in gateway.events if isinstance(event, LimitReached)]
    assert limits == ["max_requests"]


async def connect(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    at = urlsplit(gateway.url)
    return await asyncio.open_connection(at.hostname, at.port)


def request(query: str, *headers: tuple[str, str]) -> bytes:
    body = json.dumps({"query": query}).encode()
    given = [("Host", "x"), ("Content-Type", "application/json"), *headers]
    lines = [f"{name}: {value}\r\n" for name, value in given]
    return (
        f"POST /graphql HTTP/1.1\r\n{''.join(lines)}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def done(gateway: Gateway) -> list[OperationDone]:
    return [event for event in gateway.events if isinstance(event, OperationDone)]


@pytest.mark.slow
@pytest.mark.parametrize("cut", [10, -10])
async def test_the_time_of_a_request_counts_from_its_first_byte(gateway: Gateway, cut):
    """Whether its head or its body comes late, the log tells what the client has waited for."""
    sent = request("{ __typename }")
    _, writer = await connect(gateway)
    writer.write(sent[:cut])
    await asyncio.sleep(0.1)
    writer.write(sent[cut:])

    await until(lambda: len(done(gateway)) == 1)
    writer.close()

    assert done(gateway)[0].seconds >= 0.09


@pytest.mark.slow
async def test_a_deadline_counts_from_the_first_byte_too(gateway: Gateway, flow: Flow):
    """What is left of it is for the operation."""
    sent = request(LIST, AUTHORIZED, ("X-Request-Timeout", "0.5"), ("Connection", "close"))
    reader, writer = await connect(gateway)
    writer.write(sent[:10])
    await asyncio.sleep(0.7)
    writer.write(sent[10:])
    answer = await reader.read()
    writer.close()

    assert b"DEADLINE_EXCEEDED" in answer or b"408" in answer[:20]
    assert flow.calls == []


async def test_a_request_behind_another_counts_from_its_own_first_byte(
    gateway: Gateway, flow: Flow
):
    """Also while it waits for the answer to that."""
    flow.switches.latency = 0.1
    _, writer = await connect(gateway)
    writer.write(request(LIST, AUTHORIZED) + request("{ __typename }"))

    await until(lambda: len(done(gateway)) == 2)
    writer.close()

    assert done(gateway)[1].seconds >= 0.09
