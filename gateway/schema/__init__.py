"""The GraphQL schema: thin views over records, and resolvers that ask loaders."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    ASTValidationRule,
    GraphQLError,
    NoSchemaIntrospectionCustomRule,
    ValidationContext,
    get_operation_ast,
)
from strawberry.extensions import AddValidationRules, SchemaExtension
from strawberry.schema.config import StrawberryConfig

from gateway.schema.federation import Schema
from gateway.schema.mutation import Mutation
from gateway.schema.query import Query, QueryWithNode
from gateway.schema.scalars import SCALARS


class _ChosenOperation(SchemaExtension):
    """Refuses a document of which it is not clear what to run; Strawberry would run the first."""

    def on_parse(self) -> Iterator[None]:
        yield
        document = self.execution_context.graphql_document
        name = self.execution_context._provided_operation_name
        if document is not None and get_operation_ast(document, name) is None:
            raise GraphQLError("`operationName` has to name one of the document's operations.")


class _NoIntrospection(AddValidationRules):
    """One instance of its rules for all requests."""

    def __init__(self) -> None:
        super().__init__([NoSchemaIntrospectionCustomRule])


class _HiddenSuggestions(ASTValidationRule):
    """Not a rule: it tells those that are one to suggest nothing."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        context._hide_suggestions = True  # Strawberry has no way to give it to validate()


class _NoSuggestions(AddValidationRules):
    def __init__(self) -> None:
        super().__init__([_HiddenSuggestions])


def create_schema(
    *, with_node: bool = True, suggestions: bool = True, introspection: bool = True
) -> Schema:
    """The schema; `with_node` False leaves out Relay's refetch, which one supergraph can have once.

    `suggestions` says whether a misspelt name is answered with those that it may have meant.
    `_service` answers without `introspection` too: a supergraph needs it.
    """
    extensions: list[type[SchemaExtension]] = [_ChosenOperation]
    if not suggestions:
        extensions.append(_NoSuggestions)
    if not introspection:
        extensions.append(_NoIntrospection)
    return Schema(
        query=QueryWithNode if with_node else Query,
        mutation=Mutation,
        # Hive's composition refuses 2.11, which is Strawberry's default.
        federation_version="2.9",
        extensions=extensions,
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=not suggestions),
    )
