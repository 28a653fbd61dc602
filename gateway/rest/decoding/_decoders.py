"""Bytes to records: strict and fast for valid answers, leaf by leaf for others.

Upstreams leave out required fields, send null for lists, and add enum values. None of that may
cost more than the leaf it happens in. So a body is decoded as a whole first. If that fails, each
row is decoded by itself, and each field of a broken row:

- A wrong type in a nullable leaf: the leaf holds an InvalidAnswer, which becomes its error.
- A wrong type in place of a list, or a list element that can't be decoded: it is left out of the
  list, with an Omission.
- No identifier, or another required field is missing: None in place of the row, and an Omission.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct, structs

from gateway.errors import InvalidAnswer
from gateway.rest.decoding._results import Decoded, Omission
from gateway.rest.decoding._tolerant import (
    EMPTY_LIST,
    LONGEST,
    NO_JSON,
    NULL,
    Exhausted,
    Kind,
    TooMany,
    Unusable,
    elements,
    has_finer_instants,
    readable,
)

RecordT = TypeVar("RecordT", bound=Decoded)
ItemT = TypeVar("ItemT")
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""An upstream's count, within the range of GraphQL's Int."""


class RowDecoder(Generic[RecordT]):
    """Decodes rows of one type, each as far as possible."""

    def __init__(self, row: type[RecordT]) -> None:
        self._strict = msgspec.json.Decoder(row)
        self._row = Kind(row)
        self._instants = holds_instants(row)

    def one(self, body: bytes) -> RecordT:
        """The record in `body`; raises InvalidAnswer if that lacks a required field."""
        if not (self._instants and has_finer_instants(body)):
            try:
                return self._strict.decode(body)
            except _INVALID:
                pass
        try:
            given, found = readable(body)
            return self._row.read(given, "$", found)
        except Unusable as unusable:
            raise InvalidAnswer(f"The backend's answer can't be used: {unusable.problem}") from None
        except Exhausted:
            raise InvalidAnswer("Too much of the backend's answer can't be used.") from None
        except RecursionError:
            raise InvalidAnswer(NO_JSON) from None


class Listing(Struct, Generic[ItemT], frozen=True):
    """One page of an upstream's list; adapters add the fields of paging."""

    rows: list[ItemT] | None


class ListingDecoder(Generic[RecordT]):
    """Decodes pages: as a whole, or row by row if that fails."""

    def __init__(self, listing: Any, row: type[RecordT]) -> None:
        """`listing` is the adapter's generic subclass of Listing."""
        self._strict = msgspec.json.Decoder(listing[row])
        self._listing = Kind(listing)
        self._row = Kind(row)
        names = {field.name: field.encode_name for field in structs.fields(listing)}
        self._where = names["rows"]
        self._instants = holds_instants(row)

    def decode(self, body: bytes) -> tuple[Any, list[RecordT | None], list[Omission]]:
        """The listing, its rows (None for one that can't be decoded), and the omissions.

        A leaf of the listing may hold an InvalidAnswer. `listing.rows` is None if the upstream sent
        null, which is valid for an empty list.
        """
        if not (self._instants and has_finer_instants(body)):
            try:
                listing = self._strict.decode(body)
            except _INVALID:
                pass
            else:
                rows = listing.rows or []
                if len(rows) > LONGEST:
                    raise InvalidAnswer(_TOO_MANY)
                return listing, rows, []
        try:
            return self._row_by_row(body)
        except RecursionError:
            raise InvalidAnswer(NO_JSON) from None

    def _row_by_row(self, body: bytes) -> tuple[Any, list[RecordT | None], list[Omission]]:
        try:
            given, found = readable(body)
            shell = self._listing.shell(given)
            parts = [] if shell.rows == NULL else elements(shell.rows)
        except (msgspec.ValidationError, TypeError):  # it is no object, or has no such member
            raise InvalidAnswer("The backend's answer is not a page of a list.") from None
        except TooMany:
            raise InvalidAnswer(_TOO_MANY) from None
        if parts:
            shell.rows = EMPTY_LIST  # the rows are decoded below
        listing = self._listing.made_of(shell, "", found)
        rows: list[RecordT | None] = []
        for number, row in enumerate(parts):
            where = f"{self._where}[{number}]"
            try:
                rows.append(self._row.read(row, where, found))
                continue
            except Unusable as unusable:
                found.leave_out(unusable.where, unusable.problem)
            except Exhausted:
                found.leave_out(where, "it is one of too many that are broken.")
            rows.append(None)
        return listing, rows, found.omissions


def holds_instants(kind: Any) -> bool:
    """Whether a type is, or contains, that of an instant."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        return any(holds_instants(field.type) for field in structs.fields(kind))
    return kind is datetime or any(map(holds_instants, get_args(kind)))


_INVALID: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TOO_MANY: Final = "The backend's answer has more rows than a page can have."
