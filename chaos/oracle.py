"""Holds a response against the right answer, against the store, and against the promises."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chaos.notes import Notes
from chaos.operations import ANY, NEW_NAME, SOME, Change
from chaos.worlds import State

REFUSED: Final = (400, 401, 403, 405, 406, 408, 413, 415, 431, 503)
"""The statuses, but 200, that an answer to a GraphQL request may have."""
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0


@dataclass(slots=True)
class Verdict:
    """What is wrong with an answer; nothing, mostly."""

    wrong: list[str] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    """Why it is no GraphQL response."""


def read(response: Response, verdict: Verdict) -> Any:
    """The body of a GraphQL response; None where it is none, which the verdict then tells."""
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        verdict.malformed.append(f"{response.status}: not JSON: {response.body[:80]!r}")
        return None
    problem = _problem(response, body)
    if problem:
        verdict.malformed.append(f"{response.status}: {problem}: {response.body[:300]!r}")
        return None
    return body


def _problem(response: Response, body: Any) -> str | None:
    if not isinstance(body, dict) or not body.keys() & {"data", "errors"}:
        return "neither data nor errors"
    if body.keys() - {"data", "errors", "extensions"}:
        return "unknown members"
    if response.status != 200 and response.status not in REFUSED:
        return "a status that is not documented"
    if "json" not in response.headers.get("content-type", ""):
        return "a Content-Type that is not JSON"
    errors = body.get("errors")
    if errors is None:
        return None if response.status == 200 else "a refusal without errors"
    if not isinstance(errors, list) or not errors:
        return "errors that are no list, or none"
    for error in errors:
        if not isinstance(error.get("message"), str):
            return "an error without a message"
        if not isinstance(error.get("extensions", {}).get("code"), str):
            return "an error without a code"
    return None


def judge_data(right: Any, body: Mapping[str, Any], notes: Notes, verdict: Verdict) -> None:
    """Data shown are right, or null or left out beside an error."""
    errors = body.get("errors", [])
    _unexpected(errors, verdict)
    if notes.harmless and errors:
        verdict.wrong.append(f"errors though nothing was wrong: {_said(errors)}")
    if body.get("data") is None:
        if not errors:
            verdict.wrong.append("no data and no errors")
        return
    covered = _Covered(errors)
    comparison = _Comparison(notes, covered, verdict)
    comparison.value("data", right, body["data"], ())
    if comparison.repaired and not body.get("extensions", {}).get("warnings"):
        verdict.wrong.append(f"repaired in silence: {comparison.repaired[0]}")


def _unexpected(errors: Sequence[Mapping[str, Any]], verdict: Verdict) -> None:
    for error in errors:
        if error["extensions"]["code"] == "INTERNAL_SERVER_ERROR":
            verdict.wrong.append("INTERNAL_SERVER_ERROR")


def _said(errors: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(
        f"{error['extensions']['code']} at {error.get('path')}: {error['message']}"
        for error in errors[:3]
    )


class _Covered:
    """Which places of the data an error tells of."""

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        self._paths = [tuple(error["path"]) for error in errors if error.get("path")]
        self._all = any(not error.get("path") for error in errors)

    def __call__(self, path: Path) -> bool:
        """Whether an error is at this place, above it or below it."""
        return self._all or any(path[: len(each)] == each[: len(path)] for each in self._paths)


class _Comparison:
    def __init__(self, notes: Notes, covered: _Covered, verdict: Verdict) -> None:
        self._notes = notes
        self._covered = covered
        self._verdict = verdict
        self.repaired: list[str] = []

    def value(self, name: str, right: Any, shown: Any, path: Path) -> None:
        if right is ANY or (right is SOME and shown is not None):
            return
        if self._notes.allows(name, right, shown):
            return
        match right, shown:
            case dict(), dict():
                if right.keys() != shown.keys():
                    self._wrong(path, f"fields {list(shown)} for {list(right)}")
                    return
                for field_name, value in right.items():
                    self.value(field_name, value, shown[field_name], (*path, field_name))
            case list(), list():
                self._rows(right, shown, path)
            case None, None:
                pass
            case _, None:
                if not self._covered(path) and not (self._notes.absent and right is not SOME):
                    self._wrong(path, f"null without an error, where {_short(right)} is right")
            case str(), str() if self._repaired(right, shown):
                self.repaired.append(f"{path}: {shown!r}")
            case _ if right == shown and type(right) is type(shown):
                pass
            case int(), int() if self._estimated(name, shown):
                pass
            case _ if self._of_a_page(name) and self._covered(path[:-2]):
                pass  # where the window stands is not known, and an error says so
            case _:
                self._wrong(path, f"{_short(shown)} is shown, {_short(right)} is right")

    def _rows(self, right: list[Any], shown: list[Any], path: Path) -> None:
        """All rows in their order; fewer beside an error; a row's own value where it is null."""
        if len(shown) == len(right) and not _has_uids(right):
            for at, (value, other) in enumerate(zip(right, shown, strict=True)):
                self.value(str(path[-1]), value, other, (*path, at))
            return
        if not _has_uids(right) and right:
            self._wrong(path, f"{len(shown)} values are shown, {len(right)} are right")
            return
        uids = [row["uid"] for row in right]
        at = -1
        missing = len(shown) < len(right)
        for index, row in enumerate(shown):
            place = (*path, index)
            if row is None:
                self.value(str(path[-1]), right[min(index, len(right) - 1)], None, place)
                continue
            uid = row.get("uid")
            if uid not in uids[at + 1 :]:
                self._wrong(place, f"the row {uid} is shown, of {uids}")
                return
            at = uids.index(uid, at + 1)
            self.value(str(path[-1]), right[at], row, place)
        if missing and not self._covered(path) and not self._notes.moved:
            self._wrong(path, f"{len(shown)} rows without an error, {len(right)} are right")

    def _repaired(self, right: str, shown: str) -> bool:
        return self._notes.repaired and shown != right and _unrepaired(right) == _unrepaired(shown)

    def _estimated(self, name: str, shown: int) -> bool:
        return name == "totalCount" and shown > 0 and self._notes.estimates

    @staticmethod
    def _of_a_page(name: str) -> bool:
        return name in ("hasNextPage", "hasPreviousPage", "startCursor", "endCursor")

    def _wrong(self, path: Path, problem: str) -> None:
        self._verdict.wrong.append(f"{'.'.join(map(str, path))}: {problem}")


def _unrepaired(text: str) -> str:
    return "".join(character for character in text if character not in "ø?\ufffd")


def _has_uids(rows: Sequence[Any]) -> bool:
    return bool(rows) and all(isinstance(row, dict) and "uid" in row for row in rows)


def _short(value: Any) -> str:
    text = "a value" if value is SOME else repr(value)
    return text if len(text) < 90 else text[:80] + "..."


def judge_change(
    change: Change,
    body: Mapping[str, Any],
    before: State,
    after: State,
    notes: Notes,
    verdict: Verdict,
) -> None:
    """What is said of a change is so in the store."""
    errors = body.get("errors", [])
    _unexpected(errors, verdict)
    payload = (body.get("data") or {}).get(change.field)
    claim = _claim(payload)
    told = payload is not None and bool(payload["userErrors"])
    warned = bool(body.get("extensions", {}).get("warnings"))
    if notes.repaired and warned:
        payload = _unrepaired_names(payload, after)
    if claim == "unknown" and not notes.unsure:
        verdict.wrong.append(f"OUTCOME_UNKNOWN though the answer was definite: {_said(errors)}")
    right = change.must_refuse is None and not change.unknown
    if notes.harmless and right and (errors or told or claim != "done"):
        verdict.wrong.append(f"{claim} though nothing was wrong: {payload} {_said(errors)}")
    verdict.wrong += _contradictions(change, claim, payload, before, after, notes)


def _unrepaired_names(payload: Any, after: State) -> Any:
    """The payload with a repaired name, of which a warning tells, as the one that the store has."""
    shown = (payload or {}).get("customerGroup") or {}
    name = after.names.get(shown.get("uid", ""))
    if name is not None and _unrepaired(shown["name"]) == _unrepaired(name):
        return {**payload, "customerGroup": {**shown, "name": name}}
    return payload


def _claim(payload: Mapping[str, Any] | None) -> str:
    if payload is None:
        return "not done"
    codes = [error["code"] for error in payload["userErrors"]]
    if not codes or payload.get("results"):  # which are judged one by one
        return "done"
    return "unknown" if "OUTCOME_UNKNOWN" in codes else "not done"


def _contradictions(
    change: Change,
    claim: str,
    payload: Mapping[str, Any] | None,
    before: State,
    after: State,
    notes: Notes,
) -> Iterator[str]:
    if notes.lied and change.edits is None:
        return  # no client can know better
    changed = before.difference(after)
    if change.must_refuse is not None:
        if claim == "done":
            yield f"done, where {change.must_refuse} is right"
        elif change.deletes not in after.names:
            yield "refused, and deleted"
    elif change.creates is not None:
        yield from _created(change, claim, payload, before, after, notes)
    elif change.renames is not None:
        renamed = after.names.get(change.renames) == NEW_NAME
        if claim == "done" and not renamed:
            yield f"called renamed, but {changed}"
        if claim == "not done" and renamed:
            yield f"called not renamed, but {changed}"
        shown = (payload or {}).get("customerGroup")
        name = after.names.get(shown["uid"]) if shown else None
        # A refusal shows what was read, of which nobody can know better.
        read_so = claim == "not done" and shown and notes.allows("name", name, shown["name"])
        if shown and shown["name"] != name and not read_so:
            yield f"{_short(shown)} is shown, and {name!r} is its name"
    elif change.deletes is not None:
        gone = before.names.keys() - after.names.keys()
        said = (payload or {}).get("deletedUid")
        if claim == "done" and gone != {said}:
            yield f"{said} is called deleted, and gone is {sorted(gone)}"
        if claim == "not done" and gone:
            yield f"called not deleted, and gone is {sorted(gone)}"
    elif change.edits is not None:
        yield from _edited(change, claim, payload, before, after, notes)


def _created(
    change: Change,
    claim: str,
    payload: Mapping[str, Any] | None,
    before: State,
    after: State,
    notes: Notes,
) -> Iterator[str]:
    new = {uid: after.names[uid] for uid in after.names.keys() - before.names.keys()}
    if claim == "not done" and new:
        yield f"called not made, and there is {new}"
    if len(new) > 1 and not notes.doubled:
        yield f"made more than once: {new}"
    if claim == "done":
        shown = (payload or {}).get("customerGroup") or {}
        if new.get(str(shown.get("uid"))) != change.creates or shown.get("name") != change.creates:
            yield f"{shown} is called made, and there is {new}"


def _edited(
    change: Change,
    claim: str,
    payload: Mapping[str, Any] | None,
    before: State,
    after: State,
    notes: Notes,
) -> Iterator[str]:
    group = str(change.edits)
    was, now = before.members.get(group, frozenset()), after.members.get(group, frozenset())
    wanted = {uid: True for uid in change.add} | {uid: False for uid in change.remove}
    if claim != "done":
        moved = sorted(was ^ now)
        if claim == "not done" and moved and not notes.lied:
            yield f"called not done, and changed is {moved}"
        return
    results = (payload or {})["results"]
    told = {result["customerUid"]: result for result in results}
    if len(told) != len(results):
        yield "a customer is told of twice"
    for uid, result in told.items():
        if uid not in wanted:
            yield f"{uid} is told of, and was not to be changed"
            continue
        is_so, was_so = (uid in now) == wanted[uid], (uid in was) == wanted[uid]
        match result["status"]:
            case "ACCEPTED" if not is_so and not notes.lied:
                yield f"{uid} is ACCEPTED, and it is not so"
            case "UNCHANGED" if uid in notes.conflicts:
                pass
            case "UNCHANGED" if (not was_so or not is_so) and not notes.lied:
                yield f"{uid} is UNCHANGED, and it was {was_so}, is {is_so}"
            case "FAILED" if is_so != was_so and not notes.lied:
                yield f"{uid} is FAILED, and it was changed: {result['error']}"
            case "UNKNOWN" if not notes.unsure and not notes.lied and uid in notes.written:
                yield f"{uid} is UNKNOWN though every answer was definite: {result['error']}"
            case "PLANNED":
                yield f"{uid} is PLANNED, and it is no dry run"
            case _:
                pass
    untold = [uid for uid in wanted if uid not in told and (uid in was) != wanted[uid]]
    if untold:
        yield f"not told of: {untold}"
