"""Failures that left a field its value, or most of it: reported in addition to the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from gateway.errors import GatewayError

Path = tuple[str | int, ...]


class Reports:
    """Those of one operation."""

    def __init__(self, listed: int) -> None:
        self.unlisted = 0
        """How many failures are only counted."""
        self._reported: dict[Path, Sequence[GatewayError]] = {}
        self._room = listed

    def add(self, path: Path, failures: Iterable[GatewayError], *, count: int = 1) -> None:
        """Report `count` failures at `path`; once, however many fields meet them. Only as many are
        taken from `failures` as can be listed.
        """
        if path in self._reported:
            return
        listed = self._reported[path] = list(islice(failures, self._room))
        self.unlisted += count - len(listed)
        self._room -= len(listed)

    def listed(self) -> list[tuple[Path, GatewayError]]:
        """Each with its path."""
        return [
            (path, failure) for path, failures in self._reported.items() for failure in failures
        ]
