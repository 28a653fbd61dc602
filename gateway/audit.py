"""What became of a change, as the event that says who has changed which group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gateway.backends.port import ById, ByKey, EditOutcome, GroupDraft, GroupRef, MemberStatus
from gateway.errors import GatewayError, OutcomeUnknown
from gateway.records import CustomerGroup


def change_facts(
    group: GroupRef | GroupDraft, result: CustomerGroup | EditOutcome | str | BaseException
) -> Mapping[str, Any]:
    """The facts of ChangeDone that follow from what a backend's method was asked for, and from what
    it returned or raised.
    """
    uid, key = _identifiers(group)
    match result:
        case CustomerGroup():
            return {"group_uid": result.uid, "group_key": key, "outcome": "done"}
        case str():
            return {"group_uid": result, "group_key": key, "outcome": "done"}
        case EditOutcome():
            return {"group_uid": uid or result.group_uid, "group_key": key, **_edited(result)}
        case GatewayError() if not isinstance(result, OutcomeUnknown):
            told: dict[str, Any] = {"outcome": "refused", "code": result.code}
        case _:
            # A bug may strike after the change was sent.
            told = {"outcome": "unknown", "code": getattr(result, "code", None)}
    return {"group_uid": uid, "group_key": key, **told}


def _identifiers(group: GroupRef | GroupDraft) -> tuple[str | None, str | None]:
    match group:
        case ById(uid):
            return uid, None
        case ByKey(key):
            return None, key
        case GroupDraft():
            return group.uid, group.key


def _edited(edit: EditOutcome) -> Mapping[str, Any]:
    failures = [edit.failure, *(each.error for each in edit.outcomes)]
    code = next((failure.code for failure in failures if failure is not None), None)
    statuses = Counter(each.status for each in edit.outcomes)
    failed = statuses[MemberStatus.FAILED]
    if statuses[MemberStatus.UNKNOWN] or isinstance(edit.failure, OutcomeUnknown):
        outcome = "unknown"
    elif code is None:
        outcome = "done"
    else:
        outcome = "refused" if failed == len(edit.outcomes) else "partial"
    accepted = Counter(
        each.action.value for each in edit.outcomes if each.status is MemberStatus.ACCEPTED
    )
    return {
        "outcome": outcome,
        "code": code,
        "added": accepted["ADD"],
        "removed": accepted["REMOVE"],
        "unchanged": statuses[MemberStatus.UNCHANGED],
        "failed": failed,
        "unknown": statuses[MemberStatus.UNKNOWN],
    }
