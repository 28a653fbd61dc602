"""What is made of a document for its operations, kept with it for as long as it is kept itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from gateway.engine._cost.cost_estimate import CostEstimates
from gateway.engine._documents.variables import PlainVariable
from gateway.engine._plan.plan import Plan

MOST_PLANS: Final = 16
"""Of one operation: each choice of @skip and @include has its own, and clients choose."""
BYTES_PER_OPERATION: Final = 3_000
Choice = tuple[object, ...]
"""The values of the variables by which an operation chooses what it skips."""


@dataclass(slots=True)
class PreparedPlan:
    """A plan, and what was made for the requests that it is for."""

    plan: Plan
    estimates: CostEstimates = field(default_factory=CostEstimates)
    weighed: int = 0
    """Its size when its document was last weighed."""

    @property
    def size(self) -> int:
        """About the bytes that it takes, rather too many than too few."""
        return self.plan.size + self.estimates.size


@dataclass(slots=True)
class PreparedOperation:
    """What was made of one operation of a document."""

    projection: object
    """What it looks at of records, as `project` has made it; None for all of them."""
    conditions: Sequence[str]
    """The variables by which it chooses what it skips."""
    plain: Mapping[str, PlainVariable] | None
    """Its variables, if all are plain."""
    plans: LRUCache[Choice, PreparedPlan] = field(default_factory=lambda: LRUCache(MOST_PLANS))


class Prepared:
    """What was made of one document."""

    def __init__(self) -> None:
        self.operations: dict[str | None, PreparedOperation] = {}
        """By their names: as many as the document has."""

    @property
    def size(self) -> int:
        """About the bytes that it takes, rather too many than too few."""
        return sum(
            BYTES_PER_OPERATION + sum(made.size for made in operation.plans.values())
            for operation in self.operations.values()
        )
