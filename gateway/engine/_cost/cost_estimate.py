"""Cost estimation: an upper bound of the REST calls of an operation, before any is made.

The resolvers themselves run over placeholders, once for each field of the operation; so a resolver
alone says how its field is fetched. Fields that can't lead to a REST call are skipped. What can't
be known ahead, such as how many groups a customer is in, is metered while the operation runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from graphql import GraphQLError, GraphQLObjectType, OperationType
from msgspec import Struct
from msgspec.structs import replace

from gateway.engine._plan.fetching import Fetched, Key
from gateway.engine._plan.fields import PlainInfo
from gateway.engine._plan.plan import SHORT, Arguments, Link, Plan, Selection
from gateway.engine._run.context import OperationContext
from gateway.errors import CallerError, LimitExceeded

MOST_PLACES: Final = 500
"""Visits of fields that may lead to REST calls. Operations with more are refused: to estimate them
would keep others waiting.
"""

KEPT: Final = 8
"""How many estimates are cached with a plan, and how many prefetched keys each may have."""
BYTES_PER_ESTIMATE: Final = 4_000
"""With its key."""


class CostEstimate(Struct, frozen=True, kw_only=True):
    """The cost of an operation, as CostModel counts it, and what is wrong with its arguments."""

    rest_calls: int
    extra_calls: int
    scopes: Collection[str]
    reserved: int
    multiplied: tuple[str, ...] | None
    longest: tuple[str, int]
    prefetched: Sequence[Any]
    mistakes: Sequence[GraphQLError]
    """Why the operation is refused: arguments above a limit, and wrong ones that would be met only
    after a REST call. Their paths have no indexes. Other mistakes fail their own field, without a
    call.
    """
    places: int
    """How many fields were visited, and keys in lists."""


def estimate(
    plan: Plan, arguments: Arguments, context: OperationContext, *, cap: int | None = None
) -> CostEstimate:
    """The cost of an operation for the caller of `context`; with `cap`, as if no window had more
    rows. Raises LimitExceeded for one that takes too long to estimate.
    """
    walk = _Walk(arguments, context, cap=cap)
    root, model = plan.root, walk.model
    parts = [root]
    if plan.operation is OperationType.MUTATION:
        # One after the other, and what was read ahead of a change is read again after it.
        parts = [replace(root, links=[link]) for link in root.links]
    for part in parts:
        walk.tick([_Place(part, None, ())], first=True)
        model.forget()
    return CostEstimate(
        rest_calls=model.rest_calls,
        extra_calls=model.extra_calls,
        scopes=tuple(model.scopes),
        reserved=model.reserved,
        multiplied=model.multiplied,
        longest=model.longest,
        prefetched=model.prefetched,
        mistakes=walk.mistakes,
        places=walk.places + walk.keys,
    )


class CostEstimates:
    """The estimates of one plan, for requests that come again."""

    def __init__(self) -> None:
        self._known: dict[Hashable, CostEstimate] = {}
        self.size = 0
        """About the bytes that they take."""

    def of(
        self, plan: Plan, arguments: Arguments, context: OperationContext, *, keep: bool
    ) -> CostEstimate:
        """As `estimate`, which is the same for all callers; cached only with `keep`."""
        values, scope = arguments.values, context.cost_scope
        # It may have any length before a field asks for it.
        short = scope is None or len(scope) <= SHORT
        asked = (scope, values) if short and values is not None else None
        if asked is not None and asked in self._known:
            return self._known[asked]
        estimated = estimate(plan, arguments, context)
        # An exception that is raised twice would hold what its first request held.
        worth_it = plan.lasting and not estimated.mistakes and len(estimated.prefetched) <= KEPT
        if keep and asked is not None and worth_it:
            if len(self._known) >= KEPT:
                del self._known[next(iter(self._known))]
            self._known[asked] = estimated
            self.size = BYTES_PER_ESTIMATE * len(self._known)
        return estimated


class _Place(NamedTuple):
    """One object of the response, whose value is a placeholder."""

    selection: Selection
    value: object
    path: tuple[str, ...]


class _Walk:
    def __init__(self, arguments: Arguments, context: OperationContext, *, cap: int | None) -> None:
        self.mistakes: list[GraphQLError] = []
        self.places = self.keys = 0
        self._arguments = arguments
        self._context = context.placeholder(cap=cap)
        self.model = self._context.cost_model
        self._info = PlainInfo(self._context)

    def tick(self, places: list[_Place], *, first: bool = False) -> None:
        """Visit what is asked before the first answer, which loaders see together; then, for each
        answer, what is asked of it.
        """
        answered: list[list[_Place]] = []
        for place in places:  # grows as it is gone through
            for link in place.selection.links:
                if not link.field.costly:
                    continue
                self.places += 1
                if self.places > MOST_PLACES:
                    raise LimitExceeded(
                        f"This asks for REST calls in more than {MOST_PLACES} places.",
                        allowed=MOST_PLACES,
                        found=self.places,
                    )
                path = self.model.path = (*place.path, link.key)
                try:
                    value, waited = self._follow(link, place.value)
                except CallerError as mistake:
                    if not first or isinstance(mistake, LimitExceeded):
                        self.mistakes.append(_located(mistake, link, path))
                    continue
                except Exception:  # noqa: S112  # the run meets it again, and fails this field only
                    continue
                below = list(self._below(link, value, path))
                if waited:
                    answered.append(below)
                else:
                    places.extend(below)
        self.model.end_of_tick()
        for below in answered:
            if below:
                self.tick(below)

    def _follow(self, link: Link, parent: object) -> tuple[object, bool]:
        """The field's value over placeholders, and whether it has to be waited for."""
        value = link.field.follow(parent, self._info, self._arguments.of(link))
        if link.field.fetched is not None:
            if isinstance(value, list | Key):
                return self._fetched(link.field.fetched, value), True
            return value, False
        if isinstance(value, Awaitable):
            return _finished(value), True
        return value, False

    def _fetched(self, how: Fetched, wanted: Any) -> object:
        answer = self.model.answer
        if isinstance(wanted, list):
            keys = set(how.keys(wanted))
            self.keys += len(keys)
            return [answer(item) if item in keys else item for item in wanted]
        return how.shown(answer(wanted), wanted, self._context)

    def _below(self, link: Link, value: object, path: tuple[str, ...]) -> Iterator[_Place]:
        if not link.selections:
            return
        items = value if isinstance(value, list | tuple) else [value]
        there = [item for item in items if not (item is None or isinstance(item, Exception))]
        for item in self.model.several(there) if len(there) > 1 else there:
            for type_ in _types(link, item):
                yield _Place(link.selections[type_.name], item, path)


def _types(link: Link, item: object) -> Iterable[GraphQLObjectType]:
    if len(link.types) == 1:
        return link.types
    return [
        type_
        for type_ in link.types
        if type_.is_type_of is not None and type_.is_type_of(item, None)  # type: ignore[arg-type]
    ]


def _located(mistake: CallerError, link: Link, path: tuple[str, ...]) -> GraphQLError:
    return GraphQLError(mistake.message, link.nodes, path=path, original_error=mistake)


def _finished(value: Awaitable[Any]) -> Any:
    """The result of an awaitable that never waits."""
    waiting = value.__await__()
    try:
        next(waiting)
    except StopIteration as finished:
        return finished.value
    raise RuntimeError("A resolver has waited for something that has no placeholder.")
