"""What an operation would cost, call by call: it is prepared, and nothing is called."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from gateway.loading.cheaper import cheaper
from gateway.loading.recording import Change, EstimatedCall, Recorded
from gateway.request import Context, PlaceholderContext

MAX_PLACES: Final = 400
"""Visits of fields by the estimates that look for something cheaper: about 10 milliseconds."""
NAMES: Final = 50
"""Customers of a change that take as long as a field."""


class ExplainingContext(Context):
    """A context whose estimates record their calls, as if something else was asked for where there
    is a change, `instead`.
    """

    instead: Change | None = None
    recorded: Recorded

    def placeholder(self, *, cap: int | None) -> PlaceholderContext:
        if cap is not None:
            return super().placeholder(cap=cap)
        self.recorded = Recorded(self.backend, limit=self.budget.limit, change=self.instead)
        return PlaceholderContext(self, self.recorded)


def explanation(
    context: ExplainingContext, estimate: Callable[[Context], Any], refused: str | None
) -> dict[str, Any]:
    """Of an operation whose estimate is in the context's budget, and is made again by `estimate`;
    `refused` is why it does not run.
    """
    planned, limit = context.budget.planned, context.budget.limit
    places = estimate(context).places
    hops = context.recorded.hops(planned)
    calls = [call for hop in hops for call in hop]
    left = MAX_PLACES // max(1, places + context.recorded.named // NAMES)

    def asked(change: Change) -> int:
        nonlocal left
        if not left:
            return planned
        left -= 1
        context.instead = change
        estimated = estimate(context)
        bound: int = estimated.rest_calls
        if limit is not None and bound > limit:
            return bound
        bound += estimated.extra_calls
        return bound if limit is None else min(bound, limit)

    def shown(call: EstimatedCall) -> Iterator[tuple[str, Any]]:
        backend = context.backend(call.tenant_uid)
        yield "backend", backend.kind.value.lower()
        yield "tenant", call.tenant_uid
        yield "method", call.method
        yield "template", call.template
        if call.or_pages_of:
            yield "orPagesOf", call.or_pages_of
        yield "atMost", call.at_most
        if call.metered:
            yield "metered", True
        for name, wanted in (("fields", True), ("shared", False)):
            yield name, [".".join(path) for path, own in call.paths.items() if own is wanted]
        hint = cheaper(call, calls, backend, planned=planned, asked=asked)
        if hint:
            yield "cheaper", hint

    return {
        "atMost": planned,
        "limit": limit,
        **({} if refused is None else {"refused": refused}),
        "hops": [{"calls": [dict(shown(call)) for call in hop]} for hop in hops],
    }
