"""What the doctor finds out about a Flow Retail: each switch of the simulator, in each position."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from gateway.simulator.flow_retail.switches import Switches
from tests.doctor.patients import diagnosis, the
from tests.harness import TENANT, Flow

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
        12: ("largest page", "12 rows, to which larger ones are cut; 12 of 40", 12),
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
