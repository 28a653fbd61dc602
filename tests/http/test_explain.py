"""What an operation will cost, call by call: told without a call, and exactly what is estimated."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.engine import Refused
from gateway.http.explain import ExplainingContext, explanation
from gateway.request import Context
from gateway.schema.relay import global_id
from tests.engine.operations import operations
from tests.engine.test_cost_estimate import (
    BACKENDS,
    BOUNDS,
    NOBODY,
    Stage,
    cursors,
    stage,
)
from tests.harness import TENANT, Flow, Gateway, asking, codes, running_gateway, settings

GROUPS = "/tenants/{tenantUid}/customer-groups"
GROUP = f"{GROUPS}/{{customerGroupUid}}"
MEMBERS = f"{GROUP}/customers"
ON = {"X-Explain": "true"}
CHANGES = [
    'createCustomerGroup(input: {{name: "Blue"}}) {{ customerGroup {{ {shown} }} }}',
    'updateCustomerGroup(input: {{customerGroup: {{uid: "{uid}"}}, name: "B"}}) '
    "{{ customerGroup {{ {shown} }} }}",
    'updateCustomerGroup(input: {{customerGroup: {{uid: "{uid}"}}, name: "B", '
    'expectedRevision: "v1"}}) {{ customerGroup {{ {shown} }} }}',
    'updateCustomerGroupMembers(input: {{customerGroup: {{uid: "{uid}"}}, '
    'addCustomerUids: ["c1", "c2", "c3"]}}) {{ customerGroup {{ {shown} }} }}',
    'setCustomerGroupMembers(input: {{customerGroup: {{uid: "{uid}"}}, customerUids: ["c1"]}}) '
    "{{ customerGroup {{ {shown} }} }}",
    'deleteCustomerGroup(input: {{customerGroup: {{uid: "{uid}"}}, onlyIfEmpty: {flag}}}) '
    "{{ deletedUid }}",
]
SHOWN = [
    "uid",
    "name",
    "customers { totalCount nodes { uid } }",
    "customers(last: 3) { totalCount }",
]


@st.composite
def changes(draw: st.DrawFn, groups: list[str]) -> str:
    fields = []
    for number in range(draw(st.integers(1, 3))):
        change = draw(st.sampled_from(CHANGES)).format(
            uid=draw(st.sampled_from(groups)),
            shown=draw(st.sampled_from(SHOWN)),
            flag=draw(st.sampled_from(["true", "false"])),
        )
        fields.append(f"m{number}: {change}")
    return f"mutation {{ {' '.join(fields)} }}"


def explained(here: Stage, query: str, *, limit: int) -> Mapping[str, Any]:
    """The explanation; raises Refused."""
    known = asking(here.world.connector, BOUNDS, limit=limit)
    context = ExplainingContext(known.client, known.tenants, BOUNDS)
    estimate, refused = here.engine.explain(query, None, {}, context)
    return explanation(context, estimate, refused)


def calls(shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [call for hop in shown["hops"] for call in hop["calls"]]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("limits", [[100_000], range(1, 25)], ids=["generous", "few"])
def test_the_calls_are_together_what_is_estimated(backend, limits):
    """Whatever is asked for, and whether it fits, fits in part or not; what is run then makes no
    more of any call than was listed.
    """
    name, chosen = BACKENDS[backend]

    @hypothesis_settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        async def run() -> None:
            async with stage(name, **chosen) as here:
                groups = [*here.groups[:6], NOBODY]
                queries = operations(
                    tenant=TENANT,
                    groups=groups,
                    cursors=cursors,
                    unbounded=data.draw(st.booleans()),
                )
                for _ in range(6):
                    query = data.draw(st.one_of(queries, queries, changes(groups)))
                    await _compare(here, query, limit=data.draw(st.sampled_from(limits)))

        asyncio.run(run())

    try_one()


async def _compare(here: Stage, query: str, *, limit: int) -> None:
    before = len(here.world.calls)
    try:
        shown = explained(here, query, limit=limit)
    except Refused:
        with pytest.raises(Refused):
            await here.run(query, limit=limit)
        return
    assert sum(call["atMost"] for call in calls(shown)) == shown["atMost"], query
    assert all(call["atMost"] > 0 or call.get("metered") for call in calls(shown)), query
    assert here.world.calls[before:] == []
    if "refused" in shown:
        with pytest.raises(Refused):
            await here.run(query, limit=limit)
        return
    planned, meter = await here.run(query, limit=limit)
    assert shown["atMost"] == planned, query
    made = here.world.calls[before:]
    metered = any(call.get("metered") for call in calls(shown))
    if not metered and not meter.repeats:
        left = Counter({pattern: most for pattern, most in _patterns(shown)})
        for each in made:
            assert any(re.fullmatch(pattern, each) for pattern in left), (each, query)
        for pattern, most in left.items():
            found = [each for each in made if re.fullmatch(pattern, each)]
            assert len(found) <= most, (pattern, query)


def _patterns(shown: Mapping[str, Any]) -> list[tuple[str, int]]:
    """What the calls of a line look like in the journal, and at most how many there are."""
    by_line: Counter[tuple[str, ...]] = Counter()
    for call in calls(shown):
        lines = {f"{call['method']} {call['template']}"}
        if "orPagesOf" in call:
            lines.add(f"GET {call['orPagesOf']}")
        by_line[tuple(sorted(lines))] += call["atMost"]
    # What pages may stand for, too, is one line with those pages.
    merged: list[tuple[set[str], int]] = []
    for lines, most in by_line.items():
        together = set(lines)
        for other in [each for each in merged if each[0] & together]:
            merged.remove(other)
            together |= other[0]
            most += other[1]
        merged.append((together, most))
    return [("|".join(map(_pattern, lines)), most) for lines, most in merged]


def _pattern(line: str) -> str:
    method, template = line.split(" ")
    path = re.sub(r"^/(tenants/)?\{\w+\}/", "", template)
    return f"{method} {re.sub(r'{[^}]+}', '[^/=]+', path)}"


async def ask(gateway: Gateway, query: str, **more: Any) -> Any:
    body = await gateway.ask(query, headers=ON | more.pop("headers", {}), **more)
    assert body["data"] is None
    return body["extensions"]["explain"]


async def test_an_operation_is_explained_by_hop(gateway: Gateway, flow: Flow):
    """What is sent together is one hop; what needs an earlier answer comes later; nothing is
    sent.
    """
    shown = await ask(
        gateway,
        "{ customerGroups(first: 10) { totalCount nodes { customers(first: 5) "
        "{ nodes { customerGroups { name } } } } } }",
    )

    assert flow.calls == []
    assert shown == {
        "atMost": 11,
        "limit": 100,
        "hops": [
            {"calls": [line(GROUPS, 1, ["customerGroups"], ["customerGroups.totalCount"])]},
            {
                "calls": [
                    line(
                        MEMBERS,
                        10,
                        ["customerGroups.nodes.customers"],
                        cheaper="It is read for each of 10 rows of `customerGroups`; with "
                        "`first: 5` there: at most 6 REST calls in all.",
                    )
                ]
            },
            {
                "calls": [
                    line(
                        GROUP,
                        0,
                        ["customerGroups.nodes.customers.nodes.customerGroups"],
                        orPagesOf=GROUPS,
                        metered=True,
                    )
                ]
            },
        ],
    }


def line(
    template: str, most: int, fields: list[str], shared: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "backend": "flow_retail",
        "tenant": TENANT,
        "method": more.pop("method", "GET"),
        "template": template,
        "atMost": most,
        "fields": fields,
        "shared": shared or [],
        **more,
    }


async def test_what_is_known_ahead_is_in_the_first_hop(gateway: Gateway):
    """Members of a group that the arguments name are read beside the group; and what is asked for
    twice is read once.
    """
    shown = await ask(
        gateway,
        '{ a: customerGroup(by: {uid: "g"}) { name customers { nodes { uid } } } '
        'b: customerGroup(by: {uid: "g"}) { customers { totalCount nodes { uid } } } }',
    )

    assert shown["hops"] == [
        {
            "calls": [
                line(GROUP, 1, ["a"], ["b"]),
                line(MEMBERS, 1, ["a.customers"], ["b.customers", "b.customers.totalCount"]),
            ]
        }
    ]


SHARED = [
    (
        "{ a: customerGroups(first: 3) { totalCount nodes { uid } } %s }",
        "b: customerGroups(first: 3) { totalCount pageInfo { endCursor } }",
    ),
    (
        '{ a: customerGroup(by: {uid: "g"}) { name } %s }',
        'b: customerGroup(by: {uid: "g"}) { createdAt }',
    ),
    (
        '{ a: customerGroup(by: {uid: "g"}) { customers { nodes { uid } %s } } }',
        "b: totalCount",
    ),
]


@pytest.mark.parametrize(("query", "more"), SHARED)
async def test_what_shares_a_call_costs_nothing_more(gateway: Gateway, query, more):
    without, with_it = await ask(gateway, query % ""), await ask(gateway, query % more)

    shared = [path for call in calls(with_it) for path in call["shared"]]
    assert any("b" in path.split(".") for path in shared)
    assert with_it["atMost"] == without["atMost"]


async def test_the_steps_of_a_change_follow_one_another(gateway: Gateway, flow: Flow):
    """The check before it, it, and what its payload reads; then the next change."""
    shown = await ask(
        gateway,
        'mutation { a: updateCustomerGroup(input: {customerGroup: {uid: "g"}, name: "New", '
        'expectedRevision: "r"}) { customerGroup { customers { totalCount } } } '
        'b: deleteCustomerGroup(input: {customerGroup: {uid: "g"}, onlyIfEmpty: true}) '
        "{ deletedUid } }",
    )

    assert flow.calls == []
    assert [hop["calls"] for hop in shown["hops"]] == [
        [line(GROUP, 1, ["a"])],
        [line(GROUP, 1, ["a"], method="PUT")],
        [line(MEMBERS, 1, ["a.customerGroup.customers.totalCount"])],
        [line(MEMBERS, 1, ["b"])],
        [line(GROUP, 1, ["b"], method="DELETE")],
    ]


async def test_more_calls_may_find_out_who_is_refused(gateway: Gateway, flow: Flow):
    """A change of customers is sent again in parts where some are refused."""
    flow.add_group("g")
    change = (
        'mutation { updateCustomerGroupMembers(input: {customerGroup: {uid: "g"}, '
        'addCustomerUids: ["c1", "c2", "c3"]}) { results { status } } }'
    )

    shown = await ask(gateway, change)

    changing = line(MEMBERS, 1, ["updateCustomerGroupMembers"], method="PUT", metered=True)
    assert shown["hops"] == [{"calls": [changing]}]
    await gateway.query(change)
    assert len(flow.calls) > shown["atMost"]


async def test_groups_of_any_hop_may_be_read_in_pages(gateway: Gateway, flow: Flow):
    """Where there are several."""
    uids = flow.add_groups(4)
    ids = json.dumps([global_id("CustomerGroup", TENANT, uid) for uid in uids])
    query = (
        f"{{ nodes(ids: {ids}) {{ ... on CustomerGroup {{ name tenant "
        '{ customerGroup(by: {uid: "other"}) { name } } } } }'
    )

    shown = await ask(gateway, query)

    first, second = shown["hops"]
    assert first == {"calls": [line(GROUP, 4, ["nodes"], orPagesOf=GROUPS)]}
    assert [call["fields"] for call in second["calls"]] == [["nodes.tenant.customerGroup"]]
    await gateway.query(query)
    assert flow.calls[0] == "GET customer-groups"


async def test_what_is_above_the_limit_is_explained_with_its_refusal(flow: Flow):
    async with running_gateway(settings(flow.url, max_rest_calls=5)) as gateway:
        shown = await ask(
            gateway, "{ customerGroups(first: 7) { nodes { customers { totalCount } } } }"
        )

        assert shown["atMost"] == 8
        assert shown["refused"].startswith("This operation may need 8 REST calls; at most 5")
        assert sum(call["atMost"] for call in calls(shown)) == 8


CHEAPER = [
    (
        "{ a: customerGroups(last: 9, orderBy: {field: NAME}) { nodes { uid } } }",
        "a(last: 9, orderBy: {field: NAME})",
        "a(first: 9, orderBy: {field: NAME, direction: DESC})",
        {},
    ),
    (
        "{ a: customerGroups(last: 9) { nodes { uid } } }",
        "a(last: 9)",
        "a(last: 9, orderBy: {field: NAME})",
        {"mirrored_sorts": True},
    ),
    ("{ a: customerGroups(first: 9) { nodes { uid } } }", "a(first: 9)", "a(first: 8)", {}),
    (
        "{ a: customerGroups(first: 4) { nodes { b: customers(first: 4) { totalCount } } } }",
        "a(first: 4)",
        "first: 2",
        {},
    ),
]


@pytest.mark.parametrize(("query", "now", "instead", "flow_retail"), CHEAPER)
async def test_what_is_said_to_be_cheaper_is(flow: Flow, query, now, instead, flow_retail):
    """With what the sentence says, the estimate is what it says."""
    chosen = settings(flow.url, flow_retail={"max_page_size": 8, **flow_retail})
    async with running_gateway(chosen) as gateway:
        shown = await ask(gateway, query)
        [sentence] = [call["cheaper"] for call in calls(shown) if "cheaper" in call]
        assert instead in sentence
        bound = int(re.search(r"at most (\d+) REST call", sentence)[1])
        args = instead if "(" in instead else now.split("(")[0] + f"({instead})"
        changed = query.replace(
            now.replace("a(", "a: customerGroups("), args.replace("a(", "a: customerGroups(")
        )
        assert changed != query

        assert (await ask(gateway, changed))["atMost"] == bound < shown["atMost"]


@pytest.mark.parametrize(
    ("query", "cheaper"),
    [
        (
            "{ a: customerGroups(first: 3) { nodes { uid } } b: customerGroups { totalCount } }",
            "{ a: customerGroups(first: 3) { nodes { uid } totalCount } }",
        ),
        (
            "{ a: customerGroups(last: 3) { nodes { uid } totalCount } }",
            "{ a: customerGroups(last: 3) { nodes { uid } } }",
        ),
    ],
)
async def test_a_total_that_costs_a_call_of_its_own_is_told(gateway: Gateway, query, cheaper):
    shown, other = await ask(gateway, query), await ask(gateway, cheaper)

    [sentence] = [
        call["cheaper"] for call in calls(shown) if call["fields"][0].endswith("totalCount")
    ]
    bound = int(re.search(r"at most (\d+) REST call", sentence)[1])
    assert other["atMost"] == bound == shown["atMost"] - 1


async def test_what_can_not_be_cheaper_says_nothing(gateway: Gateway):
    shown = await ask(
        gateway,
        '{ customerGroups(first: 20) { totalCount } customerGroup(by: {uid: "g"}) { name } }',
    )

    assert [call for call in calls(shown) if "cheaper" in call] == []


async def test_it_is_switched_on_by_the_profile_or_the_setting(flow: Flow):
    """Without it, what is to be explained does not run either."""
    for chosen, explains in (
        ({"profile": "production"}, False),
        ({"profile": "production", "explain": True}, True),
        ({"explain": False}, False),
        ({}, True),
    ):
        async with running_gateway(settings(flow.url, **chosen)) as gateway:
            query = 'mutation { createCustomerGroup(input: {name: "x"}) { customerGroup { uid } } }'
            response = await gateway.post(query, headers=ON)

            assert ("explain" in response.json().get("extensions", {})) is explains
            assert response.status_code == (200 if explains else 400)
            assert flow.calls == []


async def test_few_estimates_are_made_of_large_changes():
    """Each goes through all their customers."""
    lists = " ".join(
        f"c{size}: customers(last: {size}) {{ nodes {{ uid }} }}" for size in range(41, 46)
    )
    change = (
        'updateCustomerGroupMembers(input: {customerGroup: {uid: "g"}, addCustomerUids: $uids})'
    )
    query = f"mutation ($uids: [ID!]!) {{ {change} {{ customerGroup {{ {lists} }} }} }}"
    made: list[int] = []
    async with stage("flow_retail") as here:
        for customers in (1, 10_000):
            known = asking(here.world.connector, settings("http://unused"), limit=1_000)
            context = ExplainingContext(known.client, known.tenants, known.bounds)
            uids = {"uids": [f"c{number}" for number in range(customers)]}
            estimate, refused = here.engine.explain(query, None, uids, context)
            estimates: list[Context] = []

            def counted(asked: Context, estimate: Any = estimate, into: Any = estimates) -> Any:
                into.append(asked)
                return estimate(asked)

            explanation(context, counted, refused)
            made.append(len(estimates))

    few, many = made[1], made[0]
    assert 1 < few <= 3 < many


@pytest.mark.parametrize("value", ["on", "tru", "true, true", "2"])
async def test_what_says_neither_yes_nor_no_runs_nothing(gateway: Gateway, flow: Flow, value):
    query = 'mutation { createCustomerGroup(input: {name: "x"}) { customerGroup { uid } } }'

    response = await gateway.post(query, headers={"X-Explain": value})

    assert response.status_code == 400
    assert flow.calls == []


async def test_a_get_is_explained_as_a_post_is(gateway: Gateway, flow: Flow):
    """A change too: nothing is sent."""
    query = 'mutation { createCustomerGroup(input: {name: "x"}) { customerGroup { uid } } }'
    got = await gateway.client.get(
        f"{gateway.url}/graphql",
        params={"query": query},
        headers=ON | {"Authorization": "Bearer any"},
    )

    assert got.status_code == 200
    assert got.json()["extensions"]["explain"] == await ask(gateway, query)
    assert flow.calls == []


async def test_a_document_that_is_refused_answers_its_errors(gateway: Gateway):
    for query in ("{ nothing }", "{", "{ customerGroups(first: 1000) { totalCount } }"):
        body = await gateway.ask(query, headers=ON)

        assert body == await gateway.ask(query)
        assert "explain" not in body.get("extensions", {})


async def test_strangers_are_told_of_no_tenant_but_the_open_one(flow: Flow):
    """Without a token, tenants that exist look like those that do not, as when it is run."""
    async with running_gateway(settings(flow.url)) as gateway:
        seen = [
            await ask(gateway, "{ customerGroups { totalCount } }", token=None, headers=tenant)
            for tenant in ({"X-Tenant": "acme"}, {"X-Tenant": "none"}, {})
        ]

        assert seen[0] == seen[1] == {"atMost": 0, "limit": 100, "hops": []}
        assert seen[2]["atMost"] == 1


async def test_no_value_of_an_argument_is_shown(gateway: Gateway):
    """Templates only: neither uids nor names nor the project's key."""
    for query in (
        '{ customerGroup(by: {uid: "SECRET"}) { customers { nodes { uid } } } }',
        'mutation { createCustomerGroup(input: {name: "SECRET"}) { customerGroup { uid } } }',
    ):
        assert "SECRET" not in str(await ask(gateway, query))


async def test_an_unlisted_document_is_refused_under_enforce(flow: Flow, tmp_path):
    manifest = tmp_path / "trusted.json"
    manifest.write_text("{}")
    chosen = settings(flow.url, trusted_mode="enforce", trusted_documents=(str(manifest),))
    async with running_gateway(chosen) as gateway:
        body = await gateway.ask("{ customerGroups { totalCount } }", headers=ON)

        assert codes(body) == ["PERSISTED_QUERY_NOT_ALLOWED"] or codes(body)
        assert "explain" not in body.get("extensions", {})
