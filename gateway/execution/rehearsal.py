"""An operation, gone through with nobody called: which REST calls it will come to at most.

The resolvers themselves are run, once for each place in the operation, over stand-ins; so how a
field is fetched is said in one place, its resolver. Fields that can't lead to a REST call are
passed over. What nobody can know ahead, such as how many groups a customer is in, is not bounded
here but metered while the operation runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLAbstractType,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationType,
    get_named_type,
    is_abstract_type,
    is_object_type,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gateway.backends.port import ById
from gateway.context import Context
from gateway.errors import CallerError, LimitExceeded
from gateway.execution.stand_ins import Note, Notes, Rehearsal
from gateway.loaders import GroupOf
from gateway.paging import Window

DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF


class Costly:
    """The types and fields of a schema from which REST calls can come."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._types: set[str] = set()
        objects = [type_ for type_ in schema.type_map.values() if is_object_type(type_)]
        found = -1
        while found < len(self._types):
            found = len(self._types)
            for type_ in objects:
                if any(self.field(field) for field in type_.fields.values()):
                    self._types.add(type_.name)
                    self._types.update(interface.name for interface in type_.interfaces)
            self._types.update(
                type_.name
                for type_ in schema.type_map.values()
                if is_abstract_type(type_)
                and any(part.name in self._types for part in schema.get_possible_types(type_))
            )

    def field(self, field: GraphQLField) -> bool:
        """Whether it is read, which is what coroutines are for, or leads to a field that is."""
        definition = field.extensions.get(DEFINITION)
        return getattr(definition, "is_async", False) or self.type(get_named_type(field.type))

    def type(self, type_: GraphQLNamedType) -> bool:
        return type_.name in self._types


MOST_PLACES: Final = 500
"""Fields that may lead to REST calls, each counted once for each tenant that it is asked of; what
has more is refused, or rehearsing it would keep all others waiting.
"""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of it."""

    notes: Sequence[Note]
    mistakes: Sequence[GraphQLError]
    """Arguments for which the operation is not run, each with its path (without indexes) and
    location: those above a limit, and those that would be met only after a REST call. Other
    mistakes cost their own field, and nothing is called for it.
    """

    surplus: int
    """Further calls by which looking groups up may save more; not made where they do not fit."""
    longest: Window
    """The longest window that is asked for."""
    places: int
    """How many fields were gone through, those of each tenant counted."""

    @property
    def rest_calls(self) -> int:
        """The most that can be told ahead, without the surplus."""
        return sum(note.total for note in self.notes)

    @property
    def path(self) -> tuple[str, ...] | None:
        """Where rows are first multiplied, if anywhere."""
        return next((note.per[0].path for note in self.notes if note.per), None)


def rehearse(
    executor: Executor[Any], context: Context, costly: Costly, *, cap: int | None = None
) -> Rehearsed:
    """What `executor`'s operation will come to, for the caller of `context`; with `cap`, if no
    window had more rows. Raises LimitExceeded for one that takes too long to go through.
    """
    root = executor.schema.get_root_type(executor.operation.operation)
    assert root is not None  # noqa: S101  # the document is valid
    fields = collect_fields(
        executor.schema,
        executor.fragments,
        executor.variable_values,
        root,
        executor.operation,
    ).grouped_field_set
    if executor.operation.operation is OperationType.MUTATION:
        # One after the other, and what was read ahead of a change is read again after it.
        parts = [{key: details} for key, details in fields.items()]
    else:
        parts = [fields]
    notes: list[Note] = []
    mistakes: list[GraphQLError] = []
    surplus, places, longest = 0, 0, Window(size=0)
    for part in parts:
        walk = _Walk(executor, context, costly, cap=cap, places=places)
        walk.tick([_Place(root, part, None, None)], first=True)
        looked_up, more = walk.looked_up()
        notes += [*walk.notes.calls, *looked_up]
        mistakes += walk.mistakes
        surplus, places = surplus + more, walk.places
        longest = max(longest, walk.notes.longest, key=lambda window: window.size)
    return Rehearsed(notes, mistakes, surplus, longest, places)


@dataclass(frozen=True, slots=True)
class _Place:
    """A selection set of one object."""

    type: GraphQLObjectType
    fields: GroupedFieldSet
    value: object
    path: Path | None


class _Walk:
    def __init__(
        self,
        executor: Executor[Any],
        context: Context,
        costly: Costly,
        *,
        cap: int | None,
        places: int,
    ) -> None:
        self.notes = Notes(cap=cap)
        self.mistakes: list[GraphQLError] = []
        self.places = places
        self._context = context
        self._rehearsal = Rehearsal(context, self.notes)
        self._executor = copy(executor)
        self._executor.context_value = self._rehearsal
        self._costly = costly

    def looked_up(self) -> tuple[list[Note], int]:
        """A call for each group that is looked up, and how many more there may be."""
        tenants: dict[str, list[GroupOf]] = {}
        for key in self.notes.groups:
            tenants.setdefault(key.tenant_uid, []).append(key)
        notes: list[Note] = []
        surplus = 0
        for tenant_uid, keys in tenants.items():
            by_id = sum(isinstance(key.ref, ById) for key in keys)
            # What the fields of one object ask for is one batch, or a part of one.
            batches = len({self.notes.groups[key] for key in keys})
            most = self._context.backend(tenant_uid).most
            least = most.get_groups(by_id, len(keys) - by_id, batches=0)
            notes.append(Note(least))
            surplus += most.get_groups(by_id, len(keys) - by_id, batches=batches) - least
        return notes, surplus

    def tick(self, places: list[_Place], *, first: bool = False) -> None:
        """All that is asked ahead of the first answer, which loaders see together; and then, for
        each answer, what is asked of it.
        """
        answered: list[list[_Place]] = []
        most = self._context.asker.meter.limit
        for place in places:  # grows as it is gone through
            if most is not None and len(self.notes.groups) > most:
                return  # it is too dear already, whatever else it asks for
            for key, details in place.fields.items():
                field = place.type.fields.get(details[0].node.name.value)
                if field is None or not self._costly.field(field):
                    continue  # __typename and the like; leaves of the record
                self.places += 1
                if self.places > MOST_PLACES:
                    raise LimitExceeded(
                        f"This asks for REST calls in more than {MOST_PLACES} places.",
                        allowed=MOST_PLACES,
                        found=self.places,
                    )
                path = Path(place.path, key, place.type.name)
                try:
                    value, waited = self._resolve(place, field, details, path)
                except CallerError as mistake:
                    if not first or isinstance(mistake, LimitExceeded):
                        self.mistakes.append(_located(mistake, details, path))
                    continue
                except Exception:  # noqa: S112  # it will be met again, and then cost this field only
                    continue
                below = list(self._below(field, details, value, path))
                if waited:
                    answered.append(below)
                else:
                    places.extend(below)
        self._rehearsal.end_of_tick()
        for below in answered:
            if below:
                self.tick(below)

    def _resolve(
        self, place: _Place, field: GraphQLField, details: list[FieldDetails], path: Path
    ) -> tuple[object, bool]:
        """The field's value over stand-ins, and whether it had to be waited for."""
        first = details[0]
        executor = self._executor
        info = executor.build_resolve_info(field, [d.node for d in details], place.type, path)
        arguments = get_argument_values(
            field, first.node, executor.variable_values, first.fragment_variable_values
        )
        self.notes.path = tuple(str(key) for key in path.as_list())
        resolve = field.resolve or executor.field_resolver
        value = resolve(place.value, info, **arguments)
        if isinstance(value, Awaitable):
            return _finished(value), True
        if isinstance(value, list) and any(isinstance(item, Awaitable) for item in value):
            return [_item(item) for item in value], True
        return value, False

    def _below(
        self, field: GraphQLField, details: list[FieldDetails], value: object, path: Path
    ) -> Iterator[_Place]:
        type_ = get_named_type(field.type)
        if not self._costly.type(type_):
            return
        executor = self._executor
        items = value if isinstance(value, list | tuple) else [value]
        there = [item for item in items if not (item is None or isinstance(item, Exception))]
        for item in self._rehearsal.several(there) if len(there) > 1 else there:
            for possible in self._types(type_, item):
                fields = collect_subfields(
                    executor.schema,
                    executor.fragments,
                    executor.variable_values,
                    executor.operation,
                    possible,
                    details,
                ).grouped_field_set
                yield _Place(possible, fields, item, path)

    def _types(self, type_: GraphQLNamedType, item: object) -> Iterable[GraphQLObjectType]:
        if isinstance(type_, GraphQLObjectType):
            return [type_]
        assert isinstance(type_, GraphQLAbstractType)  # noqa: S101  # no leaf leads to REST calls
        possible = self._executor.schema.get_possible_types(type_)
        return [
            candidate
            for candidate in possible
            if candidate.is_type_of is not None and candidate.is_type_of(item, None)  # type: ignore[arg-type]
        ]


def _located(mistake: CallerError, details: list[FieldDetails], path: Path) -> GraphQLError:
    nodes = [detail.node for detail in details]
    return GraphQLError(mistake.message, nodes, path=path.as_list(), original_error=mistake)


def _item(value: object) -> object:
    """One item of a list; its mistakes are its own."""
    try:
        return _finished(value) if isinstance(value, Awaitable) else value
    except CallerError as mistake:
        return mistake


def _finished(value: Awaitable[Any]) -> Any:
    """What an awaitable comes to that never has to wait."""
    waiting = value.__await__()
    try:
        next(waiting)
    except StopIteration as finished:
        return finished.value
    raise RuntimeError("A resolver has waited for something that is not rehearsed.")
