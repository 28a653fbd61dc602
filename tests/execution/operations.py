"""Operations on our schema, made up by hypothesis: lists in lists, aliases, windows of any kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from gateway.schema.node import global_id

WINDOWS = [
    "",
    "first: {n}",
    "last: {n}",
    "first: {n}, offset: {m}",
    "first: {n}, after: {c}",
    "last: {n}, before: {c}",
    "first: {n}, before: {c}",
    "last: {n}, after: {c}",
]


def _window(draw: st.DrawFn, cursors: Sequence[str]) -> str:
    """A connection's arguments; mostly such as can be."""
    arguments = draw(st.sampled_from(WINDOWS))
    filled = arguments.format(
        n=draw(st.integers(0, 7)),
        m=draw(st.integers(0, 30)),
        c=json.dumps(draw(st.sampled_from(cursors))),
    )
    return f"({filled})" if filled else ""


@st.composite
def operations(
    draw: st.DrawFn, *, tenant: str, groups: Sequence[str], cursors: Sequence[str], unbounded: bool
) -> str:
    """A query for groups of these uids, of which not all need to exist.

    `unbounded` says whether it may ask for the groups of customers.
    """
    numbers = iter(range(1000))

    def alias() -> str:
        return f"a{next(numbers)}: " if draw(st.booleans()) else f"b{next(numbers)}: "

    def some(choices: list[Any], most: int) -> list[Any]:
        return draw(st.lists(st.sampled_from(choices), min_size=1, max_size=most))

    def by() -> str:
        uid = draw(st.sampled_from(groups))
        named = [f'{{uid: "{uid}"}}', f'{{id: "{global_id("CustomerGroup", tenant, uid)}"}}']
        return draw(st.sampled_from(named))

    def connection(name: str, row: Any, levels: int) -> str:
        parts = {
            "total": lambda: f"{alias()}totalCount",
            "page": lambda: f"{alias()}pageInfo {{ hasNextPage endCursor }}",
            "nodes": lambda: f"{alias()}nodes {{ {row(levels - 1)} }}",
            "edges": lambda: f"{alias()}edges {{ cursor node {{ {row(levels - 1)} }} }}",
        }
        chosen = " ".join(parts[part]() for part in some([*parts], 3))
        return f"{alias()}{name}{_window(draw, cursors)} {{ {chosen} }}"

    def group(levels: int) -> str:
        parts = ["uid"]
        if levels > 0:
            for part in some(["name", "customers", "tenant"], 3):
                match part:
                    case "customers":
                        parts.append(connection("customers", customer, levels))
                    case "tenant":
                        parts.append(f"{alias()}tenant {{ {in_tenant(levels - 1)} }}")
                    case _:
                        parts.append(part)
        return " ".join(parts)

    def customer(levels: int) -> str:
        if unbounded and levels > 0 and draw(st.booleans()):
            return f"uid {alias()}customerGroups {{ {group(levels - 1)} }}"
        return "uid email"

    def in_tenant(levels: int) -> str:
        parts = ["uid"]
        if levels > 0:
            for part in some(["one", "list"], 2):
                if part == "one":
                    parts.append(f"{alias()}customerGroup(by: {by()}) {{ {group(levels - 1)} }}")
                else:
                    parts.append(connection("customerGroups", group, levels))
        return " ".join(parts)

    def root(levels: int) -> str:
        ids = [global_id("CustomerGroup", tenant, uid) for uid in some([*groups], 6)]
        match draw(st.sampled_from(["in tenant", "tenant", "node", "nodes", "entities"])):
            case "tenant":
                return f"{alias()}tenant {{ {in_tenant(levels)} }}"
            case "node":
                on_group = f"... on CustomerGroup {{ {group(levels)} }}"
                return f'{alias()}node(id: "{ids[0]}") {{ {on_group} }}'
            case "nodes":
                named = json.dumps(ids)
                return (
                    f"{alias()}nodes(ids: {named}) {{ ... on CustomerGroup {{ {group(levels)} }} }}"
                )
            case "entities":
                named = ", ".join(f'{{__typename: "CustomerGroup", id: "{id}"}}' for id in ids)
                return (
                    f"{alias()}_entities(representations: [{named}]) "
                    f"{{ ... on CustomerGroup {{ {group(levels)} }} }}"
                )
            case _:
                return in_tenant(levels).removeprefix("uid")

    fields = [root(draw(st.integers(1, 3))) for _ in range(draw(st.integers(1, 3)))]
    return f"{{ __typename {' '.join(fields)} }}"
