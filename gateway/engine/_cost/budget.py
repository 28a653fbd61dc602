"""An operation's REST calls, held to their limit before any is made."""

from __future__ import annotations

from typing import Final

from graphql import GraphQLError, OperationDefinitionNode

from gateway.engine._cost.cost_estimate import CostEstimate, CostEstimates, estimate
from gateway.engine._documents.documents import Refused
from gateway.engine._plan.plan import Arguments, Plan
from gateway.engine._run.context import OperationContext
from gateway.errors import LimitExceeded

FEW_PLACES: Final = 200
"""Up to so many fields, an operation that is refused is estimated with shorter pages as well."""


class TooExpensive(Refused):
    """The estimate is above the limit."""


def hold(
    plan: Plan,
    arguments: Arguments,
    context: OperationContext,
    node: OperationDefinitionNode,
    estimates: CostEstimates,
    *,
    keep: bool = True,
) -> CostEstimate:
    """The estimate of the operation's cost, which is planned in its budget; cached with `keep`.

    Raises TooExpensive for what is above the limit, and Refused for mistakes in arguments.
    """
    try:
        estimated = estimates.of(plan, arguments, context, keep=keep)
    except LimitExceeded as refusal:
        raise Refused([GraphQLError(refusal.message, node, original_error=refusal)]) from None
    _hold_arguments(plan, arguments)
    if estimated.mistakes:
        raise Refused(estimated.mistakes)
    budget, rest_calls = context.budget, estimated.rest_calls
    budget.planned, budget.reserved = rest_calls + estimated.extra_calls, estimated.reserved
    budget.scopes = estimated.scopes
    if budget.limit is not None:
        if rest_calls > budget.limit:
            budget.planned = rest_calls
            fitting = _fitting(estimated, plan, arguments, context, budget.limit)
            raise TooExpensive([_too_expensive(estimated, node, budget.limit, fitting=fitting)])
        budget.planned = min(budget.planned, budget.limit)
    return estimated


def _hold_arguments(plan: Plan, arguments: Arguments) -> None:
    """Raises Refused for arguments above a limit in fields that no estimate visits: each object
    would have an error.
    """
    for link in plan.free:
        try:
            arguments.of(link)
        except LimitExceeded as refusal:
            mistake = GraphQLError(refusal.message, link.nodes, original_error=refusal)
            raise Refused([mistake]) from None
        except Exception:  # noqa: S112  # it costs its field, and only where there is one
            continue


def _too_expensive(
    estimated: CostEstimate, node: OperationDefinitionNode, limit: int, *, fitting: int | None
) -> GraphQLError:
    bound = estimated.rest_calls
    message = f"This operation may need {bound} REST calls; at most {limit} are allowed."
    if fitting is not None:
        message += (
            f" With no page of more rows than `{estimated.longest[0]}: {fitting}` it would fit."
        )
    refusal = LimitExceeded(message, limit="max_rest_calls", allowed=limit, found=bound)
    return GraphQLError(message, node, path=estimated.multiplied, original_error=refusal)


def _fitting(
    estimated: CostEstimate, plan: Plan, arguments: Arguments, context: OperationContext, limit: int
) -> int | None:
    """The largest page size with which the operation fits, by further estimates; None if none does,
    or finding it would take long.
    """
    if estimated.places > FEW_PLACES:
        return None
    fits, too_many = 0, estimated.longest[1]
    while too_many - fits > 1:
        rows = (fits + too_many) // 2
        if estimate(plan, arguments, context, cap=rows).rest_calls <= limit:
            fits = rows
        else:
            too_many = rows
    return fits or None
