"""From the text of a request to an operation that is ready to run, or to why it can't be.

Everything here happens before any REST call: reading the document, choosing the operation,
coercing its variables, checking its arguments, and holding its REST calls to the limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from graphql.execution.values import VariableValues, get_variable_values

from gateway.engine._cost import budget
from gateway.engine._documents.documents import Document, Documents, Refused
from gateway.engine._documents.limits import variables_refusal
from gateway.engine._documents.persisted import PersistedDocuments
from gateway.engine._plan.plan import Arguments, Planner, conditions
from gateway.engine._plan.projecting import looked_at
from gateway.engine._plan.views import Views
from gateway.engine._run.context import OperationContext
from gateway.engine._run.running import Run
from gateway.engine._run.time_slices import SLICE, TimeSlices
from gateway.engine.prepared import PreparedOperation, PreparedPlan
from gateway.errors import GatewayError

MOST_COERCION_ERRORS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of one request."""

    node: OperationDefinitionNode
    run: Run
    """Runs it, once."""
    untrusted: str | None = None
    """The SHA-256 of its document, where that runs although no manifest has it."""

    @property
    def changes(self) -> bool:
        """Whether it is a mutation."""
        return self.node.operation is OperationType.MUTATION


class Operations:
    """Makes operations of what clients send."""

    def __init__(
        self,
        schema: GraphQLSchema,
        documents: Documents,
        persisted: PersistedDocuments,
        *,
        views: Views,
        suggestions: bool,
        max_variable_values: int,
        selecting: bool = True,
        time_slice: float = SLICE,
    ) -> None:
        """`selecting` is off to see what is answered if records are read whole."""
        self._schema = schema
        self._documents = documents
        self._persisted = persisted
        self._suggestions = suggestions
        self._planner = Planner(schema, views)
        self._selecting = selecting
        self._slices = TimeSlices(time_slice)
        self._max_values = max_variable_values

    def knows(
        self,
        query: str | None,
        *,
        document_id: str | None = None,
        extensions: Mapping[str, object],
    ) -> bool:
        """Whether `operation` need not parse anything, for what is sent or named."""
        try:
            meant = self._persisted.find(query, document_id=document_id, extensions=extensions)
        except GatewayError:
            return True  # it is told so at once
        return self._documents.knows(meant.text)

    def operation(
        self,
        query: str | None,
        name: str | None,
        variables: Mapping[str, Any],
        context: OperationContext,
        *,
        document_id: str | None = None,
        extensions: Mapping[str, object],
    ) -> Operation:
        """The operation `name` of the document that is sent, or named; raises Refused."""
        try:
            meant = self._persisted.find(query, document_id=document_id, extensions=extensions)
        except GatewayError as refusal:
            raise Refused([GraphQLError(refusal.message, original_error=refusal)]) from None
        accepted = context.accepted
        document = self._documents.read(meant.text, accepted=accepted)
        if isinstance(document, Sequence):
            raise Refused(document)
        self._persisted.keep(meant, accepted=accepted)
        node = _chosen(document, name)
        values = self._values(document, node, variables)
        # Nobody's plans make room for a stranger's.
        keep = accepted or not self._documents.knows(meant.text)
        kept = self._prepared(document, node, keep=keep)
        made = self._plan(document, node, values, kept, keep=keep, accepted=accepted)
        plan = made.plan
        arguments = Arguments(self._planner.coercion, values)
        changes = node.operation is OperationType.MUTATION
        context.begin(kept.selection, changes=changes)
        try:
            estimated = budget.hold(plan, arguments, context, node, made.estimates, keep=keep)
        finally:
            if keep and made.size != made.weighed:
                made.weighed = made.size
                self._documents.weigh(meant.text, document, accepted=accepted)
        return Operation(
            node=node,
            run=Run(plan, arguments, context, estimated.ahead, self._slices),
            untrusted=meant.unknown,
        )

    def _values(
        self, document: Document, node: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> VariableValues:
        """The operation's variables, coerced; raises Refused."""
        if too_much := variables_refusal(variables, node, document.fragments, self._max_values):
            raise Refused([too_much])
        values = get_variable_values(
            self._schema,
            node.variable_definitions or (),
            dict(variables),
            max_errors=MOST_COERCION_ERRORS,
            hide_suggestions=not self._suggestions,
        )
        if isinstance(values, list):
            raise Refused(values)
        return values

    def _prepared(
        self, document: Document, node: OperationDefinitionNode, *, keep: bool
    ) -> PreparedOperation:
        """What was made of the operation; if nothing was, it is kept only if it may be."""
        name = node.name.value if node.name else None
        operations = document.prepared.operations
        prepared = operations.get(name)
        if prepared is None:
            prepared = PreparedOperation(
                looked_at(self._schema, node, document.fragments) if self._selecting else None,
                conditions(node, document.fragments),
            )
            if keep:
                operations[name] = prepared
        return prepared

    def _plan(
        self,
        document: Document,
        node: OperationDefinitionNode,
        values: VariableValues,
        kept: PreparedOperation,
        *,
        keep: bool,
        accepted: bool,
    ) -> PreparedPlan:
        """The operation's plan, from those kept with its document if it is there; raises Refused.

        What comes a second time will come more often: then it is made to last, for an accepted
        caller.
        """
        choice = tuple([values.coerced.get(each) for each in kept.conditions])
        made: PreparedPlan | None
        try:
            made = kept.plans[choice]
        except KeyError:
            made = None
        if made is None or (accepted and not made.plan.lasting):
            lasting = made is not None
            try:
                plan = self._planner.plan(
                    node, document.fragments, values, lasting=lasting, accepted=accepted
                )
            except GraphQLError as mistake:  # a condition that is null
                raise Refused([mistake]) from None
            made = PreparedPlan(plan)
            if keep:
                kept.plans[choice] = made
        return made


def _chosen(document: Document, name: str | None) -> OperationDefinitionNode:
    """The operation that is meant; raises Refused."""
    node = document.operation(name)
    if node is not None:
        return node
    if name is not None:
        raise Refused([GraphQLError(f"Unknown operation named '{name}'.")])
    if document.operations:
        raise Refused(
            [GraphQLError("Must provide operation name if query contains multiple operations.")]
        )
    raise Refused([GraphQLError("Must provide an operation.")])
