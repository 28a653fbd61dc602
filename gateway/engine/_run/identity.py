"""Which values of a field are the same, so that what is below them need be done once only.

A hundred customers who share ninety groups have 9,000 groups to show, and ninety to look at.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any


def identity_keys(values: Sequence[Any]) -> Sequence[Hashable]:
    """What tells these values, which are of one type, from each other as long as they are alive.

    It is their id: to compare what records hold would take longer than to show it. Types that say
    that they are `by_value` are small, and made anew by each resolver: they are their own keys.
    """
    if values and getattr(type(values[0]), "by_value", False):
        return values
    return list(map(id, values))
