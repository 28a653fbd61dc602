"""How much a document may ask for, and how much a response may show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

Count = Annotated[int, Meta(ge=1, le=1_000_000)]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that a document may have, and that one operation may show. From `max_depth` to
    `max_fragment_spreads` a limit is for what an operation executes.

    With these defaults nothing is known that takes longer than 50 ms to parse and validate; twice
    the characters, tokens or comparisons take twice the time.
    """

    max_document: Count = 30_000
    """Characters of a document: 30 for each token, blanks and comments included."""
    max_lines: Count = 1_000
    """Lines of a document; every error looks for its line from the first one on."""
    max_tokens: Count = 1_000
    """Names, values and punctuation marks of a document; GraphiQL's introspection query has 191."""
    max_depth: Count = 20
    """Levels of fields; GraphiQL's introspection query has 15, and some clients' a few more."""
    max_nesting: Count = 100
    """Levels of lists and objects in one value, and of lists in one type; a custom field's value
    may have 64.
    """
    max_alias_length: Count = 100
    """Characters of one alias: it is written once, and shown in every object."""
    max_fields: Count = 1_000
    """Fields of an operation; so fragments save tokens, but make nothing larger than without."""
    max_root_fields: Count = 25
    """Fields of an operation's first level, without `_entities`; each may be a REST call."""
    max_aliases: Count = 100
    """Fields of an operation that have an alias."""
    max_directives: Count = 100
    """Directives of an operation."""
    max_fragment_spreads: Count = 100
    """Fragments that an operation spreads, inline ones included."""
    max_comparisons: Count = 10_000
    """Steps of validation to find whether fields that share a name can be merged, two for a pair:
    a field can stand a hundred times in one place.
    """
    max_rows: Count = 20_000
    """Rows that one operation may show; a row is counted each time that it stands in the answer."""
    max_values: Count = 200_000
    """Fields of all objects that one operation may show."""
    max_response_body: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 20_000_000
    """Bytes of one response, counted while it is made; 1,000,000 at most while no backend has
    accepted the request's token.
    """
    max_entities: Count = 1_000
    """Distinct ids of `nodes` and representations of `_entities` in one operation."""
    max_errors: Count = 100
    """Errors that a response lists; the others are counted."""

    @property
    def of_changes(self) -> Limits:
        """The limits of what tells the outcome of changes, which is counted apart."""
        return self
