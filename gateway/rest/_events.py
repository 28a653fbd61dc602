"""What happens to REST calls, as small events. None carries a token, a value or a host."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from gateway.trace_context import TraceContext


class UpstreamCall(Struct, frozen=True, kw_only=True):
    """One REST request that was sent. `status` is None where no answer came; `seconds` is the time
    it took. `cause` says in a few words why it failed, if it did.
    """

    backend: str
    tenant: str
    method: str
    template: str
    status: int | None
    cause: str | None = None
    seconds: float
    attempt: int
    request_id: str
    trace: TraceContext | None = None
    """Where it stands in a trace, if it does: its own span, if spans are recorded."""


class BreakerChanged(Struct, frozen=True, kw_only=True):
    """Whether a tenant's REST calls are sent: `state` is closed, as usual; open, and none is; or
    half-open, and one in a second is. `limited` says that it is so because the backend has asked to
    wait.
    """

    backend: str
    tenant: str
    state: str
    limited: bool


class UnusableAnswer(Struct, frozen=True, kw_only=True):
    """A REST call was answered by a body that can't be used; `cause` names the member."""

    backend: str
    tenant: str
    template: str
    cause: str
    request_id: str
    trace: TraceContext | None = None


RestObserver = Callable[[UpstreamCall | UnusableAnswer | BreakerChanged], None]
