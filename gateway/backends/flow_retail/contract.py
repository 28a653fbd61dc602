"""What Flow Retail's OpenAPI document says of its answers.

All of its members are those of our records. It requires all but two, though its own examples lack
some: those are known to be missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from gateway.backends.flow_retail import wire
from gateway.backends.flow_retail.adapter import GROUP, GROUPS, MEMBERS
from gateway.contract import Contract, Kind, Value, documented

_NOT_IN_THE_EXAMPLE: Final = (
    "customerParentUid",
    "ehf",
    "defaultStore",
    "relevance",
    "contacts[].role",
)


def _documented(kind: Any) -> Value:
    return documented(kind, optional=["ledgerNumber", "ehfEnabled"], nullable=["defaultStore"])


def _page(row: Any, known: Collection[tuple[str, Kind]] = ()) -> Contract:
    return Contract(_documented(wire.FlowListing[row]), known, rows="items")


_GROUP: Final = Contract(_documented(wire.GROUP.reading(None)))

CONTRACTS: Final[Mapping[tuple[str, str], Contract]] = {
    ("GET", GROUPS): _page(wire.GROUP.reading(None)),
    ("POST", GROUPS): _GROUP,
    ("GET", GROUP): _GROUP,
    ("PUT", GROUP): _GROUP,
    ("GET", MEMBERS): _page(
        wire.CUSTOMER.reading(None),
        [
            *((f"items[].{name}", "missing") for name in _NOT_IN_THE_EXAMPLE),
            # "Use ledgerNumber in accountingConfigs instead", says it, and does not have that.
            ("items[].accountingConfigs", "unknown_member"),
        ],
    ),
}
"""By method and path template."""
