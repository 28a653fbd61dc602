"""What the API is about, as the store has it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self


def author(client: str, user: str | None = None) -> dict[str, Any]:
    """A CreatedBy or LastModifiedBy: an API client, or a user of the vendor's own application."""
    if user is None:
        return {"clientId": client, "isPlatformClient": False}
    return {"isPlatformClient": True, "user": {"typeId": "user", "id": user}}


INTEGRATION: Mapping[str, Any] = MappingProxyType(author("integration"))


@dataclass(frozen=True, slots=True)
class Rights:
    """What a token may do, and in whose name: the scopes by project."""

    author: Mapping[str, Any]
    scopes: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Resource:
    """What groups and customers have alike. Times are UTC with milliseconds, as in the API."""

    project: str
    id: str
    version: int
    created_at: str
    created_by: Mapping[str, Any] | None
    """None on resources of before 2019, and for what is not tracked."""
    last_modified_at: str
    last_modified_by: Mapping[str, Any] | None

    def stamps(self) -> tuple[object, ...]:
        """The values of the columns that both tables begin with."""
        return (
            self.project,
            self.id,
            self.version,
            self.created_at,
            encoded(self.created_by),
            self.last_modified_at,
            encoded(self.last_modified_by),
        )


@dataclass(frozen=True, slots=True)
class Group(Resource):
    """A CustomerGroup."""

    key: str | None
    name: str
    custom: Mapping[str, Any] | None
    """``{"type": {"typeId": "type", "id": ...}, "fields": {...}}``"""

    def row(self) -> tuple[object, ...]:
        """The values of all columns."""
        return (*self.stamps(), self.key, self.name, encoded(self.custom))

    @classmethod
    def of(cls, row: Sequence[Any]) -> Self:
        """The group in a row."""
        return cls(**stamps_of(row), key=row[7], name=row[8], custom=decoded(row[9]))


@dataclass(frozen=True, slots=True)
class Customer(Resource):
    """A Customer: a document that never changes, and what does."""

    document: bytes
    whole: bool
    """Whether the document is all that there is to be answered."""
    given: frozenset[str]
    """The members of the document that are in the place of our own."""
    legacy_group: str | None
    """customerGroup, by id."""
    groups: tuple[str, ...]
    """customerGroupAssignments, by id and in the order of joining."""

    def row(self) -> tuple[object, ...]:
        """The values of all columns but those to sort by; the groups have a table of their own."""
        given = " ".join(sorted(self.given))
        return (*self.stamps(), self.document, self.whole, given, self.legacy_group)

    @classmethod
    def of(cls, row: Sequence[Any], groups: Sequence[str]) -> Self:
        """The customer in a row, with its groups."""
        return cls(
            **stamps_of(row),
            document=row[7],
            whole=bool(row[8]),
            given=frozenset(row[9].split()),
            legacy_group=row[10],
            groups=tuple(groups),
        )


def stamps_of(row: Sequence[Any]) -> dict[str, Any]:
    """The fields of a Resource, from the columns that both tables begin with."""
    return {
        "project": row[0],
        "id": row[1],
        "version": row[2],
        "created_at": row[3],
        "created_by": decoded(row[4]),
        "last_modified_at": row[5],
        "last_modified_by": decoded(row[6]),
    }


def encoded(value: Mapping[str, Any] | None) -> str | None:
    """JSON for a column."""
    return None if value is None else json.dumps(dict(value))


def decoded(text: str | None) -> Any:
    """What is in a column of JSON."""
    return None if text is None else json.loads(text)
