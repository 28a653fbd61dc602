"""From the text of a request to an operation that is ready to run, or to why it can't be.

Everything here happens before any REST call: reading the document, choosing the operation,
coercing its variables, checking its arguments, and holding its REST calls to the limit.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from strawberry.execution import optimized_is_awaitable

from gateway.context import Context
from gateway.errors import GatewayError, LimitExceeded
from gateway.execution.compiled import CompiledExecutor, Kept, Shelf, Tally
from gateway.execution.documents import Document, Documents
from gateway.execution.looked_at import looked_at
from gateway.execution.persisted import PersistedDocuments
from gateway.execution.plan import Arguments, Plan, Planner, conditions
from gateway.execution.rehearsal import Rehearsed, rehearse
from gateway.execution.running import Run
from gateway.execution.shapes import Surprise
from gateway.limits import variables_refusal
from gateway.loaders import ListOf

FEW_PLACES: Final = 200
"""Of an operation that is rehearsed again with shorter pages, to tell which would fit."""


class Refused(Exception):
    """The operation is not run at all, for these reasons."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of one request."""

    executor: CompiledExecutor
    ahead: Sequence[ListOf]
    """Reads that need not wait for an answer."""
    run: Run | None
    """How it is run as long as there is no surprise; None where it is all graphql-core's."""
    untrusted: str | None = None
    """The SHA-256 of its document, where that runs although no manifest has it."""

    @property
    def changes(self) -> bool:
        """Whether it is a mutation."""
        return self.executor.operation.operation is OperationType.MUTATION

    @property
    def tally(self) -> Tally | None:
        """How much of it was made by generated functions; None where graphql-core makes it all."""
        return self.executor.tally

    async def execute(self) -> ExecutionResult:
        """Run it; what fails in it is in the result's errors. Its data may have parts that are
        encoded already.
        """
        context: Context = self.executor.context_value
        if self.run is not None:
            tally = self.executor.tally or Tally()
            try:
                return ExecutionResult(data=await self.run.data())
            except Surprise:
                tally.surprises += 1
                context.begin_again()
            finally:
                tally.compiled += self.run.objects
        result = self.executor.execute_operation()
        if not self.changes:
            context.loaders.ask_ahead(self.ahead)
        if inspect.isawaitable(result):
            result = await result
        assert isinstance(result, ExecutionResult)  # noqa: S101  # nothing is delivered in parts
        return result


class Operations:
    """Makes operations of what clients send."""

    def __init__(
        self,
        schema: GraphQLSchema,
        documents: Documents,
        persisted: PersistedDocuments,
        *,
        suggestions: bool,
        max_variable_values: int,
        compiled: bool = True,
        selecting: bool = True,
    ) -> None:
        """`compiled` and `selecting` are off to see what the others do without them."""
        self._schema = schema
        self._documents = documents
        self._persisted = persisted
        self._suggestions = suggestions
        self._planner = Planner(schema)
        self._compiled = compiled
        self._selecting = selecting
        self._shelf = Shelf()
        self._max_values = max_variable_values

    def operation(
        self,
        query: str | None,
        name: str | None,
        variables: Mapping[str, Any],
        context: Context,
        *,
        document_id: str | None = None,
        extensions: Mapping[str, object],
    ) -> Operation:
        """The operation `name` of the document that is sent, or named; raises Refused."""
        try:
            meant = self._persisted.find(query, document_id=document_id, extensions=extensions)
        except GatewayError as refusal:
            raise Refused([GraphQLError(refusal.message, original_error=refusal)]) from None
        document = self._documents.read(meant.text)
        if isinstance(document, Sequence):
            raise Refused(document)
        self._persisted.keep(meant)
        chosen = document.operation(name)
        if too_much := variables_refusal(variables, chosen, self._max_values):
            raise Refused([too_much])
        executor = CompiledExecutor.build(
            self._schema,
            document.node,
            context_value=context,
            raw_variable_values=dict(variables),
            operation_name=name,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # no TypeGuard, but one
            hide_suggestions=not self._suggestions,
        )
        if isinstance(executor, list):
            raise Refused(executor)
        assert isinstance(executor, CompiledExecutor)  # noqa: S101  # build makes one of its class
        kept = self._shelf.beside(document)
        if self._compiled:
            executor.use(kept, Tally())
        if self._selecting:
            if name not in kept.selections:
                chosen_fields = looked_at(self._schema, executor.operation, document.fragments)
                kept.selections[name] = chosen_fields
            context.selected = kept.selections[name]
        plan = self._plan(document, name, executor, kept)
        arguments = Arguments(self._planner, executor.variable_values)
        ahead = self._budget(plan, arguments, executor.operation, context).ahead
        return Operation(
            executor=executor,
            ahead=ahead,
            run=Run(plan, arguments, context, ahead) if self._compiled and plan.covered else None,
            untrusted=meant.unknown,
        )

    def _plan(
        self, document: Document, name: str | None, executor: CompiledExecutor, kept: Kept
    ) -> Plan:
        """The operation's plan, from those kept beside its document if it is there."""
        variables = executor.variable_values
        if name not in kept.conditions:
            kept.conditions[name] = conditions(executor.operation, document.fragments)
        choice = (name, *[variables.coerced.get(each) for each in kept.conditions[name]])
        plan = kept.plans.get(choice)
        if plan is None:
            plan = self._planner.plan(executor.operation, document.fragments, variables)
            kept.plans[choice] = plan
            kept.shelf.count(plan.size)
        return plan

    def _budget(
        self, plan: Plan, arguments: Arguments, node: OperationDefinitionNode, context: Context
    ) -> Rehearsed:
        """Hold the operation's REST calls to the limit, and let the meter know of them."""
        try:
            rehearsed = rehearse(plan, arguments, context)
        except LimitExceeded as refusal:
            raise Refused([GraphQLError(refusal.message, node, original_error=refusal)]) from None
        if rehearsed.mistakes:
            raise Refused(rehearsed.mistakes)
        meter = context.asker.meter
        meter.planned = rehearsed.rest_calls + rehearsed.surplus
        if meter.limit is not None:
            if rehearsed.rest_calls > meter.limit:
                meter.planned = rehearsed.rest_calls
                fitting = self._fitting(rehearsed, plan, arguments, context, meter.limit)
                raise Refused([_too_dear(rehearsed, node, meter.limit, fitting=fitting)])
            meter.planned = min(meter.planned, meter.limit)
        return rehearsed

    def _fitting(
        self, rehearsed: Rehearsed, plan: Plan, arguments: Arguments, context: Context, limit: int
    ) -> int | None:
        """The most rows that all pages may have so that `limit` holds, as rehearsals show; None
        where there is no such number, or finding it would take long.
        """
        if rehearsed.places > FEW_PLACES:
            return None
        fits, too_many = 0, rehearsed.longest.size
        while too_many - fits > 1:
            rows = (fits + too_many) // 2
            if rehearse(plan, arguments, context, cap=rows).rest_calls <= limit:
                fits = rows
            else:
                too_many = rows
        return fits or None


def _too_dear(
    rehearsed: Rehearsed, node: OperationDefinitionNode, limit: int, *, fitting: int | None
) -> GraphQLError:
    bound = rehearsed.rest_calls
    message = f"This operation may need {bound} REST calls; at most {limit} are allowed."
    if fitting is not None:
        argument = "last" if rehearsed.longest.from_end else "first"
        message += f" With no page of more rows than `{argument}: {fitting}` it would fit."
    refusal = LimitExceeded(message, limit="max_rest_calls", allowed=limit, found=bound)
    return GraphQLError(message, node, path=rehearsed.path, original_error=refusal)
