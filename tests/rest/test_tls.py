"""The transport over TLS: who is believed, and that it is the same connection pool."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from gateway.rest import HttpTransport
from tests.rest.wire import answer, fetch, head, running

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="certificates are made with openssl")

CONFIG = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""
Issue = Callable[..., ssl.SSLContext]


def openssl(*words: str | Path) -> None:
    assert OPENSSL is not None
    subprocess.run([OPENSSL, *words], check=True, capture_output=True)  # noqa: S603  # our words


def authority(folder: Path) -> Issue:
    """A certificate authority of this test run's own, ca.pem in `folder`; it issues a server's
    side of TLS for `names`.
    """
    config = folder / "openssl.cnf"
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    config.write_text(CONFIG.format(names="DNS:unused"))
    openssl(
        *("req", "-x509", *key, "-config", config, "-extensions", "ca", "-days", "2"),
        *("-subj", "/CN=test authority", "-keyout", folder / "ca.key", "-out", folder / "ca.pem"),
    )

    def issue(names: str, *, days: int = 2) -> ssl.SSLContext:
        config.write_text(CONFIG.format(names=names))
        openssl(
            *("req", "-new", *key, "-config", config, "-subj", "/CN=test server"),
            *("-keyout", folder / "server.key", "-out", folder / "server.csr"),
        )
        openssl(
            *("x509", "-req", "-in", folder / "server.csr", "-days", str(days)),
            *("-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-set_serial", "2"),
            *("-extfile", config, "-extensions", "server", "-out", folder / "server.pem"),
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    return issue


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("authority")


@pytest.fixture(scope="session")
def issue(folder: Path) -> Issue:
    return authority(folder)


@pytest.fixture
def trusted(issue: Issue, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Issue:
    """An authority that the system trusts, as an operator would make it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    return issue


async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        line = await head(reader)
        writer.write(answer(line.split(b" ")[1] * 20_000))


def named(url: str) -> str:
    return url.replace("127.0.0.1", "localhost")


async def test_a_host_that_the_system_trusts_is_asked(trusted, transport):
    """By its name, told to it ahead; in HTTP/1.1; one connection for all requests."""
    tls = trusted("DNS:localhost")
    asked_for = []
    tls.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    chosen = []

    async def talk(reader, writer):
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await kept(reader, writer)

    async with running(talk, tls=tls) as server:
        for number in range(5):
            body = await fetch(transport, f"{named(server.url)}/{number}", "PUT", content=b"{}")
            assert body == b"/%d" % number * 20_000
        await transport.aclose()
        await server.until_open(0)

    assert asked_for == ["localhost"]
    assert chosen == ["http/1.1"]
    assert server.connections == 1


async def test_a_host_may_be_an_address(trusted, transport):
    """If its certificate says so."""
    async with running(kept, tls=trusted("IP:127.0.0.1")) as server:
        assert len(await fetch(transport, server.url)) == 20_000
        await transport.aclose()


@pytest.mark.parametrize(
    "names", ["DNS:other.example", "DNS:localhost.example", "DNS:*.localhost", "IP:127.0.0.2"]
)
@pytest.mark.parametrize("spelt", [named, str], ids=["name", "address"])
async def test_a_certificate_for_another_host_is_refused(trusted, transport, names, spelt):
    """Nothing was sent: neither the token nor the path."""
    heads = []

    async def talk(reader, writer):
        heads.append(await reader.read())

    async with running(talk, tls=trusted(names)) as server:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, spelt(server.url))

    assert b"".join(heads) == b""


async def test_a_certificate_of_an_unknown_authority_is_refused(issue, transport):
    """The system does not trust it: SSL_CERT_FILE is not set here."""
    async with running(kept, tls=issue("DNS:localhost")) as server:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, named(server.url))


async def test_a_certificate_that_has_expired_is_refused(trusted, transport):
    """Its last day was yesterday."""
    try:
        tls = trusted("DNS:localhost", days=-1)
    except subprocess.CalledProcessError:
        pytest.skip("this openssl makes no such certificate")

    async with running(kept, tls=tls) as server:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, named(server.url))


async def test_a_server_that_speaks_no_tls_is_a_connect_error(trusted, transport):
    """Whatever it says instead, and if it hangs up."""

    async def plain(reader, writer):
        await reader.read(10)
        writer.write(answer(b"{}"))

    async with running(plain) as server:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, server.url.replace("http:", "https:"))
        await server.until_open(0)


async def test_a_handshake_that_stalls_has_the_time_of_connecting(trusted, transport):
    """And a request that is cancelled meanwhile takes its socket along."""
    async with running(lambda reader, writer: reader.read()) as server:
        url = server.url.replace("http:", "https:")
        began = asyncio.get_running_loop().time()
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, url, extensions={"timeout": {"connect": 0.1}})
        seconds = asyncio.get_running_loop().time() - began
        await server.until_open(0)
        tasks = [asyncio.create_task(fetch(transport, url)) for _ in range(20)]
        await server.until_open(4)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await server.until_open(0)

    assert seconds < 1


async def test_an_answer_that_is_cut_off_is_a_read_error(trusted, transport):
    """With and without a farewell."""
    turns = 0

    async def talk(reader, writer):
        nonlocal turns
        await head(reader)
        writer.write(answer(b"x" * 100, length=200))
        await writer.drain()
        turns += 1
        if turns == 1:
            writer.transport.abort()

    async with running(talk, tls=trusted("DNS:localhost")) as server:
        for _ in range(2):
            with pytest.raises(httpx.ReadError):
                await fetch(transport, named(server.url))


@pytest.mark.slow
async def test_cancelled_requests_leak_nothing(trusted):
    """In the handshake, while waiting, in the middle of an answer."""
    tls = trusted("DNS:localhost")
    transport = HttpTransport(connections=3)

    async def talk(reader, writer):
        while True:
            await head(reader)
            await asyncio.sleep(0.002)
            writer.write(answer(b"x" * 50, length=100))
            await asyncio.sleep(0.002)
            writer.write(b"y" * 50)

    async with running(talk, tls=tls) as server:
        url = named(server.url)
        for round_ in range(25):
            tasks = [asyncio.create_task(fetch(transport, url)) for _ in range(20)]
            await asyncio.sleep(0.001 * round_)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [r for r in results if isinstance(r, Exception)] == []
        async with asyncio.timeout(60):
            bodies = await asyncio.gather(*(fetch(transport, url) for _ in range(20)))
        await server.until_open(3)
        await transport.aclose()
        await server.until_open(0)

    assert bodies == [b"x" * 50 + b"y" * 50] * 20
