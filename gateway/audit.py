"""What became of a change, as the event that says who has changed which group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.backends.port import (
    ById,
    ByKey,
    EditOutcome,
    GroupDraft,
    GroupRef,
    MemberAction,
    MemberStatus,
)
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
    # Of ten thousand customers: lists count them in a tenth of the time that Counter takes.
    failures = [each.error for each in edit.outcomes if each.error is not None]
    statuses = [each.status for each in edit.outcomes]
    accepted = [each.action for each in edit.outcomes if each.status is MemberStatus.ACCEPTED]
    first = edit.failure or next(iter(failures), None)
    failed, unknown = statuses.count(MemberStatus.FAILED), statuses.count(MemberStatus.UNKNOWN)
    if unknown or isinstance(edit.failure, OutcomeUnknown):
        outcome = "unknown"
    elif first is None:
        outcome = "done"
    else:
        outcome = "refused" if failed == len(statuses) else "partial"
    return {
        "outcome": outcome,
        "code": first and first.code,
        "added": accepted.count(MemberAction.ADD),
        "removed": accepted.count(MemberAction.REMOVE),
        "unchanged": statuses.count(MemberStatus.UNCHANGED),
        "failed": failed,
        "unknown": unknown,
    }
