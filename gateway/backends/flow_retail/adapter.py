"""Flow Retail API v2: page numbers, a membership endpoint, no revisions, no keys.

What its documents leave open is a setting here; docs/upstreams.md lists each with its source.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, NoReturn, assert_never

import msgspec
from msgspec.structs import force_setattr, replace

from gateway.backends.flow_retail.members import ChunkEditor, KnownMembers
from gateway.backends.flow_retail.wire import WHOLE, FlowDecoders, Paging, usable
from gateway.backends.lists import lookups, windows
from gateway.backends.lists.lookups import GroupDirectory
from gateway.backends.lists.orders import held, showing
from gateway.backends.lists.pages import AnsweredPage, NumberedPages, PageCosts, believed
from gateway.backends.lists.windows import RowT, read_window
from gateway.backends.port import (
    BackendKind,
    ById,
    ByKey,
    Caller,
    Capabilities,
    ConcurrencyControl,
    CountPrecision,
    CustomerGroupSortField,
    CustomerOrder,
    CustomerSortField,
    EditOutcome,
    GroupDeletion,
    GroupDraft,
    GroupOrder,
    GroupRef,
    GroupUpdate,
    MembershipEdit,
    ReadTemplates,
    Rename,
    RestCalls,
    SetCustomField,
    SetCustomType,
    SetKey,
    SortDirection,
    Window,
    Write,
    no_such_order,
)
from gateway.backends.wire import per_projection
from gateway.backends.writes import PROMISED, contradicted, look, require_empty, same_name
from gateway.errors import (
    Duplicate,
    GatewayError,
    InUse,
    InvalidAnswer,
    NotFound,
    OutcomeUnknown,
    Rejected,
    RevisionConflict,
    Unsupported,
)
from gateway.records import Customer, CustomerGroup, Omission, Page, Record
from gateway.rest import Answer, CallerUpstream, Upstream, unreadable
from gateway.rest.decoding import ListingDecoder
from gateway.settings import FlowRetailSettings

GROUPS: Final = "/tenants/{tenantUid}/customer-groups"
GROUP: Final = "/tenants/{tenantUid}/customer-groups/{customerGroupUid}"
MEMBERS: Final = "/tenants/{tenantUid}/customer-groups/{customerGroupUid}/customers"

decoders: Final = per_projection(FlowDecoders)


class FlowRetail:
    """Flow Retail as this process knows it: where it is and how it behaves."""

    def __init__(self, upstream: Upstream, settings: FlowRetailSettings) -> None:
        self.bearer_header = settings.bearer_header
        self.upstream = upstream
        self.settings = settings
        self.costs = FlowRetailCosts(settings)
        self.capabilities = Capabilities(
            optimistic_concurrency=ConcurrencyControl.BEST_EFFORT,
            atomic_membership_updates=True,
            customer_group_keys=False,
            custom_fields=False,
            chosen_uids=True,
            max_page_size=settings.max_page_size,
            max_offset=None,
            total_count=CountPrecision.EXACT,
            customer_group_sort_fields=[*map(CustomerGroupSortField, settings.group_sorts)],
            customer_sort_fields=[*map(CustomerSortField, settings.customer_sorts)],
        )

    def connect(self, caller: Caller) -> FlowRetailBackend:
        return FlowRetailBackend(self, caller)


class FlowRetailCosts:
    """The arithmetic beside FlowRetailBackend; for every caller the same."""

    templates: Final = ReadTemplates(GROUPS, GROUP, GROUP, MEMBERS)

    def __init__(self, settings: FlowRetailSettings) -> None:
        self._settings = settings

    def get_groups(self, by_id: int, by_key: int = 0, *, batches: int = 1) -> int:
        return lookups.max_calls(by_id, batches)  # there are no keys to be looked up

    def list_groups(self, window: Window, *, order: GroupOrder | None = None) -> int:
        return self._window(window, order)

    def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> int:
        return self._window(window, order)

    def write(self, write: Write) -> Sequence[RestCalls]:
        match write:
            case GroupDraft():
                return [RestCalls("POST", GROUPS, 1)]
            case GroupUpdate():
                return [*_revision(write), RestCalls("PUT", GROUP, 1)]
            case GroupDeletion():
                look = [RestCalls("GET", MEMBERS, 1)] if write.only_if_empty else []
                return [*_revision(write), *look, RestCalls("DELETE", GROUP, 1)]
            case MembershipEdit():
                # The chunks, if none of them is refused.
                chunks = -(-len(write) // self._settings.membership_chunk)
                return [RestCalls("PUT", MEMBERS, chunks)]

    def _window(self, window: Window, order: GroupOrder | CustomerOrder | None) -> int:
        mirrored = order is not None and self._settings.mirrored_sorts
        costs = PageCosts(self._settings.max_page_size, mirrored=mirrored)
        return windows.max_calls(window, costs)


def _revision(write: GroupUpdate | GroupDeletion) -> Sequence[RestCalls]:
    """The read ahead, which finds out whether the group is in the expected revision."""
    return [] if write.expected_revision is None else [RestCalls("GET", GROUP, 1)]


class FlowRetailBackend:
    """One tenant of Flow Retail, for one caller; see gateway.backends.port.Backend."""

    kind: Final = BackendKind.FLOW_RETAIL

    def __init__(self, api: FlowRetail, caller: Caller) -> None:
        self.capabilities = api.capabilities
        self.costs = api.costs
        self._settings = api.settings
        self._upstream = api.upstream.connect(caller)
        self._tenant = caller.tenant_uid
        self._decoders_of = decoders if caller.accepted else per_projection(FlowDecoders)
        self._selected = caller.selected
        self._decoders = self._decoders_of(caller.selected)
        self._directory = GroupDirectory(
            api.settings.max_page_size, caller.meter, remembers=caller.answers is not None
        )

    def cursor_kind(self, order: GroupOrder | CustomerOrder | None) -> str:
        return "" if order is None else str(order)

    # -- reads

    def waits(self, refs: Collection[GroupRef]) -> bool:
        return self._directory.waits([ref.uid for ref in refs if isinstance(ref, ById)])

    async def get_groups(
        self, refs: Collection[GroupRef]
    ) -> Mapping[GroupRef, CustomerGroup | GatewayError]:
        uids = [ref.uid for ref in refs if isinstance(ref, ById)]
        groups = await self._directory.look_up(uids, self)
        found: dict[GroupRef, CustomerGroup | GatewayError] = {
            ref: no_keys() for ref in refs if isinstance(ref, ByKey)
        }
        return found | {ById(uid): group for uid, group in groups.items()}

    async def look_up_one(self, uid: str) -> CustomerGroup | GatewayError | None:
        return await look(self._get(uid, self._decoders))

    async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
        return await self._groups_page(index, self._settings.max_page_size, order=None)

    async def _get(self, uid: str, decoders: FlowDecoders = WHOLE) -> CustomerGroup:
        answer = await self._upstream.send("GET", GROUP, self._path(uid))
        group = self._group(answer, decoders)
        if not _is(group, uid):
            raise InvalidAnswer("The backend has answered with another group.")
        return group

    async def list_groups(
        self, window: Window, *, order: GroupOrder | None = None
    ) -> Page[CustomerGroup]:
        async def page(
            index: int, size: int, *, order: GroupOrder | None
        ) -> AnsweredPage[CustomerGroup]:
            page = await self._groups_page(index, size, order=order)
            self._directory.see(page, own_order=order is None)
            return page

        return held(await read_window(window, self._source(order, page)), order)

    async def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> Page[Customer]:
        page = partial(
            self._page,
            MEMBERS,
            self._path(uid_of(group)),
            self._showing(Customer, order).customers,
            self._settings.customer_sorts,
        )
        return held(await read_window(window, self._source(order, page)), order)

    async def _groups_page(
        self, index: int, size: int, *, order: GroupOrder | None
    ) -> AnsweredPage[CustomerGroup]:
        decoder = self._showing(CustomerGroup, order).groups
        sorts = self._settings.group_sorts
        return await self._page(GROUPS, self._path(), decoder, sorts, index, size, order=order)

    def _showing(
        self, record: type[Record], order: GroupOrder | CustomerOrder | None
    ) -> FlowDecoders:
        """Decoders that also read what rows are ordered by."""
        if order is None:
            return self._decoders
        return self._decoders_of(showing(self._selected, record, order))

    # -- writes

    async def create_group(self, draft: GroupDraft) -> CustomerGroup:
        if draft.key is not None:
            raise no_keys(field=["key"])
        if draft.custom is not None:
            raise no_custom_fields(field=["custom"])
        body = {"name": draft.name}
        if draft.uid is not None:
            body["customerGroupUid"] = draft.uid
        try:
            answer = await self._upstream.send("POST", GROUPS, self._path(), body=body)
            if answer.status == 409:
                # It does not say which of the two; without a chosen uid, there is the name alone.
                which, field = ("name", ["name"]) if draft.uid is None else ("uid or the name", [])
                raise Duplicate(f"The {which} is in use." + answer.reason(), field=field)
            return self._made(answer, draft.name, uid=draft.uid)
        except OutcomeUnknown:
            # Without a chosen uid a second look could find another's group.
            made = await look(self._get(draft.uid)) if draft.uid is not None else None
            if isinstance(made, CustomerGroup) and same_name(made.name, draft.name):
                return made
            raise

    async def update_group(self, update: GroupUpdate) -> CustomerGroup:
        uid = uid_of(update.group)
        body: dict[str, str] = {}
        for change in update.changes:
            match change:
                case Rename(name):
                    body["name"] = name
                case SetKey():
                    raise no_keys(field=["key"])
                case SetCustomField():
                    raise no_custom_fields(field=["customFields"])
                case SetCustomType():
                    raise no_custom_fields(field=["custom"])
                case _:
                    assert_never(change)
        await self._require_revision(uid, update.expected_revision)
        try:
            answer = await self._upstream.send("PUT", GROUP, self._path(uid), body=body)
            if answer.status == 409:
                raise Duplicate("The name is in use." + answer.reason(), field=["name"])
            return self._made(answer, body.get("name"), uid=uid)
        except OutcomeUnknown:
            now = await look(self._get(uid))
            if isinstance(now, CustomerGroup) and same_name(now.name, body.get("name", "")):
                return now
            raise

    async def delete_group(self, deletion: GroupDeletion) -> str:
        uid = uid_of(deletion.group)
        await self._require_revision(uid, deletion.expected_revision)
        if deletion.only_if_empty:
            require_empty(await self.list_members(deletion.group, Window(size=1)))
        try:
            answer = await self._upstream.send(
                "DELETE", GROUP, self._path(uid), status_suffices=True
            )
            if answer.ok and not confirms(answer, uid):
                raise contradicted()
        except OutcomeUnknown:
            # The group is gone, as it was to be. Whether it existed before is not known any more.
            if await look(self._get(uid)) is None:
                return uid
            raise
        if answer.status == 409:
            raise InUse("The group is in use, so it was kept." + answer.reason())
        if not answer.ok:
            refuse(answer)
        return uid

    async def edit_members(self, edit: MembershipEdit) -> EditOutcome:
        group = _EditedGroup(self, self._upstream, uid_of(edit.group))
        return await ChunkEditor(group, self._settings).edit(edit)

    async def _require_revision(self, uid: str, expected: str | None) -> None:
        """Flow Retail has no conditional write: a change between this read and it is not seen."""
        if expected is None:
            return
        current = await self._get(uid)
        if current.revision != expected:
            raise RevisionConflict(
                "The group has changed since it was read.",
                current=current,
                field=["expectedRevision"],
            )

    # -- REST, in the upstream's words

    def _path(self, group_uid: str | None = None) -> dict[str, str]:
        path = {"tenantUid": self._tenant}
        return path if group_uid is None else path | {"customerGroupUid": group_uid}

    def _source(
        self, order: Any, page: Callable[..., Awaitable[AnsweredPage[RowT]]]
    ) -> NumberedPages[RowT]:
        """A list in this order; its end is the first page of its mirror image, if it has one."""
        mirrored = order is not None and self._settings.mirrored_sorts
        return NumberedPages(
            partial(page, order=order),
            max_page_size=self._settings.max_page_size,
            get_last=partial(page, 0, order=_mirrored(order)) if mirrored else None,
        )

    async def _page(
        self,
        template: str,
        path: Mapping[str, str],
        decoder: ListingDecoder[Any],
        sorts: Mapping[str, str],
        index: int,
        size: int,
        *,
        order: GroupOrder | CustomerOrder | None,
    ) -> AnsweredPage[Any]:
        first = self._settings.first_page
        query: dict[str, str | int] = {"pageNumber": index + first, "pageSize": size}
        if order is not None:
            sort_by = sorts.get(order.field.value)
            if sort_by is None:
                raise no_such_order(order)
            query |= {"sortBy": sort_by, "sortDirection": order.direction.value}
        answer = await self._upstream.send("GET", template, path, query=query)
        if answer.status == 404 and index and self._settings.past_the_end == "not_found":
            return AnsweredPage(index, size, (), None)
        if not answer.ok:
            refuse(answer)
        listing, rows, omissions = answer.decoded(decoder.decode)
        paging: Paging = listing.paging or Paging()
        no_total, unplaced = None, False
        if type(paging) is not Paging:
            place = usable(paging)
            paging, no_total, unplaced = (place.paging, place.no_total, bool(place.omissions))
            omissions += place.omissions
        tenant_uid = self._tenant
        for row in rows:
            if row is not None:
                force_setattr(row, "tenant_uid", tenant_uid)
        said_index, said_size, total = index, size, paging.total_count
        if paging.page_number is not None:
            said_index = paging.page_number - first
        if paging.page_size is not None:
            said_size = paging.page_size
        if listing.rows is None and total is not None and total > said_index * said_size:
            omissions.append(Omission("items", "it is null where rows are expected."))
            unplaced = True
        page = AnsweredPage(said_index, said_size, rows, total, omissions, no_total, unplaced)
        return believed(page, index, size)

    def _group(self, answer: Answer, decoders: FlowDecoders = WHOLE) -> CustomerGroup:
        if not answer.ok:
            refuse(answer)
        group = answer.decoded(decoders.group.one)
        force_setattr(group, "tenant_uid", self._tenant)
        return group

    def _made(self, answer: Answer, name: str | None, *, uid: str | None) -> CustomerGroup:
        """The group in a write's answer; where it can't be read, or is not the one of this name and
        `uid` that was asked for, the write's outcome is unknown.
        """
        try:
            group = self._group(answer)
        except InvalidAnswer:
            raise unreadable() from None
        meant = bool(group.uid) if uid is None else _is(group, uid)
        named = name is None or same_name(group.name, name)
        if answer.status == PROMISED or not (meant and named):
            raise contradicted()
        return group


class _EditedGroup:
    """See gateway.backends.flow_retail.members.EditedGroup."""

    def __init__(self, backend: FlowRetailBackend, upstream: CallerUpstream, uid: str) -> None:
        self._backend = backend
        self._upstream = upstream
        self._uid = uid
        self.tenant_uid = backend._tenant
        self.allows = upstream.allows

    async def put(self, add: Sequence[str], remove: Sequence[str]) -> Answer:
        lists = {"addCustomerUids": add, "removeCustomerUids": remove}
        body = {name: uids for name, uids in lists.items() if uids}
        path = self._backend._path(self._uid)
        answer = await self._upstream.send("PUT", MEMBERS, path, body=body, status_suffices=True)
        if answer.ok and not confirms(answer, self._uid):
            raise contradicted()
        return answer

    async def exists(self) -> bool | None:
        found = await look(self._backend._get(self._uid))
        return None if isinstance(found, GatewayError) else found is not None

    async def look(self, calls: int) -> KnownMembers:
        if calls < 1:
            return KnownMembers()
        backend, group = self._backend, ById(self._uid)
        size = backend._settings.max_page_size
        try:
            page = await backend.list_members(group, Window(size=size))
            seen, total, made = {row.record.uid for row in page.rows}, page.total, 1
            rest = Window(size=max(0, (total or 0) - size), offset=size)
            if page.has_next and total is not None:
                made += backend.costs.list_members(group, rest)
                if made > calls:
                    return KnownMembers(seen, calls=1)
                page = await backend.list_members(group, rest)
                seen |= {row.record.uid for row in page.rows}
            return KnownMembers(seen, whole=len(seen) == total == page.total, calls=made)
        except GatewayError:
            return KnownMembers(calls=calls)


def _mirrored(order: Any) -> Any:
    """The order that is the mirror image of this one."""
    ascending = order.direction is SortDirection.ASC
    return replace(order, direction=SortDirection.DESC if ascending else SortDirection.ASC)


def _is(group: CustomerGroup, uid: str) -> bool:
    """Whether the answer is about the group that was asked for; some upstreams may ignore letters'
    case.
    """
    return group.uid.casefold() == uid.casefold()


def refuse(answer: Answer) -> NoReturn:
    """Raise what a 4xx means: by its status, because the documents know no error bodies."""
    if answer.status == 404:
        raise NotFound("There is no such customer group, or no such tenant.")
    raise Rejected("The backend refused this." + answer.reason())


class _About(msgspec.Struct, rename="camel"):
    """The part of an answer's body that names the group it is about."""

    customer_group_uid: str = ""


def confirms(answer: Answer, uid: str) -> bool:
    """Whether a 2xx says of a write to the group `uid`, which is answered without content, that it
    was done: one with content does where that is JSON, and not about another group.
    """
    if answer.status == PROMISED:
        return False
    if not answer.body:
        return True
    try:
        about = msgspec.json.decode(answer.body, type=_About).customer_group_uid
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return about.casefold() in ("", uid.casefold())


def uid_of(group: GroupRef) -> str:
    """The uid; raises Unsupported for a group that is named by a key."""
    match group:
        case ById(uid):
            return uid
        case _:
            raise no_keys()


def no_keys(field: Sequence[str] = ()) -> Unsupported:
    return Unsupported("Flow Retail groups have no keys.", field=field)


def no_custom_fields(field: Sequence[str] = ()) -> Unsupported:
    return Unsupported("Flow Retail groups have no custom fields.", field=field)
