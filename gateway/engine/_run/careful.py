"""The careful form of plain values: what a generated serializer gives up on, value by value.

A serializer raises at the first thing that is not as it should be. This goes on: it shows what can
be shown, notes what failed, and puts null where the schema has room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLLeafType,
    GraphQLOutputType,
    TypeNameMetaFieldDef,
    Undefined,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)
from msgspec import Raw

from gateway.engine._plan.expressions import ENCODED, ObjectSerializer, json_size
from gateway.engine._plan.fields import Fields, PlainInfo
from gateway.engine._plan.serializers import bare_size
from gateway.engine._run.account import Account
from gateway.engine._run.failures import Failure, Failures, Path, Repair, Steps, expected
from gateway.engine._run.time_slices import TimeSlices

MANY: Final = 100
"""Items of a list."""


class Null(Exception):
    """A value can't be shown, and null can't stand in its place."""

    def __init__(self, failure: Failure) -> None:
        super().__init__()
        self.failure = failure


class Careful:
    """Of one run."""

    def __init__(
        self, fields: Fields, info: PlainInfo, account: Account, slices: TimeSlices
    ) -> None:
        self._fields = fields
        self._info = info
        self._account = account
        self._slices = slices

    def object(
        self,
        serializer: ObjectSerializer,
        record: Any,
        failures: Failures,
        path: Path = (),
        *,
        places: int = 1,
    ) -> Steps:
        """The plain fields of a record, with None in place of the others; raises Null.

        `path` leads to it from the object that the failures are noted beside.
        """
        if self._slices.over:
            yield
        type_ = serializer.type
        made: dict[str, Any] = dict.fromkeys(serializer.fields)
        for key, details in serializer.fields.items():
            if key in serializer.others:
                continue
            nodes = [detail.node for detail in details]
            name = nodes[0].name.value
            field = None if name == "__typename" else self._fields.of(type_, name)
            value: Any = type_.name
            try:
                self._account.weigh(places * bare_size([key]))
                if field is not None:
                    value = field.follow(record, self._info, {})
            except Exception as failure:
                value = failure
            made[key] = yield from self.value(
                TypeNameMetaFieldDef.type if field is None else field.definition.type,
                nodes,
                serializer.below.get(key),
                value,
                failures,
                (*path, key),
                places=places,
            )
        return made

    def value(
        self,
        type_: GraphQLOutputType,
        nodes: Sequence[FieldNode],
        below: ObjectSerializer | None,
        value: Any,
        failures: Failures,
        path: Path,
        *,
        places: int,
    ) -> Steps:
        """The value as the response shows it, null where it can't be shown; raises Null.

        `below` is what is shown of objects in it.
        """
        given = nodes, below, value, failures, path, places
        if is_non_null_type(type_):
            shown = yield from self._there(type_.of_type, *given)
            if shown is None:
                raise Null(Failure(path, nodes, null_error(nodes)))
            return shown
        known = len(failures)
        try:
            return (yield from self._there(type_, *given))
        except Null as null:
            failures.drop(known)
            failures.add(null.failure)
            return None

    def _there(
        self,
        type_: Any,
        nodes: Sequence[FieldNode],
        below: ObjectSerializer | None,
        value: Any,
        failures: Failures,
        path: Path,
        places: int,
    ) -> Steps:
        if value is None:
            return None
        if isinstance(value, Exception):
            raise Null(Failure(path, nodes, expected(value)))
        if is_leaf_type(type_):
            try:
                return self._leaf(type_, value, failures, path, places)
            except Exception as failure:
                raise Null(Failure(path, nodes, expected(failure))) from None
        if not is_list_type(type_):
            assert below is not None  # noqa: S101  # or it would be no plain value
            if type_.is_type_of is not None and not type_.is_type_of(value, self._info):
                raise Null(Failure(path, nodes, TypeError(f"This is no {type_.name}.")))
            return (yield from self.object(below, value, failures, path, places=places))
        if not isinstance(value, list | tuple):
            raise Null(Failure(path, nodes, TypeError(f"This is no list: {nodes[0].name.value}.")))
        if below is not None and len(value) > 1:
            try:  # one item was counted with the object that the list is in
                self._account.fill(places * (len(value) - 1) * below.size)
            except Exception as failure:
                raise Null(Failure(path, nodes, expected(failure))) from None
        items = []
        for index, item in enumerate(value):
            if self._slices.over:
                yield
            shown = None
            if not (below is None or item is None or isinstance(item, Exception)):
                shown = self._quickly(below, item, places)
            if shown is None:
                shown = yield from self.value(
                    type_.of_type, nodes, below, item, failures, (*path, index), places=places
                )
            # A row's bytes take a fraction of its room.
            items.append(Raw(ENCODED.encode(shown)) if len(value) > MANY else shown)
        return items

    def _quickly(self, below: ObjectSerializer, item: Any, places: int) -> Any:
        """An item of a list, as the serializer shows it; None if that gives up on it."""
        counted = self._account.counted
        try:
            shown = self._account.in_places(places, below.serialize, item, self._info)
            self._account.weigh(places * below.weigh((shown,)))
        except Exception:  # whatever it is, who looks more carefully meets it again
            self._account.counted = counted
            return None
        return shown

    def _leaf(
        self, type_: GraphQLLeafType, value: Any, failures: Failures, path: Path, places: int
    ) -> Any:
        shown = type_.coerce_output_value(value)
        if shown is None or shown is Undefined:
            raise TypeError(f"{type_.name} can't show this value.")
        if isinstance(shown, self._fields.views.repaired):
            failures.add(Repair(path, shown.how))
            if isinstance(shown, str):
                shown = str(shown)  # the encoder takes no others
        self._account.weigh(places * json_size(shown))
        return shown


def null_error(nodes: Sequence[FieldNode]) -> Exception:
    return TypeError(f"Null can't stand for the field {nodes[0].name.value}.")
