"""What an operation comes to that has used up its REST calls: reads fail alone, writes are done
whole or not begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from graphql import ExecutionResult

from gateway.errors import LimitExceeded
from gateway.request import Client, Context, Tenants
from gateway.settings import Bounds
from gateway.telemetry import Meter
from tests.backends.worlds import World, worlds
from tests.engine import oracle
from tests.harness import TOKEN, schema

SCHEMA = schema()._schema


@pytest.fixture(params=["flow_retail", "commercetools"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with worlds(request.param) as running:
        yield running


async def ask(
    world: World, query: str, variables: Mapping[str, object] | None = None, *, limit: int
) -> tuple[Any, ExecutionResult]:
    """The data, and all of the result, of an operation that may make `limit` REST calls."""
    client = Client(
        tokens={"authorization": TOKEN},
        request_id="r1",
        tenant_uid=world.tenant,
        began=0.0,
        deadline=asyncio.get_running_loop().time() + 10,
        meter=Meter(limit=limit),
    )
    bounds = Bounds(default_page_size=20, max_page_size=100, max_membership_uids=1000)
    context = Context(client, Tenants(connectors={}, default=world.connector), bounds)
    world.journal.clear()
    try:
        result = await oracle.execute(SCHEMA, query, context, variables=variables)
    finally:
        await context.close()
    assert len(world.calls) == client.meter.rest_calls <= limit
    return result.data, result


def failed(result: ExecutionResult) -> list[list[str | int]]:
    """Where the calls were used up; nothing else went wrong."""
    errors = result.errors or []
    assert {type(error.original_error) for error in errors} <= {LimitExceeded}
    return [error.path or [] for error in errors]


async def test_a_list_that_does_not_fit_fails_alone(world):
    """Those of its siblings that came first are answered."""
    for number in range(4):
        world.add_customer(world.add_group(f"Group {number}"))

    data, result = await ask(
        world, "{ customerGroups { nodes { name customers { totalCount } } } }", limit=3
    )

    counts = [
        node["customers"] and node["customers"]["totalCount"]
        for node in data["customerGroups"]["nodes"]
    ]
    assert sorted(counts, key=str) == [1, 1, None, None]
    assert len(failed(result)) == 2


async def test_a_group_that_does_not_fit_is_no_null_without_an_error(world):
    """`null` alone would say that there is no such group."""
    uids = [world.add_group(f"Group {number}") for number in range(2)]
    query = "query ($a: ID!, $b: ID!) {" + "".join(
        f" {name}: customerGroup(by: {{uid: ${name}}}) {{ name }}" for name in "ab"
    )

    data, result = await ask(world, query + " }", {"a": uids[0], "b": uids[1]}, limit=1)

    assert data == {"a": {"name": "Group 0"}, "b": None}
    assert failed(result) == [["b"]]


CHANGES = {
    "create": """mutation ($name: String!) {
        it: createCustomerGroup(input: {name: $name}) { userErrors { code } }
    }""",
    "rename": """mutation ($uid: ID!, $name: String!) {
        it: updateCustomerGroup(input: {
            customerGroup: {uid: $uid}, name: $name, expectedRevision: "v1"
        }) { userErrors { code } }
    }""",
    "delete": """mutation ($uid: ID!) {
        it: deleteCustomerGroup(input: {customerGroup: {uid: $uid}, onlyIfEmpty: true}) {
            userErrors { code }
        }
    }""",
    "edit members": """mutation ($uid: ID!, $customer: ID!) {
        it: updateCustomerGroupMembers(input: {
            customerGroup: {uid: $uid}, addCustomerUids: [$customer]
        }) { userErrors { code } }
    }""",
    "set members": """mutation ($uid: ID!, $customer: ID!) {
        it: setCustomerGroupMembers(input: {
            customerGroup: {uid: $uid}, customerUids: [$customer]
        }) { userErrors { code } }
    }""",
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_is_done_whole_or_not_begun(world, name):
    """With any number of calls too few, nothing was written: a look was taken at most."""
    variables = {"uid": world.add_group("Gold"), "customer": world.add_customer(), "name": "New"}
    for limit in range(12):
        data, result = await ask(world, CHANGES[name], variables, limit=limit)

        assert not result.errors
        codes = [error["code"] for error in data["it"]["userErrors"]]
        if codes != ["LIMIT_EXCEEDED"]:
            break
        assert [call for call in world.calls if not call.startswith("GET")] == []
    else:
        raise AssertionError("It was never done.")
    assert limit > 0
    # An outdated revision may be found out by a look.
    assert codes in ([], ["REVISION_CONFLICT"])


async def test_of_several_changes_each_is_whole(world):
    """One after another, as the calls last; what a change answers besides is read if it fits."""
    data, result = await ask(
        world,
        "mutation { "
        + " ".join(
            f'c{number}: createCustomerGroup(input: {{name: "New {number}"}}) {{'
            " customerGroup { name customers { totalCount } } userErrors { code field } }"
            for number in range(3)
        )
        + " }",
        limit=3,
    )

    made = [data[f"c{number}"]["customerGroup"] for number in range(3)]
    assert [group and group["name"] for group in made] == ["New 0", "New 1", None]
    assert made[0]["customers"] == {"totalCount": 0}
    assert made[1]["customers"] == {"totalCount": None}
    assert data["c2"]["userErrors"] == [{"code": "LIMIT_EXCEEDED", "field": None}]
    assert failed(result) == [["c1", "customerGroup", "customers", "totalCount"]]
