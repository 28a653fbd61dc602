"""`_entities`: each representation on its own, so that a bad one harms no other."""

from __future__ import annotations

import inspect
from typing import Any

from strawberry.federation.schema import FederationAny
from strawberry.federation.schema import Schema as FederationSchema
from strawberry.types.base import StrawberryObjectDefinition

from gateway.errors import GatewayError, InvalidInput
from gateway.schema.fetched import Fetched
from gateway.schema.node import Info


class Schema(FederationSchema):
    """A subgraph's schema, which is executed by gateway.execution."""

    def _get_federation_query_type(self, *given: Any) -> type:
        query = super()._get_federation_query_type(*given)
        definition: StrawberryObjectDefinition = query.__strawberry_definition__  # type: ignore[attr-defined]
        [entities] = [field for field in definition.fields if field.python_name == "_entities"]
        entities.extensions.append(Fetched())
        return query

    def entities_resolver(
        self, info: Info, representations: list[FederationAny]
    ) -> list[FederationAny]:
        """The entities in order, or the keys that they are fetched by, as `resolve_reference` gives
        them; an error stands in place of one whose representation is bad.
        """
        info.context.name(len(representations), field=["representations"])
        return [self._entity(info, representation) for representation in representations]

    def _entity(self, info: Info, representation: object) -> Any:
        try:
            if not isinstance(representation, dict):
                raise InvalidInput("A representation is an object.", field=["representations"])
            keys = dict(representation)
            # As a string: a list would not be hashable.
            found = self.schema_converter.type_map.get(str(keys.pop("__typename", None)))
            origin = getattr(getattr(found, "definition", None), "origin", None)
            resolve = getattr(origin, "resolve_reference", None)
            if resolve is None:
                raise InvalidInput(
                    "This type is no entity that can be resolved here.", field=["representations"]
                )
            wanted = inspect.signature(resolve).parameters
            given = {
                name: value
                for name, value in keys.items()
                if name in wanted and name != "info" and isinstance(value, str)
            }
            if not any(all(name in given for name in key) for key in _keys(origin)):
                raise InvalidInput(
                    "A representation has all fields of one of its type's keys, as strings.",
                    field=["representations"],
                )
            return resolve(info=info, **given)
        except GatewayError as mistake:
            return mistake


def _keys(origin: Any) -> list[list[str]]:
    """The sets of fields by which an entity can be found, as its @key directives say."""
    directives = origin.__strawberry_definition__.directives or ()
    return [
        str(directive.fields).split()
        for directive in directives
        if type(directive).__name__ == "Key" and directive.resolvable is not False
    ]
