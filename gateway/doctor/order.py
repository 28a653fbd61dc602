"""Whether rows have come in the order that was asked for, as far as their values can show it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, pairwise
from math import factorial, prod
from typing import Any, Final, Literal

COLLATION: Final = 0.1
"""The part of all pairs that may stand the wrong way round because of a collation that is none of
ours; in rows of another order it is about half.
"""
RARE: Final = 100
"""Of so many orders that rows could have, one is no accident."""
MOST: Final = 100
"""Rows that are compared with each other."""
FEW: Final = 5
"""Values that differ, below which chance may have put them into order."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """What a list in both directions has shown."""

    kept: bool | None
    """Whether rows come in the order asked for; None where their values can't show it."""
    mirrored: bool | None
    """Whether one direction is the exact mirror of the other; None where that was not seen."""
    ties: int
    """Rows that sort like another."""
    sure: bool
    found: str
    """A sentence, with the evidence."""


def judge(
    ascending: Sequence[tuple[str, object]],
    descending: Sequence[tuple[str, object]],
    *,
    instants: bool = False,
    whole: bool = True,
) -> Sorted:
    """By each row's uid and the value it is sorted by, of the same list in both directions;
    `whole` says that it has no more rows.

    >>> judge([("1", "a"), ("2", "b"), ("3", "b")], [("3", "b"), ("2", "b"), ("1", "a")]).found
    'kept; DESC mirrors ASC, ties included (3 rows, 2 sort alike)'
    """
    there, back = ([uid for uid, _ in rows] for rows in (ascending, descending))
    counted = Counter(value if isinstance(value, str) else "" for _, value in ascending)
    ties = sum(number for number in counted.values() if number > 1)
    evidence = f"({len(there)} rows, {ties} sort alike)"
    whole = whole and set(there) == set(back)
    mirrored = there == back[::-1] if whole and len(there) > 1 else None
    if len(counted) < 2:
        return Sorted(None, mirrored, ties, False, f"the rows can't show it {evidence}")
    if there == back:
        return Sorted(
            False, mirrored, ties, True, f"passed over: ASC and DESC are alike {evidence}"
        )
    wrong = max(disorder(ascending, instants), disorder(descending[::-1], instants))
    if wrong > (0 if instants else COLLATION):
        part = f"{wrong:.0%} of the pairs stand the wrong way round"
        return Sorted(False, mirrored, ties, True, f"not kept: {part} {evidence}")
    sure = not wrong and len(counted) >= FEW
    kept = "kept, by a collation of its own" if wrong else "kept"
    match mirrored:
        case None:
            how = "the list is too long to see whether DESC mirrors ASC"
        case True:
            how = "DESC mirrors ASC" + (", ties included" if ties else "")
        case False:
            how = "DESC does not mirror ASC"
    return Sorted(True, mirrored, ties, sure, f"{kept}; {how} {evidence}")


def disorder(rows: Sequence[tuple[str, object]], instants: bool = False) -> float:
    """The part of all pairs of different values that stand the wrong way round, by the collation
    that suits the rows best. Rows without a value are left out: they may stand at either end.

    >>> disorder([("1", "Zoe"), ("2", "ada"), ("3", "Émile")]), disorder([("1", "b"), ("2", "a")])
    (0.0, 1.0)
    """
    values = shown(rows, instants)
    if instants:
        return _wrong(values)
    return min(_wrong([key(value) for value in values]) for key in (str, str.casefold, _letters))


def shown(rows: Sequence[tuple[str, object]], instants: bool = False) -> Sequence[Any]:
    """The values that rows may be sorted by, as far as there are any."""
    texts = [value for _, value in rows[:MOST] if isinstance(value, str) and value]
    if not instants:
        return texts
    return [instant for text in texts if (instant := _instant(text)) is not None]


def _wrong(values: Sequence[Any]) -> float:
    pairs = [bool(one > other) for one, other in combinations(values, 2) if one != other]
    return sum(pairs) / max(1, len(pairs))


def by_accident(values: Sequence[Any]) -> bool:
    """Whether the values may be in order by accident: there are few orders that they could have.

    >>> by_accident("aab"), by_accident("abcd"), by_accident("abcde"), by_accident("a" * 98 + "bc")
    (True, True, False, False)
    """
    orders = factorial(len(values)) // prod(map(factorial, Counter(values).values()))
    return orders < RARE


Verdict = Literal["kept", "ignored", "refused", "other", "unknown"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What an order does to rows, and how that shows."""

    verdict: Verdict
    sure: bool
    evidence: str


def judge_descending(
    rows: Sequence[tuple[str, object]], *, instants: bool, unsorted: bool | None
) -> Judged:
    """Of rows that were to descend; `unsorted` says whether they are in the same order as for an
    order that nobody knows, None if that is refused.

    >>> judge_descending([("1", "b"), ("2", "a")], instants=False, unsorted=True).verdict
    'kept'
    """
    values = shown(rows, instants)
    different = len(set(values))
    evidence = f"{different} value{'s'[different == 1 :]} in {len(values)} rows"
    if different < 2:
        if unsorted is None:
            return Judged("kept", False, f"it is taken, an unknown one is not; {evidence}")
        return Judged("unknown", False, f"too few to tell: {evidence}")
    allowed = 0.0 if instants else COLLATION
    sure = not by_accident(values)
    if disorder(rows[::-1], instants) <= allowed:
        if unsorted:
            return Judged("kept", False, f"rows come so without it too; {evidence}")
        return Judged("kept", sure, f"rows come in that order; {evidence}")
    if unsorted:
        return Judged("ignored", True, f"rows come as for an unknown one; {evidence}")
    if disorder(rows, instants) <= allowed:
        return Judged("other", sure, f"rows ascend, though they were to descend; {evidence}")
    return Judged("other", sure, f"rows come in another order; {evidence}")


def ties(rows: Sequence[tuple[str, object]]) -> int:
    """Neighbours in a sorted list that compare alike."""
    return sum(one == other for (_, one), (_, other) in pairwise(rows))


def seems_sorted(rows: Sequence[tuple[str, object]], instants: bool) -> str | None:
    """In which direction, if all rows have a value, and it is no accident."""
    values = shown(rows, instants)
    if len(values) < min(len(rows), MOST) or by_accident(values):
        return None
    allowed = 0.0 if instants else COLLATION
    if disorder(rows, instants) <= allowed:
        return "ascending"
    return "descending" if disorder(rows[::-1], instants) <= allowed else None


def last_page(total: int, most: int) -> tuple[int, int]:
    """The size of pages, up to `most`, with which the last of `total` rows fill the last page best;
    and how many rows that has.

    >>> last_page(250, 100), last_page(97, 100), last_page(101, 50)
    ((84, 82), (97, 97), (34, 33))
    """
    sizes = range(min(total, most), 0, -1)
    size = max(sizes, key=lambda size: (total - 1) % size)
    return size, (total - 1) % size + 1


def _letters(text: str) -> str:
    """Without accents, punctuation and case, as most databases sort."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in parts if c.isalnum())


def _instant(text: str) -> datetime | None:
    try:
        given = datetime.fromisoformat(text)
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    except ValueError:
        return None
