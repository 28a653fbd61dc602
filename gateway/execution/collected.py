"""The errors of one execution: those of which the answer still shows where they are.

An object becomes null where a field of it that can't be null has failed. What was told of that is
the reason; what failed below it before is not seen any more, and how much that is depends on what
came first. So it is not told of, whichever came first.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphql import GraphQLError
from graphql.execution.executor import CollectedErrors
from graphql.pyutils import Path


class Collected(CollectedErrors):
    """With the positions that became null, each with its error."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0
        """Errors that were only counted."""
        self._places: list[Path | None] = []
        self._counts: list[tuple[Path, int]] = []

    def add(self, error: GraphQLError, path: Path | None) -> None:
        known = len(self.errors)
        super().add(error, path)
        if len(self.errors) > known:
            self._places.append(path)

    def count(self, errors: int, path: Path) -> None:
        """Take note of further errors below `path`, which are told of in number only."""
        self.counted += errors
        self._counts.append((path, errors))

    def since(self, known: int) -> Iterator[tuple[GraphQLError, Path | None]]:
        """Those to be told of, without the first ones, and what has become null by each."""
        for error, place in zip(self.errors[known:], self._places[known:], strict=True):
            if place is None or not self.has_nulled_position(place.prev):
                yield error, place

    def more(self) -> int:
        """How many others were only counted."""
        return sum(errors for path, errors in self._counts if not self.has_nulled_position(path))
