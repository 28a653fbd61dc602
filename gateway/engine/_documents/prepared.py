"""Operations prepared for execution, which are cached with their document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from gateway.engine._cost.cost_estimate import CostEstimates
from gateway.engine._documents.variables import PlainVariable
from gateway.engine._plan.plan import Plan

MOST_PLANS: Final = 16
"""The most plans of one operation: each combination of @skip and @include has its own."""
BYTES_PER_OPERATION: Final = 3_000
Choice = tuple[object, ...]
"""The values of the variables in @skip and @include."""


@dataclass(slots=True)
class PreparedPlan:
    """A plan, with the estimates of its cost."""

    plan: Plan
    estimates: CostEstimates = field(default_factory=CostEstimates)
    weighed: int = 0
    """Its size when its document was last measured."""

    @property
    def size(self) -> int:
        """An estimate of the bytes that it takes, too high rather than too low."""
        return self.plan.size + self.estimates.size


@dataclass(slots=True)
class PreparedOperation:
    """One operation of a document, prepared for execution."""

    projection: object
    """The record attributes that it looks at, as the engine's `project` returned them; None for
    all.
    """
    conditions: Sequence[str]
    """The variables in @skip and @include."""
    plain: Mapping[str, PlainVariable] | None
    """Its variables, if all are plain."""
    plans: LRUCache[Choice, PreparedPlan] = field(default_factory=lambda: LRUCache(MOST_PLANS))

    @property
    def size(self) -> int:
        """An estimate of the bytes that it takes, too high rather than too low."""
        return BYTES_PER_OPERATION + sum([made.size for made in self.plans.values()])
