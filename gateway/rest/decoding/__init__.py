"""Tolerant decoding: JSON to structs, whole where it is as agreed and leaf by leaf where it is not;
and JSON repair ahead of that. It knows no customer.
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
