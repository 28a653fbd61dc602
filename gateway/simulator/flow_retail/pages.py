"""Which rows a request's pageNumber, pageSize, sortBy and sortDirection ask for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.simulator.flow_retail.order import RowOrder
from gateway.simulator.flow_retail.refusal import Refusal
from gateway.simulator.flow_retail.switches import Switches

LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is answered: the number and size that were used, not those asked for."""

    number: int
    size: int
    total: int
    offset: int


def page(query: Mapping[str, str], total: int, switches: Switches) -> Page:
    """The page asked for, of `total` items; Refusal 400 or 404 where the switches say so."""
    size = whole_number(query, "pageSize", switches.default_page_size)
    if size < 1:
        raise Refusal(400, "pageSize must be 1 or more.")
    if size > switches.max_page_size:
        if switches.oversized_page == "refuse":
            raise Refusal(400, f"pageSize must be {switches.max_page_size} or less.")
        size = switches.max_page_size
    first = switches.first_page
    last = first + max(0, (total - 1) // size)
    number = whole_number(query, "pageNumber", first)
    if number < first:
        if switches.before_the_start == "refuse":
            raise Refusal(400, f"pageNumber must be {first} or more.")
        number = first
    if number > last:
        match switches.past_the_end:
            case "empty":
                pass
            case "not_found":
                raise Refusal(404, "There is no such page.")
            case "last":
                number = last
    return Page(number, size, total, (number - first) * size)


def order(
    query: Mapping[str, str], sorts: Mapping[str, str], default: str, switches: Switches
) -> RowOrder:
    """How the rows are sorted; sortDirection without sortBy turns the default order around."""
    direction = query.get("sortDirection", "ASC")
    if direction not in ("ASC", "DESC"):
        raise Refusal(400, "sortDirection must be ASC or DESC.")
    column = default
    if "sortBy" in query:
        if query["sortBy"] in sorts:
            column = sorts[query["sortBy"]]
        elif switches.unknown_sort == "refuse":
            raise Refusal(400, "sortBy must be a field that can be sorted by.")
    return RowOrder(column=column, descending=direction == "DESC", ties=switches.ties)


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    """A parameter of the type integer; Refusal 400 for anything else, the empty string included."""
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?[0-9]{1,10}", text) or abs(int(text)) > LARGEST:
        raise Refusal(400, f"{name} must be a whole number.")
    return int(text)
