"""How much one operation may ask for and show, as the settings say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may be asked for at once."""

    default_page_size: int
    """Rows of a connection without `first` and `last`."""
    max_page_size: int
    """The largest `first` and `last`."""
    max_membership_uids: int
    """Customers in each list of one membership edit."""
    max_custom_fields: int = 500
    """Custom fields in each list of one change."""
    max_rows: int = 20_000
    """Rows of one operation's connections, and groups of customers, each time they are shown."""
    max_values: int = 200_000
    """Fields of all objects of one answer."""
    max_response_body: int = 20_000_000
    """Bytes of one answer, about."""
    max_entities: int = 1_000
    """Ids and representations that one operation names."""
    max_errors: int = 100
    """Errors that are listed; others are counted."""
