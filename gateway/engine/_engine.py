"""From the text of a request to an operation that is ready to run, or to why it is refused.

Before anything is read of a backend, the document is found, the operation chosen, its variables
coerced, its arguments checked, and its cost held to the limit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from graphql.execution.values import VariableValues, get_variable_values
from msgspec import Struct

from gateway.engine._cost import budget
from gateway.engine._cost.cost_estimate import CostEstimate, estimate
from gateway.engine._documents.documents import Document, Documents, Refused
from gateway.engine._documents.limits import variables_refusal
from gateway.engine._documents.manifest import read_manifests
from gateway.engine._documents.persisted import DocumentText, Mode, PersistedDocuments
from gateway.engine._documents.prepared import PreparedOperation, PreparedPlan
from gateway.engine._documents.shared_cache import SharedCache, document_store
from gateway.engine._documents.variables import mistakes, plain_values, plain_variables
from gateway.engine._limits import Limits
from gateway.engine._plan.plan import Arguments, Planner, conditions
from gateway.engine._plan.projecting import Projector
from gateway.engine._plan.views import Views
from gateway.engine._run.context import OperationContext
from gateway.engine._run.running import Run
from gateway.engine._run.time_slices import SLICE, TimeSlices
from gateway.errors import GatewayError

Project = Callable[[Mapping[type, Collection[str] | None]], object]
"""From the attributes that an operation looks at, by class of records; None: all of them."""
NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Operation(Struct, frozen=True, eq=False, kw_only=True):
    """One operation of one request, ready to run."""

    run: Run
    changes: bool
    """Whether it is a mutation."""
    untrusted: str | None
    """The SHA-256 of its document, where that runs although no manifest has it."""
    registered: str | None
    """The SHA-256 under which a client registers or uses its document."""

    def execute(self) -> Awaitable[ExecutionResult]:
        """The result; for one time only."""
        return self.run.execute()


class _Valid(NamedTuple):
    """An operation whose document and variables are valid; its cost is not known yet."""

    meant: DocumentText
    document: Document
    node: OperationDefinitionNode
    made: PreparedPlan
    arguments: Arguments
    keep: bool
    """Whether what is made of it may be cached."""


class Engine:
    """Runs the operations of one schema."""

    def __init__(
        self,
        schema: GraphQLSchema,
        views: Views,
        limits: Limits,
        *,
        max_variable_values: int,
        document_memory: int,
        registered_memory: int = 0,
        trusted_mode: Mode = "off",
        suggestions: bool = False,
        introspection: bool = False,
        project: Project | None = None,
        time_slice: float = SLICE,
    ) -> None:
        """`document_memory` is the bytes in which documents are kept, `registered_memory` those for
        the texts that clients register (none: they can't). `suggestions` name what a misspelt name
        may mean. `project` makes what `begin` of an operation's context is called with; without it,
        records are read whole.
        """
        self._schema = schema
        untrusted = Documents(
            schema, limits, memory=0, suggestions=True, introspection=introspection
        )
        self._mistakes = untrusted.mistakes
        self._persisted = PersistedDocuments(
            mode=trusted_mode,
            store=document_store(registered_memory) if registered_memory else None,
        )
        self.documents = Documents(
            schema,
            limits,
            memory=document_memory,
            suggestions=suggestions,
            introspection=introspection,
        )
        self._suggestions = suggestions
        self._planner = Planner(schema, views)
        self._projector = Projector(schema, views.records)
        self._project = project
        self._slices = TimeSlices(time_slice)
        self._max_values = max_variable_values

    def trust(self, manifests: Sequence[Path]) -> None:
        """Trust the texts of these manifests from now on, and no others: files in Apollo's or
        Relay's format. Raises ValueError with a line for each mistake in them, and then changes
        nothing. Operations that have been prepared run on; it may be called in any thread.
        """
        self._persisted.trust(read_manifests(manifests, self._mistakes))
        self.documents.trust(self._persisted.texts)

    @property
    def caches(self) -> Iterator[tuple[str, SharedCache[Any, Any]]]:
        """What is cached in memory: each has a `size` in bytes, `hits` and `misses`."""
        yield "documents", self.documents.trusted
        yield "documents", self.documents.others
        if self._persisted.store is not None:
            yield "persisted_queries", self._persisted.store

    def knows(
        self,
        query: str | None,
        *,
        document_id: str | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> bool:
        """Whether `prepare` need not parse anything, for what is sent or named."""
        try:
            meant = self._persisted.find(query, document_id=document_id, extensions=extensions)
        except GatewayError:
            return True  # it is refused at once
        return self.documents.knows(meant.text)

    def missing(
        self, *, document_id: str | None = None, extensions: Mapping[str, object] | None = None
    ) -> str | None:
        """The SHA-256, in hex, of a document that is named without its text, where clients may have
        registered it and not here. `prepare` takes the text beside ``sha256:`` and the hash.
        """
        try:
            return self._persisted.missing(document_id=document_id, extensions=extensions)
        except GatewayError:
            return None  # `prepare` raises it too

    def prepare(
        self,
        query: str | None,
        name: str | None,
        variables: Mapping[str, Any],
        context: OperationContext,
        *,
        document_id: str | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> Operation:
        """The operation `name` of the document that is sent, or named; raises Refused."""
        valid = self._valid(query, name, variables, context, document_id, extensions)
        meant = valid.meant
        estimated = self._held(valid, context)
        return Operation(
            run=Run(valid.made.plan, valid.arguments, context, estimated.prefetched, self._slices),
            changes=valid.node.operation is OperationType.MUTATION,
            untrusted=meant.unknown,
            registered=None if meant.offered is None else valid.document.sha256,
        )

    def explain(
        self,
        query: str | None,
        name: str | None,
        variables: Mapping[str, Any],
        context: OperationContext,
        *,
        document_id: str | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> tuple[Callable[[OperationContext], CostEstimate], str | None]:
        """What estimates the operation's cost anew, for a context whose cost model says more of it;
        and why it is refused if that is for its cost alone. Raises Refused like `prepare`.
        """
        valid = self._valid(query, name, variables, context, document_id, extensions)
        refused = None
        try:
            self._held(valid, context)
        except budget.TooExpensive as refusal:
            refused = refusal.errors[0].message
        return partial(estimate, valid.made.plan, valid.arguments), refused

    def _valid(
        self,
        query: str | None,
        name: str | None,
        variables: Mapping[str, Any],
        context: OperationContext,
        document_id: str | None,
        extensions: Mapping[str, object] | None,
    ) -> _Valid:
        """The operation before its cost is estimated; raises Refused."""
        try:
            meant = self._persisted.find(query, document_id=document_id, extensions=extensions)
        except GatewayError as refusal:
            raise Refused([GraphQLError(refusal.message, original_error=refusal)]) from None
        accepted = context.accepted
        document = self.documents.read(meant.text, accepted=accepted)
        if not isinstance(document, Document):
            raise Refused(document)
        self._persisted.keep(meant, accepted=accepted)
        node = document.operation(name)
        context.identify(
            kind=node.operation.value,
            name=node.name.value if node.name else None,
            sha256=document.sha256,
            trusted=meant.trusted,
        )
        values = self._values(document, node, variables)
        # Nobody's plans make room for a stranger's.
        keep = accepted or not self.documents.knows(meant.text)
        kept = self._prepared(document, node, keep=keep)
        made = self._plan(document, node, values, kept, keep=keep, accepted=accepted)
        arguments = Arguments(self._planner.coercion, values)
        context.begin(kept.projection, changes=node.operation is OperationType.MUTATION)
        return _Valid(meant, document, node, made, arguments, keep)

    def _held(self, valid: _Valid, context: OperationContext) -> CostEstimate:
        """The estimate of the operation's cost; raises Refused as budget.hold does."""
        meant, document, node, made, arguments, keep = valid
        try:
            return budget.hold(made.plan, arguments, context, node, made.estimates, keep=keep)
        finally:
            if keep and made.size != made.weighed:  # of what is cached
                made.weighed = made.size
                self.documents.weigh(meant.text, document, accepted=context.accepted)

    def _values(
        self, document: Document, node: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> VariableValues:
        """The operation's variables, coerced; raises Refused."""
        known = document.prepared.get(node.name.value if node.name else None)
        if known is not None and known.plain is not None:
            plain = plain_values(known.plain, variables)
            if plain is not None:
                return plain
        if too_much := variables_refusal(variables, node, document.fragments, self._max_values):
            raise Refused([too_much])
        values = get_variable_values(
            self._schema,
            node.variable_definitions or (),
            dict(variables),
            max_errors=0,
            hide_suggestions=not self._suggestions,
        )
        if isinstance(values, list):
            hidden = not self._suggestions
            found = mistakes(self._schema, node, variables, hide_suggestions=hidden)
            raise Refused(found or values)
        return values

    def _prepared(
        self, document: Document, node: OperationDefinitionNode, *, keep: bool
    ) -> PreparedOperation:
        """What is made of the operation once, for all requests; cached only with `keep`."""
        name = node.name.value if node.name else None
        prepared = document.prepared.get(name)
        if prepared is None:
            prepared = PreparedOperation(
                self._project(self._projector.looked_at(node, document.fragments))
                if self._project
                else None,
                conditions(node, document.fragments),
                plain_variables(self._schema, node),
            )
            if keep:
                document.prepared[name] = prepared
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
        """The operation's plan, which is cached with its document; raises Refused.

        When an accepted caller sends it for the second time, it is made again, to last: it will
        come more often.
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
