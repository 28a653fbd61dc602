"""The GraphQL schema: thin views over records, and resolvers that ask loaders."""

from __future__ import annotations

from graphql import NoSchemaIntrospectionCustomRule
from strawberry.extensions import AddValidationRules
from strawberry.schema.config import StrawberryConfig

from gateway.schema.federation import Schema
from gateway.schema.mutation import Mutation
from gateway.schema.query import Query, QueryWithNode
from gateway.schema.scalars import SCALARS


class _NoIntrospection(AddValidationRules):
    """One instance of its rules for all requests."""

    def __init__(self) -> None:
        super().__init__([NoSchemaIntrospectionCustomRule])


def create_schema(
    *, with_node: bool = True, suggestions: bool = True, introspection: bool = True
) -> Schema:
    """The schema; `with_node` False leaves out Relay's refetch, which one supergraph can have once.

    `suggestions` says whether a misspelt field is answered with those that it may have meant.
    `_service` answers without `introspection` too: a supergraph needs it.
    """
    return Schema(
        query=QueryWithNode if with_node else Query,
        mutation=Mutation,
        # Hive's composition refuses 2.11, which is Strawberry's default.
        federation_version="2.9",
        extensions=[] if introspection else [_NoIntrospection],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not suggestions),
    )
