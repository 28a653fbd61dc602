"""The command: what it prints and how it ends."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from gateway.doctor import examine
from gateway.settings import Settings, SettingsError
from gateway.simulator.faults import Answer
from tests.doctor.patients import examined, the
from tests.harness import TENANT, TOKEN, Flow, settings
from tests.test_command_line import run

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
