"""Failures that left a field its value, or the better part of it: told beside the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from gateway.errors import GatewayError

Path = tuple[str | int, ...]


class Reports:
    """Those of one operation, at most as many as are listed."""

    def __init__(self, most: int) -> None:
        self.unlisted = 0
        """How much the client is told of in number only."""
        self._reported: dict[Path, Sequence[GatewayError]] = {}
        self._room = most

    def add(self, path: Path, failures: Iterable[GatewayError], *, count: int = 1) -> None:
        """Tell of so many failures at `path`; once, however many of its fields have met them. No
        more are made than can be listed.
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
