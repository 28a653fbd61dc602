"""What the doctor finds out about a Flow Retail: each switch of the simulator, in each position."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.faults import Body, Meanwhile
from gateway.simulator.flow_retail.switches import Switches
from tests.doctor.patients import diagnosis, examined, the
from tests.harness import TENANT, Flow

UNKNOWN = "not found out"
WRITING = {
    *("uid_pattern", "uid_style", "content_type", "put_semantics", "duplicate_uid"),
    *("duplicate_name", "delete_nonempty", "unknown_customer", "already_member", "absent_member"),
    *("in_both_lists", "max_membership_uids", "too_many_uids", "membership_atomic"),
}
"""Switches of what no reading can find out."""
EXPECTED: Mapping[str, Mapping[Any, tuple[str, str, object]]] = {
    "first_page": {
        0: ("first page", "0: pages 0 and 1 have different rows", 0),
        1: ("first page", "1: ", 1),
    },
    "before_the_start": {
        "refuse": ("first page", "page 0 is refused with 400", 1),
        "first": ("first page", "page 0 is the first page again", 1),
    },
    "past_the_end": {
        "empty": ("past the end", "an empty page", "empty"),
        "not_found": ("past the end", "404", "not_found"),
        "last": ("past the end", "rows again, under its own number", "empty"),
    },
    "default_page_size": {
        7: ("default page", "of 7 rows", None),
        50: ("default page", "of 50 rows", None),
    },
    "max_page_size": {
        12: ("largest page", "12 rows, to which larger ones are cut; more follow", 12),
        100: ("largest page", "100 rows, to which larger ones are cut; answers say so", 100),
        10_000: ("largest page", "40 rows or more", None),
    },
    "oversized_page": {
        "clamp": ("largest page", "to which larger ones are cut", 100),
        "refuse": ("largest page", "100 rows; 101 are refused with 400", 100),
    },
    "group_sorts": {
        "": ("orders of groups", "by nothing", {}),
        "name,created:created_at,modified:last_modified_at": (
            *("orders of groups", "by NAME, CREATED_AT, LAST_MODIFIED_AT"),
            {"NAME": "name", "CREATED_AT": "created", "LAST_MODIFIED_AT": "modified"},
        ),
        "name,createdAt": (
            "orders of groups",
            "by NAME, CREATED_AT",
            {"NAME": "name", "CREATED_AT": "createdAt"},
        ),
    },
    "customer_sorts": {
        "": ("orders of customers", "by nothing", {}),
        "firstName:firstname,lastName:lastname,email": (
            *("orders of customers", "by FIRSTNAME, LASTNAME, EMAIL"),
            {"FIRSTNAME": "firstName", "LASTNAME": "lastName", "EMAIL": "email"},
        ),
    },
    "unknown_sort": {
        "ignore": ("unknown sortBy of groups", "ignored", None),
        "refuse": ("unknown sortBy of groups", "refused with 400", None),
    },
    "group_order": {
        "creation": ("order of groups", "by nothing that rows show", None),
        "uid": ("order of groups", "customerGroupUid ascending", None),
        "name": ("order of groups", "name ascending", None),
    },
    "member_order": {
        "creation": ("order of customers", "by nothing that rows show", None),
        "joining": ("order of customers", "by nothing that rows show", None),
        "uid": ("order of customers", "customerUid ascending", None),
    },
    "ties": {
        "mirrored": ("DESC mirrors ASC", "yes: 60 customers", True),
        "fixed": ("DESC mirrors ASC", "no: 60 customers", False),
    },
    "error_body": {
        "json_message": ("an unknown group", "404, JSON {message: text}", None),
        "json_errors": ("an unknown group", "404, JSON {errors: [{message: text}]}", None),
        "html": ("an unknown group", "404, HTML", None),
        "empty": ("an unknown group", "404, no body", None),
    },
    "latency": {0.01: ("latency", "ms", None)},
}
"""By switch and position: the question, a part of what is found, and the setting's value."""


def shop(flow: Flow) -> None:
    """Groups and customers whose names, times and uids come in orders of their own; first names
    come often, and one group has many customers.
    """
    dice = Random(7)  # noqa: S311  # no secret

    def mixed(count: int) -> list[int]:
        return dice.sample(range(10, 10 + count), count)

    for uid, name, made, changed in zip(*(mixed(40) for _ in range(4)), strict=True):
        flow.store.add_group(
            *(TENANT, f"g{uid}", f"Name {name}"),
            created_at=f"2024-01-01T00:00:{made}.000Z",
            last_modified_at=f"2025-01-01T00:00:{changed}.500Z",
        )
    customers = []
    for uid, name, made, changed in zip(*(mixed(60) for _ in range(4)), strict=True):
        customers.append(f"c{uid}")
        flow.add_customer(
            *(f"c{uid}",),
            displayName=f"Name {name}",
            firstname=f"First {name % 9}",
            lastname=f"Last {made % 30}",
            companyName=f"Company {changed}",
            email=f"{name}.{uid}@example.com",
            createdAt=f"2024-01-01T00:{made}:00.000Z",
            lastModifiedAt=f"2025-01-01T00:{changed}:00Z",
        )
    first, *_ = flow.store.groups(TENANT)
    for uid in dice.sample(customers, 60):
        flow.store.add_member(TENANT, first.uid, uid)


def cases() -> list[Any]:
    return [
        pytest.param(switch, position, id=f"{switch}={position}")
        for switch, positions in EXPECTED.items()
        for position in positions
    ]


def test_every_switch_is_examined():
    """Each has all of its positions here, or is of writing."""
    hints = get_type_hints(Switches)
    names = {each.name for each in dataclasses.fields(Switches)}

    assert names == EXPECTED.keys() | WRITING
    for name, positions in EXPECTED.items():
        if get_origin(hints[name]) is not None and not name.endswith("_sorts"):
            assert set(positions) == set(get_args(hints[name])), name


@pytest.mark.slow
@pytest.mark.parametrize(("switch", "position"), cases())
async def test_each_position_is_found_out(switch, position):
    """What it is, and the setting that follows."""
    question, part, value = EXPECTED[switch][position]
    report = await diagnosis(shop, f"{switch}={position}")

    found = the(report, question)
    assert part in found.found
    assert (found.setting and found.setting[1]) == value
    assert report.calls <= 40


def groups(count: int) -> Callable[[Flow], None]:
    def fill(flow: Flow) -> None:
        flow.add_groups(count)

    return fill


@pytest.mark.slow
@pytest.mark.parametrize("before", ["refuse", "first"])
@pytest.mark.parametrize("past", ["empty", "not_found", "last"])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("rows", [0, 1, 2])
async def test_first_page_and_end_are_found_with_few_rows(rows, first, past, before):
    """A last page under its own number needs no setting: answers win over requests."""
    report = await diagnosis(
        groups(rows), f"first_page={first}", f"past_the_end={past}", f"before_the_start={before}"
    )

    found = the(report, "first page")
    assert found.setting == ("first_page", first)
    assert found.certainty == "certain" or rows < 2
    end = "not_found" if past == "not_found" else "empty"
    assert the(report, "past the end").setting == ("past_the_end", end)


def nothing(_flow: Flow) -> None: ...


@pytest.mark.parametrize(
    ("largest", "found", "certainty"),
    [
        (30, "30 rows; 31 are refused with 400", "certain"),
        (7, "7 rows; 8 are refused with 400", "certain"),
        (37, "37 rows; 38 are refused with 400", "certain"),
        (444, "437 rows; 450 are refused with 400", "likely"),
        (5_000, "5000 rows; 5001 are refused with 400", "certain"),
    ],
)
async def test_a_largest_page_that_no_refusal_names_is_searched_for(largest, found, certainty):
    """Among the numbers that people choose; one below the true one is safe."""
    report = await diagnosis(
        groups(3), f"max_page_size={largest}", "oversized_page=refuse", "error_body=html"
    )

    seen = the(report, "largest page")
    assert (seen.found, seen.certainty) == (found, certainty)


@pytest.mark.slow
async def test_customers_may_come_in_smaller_pages_than_groups():
    """Here a page of 500 customers is longer than the gateway takes; the setting is for both."""

    def fill(flow: Flow) -> None:
        flow.add_group("g")
        with flow.store.transaction():
            for number in range(200):
                flow.add_customer(f"c{number}", "g", internalNote="x" * 200)

    report = await diagnosis(fill, "max_page_size=500", flow_retail={"max_body": 30_000})

    assert the(report, "largest page").setting == ("max_page_size", 500)
    assert the(report, "largest page of customers").setting == ("max_page_size", 100)
    assert "max_page_size" not in report.toml()


async def test_a_tenant_without_groups_is_told_what_that_leaves_open():
    """And why; what needs no rows is found out."""
    report = await diagnosis(nothing)

    unknown = {each.question: each.found for each in report.findings if each.certainty == UNKNOWN}
    assert unknown == {
        "a group with customers": "there are no groups",
        "total of customers": "no customers were seen",
        "order of groups": "too few rows: 0",
        "order of customers": "no customers were seen",
        "sorted customers": "no customers were seen",
        "groups by NAME": "too few to tell: 0 values in 0 rows",
        "groups by CREATED_AT": "too few to tell: 0 values in 0 rows",
        "groups by LAST_MODIFIED_AT": "too few to tell: 0 values in 0 rows",
        "DESC mirrors ASC": "no order that is kept has two rows",
    }
    assert (report.exit_code, report.toml()) == (0, "")


async def test_groups_without_customers_leave_the_customers_open():
    """The settings for them stay as they are."""
    report = await diagnosis(groups(3), flow_retail={"customer_sorts": {"EMAIL": "mail"}})

    assert the(report, "a group with customers").found == "3 groups that were looked at have none"
    assert "customer_sorts" not in report.toml()


async def test_rows_that_change_meanwhile_are_no_unstable_order(flow: Flow):
    """Nothing is known then."""
    shop(flow)
    flow.fail(Meanwhile(lambda: flow.add_group("new")), path="customer-groups$", skip=4)
    flow.switches.group_order = "name"

    report = await examined(flow)

    assert the(report, "order of groups").found.endswith("have changed meanwhile")


@pytest.mark.slow
async def test_an_order_that_changes_is_found(flow: Flow):
    """Paging by it would repeat some rows and leave out others."""
    shop(flow)

    def turn() -> None:
        flow.switches.group_order = "name"

    flow.fail(Meanwhile(turn), path="customer-groups$", skip=4)

    report = await examined(flow)

    assert the(report, "order of groups").found == "40 rows came in two orders"


@pytest.mark.slow
async def test_a_direction_that_is_ignored_is_no_order(flow: Flow):
    """`last` and DESC would show the wrong rows."""
    shop(flow)
    body = json.dumps(
        {"items": [{"customerGroupUid": str(n), "name": f"{n:02}"} for n in range(9)]}
    )
    flow.fail(Body(body.encode()), path="customer-groups$", skip=8)

    report = await examined(flow)

    assert "rows ascend, though they were to descend" in the(report, "groups by NAME").found
    assert "NAME" not in tomllib.loads(report.toml())["flow_retail"]["group_sorts"]


async def test_what_is_not_as_documented_is_counted_by_rows(flow: Flow):
    """A customer that came on several pages counts once; values are shown if they are words."""
    flow.add_group("g")
    flow.add_customer("a", "g", customerType="VIP", firstname=7, shoeSize=43)
    flow.add_customer("b", "g", customerType="ada@example.com", **{"b@example.com": 1})

    report = await examined(flow)

    absent = the(report, "documented, but absent").found
    assert absent.startswith("customers: address in 2, ")
    assert absent.endswith("(of 1 customer-groups and 2 customers)")
    assert the(report, "of another type").found.startswith("customers: firstname in 1 ")
    values = the(report, "values, undocumented").found
    assert "customerType = VIP in 1" in values
    assert "customerType = (no word) in 1" in values
    members = the(report, "members, undocumented").found
    assert "shoeSize in 1" in members
    assert "example.com" not in report.text() + report.json()


@pytest.mark.slow
@pytest.mark.parametrize(
    "switches",
    [
        (),
        ("first_page=0", "past_the_end=not_found", "max_page_size=20", "ties=fixed"),
        ("oversized_page=refuse", "unknown_sort=refuse", "past_the_end=last", "max_page_size=60"),
        ("group_sorts=name,created:created_at", "customer_sorts=email,lastName:lastname"),
    ],
)
async def test_with_the_settings_found_nothing_is_left_to_change(switches):
    """Whatever the API is like."""
    first = await diagnosis(shop, *switches)
    found = tomllib.loads(first.toml() or "[flow_retail]")["flow_retail"]

    second = await diagnosis(shop, *switches, flow_retail=found)

    assert second.exit_code == 0
    assert second.toml() == first.toml()


END = {"empty": "empty", "not_found": "not_found", "last": "empty"}
MISLEADING = {
    "group_sorts": ["name:last_modified_at", "name:created_at,createdAt:name"],
    "customer_sorts": ["displayName:created_at,email", "displayName,createdAt:display_name"],
}
"""Tables by which the API sorts by something else than the name says."""
NAMES = st.sampled_from(["", "a", "B", "b", "Å", "é", "zz", "k", "m", "x"])
COLUMNS = {
    "NAME": "name",
    "DISPLAY_NAME": "display_name",
    "FIRSTNAME": "firstname",
    "LASTNAME": "lastname",
    "COMPANY_NAME": "company_name",
    "EMAIL": "email",
    "CREATED_AT": "created_at",
    "LAST_MODIFIED_AT": "last_modified_at",
}


def true_of(switches: Switches, setting: str, value: Any) -> bool:
    """Whether an API with these switches is as the setting says."""
    match setting:
        case "past_the_end":
            return bool(END[switches.past_the_end] == value)
        case "mirrored_sorts":
            return bool((switches.ties == "mirrored") == value)
        case "group_sorts" | "customer_sorts":
            table = getattr(switches, setting)
            return all(table.get(sort_by) == COLUMNS[name] for name, sort_by in value.items())
        case _:
            return bool(getattr(switches, setting) == value)


@pytest.mark.slow
@given(
    switches=st.fixed_dictionaries(
        {
            switch: st.sampled_from([*positions, *MISLEADING.get(switch, ())])
            for switch, positions in EXPECTED.items()
            if switch != "latency"
        }
    ),
    names=st.lists(NAMES, max_size=3) | st.lists(NAMES, max_size=14, unique=True),
    times=st.permutations(range(10, 24)) | st.lists(st.integers(10, 20), min_size=14, max_size=14),
    members=st.integers(0, 14),
)
async def test_what_is_certain_is_so(switches, names, times, members):
    """However few rows there are, and however many of them compare alike."""

    def fill(flow: Flow) -> None:
        for number, name in enumerate(names):
            made = f"2024-01-01T00:00:{times[number]}Z"
            flow.store.add_group(
                *(TENANT, f"g{number}", name),
                created_at=made,
                last_modified_at=f"2025-01-01T00:00:{times[-number]}Z",
            )
            if number < members:
                flow.add_customer(f"c{number}", "g0", displayName=name, createdAt=made)

    given = [f"{switch}={position}" for switch, position in switches.items()]
    report = await diagnosis(fill, *given)

    wrong = [
        each
        for each in report.findings
        if each.setting is not None
        and each.certainty == "certain"
        and not true_of(Switches.parse(given), *each.setting)
    ]
    assert wrong == []
