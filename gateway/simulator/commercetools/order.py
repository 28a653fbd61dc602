"""How a query's rows are sorted: `sort` parameters and the columns they mean."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from gateway.simulator.commercetools import refusals

GROUP_SORTS: Mapping[str, str] = MappingProxyType(
    {
        "id": "id",
        "key": "key",
        "name": "name",
        "version": "version",
        "createdAt": "created_at",
        "lastModifiedAt": "last_modified_at",
    }
)

CUSTOMER_SORTS: Mapping[str, str] = MappingProxyType(
    {
        "id": "id",
        "key": "key",
        "email": "email",
        "firstName": "first_name",
        "lastName": "last_name",
        "companyName": "company_name",
        "customerNumber": "customer_number",
        "externalId": "external_id",
        "vatId": "vat_id",
        "dateOfBirth": "date_of_birth",
        "version": "version",
        "createdAt": "created_at",
        "lastModifiedAt": "last_modified_at",
    }
)


def order(
    sorts: Sequence[str], columns: Mapping[str, str], default: Literal["creation", "id"]
) -> str:
    """What stands after ORDER BY for the `sort` parameters, the first of which matters most.

    Rows that sort alike are in the default order, which is never turned around.

    >>> order(["name desc", "createdAt"], GROUP_SORTS, "creation")
    'name DESC, created_at ASC, seq ASC'
    """
    terms = []
    for sort in sorts:
        field, _, direction = sort.partition(" ")
        if direction not in ("", "asc", "desc"):
            raise refusals.malformed("sort", "the direction is asc or desc")
        if field not in columns:
            raise refusals.malformed("sort", f"the fields to sort by are {', '.join(columns)}")
        terms.append(f"{columns[field]} {direction.upper() or 'ASC'}")
    terms.append("seq ASC" if default == "creation" else "id ASC")
    return ", ".join(terms)
