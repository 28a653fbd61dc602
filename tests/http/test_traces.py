"""A client's trace goes on to the backend and into the log, without OpenTelemetry being there."""

from __future__ import annotations

import logging

import pytest

from gateway import VERSION
from gateway.simulator.faults import Answer
from gateway.telemetry.log_lines import Log
from tests.harness import Flow, Gateway, running_gateway, settings

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
HEADERS = {"traceparent": PARENT, "tracestate": "rojo=1,congo=2", "baggage": "user=ada"}
READ = "{ customerGroups { nodes { name } } }"
WRITE = 'mutation { createCustomerGroup(input: {name: "Gold"}) { userErrors { code } } }'


def traced(flow: Flow) -> list[dict[str, str]]:
    """The trace headers of each REST call."""
    return [
        {name: value for name, value in request.headers.items() if name in HEADERS}
        for request in flow.journal.requests
    ]


@pytest.mark.parametrize("document", [READ, WRITE])
async def test_rest_calls_carry_the_trace_of_their_operation(gateway, flow, document):
    """As the client has sent it; its baggage stays."""
    await gateway.query(document, headers=HEADERS)

    assert traced(flow) == [{"traceparent": PARENT, "tracestate": "rojo=1,congo=2"}]


async def test_a_call_that_is_sent_again_carries_it_again(gateway, flow):
    """The backend can tell both from others' calls."""
    flow.fail(Answer(503))

    await gateway.query(READ, headers=HEADERS)

    assert [headers["traceparent"] for headers in traced(flow)] == [PARENT, PARENT]


async def test_operations_side_by_side_carry_their_own(gateway, flow):
    """No call is shared by operations, so each has one trace."""
    parents = [PARENT, f"00-{'1' * 32}-{'2' * 16}-00"]
    for parent in parents:
        await gateway.query(READ, headers={"traceparent": parent})

    assert [headers["traceparent"] for headers in traced(flow)] == parents


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("tracestate", "rojo=1")],
        [("traceparent", PARENT.upper()), ("tracestate", "rojo=1")],
        [("traceparent", PARENT), ("traceparent", PARENT)],
    ],
)
async def test_without_a_valid_trace_none_is_made_up(gateway, flow, headers):
    """Nor by one that is repeated."""
    await gateway.client.post(
        f"{gateway.url}/graphql",
        json={"query": READ},
        headers=[("authorization", "Bearer token-of-ada"), *headers],
    )

    assert traced(flow) == [{}]
    assert gateway.events[-1].trace is None


@pytest.mark.parametrize("parent", [PARENT, ""])
async def test_baggage_goes_on_if_a_setting_says_so(flow, parent):
    """With a trace or without."""
    async with running_gateway(settings(flow.url, forward_baggage=True)) as gateway:
        await gateway.query(READ, headers={"baggage": "user=ada;local", "traceparent": parent})
        await gateway.query(READ, headers={"baggage": "user=a da", "traceparent": parent})

    assert [headers.get("baggage") for headers in traced(flow)] == ["user=ada;local", None]


async def test_the_log_has_the_trace_id(gateway, flow, caplog):
    """Of the operation, of its REST calls, and of what failed."""
    flow.fail(Answer(200, b'{"items": 1}'), times=None)
    flow.fail(Answer(500), times=1)
    log = Log()

    with caplog.at_level(logging.DEBUG, "gateway"):
        await gateway.ask(READ, headers=HEADERS)
        await gateway.post("{", headers=HEADERS)
        await gateway.post(WRITE, headers=HEADERS)
        for event in gateway.events:
            log(event)

    lines = [record.msg for record in caplog.records if hasattr(record.msg, "fields")]
    told = {line.event: line.fields.get("trace_id") for line in lines}
    assert told == dict.fromkeys(
        ("operation", "change", "rest_call", "rest_failed", "unusable_answer"), TRACE
    )
    assert len(lines) == len([line for line in lines if line.fields["trace_id"] == TRACE])


async def test_a_bug_is_logged_with_its_trace(flow, caplog):
    """Beside the id of the request."""

    class Broken:
        async def handle_async_request(self, _request):
            raise KeyError

        async def aclose(self): ...

    async with running_gateway(
        settings(flow.url), make_transport=lambda _upstream: Broken()
    ) as gateway:
        await gateway.ask(READ, headers=HEADERS)

    [line] = [record.msg for record in caplog.records if record.levelname == "ERROR"]
    assert line.fields["trace_id"] == TRACE


async def test_rest_calls_say_who_makes_them(gateway: Gateway, flow: Flow):
    """Not the client's program, but this one, with its version."""
    await gateway.query(READ, headers={"User-Agent": "Weird/1"})

    [request] = flow.journal.requests
    assert request.headers["user-agent"] == f"customer-groups-gateway/{VERSION}"
