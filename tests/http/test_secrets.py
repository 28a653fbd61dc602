"""No token, no variable's value and no upstream URL gets into a log line or an answer."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.app import create_app
from gateway.simulator.faults import Answer, Body, Close, Delay, InvalidJson, LoseAnswer, Truncate
from gateway.telemetry.log_lines import log_event
from tests.harness import NO_TLS, TENANT, Flow, served, settings

TOKEN = "tkn-5f1d2c"  # noqa: S105  # it opens nothing but the simulator
VALUE = "vlu-77b3e9"

OPERATIONS = [
    (
        "query ($v: ID!) { customerGroup(by: {uid: $v}) { name customers { totalCount } } }",
        {"v": VALUE},
    ),
    ("query ($v: String!) { customerGroups(after: $v) { totalCount } }", {"v": VALUE}),
    ("query ($v: Int!) { customerGroups(first: $v) { totalCount } }", {"v": VALUE}),
    (
        "query ($v: CustomerGroupBy!) { customerGroup(by: $v) { name } }",
        {"v": {"uid": VALUE, "key": VALUE}},
    ),
    (
        "mutation ($v: String!) { createCustomerGroup(input: {name: $v}) { userErrors { code } } }",
        {"v": VALUE},
    ),
    (
        'mutation ($v: [ID!]!) { updateCustomerGroupMembers(input: {customerGroup: {uid: "gold"}, '
        "addCustomerUids: $v}) { userErrors { code } } }",
        {"v": [VALUE]},
    ),
    ("{ nope }", {"v": VALUE}),
    ("{", {"v": VALUE}),
]
EFFECTS = [
    None,
    Close(),
    LoseAnswer(),
    InvalidJson(),
    Truncate(10),
    Answer(500, b'{"message": "see http://internal.example"}'),
    Answer(401),
    Answer(429, headers={"Retry-After": "0"}),
    Body(b'{"items": 1}'),
    Delay(1),
]


class Broken(httpx.AsyncBaseTransport):
    """A transport with a bug, which tells everything."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise KeyError(f"{request.url} {request.headers} {request.content!r}")


@pytest.mark.slow
@pytest.mark.parametrize("bug", [False, True])
async def test_nothing_of_a_caller_or_a_host_is_logged_at_any_level(flow: Flow, caplog, bug):
    """Whatever goes wrong, with every logger of the process at its most talkative. Answers hold
    neither token nor host; of values, only what the client is told is wrong with its own.
    """
    flow.store.add_token(TOKEN, [TENANT])
    flow.add_group("gold")
    host = urlsplit(flow.url).netloc
    more = {"make_transport": lambda _upstream: Broken()} if bug else {}
    app = create_app(settings(flow.url, deadline=0.4), observe=log_event, **more)
    answers = []
    client = httpx.AsyncClient(timeout=20, trust_env=False, verify=NO_TLS)
    async with served(app) as url, client:
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("httpx").setLevel(logging.CRITICAL)  # the test's own client
            logging.getLogger("httpcore").setLevel(logging.CRITICAL)
            for effect in EFFECTS:
                for query, variables in OPERATIONS:
                    flow.faults.clear()
                    if effect is not None:
                        flow.fail(effect, times=None)
                    response = await client.post(
                        f"{url}/graphql",
                        json={"query": query, "variables": variables},
                        headers={"Authorization": f"Bearer {TOKEN}"},
                    )
                    answers.append(response.text)

    # The simulator, its server and this test's client are of one process with the gateway.
    records = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    logged = "\n".join(f"{r.getMessage()} {r.exc_text or ''} {r.__dict__}" for r in records)
    assert len(records) >= len(EFFECTS) * len(OPERATIONS)
    for secret in (TOKEN, VALUE, host, "internal.example", "/v2"):
        assert secret not in logged, secret
    for secret in (TOKEN, host, "internal.example"):
        assert secret not in "\n".join(answers), secret
