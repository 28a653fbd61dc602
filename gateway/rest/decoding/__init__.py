"""Tolerant decoding: JSON to structs, as a whole if it is valid, else leaf by leaf after JSON
repair. It knows no customer.
"""

from __future__ import annotations

from gateway.rest.decoding._decoders import Count, ItemT, Listing, ListingDecoder, RowDecoder
from gateway.rest.decoding._results import (
    Decoded,
    Omission,
    Repaired,
    RepairedList,
    RepairedTable,
    RepairedText,
)
from gateway.rest.decoding._tolerant import LONGEST

__all__ = [
    "LONGEST",
    "Count",
    "Decoded",
    "ItemT",
    "Listing",
    "ListingDecoder",
    "Omission",
    "Repaired",
    "RepairedList",
    "RepairedTable",
    "RepairedText",
    "RowDecoder",
]
