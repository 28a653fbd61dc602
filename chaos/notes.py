"""What the oracle has to know of the faults that an operation met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Allowed = Callable[[str, Any, Any], bool]
"""Of a field's name, its right value and the one shown: whether the upstream said so itself."""


@dataclass(slots=True)
class Notes:
    """Of one operation; without any, every answer has to be complete and without errors."""

    played: list[str] = field(default_factory=list)
    """The faults that came about, in order, each with the request."""
    harmless: bool = True
    """Whether all of them were of the kind that real servers do and nobody should notice."""
    unsure: bool = False
    """Whether the answer to a write was lost, can't be read or contradicts the request."""
    lied: bool = False
    """Whether the upstream said definitely of a write what was not so."""
    absent: bool = False
    """Whether the upstream said 404 of something that is there."""
    moved: bool = False
    """Whether rows moved between two pages, so that some may be missing."""
    repaired: bool = False
    """Whether values had bytes or characters that can't be, for which U+FFFD stands."""
    doubled: bool = False
    """Whether the upstream itself did a write twice."""
    written: str = ""
    """The paths and bodies of the writes that arrived: what is not there was lost on its way."""
    conflicts: str = ""
    """The bodies of requests for one customer that were answered with 409, which says that all is
    as wanted already.
    """
    estimates: bool = False
    """Whether the backend's totals are estimates."""
    elsewhere: bool = False
    """Whether somebody else changed the data meanwhile."""
    allowed: list[Allowed] = field(default_factory=list)

    def allows(self, name: str, right: Any, shown: Any) -> bool:
        return any(allowed(name, right, shown) for allowed in self.allowed)
