"""The oracle of `make chaos` finds what is wrong: each answer here is one that it must not let
pass.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from chaos.faults import FAULTS
from chaos.notes import Notes
from chaos.operations import NEW_NAME, OPERATIONS, Change, Prepared
from chaos.oracle import Response, Verdict, judge_change, judge_data, read
from chaos.worlds import State

RIGHT: Any = OPERATIONS["flow-members-first"].right
ERROR = {
    "message": "No.",
    "path": ["customerGroup"],
    "extensions": {"code": "UPSTREAM_UNAVAILABLE"},
}
HARMED = Notes(harmless=False)


def of(data: Any, *errors: dict[str, Any], notes: Notes = HARMED, **extensions: Any) -> list[str]:
    """What is wrong with such an answer to the first members of a group."""
    verdict = Verdict()
    body = {"data": data, "extensions": extensions} | ({"errors": list(errors)} if errors else {})
    judge_data(RIGHT(Prepared("shop")), body, notes, verdict)
    return verdict.wrong


def right() -> Any:
    """The right answer, with cursors."""
    data = RIGHT(Prepared("shop"))
    data["customerGroup"]["customers"]["pageInfo"] |= {"startCursor": "a", "endCursor": "b"}
    return data


def test_the_right_answer_is_right() -> None:
    assert of(right(), notes=Notes()) == []


def test_null_is_right_beside_an_error_only() -> None:
    data = {"customerGroup": None}

    assert of(data, ERROR) == []
    assert of(data) != []


def test_errors_are_wrong_where_nothing_went_wrong() -> None:
    assert of(right(), ERROR, notes=Notes()) != []


def test_another_customers_row_is_wrong_even_beside_an_error() -> None:
    data = right()
    data["customerGroup"]["customers"]["nodes"][2]["uid"] = "c11"

    assert of(data, ERROR) != []


def test_a_row_that_is_shown_twice_is_wrong() -> None:
    data = right()
    nodes = data["customerGroup"]["customers"]["nodes"]
    nodes[1] = nodes[0]

    assert of(data) != []


def test_a_row_that_is_missing_needs_an_error() -> None:
    data = right()
    del data["customerGroup"]["customers"]["nodes"][3]

    assert of(data, ERROR) == []
    assert of(data) != []


def test_a_wrong_total_is_wrong_even_beside_an_error() -> None:
    data = right()
    data["customerGroup"]["customers"]["totalCount"] = 0

    assert of(data, ERROR) != []


def test_what_was_mended_needs_a_warning() -> None:
    data = right()
    data["customerGroup"]["name"] = data["customerGroup"]["name"].replace("ø", "\ufffd")
    notes = Notes(harmless=False, repaired=True)

    assert of(data, notes=notes) != []
    assert of(data, notes=notes, warnings=[{"path": ["customerGroup", "name"]}]) == []


WAS = State({"g1": "One"}, {"g1": None}, {"g1": frozenset({"a", "b"})})


def said(change: Change, payload: Any, now: State, *codes: str, **notes: Any) -> list[str]:
    """What is wrong with this answer to a change, where the store is `now`."""
    verdict = Verdict()
    errors = [{"message": "No.", "extensions": {"code": code}} for code in codes]
    body = {"data": {change.field: payload}, "errors": errors}
    judge_change(change, body, WAS, now, Notes(harmless=False, **notes), verdict)
    return verdict.wrong


CREATE = Change(field="create", creates=NEW_NAME)
MADE = State({"g1": "One", "g2": NEW_NAME}, WAS.keys, WAS.members)
SHOWN = {"customerGroup": {"uid": "g2", "name": NEW_NAME}, "userErrors": []}


def test_what_is_called_made_is_there() -> None:
    assert said(CREATE, SHOWN, MADE) == []
    assert said(CREATE, SHOWN, WAS) != []
    assert said(CREATE, {**SHOWN, "customerGroup": {"uid": "g9", "name": NEW_NAME}}, MADE) != []


def test_what_is_called_not_made_is_not_there() -> None:
    assert said(CREATE, None, WAS, "RATE_LIMITED") == []
    assert said(CREATE, None, MADE, "RATE_LIMITED") != []
    assert said(CREATE, {"customerGroup": None, "userErrors": [{"code": "DUPLICATE"}]}, MADE) != []


def test_an_outcome_is_unknown_only_where_the_answer_was_lost() -> None:
    unknown = {"customerGroup": None, "userErrors": [{"code": "OUTCOME_UNKNOWN"}]}

    assert said(CREATE, unknown, MADE, unsure=True) == []
    assert said(CREATE, unknown, WAS) != []


@pytest.mark.parametrize(
    ("status", "members", "fine"),
    [
        ("ACCEPTED", "abc", True),
        ("ACCEPTED", "ab", False),
        ("UNCHANGED", "abc", False),
        ("UNCHANGED", "ab", False),
        ("FAILED", "ab", True),
        ("FAILED", "abc", False),
        ("UNKNOWN", "abc", False),
    ],
)
def test_what_is_said_of_a_customer_is_so(status: str, members: str, fine: bool) -> None:
    change = Change(field="edit", edits="g1", add=("c",))
    payload = {
        "results": [{"customerUid": "c", "action": "ADD", "status": status, "error": None}],
        "userErrors": [],
    }

    now = State(WAS.names, WAS.keys, {"g1": frozenset(members)})

    wrong = said(change, payload, now, written="/customers/c")

    assert (wrong == []) is fine


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b'{"errors": []}'),
        (200, b'{"data": null, "errors": [{"message": "No."}]}'),
        (500, b'{"errors": [{"message": "No.", "extensions": {"code": "X"}}]}'),
        (503, b'{"data": null}'),
    ],
)
def test_what_is_no_graphql_response_is_told(status: int, body: bytes) -> None:
    verdict = Verdict()

    assert read(Response(status, {"content-type": "application/json"}, body), verdict) is None
    assert verdict.malformed


def test_there_are_enough_kinds_of_fault_and_operations() -> None:
    assert len(FAULTS) >= 60
    assert len(OPERATIONS) >= 12
    assert json.dumps(sorted(FAULTS))  # names are text, to be given on the command line
