"""What the doctor finds out about a commercetools project."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gateway.doctor import examine
from gateway.doctor.commercetools import NOTHING, Carried, SeenRows, membership, total
from gateway.doctor.report import Report
from gateway.settings import Settings
from gateway.simulator.commercetools.switches import Switches
from gateway.simulator.faults import Answer, Exchange
from tests.backends.worlds import CommercetoolsWorld, shop
from tests.doctor.patients import the
from tests.harness import TENANT, TOKEN

OTHER = "token-of-another"
BY_ASSIGNMENTS = "members by assignments"

FOUND: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("assignments_predicate", "supported"): {
        BY_ASSIGNMENTS: "12 rows, 0 that are none, 0 not found",
        "membership": "both",
    },
    ("assignments_predicate", "refused"): {
        BY_ASSIGNMENTS: "refused with 400",
        "membership": "legacy: both would show more, but is refused",
    },
    ("group_predicates", "name"): {
        "groups by their name": "a predicate finds them (1 rows)",
        "groups by their id": "a predicate is refused with 400: cursors use offsets",
        "groups by their key": "a predicate is refused with 400",
    },
    ("group_predicates", "id"): {
        "groups by their name": "a predicate finds them (1 rows)",
        "groups by their id": "a predicate finds them (10 rows)",
        "groups by their key": "a predicate is refused with 400",
    },
    ("group_predicates", "key"): {
        "groups by their id": "a predicate finds them (10 rows)",
        "groups by their key": "a predicate finds them (1 rows)",
    },
    ("default_order", "creation"): {"order without sort": "the same twice, by createdAt"},
    ("default_order", "id"): {"order without sort": "the same twice, by id"},
    ("total", "exact"): {"total of groups": "exact: 20 for 20", "total of customers": "exact"},
    ("total", "low"): {
        "total of groups": "too low: 17 for 20 rows",
        "total of customers": "too low",
        "total of a group's members": "too low",
    },
    ("total", "high"): {
        "total of groups": "too high: 23 for 20 rows",
        "total of customers": "too high",
        "total of a group's members": "too high",
    },
    ("no_assignments", "list"): {"a customer without assignments": "an empty list (9 rows)"},
    ("no_assignments", "absent"): {"a customer without assignments": "no such member (9 rows)"},
}
"""What is found for each position of each switch that shows when one reads."""
UNREADABLE = {
    "conflict_version",
    "version_step",
    "delete_referenced",
    "add_assigned",
    "remove_unassigned",
    "missing_member",
    "max_groups",
}
"""Switches that only show when something is changed."""


def fill(world: CommercetoolsWorld) -> list[str]:
    """20 groups; the first has 12 customers by assignments, and 5 more by the older field alone."""
    groups = [world.add_group(f"Group {number:02}", key=f"key-{number}") for number in range(20)]
    names = ["Ada", "bob", "Cem", "Émile", "Zoe"]
    for number in range(12):
        world.add_customer(groups[0], groups[1], **person(names[number % 5], number))
    for number in range(5):
        world.add_customer(legacy=groups[0], **person(names[number], 20 + number))
    for number in range(4):
        world.add_customer(**person(names[number], 30 + number))
    return groups


def person(name: str, number: int) -> dict[str, Any]:
    return {
        "firstName": name,
        "lastName": f"Name {number % 3}",
        "companyName": f"Company {number}",
        "email": f"{number:03}@shop.example",
        "addresses": [],
        "isEmailVerified": True,
    }


async def examined(world: CommercetoolsWorld, *, token: str = TOKEN, **more: Any) -> Report:
    chosen = Settings(
        default_backend="commercetools", commercetools=world.settings, doctor_rate=1000, **more
    )
    return await examine(chosen, TENANT, token)


@asynccontextmanager
async def filled(**switches: Any):
    async with shop() as world:
        fill(world)
        for name, value in switches.items():
            setattr(world.switches, name, value)
        yield world


@pytest.mark.slow
@pytest.mark.parametrize(("switch", "position"), FOUND)
async def test_each_position_of_each_switch_is_found_out(switch, position):
    """By reading, in at most 40 calls, and nothing is printed of who the customers are."""
    async with filled(**{switch: position}) as world:
        report = await examined(world)

        for question, found in FOUND[switch, position].items():
            assert found in the(report, question).found
        assert len(world.calls) <= 40
        assert {request.method for request in world.journal.requests} == {"GET"}
        assert not [name for name in ("Zoe", "shop.example", "Group 0") if name in report.text()]


def test_no_switch_is_forgotten():
    """All positions of all switches are above, or show only when something is changed; a latency
    is measured.
    """
    hints = get_type_hints(Switches)
    known = {name for name, _ in FOUND} | UNREADABLE | {"latency"}

    assert {each.name for each in fields(Switches)} == known
    assert {(name, each) for name, _ in FOUND for each in get_args(hints[name])} == set(FOUND)


@pytest.mark.slow
async def test_latency_is_measured():
    """In the middle of all answers."""
    async with filled(latency=0.02) as world:
        [found] = [each for each in (await examined(world)).findings if each.question == "latency"]

        assert int(found.found.split()[0]) >= 20


@pytest.mark.slow
async def test_an_api_as_documented_needs_no_setting():
    """Each order is kept in both directions, and the defaults agree."""
    async with shop() as world:
        gold = world.add_group("Gold", key="gold")
        world.add_group("Silver")
        for number in range(7):
            world.add_customer(gold, **person(f"Name {number % 4}", number))
        report = await examined(world)

        assert (report.exit_code, report.toml()) == (0, "")
        assert the(report, "membership").setting == ("membership", "assignments")
        for field in ("firstName", "lastName", "email", "createdAt"):
            assert the(report, f"sort customers by {field}").found.startswith("kept; DESC mirrors")
        assert the(report, "largest limit").found == "500; 501 is refused with 400"
        assert the(report, "largest offset").found == ("10000 is taken, 10001 is refused with 400")
        assert "errors: [{code: text" in the(report, "error bodies").found
        assert the(report, "members and values").found.startswith("as documented")


async def test_nothing_is_found_out_where_there_is_nothing():
    """And why is said."""
    async with shop() as world:
        world.store.add_project(TENANT)
        report = await examined(world)

        assert report.exit_code == 0
        for question in ("membership", "sort by id", "predicates on groups", "order without sort"):
            assert the(report, question).certainty == "not found out"


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (("view_products",), "the token may not read groups, nor customers"),
        (None, "refused with 401"),
    ],
)
async def test_a_token_that_is_not_good_ends_it(scopes, expected):
    """At once; whether customers could be read is told beside."""
    async with filled() as world:
        if scopes:
            world.store.add_token(OTHER, [TENANT], scopes=scopes)
        report = await examined(world, token=OTHER)

        assert report.exit_code == 3
        assert len(world.calls) == (2 if scopes else 1)
        assert expected in the(report, "reached").found


async def test_groups_can_be_examined_without_the_right_to_read_customers():
    """What needs customers says so."""
    async with filled() as world:
        world.store.add_token(OTHER, [TENANT], scopes=("view_customer_groups",))
        report = await examined(world, token=OTHER)

        assert "view_customers (403)" in the(report, "customers").found
        assert "view_customers (403)" in the(report, "membership").found
        assert the(report, "total of groups").found == "exact: 20 for 20 rows"


async def test_another_project_and_another_api_are_not_this_one():
    """Nothing else is asked."""
    async with filled() as world:
        chosen = Settings(
            default_backend="commercetools", commercetools=world.settings, doctor_rate=1000
        )
        absent = await examine(chosen, "another", TOKEN)
        world.faults.add(Answer(200, b"<html>Welcome</html>"), times=2)
        page = await examined(world)

        assert absent.exit_code == page.exit_code == 3
        assert "is there such a project" in the(absent, "reached").found
        assert "HTML" in the(page, "reached").found


# -- APIs that pass over what they are asked


@dataclass(frozen=True)
class Asked:
    """Lets the API see another query than was sent."""

    change: Callable[[list[tuple[str, str]]], list[tuple[str, str]]]

    async def play(self, exchange: Exchange) -> None:
        query = self.change(parse_qsl(exchange.scope["query_string"].decode()))
        scope = {**exchange.scope, "query_string": urlencode(query).encode()}
        await exchange.app(scope, exchange.receive, exchange.send)


def without(name: str, part: str = "") -> Asked:
    return Asked(lambda query: [each for each in query if each[0] != name or part not in each[1]])


@pytest.mark.slow
async def test_an_order_that_is_passed_over_is_seen():
    """Both directions are the same then."""
    async with filled() as world:
        world.faults.add(without("sort", "Name"), times=None)
        report = await examined(world)

        assert the(report, "sort customers by firstName").found.startswith("not kept")
        assert the(report, "sort customers by email").found.startswith("kept")


@pytest.mark.slow
async def test_a_predicate_that_is_passed_over_is_seen():
    """A list of all customers is no list of members."""
    async with filled() as world:
        world.faults.add(without("where"), times=None)
        report = await examined(world)

        assert "21 rows, 4 that are none" in the(report, "members by both").found
        assert the(report, "groups by their id").found == "a predicate is passed over (20 rows)"
        assert the(report, "membership").found.startswith("members can't be listed")
        assert the(report, "membership").setting is None


@pytest.mark.slow
async def test_a_limit_that_is_clamped_is_seen():
    """Lists that the gateway reads by 500 would lose rows."""
    async with filled() as world:
        world.faults.add(
            Asked(lambda query: [(n, "10" if n == "limit" else v) for n, v in query]), times=None
        )
        report = await examined(world)

        assert the(report, "largest limit").found == "500 is clamped to 10: lists lose rows"
        assert the(report, "total of groups").found == "exact (rows behind offset 19)"


@dataclass(frozen=True)
class Where:
    """Answers otherwise what has such a part in its query."""

    part: str
    answer: Answer

    async def play(self, exchange: Exchange) -> None:
        query = exchange.scope["query_string"].decode()
        await (self.answer.play(exchange) if self.part in query else exchange.forward())


@pytest.mark.slow
async def test_what_fails_is_not_taken_for_a_refusal():
    """Only 400 says that a predicate is not known: else nothing is claimed."""
    async with filled() as world:
        world.faults.add(
            Where("where=customerGroupAssignments%28", Answer(500)), path="/customers", times=None
        )
        report = await examined(world)

        assert the(report, "membership").certainty == "not found out"
        assert "answered 500" in the(report, "membership").found


@pytest.mark.slow
async def test_customers_who_are_too_large_for_one_page_are_asked_for_by_fewer():
    """The gateway itself asks for as many as a client wants to see."""
    async with filled() as world:
        for number in range(120):
            world.add_customer(**person("Ada", 100 + number))
        world.faults.add(Where("limit=500", Answer(200, b"[")), path="/customers", times=None)
        report = await examined(world)

        assert the(report, "customers").found == "the token may read the project's 100 or more"
        assert the(report, "membership").setting == ("membership", "both")
        assert the(report, "total of customers").found == "exact (rows behind offset 140)"


@pytest.mark.slow
async def test_a_project_larger_than_a_page_is_examined_as_well():
    """In as many calls as there are at most; a few customers who were never moved are found."""
    async with shop() as world:
        with world.store.transaction():
            groups = [world.add_group(f"Group {number}") for number in range(520)]
            for number in range(700):
                old = groups[5] if number % 100 == 0 else None
                world.add_customer(groups[number % 3], legacy=old, **person("Ada", number))
        world.faults.add(Where("limit=500", Answer(200, b"[")), path="/customers", times=None)
        report = await examined(world)

        assert len(world.calls) <= 40
        assert not [each.found for each in report.findings if "not tried" in each.found]
        assert the(report, "membership").setting == ("membership", "both")
        assert the(report, "members by legacy").found.startswith("7 rows, 0 that are none")
        assert the(report, "total of groups").found == "exact (rows behind offset 519)"
        assert "too long to see" in the(report, "sort groups by name").found


# -- judgement alone

REFUSED = {"assignments": "refused", "legacy": "refused", "both": "refused"}
WORKING = dict.fromkeys(REFUSED, "works")


def customer(id: str, *groups: str, legacy: str | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": id,
        "customerGroupAssignments": [{"customerGroup": {"id": group}} for group in groups],
    }
    return row | ({"customerGroup": {"id": legacy}} if legacy else {})


NEW = customer("new", "g")
OLD = customer("old", legacy="g")
COPIED = customer("copied", "g", legacy="g")
TORN = customer("torn", "g", legacy="h")


@pytest.mark.parametrize(
    ("rows", "verdicts", "chosen"),
    [
        ([NEW], WORKING, "assignments"),
        ([NEW, COPIED], WORKING, "assignments"),
        ([OLD], WORKING, "legacy"),
        ([NEW, OLD], WORKING, "both"),
        ([TORN], WORKING, "both"),
        ([COPIED], WORKING, "assignments"),
        ([NEW, OLD], WORKING | {"both": "refused"}, "assignments"),
        ([NEW, OLD], REFUSED | {"legacy": "works"}, "legacy"),
        ([COPIED], REFUSED | {"legacy": "works"}, "legacy"),
        ([NEW], REFUSED | {"legacy": "works"}, None),
        ([NEW, OLD], REFUSED, None),
    ],
)
def test_membership_is_what_shows_all_members(rows, verdicts, chosen):
    """As far as the API can be asked for it."""
    found = membership(Carried(SeenRows(rows, len(rows), 500, None), None, None), verdicts)

    assert found.setting == (None if chosen is None else ("membership", chosen))
    assert found.certainty == "certain"


def test_membership_is_likely_where_not_all_were_seen():
    """One of another kind may be among the others; that there are both kinds is certain."""
    new, both = (
        membership(Carried(SeenRows(rows, len(rows), len(rows), None), None, None), WORKING)
        for rows in ([NEW], [NEW, OLD])
    )

    assert (new.certainty, both.certainty) == ("likely", "certain")


def test_a_few_with_the_older_field_are_found_among_many():
    """They are asked for, and need not be among the first of all customers."""
    many = SeenRows([NEW], 1, 1, None)
    found = membership(Carried(many, SeenRows([OLD], 1, 500, 1), many), WORKING)

    assert found.setting == ("membership", "both")


@pytest.mark.parametrize(
    ("rows", "limit", "said", "behind", "expected"),
    [
        (3, 500, 3, None, "exact"),
        (3, 500, 2, None, "too low"),
        (3, 500, 4, None, "too high"),
        (3, 500, None, None, "there is none"),
        (3, 3, 9, 0, "too high"),
        (3, 3, 9, 1, "exact"),
        (3, 3, 9, 2, "too low"),
        (3, 3, 90_000, None, "more than 3 rows"),
    ],
)
def test_a_total_is_held_against_rows(rows, limit, said, behind, expected):
    """Of a long list, against those about its end."""
    listed = SeenRows([customer(str(number)) for number in range(rows)], rows, limit, said)

    assert total("rows", listed, behind).found.startswith(expected)
    assert total("rows", NOTHING).found == "there is none"


# -- answers of any kind

MEMBERS = ["id", "key", "name", "customerGroup", "customerGroupAssignments", "createdAt", "email"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
PAGES = st.fixed_dictionaries(
    {"results": st.lists(JSON | st.fixed_dictionaries({"id": st.text(max_size=3)}), max_size=5)},
    optional={name: JSON for name in ("total", "limit", "offset", "count")},
)


@pytest.mark.slow
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from([200, 200, 200, 400, 500]), PAGES | JSON), min_size=1))
def test_no_answer_stops_the_examination(answers):
    """Whatever it is, there is a report."""

    async def run() -> Report:
        async with shop() as world:
            for number in range(60):
                status, body = answers[number % len(answers)]
                world.faults.add(Answer(status, json.dumps(body).encode()))
            return await examined(world)

    report = asyncio.run(run())

    assert report.text()
    assert json.loads(report.json())["restCalls"] <= 40
