"""What is known of one request when its event is made, however it ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.http import caller
from gateway.http.requests import OPERATION_NAME, Headers
from gateway.request import Client, Context
from gateway.telemetry import Meter, OperationDone, Outcome
from gateway.trace_context import TraceContext

MOST_NAMED: Final = 5
"""Tenants of one operation in the log."""
NO_CALLS: Final = Meter()


@dataclass(slots=True)
class Exchange:
    """A request, and what has become of it so far."""

    method: str
    trace: TraceContext | None
    client: Client | None = None
    context: Context | None = None
    name: str | None = None
    """The operation's, as the client says."""
    outcome: Outcome = "refused"
    text: str | None = None
    """The document's, where the client sends it and replicas share what clients register."""
    codes: Sequence[str] = ()
    limits: Sequence[str] = ()
    status: int | None = None

    def event(self, headers: Headers, *, request_id: str, seconds: float) -> OperationDone:
        client, context = self.client, self.context
        name, version = caller.client(headers) if client is None else (client.name, client.version)
        meter = NO_CALLS if client is None else client.meter
        asked = {} if context is None else context.asked
        tenant = None if client is None else client.tenant_uid
        known = context is not None and context.kind is not None
        return OperationDone(
            operation_name=context.operation_name
            if context is not None and known
            else loggable(self.name),
            seconds=seconds,
            rest_calls=meter.rest_calls,
            repeats=meter.repeats,
            planned=meter.planned,
            limit=meter.limit,
            outcome=self.outcome,
            error_codes=self.codes,
            limits=self.limits,
            request_id=request_id,
            method=self.method,
            status=self.status,
            kind=None if context is None else context.kind,
            sha256=None if context is None else context.sha256,
            tenant=_listed(asked) if asked else tenant,
            backend=_listed(set(asked.values())) if asked else None,
            client=name,
            client_version=version,
            token=None if client is None else client.fingerprint,
            trace=self.trace,
            trusted=context is not None and context.trusted,
            accepted=client is not None and client.accepted,
        )


def loggable(operation_name: str | None) -> str | None:
    """The name if it is a valid one: until the document is read it can be any text."""
    usable = operation_name is not None and OPERATION_NAME.fullmatch(operation_name)
    return operation_name if usable else None


def _listed(names: Collection[str]) -> str:
    """The names in a line, cut: a client chooses how many there are.

    >>> _listed("ba"), _listed("abcdefg")
    ('a,b', 'a,b,c,d,e+2')
    """
    shown = ",".join(sorted(names)[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown}+{len(names) - MOST_NAMED}"
