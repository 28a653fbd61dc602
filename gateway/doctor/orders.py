"""Whether rows are in the order that was asked for, by the rows alone."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, pairwise
from math import factorial, prod
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

Verdict = Literal["kept", "ignored", "refused", "turned", "other", "unknown"]
ENOUGH: Final = 5
"""Different values, or pairs of rows that compare alike, that leave nothing to chance."""
RARE: Final = 100
"""Of so many orders that rows could have, one is no accident."""
MOSTLY: Final = 0.9
"""The part of all pairs of names that is in order where a list is sorted by them: how an API
compares letters is not known.
"""
MOST: Final = 100
"""Rows that are compared with each other."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a `sortBy` does, and how that shows."""

    verdict: Verdict
    sure: bool
    evidence: str


def values(rows: Sequence[dict[str, Any]], member: str, *, instants: bool) -> Sequence[Any]:
    """What rows sort by: instants, or texts without case and accents; only those that are there."""
    found: list[Any] = []
    for row in rows[:MOST]:
        value = row.get(member)
        if not isinstance(value, str) or not value.strip():
            continue
        if not instants:
            found.append(unicodedata.normalize("NFKD", value).casefold())
            continue
        try:
            found.append(msgspec.convert(value, Annotated[datetime, Meta(tz=True)]))
        except msgspec.ValidationError:
            continue
    return found


def agreement(found: Sequence[Any]) -> float:
    """The part of all pairs of different values that ascends."""
    pairs = [one < other for one, other in combinations(found, 2) if one != other]
    return sum(pairs) / len(pairs) if pairs else 0.0


def arrangements(found: Sequence[Any]) -> int:
    """In how many orders the values could come.

    >>> arrangements("abcde"), arrangements("aab"), arrangements("")
    (120, 3, 1)
    """
    return factorial(len(found)) // prod(map(factorial, Counter(found).values()))


def judge_descending(found: Sequence[Any], *, instants: bool, unsorted: bool | None) -> Judged:
    """What a `sortBy` has done to rows that were to descend; `unsorted` says whether they are in
    the same order as for a `sortBy` that nobody knows, None if that is refused.
    """
    different = len(set(found))
    evidence = f"{different} values in {len(found)} rows"
    if different < 2:
        if unsorted is None:
            return Judged("kept", False, f"it is taken, an unknown one is not; {evidence}")
        return Judged("unknown", False, f"too few to tell: {evidence}")
    descending = 1 - agreement(found)
    wanted = 1.0 if instants else MOSTLY
    sure = arrangements(found) >= RARE
    if descending >= wanted:
        if unsorted:
            return Judged("kept", False, f"rows come so without it too; {evidence}")
        return Judged("kept", sure, f"rows come in that order; {evidence}")
    if unsorted:
        return Judged("ignored", True, f"rows come as for an unknown one; {evidence}")
    if 1 - descending >= wanted:
        return Judged("turned", sure, f"rows ascend, though they were to descend; {evidence}")
    return Judged("other", sure, f"rows come in another order; {evidence}")


def ties(rows: Sequence[dict[str, Any]], member: str) -> int:
    """Neighbours in a sorted list that compare alike."""
    found = [row.get(member) for row in rows]
    return sum(one == other for one, other in pairwise(found))


def seems_sorted_by(
    rows: Sequence[dict[str, Any]], members: Sequence[tuple[str, bool]]
) -> str | None:
    """By which of these members, each with whether it is an instant, rows seem to be sorted."""
    seen = []
    for member, instants in members:
        found = values(rows, member, instants=instants)
        if len(found) < len(rows) or len(set(found)) < ENOUGH:
            continue
        part, wanted = agreement(found), 1.0 if instants else MOSTLY
        if part >= wanted:
            seen.append(f"{member} ascending")
        elif 1 - part >= wanted:
            seen.append(f"{member} descending")
    return " or ".join(seen) or None


def last_page(total: int, most: int) -> tuple[int, int]:
    """The size of pages, up to `most`, with which the last of `total` rows fill the last page best;
    and how many rows that has.

    >>> last_page(250, 100), last_page(97, 100), last_page(101, 50)
    ((84, 82), (97, 97), (34, 33))
    """
    sizes = range(min(total, most), 0, -1)
    size = max(sizes, key=lambda size: (total - 1) % size)
    return size, (total - 1) % size + 1
