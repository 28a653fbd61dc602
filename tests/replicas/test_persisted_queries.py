"""Persisted queries that a client registers at one replica, and runs at another."""

from __future__ import annotations

import hashlib
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.replicas.client import RedisClient
from gateway.replicas.persisted_queries import PREFIX, SharedQueries
from gateway.settings import RedisSettings
from gateway.telemetry import RedisCall
from tests.harness import TOKEN, Flow, Gateway, codes, running_gateway, settings
from tests.replicas.redis_server import RedisServer

pytestmark = pytest.mark.slow
QUERY = 'query Gold { customerGroup(by: {uid: "gold"}) { name } }'


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def ask(gateway: Gateway, text: str, *, sent: bool = False, **more: object) -> Any:
    """The answer to the hash of `text`, which is `sent` beside it or not."""
    named = {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}
    body = {"extensions": named, **({"query": text} if sent else {}), **more}
    response = await gateway.client.post(
        f"{gateway.url}/graphql", json=body, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    return response.json()


async def replicas(opened: AsyncExitStack, flow: Flow, url: str, **more: Any) -> list[Gateway]:
    """Two gateways with one Redis."""
    chosen = settings(flow.url, redis=RedisSettings(url=url, timeout=5), **more)
    return [await opened.enter_async_context(running_gateway(chosen)) for _ in range(2)]


async def test_what_is_registered_at_one_replica_runs_at_the_other(flow: Flow, redis: RedisServer):
    """Forty documents, each registered here and asked for there, from the first time on."""
    flow.add_group("gold")
    async with AsyncExitStack() as opened:
        one, other = await replicas(opened, flow, redis.url)
        for number in range(40):
            text = QUERY.replace("Gold", f"Gold{number}")
            here, there = (one, other) if number % 2 else (other, one)
            assert codes(await ask(here, text)) == ["PERSISTED_QUERY_NOT_FOUND"]
            await ask(here, text, sent=True)

            body = await ask(there, text)

            assert body["data"] == {"customerGroup": {"name": "Gold"}}


async def test_redis_is_asked_once_for_a_document(flow: Flow, redis: RedisServer):
    """Then this replica has it, as if a client had registered it here; by its bare id as well."""
    flow.add_group("gold")
    async with AsyncExitStack() as opened:
        one, other = await replicas(opened, flow, redis.url)
        await ask(one, QUERY, sent=True)
        other.events.clear()
        for _ in range(3):
            await other.ask("", documentId=digest(QUERY))

    asked = [event for event in other.events if isinstance(event, RedisCall)]
    assert [(event.use, event.result) for event in asked] == [("persisted_queries", "ok")]


async def test_another_text_under_a_hash_does_not_run(flow: Flow, redis: RedisServer):
    """Whoever can write into Redis can't make clients run another document."""
    redis.ask("SET", f"{PREFIX}{digest(QUERY)}", "mutation { deleteCustomerGroup }")
    redis.ask("LPUSH", f"{PREFIX}{digest('{ a }')}", "{ a }")
    async with AsyncExitStack() as opened:
        [one, _] = await replicas(opened, flow, redis.url)

        assert codes(await ask(one, QUERY)) == ["PERSISTED_QUERY_NOT_FOUND"]
        assert codes(await ask(one, "{ a }")) == ["PERSISTED_QUERY_NOT_FOUND"]
    assert flow.calls == []


async def test_only_valid_documents_of_accepted_callers_are_shared(flow: Flow, redis: RedisServer):
    """Else strangers could fill Redis."""
    flow.add_group("gold")
    async with AsyncExitStack() as opened:
        [one, _] = await replicas(opened, flow, redis.url)
        await ask(one, "{ nope }", sent=True)
        await ask(one, "{ __typename }", sent=True)
        assert redis.ask("KEYS", "*") == b"*0\r\n"
        await ask(one, QUERY, sent=True)

    assert redis.ask("EXISTS", f"{PREFIX}{digest(QUERY)}") == b":1\r\n"


async def test_nothing_of_an_answer_or_a_token_is_in_redis(flow: Flow, redis: RedisServer):
    """The document alone, under its hash, for a while."""
    flow.add_group("gold", "A secret name")
    async with AsyncExitStack() as opened:
        [one, _] = await replicas(opened, flow, redis.url)
        await ask(one, QUERY, sent=True)

    [stored, index] = sorted(redis.ask("KEYS", "*").split()[2::2], reverse=True)
    assert (stored.decode(), index) == (f"{PREFIX}{digest(QUERY)}", b"gateway:apq")
    assert redis.ask("GET", stored.decode()).split(b"\r\n")[1] == QUERY.encode()
    for key in (stored, index):
        assert 0 < int(redis.ask("TTL", key.decode())[1:]) <= 7 * 86_400


async def test_the_number_of_documents_is_bounded(redis: RedisServer):
    """One more evicts the one that was registered first."""
    texts = [f"{{ a{number} }}" for number in range(5)]
    async with RedisClient(redis.url, timeout=5, observe=lambda event: None) as client:
        queries = SharedQueries(client, most=3)
        for text in texts:
            await queries.put(digest(text), text)
        found = [await queries.get(digest(text)) for text in texts]
        await queries.put(digest("x" * 40_000), "x" * 40_000)

    assert found == [None, None, *texts[2:]]
    assert redis.ask("DBSIZE") == b":4\r\n"


async def test_with_trusted_documents_alone_redis_is_not_asked(flow: Flow, redis: RedisServer):
    """Nor where clients can't register anything."""
    async with AsyncExitStack() as opened:
        [one, _] = await replicas(opened, flow, redis.url, persisted_queries=False)
        one.events.clear()
        await ask(one, QUERY)

    assert [event for event in one.events if isinstance(event, RedisCall)] == []
