"""Nothing is changed before somebody has agreed to it."""

from __future__ import annotations

import asyncio
import os
import pty
import sys

import pytest

from tests.doctor.writing.apis import APIS, Examined
from tests.harness import TENANT, TOKEN
from tests.test_command_line import run


def variables(api: Examined) -> dict[str, str]:
    url = str(api.upstream.url)
    return {
        "GATEWAY_FLOW_RETAIL_URL": url,
        "GATEWAY_DOCTOR_RATE": "1000",
        "GATEWAY_DOCTOR_TOKEN": TOKEN,
    }


@pytest.mark.slow
async def test_what_nobody_agreed_to_is_not_begun(tmp_path):
    """Without a terminal, or --write, or for customers that can't be meant, no call is made."""
    async with APIS["flow_retail"]() as api:
        for options, why in [
            (["--write"], "Without a terminal, --write needs --yes."),
            (["--customer", "ada"], "--customer needs --write."),
            (["--write", "--yes", *["--customer", "a", "--customer", "b", "--customer", "c"]], "2"),
            (["--write", "--yes", "--customer", "../gold"], "letters, digits"),
        ]:
            code, out, err = await run(tmp_path, "doctor", TENANT, *options, **variables(api))

            assert code == 2
            assert why in err
            assert not out
        assert not api.journal.requests


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "changes"), [("y", True), ("n", False)])
async def test_at_a_terminal_it_asks(answer, changes):
    """It says what it will do, and which customers it is about."""
    async with APIS["flow_retail"]() as api:
        before = api.state()
        ours, its = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "doctor", TENANT, "--write", "--customer", "ada"),
            env={"PYTHONPATH": os.getcwd(), **variables(api)},
            stdin=its,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        os.write(ours, f"{answer}\n".encode())
        out, err = await process.communicate()
        os.close(ours)
        os.close(its)

        assert "groups named gateway-doctor-... are created, changed and deleted" in err.decode()
        assert "go the customers ada." in err.decode()
        assert ("nothing is left" in out.decode()) is changes
        assert ("Nothing was changed." in err.decode()) is not changes
        assert any(each.method != "GET" for each in api.journal.requests) is changes
        assert api.state() == before
