"""Each position of each switch about changes: found out, or why not. Nothing of it stays."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from gateway.simulator.commercetools.fault_answers import invalid_input
from gateway.simulator.commercetools.switches import Switches as CommercetoolsSwitches
from gateway.simulator.flow_retail.switches import Switches as FlowSwitches
from tests.doctor.writing.apis import APIS

UID, NAME, RENAME = (
    "creating with a uid in use",
    "creating with a name in use",
    "renaming to a name in use",
)
CHARACTERS, CONTENT, PUT = (
    "other characters in a uid",
    "a body not declared as JSON",
    "PUT without a name",
)
REMOVED, ADDED, LONGEST = (
    "removing an unknown customer",
    "adding an unknown customer",
    "the longest membership list",
)
AGAIN, ABSENT, BOTH, ATOMIC, CONFLICT = (
    "adding a member",
    "removing a customer that is no member",
    "a customer in both lists",
    "a refused membership request",
    "what 409 means in membership",
)
DELETE = "deleting a group with members"
CHUNK, UNCHANGED = "membership_chunk", "membership_conflict_is_unchanged"

FLOW_RETAIL: list[tuple[dict[str, Any], str, str, tuple[str, Any] | None]] = [
    ({"duplicate_uid": "conflict"}, UID, "refused with 409", None),
    ({"duplicate_uid": "bad_request"}, UID, "refused with 400", None),
    ({"duplicate_uid": "replace"}, UID, "the group has got the new name (201)", None),
    ({"duplicate_name": "allow"}, NAME, "allowed (201)", None),
    ({"duplicate_name": "allow"}, RENAME, "allowed (200)", None),
    ({"duplicate_name": "conflict"}, NAME, "refused with 409", None),
    ({"duplicate_name": "conflict"}, RENAME, "refused with 409", None),
    ({"put_semantics": "partial"}, PUT, "the name is kept (200)", None),
    ({"put_semantics": "full"}, PUT, "refused with 400", None),
    ({"put_semantics": "full_blank"}, PUT, "the name is lost: PUT replaces the group (200)", None),
    ({"content_type": "require"}, CONTENT, "refused with 415", None),
    ({"content_type": "ignore"}, CONTENT, "read all the same (200)", None),
    ({"uid_pattern": "as_printed"}, CHARACTERS, "~ is taken: looked for, and not found", None),
    ({"uid_pattern": "anchored"}, CHARACTERS, "refused with 400", None),
    ({"unknown_customer": "not_found"}, REMOVED, "refused with 404", None),
    ({"unknown_customer": "not_found"}, ADDED, "refused with 404", None),
    ({"unknown_customer": "bad_request"}, REMOVED, "refused with 400", None),
    ({"unknown_customer": "bad_request"}, ADDED, "refused with 400", None),
    ({"unknown_customer": "ignore"}, REMOVED, "ignored (204)", None),
    ({"unknown_customer": "ignore"}, ADDED, "ignored (204)", None),
    ({"max_membership_uids": None}, LONGEST, "at least 1000, of one customer", (CHUNK, 500)),
    (
        {"max_membership_uids": 37, "too_many_uids": "bad_request"},
        *(LONGEST, "37; longer ones are refused with 400", (CHUNK, 37)),
    ),
    (
        {"max_membership_uids": 37, "too_many_uids": "too_large"},
        *(LONGEST, "37; longer ones are refused with 413", (CHUNK, 37)),
    ),
    ({"already_member": "ok"}, AGAIN, "a success (204)", None),
    ({"already_member": "conflict"}, AGAIN, "refused with 409", None),
    (
        {"already_member": "conflict"},
        *(CONFLICT, "it is so already: adding a member", (UNCHANGED, True)),
    ),
    ({"already_member": "bad_request"}, AGAIN, "refused with 400", None),
    ({"absent_member": "ok"}, ABSENT, "a success (204)", None),
    (
        {"absent_member": "ok"},
        CONFLICT,
        "something else: neither adding a member nor removing none is answered so",
        (UNCHANGED, False),
    ),
    ({"absent_member": "conflict"}, ABSENT, "refused with 409", None),
    ({"in_both_lists": "refuse"}, BOTH, "refused with 400", None),
    ({"in_both_lists": "add_wins"}, BOTH, "added (204)", None),
    ({"in_both_lists": "remove_wins"}, BOTH, "removed (204)", None),
    (
        {"membership_atomic": True},
        *(ATOMIC, "changes nothing (3 kinds of them)", ("membership_atomic", True)),
    ),
    (
        {"membership_atomic": False},
        ATOMIC,
        "has added a customer all the same",
        ("membership_atomic", False),
    ),
    ({"delete_nonempty": "allow"}, DELETE, "it is gone (204)", None),
    ({"delete_nonempty": "conflict"}, DELETE, "refused with 409", None),
]
COMMERCETOOLS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"conflict_version": "given"},
        "a version that is not current",
        "refused with 409 ConcurrentModification, with currentVersion",
    ),
    (
        {"conflict_version": "absent"},
        "a version that is not current",
        "refused with 409 ConcurrentModification, without currentVersion",
    ),
    ({"version_step": "actions"}, "the step of a version", "2 for two actions"),
    ({"version_step": "one"}, "the step of a version", "1 for two actions"),
    ({"delete_referenced": "bad_request"}, DELETE, "refused with 400 ReferenceExists"),
    ({"delete_referenced": "conflict"}, DELETE, "refused with 409 ReferenceExists"),
    ({"delete_referenced": "remove"}, DELETE, "200, and the customer is out of it"),
    ({"delete_referenced": "dangle"}, DELETE, "200, and the customer still refers to it"),
    (
        {"add_assigned": "ok"},
        *("adding an assignment twice", "a success (200), and it is there once"),
    ),
    (
        {"add_assigned": "error"},
        *("adding an assignment twice", "refused with 400 InvalidOperation"),
    ),
    ({"remove_unassigned": "ok"}, "removing an absent assignment", "a success (200)"),
    (
        {"remove_unassigned": "error"},
        *("removing an absent assignment", "refused with 400 InvalidOperation"),
    ),
    (
        {"missing_member": "invalid_json"},
        *("a body without a required member", "refused with 400 InvalidJsonInput"),
    ),
    (
        {"missing_member": "required_field"},
        *("a body without a required member", "refused with 400 RequiredField (name)"),
    ),
    ({"no_assignments": "list"}, "a customer without assignments", "an empty list"),
    ({"no_assignments": "absent"}, "a customer without assignments", "the member is absent"),
    ({"assignments_predicate": "supported"}, "members by their assignments", "found"),
]
READ = {
    "flow_retail": {
        *("first_page", "before_the_start", "past_the_end", "default_page_size", "max_page_size"),
        *("oversized_page", "group_sorts", "customer_sorts", "unknown_sort", "group_order"),
        *("member_order", "ties", "error_body"),
    },
    "commercetools": {"group_predicates", "default_order", "total"},
}
"""What is found out without a change."""
NEVER = {"uid_style", "max_groups"}
"""What is not tried: a group without a uid of ours could be lost; a project is not filled."""


def ids(cases: Any) -> list[str]:
    return [f"{','.join(f'{k}={v}' for k, v in case[0].items())}: {case[1]}" for case in cases]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("switches", "question", "found", "setting"), FLOW_RETAIL, ids=ids(FLOW_RETAIL)
)
async def test_flow_retail_is_found_out(switches, question, found, setting):
    """With two customers; and afterwards all is as it was."""
    async with APIS["flow_retail"](switches=switches) as api:
        before = api.state()
        await api.examine(customers=2)

        assert found in api.found(question)
        assert api.findings[question].certainty != "not found out"
        if setting is not None:
            assert api.findings[question].setting == setting
        assert api.state() == before
        assert not api.left


@pytest.mark.slow
@pytest.mark.parametrize(("switches", "question", "found"), COMMERCETOOLS, ids=ids(COMMERCETOOLS))
async def test_commercetools_is_found_out(switches, question, found):
    """With two customers; and afterwards all is as it was."""
    async with APIS["commercetools"](switches=switches) as api:
        before = api.state()
        await api.examine(customers=2)

        assert api.found(question) == found
        assert api.findings[question].certainty != "not found out"
        assert api.state() == before
        assert not api.left


@pytest.mark.parametrize(
    ("name", "kind"), [("flow_retail", FlowSwitches), ("commercetools", CommercetoolsSwitches)]
)
def test_no_position_is_left_out(name, kind):
    """A switch that is added to a simulator belongs into one of the tables above."""
    cases = FLOW_RETAIL if name == "flow_retail" else COMMERCETOOLS
    tried = {(switch, value) for case in cases for switch, value in case[0].items()}
    tried |= {("assignments_predicate", "refused")}  # refuted in a test of its own
    for switch, hint in get_type_hints(kind).items():
        if switch in READ[name] | NEVER | {"latency", "max_membership_uids"}:
            continue
        positions = (True, False) if hint is bool else get_args(hint)

        assert {(switch, each) for each in positions} <= tried, switch


@pytest.mark.slow
async def test_a_limit_that_looks_like_an_unknown_customer_is_found_by_a_real_one():
    """Made-up customers alone can't tell, and then nothing is claimed."""
    switches = {"unknown_customer": "bad_request", "max_membership_uids": 37, "error_body": "empty"}
    async with APIS["flow_retail"](switches=switches) as api:
        await api.examine()
        assert "400): --customer would tell more" in api.found(LONGEST)
        assert api.findings[LONGEST].setting is None

        await api.examine(customers=1)
        assert api.found(LONGEST) == "37, of one customer; longer ones are refused with 400"
        assert api.findings[LONGEST].setting == (CHUNK, 37)


@pytest.mark.slow
async def test_an_anchored_pattern_that_looks_like_an_unknown_customer_is_not_claimed():
    """Two refusals without bodies say the same."""
    switches = {"unknown_customer": "bad_request", "uid_pattern": "anchored", "error_body": "empty"}
    async with APIS["flow_retail"](switches=switches) as api:
        await api.examine()

        assert api.findings[CHARACTERS].certainty == "not found out"


@pytest.mark.slow
async def test_lists_that_no_customer_could_be_added_by_need_a_second_customer():
    """Where unknown customers are ignored, only a mistake about a real one is refused."""
    switches = {"unknown_customer": "ignore", "already_member": "conflict"}
    async with APIS["flow_retail"](switches=switches | {"membership_atomic": False}) as api:
        await api.examine(customers=1)
        assert "a second --customer" in api.found(ATOMIC)

        await api.examine(customers=2)
        assert api.findings[ATOMIC].setting == ("membership_atomic", False)


@pytest.mark.slow
@pytest.mark.parametrize("name", APIS)
async def test_without_a_customer_none_is_touched(name):
    """What needs one is not tried, and says so."""
    async with APIS[name]() as api:
        before = api.state()
        await api.examine()

        untried = [each for each in api.findings.values() if "--customer UID" in each.found]
        assert len(untried) == (7 if name == "flow_retail" else 6)
        assert {each.certainty for each in untried} == {"not found out"}
        assert api.state() == before
        bodies = b"".join(each.body for each in api.journal.requests)
        assert not any(uid.encode() in bodies for uid in api.customers)


@pytest.mark.slow
async def test_a_project_without_assignments_is_found_out():
    """By an action, or by a predicate, that is refused."""
    async with APIS["commercetools"](switches={"assignments_predicate": "refused"}) as api:
        await api.examine(customers=1)
        assert api.findings["members by their assignments"].setting == ("membership", "legacy")

    async with APIS["commercetools"]() as api:
        before = api.state()
        api.faults.add(invalid_input(), method="POST", path=f"/customers/{api.customers[0]}")
        await api.examine(customers=1)
        assert api.findings["where membership can be"].setting == ("membership", "legacy")
        assert api.found(DELETE) == "refused with 400 ReferenceExists"
        assert api.state() == before
