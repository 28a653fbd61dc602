"""graphql-core over Strawberry's resolvers: what the gateway's own executor has to agree with."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    MiddlewareManager,
    OperationDefinitionNode,
    default_field_resolver,
    default_type_resolver,
    get_operation_ast,
    parse,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.executor import CollectedErrors
from graphql.execution.values import get_variable_values
from graphql.language import FragmentDefinitionNode
from graphql.pyutils import Path
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.engine import Key, Notice
from gateway.engine._plan.fields import fetched
from gateway.engine._run.null_propagation import LOST
from gateway.records import Repaired, RepairedText
from gateway.request import Context
from tests.harness import load


class _Collected(CollectedErrors):
    """Only the errors of which the answer shows where they are: what failed below something that
    has become null depends on the order of the answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[GraphQLError, Path | None]] = []

    def add(self, error: GraphQLError, path: Path | None) -> None:
        known = len(self.errors)
        super().add(error, path)
        if len(self.errors) > known:
            self._places.append((error, path))

    def shown(self) -> list[GraphQLError]:
        return [
            error
            for error, path in self._places
            if path is None or not self.has_nulled_position(path.prev)
        ]


class _Executor(StrawberryGraphQLCoreExecutionContext):
    collected_errors: _Collected


async def execute(
    schema: GraphQLSchema,
    query: str,
    context: Context,
    *,
    name: str | None = None,
    variables: Mapping[str, Any] | None = None,
) -> ExecutionResult:
    """The result of a valid operation, its errors in the order of their fields, then by path."""
    document = parse(query)
    operation = get_operation_ast(document, name)
    assert isinstance(operation, OperationDefinitionNode)
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    values = get_variable_values(
        schema, operation.variable_definitions or (), dict(variables or {})
    )
    assert not isinstance(values, list)
    executor = _Executor(
        schema,
        fragments,
        {name: FragmentDetails(node) for name, node in fragments.items()},
        None,
        context,
        operation,
        values,
        default_field_resolver,
        default_type_resolver,
        default_field_resolver,
        middleware_manager=MiddlewareManager(_fetch),
        is_awaitable=optimized_is_awaitable,
        hide_suggestions=False,
    )
    executor.collected_errors = _Collected()
    result: Any = executor.execute_operation()
    if inspect.isawaitable(result):
        result = await result
    errors = sorted(executor.collected_errors.shown(), key=_order)
    warnings = [
        {"code": LOST, "message": how, "path": path} for path, how in _repaired(result.data)
    ]
    return ExecutionResult(
        result.data, errors or None, {"warnings": warnings} if warnings else None
    )


def _fetch(resolve: Callable[..., Any], source: Any, info: GraphQLResolveInfo, **given: Any) -> Any:
    """The field's value; of a field that is fetched, the resolver's result is the key of that."""
    field = info.schema.get_field(info.parent_type, info.field_name)
    how = None if field is None else fetched(field)
    wanted = resolve(source, info, **given)
    loaders = info.context.loaders
    if how is not None and isinstance(wanted, list):
        return [_now(load(loaders, item)) if isinstance(item, Key) else item for item in wanted]

    if how is None or not isinstance(wanted, Key):
        return wanted

    def shown(answer: Any) -> Any:
        failed = [each for each in wanted.remarks(answer) if not isinstance(each, Notice)]
        if failed:
            path = tuple(info.path.prev.as_list()) if info.path.prev else ()
            failures = (remark.failure for remark in failed)
            info.context.account.report(path, failures, count=len(failed))
        return how.shown(answer, wanted, info.context)

    async def later(answer: Awaitable[Any]) -> Any:
        return shown(await answer)

    answer = load(loaders, wanted)
    return shown(answer.result()) if answer.done() else later(answer)


def _now(answer: asyncio.Future[Any]) -> Any:
    """What was read, or the exception in its place; what is still to come, as it is."""
    return answer.exception() or answer.result() if answer.done() else answer


def _order(error: GraphQLError) -> tuple[int, list[tuple[bool, str | int]]]:
    node = error.nodes[0] if error.nodes else None
    start = node.loc.start if node is not None and node.loc else 0
    return start, [(isinstance(key, str), key) for key in error.path or ()]


def _repaired(value: Any, *path: str | int) -> Iterator[tuple[list[str | int], str]]:
    """The repaired values in the response's data; texts become plain ones there."""
    if isinstance(value, Repaired):
        yield list(path), value.how
        return
    items: Any = ()
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield from _repaired(item, *path, key)
        if isinstance(item, RepairedText):
            value[key] = str(item)
