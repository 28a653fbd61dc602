"""The transport through an outbound proxy: tinyproxy, and proxies that say what a test wants."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.rest import HttpTransport, Proxy, UpstreamCall
from gateway.rest._causes import unconnected
from gateway.rest._proxies import ProxyError
from tests.harness import Flow, codes, running_gateway, settings
from tests.rest.certificates import Authority
from tests.rest.wire import (
    LONG,
    Server,
    Talk,
    answer,
    cancel_again_and_again,
    fetch,
    head,
    named,
    reset,
    running,
)

TINYPROXY = shutil.which("tinyproxy")
USER = "ada:pass-w0rd"
QUOTED = "ada:p%40ss:w0rd"
AUTHORIZATION = "Basic YWRhOnBAc3M6dzByZA=="
"""`ada:p@ss:w0rd`."""
CONFIG = """
Listen 127.0.0.1
Port {port}
Timeout 60
LogLevel Error
LogFile "{log}"
BasicAuth ada pass-w0rd
"""


@pytest.fixture(scope="session")
def tinyproxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host and port of a tinyproxy that serves nobody but `USER`."""
    if TINYPROXY is None:
        pytest.skip("tinyproxy is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    folder = tmp_path_factory.mktemp("tinyproxy")
    config = folder / "tinyproxy.conf"
    config.write_text(CONFIG.format(port=port, log=folder / "log"))
    process = subprocess.Popen([TINYPROXY, "-d", "-c", config])  # noqa: S603  # our words
    try:
        while process.poll() is None:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.02)
        assert process.poll() is None
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def through(proxy: str, **more: Any) -> HttpTransport:
    return HttpTransport(**{"connections": 4, "idle": LONG, "proxy": Proxy(proxy), **more})


async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request with its head, and keeps the connection."""
    while True:
        writer.write(answer(await head(reader)))


def upstream(scheme: str, trusted: Authority) -> AbstractAsyncContextManager[Server]:
    return running(kept, tls=trusted.server("DNS:localhost") if scheme == "https" else None)


# -- a real proxy


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_requests_go_through_a_proxy(tinyproxy, trusted, scheme):
    """And arrive as they would without it, but for what such a proxy adds over http."""
    async with upstream(scheme, trusted) as server:
        transport = through(f"http://{USER}@{tinyproxy}")
        seen = [
            await fetch(transport, f"{named(server.url)}/v2/{number}?a=%20", "PUT", content=b"")
            for number in range(3)
        ]
        await transport.aclose()
        await server.until_open(0)

    assert [each.partition(b" HTTP/1.1\r\n")[0] for each in seen] == [
        b"PUT /v2/%d?a=%%20" % number for number in range(3)
    ]
    assert b"proxy-authorization" not in b"".join(seen).lower()
    assert scheme == "http" or server.connections == 1


async def test_over_http_a_connection_to_a_proxy_carries_one_request():
    """tinyproxy closes it behind the answer: a second request could be lost on its way."""
    async with running(kept) as proxy:
        transport = through(proxy.url)
        for _ in range(2):
            await fetch(transport, "http://api.example/v2")
            await proxy.until_open(0)
        await transport.aclose()

    assert proxy.connections == 2


@pytest.mark.parametrize(
    ("scheme", "user"), [("http", ""), ("https", ""), ("https", "ada@"), ("https", "ada:wrong@")]
)
async def test_a_proxy_that_does_not_know_us_is_a_connect_error(
    tinyproxy,
    trusted,
    scheme,
    user,
):
    """So nothing was sent, even of a change; the proxy is named as the cause."""
    async with upstream(scheme, trusted) as server:
        transport = through(f"http://{user}{tinyproxy}")
        for _ in range(2):
            with pytest.raises(ProxyError) as refused:
                await fetch(transport, named(server.url), "PUT", content=b"{}")
        await transport.aclose()

    # tinyproxy has the wrong status for a wrong password.
    assert unconnected(refused.value) == f"proxy: status {401 if user else 407}"
    assert server.connections == 0


async def test_an_upstream_that_a_proxy_can_not_reach_is_a_connect_error(tinyproxy):
    """A tunnel is refused with a status of the proxy's own choice."""
    async with running(kept) as server:
        pass
    transport = through(f"http://{USER}@{tinyproxy}")

    with pytest.raises(ProxyError) as refused:
        await fetch(transport, server.url.replace("http:", "https:"), "PUT")
    await transport.aclose()

    assert unconnected(refused.value).startswith("proxy: status 5")


@pytest.mark.slow
async def test_cancelled_requests_leak_nothing_in_a_tunnel(tinyproxy, trusted):
    """In either handshake, while waiting, in the middle of an answer."""
    transport = through(f"http://{USER}@{tinyproxy}", connections=3)

    await cancel_again_and_again(transport, trusted.server("DNS:localhost"))


# -- what is said to a proxy


async def test_a_tunnel_is_asked_for_by_name_and_without_the_token():
    """The proxy looks the name up; all that it is told is the host, and its own user."""
    heads = []
    looked_up = []

    def look_up(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    async def talk(reader, writer):
        heads.append(await head(reader))
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    async with running(talk) as server:
        port = server.url.rpartition(":")[2]
        transport = through(f"http://{QUOTED}@proxy.example:{port}", look_up=look_up)
        for url in ("https://api.example/v2/x", "https://[::1]:8443/"):
            with pytest.raises(httpx.ConnectError):
                await fetch(transport, url, headers={"Authorization": "Bearer token"})
        await transport.aclose()

    assert looked_up[0] == "proxy.example"
    assert set(looked_up) == {"proxy.example"}
    assert [each.decode() for each in heads] == [
        f"CONNECT {origin} HTTP/1.1\r\nHost: {origin}\r\n"
        f"Proxy-Authorization: {AUTHORIZATION}\r\n\r\n"
        for origin in ("api.example:443", "[::1]:8443")
    ]


async def test_over_http_a_proxy_is_asked_for_the_whole_url():
    """With its own user, and everything that the request has."""
    heads = []

    async def talk(reader, writer):
        while True:
            heads.append(await head(reader))
            writer.write(answer(b"{}"))

    async with running(talk) as server:
        transport = through(server.url.replace("//", f"//{QUOTED}@"))
        for url in ("http://api.example/v2/x?a=1", "http://api.example:8080/"):
            await fetch(transport, url, headers={"Authorization": "Bearer token"})
        await transport.aclose()

    lines = [each.decode().strip().split("\r\n") for each in heads]
    assert [each[0] for each in lines] == [
        "GET http://api.example/v2/x?a=1 HTTP/1.1",
        "GET http://api.example:8080/ HTTP/1.1",
    ]
    assert {"Host: api.example", "Authorization: Bearer token"} < set(lines[0])
    assert [each[-1] for each in lines] == [f"Proxy-Authorization: {AUTHORIZATION}"] * 2


# -- proxies that fail


def says(said: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(said)
        await writer.drain()

    return talk


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await head(reader)
    reset(writer)


@pytest.mark.parametrize(
    ("talk", "cause"),
    [
        (says(b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"), "proxy: status 407"),
        (says(b"HTTP/1.0 502 Bad Gateway\r\n\r\n<p>api.example?"), "proxy: status 502"),
        (says(b"HTTP/1.1 302 Go\r\nLocation: http://login.example/\r\n\r\n"), "proxy: status 302"),
        (says(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), None),
        (says(b""), "proxy: reset"),
        (resets, "proxy: reset"),
        (says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "proxy: invalid answer: HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), None),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 20), None),
        (says(b"HTTP/1.1 200 OK\r\n\r\n"), None),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), None),
        (says(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), None),
    ],
)
async def test_a_tunnel_that_a_proxy_does_not_make_is_a_connect_error(talk, cause):
    """Whatever the proxy says instead, nothing was sent and no socket is left."""
    async with running(talk) as server:
        transport = through(server.url)
        with pytest.raises(httpx.ConnectError) as refused:
            await fetch(transport, "https://api.example/", "PUT", content=b"{}")
        await server.until_open(0)
        await transport.aclose()

    if cause is not None:
        assert unconnected(refused.value) == cause


async def test_a_proxy_that_can_not_be_reached_is_named_as_the_cause():
    """Else an operator would look for the fault in the API."""
    async with running(kept) as server:
        pass

    def look_up(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    causes = []
    for proxy, more in ((server.url, {}), ("http://proxy.example:3128", {"look_up": look_up})):
        for url in ("https://api.example/", "http://api.example/"):
            transport = through(proxy, **more)
            with pytest.raises(ProxyError) as failed:
                await fetch(transport, url)
            await transport.aclose()
            causes.append(unconnected(failed.value))

    assert causes == ["proxy: refused"] * 2 + ["proxy: dns"] * 2


@pytest.mark.slow
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["CONNECT", "TLS"])
async def test_a_tunnel_that_stalls_has_the_time_of_connecting(said):
    """And a request that is cancelled meanwhile takes its socket along."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(said)
        await reader.read()

    async with running(talk) as server:
        transport = through(server.url)
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, "https://api.example/", extensions={"timeout": {"connect": 0.1}})
        await server.until_open(0)
        tasks = [asyncio.create_task(fetch(transport, "https://api.example/")) for _ in range(20)]
        await server.until_open(4)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await server.until_open(0)
        await transport.aclose()


async def test_the_upstreams_certificate_is_checked_through_a_tunnel(trusted):
    """A proxy that answers in the upstream's place gets no request, whatever others it is for."""
    heads = []
    tls = trusted.server("DNS:other.example")

    async def talk(reader, writer):
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.start_tls(tls)
        heads.append(await reader.read())

    async with running(talk) as server:
        transport = through(server.url)
        with pytest.raises(httpx.ConnectError) as refused:
            await fetch(transport, "https://api.example/", "PUT")
        await server.until_open(0)
        await transport.aclose()

    assert unconnected(refused.value) == "tls: the certificate is for another name"
    assert b"".join(heads) == b""


# -- its URL


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://proxy.example:3128", b"proxy.example", 3128),
        ("http://proxy.example:3128/", b"proxy.example", 3128),
        ("HTTP://Proxy.Example", b"proxy.example", 80),
        ("proxy.example:3128", b"proxy.example", 3128),
        ("ada:pass@proxy.example:3128", b"proxy.example", 3128),
        ("http://[::1]:3128", b"::1", 3128),
    ],
)
def test_a_proxys_url_is_read_as_other_programs_read_it(url, host, port):
    """Many leave out the scheme."""
    assert Proxy(url).origin == ("http", host, port)


@pytest.mark.parametrize(
    "url",
    [
        "socks5://ada:secret@proxy.example:1080",
        "https://ada:secret@proxy.example",
        "http://ada:secret@proxy.example/path",
        "http://ada:secret@proxy.example?query",
        "http://ada:secret@proxy.example#part",
        "http://ada:secret#5@proxy.example",
        "http://ada:secret@proxy.example:port",
        "http://ada:secret@proxy.example:99999999",
        "http://ada:secret@",
        "http://ada:secret\n@proxy.example",
        "",
    ],
)
def test_what_is_no_proxys_url_is_refused_without_showing_it(url):
    """It may hold a password."""
    with pytest.raises(ValueError, match="proxy") as refused:
        Proxy(url)

    assert "secret" not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_nothing_shows_a_proxys_password():
    """Neither the proxy nor what holds it."""
    proxy = Proxy("http://ada:secret@proxy.example:3128")
    transport = HttpTransport(connections=1, proxy=proxy)

    assert "secret" not in f"{proxy!r} {proxy} {transport!r} {vars(transport)}"


# -- the gateway


NAME = '{ customerGroup(by: {uid: "gold"}) { name } }'
RENAME = """mutation {
    updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "G"}) { userErrors { code } }
}"""


@pytest.mark.slow
async def test_a_gateways_rest_calls_go_through_its_proxy(tinyproxy, flow: Flow):
    """That of the backend's settings."""
    flow.add_group("gold", "Gold members")
    chosen = settings(flow.url, flow_retail={"proxy": f"http://{USER}@{tinyproxy}"})

    async with running_gateway(chosen) as gateway:
        data = await gateway.query(NAME)

    assert data == {"customerGroup": {"name": "Gold members"}}
    assert flow.calls == ["GET customer-groups/gold"]


@pytest.mark.parametrize("operation", [NAME, RENAME])
async def test_an_operator_is_told_that_it_is_the_proxy_that_refuses(
    tinyproxy, flow: Flow, operation
):
    """The client is told that the backend can't be reached, and nothing of the proxy: neither has
    a change been made.
    """
    flow.add_group("gold", "Gold members")
    chosen = settings(flow.url, flow_retail={"proxy": f"http://{tinyproxy}", "retries": 0})

    async with running_gateway(chosen) as gateway:
        body = await gateway.ask(operation)

    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]
    assert "proxy" not in str(body["errors"])
    causes = [event.cause for event in gateway.events if isinstance(event, UpstreamCall)]
    assert set(causes) == {"proxy: status 407"}
    assert flow.calls == []


async def test_at_start_the_log_says_who_has_a_proxy(caplog):
    """The variables used to be ignored; where they are set, calls take another way now."""
    caplog.set_level(logging.INFO, logger="gateway")

    create_app(
        settings("http://api.example/v2", flow_retail={"proxy": f"http://{USER}@proxy.example"})
    )

    assert caplog.messages == ["REST calls go through a proxy: flow_retail"]
