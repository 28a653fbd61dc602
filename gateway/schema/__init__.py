"""The GraphQL schema: thin views over records, and resolvers that ask loaders."""

from __future__ import annotations

from strawberry.schema.config import StrawberryConfig

from gateway.schema.federation import Schema
from gateway.schema.mutation import Mutation
from gateway.schema.query import Query, QueryWithNode
from gateway.schema.scalars import SCALARS


def create_schema(*, with_node: bool = True, with_sdl: bool = True) -> Schema:
    """The schema; `with_node` False leaves out Relay's refetch, which one supergraph can have
    once, and `with_sdl` False the field that tells all of it.
    """
    schema = Schema(
        query=QueryWithNode if with_node else Query,
        mutation=Mutation,
        # Hive's composition refuses 2.11, which is Strawberry's default.
        federation_version="2.9",
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    if not with_sdl and schema._schema.query_type is not None:
        del schema._schema.query_type.fields["_service"]
    return schema
