"""The command: what it prints and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import sys
import tomllib
from pathlib import Path

import pytest

from gateway.doctor import examine
from gateway.settings import FlowRetailSettings, Settings, SettingsError, TenantSettings
from gateway.simulator.faults import Answer, Headers
from tests.doctor.patients import examined, the
from tests.harness import TENANT, TOKEN, Flow, settings
from tests.rest.certificates import Authority
from tests.rest.wire import answer, head, named, running
from tests.test_command_line import ROOT, run

OTHER = "another-token"
NOBODY = "http://127.0.0.1:1/v2"


@pytest.mark.slow
async def test_the_command_tells_by_its_exit_code_what_it_found(flow: Flow, tmp_path):
    """0: all is as it is set; 1: something is not; 2: it could not begin; 3: it was not let in."""
    flow.add_groups(3)
    there = {"GATEWAY_FLOW_RETAIL_URL": flow.url, "GATEWAY_DOCTOR_RATE": "1000"}
    token = {"GATEWAY_DOCTOR_TOKEN": TOKEN}

    fine = await run(tmp_path, "doctor", TENANT, **there, **token)
    wrong = await run(
        *(tmp_path, "doctor", TENANT, "--json"),
        **(there | token),
        GATEWAY_FLOW_RETAIL_FIRST_PAGE="0",
    )
    refused = await run(tmp_path, "doctor", TENANT, **there, GATEWAY_DOCTOR_TOKEN=OTHER)
    away = await run(
        tmp_path, "doctor", TENANT, **there | {"GATEWAY_FLOW_RETAIL_URL": NOBODY}, **token
    )
    no_tenant = await run(tmp_path, "doctor", **there, **token)
    no_token = await run(tmp_path, "doctor", TENANT, **there)

    assert [each[0] for each in (fine, wrong, refused, away, no_tenant, no_token)] == [
        *(0, 1, 3, 3, 2, 2)
    ]
    assert "The settings in force agree" in fine[1]
    assert json.loads(wrong[1])["exitCode"] == 1
    assert "refused with 401" in refused[1]
    assert "no answer: refused" in away[1]
    assert "default_tenant" in no_tenant[2]
    assert "GATEWAY_DOCTOR_TOKEN" in no_token[2]
    for _, out, err in (fine, wrong, refused, away):
        assert TOKEN not in out + err
        assert OTHER not in out + err


async def test_what_differs_is_toml_to_paste(flow: Flow):
    """With its evidence above it, and nothing that is as it is by default."""
    flow.switches.first_page = 0
    flow.add_groups(5)

    table = (await examined(flow)).toml()

    found = tomllib.loads(table)["flow_retail"]
    assert found["first_page"] == 0
    assert not found.keys() & {"max_page_size", "past_the_end", "group_sorts"}
    assert re.search(r"^# 0: pages 0 and 1 .* \(certain\)$", table, re.M)


async def test_the_table_fits_into_a_hundred_columns(flow: Flow):
    """And there is none where nothing was answered."""
    flow.add_groups(5)
    table = (await examined(flow)).text().partition("For gateway.toml")[0]
    unreached = await examine(settings(NOBODY), TENANT, TOKEN)

    assert max(map(len, table.splitlines())) == 100
    assert "question" not in unreached.text()


async def test_a_setting_in_force_that_should_be_the_default_is_printed_too(flow: Flow):
    """Else nobody would take it out."""
    flow.add_groups(5)

    report = await examined(flow, flow_retail={"first_page": 0})

    assert tomllib.loads(report.toml())["flow_retail"]["first_page"] == 1
    assert report.exit_code == 1


async def test_an_answer_that_is_no_list_ends_it(flow: Flow):
    """It says what came instead."""
    flow.fail(Answer(200, b"<html>Hello</html>"), times=None)

    report = await examined(flow)

    assert report.exit_code == 3
    assert the(report, "reached").found == ("answered 200 with HTML or XML")


async def test_a_tenant_that_no_backend_holds_is_not_asked_for():
    """Nor a tenant that nobody named."""
    with pytest.raises(SettingsError, match="No backend holds"):
        await examine(Settings(), TENANT, TOKEN)
    with pytest.raises(SettingsError, match="Name a tenant"):
        await examine(settings(NOBODY, default_tenant=None), None, TOKEN)


async def test_a_tenant_with_a_table_of_its_own_is_asked_by_it(flow: Flow):
    """And the table to paste says that it may go there."""
    flow.switches.first_page = 0
    flow.add_groups(5)
    upstream = FlowRetailSettings(url=flow.url, first_page=0)
    tenants = {TENANT: TenantSettings(upstream=upstream)}

    report = await examined(flow, tenants=tenants)

    assert report.exit_code == 0
    assert f"# or in [tenants.{TENANT}], for this tenant alone\n" in report.toml()


async def test_who_answers_and_what_is_limited_are_told(flow: Flow):
    """As the answers' headers say it; without a token that they repeat."""
    headers = {"Server": "nginx", "Via": f"1.1 {TOKEN}", "X-RateLimit-Remaining": "17"}
    flow.fail(Headers(headers), times=None)

    report = await examined(flow)

    assert the(report, "who answers").found == "Server: nginx, Via: (it has the token in it)"
    assert the(report, "rate limits").found == "x-ratelimit-remaining: 17"
    assert the(report, "TLS").found == "none: tokens travel in the clear"


@pytest.mark.slow
async def test_a_retry_after_is_waited_for_and_goes_on(flow: Flow):
    """It costs a call of the budget."""
    flow.add_groups(5)
    plain = await examined(flow)
    flow.fail(Answer(429, headers={"Retry-After": "1"}), skip=3)

    report = await examined(flow)

    assert report.calls == plain.calls + 1
    assert report.toml() == plain.toml()


@pytest.mark.slow
async def test_tls_is_told(tmp_path: Path):
    """Its version, and when the certificate ends."""
    authority = Authority(tmp_path)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await head(reader)
            writer.write(answer(b'{"items": [], "paging": {"pageNumber": 1}}'))

    async with running(talk, tls=authority.server("DNS:localhost", days=20)) as server:
        upstream = FlowRetailSettings(url=named(server.url), ca_file=str(authority.certificate))
        report = await examine(Settings(flow_retail=upstream, doctor_rate=1000), TENANT, TOKEN)

    found = the(report, "TLS").found
    assert re.fullmatch(r"TLSv1\.3; the certificate ends on [0-9-]+, in (19|20) days: soon", found)


@pytest.mark.slow
async def test_a_certificate_that_is_not_trusted_ends_it(tmp_path: Path):
    """The token is not sent."""
    authority = Authority(tmp_path)
    heads = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.read())

    async with running(talk, tls=authority.server("DNS:localhost")) as server:
        upstream = FlowRetailSettings(url=named(server.url))
        report = await examine(Settings(flow_retail=upstream, doctor_rate=1000), TENANT, TOKEN)

    assert report.exit_code == 3
    assert the(report, "reached").found.startswith("no answer: tls: ")
    assert b"".join(heads) == b""


@pytest.mark.slow
async def test_at_a_terminal_the_token_is_asked_for_and_progress_is_shown(flow: Flow, tmp_path):
    """The token is not echoed; the report, which is not for the terminal here, has no progress."""
    flow.add_groups(3)
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "doctor", TENANT),
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "GATEWAY_FLOW_RETAIL_URL": flow.url,
            "GATEWAY_DOCTOR_RATE": "1000",
        },
        stdin=theirs,
        stdout=asyncio.subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    loop = asyncio.get_running_loop()
    shown = b""
    async with asyncio.timeout(120):
        while b"(not shown): " not in shown:
            shown += await loop.run_in_executor(None, os.read, ours, 10_000)
        os.write(ours, f"{TOKEN}\n".encode())
        with contextlib.suppress(OSError):  # the terminal's end
            while read := await loop.run_in_executor(None, os.read, ours, 10_000):
                shown += read
        out, _ = await process.communicate()
    os.close(ours)

    assert process.returncode == 0, (shown, out)
    assert b"call 1 of at most 40: reached" in shown
    assert b"of at most" not in out
    assert TOKEN.encode() not in shown + out
