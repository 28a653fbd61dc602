"""`gateway serve` with several workers, as processes over a simulator."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.simulator.faults import Body
from tests.harness import Flow, codes
from tests.http.test_disconnects import until
from tests.serving.test_process import LIST, Served, serving
from tests.test_command_line import ROOT, run

pytestmark = pytest.mark.slow
CLOSE = {"Connection": "close"}
READY = r"worker_ready worker=(\d+) pid=(\d+)"


class Log:
    """What a process says, from when it listens on."""

    def __init__(self, served: Served) -> None:
        assert served.process.stderr is not None
        self._stream = served.process.stderr
        self.lines: list[str] = []

    async def until(self, pattern: str, times: int = 1) -> list[re.Match[str]]:
        """Where `pattern` was said in what is read from now on, as often as this."""
        found: list[re.Match[str]] = []
        async with asyncio.timeout(120):
            while len(found) < times:
                line = (await self._stream.readline()).decode()
                assert line, f"the log ended before {pattern}: {self.lines}"
                self.lines.append(line)
                if match := re.search(pattern, line):
                    found.append(match)
        return found

    async def ready(self, times: int) -> list[int]:
        """The process ids of so many workers."""
        return [int(match[2]) for match in await self.until(READY, times)]


@asynccontextmanager
async def working(
    directory: Path, flow: Flow, *, workers: int = 2, **environ: str
) -> AsyncIterator[tuple[Served, Log, list[int]]]:
    """The parent, its log and the process ids of its workers."""
    async with serving(directory, flow, GATEWAY_WORKERS=str(workers), **environ) as served:
        log = Log(served)
        pids = await log.ready(workers)
        yield served, log, pids
        for pid in pids:
            assert not alive(pid) or alive(served.process.pid)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


async def test_another_worker_takes_the_place_of_one_that_dies(tmp_path, flow: Flow):
    """The others serve meanwhile; the log says why it ended, and each pause is longer."""
    flow.add_group("gold")
    async with working(tmp_path, flow) as (served, log, [first, second]):
        pauses = []
        for _ in range(2):
            os.kill(first, signal.SIGKILL)
            [ended] = await log.until(rf"worker_ended .*pid={first} cause=(.+) another_in=(\S+)")
            pauses.append(ended[2])
            answer = await served.ask(LIST)
            [first] = await log.ready(1)

        assert (answer.status_code, ended[1]) == (200, '"killed by SIGKILL"')
        assert pauses == ["1.0", "3.0"]
        assert alive(second)


async def test_a_worker_that_hangs_is_killed(tmp_path, flow: Flow):
    """It is alive, but gives no sign of it."""
    async with working(tmp_path, flow) as (_, log, [first, _]):
        os.kill(first, signal.SIGSTOP)

        await log.until(rf'worker_ended .*pid={first} cause="it hung"')
        await log.ready(1)


async def test_workers_end_when_their_parent_is_killed(tmp_path, flow: Flow):
    """After they have answered what was under way."""
    flow.add_group("gold")
    flow.switches.latency = 1
    async with working(tmp_path, flow) as (served, _, pids):
        asked = asyncio.create_task(served.ask(LIST))
        await until(lambda: len(flow.calls) == 1)
        served.process.send_signal(signal.SIGKILL)
        answer = await asked
        async with asyncio.timeout(60):
            while any(alive(pid) for pid in pids):  # noqa: ASYNC110  # they are other processes
                await asyncio.sleep(0.1)

    assert answer.status_code == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_all_workers_answer_what_is_under_way_and_end(tmp_path, flow: Flow, how):
    """However often the parent is told to stop; its exit code is 0."""
    flow.add_group("gold")
    flow.switches.latency = 1.5
    async with working(tmp_path, flow) as (served, _, pids):
        asked = [asyncio.create_task(served.ask(LIST)) for _ in range(4)]
        await until(lambda: len(flow.calls) == 4)
        for _ in range(3):
            served.process.send_signal(how)
            await asyncio.sleep(0.1)
        answers = await asyncio.gather(*asked)
        _, written = await served.process.communicate()
        left = [pid for pid in pids if alive(pid)]

    assert {answer.status_code for answer in answers} == {200}
    assert (served.process.returncode, left) == (0, [])
    assert b"Traceback" not in written


async def test_what_no_worker_can_begin_with_ends_the_parent(tmp_path):
    """Said once, with the exit code of one process."""
    (tmp_path / "web.json").write_text("{")

    code, _, err = await run(
        tmp_path,
        "serve",
        GATEWAY_PORT="0",
        GATEWAY_WORKERS="2",
        GATEWAY_FLOW_RETAIL_URL="http://x.invalid/v2",
        GATEWAY_TRUSTED_DOCUMENTS="web.json",
    )

    assert code == 2
    assert err.count("web.json: it is not JSON") == 1
    assert "Traceback" not in err


async def test_sigusr1_replaces_workers_and_loses_no_request(tmp_path, flow: Flow):
    """Those that come have read all settings again; connections that are kept open move on."""
    flow.add_group("gold")
    file = tmp_path / "gateway.toml"
    file.write_text("max_aliases = 100")
    async with working(tmp_path, flow) as (served, log, before):
        stop, statuses, refusals = asyncio.Event(), [], set()

        async def load() -> None:
            while not stop.is_set():
                answer = await served.ask(LIST)
                statuses.append(answer.status_code)
                refusals.update(codes(answer.json()))

        clients = [asyncio.create_task(load()) for _ in range(4)]
        file.write_text("max_depth = 2")
        served.process.send_signal(signal.SIGUSR1)
        after = await log.ready(2)
        await log.until("workers_replaced count=2")
        stop.set()
        await asyncio.gather(*clients)
        last = await served.ask(LIST)

        assert set(statuses) == {200}
        assert not set(before) & set(after)
        assert [alive(pid) for pid in before] == [False, False]
        assert codes(last.json()) == ["LIMIT_EXCEEDED"]
        assert refusals <= {"LIMIT_EXCEEDED"}


async def test_workers_are_not_replaced_by_such_as_can_not_begin(tmp_path, flow: Flow):
    """What the file says now is a mistake; those that serve go on."""
    async with working(tmp_path, flow) as (served, log, before):
        (tmp_path / "gateway.toml").write_text("max_depth = 0")
        served.process.send_signal(signal.SIGUSR1)
        await log.until("replacing_failed")

        assert any("gateway.toml, line 1: max_depth" in line for line in log.lines)
        assert [alive(pid) for pid in before] == [True, True]


async def test_sighup_reaches_all_workers(tmp_path, flow: Flow):
    """Also such as are not ready yet, which it would kill."""
    async with working(tmp_path, flow) as (served, log, [first, _]):
        os.kill(first, signal.SIGKILL)
        await log.until("worker_ended")
        await until(lambda: len(children(served.process.pid)) == 2, seconds=60)
        served.process.send_signal(signal.SIGHUP)

        await log.until(" reloaded ", times=2)


async def test_a_caller_has_the_same_fingerprint_in_all_workers(tmp_path, flow: Flow):
    """Without a key in the settings; each request may come to either of them."""
    async with working(tmp_path, flow) as (served, log, _):
        for _ in range(40):
            await served.ask(LIST, Connection="close")
        said = await log.until(r"operation .* token=(\w+)", times=40)

    assert len({line[1] for line in said}) == 1


async def test_metrics_of_all_workers_are_added_up(tmp_path, flow: Flow):
    """Whichever answers. What a worker has counted stays when another takes its place; what it had
    goes.
    """
    own = {"GATEWAY_MANAGEMENT_PORT": "0", "TMPDIR": str(tmp_path)}
    async with working(tmp_path, flow, **own) as (served, log, [first, _]):

        async def shown(name: str) -> int:
            page = await served.client.get(f"{served.management}/metrics", headers=CLOSE)
            [value] = re.findall(rf"^{name}\{{.* (\S+)$", page.text, re.MULTILINE)
            return int(float(value))

        async def show(name: str, value: int) -> None:
            async with asyncio.timeout(60):
                while await shown(name) != value:  # noqa: ASYNC110  # others' are seconds old
                    await asyncio.sleep(0.5)

        for _ in range(40):
            await served.ask(LIST, Connection="close")
        await show("gateway_operations_total", 40)
        os.kill(first, signal.SIGKILL)
        await log.ready(1)
        for _ in range(20):
            await served.ask(LIST, Connection="close")
        await show("gateway_operations_total", 60)
        await show("gateway_gate_places", 128)  # of each, 64
        [directory] = await asyncio.to_thread(lambda: list(tmp_path.glob("gateway-metrics-*")))
        served.process.send_signal(signal.SIGTERM)
        await served.process.communicate()

    assert not directory.exists()


async def test_deviations_of_all_workers_are_on_one_page(tmp_path, flow: Flow):
    """Whichever answers: what a worker has found stays when another takes its place."""
    flow.fail(Body(b'{"items": [], "newest": []}'), times=None)
    own = {"GATEWAY_MANAGEMENT_PORT": "0", "TMPDIR": str(tmp_path)}
    async with working(tmp_path, flow, **own) as (served, log, pids):

        async def shown(least: int) -> dict:
            async with asyncio.timeout(60):
                while True:
                    await served.ask(LIST, Connection="close")
                    page = await served.client.get(f"{served.management}/contract", headers=CLOSE)
                    rows = {row["member"]: row for row in page.json()["deviations"]}
                    if rows and rows["newest"]["count"] >= least:
                        return rows
                    await asyncio.sleep(0.1)

        before = await shown(3)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            await log.ready(1)
        after = await shown(before["newest"]["count"] + 2)

    assert before.keys() == after.keys() == {"newest", "paging"}
    for member in before:
        assert after[member]["first"] == before[member]["first"]
        assert after[member]["last"] > before[member]["last"]
    assert after["newest"]["example"] == "list of 0"


async def test_metrics_of_several_workers_need_a_directory(tmp_path):
    """In one sentence, with what to do. A process that may write files of no length is like a
    read-only container.
    """
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", "ulimit -f 0; exec $0 -m gateway serve", sys.executable),
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GATEWAY_PORT": "0",
            "GATEWAY_MANAGEMENT_PORT": "0",
            "GATEWAY_WORKERS": "2",
            "GATEWAY_FLOW_RETAIL_URL": "http://x.invalid/v2",
        },
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()

    assert process.returncode == 2
    assert b"mount a tmpfs at /tmp" in said
    assert b"Traceback" not in said
