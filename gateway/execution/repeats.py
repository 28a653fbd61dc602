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
from graphql.execution.executor import CollectedErrors
from graphql.pyutils import Path

from gateway.context import Context
from gateway.execution.alike import mark

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
    reported: int
    unlisted: int
    """What was told of it besides."""


@dataclass(frozen=True, slots=True)
class _Error:
    """An error below an object."""

    error: GraphQLError
    keys: Sequence[str | int]
    """Its path from the object on."""
    place: Hashable
    """What is the same for all errors of one field of these objects."""


class Repeats:
    """Those of one execution."""

    def __init__(self, context: Context, errors: CollectedErrors) -> None:
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
        self._context.unlisted += known.reported + known.unlisted
        for each in known.errors:
            self._tell(each, path)
        return known.fields

    @contextmanager
    def first(
        self, fields: GroupedFieldSet, source: object, path: Path
    ) -> Iterator[Callable[[Object], None]]:
        """Gives what keeps that which is shown inside, and all that is told of it meanwhile."""
        context, errors = self._context, self._errors.errors
        known, room, unlisted = len(errors), context.room_for_reports, context.unlisted
        with context.counting() as count:

            def keep(shown: Object) -> None:
                self._shown[_here(fields, source)] = _Shown(
                    shown,
                    source,
                    count,
                    [_below(error, path, fields) for error in errors[known:]],
                    room - context.room_for_reports,
                    context.unlisted - unlisted,
                )

            yield keep

    def _tell(self, each: _Error, path: Path) -> None:
        """Tell of the error at this place too; no more than are listed, of one field."""
        self._told[each.place] += 1
        if self._told[each.place] > self._context.bounds.max_errors:
            self._context.unlisted += 1
            return
        for key in each.keys:
            path = path.add_key(key, None)
        original = each.error.original_error or each.error
        self._errors.add(located_error(original, each.error.nodes, path.as_list()), path)


def _here(fields: GroupedFieldSet, source: object) -> Hashable:
    # The fields are kept by their executor, for as long as this is.
    return id(fields), mark(source)


def _below(error: GraphQLError, path: Path, fields: GroupedFieldSet) -> _Error:
    keys = (error.path or [])[len(path.as_list()) :]
    return _Error(error, keys, (id(fields), *[key for key in keys if isinstance(key, str)]))
