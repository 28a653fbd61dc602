"""Which values of a field are the same, so that what is below them need be done once only.

A hundred customers who share ninety groups have 9,000 groups to show, and ninety to look at.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

from gateway.loading.reads import GroupsOf, MembersOf
from gateway.records import Tenant

SMALL: Final = frozenset({GroupsOf, MembersOf, Tenant})
"""What a resolver makes anew for each parent, and is quickly compared."""


def mark(value: Any) -> Hashable:
    """What tells a value from others of its type, as long as they are alive. Of records it is which
    they are: to compare what they hold would take longer than to show it.
    """
    return value if type(value) in SMALL else id(value)


def marks(values: Sequence[Any]) -> Sequence[Hashable]:
    """The marks of values that are of one type."""
    return values if values and type(values[0]) in SMALL else list(map(id, values))


def distinct(values: Sequence[Any]) -> Sequence[Any]:
    """Each of these values once."""
    return list(dict(zip(marks(values), values, strict=True)).values())
