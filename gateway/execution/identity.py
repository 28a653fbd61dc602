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


def identity_keys(values: Sequence[Any]) -> Sequence[Hashable]:
    """What tells these values, which are of one type, from each other as long as they are alive. Of
    records it is their id: to compare what they hold would take longer than to show it.
    """
    return values if values and type(values[0]) in SMALL else list(map(id, values))
