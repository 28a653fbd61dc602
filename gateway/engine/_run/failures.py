"""What failed while an answer was made: noted with the objects whose fields it cost.

Nothing tracks paths from the root while an operation runs; see null_propagation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from graphql import FieldNode, GraphQLError
from msgspec import Struct

from gateway.engine._plan.plan import Link, Selection
from gateway.errors import GatewayError

Path = tuple[str | int, ...]
Names = tuple[str, ...]
"""A path without its indexes."""


class Failure(Struct, frozen=True):
    """Why a value is null; `path` leads to it from the object that it is noted with."""

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


FieldOf = tuple[type[Failure | Repair], Names]
"""What is noted of which field, however often it stands in lists."""


class Failures:
    """What failed in one object of the response, and in the plain values below it."""

    def __init__(self, owner: object, listed: int) -> None:
        """At most `listed` failures of one field are listed, the others counted."""
        self.owner = owner
        """Held, because it is known by its id."""
        self.reasons: list[Failure] = []
        """Why the object itself is null: failures of fields that can't be."""
        self.remarks: Sequence[Any] = ()
        """What is to be said beside the answer that the object shows."""
        self._listed = listed
        self._noted: list[tuple[FieldOf, Failure | Repair | None]] = []
        self._times: Counter[FieldOf] = Counter()

    def __len__(self) -> int:
        return len(self._noted)

    def __iter__(self) -> Iterator[tuple[FieldOf, Failure | Repair | None]]:
        """Each with the field that it is of; None for one that is only counted."""
        return iter(self._noted)

    def add(self, noted: Failure | Repair) -> None:
        """Note a failure whose value is null, or a repair."""
        field = type(noted), names_in(noted.path)
        self._times[field] += 1
        self._noted.append((field, noted if self._times[field] <= self._listed else None))

    def drop(self, known: int) -> None:
        """Forget all but the first `known`: they are below something that has become null."""
        self._times.subtract(field for field, _ in self._noted[known:])
        del self._noted[known:]


def names_in(path: Path) -> Names:
    return tuple([key for key in path if isinstance(key, str)])


class Notes:
    """What failed in one answer, by the objects whose fields it cost."""

    def __init__(self, listed: int) -> None:
        """At most so many failures of one field are listed, the others counted."""
        self.listed = listed
        self.failures: dict[int, Failures] = {}
        """By the ids of objects."""
        self.parts: set[int] = set()
        """The ids of the selections and links of the plan in which anything failed."""
        self.selections: dict[int, Selection] = {}
        """By the ids of objects whose type their field leaves open."""

    def of(self, made: object, where: Link | Selection) -> Failures:
        """The failures of this object: in one field, or in its plain ones."""
        self.parts.add(id(where))
        failures = self.failures.get(id(made))
        if failures is None:
            failures = self.failures[id(made)] = Failures(made, self.listed)
        return failures


def expected(error: Exception) -> Exception:
    """The error, without the frames that it was raised in if somebody expected it: they hold all
    that was worked on.
    """
    if isinstance(error, GatewayError | GraphQLError):
        error.__traceback__ = None
    return error
