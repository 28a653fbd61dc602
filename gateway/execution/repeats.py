"""What is shown of one object in many places: made once, and told of again where it is shown again.

A hundred customers who share ninety groups have 9,000 places for them. The same fields of the same
object are the same wherever it stands, but for the paths of errors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError, located_error
from graphql.execution.collect_fields import GroupedFieldSet
from graphql.pyutils import Path

from gateway.context import Context
from gateway.execution.alike import mark
from gateway.execution.collected import Collected

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was shown of an object, in one go."""

    fields: Object
    source: object
    """Held, because it is known by its id."""
    count: Callable[[], bool]
    """Counts it for another place, if it fits."""
    errors: Sequence[_Error]
    counted: int
    """Errors that were only counted."""
    reported: int
    """Reports that are listed."""
    unlisted: int
    """Those that are not."""


@dataclass(frozen=True, slots=True)
class _Error:
    """An error below an object."""

    error: GraphQLError
    keys: Sequence[str | int]
    """Its path from the object on."""
    levels: int
    """How many of the keys lead to what has become null by it."""
    place: Hashable
    """What is the same for all errors of one field of these objects."""


class Repeats:
    """Those of one execution."""

    def __init__(self, context: Context, errors: Collected) -> None:
        self._context = context
        self._errors = errors
        self._shown: dict[Hashable, _Shown] = {}
        self._told: Counter[Hashable] = Counter()

    def again(self, fields: GroupedFieldSet, source: object, path: Path) -> Object | None:
        """These fields of the object, as they were shown elsewhere; None where they were not, or
        where something of them does not fit any more: then its own error is to be told of.
        """
        known = self._shown.get(_here(fields, source))
        if known is None or (known.reported and self._context.room_for_reports):
            return None
        if not known.count():
            return None
        if self._errors.has_nulled_position(path):
            return known.fields  # nobody will see it
        self._context.unlisted += known.reported + known.unlisted
        left_out = sum(not self._tell(each, path) for each in known.errors)
        if more := known.counted + left_out:
            self._errors.count(more, path)
        return known.fields

    @contextmanager
    def first(
        self, fields: GroupedFieldSet, source: object, path: Path
    ) -> Iterator[Callable[[Object], None]]:
        """Gives what keeps that which is shown inside, and all that is told of it meanwhile."""
        context, errors = self._context, self._errors
        known, counted = len(errors.errors), errors.counted
        room, unlisted = context.room_for_reports, context.unlisted
        with context.counting() as count:

            def keep(shown: Object) -> None:
                if errors.has_nulled_position(path):
                    return  # then nothing was told of what failed in it
                self._shown[_here(fields, source)] = _Shown(
                    shown,
                    source,
                    count,
                    [_below(*each, path, fields) for each in errors.since(known)],
                    errors.counted - counted,
                    room - context.room_for_reports,
                    context.unlisted - unlisted,
                )

            yield keep

    def _tell(self, each: _Error, path: Path) -> bool:
        """Tell of the error at this place too; False where as many as are listed were, of its field
        alone.
        """
        self._told[each.place] += 1
        if self._told[each.place] > self._context.bounds.max_errors:
            return False
        place = path
        for level, key in enumerate(each.keys, 1):
            path = path.add_key(key, None)
            if level <= each.levels:
                place = path
        original = each.error.original_error or each.error
        self._errors.add(located_error(original, each.error.nodes, path.as_list()), place)
        return True


def _here(fields: GroupedFieldSet, source: object) -> Hashable:
    # The fields are kept by their executor, for as long as this is.
    return id(fields), mark(source)


def _below(error: GraphQLError, place: Path | None, path: Path, fields: GroupedFieldSet) -> _Error:
    depth = len(path.as_list())
    keys = (error.path or [])[depth:]
    levels = len(place.as_list()) - depth if place else 0
    return _Error(error, keys, levels, (id(fields), *[key for key in keys if isinstance(key, str)]))
