"""Why a REST call failed: told in its event, over sockets where there is one to fail."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from typing import Any

import httpx
import pytest

from gateway.errors import GatewayError
from gateway.rest import HttpTransport, UnusableAnswer, Upstream, UpstreamCall
from gateway.rest._causes import lost, unconnected
from gateway.settings import UpstreamSettings
from gateway.simulator import faults
from gateway.telemetry.log_lines import Log
from tests.rest.test_upstream import GROUP, Says, caller, get, upstream
from tests.rest.wire import head, running


async def causes(url: str, look_up: Any = None, **settings: Any) -> list[str | None]:
    """What the events of one failing read say."""
    events: list[Any] = []
    transport = HttpTransport(connections=2, **({} if look_up is None else {"look_up": look_up}))
    chosen = UpstreamSettings(url=url, retries=0, **settings)
    made = Upstream("flow_retail", chosen, transport, events.append)
    try:
        with pytest.raises(GatewayError):
            await get(made.connect(caller()))
    finally:
        await transport.aclose()
    assert all((event.backend, event.tenant) == ("flow_retail", "shop") for event in events)
    assert all(event.template == GROUP for event in events)
    return [event.cause for event in events if isinstance(event, UpstreamCall)]


async def test_a_host_that_has_no_address():
    """Its name does not go into the event."""

    def look_up(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} is not known")

    assert await causes("http://erp.internal.example", look_up) == ["dns"]


async def test_a_port_where_nobody_listens():
    """It is refused."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert await causes(f"http://127.0.0.1:{port}") == ["refused"]


async def test_a_connection_that_is_closed_before_an_answer():
    """By the other end, which is how servers go away."""

    async def talk(reader, writer):
        await head(reader)

    async with running(talk) as server:
        assert await causes(server.url) == ["reset"]


async def test_an_answer_that_is_no_http():
    """It is an answer, and of no use."""

    async def talk(reader, writer):
        await head(reader)
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    async with running(talk) as server:
        assert await causes(server.url) == ["invalid answer: HTTP"]


async def test_a_server_that_does_not_speak_tls():
    """The reason is OpenSSL's, in its words."""

    async def talk(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with running(talk) as server:
        [cause] = await causes(server.url.replace("http:", "https:"))

    assert cause in ("tls: wrong version number", "tls: record layer failure")


async def test_an_answer_that_does_not_come_in_time():
    """It is said which time was over."""

    async def talk(reader, writer):
        await asyncio.sleep(100)

    async with running(talk) as server:
        assert await causes(server.url, timeout=0.05) == ["timeout: answer"]


async def test_an_operation_whose_time_is_over():
    """That is the caller's deadline, and not the upstream's fault."""
    events: list[Any] = []
    made, _ = upstream(Says(after=5), observe=events.append)

    with pytest.raises(GatewayError):
        await get(made.connect(caller(seconds=0.05)))

    assert [event.cause for event in events] == ["timeout: deadline"]


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 409, 429, 500, 503])
async def test_a_status_is_a_cause_where_it_is_a_failure_for_any_api(status):
    """Others are the adapter's to read."""
    events: list[Any] = []
    made, _ = upstream(Says(status), observe=events.append, retries=0)

    failed = False
    try:
        await get(made.connect(caller()))
    except GatewayError:
        failed = True

    assert [event.cause for event in events] == [f"status {status}" if failed else None]


async def test_a_body_that_can_not_be_read():
    """Its status was fine."""
    events: list[Any] = []
    made, _ = upstream(Says(200, b"{}", {"Content-Encoding": "br"}), observe=events.append)

    with pytest.raises(GatewayError):
        await get(made.connect(caller()))

    assert [event.cause for event in events] == ["invalid answer: body"]


async def test_an_answer_without_a_name_says_so(flow, gateway):
    """The member is named, and nothing that was in it."""
    flow.add_group("gold", "Gold members")
    flow.fail(faults.Body(b'{"customerGroupUid": "gold"}'))

    await gateway.ask('{ customerGroup(by: {uid: "gold"}) { name } }')

    told = [event for event in gateway.events if isinstance(event, UnusableAnswer)]
    assert [(event.backend, event.tenant) for event in told] == [("flow_retail", "shop")]
    assert "`name` is missing" in told[0].cause
    assert "gold" not in repr(told).replace(GROUP, "")


def certificate(code: int, message: str) -> ssl.SSLCertVerificationError:
    failure = ssl.SSLCertVerificationError(1, "certificate verify failed")
    failure.verify_code, failure.verify_message = code, message
    return failure


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (certificate(10, "certificate has expired"), "tls: certificate has expired"),
        (certificate(18, "self-signed certificate"), "tls: self-signed certificate"),
        (
            certificate(62, "Hostname mismatch, certificate is not valid for 'erp.example'."),
            "tls: the certificate is for another name",
        ),
        (certificate(99, "no luck at https://erp.example/"), "tls: handshake"),
        (ssl.SSLError(), "tls: handshake"),
        (TimeoutError(), "timeout: connect"),
        (ConnectionResetError(), "reset"),
        (OSError(errno.EHOSTUNREACH, "erp.example"), "unreachable: EHOSTUNREACH"),
        (OSError("erp.example"), "unreachable"),
        (UnicodeError("erp.example"), "dns"),
    ],
)
def test_no_cause_names_a_host(failure, cause):
    """TLS and the system say it; what is told does not."""
    unreached = httpx.ConnectError("erp.example")
    unreached.__cause__ = failure

    assert unconnected(unreached) == cause
    assert lost(httpx.ReadError("at https://erp.example")) == "lost"


def call(cause: str | None, *, status: int | None = None, tenant: str = "shop") -> UpstreamCall:
    return UpstreamCall(
        backend="flow_retail",
        tenant=tenant,
        method="GET",
        template=GROUP,
        status=status,
        cause=cause,
        seconds=0.1,
        attempt=1,
        request_id="req-1",
    )


def test_a_cause_is_one_warning_a_second(caplog):
    """It says how many there were; another cause has its own, and what works has none."""
    now = 0.0
    log = Log(clock=lambda: now)
    caplog.set_level(logging.WARNING, logger="gateway")

    for number in range(500):
        now = number / 100
        log(call("refused", tenant=f"t{number}"))
        log(call("status 503", status=503))
        log(call(None, status=200))
        log(call("status 401", status=401))

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 10
    assert told[0] == (
        "rest_failed cause=refused backend=flow_retail tenant=t0 "
        f"template={GROUP} count=1 request=req-1"
    )
    assert [line for line in told if "refused" in line][1].endswith("count=100 request=req-1")


@pytest.mark.slow
def test_what_is_kept_of_causes_is_bounded():
    """They are few, and even if they were not."""
    log = Log(clock=lambda: 0.0)

    for number in range(2_000):
        log(call(f"status {number}", status=599))

    assert len(log._failures) <= 256
