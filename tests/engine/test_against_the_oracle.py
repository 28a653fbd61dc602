"""What the gateway makes of an operation is what graphql-core makes of it: to the letter."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.backends.flow_retail import FlowRetail
from gateway.engine import Engine, Limits, Refused
from gateway.engine._plan.plan import BYTES_PER_SERIALIZER
from gateway.http import answers
from gateway.request import Context
from gateway.rest import Upstream
from gateway.schema.relay import global_id
from gateway.settings import Bounds, FlowRetailSettings
from tests.engine import oracle
from tests.engine.caches import taken as taken_by
from tests.engine.selections import VARIABLES, documents, text
from tests.harness import TENANT, asking, engine, schema, sent_to
from tests.test_tolerance import CUSTOMER, GROUP, cases, sample

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "300"))
SCHEMA = schema()._schema
BOUNDS = Bounds(default_page_size=3, max_page_size=50, max_membership_uids=100)
GENEROUS = Limits(
    max_tokens=20_000,
    max_fields=20_000,
    max_root_fields=100,
    max_comparisons=10**6,
    max_depth=40,
    max_aliases=1000,
    max_directives=1000,
    max_fragment_spreads=1000,
)
GROUPS = [f"g{number}" for number in range(6)]
BROKEN_CUSTOMERS = [row for _, row in cases(CUSTOMER, "customerUid")]
BROKEN_GROUPS = [row for _, row in cases(GROUP, "customerGroupUid")]


class Imagined(httpx.AsyncBaseTransport):
    """A Flow Retail that makes up its answers: always the same for the same path, and broken as
    often as `seed` and `how_broken` say.
    """

    def __init__(self, seed: int, how_broken: float) -> None:
        self._seed = seed
        self._how_broken = how_broken
        self.calls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = sent_to(request)
        place = f"{self._seed} {url.raw_path.decode()}"
        self.calls.append(place)
        chance = random.Random(hashlib.sha256(place.encode()).digest())  # noqa: S311  # no secret
        if chance.random() < self._how_broken / 4:
            status = chance.choice([404, 401, 403, 500, 400])
            return httpx.Response(status, json={"message": "No."}, request=request)
        path = url.path
        if path.endswith("/customers") and request.method == "PUT":
            return httpx.Response(204, request=request)
        if path.endswith("/customers"):
            body = self._page(url, chance, [self._customer(chance, n) for n in range(4)])
        elif path.endswith("/customer-groups"):
            body = self._page(url, chance, [self._group(chance, uid) for uid in GROUPS])
        else:
            body = self._group(chance, path.rsplit("/", 1)[1])
        return httpx.Response(200, content=msgspec.json.encode(body), request=request)

    def _page(self, url: httpx.URL, chance: random.Random, rows: list[Any]) -> Any:
        size, number = (int(url.params[name]) for name in ("pageSize", "pageNumber"))
        start = (number - 1) * size
        paging = {"pageNumber": number, "pageSize": size, "totalCount": len(rows)}
        if chance.random() < self._how_broken / 4:
            paging.pop(chance.choice(sorted(paging)))
        return {"items": rows[start : start + size], "paging": paging}

    def _customer(self, chance: random.Random, number: int) -> Any:
        broken = chance.random() < self._how_broken
        row = dict(chance.choice(BROKEN_CUSTOMERS) if broken else sample(CUSTOMER))
        if isinstance(row.get("customerUid"), str):
            row["customerUid"] = f"c{number}"
        return row | {"customerGroupUids": chance.sample(GROUPS, 2)}

    def _group(self, chance: random.Random, uid: str) -> Any:
        broken = chance.random() < self._how_broken
        row = dict(chance.choice(BROKEN_GROUPS) if broken else sample(GROUP))
        if isinstance(row.get("customerGroupUid"), str):
            row["customerGroupUid"] = uid
        return row


def by(draw: st.DrawFn) -> str:
    uid = draw(st.sampled_from(GROUPS))
    return f"(by: {{uid: {text(uid)}}})"


def window(draw: st.DrawFn) -> str:
    return draw(
        st.sampled_from(["", "", "(first: 2)", "(first: 0)", "(last: 2)", "(first: 3, offset: 1)"])
    )


def ids(draw: st.DrawFn) -> list[str]:
    uids = draw(st.lists(st.sampled_from([*GROUPS, "..", ""]), min_size=1, max_size=4))
    return [global_id("CustomerGroup" if uid else "Tenant", TENANT, uid) for uid in uids]


ARGUMENTS = {
    "Query.customerGroup": by,
    "Tenant.customerGroup": by,
    "Query.customerGroups": window,
    "Tenant.customerGroups": window,
    "CustomerGroup.customers": window,
    "Query.node": lambda draw: f"(id: {text(ids(draw)[0])})",
    "Query.nodes": lambda draw: f"(ids: {json.dumps(ids(draw))})",
}
CHANGES = {
    "updateCustomerGroup": 'input: {customerGroup: {uid: "g1"}, name: "Gold"}',
    "updateCustomerGroupMembers": 'input: {customerGroup: {uid: "g2"}, addCustomerUids: ["c1"]}',
}


def new_engine(**more: Any) -> Engine:
    return engine(GENEROUS, suggestions=True, introspection=True, **more)


def context(transport: httpx.AsyncBaseTransport, *, max_errors: int = 10_000) -> Context:
    settings = FlowRetailSettings(url="http://flow.example/v2", retries=0)
    upstream = Upstream("flow_retail", settings, transport, lambda _event: None)
    bounds = replace(BOUNDS, max_errors=max_errors)
    return asking(FlowRetail(upstream, settings), bounds)


def again(asked: Context) -> Context:
    """A context that has read what this one has, and shown nothing."""
    fresh = Context(asked.client, asked.tenants, asked.bounds)
    fresh._loaders = asked.loaders
    return fresh


async def answer(
    run_by: Engine,
    query: str,
    asked: Context,
    *,
    by_oracle: bool = False,
    variables: Mapping[str, Any] = VARIABLES,
    name: str | None = None,
    calls: list[str] | None = None,
) -> Any:
    """The response's body, as the endpoint makes it; and the calls that a change came to, which
    has all read anew: another order of reads may come to others, which are broken otherwise.
    """
    before = len(calls or ())
    try:
        operation = run_by.prepare(query, name, variables, asked)
    except Refused as refusal:
        return {"refused": [error.formatted for error in refusal.errors]}
    if by_oracle:
        result = await oracle.execute(SCHEMA, query, asked, name=name, variables=variables)
    else:
        result = await operation.execute()
    body = answers.body(
        result.data,
        result.errors or (),
        max_errors=asked.bounds.max_errors,
        unlisted=asked.account.unlisted,
        request_id="r",
        executed=True,
    )
    if result.extensions:
        body["extensions"] = result.extensions
    encoded = msgspec.json.encode(body)
    body = json.loads(encoded)
    # What is below something that has become null is not told of.
    told = [each for each in asked.account.reported() if _shown(body["data"], each[0])]
    reports = sorted((str(path), failure.message) for path, failure in told)
    if len(reports) == asked.bounds.max_errors:  # the first, of those that came
        reports = [("any", "")] * len(reports)
    made = sorted(calls[before:]) if calls and operation.changes else []
    return {"body": body, "reports": reports, "bytes": encoded, "calls": made}


def _shown(data: Any, path: Sequence[str | int]) -> bool:
    for key in path:
        if data is None:
            return False
        data = data[key]
    return data is not None


def same(one: Any, other: Any) -> bool:
    """Whether the answers are the same, or can't be compared."""
    return bool(one == other or one.get("calls") != other.get("calls"))


@pytest.mark.slow
def test_the_oracle_gives_the_same_answer(record_property):
    """Data, order of keys, errors, their order, paths and locations, and warnings; over answers
    that are as they should be, and over broken ones; the first time and the second, when its
    functions are others, and with other conditions in between; in one go, and in the shortest time
    slices. The oracle needs no further call: all that is shown was read.
    """
    counts: Counter[str] = Counter()
    fast, whole, sliced = new_engine(), new_engine(project=None), new_engine(time_slice=0)

    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    @given(
        documents(SCHEMA, ARGUMENTS, levels=6, changes=CHANGES),
        st.integers(0, 2**32),
        st.sampled_from([0.0, 0.0, 0.02, 0.3, 0.6]),
        st.fixed_dictionaries(dict.fromkeys(VARIABLES, st.booleans())),
        st.sampled_from([2, 10_000]),
    )
    def compare(
        query: str, seed: int, how_broken: float, others: dict[str, bool], max_errors: int
    ) -> None:
        async def all_ways() -> tuple[Any, Any, Any, Any]:
            transport = Imagined(seed, how_broken)
            calls = transport.calls
            one, another, third = [context(transport, max_errors=max_errors) for _ in range(3)]
            try:
                got = await answer(fast, query, one, calls=calls)
                differing = await answer(fast, query, third, variables=others, calls=calls)
                # Over what was read: other batches may come to other calls, which are broken
                # in other places.
                differently = await answer(
                    fast, query, again(third), by_oracle=True, variables=others, calls=calls
                )
                assert same(differing, differently), query
                second = await answer(fast, query, again(one), calls=calls)
                assert same(second, await answer(sliced, query, again(one), calls=calls)), query
                made = one.client.meter.rest_calls
                wanted = await answer(fast, query, again(one), by_oracle=True, calls=calls)
                if not query.startswith("mutation"):
                    assert one.client.meter.rest_calls == made, query
                of_whole = await answer(whole, query, another, by_oracle=True, calls=calls)
                return got, second, wanted, of_whole
            finally:
                for each in (one, another, third):
                    await each.close()

        got, second, wanted, of_whole_records = asyncio.run(all_ways())
        counts["operations"] += 1
        counts["refused"] += "refused" in wanted
        counts["with errors"] += "errors" in wanted.get("body", {})
        counts["with warnings"] += "extensions" in wanted.get("body", {})
        counts["by other calls"] += got.get("calls") != wanted.get("calls")
        assert same(got, wanted), query
        assert same(second, wanted), query
        if not how_broken:  # what is broken and not looked at is nobody's business
            assert same(got, of_whole_records), query

    compare()
    for what, count in counts.items():
        record_property("Compared", ("operations, both ways", what, count))
    assert counts["with errors"] > counts["operations"] / 20
    assert counts["by other calls"] < counts["operations"] / 20


GOLD = global_id("CustomerGroup", TENANT, "g1")
OTHER = global_id("CustomerGroup", "nowhere", "g1")
TENANT_ID = global_id("Tenant", TENANT)
CUSTOMER_ID = global_id("Customer", TENANT, "c0")
ENTITIES = """query ($r: [_Any!]!) { _entities(representations: $r) { __typename
    ... on CustomerGroup { uid customers(first: 2) { totalCount nodes { customerGroups { uid } } } }
    ... on Tenant { uid backend { kind } customerGroups(first: 2) { edges { cursor } } } } }"""
NODES = """query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ...N } }
    fragment N on Node { again: id ...G } fragment G on CustomerGroup { name tenant { uid } }"""
SEVERAL = """query A { customerGroup(by: {uid: "g1"}) { uid } }
    query B($x: Boolean!) { customerGroup(by: {uid: "g1"}) { name uid @skip(if: $x) } }"""
MERGED = """{ customerGroup(by: {uid: "g1"}) { ...A ...B customers(first: 2) { totalCount } } }
    fragment A on CustomerGroup { customers(first: 2) { nodes { uid credit { limit } } } }
    fragment B on CustomerGroup { tenant { uid }
        customers(first: 2) { nodes { credit { balance } email } pageInfo { endCursor } } }"""
G1 = 'customerGroup(by: {uid: "g1"})'
NAMES = "__proto__ record info shape _0 v0 iv3 None class True __class__ lambda fragment on query"
NAMED = " ".join(f"{name}: uid" for name in NAMES.split())
WINDOW = "customerGroups(first: $n) { totalCount nodes { customers(first: $n) { nodes { uid } } } }"
ORDER = "customerGroups(first: 2, orderBy: {field: NAME, direction: $d}) { nodes { uid } }"
BY_HAND: list[tuple[str, dict[str, Any], str | None]] = [
    (ENTITIES, {"r": [good, bad, {"__typename": "Tenant", "uid": TENANT}, good]}, None)
    for good in [{"__typename": "CustomerGroup", "id": GOLD}]
    for bad in (
        {"__typename": "CustomerGroup", "tenantUid": TENANT, "uid": "g2"},
        {"__typename": "CustomerGroup", "uid": "g2", "info": "x"},
        {"__typename": "CustomerGroup", "id": OTHER},
        {"__typename": "Customer", "id": CUSTOMER_ID},
        {"__typename": ["CustomerGroup"]},
        {"__typename": "Tenant", "uid": "no/no"},
        {},
        3,
    )
]
BY_HAND += [
    (NODES, {"ids": ids}, None)
    for ids in ([], GOLD, [GOLD, "x", TENANT_ID, GOLD, OTHER, CUSTOMER_ID])
]
BY_HAND += [(SEVERAL, {"x": x}, name) for x in (True, False) for name in ("A", "B", "C", None)]
BY_HAND += [
    (f"query ($n: {kind}) {{ {WINDOW} }}", given, None)
    for kind in ("Int", "Int = 2", "Int = null", "Int! = 3")
    for given in ({}, {"n": None}, {"n": 2}, {"n": 0}, {"n": -1}, {"n": 51}, {"n": True})
]
BY_HAND += [
    (f"query ($d: {kind}) {{ {ORDER} }}", given, None)
    for kind in ("CustomerGroupSortDirection", "CustomerGroupSortDirection! = DESC")
    for given in ({}, {"d": None}, {"d": "DESC"})
]
BY_HAND += [
    (query, {}, None)
    for query in (
        MERGED,
        f"{{ None: {G1} {{ {NAMED} info: customers {{ class: __typename }} }} }}",
        f"{{ {G1} {{ uid: name name: uid }} __schema {{ queryType {{ name }} }} }}",
        "{ _service { __typename } tenant(uid: null) { uid } }",
        "{ customerGroups(first: null) { totalCount } }",
    )
]


@pytest.mark.slow
@pytest.mark.parametrize("how_broken", [0.0, 0.3])
async def test_the_oracle_gives_the_same_answer_to_what_is_written_by_hand(how_broken):
    """Entities, bad ids, variables that are absent or null, several operations, odd names: the same
    bytes, but for the order of errors, which is that of the answers; and no further call.
    """
    fast = new_engine()
    for query, variables, name in BY_HAND:
        asked = context(Imagined(3, how_broken))
        got = await answer(fast, query, asked, variables=variables, name=name)
        made = asked.client.meter.rest_calls
        second = await answer(fast, query, again(asked), variables=variables, name=name)
        wanted = await answer(
            fast, query, again(asked), by_oracle=True, variables=variables, name=name
        )
        await asked.close()

        for each in (got, second, wanted):
            each.get("body", {}).get("errors", []).sort(key=json.dumps)
        assert {**got, "bytes": 0} == {**wanted, "bytes": 0}, (query, variables)
        assert {**second, "bytes": 0} == {**wanted, "bytes": 0}, (query, variables)
        assert asked.client.meter.rest_calls == made, (query, variables)


async def test_what_is_below_a_plain_list_takes_room_too():
    """Seventy objects in each row of a page are seventy shapes, and not one selection."""
    fast = new_engine(document_memory=50_000_000)
    below = " ".join(f"a{number}: addresses {{ uid city }}" for number in range(70))
    asked = context(Imagined(1, 0.0))

    query = f"{{ customerGroups {{ nodes {{ customers {{ nodes {{ {below} }} }} }} }} }}"
    fast.prepare(query, None, {}, asked)
    await asked.close()

    assert taken_by(fast.documents) >= 70 * BYTES_PER_SERIALIZER
