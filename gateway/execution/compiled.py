"""graphql-core's executor, with the plain parts of the response made by generated functions.

What is not plain (fields that are read, that have arguments, whose type is abstract) goes its way
through graphql-core, and so does every part with a surprise in its data. All of it was read ahead;
lists are completed item by item, and give way to other requests. Shapes are kept beside their
document: made once, however often it is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Final

import msgspec
from graphql import (
    GraphQLError,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    default_field_resolver,
    default_type_resolver,
    get_named_type,
    is_leaf_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FragmentDetails, GroupedFieldSet
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.context import Context
from gateway.errors import GatewayError
from gateway.execution.collected import Collected
from gateway.execution.documents import Document
from gateway.execution.expressions import ENCODED, Partial, json_size
from gateway.execution.fields import PlainInfo
from gateway.execution.preloading import Preloader
from gateway.execution.prepared import PreparedPlan
from gateway.execution.repeats import Repeats
from gateway.execution.shapes import Shapes, bare_size, place
from gateway.execution.turns import Turns
from gateway.records import Mended

MANY: Final = 100
"""Objects; longer lists are encoded at once: their bytes take a fraction of the room."""


@dataclass(slots=True)
class Tally:
    """How an operation has come to its answer."""

    compiled: int = 0
    """Objects that were made by shapes."""
    surprises: int = 0
    """Those among them that graphql-core had to make again."""


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """An executor to which `use` has given shapes; without them, it is graphql-core's."""

    collected_errors: Collected
    mended = False
    """Whether the answer shows a value that was mended."""
    _kept: PreparedPlan | None = None

    @classmethod
    def of(
        cls,
        schema: GraphQLSchema,
        document: Document,
        operation: OperationDefinitionNode,
        values: VariableValues,
        context: Context,
        *,
        suggestions: bool,
    ) -> CompiledExecutor:
        """The executor of an operation whose variables are coerced already; graphql-core's `build`
        would do it again, in a sixth of the time of an edit of 10,000 customers.
        """
        made = cls(
            schema,
            dict(document.fragments),
            {name: FragmentDetails(node) for name, node in document.fragments.items()},
            None,
            context,
            operation,
            values,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=optimized_is_awaitable,
            hide_suggestions=not suggestions,
        )
        made.collected_errors = Collected()
        return made

    def use(self, kept: PreparedPlan, tally: Tally, preloader: Preloader, turns: Turns) -> None:
        """`preloader` has read all that a query shows; of a change, it is asked to when that is
        made.
        """
        turns.join()
        self._turns = turns
        self._kept = kept
        self._tally = tally
        self._preloader = preloader
        self._partials: dict[int, tuple[GroupedFieldSet, Partial, GroupedFieldSet]] = {}
        self._counted: dict[int, Path] = {}
        self._traces: dict[Exception, TracebackType | None] = {}
        self._context: Context = self.context_value
        self._repeats = Repeats(self._context, self.collected_errors)
        self._info = PlainInfo(self._context)

    @property
    def _changes(self) -> bool:
        return self.operation.operation is OperationType.MUTATION

    def let_go(self) -> None:
        """Nothing more is executed. It holds itself, and with it all of the request: the garbage
        collector might come for them late.
        """
        vars(self).clear()

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Any,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        if self._kept and path:
            if path.prev is None and self._changes:
                return self._changed(parent_type, source_value, path, grouped_field_set)
            return self._object(parent_type, source_value, path, grouped_field_set)
        if self._kept:
            self._context.fill(len(grouped_field_set))
            self._context.weigh(bare_size(grouped_field_set))
        return super().execute_fields(
            parent_type, source_value, path, grouped_field_set, position_context
        )

    async def _changed(
        self, type_: GraphQLObjectType, payload: Any, path: Any, fields: GroupedFieldSet
    ) -> Any:
        """What the payload of a change shows, which is read after it."""
        await self._preloader.read_below(path.key, payload)
        shown = self._object(type_, payload, path, fields)
        return await shown if isinstance(shown, Awaitable) else shown

    def _object(
        self, type_: GraphQLObjectType, source: Any, path: Any, fields: GroupedFieldSet
    ) -> Any:
        """These fields of an object, which may have been shown elsewhere."""
        partial = self._partial(type_, fields)
        if not partial.others:  # quickly made
            return self._fields(type_, source, path, fields, partial)
        known = self._repeats.again(fields, source, path)
        if known is not None:
            return known
        with self._repeats.first(fields, source, path) as keep:
            shown = self._fields(type_, source, path, fields, partial)
            if isinstance(shown, dict):
                keep(shown)
        return shown

    def _fields(
        self,
        type_: GraphQLObjectType,
        source: Any,
        path: Any,
        fields: GroupedFieldSet,
        partial: Partial,
    ) -> Any:
        with self._counting(path):
            plain = self._plain(source, path, fields, partial)
        if plain is None:
            return super().execute_fields(type_, source, path, fields, None)
        if not partial.others:
            return plain
        _, _, others = self._partials[id(fields)]
        read = super().execute_fields(type_, source, path, others, None)
        if isinstance(read, dict):
            plain.update(read)
            return plain

        async def both() -> dict[str, Any]:
            plain.update(await read)
            return plain

        return both()

    def _plain(
        self, source: Any, path: Any, fields: GroupedFieldSet, partial: Partial
    ) -> dict[str, Any] | None:
        """The plain fields of an object; None where there are none, or a surprise is in them."""
        if id(path.prev) not in self._counted:
            self._context.fill(partial.size)
        filled = self._context.filled
        plain: dict[str, Any] | None = None
        if len(partial.others) < len(fields):
            try:
                plain = partial.shape(source, self._info)
            except Exception:  # whatever it is, graphql-core will meet it and say where
                self._tally.surprises += 1
                # What is in objects below is counted with those.
                self._context.filled = filled - (partial.size - len(fields))
            else:
                self._tally.compiled += 1
        self._context.weigh(partial.bare if plain is None else partial.weigh((plain,)))
        return plain

    def _counting(self, path: Path | None) -> AbstractContextManager[None]:
        """Where what is at `path` is counted: apart, where it tells what has become of a change.

        That is all of its payload but what is below the fields of its group.
        """
        if self._changes:
            while path is not None and path.typename != "CustomerGroup":
                path = path.prev
            if path is None:
                return self._context.telling()
        return nullcontext()

    def complete_leaf_value(  # type: ignore[override]  # graphql-core has it as a static method
        self, return_type: GraphQLLeafType, result: Any
    ) -> Any:
        completed = super().complete_leaf_value(return_type, result)
        if isinstance(completed, Mended):
            self.mended = True
        if self._kept:
            self._context.weigh(json_size(completed))
        return completed

    def complete_list_value(
        self,
        return_type: Any,
        field_details_list: Any,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        shape = self._of_items(return_type.of_type, field_details_list) if self._kept else None
        if shape is not None and type(result) in (list, tuple):
            with self._counting(path):
                completed = self._completed(shape, result)
            if completed is not None:
                return completed
        return super().complete_list_value(
            return_type, field_details_list, info, path, result, position_context
        )

    def complete_iterable_value(
        self,
        item_type: Any,
        field_details_list: Any,
        info: Any,
        path: Any,
        items: Any,
        position_context: Any,
    ) -> Any:
        if self._kept is None or is_leaf_type(get_named_type(item_type)):
            return super().complete_iterable_value(
                item_type, field_details_list, info, path, items, position_context
            )
        items = items if isinstance(items, list | tuple) else list(items)
        self._count_items(item_type, field_details_list, path, items)
        # Item by item, as there is nothing left to wait for: no more than one is under way, and
        # those that are left over at the end of a turn wait for the next one.
        numbered = enumerate(items)
        completed: list[Any] = []

        def waits(index: int, item: Any) -> bool:
            how = item_type, field_details_list, info, path.add_key(index, None), None
            if not self.is_awaitable(item):
                return self.complete_list_item_value(item, completed, *how)
            completed.append(self.complete_awaitable_list_item_value(item, *how))
            return True

        async def others() -> list[Any]:
            if self.is_awaitable(completed[-1]):
                completed[-1] = await completed[-1]
            for index, item in numbered:
                if self._turns.over:
                    await self._turns.give_way()
                    if self.collected_errors.has_nulled_position(path):
                        break  # nobody will see it
                if waits(index, item):
                    completed[-1] = await completed[-1]
            return completed

        for index, item in numbered:
            if waits(index, item) or self._turns.over:
                # graphql-core may make a task of it.
                charged = self._context.charged
                return others() if charged is None else charged(others())
        return completed

    def _count_items(self, item_type: Any, details: Any, path: Path, items: Sequence[Any]) -> None:
        """Count what all of the items have of their own, ahead of what is below the first of them:
        if there is too much below, its fields fail, and not the list.
        """
        type_ = item_type.of_type if is_non_null_type(item_type) else item_type
        if is_object_type(type_):
            there = sum(not (item is None or isinstance(item, Exception)) for item in items)
            size = self._partial(type_, self.collect_subfields(type_, details)[0]).size
            with self._counting(path):
                self._context.fill(there * size)
            self._counted[id(path)] = path

    def handle_field_error(
        self, raw_error: Exception, return_type: Any, field_details_list: Any, path: Any
    ) -> None:
        # What is expected is not traced, and what was raised once not to each field that it costs:
        # tracebacks hold frames, and those all that they have worked on.
        if isinstance(raw_error, GatewayError | GraphQLError):
            raw_error.__traceback__ = None
        elif self._kept:
            trace = self._traces.setdefault(raw_error, raw_error.__traceback__)
            raw_error.__traceback__ = trace
        super().handle_field_error(raw_error, return_type, field_details_list, path)

    def _completed(self, partial: Partial, items: Sequence[Any]) -> list[Any] | msgspec.Raw | None:
        """These items as the shape has them; None where there is a surprise in one."""
        shape, info, filled = partial.shape, self._info, self._context.filled
        try:
            completed = [shape(item, info) for item in items]
        except Exception:  # as above: for the whole list, of which most may be good
            self._tally.surprises += 1
            self._context.filled = filled
            return None
        self._context.fill(len(items) * partial.size)
        self._context.weigh(partial.weigh(completed))
        self._tally.compiled += len(completed)
        return msgspec.Raw(ENCODED.encode(completed)) if len(completed) > MANY else completed

    def _of_items(self, item_type: Any, details: Any) -> Partial | None:
        """The shape of a list's items, where all of each is plain."""
        type_ = item_type.of_type if is_non_null_type(item_type) else item_type
        if not is_object_type(type_):
            return None
        partial = self._partial(type_, self.collect_subfields(type_, details)[0])
        if partial.others:
            return None
        is_type_of, shape, nullable = type_.is_type_of, partial.shape, type_ is item_type

        def checked(item: Any, info: Any) -> Any:
            if item is None and nullable:
                return None
            if is_type_of is not None and not is_type_of(item, info):
                raise TypeError  # graphql-core says which
            return shape(item, info)

        return replace(partial, shape=checked)

    def _partial(self, type_: GraphQLObjectType, fields: GroupedFieldSet) -> Partial:
        """The shape of these fields, from the document's if they have it."""
        known = self._partials.get(id(fields))
        if known is not None:
            return known[1]
        assert self._kept is not None  # noqa: S101  # asked by those who have looked
        here = place(type_, fields)
        partial = self._kept.partials.get(here)
        if partial is None:
            # Not kept: it would hold this executor, and with it the request's variables.
            shapes = Shapes(
                lambda type_, details: self.collect_subfields(type_, details)[0],
                self._kept.plan.compiler,
            )
            partial = shapes.partial(type_, fields)
            self._kept.partials[here] = partial
        others = {key: fields[key] for key in partial.others}
        self._partials[id(fields)] = (fields, partial, others)
        return partial
