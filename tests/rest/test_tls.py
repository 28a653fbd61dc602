"""The transport over TLS: who is believed, and that it is the same connection pool."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.rest import HttpTransport, tls_context
from gateway.rest._causes import lost, unconnected
from gateway.settings import FlowRetailSettings, Settings, SettingsError
from tests.rest.certificates import Authority, openssl
from tests.rest.wire import LONG, answer, cancel_again_and_again, fetch, head, named, running


async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        line = await head(reader)
        writer.write(answer(line.split(b" ")[1] * 20_000))


async def test_a_host_that_the_system_trusts_is_asked(trusted, transport):
    """By its name, told to it ahead; in HTTP/1.1; one connection for all requests."""
    tls = trusted.server("DNS:localhost")
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
    async with running(kept, tls=trusted.server("IP:127.0.0.1")) as server:
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

    async with running(talk, tls=trusted.server(names)) as server:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, spelt(server.url))

    assert b"".join(heads) == b""


@pytest.mark.slow
async def test_a_certificate_of_an_unknown_authority_is_refused(authority, transport):
    """The system does not trust it: SSL_CERT_FILE is not set here."""
    async with running(kept, tls=authority.server("DNS:localhost")) as server:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, named(server.url))


async def test_a_certificate_that_has_expired_is_refused(trusted, transport):
    """Its last day was yesterday."""
    try:
        tls = trusted.server("DNS:localhost", days=-1)
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


@pytest.mark.slow
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

    assert seconds < 60


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

    async with running(talk, tls=trusted.server("DNS:localhost")) as server:
        for _ in range(2):
            with pytest.raises(httpx.ReadError):
                await fetch(transport, named(server.url))


@pytest.mark.slow
async def test_cancelled_requests_leak_nothing(trusted):
    """In the handshake, while waiting, in the middle of an answer."""
    transport = HttpTransport(connections=3, idle=LONG)

    await cancel_again_and_again(transport, trusted.server("DNS:localhost"))


# -- certificates of the settings


def asking(authority: Authority) -> ssl.SSLContext:
    """A server that serves nobody without a certificate of this authority."""
    tls = authority.server("DNS:localhost")
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(authority.certificate)
    return tls


def context(authority: Authority, *, client: bool = True) -> ssl.SSLContext:
    certificate, key = map(str, authority.client())
    more = {"client_certificate": certificate, "client_key": key} if client else {}
    return tls_context(ca_file=str(authority.certificate), **more)


async def test_a_client_certificate_is_shown_to_a_server_that_asks_for_it(authority):
    """It trusts the authority of `ca_file`, though the system does not."""
    subjects = []

    async def talk(reader, writer):
        subjects.append(writer.get_extra_info("peercert")["subjectAltName"])
        await kept(reader, writer)

    transport = HttpTransport(connections=2, tls=context(authority))
    async with running(talk, tls=asking(authority)) as server:
        for number in range(3):
            assert len(await fetch(transport, f"{named(server.url)}/{number}")) == 40_000
        await transport.aclose()

    assert subjects == [(("DNS", "client.example"),)]


@pytest.mark.slow
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_asks_for_a_certificate_refuses_who_has_none(authority, version):
    """In TLS 1.3 only after the request was sent; the cause is told if the alert arrives."""
    tls = asking(authority)
    tls.minimum_version = tls.maximum_version = version
    transport = HttpTransport(connections=2, idle=LONG, tls=context(authority, client=False))
    async with running(kept, tls=tls) as server:
        with pytest.raises(httpx.TransportError) as refused:
            await fetch(transport, named(server.url))
        await server.until_open(0)
        await transport.aclose()

    match refused.value:
        case httpx.ConnectError() as failure:
            assert version is ssl.TLSVersion.TLSv1_2
            assert unconnected(failure) in ("tls: sslv3 alert handshake failure", "reset")
        case failure:
            assert lost(failure) in ("tls: tlsv13 alert certificate required", "reset")


async def test_where_authorities_are_named_the_systems_are_not_trusted(trusted, tmp_path_factory):
    """Else any of a hundred could vouch for an API of one's own."""
    other = Authority(tmp_path_factory.mktemp("other"))
    transport = HttpTransport(connections=1, tls=tls_context(ca_file=str(other.certificate)))

    async with running(kept, tls=trusted.server("DNS:localhost")) as server:
        with pytest.raises(httpx.ConnectError):
            await fetch(transport, named(server.url))
        await transport.aclose()


@pytest.fixture(scope="session")
def pem(authority: Authority) -> Path:
    """A folder with a client's certificate and key, and with what is neither."""
    folder = authority.folder / "files"
    folder.mkdir()
    certificate, key = authority.client()
    shutil.copy(certificate, folder / "client.pem")
    shutil.copy(key, folder / "client.key")
    shutil.copy(authority.client()[1], folder / "other.key")
    (folder / "both.pem").write_bytes(key.read_bytes() + certificate.read_bytes())
    (folder / "empty.pem").write_bytes(b"")
    (folder / "text.pem").write_text("no PEM")
    (folder / "cut.pem").write_bytes(certificate.read_bytes()[:100])
    encrypted = ("-out", folder / "encrypted.key", "-passout", "pass:secret")
    openssl("pkcs8", "-topk8", "-in", key, *encrypted)
    return folder


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"ca_file": "missing.pem"}, "ca_file: .* can't be read: No such file or directory"),
        ({"ca_file": "."}, "ca_file: .* can't be read: Is a directory"),
        ({"ca_file": "a\0b"}, "ca_file: .* can't be read"),
        ({"ca_file": "empty.pem"}, "ca_file: .* has no certificates in PEM format"),
        ({"ca_file": "text.pem"}, "ca_file: .* has no certificates in PEM format"),
        ({"ca_file": "cut.pem"}, "ca_file: .* has no certificates in PEM format"),
        ({"ca_file": "client.key"}, "ca_file: .* has no certificates in PEM format"),
        ({"client_key": "client.key"}, "client_key: there is no client_certificate"),
        ({"client_certificate": "missing.pem"}, "client_certificate: .* can't be read"),
        ({"client_certificate": "client.pem"}, "client_certificate: .* are not a certificate"),
        ({"client_certificate": "empty.pem"}, "client_certificate: .* are not a certificate"),
        (
            {"client_certificate": "client.pem", "client_key": "missing.key"},
            "client_key: .*missing.key' can't be read",
        ),
        (
            {"client_certificate": "client.pem", "client_key": "other.key"},
            "client_certificate: .*client.pem' and .*other.key' are not a certificate and its",
        ),
        (
            {"client_certificate": "cut.pem", "client_key": "client.key"},
            "client_certificate: .* are not a certificate and its private key",
        ),
        (
            {"client_certificate": "client.pem", "client_key": "encrypted.key"},
            "client_key: the key in .*encrypted.key' is encrypted",
        ),
    ],
    ids=str,
)
def test_files_that_can_not_be_used_are_refused_by_the_name_of_their_setting(pem, files, problem):
    """When the app is made, and not with the first REST call; nobody is asked for a password."""
    named = {name: f"{pem}/{file}" for name, file in files.items()}
    settings = Settings(flow_retail=FlowRetailSettings(url="https://api.example/v2", **named))

    with pytest.raises(SettingsError, match=problem):
        create_app(settings)


@pytest.mark.slow
def test_a_key_may_be_in_the_file_of_its_certificate(pem):
    """As many tools write them."""
    assert tls_context(client_certificate=f"{pem}/both.pem")
    assert tls_context(client_certificate=f"{pem}/client.pem", client_key=f"{pem}/client.key")
