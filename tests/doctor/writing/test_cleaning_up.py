"""Whatever goes wrong, nothing stays: or what does is listed, with the calls that remove it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from dataclasses import replace

import httpx
import pytest

from gateway.doctor.writing.run import WRITE_BUDGET
from gateway.simulator.faults import (
    Answer,
    Body,
    Close,
    Delay,
    Done,
    InvalidJson,
    LoseAnswer,
    Meanwhile,
    Stall,
    Truncate,
)
from tests.doctor.writing.apis import APIS
from tests.harness import NO_TLS, TENANT, TOKEN

FAULTS = {
    "lost": LoseAnswer(),
    "never there": Close(),
    "500": Answer(500),
    "500, but done": Done(Answer(500)),
    "202, and done": Done(Answer(202)),
    "401": Answer(401),
    "403": Answer(403),
    "404": Answer(404),
    "429": Answer(429, headers={"Retry-After": "0"}),
    "cut": Truncate(3),
    "no JSON": InvalidJson(),
    "a page": Answer(200, b"<html>"),
    "a list": Body(b"[1]"),
    "members of other types": Body(
        b'{"items": 5, "results": 6, "errors": 7, "customerGroupAssignments": 8, "id": 9,'
        b' "customerGroupUid": 1, "name": 2, "version": "3", "customerGroup": 4}'
    ),
    "rows of other types": Body(
        b'{"items": [5], "results": [6], "errors": [7], "customerGroupAssignments": [8], "id": "",'
        b' "customerGroupUid": "", "name": "", "version": -1, "customerGroup": {"id": 4}}'
    ),
    "done, then a stall": Done(Stall(200)),
    "stopped": Meanwhile(lambda: os.kill(os.getpid(), signal.SIGINT)),
    "terminated": Meanwhile(lambda: os.kill(os.getpid(), signal.SIGTERM)),
}
PERMANENT = ["500", "401", "never there", "lost"]
LATER = "a group of the doctor's, if it comes into being after all"


def some_calls(fault: str, step: int) -> range:
    """Of the 50 of an examination with two customers, others for each fault."""
    return range(list(FAULTS).index(fault) % step, 52, step)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", APIS)
async def test_nothing_stays_after_one_fault(name, fault):
    """At whichever call it comes, that of a clean-up included."""
    for skip in some_calls(fault, 6):
        async with APIS[name]() as api:
            api.upstream = replace(api.upstream, timeout=0.2 if "stall" in fault else 5)
            before = api.state()
            api.faults.add(FAULTS[fault], skip=skip)
            await api.examine(customers=2)

            assert api.state() == before, skip
            assert {each.what for each in api.left} <= {LATER}, skip


async def by_hand(client: httpx.AsyncClient, call: str) -> None:
    """As a person makes a call that is listed: under the version that a conflict names."""
    if not call:
        return
    method, url, *rest = call.split(" ", 2)
    body = json.loads(rest[0]) if rest else None
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = await client.request(method, url, json=body, headers=headers)
    if answer.status_code == 409:
        version = answer.json()["errors"][0]["currentVersion"]
        url = re.sub("version=.*", f"version={version}", url)
        body = body and body | {"version": version}
        await client.request(method, url, json=body, headers=headers)


@pytest.mark.slow
@pytest.mark.parametrize("fault", PERMANENT)
@pytest.mark.parametrize("name", APIS)
async def test_the_calls_that_are_listed_clean_up(name, fault):
    """Where the API answers nothing else any more, a person can do it later."""
    for skip in some_calls(fault, 10):
        async with APIS[name]() as api:
            before = api.state()
            api.faults.add(FAULTS[fault], skip=skip, times=None)
            await api.examine(customers=2)
            api.faults.clear()
            async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
                for call in "; ".join(each.call for each in api.left).split("; "):
                    await by_hand(client, call)

            assert api.state() == before, (skip, api.left)


@pytest.mark.slow
@pytest.mark.parametrize("name", APIS)
async def test_no_question_is_asked_after_a_signal(name):
    """What follows is cleaning up; and the report says what was not tried."""
    async with APIS[name]() as api:
        api.faults.add(FAULTS["stopped"], skip=6)
        await api.examine(customers=2)

        assert len(api.journal.requests) < 20
        assert api.found("deleting an empty group") == "not tried: it was stopped"
        assert api.found("cleaning up") == "nothing is left"


@pytest.mark.slow
async def test_only_a_third_signal_ends_cleaning_up():
    """And then it says what is left."""
    async with APIS["flow_retail"]() as api:
        api.faults.add(FAULTS["stopped"], skip=2, times=None)
        await api.examine(customers=1)

        assert len(api.left) > 0
        assert api.found("cleaning up") == "something is left"


@pytest.mark.slow
async def test_an_api_that_moves_customers_gets_them_back():
    """If to be in one group ends the others, the customer is put back into those it was in."""
    async with APIS["flow_retail"]() as api:
        before = api.state()

        def move() -> None:
            for group in ("gold", "silver"):
                api.store.remove_member(TENANT, group, "ada")

        api.faults.add(Meanwhile(move), method="PUT", path="/customers", skip=2)
        await api.examine(customers=1)

        assert "2 of 2 were lost" in api.found("a customer's other groups")
        assert [(each.uid, sorted(uids)) for each, uids in api.state()] == [
            (each.uid, sorted(uids)) for each, uids in before
        ]
        assert not api.left


@pytest.mark.slow
@pytest.mark.parametrize("name", APIS)
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_a_process_that_is_ended_cleans_up(name, end):
    """While a group of its own is there, and a change of it is under way."""
    async with APIS[name]() as api:
        before = api.state()
        method = "PUT" if name == "flow_retail" else "POST"
        slow = api.faults.add(Delay(0.5), method=method, skip=2)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "doctor", TENANT, "--write", "--yes"),
            *(f"--customer={uid}" for uid in api.customers),
            cwd=os.getcwd(),
            env={
                "PYTHONPATH": os.getcwd(),
                "GATEWAY_DOCTOR_TOKEN": TOKEN,
                "GATEWAY_DOCTOR_RATE": "1000",
                "GATEWAY_DEFAULT_BACKEND": name,
                f"GATEWAY_{name.upper()}_URL": str(api.upstream.url),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        ended = asyncio.ensure_future(process.communicate())
        while not (slow.hits or ended.done()):  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)
        process.send_signal(end)
        out, err = await ended

        assert re.search("cleaning up +nothing is left", out.decode()), err.decode()
        assert process.returncode == 130
        assert "Stopping, once all is cleaned up." in err.decode()
        assert TOKEN not in (out + err).decode()
        assert api.state() == before


@pytest.mark.slow
async def test_what_keeps_failing_does_not_keep_the_rest():
    """Groups that can't be deleted leave calls enough to put the customers back."""
    async with APIS["commercetools"]() as api:
        groups, customers = api.state()
        api.faults.add(Answer(500), method="DELETE", times=None)
        await api.examine(customers=2)

        assert api.calls < WRITE_BUDGET
        assert api.state()[1] == customers
        left = [each for each in api.state()[0] if each not in groups]
        assert len(left) == len(api.left) > 1
        assert all(any(group.id in each.call for each in api.left) for group in left)
