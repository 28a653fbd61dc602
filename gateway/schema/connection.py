"""Relay connections over REST-backed lists.

A connection is the wish for a window, and costs nothing; its fields load what they need. All that
is wanted of one list in one tick is planned together: edges, nodes and page info share a read, and
a total on its own is a read of one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from gateway.backends.port import ById, Order, Position
from gateway.engine import Fetched
from gateway.errors import InvalidAnswer
from gateway.loading.reads import ListOf, MembersOf
from gateway.records import Page, Row
from gateway.request import Context
from gateway.schema.relay import ESTIMATED, MAX_UID, ListArguments, encode_cursor, list_checksum

NodeT = TypeVar("NodeT")


class Stamp(NamedTuple):
    """What all cursors of one list in one order have in common."""

    kind: str
    """How positions are read in that order."""
    of: str
    """The list's checksum."""


class WindowArguments(FieldExtension):
    """Gives a connection field its arguments, and its resolver one parameter for them, `rows`."""

    def __init__(self, order: type) -> None:
        """`order` is the input type of `orderBy`."""
        self._arguments: Sequence[tuple[str, type, str]] = (
            ("first", int, "At most this many rows, from the start or from behind `after`."),
            ("after", str, "Rows behind this cursor, of the same list and `orderBy`."),
            ("last", int, "At most this many rows, from the end or from ahead of `before`."),
            ("before", str, "Rows ahead of this cursor, of the same list and `orderBy`."),
            ("offset", int, "Skip this many rows; goes with `first`, not with a cursor."),
            ("order_by", order, "Without it, the backend's own order."),
        )

    def apply(self, field: StrawberryField) -> None:
        field.arguments = [
            argument for argument in field.arguments if argument.python_name != "rows"
        ] + [
            StrawberryArgument(
                python_name=name,
                graphql_name=None,
                type_annotation=StrawberryAnnotation(kind | None),
                description=description,
                default=strawberry.UNSET,
            )
            for name, kind, description in self._arguments
        ]

    def map_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        given = {
            name: value
            for name, *_ in self._arguments
            if (value := kwargs.pop(name, None)) is not None and value is not strawberry.UNSET
        }
        chosen = given.pop("order_by", None)
        order = None if chosen is None else Order(chosen.field, chosen.direction)
        return kwargs | {"rows": ListArguments(**given, order=order)}


@strawberry.federation.type(shareable=True, description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="Whether rows follow this page; with `before`, only those ahead of that cursor."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether rows come ahead of this page; with `last` and `after`, only those "
        "behind that cursor."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first row; null when the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last row; null when the page is empty."
    )


@strawberry.type(description="A row of a connection.")
class Edge(Generic[NodeT]):
    @strawberry.field(description="Where this row stands; give it as `after` or `before`.")
    def cursor(row: strawberry.Parent[tuple[Stamp, Row[Any]]]) -> str:
        return _cursor(*row)

    @strawberry.field(description="The row itself.")
    def node(row: strawberry.Parent[tuple[Stamp, Row[Any]]]) -> NodeT:
        node: NodeT = row[1].record
        return node


def _edges(page: Page[Any], wanted: ListOf, context: Context) -> list[tuple[Stamp, Row[Any]]]:
    context.account.show(len(page.rows))
    stamp = _stamp(page, wanted, context)
    return [(stamp, row) for row in page.rows]


def _nodes(page: Page[Any], _wanted: ListOf, context: Context) -> list[Any]:
    context.account.show(len(page.rows))
    return [row.record for row in page.rows]


def _page_info(page: Page[Any], wanted: ListOf, context: Context) -> PageInfo:
    stamp, window = _stamp(page, wanted, context), wanted.window
    # Without a row there is no cursor to go on from: whoever did would begin again at the end that
    # they came from, for ever.
    leads_on = bool(page.rows) or not window.size
    return PageInfo(
        has_next_page=page.has_next and (leads_on or window.from_end),
        has_previous_page=page.has_previous and (leads_on or not window.from_end),
        start_cursor=_cursor_or_failure(stamp, page.rows[0]) if page.rows else None,
        end_cursor=_cursor_or_failure(stamp, page.rows[-1]) if page.rows else None,
    )


def _total(page: Page[Any], _wanted: ListOf, _context: Context) -> int | None:
    return page.total


# A connection's type says what its fields show; what they return is the key by which it is fetched.
@strawberry.type(description="A window of a list.")
class Connection(Generic[NodeT]):
    @strawberry.field(description="The rows, each with its cursor.", extensions=[Fetched(_edges)])
    def edges(wanted: strawberry.Parent[ListOf]) -> list[Edge[NodeT]]:
        return wanted  # type: ignore[return-value]

    @strawberry.field(description="The rows without their cursors.", extensions=[Fetched(_nodes)])
    def nodes(wanted: strawberry.Parent[ListOf]) -> list[NodeT]:
        return wanted  # type: ignore[return-value]

    @strawberry.field(
        description="Where this window stands in the list.", extensions=[Fetched(_page_info)]
    )
    def page_info(wanted: strawberry.Parent[ListOf]) -> PageInfo:
        return wanted  # type: ignore[return-value]

    @strawberry.field(
        description="The rows of the whole list; null where the backend does not say. "
        "Alone, it costs one REST call for one row.",
        extensions=[Fetched(_total)],
    )
    def total_count(wanted: strawberry.Parent[ListOf]) -> int | None:
        return wanted.counted()  # type: ignore[return-value]


def _stamp(page: Page[Any], wanted: ListOf, context: Context) -> Stamp:
    # Customers are a field of a group that is there, so their group is always named by its uid.
    group = wanted.group if isinstance(wanted, MembersOf) else None
    of = list_checksum(wanted.tenant_uid, group.uid if isinstance(group, ById) else None)
    kind = context.backend(wanted.tenant_uid).cursor_kind(wanted.order)
    return Stamp(kind + ESTIMATED if page.estimated else kind, of)


def _cursor(stamp: Stamp, row: Row[Any]) -> str:
    uid: str = row.record.uid
    if len(uid) > MAX_UID:
        raise InvalidAnswer("The backend has a row whose uid is too long for a cursor.")
    return encode_cursor(Position(row.offset, uid), kind=stamp.kind, of=stamp.of)


def _cursor_or_failure(stamp: Stamp, row: Row[Any]) -> Any:
    """The failure is that cursor's error: whoever completes the field raises it."""
    try:
        return _cursor(stamp, row)
    except InvalidAnswer as failure:
        return failure
