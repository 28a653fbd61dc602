"""Which values of a field are the same, so that their objects are made once.

A hundred customers who share ninety groups have 9,000 groups to show, and ninety to look at.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any


def identity_keys(values: Sequence[Any]) -> Sequence[Hashable]:
    """The identity keys of these values of one type, as long as they are alive: their ids.

    Comparing what records hold would take longer than showing it. Values of a class with a true
    `by_value` are small, and made anew by each resolver: they are their own keys.
    """
    if values and getattr(type(values[0]), "by_value", False):
        return values
    return list(map(id, values))
