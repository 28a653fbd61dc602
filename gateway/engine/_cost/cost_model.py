"""What the engine is given to estimate costs: placeholders, and the calls that reading takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol


class CostModel(Protocol):
    """Answers the keys of one operation with placeholders, calls nobody, and counts."""

    path: tuple[str, ...]
    """The field that is being resolved, without indexes: set by the engine."""

    @property
    def rest_calls(self) -> int:
        """The upper bound, without the extra calls."""

    @property
    def extra_calls(self) -> int:
        """Further calls that may save others; they are made only if the budget has room."""

    @property
    def scopes(self) -> Collection[str]:
        """Where the calls are made: each a `cost_scope` of some operation."""

    @property
    def reserved(self) -> int:
        """Of `rest_calls`, how many others leave for those that can't be made in part."""

    @property
    def multiplied(self) -> tuple[str, ...] | None:
        """The path where calls are first multiplied by rows, if anywhere."""

    @property
    def longest(self) -> tuple[str, int]:
        """The argument of the longest window, and its rows."""

    @property
    def prefetched(self) -> Sequence[Any]:
        """Keys that are known without any answer, which a run reads at once."""

    def answer(self, key: Any) -> Any:
        """A placeholder for what is read by `key`."""

    def several(self, items: Sequence[Any]) -> Sequence[Any]:
        """Some of these placeholders, which stand for all."""

    def end_of_tick(self) -> None:
        """Keys that were asked for since the last time are read together."""

    def forget(self) -> None:
        """What was read until now would be read again."""
