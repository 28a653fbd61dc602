"""`gateway serve` as a process over a simulator: how it ends, and what it does without means."""

from __future__ import annotations

import asyncio
import re
import resource
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import NO_TLS, TENANT, TOKEN, Flow, codes
from tests.http.test_disconnects import until
from tests.test_command_line import begin

pytestmark = pytest.mark.slow
LIST = "{ customerGroups { nodes { uid } } }"
CREATE = """mutation {
    createCustomerGroup(input: {name: "Gold"}) { customerGroup { name } userErrors { code } } }"""


@dataclass
class Served:
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    url: str
    management: str
    """The URL of the management port, if there is one."""

    async def ask(self, query: str, **headers: str) -> httpx.Response:
        headers["Authorization"] = f"Bearer {TOKEN}"
        return await self.client.post(f"{self.url}/graphql", json={"query": query}, headers=headers)


@asynccontextmanager
async def serving(directory: Path, flow: Flow, **environ: str) -> AsyncIterator[Served]:
    process = await begin(
        directory,
        "serve",
        GATEWAY_PORT="0",
        GATEWAY_FLOW_RETAIL_URL=flow.url,
        GATEWAY_FLOW_RETAIL_TIMEOUT="60",
        GATEWAY_DEFAULT_TENANT=TENANT,
        **{"GATEWAY_DEADLINE": "60", "GATEWAY_DRAIN": "0"} | environ,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            lines = ""
            while "listening on" not in lines:
                line = (await process.stderr.readline()).decode()
                assert line, f"it has ended: {lines}"
                lines += line
        [url] = re.findall(r"listening on (\S+)", lines)
        management = re.findall(r"metrics and health on (\S+)", lines)
        async with httpx.AsyncClient(timeout=60, trust_env=False, verify=NO_TLS) as client:
            yield Served(process, client, url, *management or [""])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def stopped(served: Served) -> tuple[int | None, str]:
    """Its exit code, and what it has written."""
    async with asyncio.timeout(60):
        _, written = await served.process.communicate()
    return served.process.returncode, written.decode()


async def interrupted(
    served: Served, flow: Flow, query: str, *, how: int = signal.SIGINT, times: int = 1
) -> httpx.Response:
    """The answer to what was under way when the gateway was told to stop."""
    asked = asyncio.create_task(served.ask(query))
    await until(lambda: len(flow.calls) == 1)
    for _ in range(times):
        served.process.send_signal(how)
        await asyncio.sleep(0.1)
    return await asked


def told(answer: httpx.Response) -> tuple[int, list[str]]:
    """The status, and the codes of errors and user errors."""
    body: Any = answer.json()
    payload = (body.get("data") or {}).get("createCustomerGroup") or {"userErrors": []}
    return answer.status_code, codes(body) + [error["code"] for error in payload["userErrors"]]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2, 5])
async def test_what_is_under_way_is_answered(tmp_path, flow: Flow, how, times):
    """However often the gateway is told to stop; it stops after that, without a complaint."""
    flow.add_group("gold")
    flow.switches.latency = 1.5
    async with serving(tmp_path, flow) as served:
        answer = await interrupted(served, flow, LIST, how=how, times=times)
        code, written = await stopped(served)

    assert answer.json() == {"data": {"customerGroups": {"nodes": [{"uid": "gold"}]}}}
    assert code == 0
    assert "Traceback" not in written


async def test_a_gateway_that_drains_is_alive_and_not_ready(tmp_path, flow: Flow):
    """It answers as before meanwhile, and a second signal changes nothing."""
    flow.add_group("gold")
    async with serving(tmp_path, flow, GATEWAY_DRAIN="8") as served:
        await served.ask(LIST)  # by then it listens to signals
        served.process.send_signal(signal.SIGTERM)
        while (ready := await served.client.get(f"{served.url}/health/ready")).is_success:
            pass
        served.process.send_signal(signal.SIGTERM)
        alive = [await served.client.get(served.url + path) for path in ("/health", "/health/live")]
        answer = await served.ask(LIST)
        code, written = await stopped(served)

    assert (ready.status_code, ready.json()["status"]) == (503, "draining")
    assert [each.status_code for each in alive] == [200, 200]
    assert told(answer) == (200, [])
    assert code == 0
    assert re.findall("draining .*|stopped .*", written) == [
        "draining seconds=8.0",
        "stopped cut_off=0",
    ]


async def test_a_change_that_was_sent_and_not_answered_in_time_is_told_so(tmp_path, flow: Flow):
    """It has the time of its deadline. Nobody knows what became of it."""
    flow.switches.latency = 50
    async with serving(tmp_path, flow, GATEWAY_DEADLINE="2") as served:
        answer = await interrupted(served, flow, CREATE)
        code, written = await stopped(served)

    assert told(answer) == (200, ["OUTCOME_UNKNOWN"])
    assert (code, "Traceback" in written, "cut_off=0" in written) == (0, False, True)


async def test_a_change_that_was_answered_meanwhile_is_told_so(tmp_path, flow: Flow):
    """What was begun is not cut off while there is time."""
    flow.switches.latency = 1
    async with serving(tmp_path, flow) as served:
        answer = await interrupted(served, flow, CREATE)

    assert told(answer) == (200, [])
    assert flow.store.count_groups(TENANT) == 1


async def test_silent_connections_keep_nobody_out(tmp_path, flow: Flow):
    """300 of them, where the process may have 256 descriptors: those who ask are answered, over
    connections that they have and new ones, and a line in the log tells why others were closed.
    """
    flow.add_group("gold")
    async with serving(tmp_path, flow) as served:
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (256, 256))
        at = httpx.URL(served.url)
        first = await served.ask(LIST)
        silent = []
        answers = []
        for _ in range(30):
            silent += [await asyncio.open_connection(at.host, at.port) for _ in range(10)]
            answers += await asyncio.gather(served.ask(LIST), served.ask(LIST))
            async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as stranger:
                answers.append(await stranger.get(f"{served.url}/health"))
        served.process.send_signal(signal.SIGINT)
        _, written = await stopped(served)
        for _, writer in silent:
            writer.close()

    assert {answer.status_code for answer in [first, *answers]} == {200}
    warnings = [line for line in written.splitlines() if " WARNING " in line]
    assert len([line for line in warnings if "descriptors" in line]) >= 1
    assert len(warnings) < 10


async def test_a_connection_without_a_descriptor_left_is_not_reset(tmp_path, flow: Flow):
    """It waits until there is one; the log tells of it once in a while."""
    async with serving(tmp_path, flow) as served:
        await served.ask("{ __typename }")  # by then it has raised its own limit
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (3, 256))
        headers = {"Connection": "close"}
        stranger = httpx.AsyncClient(timeout=60, trust_env=False, verify=NO_TLS)
        asked = asyncio.create_task(stranger.get(f"{served.url}/health", headers=headers))
        await asyncio.sleep(1)
        waits = not asked.done()
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (256, 256))
        answer = await asked
        await stranger.aclose()
        served.process.send_signal(signal.SIGINT)
        _, written = await stopped(served)

    assert (waits, answer.status_code) == (True, 200)
    assert written.count(" WARNING ") == 1
    assert "descriptors" in written
