"""Null where it belongs in an answer in which something failed, and every place of every failure.

If anything failed, and only then, one pass over the answer is led by the plan to the objects with
failures. It puts null in place of values that can't be shown, or of the nearest parent that may be
null, and finds their paths. An object that stands in many places is visited once, and its failures
are listed at each place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from graphql import GraphQLError, located_error
from msgspec import Struct

from gateway.engine._plan.fetching import Notice
from gateway.engine._plan.plan import Link, Selection
from gateway.engine._run.failures import (
    Failure,
    Failures,
    FieldOf,
    Names,
    Notes,
    Path,
    Repair,
    names_in,
)
from gateway.engine._run.time_slices import Steps, TimeSlices

LOST: Final = "CHARACTERS_LOST"
STEP: Final = 16
"""Items that are visited before asking whether it is time to yield."""
MAX_BYTES: Final = 16 * 1024
"""Of the paths of warnings, and of notices: response names may be long."""


class _FailuresBelow(Struct):
    """What failed in an object and below it, for each place where that stands."""

    own: Failures | None
    below: list[tuple[Path, _FailuresBelow | Failure]]
    reason: Failure | None
    """Why the object is null, which hides all that failed below it."""


_NONE: Final = _FailuresBelow(None, [], None)


class NullPropagation:
    """Of one answer."""

    def __init__(self, notes: Notes, slices: TimeSlices) -> None:
        self.nothing = False
        """Whether the whole answer is null."""
        self.errors: list[GraphQLError] = []
        """In the order of their fields in the document, then of their paths."""
        self.unlisted = 0
        """Further errors."""
        self.extensions: dict[str, list[dict[str, Any]]] = {}
        """Warnings and notices."""
        self.remarks: list[tuple[Path, Sequence[Any]]] = []
        """What failed beside what is shown, by the path of the object that shows it."""
        self._notices: dict[str, list[tuple[Path, Mapping[str, Any]]]] = {}
        self._notes = notes
        self._slices = slices
        self._leading: set[int] = set()
        """The ids of links that are marked."""
        self._below: dict[int, bool] = {}
        """What `_mark` has returned, by the ids of selections."""
        self._known: dict[int, _FailuresBelow] = {}
        self._failures: list[Failure] = []
        self._repairs: list[Repair] = []
        self._times: Counter[FieldOf] = Counter()

    async def run(self, selection: Selection, root: Any) -> None:
        """Put null into the answer wherever something failed, and find errors and warnings."""
        await self._slices.run(self._steps(selection, root))

    def _steps(self, selection: Selection, root: Any) -> Steps:
        self._mark(selection)
        trouble = yield from self._object(selection, root)
        if trouble.reason is not None:
            self.nothing = True
            self._failures = [trouble.reason]
        else:
            yield from self._collect(trouble, (), ())
        listed = self._notes.listed
        self._failures.sort(key=_order)
        self.unlisted += max(0, len(self._failures) - listed)
        self.errors = [
            located_error(failure.error, failure.nodes, list(failure.path))
            for failure in self._failures[:listed]
        ]
        self._warn()
        for name, notices in self._notices.items():
            entries = self._fitting(notices)
            if more := len(notices) - len(entries):
                entries.append({"message": f"And {more} more."})
            self.extensions[name] = entries

    # -- null, where it belongs

    def _object(self, selection: Selection, made: Any) -> Steps:
        """Put null into the object and what is below it; returns what failed there."""
        known = self._known.get(id(made))
        if known is not None:
            return known
        own = self._notes.failures.get(id(made))
        reasons = {reason.path[0]: reason for reason in own.reasons} if own is not None else {}
        below: list[tuple[Path, _FailuresBelow | Failure]] = []
        for link in selection.links:
            if made[link.key] is None or id(link) not in self._leading:
                continue
            found: list[tuple[Path, _FailuresBelow | Failure]] = []
            reason = yield from self._field(link, made[link.key], found)
            if reason is None:
                below += found
                continue
            made[link.key] = None
            if link.field.nullable:
                below.append(((), reason))
            else:
                reasons[link.key] = reason
        trouble = _NONE
        if own is not None or reasons or below:
            first = next(filter(reasons.__contains__, made), None)
            trouble = _FailuresBelow(own, below, None if first is None else reasons[first])
        self._known[id(made)] = trouble
        return trouble

    def _field(
        self, link: Link, value: Any, found: list[tuple[Path, _FailuresBelow | Failure]]
    ) -> Steps:
        """Put null into the objects of the field, and add to `found` what failed in them; returns
        why the field itself is null, or None.
        """
        if not link.field.is_list:
            trouble = yield from self._object(self._selection(link, value), value)
            if trouble.reason is None and trouble is not _NONE:
                found.append(((link.key,), trouble))
            return trouble.reason and trouble.reason.above((link.key,))
        below = any([self._below[id(each)] for each in link.selections.values()])
        for index, item in enumerate(value):
            if index % STEP == 0 and self._slices.over:
                yield
            if item is None or not (below or id(item) in self._notes.failures):
                continue
            selection = self._selection(link, item)
            trouble = yield from self._object(selection, item)
            if trouble is _NONE:
                continue
            if trouble.reason is None:
                found.append(((link.key, index), trouble))
                continue
            reason = trouble.reason.above((link.key, index))
            if not link.field.items_nullable:
                return reason
            value[index] = None
            found.append(((), reason))
        return None

    def _selection(self, link: Link, made: Any) -> Selection:
        if len(link.types) > 1:
            return self._notes.selections[id(made)]
        [selection] = link.selections.values()
        return selection

    def _mark(self, selection: Selection) -> bool:
        """Mark the links below that lead to a failure; returns whether anything failed in a link of
        such objects, or below them.
        """
        below = self._below.get(id(selection))
        if below is None:
            below = False
            for link in selection.links:
                for each in link.selections.values():
                    if self._mark(each) or id(each) in self._notes.parts:
                        self._leading.add(id(link))
                below = below or id(link) in self._leading or id(link) in self._notes.parts
            self._below[id(selection)] = below
        return below

    # -- every place of every failure

    def _collect(self, trouble: _FailuresBelow, path: Path, names: Names) -> Steps:
        if self._slices.over:
            yield
        if trouble.own is not None:
            for (kind, field), noted in trouble.own:
                self._list((kind, names + field), path, noted)
            if trouble.own.remarks:
                self._remark(path, trouble.own.remarks)
        for further, below in trouble.below:
            if isinstance(below, Failure):
                self._list((Failure, names + names_in(below.path)), path, below)
            else:
                yield from self._collect(below, path + further, names + names_in(further))

    def _list(self, field: FieldOf, path: Path, noted: Failure | Repair | None) -> None:
        self._times[field] += 1
        if noted is None or self._times[field] > self._notes.listed:
            if field[0] is Failure:
                self.unlisted += 1
        elif isinstance(noted, Failure):
            self._failures.append(noted.above(path))
        else:
            self._repairs.append(Repair(path + noted.path, noted.how))

    def _remark(self, path: Path, remarks: Sequence[Any]) -> None:
        failed = [remark for remark in remarks if not isinstance(remark, Notice)]
        if failed:
            self.remarks.append((path, failed))
        for remark in remarks:
            if isinstance(remark, Notice):
                self._notices.setdefault(remark.name, []).append((path, remark.facts))

    def _warn(self) -> None:
        found = sum(times for (kind, _), times in self._times.items() if kind is Repair)
        if not found:
            return
        warnings = self._fitting(
            [(repair.path, {"code": LOST, "message": repair.how}) for repair in self._repairs]
        )
        if more := found - len(warnings):
            warnings.append({"code": LOST, "message": f"And {more} more values."})
        self.extensions["warnings"] = warnings

    def _fitting(self, entries: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """As many as can be listed, each with its path."""
        listed: list[dict[str, Any]] = []
        room = MAX_BYTES
        for path, facts in entries[: self._notes.listed]:
            room -= sum(len(str(key).encode()) for key in path)
            if room < 0:
                break
            listed.append({"path": list(path), **facts})
        return listed


def _order(failure: Failure) -> tuple[int, list[tuple[bool, str | int]]]:
    """As fields are written, then by path: answers come in an order that no two requests share."""
    node = failure.nodes[0]
    start = node.loc.start if node.loc else 0
    return start, [(isinstance(key, str), key) for key in failure.path]
