"""What one operation may make the gateway do, however small it is."""

from __future__ import annotations

import pytest
from graphql import GraphQLError

from gateway.backends.port import Position
from gateway.http import answers
from gateway.schema.relay import encode_cursor
from gateway.simulator.faults import Answer
from gateway.telemetry import OperationDone
from tests.harness import Flow, Gateway, codes, running_gateway, settings

NESTED = """{
  customerGroups { nodes { customers { nodes {
    customerGroups { customers { nodes { uid } } }
  } } } }
}"""


@pytest.fixture
def crowd(flow: Flow) -> None:
    """Six groups with the same six customers: few to read, many to show."""
    groups = flow.add_groups(6)
    for number in range(6):
        flow.add_customer(f"c{number}", *groups)


@pytest.mark.slow
@pytest.mark.usefixtures("crowd")
async def test_rows_are_counted_each_time_they_are_shown(flow: Flow):
    """6 groups x 6 customers x their 6 groups x 6 customers: 7 calls, and 1,554 rows."""
    async with running_gateway(settings(flow.url, max_rows=1554)) as gateway:
        enough = await gateway.ask(NESTED)
    async with running_gateway(settings(flow.url, max_rows=1553)) as gateway:
        too_few = await gateway.ask(NESTED)

    assert "errors" not in enough
    assert set(codes(too_few)) == {"LIMIT_EXCEEDED"}
    assert "more than 1553 rows" in too_few["errors"][0]["message"]


@pytest.mark.usefixtures("crowd")
async def test_a_response_lists_only_so_many_errors(flow: Flow):
    """The others are counted, and so they are in the log."""
    flow.fail(Answer(500), path="/customers$", times=None)
    query = (
        "{ customerGroups { nodes { a: customers { totalCount } b: customers { totalCount } } } }"
    )

    async with running_gateway(settings(flow.url, max_errors=5)) as gateway:
        body = await gateway.ask(query)

    assert codes(body) == ["UPSTREAM_UNAVAILABLE"] * 5 + ["LIMIT_EXCEEDED"]
    assert body["errors"][-1]["message"] == "And 7 more errors."


@pytest.mark.parametrize("listed", [0, 2])
def test_what_was_only_counted_is_told_of_where_the_list_has_room_too(listed):
    """What was kept of a field's errors may be below what became null, and then is not told."""
    errors = [GraphQLError("no", path=["it", number]) for number in range(listed)]

    body = answers.body({}, errors, max_errors=5, unlisted=3, request_id="r", executed=True)

    assert len(body["errors"]) == listed + 1
    assert body["errors"][-1]["message"] == "And 3 more errors."
    assert body["errors"][-1]["extensions"]["found"] == listed + 3


async def test_a_forged_cursor_is_the_clients_mistake_and_no_one_elses(
    gateway: Gateway, flow: Flow
):
    """A uid of 60 kB would not fit into any URL; the field beside it is answered."""
    flow.add_group("gold")
    forged = encode_cursor(Position(1, "x" * 60_000))

    body = await gateway.ask(
        "query ($after: String) { a: customerGroups(after: $after) { nodes { uid } } "
        "b: customerGroups { nodes { uid } } }",
        {"after": forged},
    )

    assert body["data"] == {"a": None, "b": {"nodes": [{"uid": "gold"}]}}
    assert codes(body) == ["BAD_USER_INPUT"]
    assert isinstance(gateway.events[-1], OperationDone)
