"""Which stretch of a query's rows is asked for, and how many rows are said to be there."""

import re
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from gateway.simulator.commercetools import refusals
from gateway.simulator.commercetools.switches import Switches

DEFAULT_LIMIT = 20
MAX_LIMIT = 500
MAX_OFFSET = 10_000
FILTERED_TOTAL = 10_000
"""Where the total of a query with a predicate stops."""


@dataclass(frozen=True, slots=True)
class Page:
    """limit, offset and withTotal of a request."""

    limit: int
    offset: int
    with_total: bool


def page(query: QueryParams) -> Page:
    """The stretch asked for; Refusal 400 beyond the documented limits."""
    with_total = query.get("withTotal", "true")
    if with_total not in ("true", "false"):
        raise refusals.malformed("withTotal", "it is true or false")
    return Page(
        limit=whole_number(query, "limit", DEFAULT_LIMIT, MAX_LIMIT),
        offset=whole_number(query, "offset", 0, MAX_OFFSET),
        with_total=with_total == "true",
    )


def whole_number(query: QueryParams, name: str, default: int, most: int) -> int:
    """A number from 0 to `most`; Refusal 400 for anything else, the empty string included."""
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch("[0-9]{1,19}", text) or int(text) > most:
        raise refusals.malformed(name, f"it is a whole number from 0 to {most}")
    return int(text)


def estimate(total: int, switches: Switches) -> int:
    """The total as it is answered."""
    match switches.total:
        case "exact":
            return total
        case "low":
            return max(0, total - 1 - total // 10)
        case "high":
            return total + 1 + total // 10
