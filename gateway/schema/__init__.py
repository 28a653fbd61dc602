"""The GraphQL schema: thin views over records, and resolvers that ask loaders."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types.base import StrawberryType

from gateway import records
from gateway.engine import Views
from gateway.schema.federation import Schema
from gateway.schema.mutation import Mutation
from gateway.schema.query import Query, QueryWithNode
from gateway.schema.scalars import SCALARS


class _Names(NameConverter):
    """Another subgraph's customers have a CustomerConnection of their own."""

    def get_name_from_type(self, type_: StrawberryType | type) -> str:
        return re.sub("^Customer$", "CustomerGroupMember", super().get_name_from_type(type_))


def create_schema(*, with_node: bool = True, with_sdl: bool = True, page_size: int = 20) -> Schema:
    """The schema. `with_node` False leaves out Relay's refetch, which only one subgraph of a
    supergraph can have; `with_sdl` False leaves out the field that shows the schema.
    """
    schema = Schema(
        query=QueryWithNode if with_node else Query,
        mutation=Mutation,
        page_size=page_size,
        config=StrawberryConfig(scalar_map=SCALARS, name_converter=_Names()),
    )
    if with_sdl:
        schema.as_str()  # made once, and now: it takes longer than others should wait
    elif schema._schema.query_type is not None:
        del schema._schema.query_type.fields["_service"]
    return schema


VIEWS: Final = Views(
    # A type that is a view of a record has its name.
    records={
        name: record
        for name, record in vars(records).items()
        if isinstance(record, type) and issubclass(record, records.Record)
    },
    scalars={"DateTime": datetime, "Long": int},
    repaired=(records.Repaired,),
)


def projection(attributes: Mapping[type, Collection[str] | None]) -> records.Projection:
    """What backends have to read of records, of which an operation looks at these attributes."""
    read: dict[type, Collection[str] | None] = {records.CustomerGroup: (), records.Customer: ()}
    read.update(attributes)
    return records.Projection.reading(
        {kind: names for kind, names in read.items() if names is not None}
    )
