"""Operations on our schema, made up by hypothesis: lists in lists, aliases, windows of any kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from gateway.schema.relay import global_id

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

Cursors = Callable[[str | None], Sequence[str]]
"""Those to choose from, for the customers of the group with this uid; None: for the groups."""


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
    draw: st.DrawFn, *, tenant: str, groups: Sequence[str], cursors: Cursors, unbounded: bool
) -> str:
    """A query for groups of these uids, of which not all need to exist.

    `unbounded` says whether it may ask for the groups of customers.
    """
    numbers = iter(range(1000))

    def alias() -> str:
        return f"a{next(numbers)}: " if draw(st.booleans()) else f"b{next(numbers)}: "

    def some(choices: list[Any], most: int) -> list[Any]:
        return draw(st.lists(st.sampled_from(choices), min_size=1, max_size=most))

    def by(uid: str) -> str:
        named = [f'{{uid: "{uid}"}}', f'{{id: "{global_id("CustomerGroup", tenant, uid)}"}}']
        return draw(st.sampled_from(named))

    def connection(name: str, row: Any, levels: int, of: str | None = None) -> str:
        parts = {
            "total": lambda: f"{alias()}totalCount",
            "page": lambda: f"{alias()}pageInfo {{ hasNextPage endCursor }}",
            "nodes": lambda: f"{alias()}nodes {{ {row(levels - 1)} }}",
            "edges": lambda: f"{alias()}edges {{ cursor node {{ {row(levels - 1)} }} }}",
        }
        chosen = " ".join(parts[part]() for part in some([*parts], 3))
        return f"{alias()}{name}{_window(draw, cursors(of))} {{ {chosen} }}"

    def group(levels: int, uid: str | None = None) -> str:
        parts = ["uid"]
        of = uid or draw(st.sampled_from(groups))  # of the rows of a list, it is one at most
        if levels > 0:
            for part in some(["name", "customers", "tenant"], 3):
                match part:
                    case "customers":
                        parts.append(connection("customers", customer, levels, of))
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
                    uid = draw(st.sampled_from(groups))
                    one = group(levels - 1, uid)
                    parts.append(f"{alias()}customerGroup(by: {by(uid)}) {{ {one} }}")
                else:
                    parts.append(connection("customerGroups", group, levels))
        return " ".join(parts)

    def root(levels: int) -> str:
        uids = some([*groups], 6)
        ids = [global_id("CustomerGroup", tenant, uid) for uid in uids]
        match draw(st.sampled_from(["in tenant", "tenant", "node", "nodes", "entities"])):
            case "tenant":
                return f"{alias()}tenant {{ {in_tenant(levels)} }}"
            case "node":
                on_group = f"... on CustomerGroup {{ {group(levels, uids[0])} }}"
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
                    # With its key alone, no group is looked up; graphql-core would do it.
                    f"{{ ... on CustomerGroup {{ name {group(levels)} }} }}"
                )
            case _:
                return in_tenant(levels).removeprefix("uid")

    fields = [root(draw(st.integers(1, 3))) for _ in range(draw(st.integers(1, 3)))]
    return f"{{ __typename {' '.join(fields)} }}"
