"""The port: what the gateway asks of a system that owns customer groups, whichever it is.

A backend speaks for one caller: tenant and token are bound when it is connected. What it lacks is
refused with `Unsupported` before any REST call; `Capabilities` say so ahead of time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, NamedTuple, Protocol, TypeVar

from msgspec import Struct

from gateway.errors import GatewayError, Unsupported
from gateway.records import Customer, CustomerGroup, Page, Projection
from gateway.rest import AnswerCache as AnswerCache
from gateway.rest import AnswerCaches as AnswerCaches
from gateway.rest import RestCaller
from gateway.rest import UpstreamCall as UpstreamCall
from gateway.telemetry import Meter


@dataclass(slots=True, kw_only=True)
class Caller(RestCaller):
    """Who asks, for which tenant, and until when."""

    meter: Meter
    selected: Projection | None = None
    """What the operation looks at, None for everything. In what a backend reads for the operation
    (`get_groups`, `list_groups`, `list_members`) all else may be at its default; identifiers, and a
    group's name, are always there. What a write answers is whole.
    """


# -- what is asked about


class ById(Struct, frozen=True):
    """The group with this uid, the backend's own identifier."""

    uid: str


class ByKey(Struct, frozen=True):
    """The group with this user-defined key."""

    key: str


GroupRef = ById | ByKey


class Position(Struct, frozen=True):
    """Where a cursor points: a row's offset when it was read, and that row's uid, by which a move
    of rows is seen. An offset that was counted back from an estimated total is not `exact`.
    """

    offset: int
    uid: str
    exact: bool = True


class Window(Struct, frozen=True, kw_only=True):
    """The rows wanted of one list.

    `size` rows from `offset` on; or, with `after`, from behind that row on; with `before`, ending
    ahead of that row; with `from_end`, the last `size` of what the others leave. `size` 0 asks for
    the total alone.
    """

    size: int
    offset: int = 0
    after: Position | None = None
    before: Position | None = None
    from_end: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is known ahead which rows these are."""
        return self.after is None and self.before is None and not self.from_end


class CustomerGroupSortField(Enum):
    NAME = "NAME"
    CREATED_AT = "CREATED_AT"
    LAST_MODIFIED_AT = "LAST_MODIFIED_AT"


class CustomerSortField(Enum):
    DISPLAY_NAME = "DISPLAY_NAME"
    FIRSTNAME = "FIRSTNAME"
    LASTNAME = "LASTNAME"
    COMPANY_NAME = "COMPANY_NAME"
    EMAIL = "EMAIL"
    CREATED_AT = "CREATED_AT"
    LAST_MODIFIED_AT = "LAST_MODIFIED_AT"


class SortDirection(Enum):
    ASC = "ASC"
    DESC = "DESC"


SortT = TypeVar("SortT", CustomerGroupSortField, CustomerSortField)


class Order(Struct, Generic[SortT], frozen=True):
    field: SortT
    direction: SortDirection = SortDirection.ASC

    def __str__(self) -> str:
        """The order's name inside cursors."""
        return f"{self.field.value}_{self.direction.value}"


GroupOrder = Order[CustomerGroupSortField]
CustomerOrder = Order[CustomerSortField]


def no_such_order(order: GroupOrder | CustomerOrder) -> Unsupported:
    """For an order that the tenant's backend does not have."""
    return Unsupported(
        f"This tenant's backend can't order by {order.field.value}.", field=["orderBy"]
    )


# -- what is to be changed


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomFieldsDraft:
    """Custom fields by name, and the Type that defines them: by its id or by its key."""

    type_id: str | None = None
    type_key: str | None = None
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDraft:
    """What is needed to create a group. `uid` None leaves the choice to the backend."""

    name: str
    uid: str | None = None
    key: str | None = None
    custom: CustomFieldsDraft | None = None


@dataclass(frozen=True, slots=True)
class Rename:
    name: str


@dataclass(frozen=True, slots=True)
class SetKey:
    """None removes the key."""

    key: str | None


@dataclass(frozen=True, slots=True)
class SetCustomField:
    """None removes the field."""

    name: str
    value: object


@dataclass(frozen=True, slots=True)
class SetCustomType:
    """Replaces the Type and all fields; None removes them."""

    custom: CustomFieldsDraft | None


GroupChange = Rename | SetKey | SetCustomField | SetCustomType


@dataclass(frozen=True, slots=True)
class GroupUpdate:
    group: GroupRef
    changes: Sequence[GroupChange]
    expected_revision: str | None = None


@dataclass(frozen=True, slots=True)
class GroupDeletion:
    group: GroupRef
    expected_revision: str | None = None
    only_if_empty: bool = False


class MemberAction(Enum):
    ADD = "ADD"
    REMOVE = "REMOVE"


class MemberStatus(Enum):
    ACCEPTED = "ACCEPTED"
    """As wanted now, and perhaps before: the backend need not say."""
    UNCHANGED = "UNCHANGED"
    """As wanted before the edit, and not changed by it."""
    PLANNED = "PLANNED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class MemberOutcome(Struct, frozen=True):
    """What became of one customer's change; `error` says why it FAILED or is UNKNOWN."""

    tenant_uid: str
    customer_uid: str
    action: MemberAction
    status: MemberStatus
    error: GatewayError | None = None


@dataclass(frozen=True, slots=True)
class MembershipEdit:
    """Customers to add to a group and to remove from it; distinct uids, none in both."""

    group: GroupRef
    add: Sequence[str] = ()
    remove: Sequence[str] = ()

    @property
    def changes(self) -> list[tuple[MemberAction, str]]:
        """One change for each customer, in the order of its outcomes."""
        added = [(MemberAction.ADD, uid) for uid in self.add]
        return added + [(MemberAction.REMOVE, uid) for uid in self.remove]

    def __len__(self) -> int:
        return len(self.add) + len(self.remove)


Write = GroupDraft | GroupUpdate | GroupDeletion | MembershipEdit


@dataclass(frozen=True, slots=True)
class EditOutcome:
    """An outcome per customer, in the order asked; `failure` is what ended the edit early, if
    anything.
    """

    outcomes: Sequence[MemberOutcome]
    failure: GatewayError | None = None
    group_uid: str | None = None
    """The group's, if the edit names it by its key."""


# -- what a backend is


class BackendKind(Enum):
    FLOW_RETAIL = "FLOW_RETAIL"
    COMMERCETOOLS = "COMMERCETOOLS"


class ConcurrencyControl(Enum):
    ENFORCED = "ENFORCED"
    BEST_EFFORT = "BEST_EFFORT"


class CountPrecision(Enum):
    EXACT = "EXACT"
    ESTIMATED = "ESTIMATED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend has. The conformance suite holds each flag: claimed works, not claimed is
    refused.
    """

    optimistic_concurrency: ConcurrencyControl
    atomic_membership_updates: bool
    customer_group_keys: bool
    custom_fields: bool
    chosen_uids: bool
    max_page_size: int | None
    max_offset: int | None
    total_count: CountPrecision
    customer_group_sort_fields: Sequence[CustomerGroupSortField]
    customer_sort_fields: Sequence[CustomerSortField]


class RestCalls(NamedTuple):
    """Calls of one method and path template, as the API's documents write it."""

    method: str
    template: str
    at_most: int


def most(calls: Iterable[RestCalls]) -> int:
    """How many they are together, at most."""
    return sum([each.at_most for each in calls])


class ReadTemplates(NamedTuple):
    """What the GETs of reads are for, as the API's documents write it."""

    groups: str
    group: str
    group_by_key: str
    members: str


class Costs(Protocol):
    """The most REST calls that a method of the Backend makes; known without any.

    It holds for an upstream that keeps to its contract and to the settings and does not fail, in
    any state of its data: rows that have moved since a cursor was made, groups that are gone, empty
    lists, totals that are estimates; and whatever this request has read before.

    Not in it, and so to be metered: calls that are sent again after a failure, or after another's
    change in between; the look after a lost answer; finding out whom or what a refused membership
    edit was refused for; pages that an upstream clamps against its settings.

    Nothing is raised: what the method itself would refuse gets any small number.
    """

    @property
    def templates(self) -> ReadTemplates: ...

    def get_groups(self, by_id: int, by_key: int = 0, *, batches: int = 1) -> int:
        """For so many distinct references, which come in at most so many batches."""

    def list_groups(self, window: Window, *, order: GroupOrder | None = None) -> int: ...

    def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> int: ...

    def write(self, write: Write) -> Sequence[RestCalls]:
        """For whichever of the Backend's methods takes this write: calls that follow one another,
        each kind once the one before is answered.
        """


class Backend(Protocol):
    """One tenant's groups and members, for one caller.

    Reads raise, or give per key, a GatewayError. Writes raise NotFound for a group that is not
    there, the CallerError that fits for what the backend refuses, and OutcomeUnknown where a change
    was sent and it is not known whether it was made.
    """

    @property
    def kind(self) -> BackendKind: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def costs(self) -> Costs:
        """What each method costs at most, ahead of calling it."""

    def cursor_kind(self, order: GroupOrder | CustomerOrder | None) -> str:
        """What cursors of this order carry beside the position, so that one of another order, or of
        a backend that reads positions otherwise, is refused; letters, digits and underscores.
        """

    def waits(self, refs: Collection[GroupRef]) -> bool:
        """Whether to wait for more references before these are looked up: alone they cost a call
        each, and together with others fewer calls in all.
        """

    async def get_groups(
        self, refs: Collection[GroupRef]
    ) -> Mapping[GroupRef, CustomerGroup | GatewayError]:
        """The groups of these references; one that does not exist is not in the answer."""

    async def list_groups(
        self, window: Window, *, order: GroupOrder | None = None
    ) -> Page[CustomerGroup]:
        """A window of the tenant's groups; without `order`, in the backend's own."""

    async def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> Page[Customer]:
        """A window of the group's customers. Where there is no such group, some backends raise
        NotFound, and for others its list is empty. A customer that can't be kept is an omission at
        its row's own path, as `items[7]`; one at a path below is of a customer that is there.
        """

    async def create_group(self, draft: GroupDraft) -> CustomerGroup:
        """The new group; raises Duplicate where its uid, key or name is in use."""

    async def update_group(self, update: GroupUpdate) -> CustomerGroup:
        """The group after the changes; raises RevisionConflict where it is not in that revision."""

    async def delete_group(self, deletion: GroupDeletion) -> str:
        """The uid of the group that is gone; raises RevisionConflict, GroupNotEmpty, InUse."""

    async def edit_members(self, edit: MembershipEdit) -> EditOutcome:
        """What became of each customer."""


class Connector(Protocol):
    """A backend's API as the process knows it; connects it for one caller."""

    @property
    def bearer_header(self) -> str:
        """The header in which requests carry the bearer token for it."""

    def connect(self, caller: Caller) -> Backend: ...
