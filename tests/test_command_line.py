"""The command line, as a process: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from gateway import VERSION

ROOT = Path(__file__).parent.parent


async def begin(directory: Path, *arguments: str, **environ: str) -> Process:
    """`gateway` as a process, with no GATEWAY_ variables but those given."""
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith("GATEWAY_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-m", "gateway", *arguments),
        cwd=directory,
        env=inherited | {"PYTHONPATH": str(ROOT)} | environ,
        stdout=PIPE,
        stderr=PIPE,
    )


async def run(directory: Path, *arguments: str, **environ: str) -> tuple[int | None, str, str]:
    """Its exit code, and what it has written to stdout and stderr."""
    process = await begin(directory, *arguments, **environ)
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def stop(process: Process, how: signal.Signals) -> tuple[int | None, str]:
    """Its exit code, and what it had still to write to either."""
    process.send_signal(how)
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    return process.returncode, out.decode() + err.decode()


@asynccontextmanager
async def running(
    directory: Path, *arguments: str, until: str, **environ: str
) -> AsyncIterator[tuple[Process, str]]:
    """The process, and what it has written up to the line with `until` in it."""
    process = await begin(directory, *arguments, **environ)
    assert process.stdout is not None
    written = ""
    try:
        async with asyncio.timeout(120):
            while until not in written:
                line = await process.stdout.readline()
                assert line, written
                written += line.decode()
        yield process, written
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@contextmanager
def taken_port() -> Iterator[str]:
    """A port that is taken, behind one that is free."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            try:
                socket.create_server(("127.0.0.1", port - 1)).close()
            except OSError:
                continue
            yield str(port)
            return


@pytest.mark.slow
async def test_schema_prints_what_schema_graphql_holds(tmp_path):
    """So that `make schema` can write it."""
    code, out, err = await run(tmp_path, "schema")

    assert (code, err) == (0, "")
    assert out == (ROOT / "schema.graphql").read_text(encoding="utf-8")


@pytest.mark.slow
async def test_schema_follows_the_settings_for_either_reader(tmp_path):
    """Without `node` where another subgraph has it; clients are told nothing of federation."""
    (tmp_path / "gateway.toml").write_text("relay_node = false\ndefault_page_size = 7")

    _, subgraph, _ = await run(tmp_path, "schema")
    code, api, err = await run(tmp_path, "schema", "--for", "clients")

    assert (code, err) == (0, "")
    assert "  node(" not in subgraph + api
    assert "assumedSize: 7" in subgraph
    assert "@key" not in api
    assert "@semanticNonNull" in api


@pytest.mark.slow
async def test_the_version_is_told(tmp_path):
    """The same that /health tells."""
    assert await run(tmp_path, "--version") == (0, f"gateway {VERSION}\n", "")


@pytest.mark.slow
async def test_serve_without_a_backend_says_what_to_set(tmp_path):
    """One line, and an exit code that tells a mistake from a crash."""
    code, out, err = await run(tmp_path, "serve")

    assert (code, out) == (2, "")
    assert err == (
        "There is no backend to ask: set flow_retail.url (GATEWAY_FLOW_RETAIL_URL), "
        "or the url of default_backend, or list tenants in gateway.toml.\n"
    )


@pytest.mark.slow
async def test_serve_with_bad_settings_says_which(tmp_path):
    """A line for each, from the file and from the environment."""
    (tmp_path / "gateway.toml").write_text("[flow_retail]\nurl = 'nowhere'")

    code, out, err = await run(tmp_path, "serve", GATEWAY_PORT="http")

    assert (code, out) == (2, "")
    assert [line.split(": ")[0] for line in err.splitlines()] == [
        "gateway.toml, line 2",
        "GATEWAY_PORT",
    ]


@pytest.mark.slow
async def test_serve_says_what_it_has_started(tmp_path):
    """In one line, ahead of the one that says where."""
    process = await begin(
        tmp_path,
        "serve",
        GATEWAY_PORT="0",
        GATEWAY_FLOW_RETAIL_URL="http://x.invalid/v2",
        GATEWAY_DRAIN="0",
        GATEWAY_MAX_DEPTH="7",
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(120):
            lines = [(await process.stderr.readline()).decode() for _ in range(2)]
        code, _ = await stop(process, signal.SIGTERM)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()

    assert f"started version={VERSION} profile=production backends=flow_retail " in lines[0]
    assert lines[0].endswith(" max_depth=7 drain=0.0\n")
    assert "listening on" in lines[1]
    assert code == 0


@pytest.mark.slow
async def test_a_port_in_use_is_said_without_a_traceback(tmp_path):
    """Whichever command it is, and whichever of the demo's three ports; the sockets that it had by
    then are closed.
    """
    with taken_port() as port:
        answers = await asyncio.gather(
            run(tmp_path, "serve", GATEWAY_PORT=port, GATEWAY_FLOW_RETAIL_URL="http://x/v2"),
            run(tmp_path, "demo", "--simulator-port", port),
            run(tmp_path, "demo", "--simulator-port", str(int(port) - 1)),
            run(tmp_path, "demo", "--simulator-port", "0", GATEWAY_PORT=port),
            run(tmp_path, "simulate", "--port", port),
            run(tmp_path, "simulate", "--api", "commercetools", "--port", port),
        )

    refusal = f"127.0.0.1:{port} can't be listened on: Address already in use. "
    remedies = [
        "Choose another with GATEWAY_HOST or GATEWAY_PORT.",
        *['Choose others: make demo args="--simulator-port 9081".'] * 2,
        "Choose another with GATEWAY_HOST or GATEWAY_PORT.",
        *["Choose another with --port."] * 2,
    ]
    assert answers == [(2, "", f"{refusal}{remedy}\n") for remedy in remedies]


@pytest.mark.slow
async def test_there_is_no_port_behind_the_last(tmp_path):
    """Where the second simulator would be."""
    code, out, err = await run(tmp_path, "demo", "--simulator-port", "65535")

    assert (code, out) == (2, "")
    assert re.fullmatch(r"127\.0\.0\.1:6553[56] can't be listened on: [^\n]+\n", err)


@pytest.mark.slow
async def test_simulate_says_what_it_can_not_do(tmp_path):
    """One line, as for the gateway's own settings."""
    (tmp_path / "broken").write_bytes(b"not a database" * 100)
    said = {
        ("--port", "99999"): "127.0.0.1:99999 can't be listened on",
        ("--host", "a" * 100, "--port", "0"): f"{'a' * 100}:0 can't be listened on",
        ("--set", "colour=red"): "--set There is no switch 'colour'",
        ("--set", "version_step=one"): "--set There is no switch 'version_step'",
        (
            "--api",
            "commercetools",
            "--set",
            "first_page=0",
        ): "--set There is no switch 'first",
        ("--api", "commercetools", "--set", "version_step=2"): "--set The switch version_step is",
        ("--api", "commercetools", "--port", "0", "--data", "."): "--data . can't be used",
        ("--api", "commercetools", "--port", "0", "--data", "broken"): "--data broken can't be",
        ("--port", "0", "--data", "."): "--data . can't be used",
        ("--port", "0", "--data", "broken"): "--data broken can't be used",
    }

    ends = await asyncio.gather(*(run(tmp_path, "simulate", *arguments) for arguments in said))

    for (code, out, err), begins in zip(ends, said.values(), strict=True):
        assert (code, out) == (2, "")
        assert err.startswith(begins)
        assert err.count("\n") == 1


def printed_request(welcome: str) -> tuple[str, dict[str, str], str]:
    """The URL, the headers and the body of the curl line in it."""
    printed = welcome[welcome.index("curl") : welcome.index("Ctrl-C")]
    request = shlex.split(printed.replace("\\\n", ""))
    [_, _, url, _, flow, _, commercetools, _, content_type, _, body] = request
    headers = dict(header.split(": ") for header in (flow, commercetools, content_type))
    return url, headers, body


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_answers_the_query_that_it_prints(tmp_path, how):
    """Over a tenant of each system; and Ctrl-C, or a container's end, stops all servers without a
    complaint.
    """
    async with running(
        tmp_path,
        *("demo", "--simulator-port", "0"),
        until="Ctrl-C stops all.",
        GATEWAY_PORT="0",
        GATEWAY_DEFAULT_TENANT="acme",  # whatever tenant a developer has set
    ) as (process, welcome):
        url, headers, body = printed_request(welcome)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = (await client.post(url, content=body, headers=headers)).json()
            page = await client.get(url, headers={"Accept": "text/html"})
            code, rest = await stop(process, how)

    assert "errors" not in answer
    for groups in answer["data"].values():
        assert len(groups["nodes"]) == 2
        assert all(group["customers"]["totalCount"] for group in groups["nodes"])
    assert re.search(r"/v2 +Flow Retail, simulated: .* tenant acme\n", welcome)
    assert re.search(r":\d+ +commercetools, simulated: .* tenant demo-ct\n", welcome)
    assert "demo-token" in page.text
    assert "demo-ct-token" in page.text
    assert code == 0
    assert "draining seconds=0\n" in rest
    assert "Stopped.\n" in rest
    assert "Traceback" not in rest


@pytest.mark.slow
async def test_the_demo_has_both_tenants_whichever_is_the_default(tmp_path):
    """Also where a developer's default is the name that it gives to commercetools'."""
    async with running(
        tmp_path,
        *("demo", "--simulator-port", "0"),
        until="Ctrl-C stops all.",
        GATEWAY_PORT="0",
        GATEWAY_DEFAULT_TENANT="demo-ct",
        GATEWAY_LOG_LEVEL="warning",
    ) as (_, welcome):
        url, headers, _ = printed_request(welcome)
        query = """{
            tenant { uid backend { kind } }
            demo: tenant(uid: "demo") { backend { kind } customerGroups { totalCount } }
        }"""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = (await client.post(url, json={"query": query}, headers=headers)).json()

    assert answer["data"] == {
        "tenant": {"uid": "demo-ct", "backend": {"kind": "COMMERCETOOLS"}},
        "demo": {"backend": {"kind": "FLOW_RETAIL"}, "customerGroups": {"totalCount": 240}},
    }


@pytest.mark.slow
async def test_a_simulated_commercetools_behaves_as_its_switches_say(tmp_path):
    """By its own API, over the demo's data; what is changed outlives it."""
    arguments = ("simulate", "--api", "commercetools", "--port", "0", "--data", "shop.sqlite")
    headers = {"Authorization": "Bearer demo-ct-token"}
    versions = []
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        for step in ("actions", "one"):
            switches = ("--set", f"version_step={step}", "--set", "latency=0.01")
            async with running(tmp_path, *arguments, *switches, until="data in") as (
                process,
                written,
            ):
                url = re.findall(r"http://\S+:\d+", written)[0]
                group = f"{url}/demo-ct/customer-groups/key=stammkunden"
                before = (await client.get(group)).json()["version"]
                actions = [{"action": "changeName", "name": name} for name in ("A", step)]
                change = {"version": before, "actions": actions}
                after = (await client.post(group, json=change)).json()
                versions.append((after["name"], after["version"] - before))
                code, rest = await stop(process, signal.SIGINT)
        async with running(tmp_path, *arguments, "--empty", until="data in") as (_, written):
            url = re.findall(r"http://\S+:\d+", written)[0]
            found = (await client.get(f"{url}/demo-ct/customer-groups/key=stammkunden")).json()

    assert written.startswith("commercetools, simulated: http://")
    assert versions == [("actions", 2), ("one", 1)]
    assert (code, rest) == (0, "")
    assert found["name"] == "one"


@pytest.mark.slow
@pytest.mark.parametrize("api", ["flow-retail", "commercetools"])
async def test_a_simulator_says_how_to_ask_it(api):
    """Also where it can write no file, as in a container: its tenant, token and a curl command."""
    arguments = ("simulate", "--api", api, "--port", "0")
    unwritable = Path("/proc")
    image = {"GATEWAY_HOST": "0.0.0.0"}  # noqa: S104  # which it sets
    async with running(unwritable, *arguments, until="data in", **image) as (_, written):
        command = next(line for line in written.splitlines() if "curl" in line)
        [_, _, header, url] = shlex.split(command)
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, headers=dict([header.split(": ")]))

    [token] = re.findall(r"token (\S+)", written)
    assert written.endswith("data in :memory:\n")
    assert header == f"Authorization: Bearer {token}"
    assert url.startswith("http://localhost:")
    assert answer.status_code == 200


@pytest.mark.slow
async def test_what_the_simulator_holds_outlives_it(tmp_path):
    """A group that was made is there when the same file is served again."""
    arguments = ("simulate", "--port", "0", "--data", "var/data.sqlite", "--empty")
    path = "tenants/demo/customer-groups"
    headers = {"Authorization": "Bearer demo-token"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        async with running(tmp_path, *arguments[:-1], until="data in") as (process, written):
            url = re.findall(r"http://\S+/v2", written)[0]
            made = await client.post(
                f"{url}/{path}", json={"customerGroupUid": "new", "name": "New"}
            )
            code, rest = await stop(process, signal.SIGINT)
        async with running(tmp_path, *arguments, until="data in") as (_, written):
            url = re.findall(r"http://\S+/v2", written)[0]
            found = await client.get(f"{url}/{path}/new")

    assert made.is_success
    assert (code, rest) == (0, "")
    assert found.json()["name"] == "New"


async def test_what_serves_has_no_simulator_in_its_memory():
    """Neither the simulators nor SQLite: three megabytes."""
    program = "import sys, gateway.__main__; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), cwd=ROOT, stdout=PIPE
    )
    out, _ = await process.communicate()
    modules = out.decode().split()

    assert "gateway.app" in modules
    assert "sqlite3" not in modules
    assert not [name for name in modules if name.startswith("gateway.simulator")]
