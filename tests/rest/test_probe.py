"""Whether an API is reached: any status is, and all else has the cause that the log would have."""

from __future__ import annotations

import pytest

from gateway.rest import HttpTransport, Proxy, probe, tls_context
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
