"""An operation's REST calls, held to their limit before any is made."""

from __future__ import annotations

from typing import Final

from graphql import GraphQLError, OperationDefinitionNode

from gateway.engine._cost.cost_estimate import CostEstimate, CostEstimates, estimate
from gateway.engine._documents.documents import Refused
from gateway.engine._plan.plan import Arguments, Plan
from gateway.errors import LimitExceeded
from gateway.request import Context

FEW_PLACES: Final = 200
"""Of an operation whose cost is estimated again with shorter pages, to tell which would fit."""


def hold(
    plan: Plan,
    arguments: Arguments,
    context: Context,
    node: OperationDefinitionNode,
    estimates: CostEstimates,
    *,
    keep: bool = True,
) -> CostEstimate:
    """What the operation comes to, of which the meter is told; `keep` says whether that is kept.

    Raises Refused for what is above the limit, and for mistakes in arguments.
    """
    try:
        estimated = estimates.of(plan, arguments, context, keep=keep)
    except LimitExceeded as refusal:
        raise Refused([GraphQLError(refusal.message, node, original_error=refusal)]) from None
    _hold_arguments(plan, arguments)
    if estimated.mistakes:
        raise Refused(estimated.mistakes)
    meter, rest_calls = context.client.meter, estimated.rest_calls
    meter.planned = rest_calls + estimated.surplus
    if meter.limit is not None:
        if rest_calls > meter.limit:
            meter.planned = rest_calls
            fitting = _fitting(estimated, plan, arguments, context, meter.limit)
            raise Refused([_too_dear(estimated, node, meter.limit, fitting=fitting)])
        meter.planned = min(meter.planned, meter.limit)
    return estimated


def _hold_arguments(plan: Plan, arguments: Arguments) -> None:
    """Raises Refused for arguments above a limit that no estimate comes by: each object
    would be an error.
    """
    for link in plan.free:
        try:
            arguments.of(link)
        except LimitExceeded as refusal:
            mistake = GraphQLError(refusal.message, link.nodes, original_error=refusal)
            raise Refused([mistake]) from None
        except Exception:  # noqa: S112  # it costs its field, and only where there is one
            continue


def _too_dear(
    estimated: CostEstimate, node: OperationDefinitionNode, limit: int, *, fitting: int | None
) -> GraphQLError:
    bound = estimated.rest_calls
    message = f"This operation may need {bound} REST calls; at most {limit} are allowed."
    if fitting is not None:
        argument = "last" if estimated.longest.from_end else "first"
        message += f" With no page of more rows than `{argument}: {fitting}` it would fit."
    refusal = LimitExceeded(message, limit="max_rest_calls", allowed=limit, found=bound)
    return GraphQLError(message, node, path=estimated.path, original_error=refusal)


def _fitting(
    estimated: CostEstimate, plan: Plan, arguments: Arguments, context: Context, limit: int
) -> int | None:
    """The most rows that all pages may have so that `limit` holds, as estimates show; None where
    there is no such number, or finding it would take long.
    """
    if estimated.places > FEW_PLACES:
        return None
    fits, too_many = 0, estimated.longest.size
    while too_many - fits > 1:
        rows = (fits + too_many) // 2
        if estimate(plan, arguments, context, cap=rows).rest_calls <= limit:
            fits = rows
        else:
            too_many = rows
    return fits or None
