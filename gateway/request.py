"""What a resolver gets: the caller, the backends of the tenants it names, and the request's
loaders.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway.accepted_tokens import TokenStatus
from gateway.audit import change_facts
from gateway.backends.port import (
    AnswerCache,
    AnswerCaches,
    Backend,
    Caller,
    Connector,
    EditOutcome,
    GroupDraft,
    GroupRef,
    Write,
    most,
)
from gateway.engine import Account
from gateway.errors import GatewayError, InvalidInput, LimitExceeded, Unauthenticated
from gateway.loading.cost_model import Placeholders
from gateway.loading.loaders import Loaders
from gateway.loading.rest_trace import RestTrace
from gateway.records import CustomerGroup, Projection
from gateway.settings import Bounds
from gateway.telemetry import ChangeDone, Event, Meter, Observer
from gateway.trace_context import TraceContext

WriteT = TypeVar("WriteT", bound=Write)
ChangedT = TypeVar("ChangedT", CustomerGroup, EditOutcome, str)
GUESSES: Final = 100
"""Tenants that a request may name until a backend accepts its token."""
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """Which backend holds which tenant."""

    connectors: Mapping[str, Connector]
    default: Connector | None = None
    """The backend of tenants that are not listed."""
    hidden: Collection[str] = frozenset()
    """What the default backend has under these names belongs to listed tenants."""
    open: str | None = None
    """The tenant that may be asked about without a token."""
    caches: AnswerCaches = field(default_factory=AnswerCaches)
    """What is kept of backends' answers, by all operations under way."""

    def connector(self, tenant_uid: str, *, field: Sequence[str] = ()) -> Connector:
        """Raises InvalidInput for a tenant that no backend holds."""
        found = self.connectors.get(tenant_uid)
        if found is None and tenant_uid not in self.hidden:
            found = self.default
        if found is None:
            raise InvalidInput("There is no such tenant here.", field=field)
        return found


@dataclass(slots=True, kw_only=True)  # a frozen one takes four times as long to make
class Client:
    """Who sent the request, as its headers say."""

    tokens: Mapping[str, str] = field(repr=False)
    """The bearer tokens by the header that each came in, in lower case."""
    request_id: str
    name: str | None = None
    """The client's name, as it says; so is its version."""
    version: str | None = None
    trace: TraceContext | None = None
    """Where the request stands in a trace, if it does."""
    passed_on: Mapping[str, str] = field(default_factory=dict)
    """The headers that REST calls carry for it, beside the token."""
    tenant_uid: str | None
    """The tenant of fields that name none: the X-Tenant header, else the configured default."""
    began: float
    """The event loop's time at which the request's headers were read."""
    deadline: float
    """The event loop's time at which the operation's time is over."""
    meter: Meter
    shows_cost: bool = False
    """Whether the response says what the operation has cost."""
    shows_calls: bool = False
    """Whether it says what each REST call did."""
    token_statuses: Mapping[str, TokenStatus] = field(default_factory=dict)
    """What is remembered of each token, by its header too."""

    @property
    def accepted(self) -> bool:
        """Whether a backend has accepted one of the tokens recently."""
        # A list, for it is on every request's way: a generator takes twice the time.
        return any([token_status.accepted for token_status in self.token_statuses.values()])

    @property
    def fingerprint(self) -> str | None:
        """Tells the caller from others in the log; None without a token."""
        return ",".join([each.fingerprint for each in self.token_statuses.values()]) or None


def _ignore(_event: Event) -> None: ...


class Context:
    """What resolvers get as `info.context`, and the engine too: one for each request."""

    def __init__(
        self,
        client: Client,
        tenants: Tenants,
        bounds: Bounds,
        *,
        account: Account | None = None,
        observe: Observer = _ignore,
    ) -> None:
        self.client = client
        self._observe = observe
        self.tenants = tenants
        self._backends: dict[str, Backend] = {}
        self._tenant_uids: set[str] = set()
        self.bounds = bounds
        self.account = account or Account(
            bounds, deadline=client.deadline, accepted=lambda: client.accepted
        )
        self._selected: Projection | None = None
        self._answers: AnswerCache | None = None
        self.trace: RestTrace | None = None
        """The operation's REST calls, if its response shows them."""
        self._loaders: Loaders | None = None
        self.reported: list[GatewayError] = []
        """Failures that the response reports in payloads and not as errors."""
        self.kind: str | None = None
        """`query` or `mutation`, once the document is known, as are its name and hash."""
        self.operation_name: str | None = None
        self.sha256: str | None = None
        self.trusted = False
        """Whether a manifest has it."""
        self.identified: float | None = None
        """When that was, by the performance counter."""
        self.changes = False
        """Whether a change was begun: from then on nobody may cancel this request's work."""

    @property
    def accepted(self) -> bool:
        """Whether a backend has accepted one of the tokens recently."""
        return self.client.accepted

    @property
    def budget(self) -> Meter:
        return self.client.meter

    @property
    def cost_scope(self) -> str | None:
        """Each tenant's backend has other costs; fields that name a tenant have it as argument."""
        return self.client.tenant_uid

    @property
    def loaders(self) -> Loaders:
        if self._loaders is None:  # Python 3.11 takes a lock for its cached_property
            self._loaders = Loaders(self.backend, self._answers, self.trace)
        return self._loaders

    def identify(self, *, kind: str, name: str | None, sha256: str, trusted: bool) -> None:
        self.identified = time.perf_counter()
        self.kind, self.operation_name, self.sha256 = kind, name, sha256
        self.trusted = trusted

    @property
    def asked(self) -> Mapping[str, str]:
        """The backends that were asked, by their tenants."""
        return {uid: backend.kind.value.lower() for uid, backend in self._backends.items()}

    def begin(self, projection: Projection | None, *, changes: bool) -> None:
        """From now on, read what the operation looks at of records; None: everything. If it
        `changes` nothing, answers are cached, and loaders let go of records that were shown.
        """
        self._selected = projection
        self._answers = None if changes else AnswerCache(caches=self.tenants.caches)
        self.trace = RestTrace() if self.client.shows_calls else None

    def placeholder(self, *, cap: int | None) -> PlaceholderContext:
        """A context in which nothing is called, for one estimate of the operation's cost; with
        `cap`, as if no window had more rows.
        """
        model = Placeholders(self.backend, limit=self.budget.limit, cap=cap)
        return PlaceholderContext(self, model)

    def prime(self, group: CustomerGroup) -> None:
        """As gateway.loading.loaders.Loaders.prime."""
        self.loaders.prime(group)

    def tenant_uid(self, given: str | None, *, field: Sequence[str] = ("tenantUid",)) -> str:
        """The tenant that is meant; raises InvalidInput where none is, or one that can't be.

        `field` is where the client has named it.
        """
        uid = given if given is not None else self.client.tenant_uid
        if uid is None:
            raise InvalidInput("Which tenant? Name it, or send the X-Tenant header.", field=field)
        if not IDENTIFIER.fullmatch(uid):
            raise InvalidInput("A tenant's uid is 1 to 128 of A-Z, a-z, 0-9, _ and -.", field=field)
        if uid != self.tenants.open:
            self._hold_guesses(uid, field)
        self.tenants.connector(uid, field=field)
        return uid

    def _hold_guesses(self, uid: str, field: Sequence[str]) -> None:
        """Raises the same errors for tenants that exist and for those that do not: else strangers
        could find out which exist, and their backends.
        """
        if not self.client.tokens:
            raise Unauthenticated("Only callers with a bearer token may ask about this tenant.")
        if uid not in self._tenant_uids:
            if len(self._tenant_uids) >= GUESSES and not self.client.accepted:
                raise LimitExceeded(
                    f"More than {GUESSES} tenants are named before a backend accepts the token.",
                    field=field,
                    allowed=GUESSES,
                    found=GUESSES + 1,
                )
            self._tenant_uids.add(uid)

    def backend(self, tenant_uid: str, *, reading: Projection | None = None) -> Backend:
        """The tenant's backend, speaking for this request's caller.

        It reads what the operation looks at; for `reading` something else, it is one of its own.
        """
        if reading is not None:
            return self._connect(tenant_uid, reading)
        backend = self._backends.get(tenant_uid)
        if backend is None:
            backend = self._backends[tenant_uid] = self._connect(tenant_uid, self._selected)
        return backend

    def _connect(self, tenant_uid: str, selected: Projection | None) -> Backend:
        connector = self.tenants.connector(tenant_uid)
        header = connector.bearer_header.lower()
        caller = Caller(
            tenant_uid=tenant_uid,
            # No other: it would let one vendor act as the caller at the other.
            token=self.client.tokens.get(header),
            bearer_header=connector.bearer_header,
            request_id=self.client.request_id,
            trace=self.client.trace,
            passed_on=self.client.passed_on,
            deadline=self.client.deadline,
            meter=self.client.meter,
            selected=selected,
            answers=self._answers,
            calls=self.trace,
            token_status=self.client.token_statuses.get(header),
        )
        return connector.connect(caller)

    async def change(
        self,
        method: Callable[[WriteT], Awaitable[ChangedT]],
        write: WriteT,
        *,
        kind: str,
        tenant_uid: str,
    ) -> ChangedT:
        """The answer of a method of the tenant's backend to the write. Whatever its outcome, it is
        observed as that of the mutation `kind`, and what was read before is read anew after it.

        Raises LimitExceeded, and begins nothing, if its cost exceeds the calls that are left.
        """
        group = write if isinstance(write, GroupDraft) else write.group
        try:
            self.client.meter.require(most(self.backend(tenant_uid).costs.write(write)))
            self.changes = True
            try:
                done = await method(write)
            finally:
                self.loaders.forget()
        except BaseException as failure:
            self.audit(group, failure, kind=kind, tenant_uid=tenant_uid)
            raise
        self.audit(group, done, kind=kind, tenant_uid=tenant_uid)
        return done

    def audit(
        self,
        group: GroupRef | GroupDraft,
        result: CustomerGroup | EditOutcome | str | BaseException,
        *,
        kind: str,
        tenant_uid: str,
    ) -> None:
        """Tell what became of a change that the caller has asked for."""
        client = self.client
        self._observe(
            ChangeDone(
                kind=kind,
                tenant=tenant_uid,
                backend=self.backend(tenant_uid).kind.value.lower(),
                token=client.fingerprint,
                client=client.name,
                client_version=client.version,
                request_id=client.request_id,
                trace=client.trace,
                **change_facts(group, result),
            )
        )

    async def close(self) -> None:
        """End whatever is still under way for this request."""
        loaders, self._loaders = self._loaders, None  # they hold this context, by its backends
        if loaders is not None:
            await loaders.close()
        if self._answers is not None:
            self._answers.close()


class PlaceholderContext(Context):
    """A context in which nothing is called: its loaders and backends are placeholders."""

    def __init__(self, real: Context, cost_model: Placeholders) -> None:
        account = _Uncounted(real.bounds, deadline=real.client.deadline)
        super().__init__(real.client, real.tenants, real.bounds, account=account)
        self.cost_model = cost_model

    def backend(self, tenant_uid: str, *, reading: Projection | None = None) -> Backend:
        return self.cost_model.backend(tenant_uid)

    async def change(
        self,
        method: Callable[[WriteT], Awaitable[ChangedT]],
        write: WriteT,
        *,
        kind: str,
        tenant_uid: str,
    ) -> ChangedT:
        """Whether it fits into the budget is decided for the whole operation."""
        return await method(write)

    def prime(self, group: CustomerGroup) -> None:
        """Each placeholder is known already."""


class _Uncounted(Account):
    """Rows, values and bytes are counted when they are there; what is named is counted."""

    def show(self, rows: int) -> None: ...
    def fill(self, values: int) -> None: ...
    def weigh(self, size: int) -> None: ...
