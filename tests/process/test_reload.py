"""What SIGHUP reads again, and what becomes of mistakes in it."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.app import create_app
from gateway.process.reload import Reload
from gateway.settings.configuration import read_settings
from tests.harness import NO_TLS, TOKEN, Flow, codes, schema, served
from tests.http.test_disconnects import until
from tests.serving.test_process import Served, serving

NAMES = "{ customerGroups { nodes { name } } }"
UIDS = "{ customerGroups { nodes { uid } } }"
FILE = """
log_level = "{level}"
trusted_documents = ["{directory}/web.json"]
trusted_mode = "enforce"
default_tenant = "shop"
"""


def write(directory: Path, *texts: str, level: str = "info", more: str = "") -> None:
    """The settings, and a manifest in which each text's id is its number."""
    manifest = {str(number): text for number, text in enumerate(texts)}
    (directory / "web.json").write_text(json.dumps(manifest))
    (directory / "gateway.toml").write_text(FILE.format(level=level, directory=directory) + more)


@pytest.fixture
def level() -> Iterator[logging.Logger]:
    log = logging.getLogger("gateway")
    before = log.level
    log.setLevel("INFO")
    yield log
    log.setLevel(before)


class Running:
    """A gateway with the settings of `directory`, in this process."""

    def __init__(self, directory: Path, flow: Flow) -> None:
        environ = {
            "GATEWAY_CONFIG": f"{directory}/gateway.toml",
            "GATEWAY_FLOW_RETAIL_URL": flow.url,
        }
        self._settings = read_settings(environ)
        self.app = create_app(self._settings, make_schema=schema)
        self.reload = Reload(self._settings, environ, self.app.state.trust).reload

    @asynccontextmanager
    async def asked(self):
        async with (
            served(self.app, self._settings) as url,
            httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client,
        ):

            async def ask(query: str) -> list[str]:
                headers = {"Authorization": f"Bearer {TOKEN}"}
                body = {"query": query}
                return codes(
                    (await client.post(f"{url}/graphql", json=body, headers=headers)).json()
                )

            yield ask


async def test_other_documents_are_trusted_and_the_last_ones_no_more(tmp_path, flow, level):
    """From the next request on, also where a text was cached."""
    write(tmp_path, NAMES)
    running = Running(tmp_path, flow)
    async with running.asked() as ask:
        before = [await ask(NAMES), await ask(UIDS)]
        write(tmp_path, UIDS)
        await asyncio.to_thread(running.reload)
        after = [await ask(NAMES), await ask(UIDS)]

    assert before == [[], ["PERSISTED_QUERY_NOT_ALLOWED"]]
    assert after == [["PERSISTED_QUERY_NOT_ALLOWED"], []]


def test_the_log_level_is_another(tmp_path, flow, level, caplog):
    """And the log says what was read."""
    write(tmp_path, NAMES)
    running = Running(tmp_path, flow)
    write(tmp_path, NAMES, level="debug")

    running.reload()

    assert level.level == logging.DEBUG
    assert caplog.messages == [f"reloaded log_level=debug manifests={tmp_path}/web.json"]


@pytest.mark.parametrize(
    ("texts", "level_name", "more", "said"),
    [
        (
            [UIDS, "{ customerGroups {\n nodes { colour } } }"],
            "debug",
            "",
            "web.json: document 2, \"1\", line 2: Cannot query field 'colour'",
        ),
        ([UIDS], "loud", "", "gateway.toml, line 2: log_level: It must be one of"),
        ([UIDS], "debug", "max_depth = 0", "gateway.toml, line 6: max_depth: "),
        ([UIDS], "debug", "default_tenant = [", "gateway.toml: it is not TOML"),
    ],
)
async def test_a_mistake_leaves_all_as_it_was(
    tmp_path, flow, level, caplog, texts, level_name, more, said
):
    """Whichever it is in; the log has it with its place."""
    write(tmp_path, NAMES)
    running = Running(tmp_path, flow)
    async with running.asked() as ask:
        write(tmp_path, *texts, level=level_name, more=more)
        await asyncio.to_thread(running.reload)
        after = [await ask(NAMES), await ask(UIDS)]

    assert after == [[], ["PERSISTED_QUERY_NOT_ALLOWED"]]
    assert level.level == logging.INFO
    [failed] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert failed.getMessage().startswith("reload_failed mistake=")
    assert said in failed.getMessage().replace('\\"', '"')


def test_what_needs_a_restart_is_named(tmp_path, flow, level, caplog):
    """By the names of the settings, without their values, at each reload until then."""
    write(tmp_path, NAMES)
    running = Running(tmp_path, flow)
    write(
        tmp_path,
        NAMES,
        more='max_depth = 5\nfingerprint_key = "0123456789abcdef"\n[flow_retail]\ntimeout = 3\n'
        '[tenants]\noslo = "flow_retail"\n',
    )

    running.reload()
    running.reload()

    [first, second] = [record.getMessage() for record in caplog.records if record.levelno > 20]
    assert first == second
    assert first == (
        'restart_needed settings="max_depth, fingerprint_key, flow_retail.timeout, tenants"'
    )


async def line_with(served: Served, text: str) -> str:
    assert served.process.stderr is not None
    async with asyncio.timeout(60):
        while True:
            line = (await served.process.stderr.readline()).decode()
            assert line, f"the log ended before {text}"
            if text in line:
                return line


@pytest.mark.slow
async def test_requests_under_way_are_answered_over_a_reload(tmp_path, flow: Flow):
    """SIGHUP to a process, twice in a row: what was trusted when it was asked runs to its end."""
    flow.add_group("gold")
    flow.switches.latency = 1
    write(tmp_path, UIDS)
    async with serving(tmp_path, flow) as served:
        asked = asyncio.create_task(served.ask(UIDS))
        await until(lambda: len(flow.calls) == 1)
        write(tmp_path, NAMES)
        for _ in range(2):
            served.process.send_signal(signal.SIGHUP)
        await line_with(served, " reloaded ")
        flow.switches.latency = 0
        first, second, third = await asked, await served.ask(UIDS), await served.ask(NAMES)

    assert first.json() == {"data": {"customerGroups": {"nodes": [{"uid": "gold"}]}}}
    assert codes(second.json()) == ["PERSISTED_QUERY_NOT_ALLOWED"]
    assert third.json() == {"data": {"customerGroups": {"nodes": [{"name": "Gold"}]}}}
