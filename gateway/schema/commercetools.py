"""What only commercetools has: facets of groups and customers, and the custom fields of both."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Final

import strawberry
from strawberry.extensions import FieldExtension

from gateway import records
from gateway.engine import LOOKS_AT
from gateway.errors import LimitExceeded
from gateway.schema.relay import NO_ID
from gateway.schema.scalars import Json, Long
from gateway.schema.sdl import personal

MAX_NAMES: Final = 500
"""As many as one change may send; a commercetools Type has fewer."""


@strawberry.federation.type(shareable=True, description=f"One custom field and its value. {NO_ID}")
class CommercetoolsCustomerCustomField:
    name: str = strawberry.field(description="The field's name, as its Type defines it.")
    value: Json | None = strawberry.field(description="The value as the REST API returns it.")


class Names(FieldExtension):
    """Makes a set of `names`, once a request and not for each object; raises LimitExceeded."""

    def map_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        names = kwargs.get("names")
        if names is None or names is strawberry.UNSET:
            return {**kwargs, "names": None}
        if len(names) > MAX_NAMES:
            raise LimitExceeded(
                f"`names` has {len(names)} entries; at most {MAX_NAMES} can be asked for.",
                field=["names"],
                allowed=MAX_NAMES,
                found=len(names),
            )
        return {**kwargs, "names": frozenset(names)}


@strawberry.federation.type(shareable=True, description=f"The custom fields of a resource. {NO_ID}")
class CommercetoolsCustomerCustomFields:
    type_id: strawberry.ID = strawberry.field(description="The id of the Type that defines them.")

    @strawberry.field(
        description="The fields that have a value, in the order of the REST API.",
        metadata={LOOKS_AT: ("fields",)},
        extensions=[Names()],
    )
    def fields(
        custom: strawberry.Parent[records.CommercetoolsCustomerCustomFields],
        names: Annotated[
            list[str] | None,
            strawberry.argument(description="Only these, 500 at most; absent or null: all."),
        ] = strawberry.UNSET,
    ) -> list[CommercetoolsCustomerCustomField]:
        wanted: Collection[str] | None = names  # as Names has made it
        return [
            CommercetoolsCustomerCustomField(name=name, value=Json(value))
            for name, value in custom.fields.items()
            if wanted is None or name in wanted
        ]


@strawberry.type(description=f"What only commercetools has of a group. {NO_ID}")
class CommercetoolsCustomerGroup:
    version: Long = strawberry.field(description="The version that the next change has to name.")
    custom: CommercetoolsCustomerCustomFields | None = strawberry.field(
        description="Its custom fields; null where it has no Type."
    )


@strawberry.federation.type(
    shareable=True, description=f"What only commercetools has of a customer. {NO_ID}"
)
class CommercetoolsCustomer:
    version: Long = strawberry.field(description="The version that the next change has to name.")
    key: str | None = personal(description="User-defined key; null where it has none.")
    customer_number: str | None = personal(description="The number that people use.")
    custom: CommercetoolsCustomerCustomFields | None = personal(
        description="Its custom fields; null where it has no Type."
    )
