"""Callers whose token no backend has accepted: who they are, and what they may take."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import pytest

from gateway.simulator.faults import Answer
from tests.attacks import SAME_NAMES
from tests.harness import Flow, Gateway, codes, running_gateway, settings

MINE = "{ customerGroups { totalCount } }"
TINY = 0.000_001
"""A share so small that whoever has used it up is not let in again while a test runs."""


def near_limit(number: int) -> str:
    """A document that takes some milliseconds, and that nobody has sent before."""
    return SAME_NAMES["duplicate deep objects"] + f"#{number}"


async def flood(gateway: Gateway, *, token: str | None = None) -> None:
    """Have strangers use up what they may take."""
    for number in range(1_000):
        response = await gateway.post(near_limit(number), token=token)
        if response.status_code == 503:
            return
    pytest.fail("Strangers can take as much as they like.")


@pytest.fixture
async def narrow(flow: Flow):
    """A gateway whose strangers have nothing left after half a second, and do not wait for long."""
    chosen = settings(flow.url, stranger_share=TINY, deadline=1)
    async with running_gateway(chosen) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("token", [None, "made-up"])
async def test_strangers_are_refused_when_their_share_is_used_up(narrow: Gateway, token):
    """503 with Retry-After, as a GraphQL answer; a made-up token is no better than none."""
    await flood(narrow, token=token)

    response = await narrow.post("{ tenant { uid } }", token=token)

    assert response.status_code == 503
    assert codes(response.json()) == ["OVERLOADED"]
    assert response.json()["errors"][0]["extensions"]["retryAfter"] >= 1
    assert re.fullmatch("[0-9]+", response.headers["Retry-After"])
    assert narrow.events[-1].error_codes == ("OVERLOADED",)


@pytest.mark.slow
async def test_a_caller_whom_a_backend_knows_is_not_held_up(narrow: Gateway):
    """However much strangers send, with new documents too."""
    await narrow.query(MINE)
    await flood(narrow)

    assert await narrow.query(MINE)
    assert await narrow.query("{ customerGroups { nodes { name } } }")


@pytest.mark.slow
async def test_a_caller_counts_as_a_stranger_again_after_401(narrow: Gateway, flow: Flow):
    """A token that was taken back is worth no more than a made-up one."""
    await narrow.query(MINE)
    flow.fail(Answer(401))
    await narrow.ask(MINE)
    await flood(narrow)

    assert codes(await narrow.ask("{ customerGroups { nodes { name } } }")) == ["OVERLOADED"]


@pytest.mark.slow
async def test_what_was_refused_is_charged_too(narrow: Gateway):
    """Documents with mistakes cost as much as others."""
    for number in range(1_000):
        text = "{ customerGroups { " + "unknown " * 900 + "} }" + f"#{number}"
        response = await narrow.post(text, token=None)
        if response.status_code == 503:
            return
    pytest.fail("Strangers can have as many mistakes explained as they like.")


@pytest.mark.slow
async def test_what_costs_no_rest_call_is_charged_too(narrow: Gateway):
    """Known documents with values that make them expensive."""
    query = "query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }"
    tenants = [{"__typename": "Tenant", "uid": f"t{number}"} for number in range(1_000)]
    for _ in range(1_000):
        response = await narrow.post(query, {"r": tenants}, token=None)
        if response.status_code == 503:
            return
    pytest.fail("Strangers can have as many entities as they like.")


@pytest.mark.slow
async def test_introspection_is_charged_too(narrow: Gateway):
    """Of a document that is known already."""
    types = "types { name fields { name args { name type { name kind } } } }"
    roots = " ".join(f"a{number}: __schema {{ {types} }}" for number in range(20))
    for _ in range(1_000):
        response = await narrow.post(f"{{ {roots} }}", token=None)
        if response.status_code == 503:
            return
    pytest.fail("Strangers can have the schema as often as they like.")


@pytest.mark.slow
async def test_what_takes_long_waits_as_well(flow: Flow):
    """Of requests that are all let in while there is time left: what they go on to take is held to
    the share too, and is given up when their time is over.
    """
    aliases = " ".join(f"a{number}: backend {{ kind }}" for number in range(40))
    below = f"{{ ... on Tenant {{ {aliases} }} }}"
    query = f"query ($r: [_Any!]!) {{ _entities(representations: $r) {below} }}"
    tenants = [{"__typename": "Tenant", "uid": f"t{number}"} for number in range(500)]
    async with running_gateway(settings(flow.url, stranger_share=TINY, deadline=2)) as gateway:
        rush = [gateway.ask(query, {"r": tenants}, token="made-up") for _ in range(60)]  # noqa: S106
        answered = await asyncio.gather(*rush)

    told = Counter(code for body in answered for code in set(codes(body)))
    assert told["OVERLOADED"] > 40


@pytest.mark.slow
async def test_those_who_wait_are_let_in(flow: Flow):
    """When what was taken is earned back."""
    async with running_gateway(settings(flow.url, stranger_share=0.5, deadline=60)) as gateway:
        rush = [gateway.post(near_limit(number), token=None) for number in range(50)]
        statuses = [response.status_code for response in await asyncio.gather(*rush)]

    assert set(statuses) == {200}


async def test_what_works_without_a_token_goes_on_working(gateway: Gateway):
    """Introspection, what a supergraph asks, and what costs no REST call."""
    for query in ("{ __typename }", "{ __schema { types { name } } }", "{ _service { sdl } }"):
        assert await gateway.query(query, token=None)
    assert await gateway.query("{ tenant { uid backend { kind } } }", token=None)
