"""The careful form of plain values: what a generated serializer gives up on, value by value.

A serializer raises at the first thing that is not as it should be. This goes on: it shows what can
be shown, notes what failed, and puts null where the schema has room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from graphql import (
    FieldNode,
    GraphQLLeafType,
    GraphQLList,
    GraphQLOutputType,
    TypeNameMetaFieldDef,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from msgspec import Raw

from gateway.engine._plan.expressions import ObjectSerializer
from gateway.engine._plan.fields import Fields, PlainInfo
from gateway.engine._run.account import Account
from gateway.engine._run.failures import Failure, Failures, Path, Repair, expected
from gateway.engine._run.sizes import ENCODER, PUNCTUATION, size_of
from gateway.engine._run.time_slices import Steps, TimeSlices

MANY: Final = 100
"""Items of a list."""


class Null(Exception):
    """A value can't be shown, and null can't stand in its place."""

    def __init__(self, failure: Failure) -> None:
        super().__init__()
        self.failure = failure


class Spot(NamedTuple):
    """Where a value is shown."""

    nodes: Sequence[FieldNode]
    """Of the field that it is of, or that it is an item of."""
    below: ObjectSerializer | None
    """What is shown of objects in it."""
    failures: Failures
    path: Path
    """From the object that the failures are noted with."""
    places: int
    """How often that object stands in the response."""

    def failure(self, error: Exception) -> Null:
        return Null(Failure(self.path, self.nodes, expected(error)))


class Careful:
    """Of one run."""

    def __init__(
        self, fields: Fields, info: PlainInfo, account: Account, slices: TimeSlices
    ) -> None:
        self._fields = fields
        self._info = info
        self._account = account
        self._slices = slices

    def fill(
        self,
        made: dict[str, Any],
        serializer: ObjectSerializer,
        record: Any,
        failures: Failures,
        *,
        path: Path = (),
        places: int,
    ) -> Steps:
        """Put the plain fields of a record into its object, which has null in their place; raises
        Null. `path` leads to the object from the one that the failures are noted with.
        """
        if self._slices.over:
            yield
        for key, details in serializer.fields.items():
            if key in serializer.others:
                continue
            nodes = [detail.node for detail in details]
            name = nodes[0].name.value
            field = None if name == "__typename" else self._fields.of(serializer.type, name)
            value: Any = serializer.type.name
            try:
                self._account.weigh(places * (len(key) + PUNCTUATION))
                if field is not None:
                    value = field.follow(record, self._info, {})
            except Exception as failure:
                value = failure
            type_ = TypeNameMetaFieldDef.type if field is None else field.definition.type
            spot = Spot(nodes, serializer.below.get(key), failures, (*path, key), places)
            made[key] = yield from self.value(type_, value, spot)

    def value(self, type_: GraphQLOutputType, value: Any, spot: Spot) -> Steps:
        """The value as the response shows it, null where it can't be shown; raises Null."""
        if is_non_null_type(type_):
            shown = yield from self._not_null(type_.of_type, value, spot)
            if shown is None:
                raise spot.failure(null_error(spot.nodes))
            return shown
        known = len(spot.failures)
        try:
            return (yield from self._not_null(type_, value, spot))
        except Null as null:
            spot.failures.drop(known)
            spot.failures.add(null.failure)
            return None

    def _not_null(self, type_: Any, value: Any, spot: Spot) -> Steps:
        """The value, null only if it is null itself; raises Null."""
        if value is None:
            return None
        try:
            if isinstance(value, Exception):
                raise value
            if is_leaf_type(type_):
                return self._leaf(type_, value, spot)
            if is_list_type(type_):
                return (yield from self._list(type_, value, spot))
            below = spot.below
            assert below is not None  # noqa: S101  # or it would be no plain value
            if type_.is_type_of is not None and not type_.is_type_of(value, self._info):
                raise TypeError(f"This is no {type_.name}.")
            made: dict[str, Any] = dict.fromkeys(below.fields)
            _, _, failures, path, places = spot
            yield from self.fill(made, below, value, failures, path=path, places=places)
            return made
        except Null:
            raise
        except Exception as failure:
            raise spot.failure(failure) from None

    def _list(self, type_: GraphQLList[Any], value: Any, spot: Spot) -> Steps:
        if not isinstance(value, list | tuple):
            raise TypeError(f"This is no list: {spot.nodes[0].name.value}.")
        if spot.below is not None and len(value) > 1:
            # One item was counted with the object that the list is in.
            self._account.fill(spot.places * (len(value) - 1) * spot.below.size)
        items = []
        for index, item in enumerate(value):
            if self._slices.over:
                yield
            shown = None
            if not (spot.below is None or item is None or isinstance(item, Exception)):
                shown = self._quickly(spot.below, item, spot.places)
            if shown is None:
                spot_of_item = spot._replace(path=(*spot.path, index))
                shown = yield from self.value(type_.of_type, item, spot_of_item)
            # A row's bytes take a fraction of its room.
            items.append(Raw(ENCODER.encode(shown)) if len(value) > MANY else shown)
        return items

    def _quickly(self, below: ObjectSerializer, item: Any, places: int) -> Any:
        """An item of a list, as the serializer shows it; None if that gives up on it."""
        counted = self._account.counted
        try:
            shown = self._account.in_places(places, below.serialize, item, self._info)
            self._account.weigh(places * size_of(shown))
        except Exception:  # whatever it is, who looks more carefully meets it again
            self._account.counted = counted
            return None
        return shown

    def _leaf(self, type_: GraphQLLeafType, value: Any, spot: Spot) -> Any:
        shown = type_.coerce_output_value(value)
        if shown is None or shown is Undefined:
            raise TypeError(f"{type_.name} can't show this value.")
        if isinstance(shown, self._fields.views.repaired):
            spot.failures.add(Repair(spot.path, shown.how))
            if isinstance(shown, str):
                shown = str(shown)  # the encoder takes no others
        self._account.weigh(spot.places * size_of(shown))
        return shown


def null_error(nodes: Sequence[FieldNode]) -> Exception:
    return TypeError(f"Null can't stand for the field {nodes[0].name.value}.")
