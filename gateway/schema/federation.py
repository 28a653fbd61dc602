"""`_entities`: each representation on its own, so that a bad one harms no other."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from graphql import GraphQLDirective, GraphQLEnumType, GraphQLSchema
from strawberry.federation.schema import FederationAny
from strawberry.federation.schema import Schema as FederationSchema
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.fields.resolver import StrawberryResolver

from gateway import records
from gateway.backends.port import ById
from gateway.engine import Fetched
from gateway.errors import GatewayError, InvalidInput, Unauthenticated
from gateway.loading.reads import GroupOf
from gateway.request import Context
from gateway.schema import sdl
from gateway.schema.relay import Info

Fields = tuple[tuple[str, str], ...]
Asked = tuple[str | None, Fields]
"""The name of an entity's type, empty for what is none here, None for what is no representation;
and the fields of its keys, with their values.
"""


class Entity(NamedTuple):
    """What is known of an entity that can be resolved here, whatever it is asked by."""

    resolve: Callable[..., Any]
    names: Collection[str]
    """The fields that it takes."""
    keys: Sequence[set[str]]
    """The sets of fields by which it can be found."""


def _by_key(item: Any, context: Context) -> Any:
    """A group of which its key says enough: whether it exists is not asked."""
    match item:
        case GroupOf(tenant_uid, ById(uid)):
            if not context.client.tokens:
                return Unauthenticated("This needs a bearer token.")
            return records.CustomerGroup(tenant_uid=tenant_uid, uid=uid, name="")
        case _:
            return item


class Schema(FederationSchema):
    """A subgraph's schema, which is executed by gateway.engine."""

    def __init__(self, *, page_size: int, **given: Any) -> None:
        """`page_size` is that of the lists for which a client gives none."""
        self._page_size = page_size
        super().__init__(federation_version=sdl.FEDERATION_VERSION, **given)
        _without_new_locations(self._schema)

    def _get_federation_query_type(self, *given: Any) -> type:
        query = super()._get_federation_query_type(*given)
        definition: StrawberryObjectDefinition = query.__strawberry_definition__  # type: ignore[attr-defined]
        fields = {field.python_name: field for field in definition.fields}
        fields["_entities"].extensions.append(Fetched(known=_by_key, names=["tenant_uid", "uid"]))
        [text] = fields["_service"].type.__strawberry_definition__.fields  # type: ignore[union-attr]
        text.base_resolver = StrawberryResolver(lambda: self.as_str())
        return query

    @cached_property
    def _sdl(self) -> str:
        return sdl.for_composition(super().as_str(), page_size=self._page_size)

    def as_str(self) -> str:
        """The SDL from which a supergraph is composed."""
        return self._sdl

    def for_clients(self) -> str:
        """The SDL for code generators and editors."""
        return sdl.for_clients(super().as_str())

    def entities_resolver(
        self, info: Info, representations: list[FederationAny]
    ) -> list[FederationAny]:
        """The entities in order, or the keys that they are fetched by, as `resolve_reference` gives
        them; an error stands in place of one whose representation is bad.
        """
        asked = [self._asked(each) for each in representations]
        distinct = dict.fromkeys(asked)
        info.context.account.name(distinct, field=["representations"])
        wanted = {each: self._entity(info, *each) for each in distinct}
        return [wanted[each] for each in asked]

    def _asked(self, representation: object) -> Asked:
        """All of it that matters: those of which this is the same name the same entity, or none."""
        if not isinstance(representation, dict):
            return None, ()
        type_name = representation.get("__typename")
        entity = self._resolvable.get(type_name) if isinstance(type_name, str) else None
        if entity is None:
            return "", ()
        given = [
            (name, str(value))  # an ID may come as an integer
            for name in entity.names
            if _is_id(value := representation.get(name))
        ]
        return type_name, tuple(given)

    @cached_property
    def _resolvable(self) -> dict[str, Entity]:
        """By the names of their types; to look at each for each representation took most of the
        time of a thousand.
        """
        found = {}
        for name, type_ in self.schema_converter.type_map.items():
            origin = getattr(type_.definition, "origin", None)
            resolve = getattr(origin, "resolve_reference", None)
            if resolve is not None:
                names = inspect.signature(resolve).parameters.keys() - {"info"}
                found[name] = Entity(resolve, names, _keys(origin))
        return found

    def _entity(self, info: Info, type_name: str | None, asked: Fields) -> Any:
        try:
            if type_name is None:
                raise InvalidInput("A representation is an object.", field=["representations"])
            entity, given = self._resolvable.get(type_name), dict(asked)
            if entity is None:
                raise InvalidInput(
                    "This type is no entity that can be resolved here.", field=["representations"]
                )
            if not any(given.keys() >= key for key in entity.keys):
                raise InvalidInput(
                    "A representation has all fields of one of its type's keys, as IDs.",
                    field=["representations"],
                )
            return entity.resolve(info=info, **given)
        except GatewayError as mistake:
            return mistake


NEW_LOCATIONS: Final = ("DIRECTIVE_DEFINITION", "FRAGMENT_VARIABLE_DEFINITION")
"""Places of directives that graphql-js 16 does not know: Apollo Kotlin 4.4 can't read them."""


def _without_new_locations(schema: GraphQLSchema) -> None:
    def known(directive: GraphQLDirective) -> GraphQLDirective:
        places = [place for place in directive.locations if place.name not in NEW_LOCATIONS]
        return GraphQLDirective(**{**directive.to_kwargs(), "locations": places})  # type: ignore[arg-type]

    schema.directives = tuple(map(known, schema.directives))
    all_places: Any = schema.type_map["__DirectiveLocation"]
    values = {name: each for name, each in all_places.values.items() if name not in NEW_LOCATIONS}
    # Two underscores are introspection's alone: graphql-core makes no such type, but shows one.
    narrow = GraphQLEnumType("DirectiveLocation", values, description=all_places.description)
    narrow.name = all_places.name
    schema.type_map[narrow.name] = narrow


def _is_id(value: object) -> bool:
    """Whether it can stand for an ID; longer integers take long to print."""
    return type(value) is str or (type(value) is int and value.bit_length() < 64)


def _keys(origin: Any) -> list[set[str]]:
    """The sets of fields by which an entity can be found, as its @key directives say."""
    directives = origin.__strawberry_definition__.directives or ()
    return [
        set(str(directive.fields).split())
        for directive in directives
        if type(directive).__name__ == "Key" and directive.resolvable is not False
    ]
