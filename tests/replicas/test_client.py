"""Redis that is away, slow, full or broken: the gateway serves everything without it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from gateway.replicas import client
from gateway.replicas.client import RedisClient, Unanswered
from gateway.replicas.persisted_queries import SharedQueries
from gateway.settings import RedisSettings
from gateway.telemetry import Event, RedisCall, RedisChanged
from gateway.telemetry.log_lines import Log
from tests.harness import Flow, Gateway, running_gateway, settings
from tests.replicas.redis_server import RedisServer, redis_server
from tests.replicas.test_persisted_queries import QUERY, ask, digest
from tests.rest.certificates import Authority

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
PASSWORD = "s3cret"  # noqa: S105  # of a server that lives for one test


def results(events: Iterable[Event]) -> Counter[str]:
    """Of what operations have asked of Redis."""
    calls = [event for event in events if isinstance(event, RedisCall)]
    return Counter(event.result for event in calls if event.use != "attempt")


def changes(events: Iterable[Event]) -> list[str]:
    return [event.state for event in events if isinstance(event, RedisChanged)]


async def until(happens: Callable[[], bool]) -> None:
    """Wait for it, on a machine that may be busy."""
    ends = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def limited(flow: Flow, url: str, *, within: float = 0.05) -> AsyncIterator[Gateway]:
    """A gateway that asks Redis for each operation, and for each unknown hash."""
    flow.add_group("gold")
    chosen = settings(
        flow.url,
        redis=RedisSettings(url=url, timeout=within),
        rate_limit=100_000,
        fingerprint_key="0123456789abcdef",
    )
    async with running_gateway(chosen) as gateway:
        yield gateway


async def served(gateway: Gateway, count: int) -> None:
    """Operations and unknown hashes, one after the other: all are answered as without Redis."""
    for _ in range(count):
        assert await gateway.query(QUERY) == {"customerGroup": {"name": "Gold"}}
        assert (await ask(gateway, "{ a }"))["errors"][0]["message"] == "PersistedQueryNotFound"


async def test_a_redis_is_asked_over_tcp_as_over_a_unix_socket(flow: Flow, tmp_path: Path):
    """redis-py has a class of connections for each."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with redis_server(tmp_path, "--port", str(port)):
        async with limited(flow, f"redis://127.0.0.1:{port}", within=1) as gateway:
            await served(gateway, 2)

    assert set(results(gateway.events)) == {"ok"}


async def test_a_redis_that_hangs_costs_the_first_few_operations(flow: Flow, redis: RedisServer):
    """Then it is not asked until it answers again, which no operation waits for."""
    async with limited(flow, redis.url) as gateway:
        await served(gateway, 1)
        gateway.events.clear()
        redis.pause()
        await served(gateway, 10)
        found = results(gateway.events)
        gateway.events.clear()
        await served(gateway, 10)
        later = results(gateway.events)
        redis.resume()
        await until(lambda: "back" in changes(gateway.events))
        gateway.events.clear()
        await ask(gateway, QUERY)

    assert found["timeout"] <= client.ENOUGH + 1
    assert found["skipped"] >= 20 - client.ENOUGH - 1
    assert set(later) == {"skipped"}
    assert "skipped" not in results(gateway.events)


async def test_a_redis_that_dies_is_found_again(flow: Flow, redis: RedisServer):
    """With what clients register from then on; its memory is gone."""
    async with limited(flow, redis.url, within=5) as gateway:
        await ask(gateway, QUERY, sent=True)
        redis.kill()
        while not changes(gateway.events):
            await served(gateway, 1)
        assert results(gateway.events)["connection"] >= client.ENOUGH
        redis.start()
        await until(lambda: "back" in changes(gateway.events))
        other = QUERY.replace("Gold", "Other")
        await ask(gateway, other, sent=True)

    assert redis.ask("EXISTS", f"gateway:apq:{digest(other)}") == b":1\r\n"


async def test_a_redis_that_is_not_there_does_not_stop_the_start(flow: Flow, tmp_path: Path):
    """It is looked for while everything is served."""
    server = RedisServer(tmp_path)
    async with limited(flow, server.url) as gateway:
        assert changes(gateway.events) == ["away"]
        await served(gateway, 2)
        assert set(results(gateway.events)) == {"skipped"}
        server.start()
        try:
            await until(lambda: "back" in changes(gateway.events))
        finally:
            server.kill()


@pytest.mark.parametrize("password", [":wrong@", ""])
async def test_a_redis_that_refuses_the_password_is_away(flow: Flow, tmp_path: Path, password: str):
    """Nobody waits for it, and the log says why."""
    with redis_server(tmp_path, "--requirepass", PASSWORD) as redis:
        url = redis.url.replace("unix://", f"unix://{password}")
        async with limited(flow, url) as gateway:
            await served(gateway, 3)

    assert set(results(gateway.events)) == {"skipped"}
    attempts = [event for event in gateway.events if isinstance(event, RedisCall)]
    assert attempts[0] == RedisCall(use="attempt", result="unauthenticated")


async def test_a_redis_that_is_full_refuses_at_once(flow: Flow, tmp_path: Path):
    """That costs no time, so it is asked on: what it holds can still be read."""
    with redis_server(tmp_path, "--maxmemory", "1", "--maxmemory-policy", "noeviction") as redis:
        async with limited(flow, redis.url, within=5) as gateway:
            await served(gateway, 5)
            await ask(gateway, QUERY, sent=True)

    found = [event for event in gateway.events if isinstance(event, RedisCall)]
    assert RedisCall(use="rate_limit", result="refused", cause="OutOfMemoryError") in found
    assert RedisCall(use="persisted_queries", result="ok") in found
    assert changes(gateway.events) == []


@contextlib.asynccontextmanager
async def answering(answer: bytes, path: Path) -> AsyncIterator[str]:
    """What answers PING like Redis, and anything else with `answer`; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while command := await reader.read(65_536):
                writer.write(b"+PONG\r\n" if b"PING" in command else answer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield f"unix://{path}"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b":1\r\n:2\r\n",
        b"$-7\r\n",
        b"$9999999999999\r\nx",
        b"$5\r\n\xff\xfe\xfd\xfc\xfb\r\n",
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"*1\r\n" * 5_000 + b":1\r\n",
        b"-\r\n",
        b"-\xff\xfe\r\n",
        b"+1e999\r\n",
        b"\r\n",
        b"+OK\r\n+OK\r\n+OK\r\n",
    ],
    ids=range(12),
)
async def test_a_server_that_answers_something_else_harms_nobody(
    flow: Flow, tmp_path: Path, answer: bytes
):
    """Everything is served, and nothing of it is logged as a bug."""
    async with (
        answering(answer, tmp_path / "broken.sock") as url,
        limited(flow, url, within=0.5) as gateway,
    ):
        await served(gateway, 6)

    assert results(gateway.events)["ok"] <= 12


@contextlib.asynccontextmanager
async def delayed(redis: RedisServer, path: Path, seconds: float) -> AsyncIterator[str]:
    """The same Redis, whose answers come so much later; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_unix_connection(redis.path)
        try:
            while command := await reader.read(65_536):
                ours.write(command)
                answer = await theirs.read(65_536)
                await asyncio.sleep(seconds)
                writer.write(answer)
        finally:
            ours.close()
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield f"unix://{path}"


async def test_a_redis_that_is_slow_is_not_asked(flow: Flow, redis: RedisServer, tmp_path: Path):
    """It answers, but each operation would wait for it: so it stays away."""
    async with delayed(redis, tmp_path / "slow.sock", 0.3) as url, limited(flow, url) as gateway:
        await served(gateway, 3)

    assert set(results(gateway.events)) == {"skipped"}
    assert "back" not in changes(gateway.events)
    attempts = [event for event in gateway.events if isinstance(event, RedisCall)]
    assert attempts[0] == RedisCall(use="attempt", result="timeout")


async def test_a_user_with_the_rules_of_the_page_does(flow: Flow, redis: RedisServer):
    """For both uses, the eviction of texts too."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [rules] = re.findall(r"`(~gateway:\* [^`]*)`", page)
    redis.ask("ACL", "SETUSER", "gateway", "on", f">{PASSWORD}", *rules.split())
    url = redis.url.replace("unix://", f"unix://gateway:{PASSWORD}@") + "?db=1"
    async with limited(flow, url, within=5) as gateway:
        await ask(gateway, QUERY, sent=True)
        await served(gateway, 1)
    events: list[Event] = []
    async with RedisClient(url, timeout=5, observe=events.append) as opened:
        for text in ("{ a }", "{ b }"):
            await SharedQueries(opened, most=1).put(digest(text), text)

    assert set(results(gateway.events)) == {"ok"}
    assert results(events) == {"ok": 2}


async def test_redis_over_tls(flow: Flow, tmp_path: Path):
    """With a password, and an authority of one's own; one that is not trusted is no Redis."""
    authority = Authority(tmp_path)
    certificate, key = authority.files("DNS:localhost")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--tls-port", str(port), "--tls-auth-clients", "no")
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    with redis_server(
        *(tmp_path, *options, *files, "--tls-ca-cert-file", str(authority.certificate)),
        *("--requirepass", PASSWORD),
    ):
        url = f"rediss://:{PASSWORD}@localhost:{port}/0"
        trusting = f"{url}?ssl_ca_certs={authority.certificate}"
        async with limited(flow, trusting, within=5) as gateway:
            await ask(gateway, QUERY, sent=True)
        doubts: list[Event] = []
        async with RedisClient(url, timeout=5, observe=doubts.append):
            pass

    assert set(results(gateway.events)) == {"ok"}
    assert changes(doubts) == ["away"]


async def test_many_operations_take_few_connections(redis: RedisServer):
    """Others wait for their turn, as part of the timeout."""
    events: list[Event] = []
    async with RedisClient(redis.url, timeout=10, observe=events.append) as opened:
        await asyncio.gather(
            *(opened.ask("test", "GET", "a", read=lambda answer: answer) for _ in range(500))
        )
        connected = redis.ask("INFO", "clients")

    [clients] = [line for line in connected.split(b"\r\n") if line.startswith(b"connected_clients")]
    assert int(clients.split(b":")[1]) <= client.CONNECTIONS + 1
    assert results(events) == {"ok": 500}


async def test_what_is_given_up_leaves_no_connection_behind(redis: RedisServer):
    """However often: the next command gets its own answer, not one that came late."""
    async with RedisClient(redis.url, timeout=0.05, observe=lambda event: None) as opened:
        for number in range(5):
            redis.pause()
            wanted = (
                opened.ask("test", "ECHO", f"old-{n}", read=lambda answer: answer)
                for n in range(40)
            )
            given_up = await asyncio.gather(*wanted, return_exceptions=True)
            redis.resume()
            assert [type(each) for each in given_up] == [Unanswered] * 40

            async def new(text: str) -> bytes | None:
                with contextlib.suppress(Unanswered):
                    return await opened.ask("test", "ECHO", text, read=lambda answer: answer)
                return None

            await until_back(lambda number=number: new(f"new-{number}"), f"new-{number}".encode())


async def until_back(asked: Callable[[], object], wanted: bytes) -> None:
    ends = time.monotonic() + 60
    while (answer := await asked()) != wanted:  # type: ignore[misc]
        assert answer is None
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)


async def test_the_log_says_that_redis_fails_and_no_password(
    flow: Flow, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Once a second for each cause, and when it is away and back."""
    caplog.set_level(logging.DEBUG)
    log = Log()
    with redis_server(tmp_path, "--requirepass", PASSWORD) as redis:
        url = redis.url.replace("unix://", f"unix://:{PASSWORD}@")
        opened = RedisClient(url, timeout=0.5, observe=log)
        async with opened:
            await opened.ask("test", "GET", "a", read=lambda answer: answer)
            redis.kill()
            for _ in range(20):
                with contextlib.suppress(Unanswered):
                    await opened.ask("test", "GET", "a", read=lambda answer: answer)
                await asyncio.sleep(0.05)
            assert PASSWORD not in repr(opened) + repr(settings("", redis=RedisSettings(url=url)))

    assert "redis_failed cause=connection use=test count=1" in caplog.text
    assert "redis state=away" in caplog.text
    assert PASSWORD not in caplog.text
    assert str(tmp_path) not in caplog.text
