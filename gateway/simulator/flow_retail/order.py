"""How lists are sorted, and by what: sortBy values and the columns they mean.

The documents call sortBy a free string. The values here are the names of the answers' own members.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

GROUP_SORTS: Mapping[str, str] = MappingProxyType(
    {
        "customerGroupUid": "uid",
        "name": "name",
        "createdBy": "created_by",
        "createdAt": "created_at",
        "lastModifiedBy": "last_modified_by",
        "lastModifiedAt": "last_modified_at",
    }
)

CUSTOMER_SORTS: Mapping[str, str] = MappingProxyType(
    {
        "customerUid": "uid",
        "displayName": "display_name",
        "firstname": "firstname",
        "lastname": "lastname",
        "companyName": "company_name",
        "customerType": "customer_type",
        "email": "email",
        "city": "city",
        "postalCode": "postal_code",
        "createdAt": "created_at",
        "lastModifiedAt": "last_modified_at",
        "relevance": "relevance",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOrder:
    """How rows are sorted. `column` "creation" is oldest first; "joining" is for members only."""

    column: str = "creation"
    descending: bool = False
    ties: Literal["mirrored", "fixed"] = "mirrored"
    """Whether DESC turns rows that sort alike around as well."""

    def sql(self, legal: Iterable[str], ids: Mapping[str, str]) -> str:
        """What stands after ORDER BY; `ids` are the columns that count rows up, by order."""
        direction = "DESC" if self.descending else "ASC"
        if self.column in ids:
            return f"{ids[self.column]} {direction}"
        if self.column not in legal:
            raise ValueError(f"There is no column {self.column!r} to sort by.")
        ties = direction if self.ties == "mirrored" else "ASC"
        return f"{self.column} COLLATE NOCASE {direction}, {ids['creation']} {ties}"
