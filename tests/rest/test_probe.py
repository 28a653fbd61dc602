"""Whether an API is reached: any status is, and all else has the cause that the log would have."""

from __future__ import annotations

import math

import pytest

from gateway.rest import HttpTransport, Proxy, RawAnswer, RawCalls, RestCaller, probe, tls_context
from gateway.settings import FlowRetailSettings
from gateway.telemetry import Meter
from tests.harness import TOKEN
from tests.rest.wire import head, named, reset, running

AGENT = "customer-groups-gateway/0"


async def found(
    url: str, *, seconds: float = 30, proxy: str | None = None, **files: str
) -> int | str:
    """What a probe finds by a transport as the app makes it."""
    transport = HttpTransport(
        connections=1,
        proxy=Proxy(proxy) if proxy else None,
        tls=tls_context(**files) if files else None,
    )
    try:
        return await probe(transport, url, seconds=seconds, connect_timeout=30, user_agent=AGENT)
    finally:
        await transport.aclose()


async def test_a_status_is_an_answer_whatever_it_is():
    """Without a token, most APIs refuse. Nothing of the caller is sent, for there is none."""
    heads = []

    async def talk(reader, writer):
        heads.append(await head(reader))
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!")

    async with running(talk) as server:
        assert await found(f"{server.url}/v2/") == 401

    host = server.url.removeprefix("http://")
    assert heads == [f"GET /v2 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\n\r\n".encode()]


async def test_what_does_not_answer_has_the_logs_cause():
    """Refused, silent, reset, not HTTP, a proxy that is not there or refuses."""

    async def silent(reader, writer):
        await reader.read()

    async def resets(reader, writer):
        await head(reader)
        reset(writer)

    async def greets(reader, writer):
        writer.write(b"220 mail.example\r\n")

    async def refuses(reader, writer):
        await head(reader)
        writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    causes = []
    for talk, seconds in ((silent, 0.2), (resets, 30), (greets, 30)):
        async with running(talk) as server:
            causes.append(await found(server.url, seconds=seconds))
    async with running(refuses) as server:
        causes += [await found("https://x.example", proxy=server.url)]
        causes += [await found("http://x.example", proxy=server.url)]
    causes += [await found(server.url), await found("https://x.example", proxy=server.url)]

    assert causes == [
        "timeout: answer",
        "reset",
        "invalid answer: HTTP",
        *["proxy: status 407"] * 2,
        "refused",
        "proxy: refused",
    ]


@pytest.mark.slow
async def test_a_certificate_is_checked_as_for_every_call(authority):
    """By the authorities that the settings name; without them, by the system's."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with running(talk, tls=authority.server("DNS:localhost")) as server:
        url = named(server.url)
        untrusted = await found(url)
        trusted = await found(url, ca_file=str(authority.certificate))

    assert (untrusted, trusted) == ("tls: unable to get local issuer certificate", 404)


async def answered(talk, *, seconds: float = 30) -> RawAnswer | str:
    """To one call of a caller's."""
    caller = RestCaller(
        tenant_uid="t", token=TOKEN, request_id="r", deadline=math.inf, meter=Meter()
    )
    async with running(talk) as server:
        settings = FlowRetailSettings(url=f"{server.url}/v2", timeout=seconds)
        transport = HttpTransport(connections=1)
        try:
            calls = RawCalls(settings, transport, caller, user_agent=AGENT)
            return await calls.send("PUT", "/a/{b}", {"b": "c"}, query={"d": 1}, body={"e": 2})
        finally:
            await transport.aclose()


async def test_a_raw_answer_is_what_came():
    """Whatever its status; it was asked for once, with the caller's token."""
    heads = []

    async def talk(reader, writer):
        heads.append(await head(reader))
        writer.write(b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 3\r\n\r\nno!")

    answer = await answered(talk)

    assert isinstance(answer, RawAnswer)
    assert (answer.status, answer.body, answer.unreadable) == (503, b"no!", None)
    assert (answer.headers["retry-after"], answer.retry_after) == ("7", 7)
    [sent] = heads
    assert sent.startswith(b"PUT /v2/a/c?d=1 HTTP/1.1\r\n")
    assert f"Authorization: Bearer {TOKEN}".encode() in sent
    assert "no!" not in repr(answer)


async def test_a_raw_answer_says_why_its_body_can_not_be_read():
    """Its status counts all the same."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(b"HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\nno!")

    answer = await answered(talk)

    assert isinstance(answer, RawAnswer)
    assert (answer.status, answer.body) == (400, b"")
    assert answer.unreadable == "The connection to the backend was lost."


async def test_a_raw_call_that_is_not_answered_has_the_logs_cause():
    """It is given up after `timeout`, or when the connection is."""

    async def silent(reader, writer):
        await reader.read()

    async def resets(reader, writer):
        await head(reader)
        reset(writer)

    assert await answered(silent, seconds=0.05) == "timeout: answer"
    assert await answered(resets) == "reset"
