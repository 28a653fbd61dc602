"""Whether rows come in the order that was asked for, as far as they prove that they do not.

An upstream that ignores an order answers rows that look right one by one: `last` shows the list's
first rows, and pages that are put together repeat and lack some.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter, gt, lt
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.backends.port import CustomerOrder, GroupOrder, SortDirection
from gateway.errors import InvalidAnswer
from gateway.records import Page, Projection, Record, RowT


class OrderNotKept(Struct, frozen=True):
    """The remark beside rows that contradict the order asked for."""

    order: str

    @property
    def failure(self) -> InvalidAnswer:
        return InvalidAnswer(
            f"The backend's rows are not in the order asked for, {self.order}: these may be others "
            "than those that belong here."
        )


def showing(
    selected: Projection | None, record: type[Record], order: GroupOrder | CustomerOrder
) -> Projection | None:
    """What is selected, and the field that rows are ordered by, which shows whether they are."""
    return None if selected is None else selected.adding(record, _attribute(order))


def held(page: Page[RowT], order: GroupOrder | CustomerOrder | None) -> Page[RowT]:
    """The page, with a remark if its rows contradict the order."""
    if order is None or len(page.rows) < 2:
        return page
    show = attrgetter(f"record.{_attribute(order)}")
    if not contradict([*map(show, page.rows)], descending=order.direction is SortDirection.DESC):
        return page
    return replace(page, remarks=(*page.remarks, OrderNotKept(str(order))))


def held_by_uid(page: Page[Any]) -> Page[Any]:
    """As `held`, for rows that were asked for in the order of their uids: who follows cursors
    through others misses some, and meets some again.
    """
    uids = [row.record.uid for row in page.rows]
    if uids == sorted(uids):
        return page
    return replace(page, remarks=(*page.remarks, OrderNotKept("id")))


def contradict(values: Sequence[Any], *, descending: bool = False) -> bool:
    """Whether rows with these values can't be in that order. Values that are null or can't be read
    prove nothing.

    Instants are compared exactly. Texts are ordered in as many ways as there are collations, and
    upstreams may order by more than they show, so only the first and the last count.

    >>> contradict(["Abel", "zoe", "Bo"]), contradict(["Bo", None, "Abel"])
    (False, True)
    """
    first, last = _first(values), _first(reversed(values))
    if isinstance(first, str) and isinstance(last, str):
        return comes_after(last, first) if descending else comes_after(first, last)
    instants = [value for value in values if isinstance(value, datetime)]
    return any(map(lt if descending else gt, instants, islice(instants, 1, None)))


def comes_after(one: str, other: str) -> bool:
    """Whether `one` comes after `other` by every collation: of any language or character set, with
    or without regard to case.

    They have to differ first in two letters of one case that all alphabets but the Hawaiian have in
    this order, and that are no part of a pair that some language takes for a letter, as Danish does
    aa, Czech ch, and Yoruba gb.

    >>> comes_after("Smith", "Adams"), comes_after("smith", "Adams"), comes_after("Chen", "Cruz")
    (True, False, False)
    """
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if at is None:
        return False
    mine, theirs = one[at], other[at]
    return (
        mine > theirs
        and any(mine in letters and theirs in letters for letters in COMPARABLE)
        and not any(
            _may_be_one(text[n : n + 2].lower())
            for text in (one, other)
            for n in (at - 1, at)
            if n >= 0
        )
    )


# Estonian has z behind s, Lithuanian y beside i, Swedish w with v; q and x are elsewhere in Azeri.
COMPARABLE: Final = ("abcdefghijklmnoprstuv", "ABCDEFGHIJKLMNOPRSTUV")
APART: Final = frozenset("abcdefiklmnopqrtuvx0123456789 ")
"""What hardly any language takes together with the letter ahead of it, unless that is the same."""
TOGETHER: Final = frozenset(["gb", "gi", "kp", "qu", "tr"])
"""Where some do: Yoruba, Ewe, Vietnamese."""


def _may_be_one(pair: str) -> bool:
    first, second = pair[:1], pair[1:]
    if not (second and first.isalpha()):
        return False
    return first == second or second not in APART or pair in TOGETHER


def _first(values: Iterable[Any]) -> Any:
    """The first value that proves anything: text that has lost characters is of another type."""
    for value in values:
        if (type(value) is str and value) or isinstance(value, datetime):
            return value
    return None


def _attribute(order: GroupOrder | CustomerOrder) -> str:
    """The records' attribute that the order is by."""
    name: str = order.field.value
    return name.lower()
