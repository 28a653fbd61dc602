"""How much a request may ask for at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Final

from msgspec import Meta

from gateway.engine import ResponseLimits

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
OUTCOME_FIELDS: Final = 10
"""Of one customer in a change's payload: the schema has seven."""
OUTCOME_BYTES: Final = 100
"""Of each of these fields."""


@dataclass(frozen=True, kw_only=True)
class Bounds(ResponseLimits):
    """How much may be asked for at once, and shown."""

    default_page_size: Count = 20
    """Rows of a connection without `first` and `last`."""
    max_page_size: Count = 100
    """The largest `first` and `last`."""
    max_membership_uids: Count = 10_000
    """Customers in each list of one membership edit."""
    max_custom_fields: Count = 500
    """Custom fields in each list of one change; commercetools takes 500 actions at once."""

    @property
    def of_changes(self) -> ResponseLimits:
        """Room for the outcome of each customer of the largest change."""
        customers = 2 * self.max_membership_uids  # in two lists
        return replace(
            self,
            max_values=OUTCOME_FIELDS * customers,
            max_response_body=OUTCOME_FIELDS * OUTCOME_BYTES * customers,
        )
