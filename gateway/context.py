"""What a resolver gets: the caller, the backends of the tenants it names, and the request's
loaders.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, Final, TypeVar

from gateway.accepted_tokens import Standing
from gateway.answer_cache import AnswerCache
from gateway.backends.port import Backend, Caller, Connector
from gateway.errors import (
    DeadlineExceeded,
    GatewayError,
    InvalidInput,
    LimitExceeded,
    Unauthenticated,
)
from gateway.loaders import Loaders
from gateway.paging import Bounds
from gateway.records import CustomerGroup
from gateway.selection import Selection
from gateway.telemetry import Meter

ChangedT = TypeVar("ChangedT")
MadeT = TypeVar("MadeT")
STRANGERS: Final = 1_000_000
"""Bytes of an answer, while no backend has accepted any of the request's tokens."""
GUESSES: Final = 100
"""Tenants that a request may name meanwhile; to read from more takes more REST calls than most."""
OUTCOME_FIELDS: Final = 10
"""Of one customer in a change's payload: the schema has seven."""
OUTCOME_BYTES: Final = 100
"""Of each of these fields."""
TO_SHOW: Final = 1.0
"""Seconds after the deadline in which what was read by then may be shown."""
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

    def connector(self, tenant_uid: str, *, field: Sequence[str] = ()) -> Connector:
        """Raises InvalidInput for a tenant that no backend holds."""
        found = self.connectors.get(tenant_uid)
        if found is None and tenant_uid not in self.hidden:
            found = self.default
        if found is None:
            raise InvalidInput("There is no such tenant here.", field=field)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who sent the request, as its headers say."""

    tokens: Mapping[str, str] = field(repr=False)
    """The bearer tokens by the header that each came in, in lower case."""
    request_id: str
    tenant_uid: str | None
    """The tenant of fields that name none: the X-Tenant header, else the configured default."""
    began: float
    """The event loop's time at which the request's headers were read."""
    deadline: float
    """The event loop's time at which the operation's time is over."""
    meter: Meter
    shows_cost: bool = False
    """Whether the response says what the operation has cost."""
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """What is remembered of each token, by its header too."""

    @property
    def accepted(self) -> bool:
        """Whether a backend has lately accepted one of the tokens."""
        # A list, for it is on every request's way: a generator takes twice the time.
        return any([standing.accepted for standing in self.standings.values()])


class Context:
    """One request's; made for it, closed with it, and shared with no other."""

    def __init__(self, asker: Asker, tenants: Tenants, bounds: Bounds) -> None:
        self.asker = asker
        self.tenants = tenants
        self._backends: dict[str, Backend] = {}
        self._tenant_uids: set[str] = set()
        self._reported: dict[tuple[str | int, ...], Sequence[GatewayError]] = {}
        self._listed = 0
        self.unlisted = 0
        """How much the client is told of in number only."""
        self.bounds = bounds
        self._ends = asker.deadline + TO_SHOW
        self._shown = 0
        self._named = 0
        self._told = 0, 0, 0
        self.selected: Selection | None = None
        """What the operation looks at of records; None: everything."""
        self.answers: AnswerCache | None = None
        """Where backends keep what they were answered, of an operation that changes nothing: then
        loaders let go of records that were shown.
        """
        self.filled = 0
        """How many values were counted."""
        self.weighed = 0
        """How many bytes were. Up to `few`, whoever adds some need not ask `weigh`."""
        self.few = min(STRANGERS, bounds.max_response_body)
        self.changes = False
        """Whether a change was begun: from then on nobody may cancel this request's work."""

    @cached_property
    def loaders(self) -> Loaders:
        return Loaders(self.backend, self.answers)

    def prime(self, group: CustomerGroup) -> None:
        """As gateway.loaders.Loaders.prime."""
        self.loaders.prime(group)

    def tenant_uid(self, given: str | None, *, field: Sequence[str] = ("tenantUid",)) -> str:
        """The tenant that is meant; raises InvalidInput where none is, or one that can't be.

        `field` is where the client has named it.
        """
        uid = given if given is not None else self.asker.tenant_uid
        if uid is None:
            raise InvalidInput("Which tenant? Name it, or send the X-Tenant header.", field=field)
        if not IDENTIFIER.fullmatch(uid):
            raise InvalidInput("A tenant's uid is 1 to 128 of A-Z, a-z, 0-9, _ and -.", field=field)
        if uid != self.tenants.open:
            self._hold_guesses(uid)
        self.tenants.connector(uid, field=field)
        return uid

    def _hold_guesses(self, uid: str) -> None:
        """Raises what is said of every tenant, be there one or not: or callers who may see none
        could find out which there are, and what holds them.
        """
        if not self.asker.tokens:
            raise Unauthenticated("This tenant is told of to callers with a bearer token only.")
        if uid not in self._tenant_uids:
            if len(self._tenant_uids) >= GUESSES and not self.asker.accepted:
                raise LimitExceeded(
                    f"More than {GUESSES} tenants are named before a backend accepts the token.",
                    allowed=GUESSES,
                )
            self._tenant_uids.add(uid)

    def backend(self, tenant_uid: str, *, reading: Selection | None = None) -> Backend:
        """The tenant's backend, speaking for this request's caller.

        It reads what the operation looks at; for `reading` something else, it is one of its own.
        """
        if reading is not None:
            return self._connect(tenant_uid, reading)
        backend = self._backends.get(tenant_uid)
        if backend is None:
            backend = self._backends[tenant_uid] = self._connect(tenant_uid, self.selected)
        return backend

    def _connect(self, tenant_uid: str, selected: Selection | None) -> Backend:
        connector = self.tenants.connector(tenant_uid)
        header = connector.bearer_header.lower()
        standing = self.asker.standings.get(header)
        caller = Caller(
            tenant_uid=tenant_uid,
            # No other: it would let one vendor act as the caller at the other.
            token=self.asker.tokens.get(header),
            bearer_header=connector.bearer_header,
            request_id=self.asker.request_id,
            deadline=self.asker.deadline,
            meter=self.asker.meter,
            selected=selected,
            answers=self.answers,
            answered=None if standing is None else standing.answered,
            accepted=standing is not None and standing.accepted,
        )
        return connector.connect(caller)

    async def changing(self, change: Callable[[], Awaitable[ChangedT]], *, most: int) -> ChangedT:
        """The change's answer; whatever it came to, what was read ahead of it is read anew.

        Raises LimitExceeded, and begins nothing, where it may take more REST calls than are left:
        `most` is the backend's word for it.
        """
        self.asker.meter.require(most)
        self.changes = True
        try:
            return await change()
        finally:
            self.loaders.forget()

    def show(self, rows: int) -> None:
        """Count rows that go into the answer; raises LimitExceeded where they are too many, and
        DeadlineExceeded where there is no time left to show them.

        A row that is read once may be shown any number of times: a hundred customers who share a
        hundred groups are ten thousand.
        """
        self._shown += rows
        if self._shown > self.bounds.max_rows:
            raise LimitExceeded(
                f"The answer would have more than {self.bounds.max_rows} rows; ask for fewer.",
                limit="max_rows",
                allowed=self.bounds.max_rows,
                found=self._shown,
            )
        self._in_time()

    def standing(self, places: int, make: Callable[..., MadeT], *given: Any) -> MadeT:
        """What `make` makes of these, which stands in so many places: rows, values and bytes that
        are counted meanwhile count as often.
        """
        shown, filled, weighed = self._shown, self.filled, self.weighed
        made = make(*given)
        if places > 1:
            self.show((places - 1) * (self._shown - shown))
            self.fill((places - 1) * (self.filled - filled))
            self.weigh((places - 1) * (self.weighed - weighed))
        return made

    def fill(self, values: int) -> None:
        """Count fields that go into the answer; raises LimitExceeded and DeadlineExceeded, as
        `show`.

        Few rows have many fields, where each of them is asked for under many names.
        """
        self.filled += values
        if self.filled > self.bounds.max_values:
            raise LimitExceeded(
                f"The answer would have more than {self.bounds.max_values} values; ask for fewer.",
                limit="max_values",
                allowed=self.bounds.max_values,
                found=self.filled,
            )
        self._in_time()

    def weigh(self, size: int) -> None:
        """Count about the bytes that something takes in the response; raises LimitExceeded."""
        self.weighed += size
        if self.weighed <= self.few and self.weighed <= self.bounds.max_response_body:
            return  # most answers, for which nobody asks whose they are
        allowed = self._max_bytes
        if self.weighed > allowed:
            accepted = allowed == self.bounds.max_response_body
            message = f"The answer would have more than {allowed} bytes; ask for less."
            if not accepted:
                message += " It has room for more where a backend accepts the request's token."
            raise LimitExceeded(
                message, limit="max_response_body", allowed=allowed, found=self.weighed
            )

    @property
    def counted(self) -> tuple[int, int, int]:
        """The rows, values and bytes so far. Whoever makes something anew may put them back."""
        return self._shown, self.filled, self.weighed

    @counted.setter
    def counted(self, counted: tuple[int, int, int]) -> None:
        self._shown, self.filled, self.weighed = counted

    @property
    def _max_bytes(self) -> int:
        most = self.bounds.max_response_body
        return most if self.asker.accepted else min(most, STRANGERS)

    def may_grow(self, failure: Exception) -> bool:
        """Whether this is too much only as long as no backend has accepted the token."""
        return (
            isinstance(failure, LimitExceeded)
            and failure.limit == "max_response_body"
            and not self.asker.accepted
        )

    def name(self, entities: int, *, field: Sequence[str]) -> None:
        """Count ids and representations; raises LimitExceeded where they are too many."""
        self._named += entities
        if self._named > self.bounds.max_entities:
            raise LimitExceeded(
                f"{self._named} nodes or entities are named; at most {self.bounds.max_entities} "
                "may be.",
                field=field,
                limit="max_entities",
                allowed=self.bounds.max_entities,
                found=self._named,
            )

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What is counted inside tells of a change itself: it is counted apart, and however late.

        Nothing may come of a change and not be told, where each field of it is asked for once. What
        is asked for under many names has its bounds here too.
        """
        outside = self._shown, self.filled, self.weighed, self._ends, self.bounds
        self._shown, self.filled, self.weighed = self._told
        self._ends, self.bounds = math.inf, self._of_changes
        try:
            yield
            self._told = self._shown, self.filled, self.weighed
        finally:  # what has failed is counted when it is made anew
            self._shown, self.filled, self.weighed, self._ends, self.bounds = outside

    @cached_property
    def _of_changes(self) -> Bounds:
        customers = 2 * self.bounds.max_membership_uids  # in two lists
        return replace(
            self.bounds,
            max_values=OUTCOME_FIELDS * customers,
            max_response_body=OUTCOME_FIELDS * OUTCOME_BYTES * customers,
        )

    def _in_time(self) -> None:
        if asyncio.get_running_loop().time() > self._ends:
            raise DeadlineExceeded("The operation's time is over.")

    def report(
        self, path: tuple[str | int, ...], failures: Iterable[GatewayError], *, count: int = 1
    ) -> None:
        """Tell the client of so many failures that left `path` its value, or the better part of it;
        once, however many of its fields have met them. No more are made than can be listed.
        """
        if path in self._reported:
            return
        listed = self._reported[path] = list(islice(failures, self.room_for_reports))
        self.unlisted += count - len(listed)
        self._listed += len(listed)

    @property
    def room_for_reports(self) -> int:
        """How many more reports are listed."""
        return self.bounds.max_errors - self._listed

    def reports(self) -> list[tuple[tuple[str | int, ...], GatewayError]]:
        """What was reported, with its path."""
        return [
            (path, failure) for path, failures in self._reported.items() for failure in failures
        ]

    async def close(self) -> None:
        """End whatever is still under way for this request."""
        loaders = vars(self).pop("loaders", None)  # they hold this context, by its backends
        if loaders is not None:
            await loaders.close()
