"""What the lines of the log say, and that docs/operations.md has all of it."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path

import pytest

from gateway.rest import BreakerChanged, UnusableAnswer, UpstreamCall
from gateway.telemetry import (
    ChangeDone,
    ContractDeviation,
    Draining,
    LimitReached,
    OperationDone,
    RedisCall,
    RedisChanged,
    RequestRefused,
    Stopped,
    UntrustedDocument,
)
from gateway.telemetry.log_lines import Log
from gateway.telemetry.log_output import Line
from tests.harness import TOKEN, Flow, Gateway, running_gateway, settings

ROOT = Path(__file__).parents[2]
NAMED = 'query Names { customerGroup(by: {uid: "gold"}) { name } }'
CLIENT = {"apollographql-client-name": "web", "apollographql-client-version": "1.2"}
EVENTS = [
    Draining(seconds=5),
    Stopped(cut_off=0),
    OperationDone(operation_name="Names", seconds=0.5, error_codes=(), request_id="r1"),
    ChangeDone(
        kind="deleteCustomerGroup",
        outcome="done",
        tenant="shop",
        backend="flow_retail",
        group_uid="gold",
        group_key=None,
        token=None,
        client=None,
        client_version=None,
        request_id="r1",
    ),
    UpstreamCall(
        backend="flow_retail",
        tenant="shop",
        method="GET",
        template="/x",
        status=500,
        cause="status 500",
        seconds=0.1,
        attempt=1,
        request_id="r1",
    ),
    UnusableAnswer(
        backend="b", tenant="t", template="/x", cause="`name` is missing", request_id="r1"
    ),
    ContractDeviation(
        backend="b", template="/x", member="a", kind="missing", example="absent", known=False
    ),
    BreakerChanged(backend="b", tenant="t", state="open", limited=True),
    LimitReached(limit="max_head"),
    RequestRefused(status=431, limit="max_head"),
    UntrustedDocument(operation_name="Names", sha256="0", request_id="r1"),
    RedisCall(use="rate_limit", result="refused", cause="OutOfMemoryError"),
    RedisChanged(state="away"),
]


def done(gateway: Gateway) -> OperationDone:
    [event] = [event for event in gateway.events if isinstance(event, OperationDone)]
    return event


async def test_an_operation_says_who_asked_what_of_whom(gateway: Gateway, flow: Flow):
    """Its name is the document's, though the client does not repeat it."""
    flow.add_group("gold")

    await gateway.post(NAMED, headers=CLIENT)

    event = done(gateway)
    assert (event.kind, event.operation_name, event.status) == ("query", "Names", 200)
    assert event.sha256 == hashlib.sha256(NAMED.encode()).hexdigest()
    assert (event.tenant, event.backend) == ("shop", "flow_retail")
    assert (event.client, event.client_version) == ("web", "1.2")
    assert (event.rest_calls, event.planned, event.limit) == (1, 1, 100)


async def test_a_refused_request_is_told_too(gateway: Gateway):
    """With its status, and what is known by then."""
    response = await gateway.client.post(f"{gateway.url}/graphql", content="x", headers=CLIENT)

    event = done(gateway)
    assert event.status == response.status_code == 415
    assert (event.kind, event.client, list(event.error_codes)) == (None, "web", ["BAD_REQUEST"])


async def test_a_client_s_name_is_cut(gateway: Gateway):
    """It can be as long as a head."""
    await gateway.post("{ __typename }", headers={"graphql-client-name": "x" * 5_000})

    assert done(gateway).client == "x" * 64


@pytest.mark.parametrize(("keys", "same"), [(("k" * 16, "k" * 16), True), ((None, None), False)])
async def test_a_token_has_one_fingerprint_where_processes_share_a_key(flow: Flow, keys, same):
    """Without a key nobody can make it of a token, whoever guesses one."""
    found = []
    for key in keys:
        async with running_gateway(settings(flow.url, fingerprint_key=key)) as gateway:
            await gateway.post("{ __typename }")
            found.append(done(gateway).token)

    assert (found[0] == found[1]) is same
    assert re.fullmatch("[0-9a-f]{12}", found[0] or "")
    assert hashlib.blake2b(TOKEN.encode(), digest_size=16).hexdigest()[:12] not in found


def lines(caplog: pytest.LogCaptureFixture, *events: object) -> list[Line]:
    with caplog.at_level(logging.DEBUG, logger="gateway"):
        log = Log(clock=lambda: 0.0)
        for event in events:
            log(event)  # type: ignore[arg-type]
    return [record.msg for record in caplog.records if isinstance(record.msg, Line)]


def test_refusals_at_the_door_are_counted_between_lines(caplog):
    """A client that is refused a thousand times a second does not fill the log."""
    found = lines(caplog, *[RequestRefused(status=431, limit="max_head")] * 5)

    assert [str(line) for line in found] == ["refused status=431 limit=max_head count=1"]


def test_the_page_has_every_line_and_its_fields(caplog):
    """And no other."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [A-Z]+ \| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE)
    documented = {event: re.findall(r"\w+", fields) for event, fields in rows}

    found = {line.event: list(line._fields) for line in lines(caplog, *EVENTS)}

    assert documented == found | {
        "log_dropped": ["count", "total"],
        "spans_lost": ["count", "total", "cause"],
        "unexpected": ["type", "request", "trace_id"],
        "reloaded": ["log_level", "manifests"],
        "reload_failed": ["mistake"],
        "restart_needed": ["settings"],
        "worker_ready": ["worker", "pid"],
        "worker_ended": ["worker", "pid", "cause", "another_in"],
        "workers_replaced": ["count"],
        "replacing_failed": ["worker"],
    }
