"""graphql-core's executor, with the plain parts of the response made by generated functions.

What is not plain (fields that are read, that have arguments, whose type is abstract) goes its way
through graphql-core, and so does every part with a surprise in its data. Shapes are kept beside
their document: made once, however often it is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    default_field_resolver,
    default_type_resolver,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FragmentDetails, GroupedFieldSet
from graphql.execution.values import VariableValues
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.context import Context
from gateway.execution.documents import Document
from gateway.execution.expressions import Partial
from gateway.execution.fields import PlainInfo
from gateway.execution.shapes import Shapes, place
from gateway.execution.shelf import Choice, Kept

MANY: Final = 100
"""Objects; longer lists are encoded at once: their bytes take a fraction of the room."""
ENCODED: Final = msgspec.json.Encoder()


@dataclass(slots=True)
class Tally:
    """How many objects were made by shapes, and how many of them graphql-core had to make again."""

    compiled: int = 0
    surprises: int = 0


class CompiledExecutor(StrawberryGraphQLCoreExecutionContext):
    """An executor to which `use` has given shapes; without them, it is graphql-core's."""

    _kept: Kept | None = None

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
        return cls(
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

    def use(self, kept: Kept, choice: Choice, tally: Tally) -> None:
        """`choice` is the operation's, of those that `kept` is for."""
        self._kept = kept
        self._choice = choice
        self._tally = tally
        self._partials: dict[int, tuple[GroupedFieldSet, Partial, GroupedFieldSet]] = {}
        self._context: Context = self.context_value
        self._info = PlainInfo(self._context)

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
        partial = self._partial(parent_type, grouped_field_set) if self._kept and path else None
        if self._kept:
            self._context.fill(len(grouped_field_set))
        if partial is None or len(partial.others) == len(grouped_field_set):
            return super().execute_fields(
                parent_type, source_value, path, grouped_field_set, position_context
            )
        filled = self._context.filled
        try:
            plain: dict[str, Any] = partial.shape(source_value, self._info)
        except Exception:  # whatever it is, graphql-core will meet it and say where
            self._tally.surprises += 1
            self._context.filled = filled
            return super().execute_fields(
                parent_type, source_value, path, grouped_field_set, position_context
            )
        self._tally.compiled += 1
        self._context.fill(partial.size - len(grouped_field_set))
        if not partial.others:
            return plain
        _, _, others = self._partials[id(grouped_field_set)]
        read = super().execute_fields(parent_type, source_value, path, others, position_context)
        if isinstance(read, dict):
            plain.update(read)
            return plain

        async def both() -> dict[str, Any]:
            plain.update(await read)
            return plain

        return both()

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
            if all(isinstance(item, asyncio.Future) for item in result) and result:
                return self._settled(
                    return_type, field_details_list, info, path, result, position_context, shape
                )
            if (completed := self._completed(shape, result)) is not None:
                return completed
        return super().complete_list_value(
            return_type, field_details_list, info, path, result, position_context
        )

    async def _settled(
        self,
        return_type: Any,
        details: Any,
        info: Any,
        path: Any,
        futures: Sequence[asyncio.Future[Any]],
        position_context: Any,
        shape: Partial,
    ) -> Any:
        """The list when all of it is there: graphql-core would wait for each item by itself."""
        await asyncio.wait(futures)
        # An exception in the place of an item is that item's error, to graphql-core too.
        items = [future.exception() or future.result() for future in futures]
        if (completed := self._completed(shape, items)) is not None:
            return completed
        anew = super().complete_list_value(
            return_type, details, info, path, items, position_context
        )
        return await anew if isinstance(anew, Awaitable) else anew

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
        here = self._choice, place(type_, fields)
        partial = self._kept.partials.get(here)
        if partial is None:
            # Not kept: it would hold this executor, and with it the request's variables.
            shapes = Shapes(lambda type_, details: self.collect_subfields(type_, details)[0])
            partial = shapes.partial(type_, fields)
            self._kept.shelf.count()
            self._kept.partials[here] = partial
        others = {key: fields[key] for key in partial.others}
        self._partials[id(fields)] = (fields, partial, others)
        return partial
