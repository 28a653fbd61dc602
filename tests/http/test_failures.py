"""What nobody expected: masked for the client, logged once for the operator."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.app import create_app
from gateway.rest import UpstreamCall
from gateway.schema.relay import global_id
from gateway.simulator.faults import Answer
from gateway.telemetry import OperationDone
from tests.harness import Events, Flow, Gateway, codes, served, settings

SECRET = "s3cret-host.internal"  # noqa: S105  # made up


class Broken(httpx.AsyncBaseTransport):
    """A transport with a bug: it raises what no layer has heard of."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise RuntimeError(SECRET)


@asynccontextmanager
async def broken_gateway() -> AsyncIterator[Gateway]:
    events = Events()
    app = create_app(
        settings(f"http://{SECRET}/v2"),
        observe=events.note,
        make_transport=lambda _upstream: Broken(),
    )
    async with served(app) as url, httpx.AsyncClient(trust_env=False) as client:
        yield Gateway(client, url, events)


@pytest.mark.slow
@pytest.mark.parametrize(
    "query",
    [
        '{ ok: __typename it: customerGroup(by: {uid: "a"}) { name } }',
        "{ ok: __typename it: customerGroups { totalCount } }",
        'mutation { ok: __typename it: createCustomerGroup(input: {name: "a"}) '
        "{ customerGroup { id } } }",
        'mutation { ok: __typename it: deleteCustomerGroup(input: {customerGroup: {uid: "a"}}) '
        "{ deletedUid } }",
    ],
)
async def test_a_failure_nobody_expected_shows_the_request_id_and_nothing_else(query, caplog):
    """Its field is null, its siblings are intact, and the log has where it was under that id: the
    message may hold anything.
    """
    async with broken_gateway() as gateway:
        response = await gateway.post(query, headers={"X-Request-Id": "r-1"})

    body = response.json()
    [error] = body["errors"]
    assert response.status_code == 200
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "r-1"}
    assert error["path"][0] == "it"
    assert body["data"]["ok"] in ("Query", "Mutation")
    assert SECRET not in response.text
    assert "RuntimeError" not in response.text

    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.name == "gateway.http"
    assert "r-1" in record.getMessage()
    assert SECRET not in record.getMessage()


@pytest.mark.slow
async def test_what_a_failure_costs_in_many_places_is_logged_as_that_of_one(caplog):
    """graphql-core raises it again for each."""
    ids = json.dumps([global_id("CustomerGroup", "shop", "a")] * 200)
    async with broken_gateway() as gateway:
        body = await gateway.ask(f"{{ nodes(ids: {ids}) {{ id }} }}")

    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(body["errors"]) == 101
    assert len(record.getMessage()) < 5_000
    assert "handle_async_request" in record.getMessage()  # where it was raised
    assert record.exc_info is None
    assert SECRET not in caplog.text


async def test_one_failure_of_many_fields_is_logged_once(caplog):
    """Fields of one batch fail together; the traceback is the same for all."""
    aliases = " ".join(f'g{n}: customerGroup(by: {{uid: "g{n}"}}) {{ name }}' for n in range(20))
    async with broken_gateway() as gateway:
        body = await gateway.ask(f"{{ {aliases} }}")

    assert codes(body) == ["INTERNAL_SERVER_ERROR"] * 20
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


async def test_a_mistake_of_the_client_is_not_logged_as_an_error(gateway, caplog):
    """Neither a wrong document, nor a value that a scalar can't take, nor a missing token."""
    for query in ("{", "{ nope }", "{ customerGroups(first: " + "9" * 5000 + ") { totalCount } }"):
        await gateway.ask(query)
    await gateway.ask('{ customerGroup(by: {uid: ".."}) { name } }')
    await gateway.ask('{ customerGroup(by: {uid: "a"}) { name } }', token=None)

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_client_that_leaves_halfway_is_not_logged_as_an_error(gateway, caplog):
    """Its body never comes: that is no failure of ours."""
    host, port = gateway.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b'Content-Length: 100\r\n\r\n{"query"'
    )
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.05)

    assert await gateway.query("{ __typename }") == {"__typename": "Query"}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# -- events


async def test_an_operation_tells_its_cost_and_its_errors(gateway: Gateway, flow: Flow):
    """One event an operation, behind those of its REST calls."""
    flow.add_group("gold")

    await gateway.ask(
        """query Names {
            customerGroup(by: {uid: "gold"}) { name customers { totalCount } }
            bad: customerGroup(by: {uid: ".."}) { name }
            worse: node(id: "x") { id }
        }""",
        operationName="Names",
    )

    done = gateway.events[-1]
    assert isinstance(done, OperationDone)
    assert done.operation_name == "Names"
    assert done.rest_calls == len(flow.calls) == 2
    assert list(done.error_codes) == ["BAD_USER_INPUT", "BAD_USER_INPUT"]
    assert done.seconds > 0
    assert [type(event) for event in gateway.events] == [UpstreamCall, UpstreamCall, OperationDone]


async def test_a_call_that_was_sent_again_is_told_beside_the_calls(gateway: Gateway, flow: Flow):
    """The operation cost two calls, one of them because the other had failed."""
    flow.add_group("gold")
    flow.fail(Answer(503))

    await gateway.query('{ customerGroup(by: {uid: "gold"}) { name } }')

    done = gateway.events[-1]
    assert isinstance(done, OperationDone)
    assert (done.rest_calls, done.repeats, len(flow.calls)) == (2, 1, 2)


async def test_an_operation_that_never_ran_is_an_event_too(gateway: Gateway):
    """With the code of what was wrong, and no REST call."""
    await gateway.ask("{")
    await gateway.ask("{ nope }")

    assert [
        (event.rest_calls, list(event.error_codes))
        for event in gateway.events
        if isinstance(event, OperationDone)
    ] == [(0, ["GRAPHQL_PARSE_FAILED"]), (0, ["GRAPHQL_VALIDATION_FAILED"])]


@pytest.mark.parametrize("name", ["x\n2026 INFO gateway all is well", "token of ada", "n" * 129])
async def test_an_operation_name_that_is_none_is_no_log_line(gateway: Gateway, name):
    """Ahead of parsing it may be any text."""
    await gateway.ask("{", operationName=name)

    [done] = gateway.events
    assert isinstance(done, OperationDone)
    assert done.operation_name is None


async def test_no_event_carries_a_token_or_a_value(gateway: Gateway, flow: Flow):
    """Not even in its repr; the tenant is named, for an operator has to know whose calls fail."""
    flow.add_group("gold", "Gold members")

    await gateway.query('{ customerGroup(by: {uid: "gold"}) { name customers { totalCount } } }')

    shown = repr(gateway.events)
    for secret in ("token-of-ada", "gold", "Gold members", flow.url):
        assert secret not in shown
