"""What failed in an answer: noted beside its objects while it is made, told with paths at the end.

Nothing tracks paths while an operation runs. If anything failed, and only then, one pass over the
answer, led by the plan, puts null where it belongs and finds every place of every failure. An
object that stands in many places is looked at once; its failures are told at each place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import Any, Final

from graphql import FieldNode, GraphQLError, located_error
from msgspec import Struct

from gateway.engine._plan.plan import Link, Selection
from gateway.engine._run.time_slices import TimeSlices
from gateway.errors import GatewayError

Path = tuple[str | int, ...]
Names = tuple[str, ...]
"""A path without its indexes."""
Steps = Generator[None, None, Any]
"""Work that may be long: yields where a time slice is over."""
LOST: Final = "CHARACTERS_LOST"
STEP: Final = 16
"""Items that are looked at before asking whether it is time to yield."""
MOST_BYTES: Final = 16 * 1024
"""Of the paths of warnings: response names may be long."""


class Failure(Struct, frozen=True):
    """Why a value is null; `path` leads to it from the object that it was noted beside."""

    path: Path
    nodes: Sequence[FieldNode]
    error: Exception

    def above(self, path: Path) -> Failure:
        """The same, seen from further up."""
        return Failure(path + self.path, self.nodes, self.error)


class Repair(Struct, frozen=True):
    """A value that is not quite the backend's, and what was lost of it."""

    path: Path
    how: str


_Field = tuple[type[Failure | Repair], Names]
"""What is noted of which field, however often it stands in lists."""


class Failures:
    """What failed in one object of the response, and in the plain values below it."""

    def __init__(self, owner: object, most: int) -> None:
        """At most `most` failures of one field are listed, the others counted."""
        self.owner = owner
        """Held, because it is known by its id."""
        self.reasons: list[Failure] = []
        """Why the object itself is null: failures of fields that can't be."""
        self.omissions: Sequence[Any] = ()
        """What was left out of the backend's answer that the object shows."""
        self._most = most
        self._noted: list[tuple[_Field, Failure | Repair | None]] = []
        self._times: Counter[_Field] = Counter()

    def __len__(self) -> int:
        return len(self._noted)

    def __iter__(self) -> Iterator[tuple[_Field, Failure | Repair | None]]:
        """Each with the field that it is of; None for one that is only counted."""
        return iter(self._noted)

    def add(self, noted: Failure | Repair) -> None:
        """Note a failure whose value is null, or a repair."""
        field = type(noted), _names(noted.path)
        self._times[field] += 1
        self._noted.append((field, noted if self._times[field] <= self._most else None))

    def drop(self, known: int) -> None:
        """Forget all but the first `known`: they are below something that has become null."""
        self._times.subtract(field for field, _ in self._noted[known:])
        del self._noted[known:]


def _names(path: Path) -> Names:
    return tuple([key for key in path if isinstance(key, str)])


class _Trouble(Struct):
    """What failed in an object and below it, for each place where that stands."""

    own: Failures | None
    below: list[tuple[Path, _Trouble | Failure]]
    reason: Failure | None
    """Why the object is null, which hides all that failed below it."""


_SOUND: Final = _Trouble(None, [], None)


class Told:
    """What is told of the failures of one answer."""

    def __init__(
        self,
        noted: dict[int, Failures],
        failed: set[int],
        selections: dict[int, Selection],
        slices: TimeSlices,
        *,
        most: int,
    ) -> None:
        """`noted` is by the ids of objects, and so are the `selections` of those whose type their
        field leaves open; `failed` has the ids of the selections and links in which something was
        noted. `most` errors are listed, and as many warnings.
        """
        self.nothing = False
        """Whether the whole answer is null."""
        self.errors: list[GraphQLError] = []
        """In the order of their fields in the document, then of their paths."""
        self.unlisted = 0
        """Further errors."""
        self.warnings: list[dict[str, Any]] = []
        self.omissions: list[tuple[Path, Sequence[Any]]] = []
        """What was left out, by the path of the object that shows the rest."""
        self._noted = noted
        self._failed = failed
        self._leading: dict[int, bool] = {}
        self._selections = selections
        self._slices = slices
        self._most = most
        self._known: dict[int, _Trouble] = {}
        self._failures: list[Failure] = []
        self._repairs: list[Repair] = []
        self._times: Counter[_Field] = Counter()

    async def look(self, selection: Selection, root: Any) -> None:
        """Put null into the answer wherever something failed, and find what is to be told."""
        await self._slices.run(self._look(selection, root))

    def _look(self, selection: Selection, root: Any) -> Steps:
        trouble = yield from self._object(selection, root)
        if trouble.reason is not None:
            self.nothing = True
            self._failures = [trouble.reason]
        else:
            yield from self._collect(trouble, (), ())
        self._failures.sort(key=_order)
        self.unlisted += max(0, len(self._failures) - self._most)
        self.errors = [
            located_error(failure.error, failure.nodes, list(failure.path))
            for failure in self._failures[: self._most]
        ]
        self._warn()

    # -- null, where it belongs

    def _object(self, selection: Selection, made: Any) -> Steps:
        known = self._known.get(id(made))
        if known is not None:
            return known
        own = self._noted.get(id(made))
        reasons = {reason.path[0]: reason for reason in own.reasons} if own is not None else {}
        below: list[tuple[Path, _Trouble | Failure]] = []
        for link in selection.links:
            if made[link.key] is None or not self._leads(link):
                continue
            found: list[tuple[Path, _Trouble | Failure]] = []
            reason = yield from self._field(link, made[link.key], found)
            if reason is None:
                below += found
                continue
            made[link.key] = None
            if link.field.nullable:
                below.append(((), reason))
            else:
                reasons[link.key] = reason
        if own is None and not (reasons or below):
            trouble = _SOUND
        else:
            first = (
                next((reasons[key] for key in made if key in reasons), None) if reasons else None
            )
            trouble = _Trouble(own, below, first)
        self._known[id(made)] = trouble
        return trouble

    def _field(self, link: Link, value: Any, found: list[tuple[Path, _Trouble | Failure]]) -> Steps:
        """Gives why the field itself is null, if it is."""
        if not link.field.is_list:
            trouble = yield from self._object(self._selection(link, value), value)
            if trouble.reason is None and trouble is not _SOUND:
                found.append(((link.key,), trouble))
            return trouble.reason and trouble.reason.above((link.key,))
        further = any(map(self._below, link.selections.values()))
        for index, item in enumerate(value):
            if index % STEP == 0 and self._slices.over:
                yield
            if item is None or not (further or id(item) in self._noted):
                continue
            selection = self._selection(link, item)
            trouble = yield from self._object(selection, item)
            if trouble is _SOUND:
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
            return self._selections[id(made)]
        [selection] = link.selections.values()
        return selection

    def _leads(self, link: Link) -> bool:
        """Whether something was noted in objects that the link leads to, or below them."""
        known = self._leading.get(id(link))
        if known is None:
            known = self._leading[id(link)] = any(
                id(selection) in self._failed or self._below(selection)
                for selection in link.selections.values()
            )
        return known

    def _below(self, selection: Selection) -> bool:
        return any(id(link) in self._failed or self._leads(link) for link in selection.links)

    # -- every place of every failure

    def _collect(self, trouble: _Trouble, path: Path, names: Names) -> Steps:
        if self._slices.over:
            yield
        if trouble.own is not None:
            for (kind, field), noted in trouble.own:
                self._tell((kind, names + field), path, noted)
            if trouble.own.omissions:
                self.omissions.append((path, trouble.own.omissions))
        for further, below in trouble.below:
            if isinstance(below, Failure):
                self._tell((Failure, names + _names(below.path)), path, below)
            else:
                yield from self._collect(below, path + further, names + _names(further))

    def _tell(self, field: _Field, path: Path, noted: Failure | Repair | None) -> None:
        self._times[field] += 1
        if noted is None or self._times[field] > self._most:
            if field[0] is Failure:
                self.unlisted += 1
        elif isinstance(noted, Failure):
            self._failures.append(noted.above(path))
        else:
            self._repairs.append(Repair(path + noted.path, noted.how))

    def _warn(self) -> None:
        room = MOST_BYTES
        for repair in self._repairs[: self._most]:
            room -= sum(len(str(key).encode()) for key in repair.path)
            if room < 0:
                break
            self.warnings.append({"code": LOST, "message": repair.how, "path": list(repair.path)})
        found = sum(times for (kind, _), times in self._times.items() if kind is Repair)
        if more := found - len(self.warnings):
            self.warnings.append({"code": LOST, "message": f"And {more} more values."})


def _order(failure: Failure) -> tuple[int, list[tuple[bool, str | int]]]:
    """As fields are written, then by path: answers come in an order that no two requests share."""
    node = failure.nodes[0]
    start = node.loc.start if node.loc else 0
    return start, [(isinstance(key, str), key) for key in failure.path]


def expected(error: Exception) -> Exception:
    """The error, without the frames that it was raised in if somebody expected it: they hold all
    that was worked on.
    """
    if isinstance(error, GatewayError | GraphQLError):
        error.__traceback__ = None
    return error
