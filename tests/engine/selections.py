"""Operations over the whole schema, made up by hypothesis from the schema itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)
from hypothesis import strategies as st

Arguments = Mapping[str, Callable[[st.DrawFn], str]]
"""For a field, such as "Query.customerGroup", the text of its arguments."""
VARIABLES = {"yes": True, "no": False}


@st.composite
def documents(
    draw: st.DrawFn,
    schema: GraphQLSchema,
    arguments: Arguments,
    *,
    levels: int,
    changes: Mapping[str, str],
) -> str:
    """A valid query: aliases, repetitions, fragments, directives, and arguments where needed. Or
    one of the changes, by their names with their arguments, whose payload is asked for as much.

    Its boolean variables are `VARIABLES`. A response key always has the same field and arguments.
    """
    fragments: list[str] = []
    texts: dict[tuple[str, str], list[str]] = {}

    def directive() -> str:
        return draw(
            st.sampled_from(
                [""] * 12
                + [f" @{name}(if: {value})" for name in ("skip", "include") for value in IF]
            )
        )

    def one(type_: GraphQLObjectType | GraphQLInterfaceType, name: str, left: int) -> str | None:
        field = type_.fields[name]
        named = get_named_type(field.type)
        below = ""
        if not is_leaf_type(named):
            if left <= 0:
                return None
            below = f" {{ {several(named, left - 1)} }}"
        place = f"{type_.name}.{name}"
        given = arguments[place](draw) if place in arguments else ""
        # One key for one way of asking: so that no two of a place conflict.
        ways = texts.setdefault((type_.name, name), [])
        if given not in ways:
            ways.append(given)
        key = name if not given else f"{name}{ways.index(given)}"
        alias = "" if key == name else f"{key}: "
        if not given and draw(st.integers(0, 5)) == 0:
            alias = f"{name}Too: "
        return f"{alias}{name}{given}{directive()}{below}"

    def several(type_: GraphQLNamedType, left: int) -> str:
        if isinstance(type_, GraphQLInterfaceType | GraphQLUnionType):
            group = schema.type_map["CustomerGroup"]
            return f"__typename ... on CustomerGroup {{ {several(group, left)} }}"
        assert isinstance(type_, GraphQLObjectType)
        names = [name for name in type_.fields if not name.startswith("_")]
        chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=6))
        parts = [part for name in chosen if (part := one(type_, name, left))]
        if draw(st.integers(0, 3)) == 0:
            parts.append("__typename")
        if parts and draw(st.integers(0, 3)) == 0:
            wrapped = parts.pop()
            if draw(st.booleans()):
                parts.append(f"... on {type_.name}{directive()} {{ {wrapped} }}")
            else:
                fragments.append(f"fragment F{len(fragments)} on {type_.name} {{ {wrapped} }}")
                parts.append(f"...F{len(fragments) - 1}{directive()}")
        return " ".join(parts) or "__typename"

    change = draw(st.sampled_from([None] * 14 + [*changes]))
    if change is None:
        # Which is graphql-core's alone, and all beside it then is, too.
        beside = draw(st.sampled_from([""] * 19 + ["__schema { queryType { name } } "]))
        kind, asked = "query", beside + several(schema.type_map["Query"], levels)
    else:
        payload = get_named_type(schema.type_map["Mutation"].fields[change].type)
        below = several(payload, levels)
        kind, asked = "mutation", f"{change}({changes[change]}){directive()} {{ {below} }}"
    conditions = "y: __typename @include(if: $yes) n: __typename @skip(if: $no)"
    operation = f"{kind} ($yes: Boolean!, $no: Boolean!) {{ {conditions} {asked} }}"
    return " ".join([operation, *fragments])


IF = ["true", "false", "$yes", "$no"]


def text(value: Any) -> str:
    """A string as a GraphQL literal."""
    return json.dumps(value)
