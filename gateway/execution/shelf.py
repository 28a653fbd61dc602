"""What is made of documents and kept beside them: plans and shapes, within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from gateway.execution.documents import Document
from gateway.execution.expressions import Partial
from gateway.execution.plan import Plan
from gateway.execution.rehearsal import Rehearsals
from gateway.execution.shapes import Place
from gateway.selection import Selection

MOST_SHAPES: Final = 3_000
"""Of all documents together. Each choice of @skip and @include has shapes of its own, and clients
choose: beyond that, all are made anew as they are asked for.
"""
Choice = tuple[object, ...]
"""An operation's name, and the values of the variables by which it chooses what it skips."""


class Shelf:
    """What is kept beside documents, for as long as they are."""

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Document, Kept] = WeakKeyDictionary()
        self._shapes = 0

    def beside(self, document: Document) -> Kept:
        if self._shapes >= MOST_SHAPES:
            self._kept.clear()
            self._shapes = 0
        kept = self._kept.get(document)
        if kept is None:
            kept = self._kept[document] = Kept(self)
        return kept

    def count(self, shapes: int = 1) -> None:
        """Count what was made; those of documents that are gone count on till all go."""
        self._shapes += shapes


@dataclass(slots=True)
class Kept:
    """What was made of one document."""

    shelf: Shelf
    partials: dict[tuple[Choice, Place], Partial] = field(default_factory=dict)
    """Shapes for graphql-core's executor; what is below a place depends on the choice, too."""
    selections: dict[str | None, Selection] = field(default_factory=dict)
    """What each operation looks at, by its name."""
    conditions: dict[str | None, Sequence[str]] = field(default_factory=dict)
    """The variables by which each operation chooses what it skips."""
    plans: dict[Choice, Plan] = field(default_factory=dict)
    rehearsals: Rehearsals = field(default_factory=Rehearsals)
