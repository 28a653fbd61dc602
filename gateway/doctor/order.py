"""Whether rows have come in the order that was asked for, as far as their values can show it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

COLLATION: Final = 0.1
"""The part of all neighbours that may stand the wrong way round because of a collation that is none
of ours; in rows of another order it is about half.
"""
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
        part = f"{wrong:.0%} of the neighbours stand the wrong way round"
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
    """The part of all neighbours that stand the wrong way round, by the collation that suits the
    rows best. Rows without a value are left out: they may stand at either end.

    >>> disorder([("1", "Zoe"), ("2", "ada"), ("3", "Émile")]), disorder([("1", "b"), ("2", "a")])
    (0.0, 1.0)
    """
    values = [value for _, value in rows if isinstance(value, str) and value]
    keys: Sequence[Callable[[str], Any]] = (str, str.casefold, _letters)
    return min(
        _wrong([key(value) for value in values]) for key in (instants and [_instant]) or keys
    )


def _wrong(values: Sequence[Any]) -> float:
    shown = [value for value in values if value is not None]
    wrong = sum(bool(a > b) for a, b in pairwise(shown))
    return wrong / max(1, len(shown) - 1)


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
