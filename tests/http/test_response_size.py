"""How large one response may get, whatever its text multiplies."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from graphql import ExecutionResult

from gateway.engine._run.account import STRANGERS
from gateway.http.endpoint import Endpoint
from gateway.request import Tenants
from gateway.settings import Settings
from tests.harness import NO_TLS, Flow, Gateway, codes, running_gateway, served, settings
from tests.two_backends import Commercetools, both, running_commercetools

ENTITIES = """query ($r: [_Any!]!) { _entities(representations: $r) { ... on Tenant {
  %s
} } } fragment F on CustomerGroupBackend { %s: kind }"""
MANY_NAMES = " ".join(f"a{n}: name" for n in range(30))
NOBODY = "http://127.0.0.1:1/v2"


def tenants(count: int) -> dict[str, Any]:
    return {"r": [{"__typename": "Tenant", "uid": f"t{number}"} for number in range(count)]}


@pytest.fixture
async def wien() -> AsyncIterator[Commercetools]:
    async with running_commercetools() as system:
        yield system


@pytest.fixture
def long_name(flow: Flow) -> None:
    """A group with a name of 10 kB, and twenty customers who are in it alone."""
    flow.add_group("gold", "n" * 10_000)
    flow.add_customers(20, "gold")


async def test_what_costs_no_rest_call_has_little_room_while_nobody_knows_the_token(
    gateway: Gateway,
):
    """A made-up token: 9,900 values under names of 100 characters."""
    kinds = " ".join(f"{'z' * 98}{n:02}: kind" for n in range(99))
    query = f"""query ($r: [_Any!]!) {{
        _entities(representations: $r) {{ ... on Tenant {{ backend {{ {kinds} }} }} }}
    }}"""

    answer = await gateway.post(query, tenants(100), token="made-up")  # noqa: S106

    assert len(answer.content) < 1.2 * STRANGERS  # with its errors
    error = answer.json()["errors"][0]
    assert error["extensions"]["limit"] == "max_response_body"
    assert error["extensions"]["allowed"] == STRANGERS


@pytest.mark.slow
async def test_an_accepted_token_has_all_of_the_room(gateway: Gateway, flow: Flow):
    """In this request or an earlier one."""
    flow.add_group("gold")
    query = ENTITIES % (" ".join(f"a{n}: backend {{ ...F }}" for n in range(50)), "z" * 90)
    known = "{ customerGroups { nodes { uid } } }"
    await gateway.query(known)

    answer = await gateway.post(query, tenants(100))

    assert len(answer.content) > 50 * 100 * 100
    assert codes(answer.json()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("long_name")
@pytest.mark.parametrize(
    "query",
    [
        pytest.param(
            f"{{ customerGroups {{ nodes {{ {MANY_NAMES} }} }} }}",
            id="in one object",
        ),
        pytest.param(
            '{ customerGroup(by: {uid: "gold"}) { '
            "customers { nodes { customerGroups { name } more: customerGroups { name } } } } }",
            id="in many places",
        ),
        pytest.param(
            '{ customerGroup(by: {uid: "gold"}) { customers { nodes { customerGroups { name '
            "customers(first: 1) { totalCount } } } } } }",
            id="in objects that are not plain",
        ),
        pytest.param(
            "{ __schema { queryType { name } } "
            f"customerGroups {{ nodes {{ {MANY_NAMES} }} }} }}",
            id="beside introspection",
        ),
    ],
)
async def test_text_of_the_upstream_counts_wherever_it_is_shown(flow: Flow, query: str):
    """What fits is answered, and what does not is an error at its field: never more bytes."""
    async with running_gateway(settings(flow.url, max_response_body=1_000_000)) as gateway:
        fits = await gateway.post(query)
    async with running_gateway(settings(flow.url, max_response_body=150_000)) as gateway:
        too_much = await gateway.post(query)

    assert codes(fits.json()) == []
    assert len(fits.content) > 200_000
    assert set(codes(too_much.json())) == {"LIMIT_EXCEEDED"}
    assert len(too_much.content) < 150_000


@pytest.mark.slow
async def test_an_estimate_is_about_what_the_response_has(flow: Flow):
    """Of an answer of many fields, most of them null: not twice as much, nor half."""
    flow.add_group("gold")
    flow.add_customers(50, "gold")
    query = """{ customerGroup(by: {uid: "gold"}) { uid name revision createdAt
        customers(first: 50) { totalCount pageInfo { hasNextPage endCursor } edges { cursor node {
            id uid tenantUid firstname createdAt addresses { city } ehf { enabled }
            customerGroupUids customerGroups { uid name }
    } } } } }"""
    async with running_gateway(settings(flow.url)) as gateway:
        size = len((await gateway.post(query)).content)
    async with running_gateway(settings(flow.url, max_response_body=size * 2)) as gateway:
        fits = await gateway.ask(query)
    async with running_gateway(settings(flow.url, max_response_body=size // 2)) as gateway:
        too_much = await gateway.ask(query)

    assert codes(fits) == []
    assert set(codes(too_much)) == {"LIMIT_EXCEEDED"}


@pytest.mark.slow
async def test_bytes_are_held_to_their_limit_either_way(flow: Flow):
    """Whether anything in the answer failed or not."""
    groups = flow.add_groups(5)
    for number in range(20):
        flow.add_customer(f"c{number}", *groups, firstname="Ada")
    shown = """customerGroup(by: {uid: "g000"}) { customers(first: 20) { nodes { uid firstname
        customerGroups { uid name customers(first: 2) { edges { node { id firstname } } } } } } }"""
    ways = [f"{{ {shown} }}", f'{{ {shown} nodes(ids: ["bad"]) {{ id }} }}']
    async with running_gateway(settings(flow.url)) as gateway:
        size = len((await gateway.post(ways[0])).content)
    for share, fits in ((1.3, True), (0.7, False)):
        allowed = int(share * size)
        async with running_gateway(settings(flow.url, max_response_body=allowed)) as gateway:
            bodies = [await gateway.ask(way) for way in ways]

        assert ["LIMIT_EXCEEDED" not in codes(body) for body in bodies] == [fits, fits]


async def test_what_takes_more_bytes_than_characters_is_found_in_the_end(flow: Flow):
    """Control characters take six each."""
    flow.add_group("gold", "\x01" * 1_000)
    query = "{ customerGroups { nodes { name } } }"

    async with running_gateway(settings(flow.url, max_response_body=5_000)) as gateway:
        body = await gateway.ask(query)

    assert body["data"] is None
    [error] = body["errors"]
    assert error["extensions"]["limit"] == "max_response_body"
    assert error["extensions"]["found"] > 6_000


@pytest.mark.slow
async def test_introspection_counts_too(flow: Flow):
    """Under many names it is as large as anything."""
    types = "{ types { name description fields { name description } } }"
    query = "{ " + " ".join(f"a{n}: __schema {types}" for n in range(20)) + " }"

    async with running_gateway(settings(flow.url, max_response_body=200_000)) as gateway:
        answer = await gateway.post(query)

    assert "LIMIT_EXCEEDED" in codes(answer.json())
    assert len(answer.content) < 200_000


async def test_custom_fields_of_any_kind_count(wien: Commercetools):
    """Numbers, lists and objects, as JSON."""
    uid = wien.add_group("Gold", key="gold", fields={"tags": ["a" * 100] * 100})
    query = """query ($uid: ID!) { customerGroup(tenantUid: "wien", by: {uid: $uid}) {
        commercetools { custom { fields { a: value b: value c: value } } } } }"""

    async with running_gateway(both(NOBODY, wien.url)) as gateway:
        fits = await gateway.post(query, {"uid": uid})
    async with running_gateway(both(NOBODY, wien.url, max_response_body=20_000)) as gateway:
        too_much = await gateway.ask(query, {"uid": uid})

    assert codes(fits.json()) == []
    assert len(fits.content) > 30_000
    assert set(codes(too_much)) == {"LIMIT_EXCEEDED"}


async def test_a_change_is_told_whole_and_what_is_read_below_it_counts(flow: Flow):
    """Results and the group's own fields are there; its customers have the usual limits."""
    flow.add_group("gold", "n" * 500)
    uids = flow.add_customers(60)
    mutation = """mutation ($add: [ID!]!) {
      updateCustomerGroupMembers(input: {customerGroup: {uid: "gold"}, addCustomerUids: $add}) {
        results { customerUid action status error { code } }
        userErrors { code }
        customerGroup { name customers(first: 60) { nodes { uid email firstname } } }
      }
    }"""

    async with running_gateway(settings(flow.url, max_values=100)) as gateway:
        body = await gateway.ask(mutation, {"add": uids})

    payload = body["data"]["updateCustomerGroupMembers"]
    assert len(payload["results"]) == 60
    assert payload["customerGroup"] == {"name": "n" * 500, "customers": None}
    assert set(codes(body)) == {"LIMIT_EXCEEDED"}
    assert flow.members("gold") == uids


async def test_a_change_has_a_bound_for_what_is_asked_for_many_times(flow: Flow):
    """Each of ten customers under a hundred names: told as an error, beside the change."""
    flow.add_group("gold", "n" * 100)
    uids = flow.add_customers(10)
    aliases = " ".join(f"a{n}: status" for n in range(100))
    mutation = f"""mutation ($input: UpdateCustomerGroupMembersInput!) {{
      updateCustomerGroupMembers(input: $input) {{
        results {{ {aliases} }} customerGroup {{ name }}
      }}
    }}"""

    async with running_gateway(settings(flow.url, max_membership_uids=10)) as gateway:
        given = {"customerGroup": {"uid": "gold"}, "addCustomerUids": uids}
        body = await gateway.ask(mutation, {"input": given})

    assert codes(body) == ["LIMIT_EXCEEDED"]


class Unencodable:
    """Operations that come to half of a character, which no encoder takes."""

    changes = False
    untrusted = None

    def prepare(self, *_given: object, **_more: object) -> Unencodable:
        return self

    def knows(self, *_given: object, **_more: object) -> bool:
        return True

    async def execute(self) -> ExecutionResult:
        return ExecutionResult(data={"name": "\ud83d"})


async def test_what_can_not_be_encoded_is_a_graphql_answer_all_the_same():
    """The client hears of a failure, and nothing is left of the connection's good order."""
    endpoint = Endpoint(
        Unencodable(),  # type: ignore[arg-type]
        Tenants(connectors={}),
        Settings(get_queries=True, stranger_share=1),
        observe=lambda _event: None,
        graphiql=None,
    )

    async with served(endpoint) as url, httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        answer = await client.get(f"{url}/graphql?query={{name}}")

    assert answer.status_code == 500
    assert codes(answer.json()) == ["INTERNAL_SERVER_ERROR"]


NAMES = """query ($uid: ID!, $names: [String!]) {
    customerGroup(tenantUid: "wien", by: {uid: $uid}) {
        customers(first: 100) { nodes { commercetools { custom { %s } } } }
} }"""


async def test_more_names_than_any_type_has_are_refused_ahead(wien: Commercetools):
    """For each object they would be an error, and work."""
    uid = wien.add_group("Gold", key="gold")

    async with running_gateway(both(NOBODY, wien.url)) as gateway:
        body = await gateway.ask(
            NAMES % "fields(names: $names) { name }",
            {"uid": uid, "names": [f"n{number}" for number in range(501)]},
        )

    assert "data" not in body
    [error] = body["errors"]
    assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert error["extensions"]["found"] == 501
    assert error["locations"]
    assert wien.calls == []


@pytest.mark.slow
async def test_names_are_made_a_set_once_a_request(wien: Commercetools):
    """A hundred customers under seventy names, each with 500 names to look for."""
    uid = wien.add_group("Gold", key="gold")
    custom = {"type": {"typeId": "type", "id": "t"}, "fields": {"size": 38}}
    for _ in range(100):
        wien.add_customer(uid, custom=custom)
    many = " ".join(f"a{n}: fields(names: $names) {{ name }}" for n in range(70))
    names = [f"n{number}" for number in range(499)]

    async with running_gateway(both(NOBODY, wien.url)) as gateway:
        began = time.thread_time()
        body = await gateway.ask(NAMES % many, {"uid": uid, "names": ["size", *names]})
        taken = time.thread_time() - began

    assert codes(body) == [], body
    customers = body["data"]["customerGroup"]["customers"]["nodes"]
    assert customers[0]["commercetools"]["custom"]["a7"] == [{"name": "size"}]
    # Of 7,000 sets of 500 names, the making alone takes longer.
    assert taken < 2
