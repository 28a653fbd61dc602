"""commercetools' HTTP API: offsets and last ids, versions, keys, update actions, members as
customers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final

from gateway.backends.commercetools.changes import (
    action,
    custom_draft,
    is_newer,
    known_version,
    version_of,
    wanted_by,
    wanted_of,
)
from gateway.backends.commercetools.lists import (
    BY_ID,
    MAX_LIMIT,
    MAX_OFFSET,
    OffsetCosts,
    RemoteList,
    is_member_of,
)
from gateway.backends.commercetools.members import CUSTOMER, IDS_PER_QUERY, CustomerEditor
from gateway.backends.commercetools.refusals import code, current_version, refuse
from gateway.backends.commercetools.wire import WHOLE, CommercetoolsDecoders
from gateway.backends.lists import lookups, side_by_side, windows
from gateway.backends.lists.lookups import GroupDirectory
from gateway.backends.lists.orders import showing
from gateway.backends.lists.pages import AnsweredPage
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
    GroupChange,
    GroupDeletion,
    GroupDraft,
    GroupOrder,
    GroupRef,
    GroupUpdate,
    MembershipEdit,
    ReadTemplates,
    RestCalls,
    SetKey,
    Window,
    Write,
)
from gateway.backends.wire import per_projection
from gateway.backends.writes import PROMISED, contradicted, look, require_empty
from gateway.errors import (
    GatewayError,
    InvalidAnswer,
    NotFound,
    OutcomeUnknown,
    RevisionConflict,
    Unsupported,
)
from gateway.records import Customer, CustomerGroup, Page, Record, Repaired
from gateway.rest import Answer, Upstream, unreadable
from gateway.settings import CommercetoolsSettings

GROUPS: Final = "/{projectKey}/customer-groups"
GROUP: Final = "/{projectKey}/customer-groups/{id}"
GROUP_BY_KEY: Final = "/{projectKey}/customer-groups/key={key}"
CUSTOMERS: Final = "/{projectKey}/customers"

GROUP_SORTS: Final[Mapping[str, str]] = {
    "NAME": "name",
    "CREATED_AT": "createdAt",
    "LAST_MODIFIED_AT": "lastModifiedAt",
}
CUSTOMER_SORTS: Final[Mapping[str, str]] = {
    "FIRSTNAME": "firstName",
    "LASTNAME": "lastName",
    "COMPANY_NAME": "companyName",
    "EMAIL": "email",
    "CREATED_AT": "createdAt",
    "LAST_MODIFIED_AT": "lastModifiedAt",
}
CAPABILITIES: Final = Capabilities(
    optimistic_concurrency=ConcurrencyControl.ENFORCED,
    atomic_membership_updates=False,
    customer_group_keys=True,
    custom_fields=True,
    chosen_uids=False,
    max_page_size=MAX_LIMIT - 1,  # one row more is read, to see whether there is one
    max_offset=MAX_OFFSET,
    total_count=CountPrecision.ESTIMATED,
    customer_group_sort_fields=[*map(CustomerGroupSortField, GROUP_SORTS)],
    customer_sort_fields=[*map(CustomerSortField, CUSTOMER_SORTS)],
)

OFFSETS: Final = OffsetCosts()
decoders: Final = per_projection(CommercetoolsDecoders)


class Commercetools:
    """A commercetools project as this process knows it."""

    def __init__(
        self, upstream: Upstream, settings: CommercetoolsSettings, *, project: str | None = None
    ) -> None:
        """`project` is the projectKey; without it, the tenant's uid is."""
        self.bearer_header = settings.bearer_header
        self.upstream = upstream
        self.settings = settings
        self.project = project

    def connect(self, caller: Caller) -> CommercetoolsBackend:
        return CommercetoolsBackend(self, caller)


class CommercetoolsCosts:
    """The arithmetic beside CommercetoolsBackend; for every caller, and all settings, the same."""

    templates: Final = ReadTemplates(GROUPS, GROUP, GROUP_BY_KEY, CUSTOMERS)

    def get_groups(self, by_id: int, by_key: int = 0, *, batches: int = 1) -> int:
        return lookups.max_calls(by_id, batches) + by_key

    def list_groups(self, window: Window, *, order: GroupOrder | None = None) -> int:
        by_offset = windows.max_calls(window, OFFSETS)
        if order is not None or window.plain:
            return by_offset
        # By the last id; and where a predicate on groups can't have an id, by offset after all.
        return OFFSETS.calls(0, window.size) + by_offset

    def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> int:
        """The window; ahead of it, the group is read where only its key is known."""
        read = isinstance(group, ByKey)
        if order is not None or window.plain:
            return read + windows.max_calls(window, OFFSETS)
        return read + OFFSETS.max_calls(0, max(1, window.size))

    def write(self, write: Write) -> Sequence[RestCalls]:
        if isinstance(write, GroupDraft):
            return [RestCalls("POST", GROUPS, 1)]
        template = GROUP if isinstance(write.group, ById) else GROUP_BY_KEY
        read = RestCalls("GET", template, 1)
        match write:
            case GroupUpdate(expected_revision=None):
                return [read, RestCalls("POST", GROUP, 1)]  # ahead, for the version
            case GroupUpdate():
                return [RestCalls("POST", template, 1), read]  # the state that won, if one has
            case GroupDeletion():
                look = [RestCalls("GET", CUSTOMERS, 1)] if write.only_if_empty else []
                if write.expected_revision is None:
                    return [read, *look, RestCalls("DELETE", GROUP, 1)]
                if look:
                    uid = [read] if template is GROUP_BY_KEY else []
                    return [*uid, *look, RestCalls("DELETE", GROUP, 1), read]
                return [RestCalls("DELETE", template, 1), read]
            case MembershipEdit():
                # The group, the customers' versions, and a change of each customer.
                customers = len(write)
                versions = RestCalls("GET", CUSTOMERS, -(-customers // IDS_PER_QUERY))
                return [read, versions, RestCalls("POST", CUSTOMER, customers)]


class CommercetoolsBackend:
    """One tenant in commercetools, for one caller; see gateway.backends.port.Backend."""

    kind: Final = BackendKind.COMMERCETOOLS
    capabilities: Final = CAPABILITIES
    costs: Final = CommercetoolsCosts()

    def __init__(self, api: Commercetools, caller: Caller) -> None:
        self._settings = api.settings
        self._upstream = api.upstream.connect(caller)
        self._tenant = caller.tenant_uid
        self._project = api.project or caller.tenant_uid
        self._decoders_of = decoders if caller.accepted else per_projection(CommercetoolsDecoders)
        self._selected = caller.selected
        self._decoders = self._decoders_of(caller.selected)
        self._directory = GroupDirectory(
            MAX_LIMIT, caller.meter, remembers=caller.answers is not None
        )

    def cursor_kind(self, order: GroupOrder | CustomerOrder | None) -> str:
        return "id" if order is None else str(order)

    # -- reads

    def waits(self, refs: Collection[GroupRef]) -> bool:
        return self._directory.waits([ref.uid for ref in refs if isinstance(ref, ById)])

    async def get_groups(
        self, refs: Collection[GroupRef]
    ) -> Mapping[GroupRef, CustomerGroup | GatewayError]:
        uids = [ref.uid for ref in refs if isinstance(ref, ById)]
        keys = [ref for ref in refs if isinstance(ref, ByKey)]
        groups = await self._directory.look_up(uids, self)
        by_key = await side_by_side(look(self._get(ref, self._decoders)) for ref in keys)
        found: dict[GroupRef, CustomerGroup | GatewayError] = {
            ref: group for ref, group in zip(keys, by_key, strict=True) if group is not None
        }
        return found | {ById(uid): group for uid, group in groups.items()}

    async def look_up_one(self, uid: str) -> CustomerGroup | GatewayError | None:
        return await look(self._get(ById(uid), self._decoders))

    async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
        offset = index * MAX_LIMIT
        found = await self._groups().query(sort=BY_ID, limit=MAX_LIMIT, offset=offset)
        rows = list(found.rows.values())
        # Totals are estimates: a full page may be the last one, but does not prove it.
        end = offset + len(rows)
        ends = len(rows) < MAX_LIMIT and not found.unplaced
        total = end if ends else max(found.total or 0, end + 1)
        return AnsweredPage(index, MAX_LIMIT, rows, total, found.omissions)

    async def _get(self, ref: GroupRef, decoders: CommercetoolsDecoders = WHOLE) -> CustomerGroup:
        template, path = self._address(ref)
        answer = await self._upstream.send("GET", template, path)
        group = self._group(answer, decoders, by_key=isinstance(ref, ByKey))
        if not _is(group, ref):
            raise InvalidAnswer("The backend has answered with another group.")
        return group

    async def list_groups(
        self, window: Window, *, order: GroupOrder | None = None
    ) -> Page[CustomerGroup]:
        page = await self._groups(order).window(window, order)
        if page.total:
            self._directory.count(page.total)
        return page

    async def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> Page[Customer]:
        mode, shown = self._settings.membership, self._showing(Customer, order)
        members = RemoteList(
            upstream=self._upstream,
            template=CUSTOMERS,
            path=self._path(),
            decoder=shown.customers,
            record=lambda row: shown.customer_record(row, self._tenant, mode),
            sorts=CUSTOMER_SORTS,
            where=(is_member_of(await self._uid(group), mode),),
        )
        return await members.window(window, order)

    def _groups(self, order: GroupOrder | None = None) -> RemoteList[CustomerGroup]:
        shown = self._showing(CustomerGroup, order)
        return RemoteList(
            upstream=self._upstream,
            template=GROUPS,
            path=self._path(),
            decoder=shown.groups,
            record=partial(shown.group_record, tenant_uid=self._tenant),
            sorts=GROUP_SORTS,
            names_only=True,
        )

    def _showing(
        self, record: type[Record], order: GroupOrder | CustomerOrder | None
    ) -> CommercetoolsDecoders:
        """Decoders that also read what rows are ordered by."""
        if order is None:
            return self._decoders
        return self._decoders_of(showing(self._selected, record, order))

    # -- writes

    async def create_group(self, draft: GroupDraft) -> CustomerGroup:
        if draft.uid is not None:
            raise Unsupported("commercetools chooses the uid itself.", field=["uid"])
        body: dict[str, object] = {"groupName": draft.name}
        if draft.key is not None:
            body["key"] = draft.key
        if draft.custom is not None:
            body["custom"] = custom_draft(draft.custom)
        wanted = wanted_of(draft)
        try:
            made = self._made(await self._upstream.send("POST", GROUPS, self._path(), body=body))
            if not made.uid or wanted.shown_by(made) is False:
                raise contradicted()
            return made
        except OutcomeUnknown:
            # By its key the group can be found; without one a look could find another's.
            found = None if draft.key is None else await look(self._get(ByKey(draft.key)))
            if isinstance(found, CustomerGroup) and wanted.shown_by(found):
                return found
            raise

    async def update_group(self, update: GroupUpdate) -> CustomerGroup:
        actions, wanted = [action(change) for change in update.changes], wanted_by(update.changes)
        ref, version = await self._meant(update)
        template, path = self._address(ref)

        async def send(version: int) -> Answer:
            body = {"version": version, "actions": actions}
            return await self._upstream.send("POST", template, path, body=body)

        after = _after(ref, update.changes)
        try:
            made = self._made(await self._versioned(update, ref, version, send))
            older = isinstance(made.version, int) and made.version < version
            other = not made.uid if after is None else not _is(made, after)
            if older or other or wanted.shown_by(made) is False:
                raise contradicted()
            return made
        except OutcomeUnknown:
            now = None if after is None else await look(self._get(after))
            if isinstance(now, CustomerGroup) and wanted.shown_by(now):
                return now
            raise

    async def delete_group(self, deletion: GroupDeletion) -> str:
        ref, version = await self._meant(deletion)
        if deletion.only_if_empty:
            ref = ById(await self._uid(ref))
            require_empty(await self.list_members(ref, Window(size=1)))
        template, path = self._address(ref)

        async def send(version: int) -> Answer:
            return await self._upstream.send("DELETE", template, path, query={"version": version})

        try:
            answer = await self._versioned(deletion, ref, version, send)
            if answer.status == 204 and isinstance(ref, ById):
                return ref.uid
            gone = self._made(answer)
            if not _is(gone, ref):
                raise contradicted()
            return gone.uid
        except OutcomeUnknown:
            if isinstance(ref, ById) and await look(self._get(ref)) is None:
                return ref.uid
            raise

    async def _meant(self, write: GroupUpdate | GroupDeletion) -> tuple[GroupRef, int]:
        """The group that is meant, and the version that its change has to name: the expected one.

        Without one, the group is read; from then on its uid says which it is, for its key may be
        another's by the time it is changed.
        """
        if write.expected_revision is not None:
            return write.group, version_of(write.expected_revision)
        found = await self._get(write.group)
        return ById(found.uid), known_version(found)

    async def _versioned(
        self,
        write: GroupUpdate | GroupDeletion,
        ref: GroupRef,
        version: int,
        send: Callable[[int], Awaitable[Answer]],
    ) -> Answer:
        """The answer to a write under a version. A conflict with one that was only just read is
        tried once more; with an expected one it is a RevisionConflict, which carries the state that
        won where a look shows it.
        """
        again = write.expected_revision is None
        field = [] if again else ["expectedRevision"]
        while True:
            answer = await send(version)
            if code(answer) != "ConcurrentModification":
                return self._accepted(answer)
            now = await look(self._get(ref))
            if now is None:
                raise NotFound("There is no such customer group.")
            if not (again and isinstance(now, CustomerGroup)):
                break
            again, version = False, known_version(now)
        message = "The group has changed since it was read."
        won = now if isinstance(now, CustomerGroup) else None
        current = current_version(answer)
        if won is not None and not is_newer(won.version, refused=version, current=current):
            won = None
        raise RevisionConflict(message, current=won, field=field)

    async def edit_members(self, edit: MembershipEdit) -> EditOutcome:
        # Without the group the edits would fail one by one, and a removal would look like a
        # success.
        found = await self._get(edit.group)
        if isinstance(found.uid, Repaired):
            raise InvalidAnswer("The backend has sent an id of the group that is none.")
        editor = CustomerEditor(
            self._upstream,
            self._path(),
            found.uid,
            self._settings,
            tenant_uid=self._tenant,
        )
        return await editor.edit(edit)

    # -- REST, in the upstream's words

    def _path(self) -> dict[str, str]:
        return {"projectKey": self._project}

    def _address(self, ref: GroupRef) -> tuple[str, dict[str, str]]:
        match ref:
            case ById(uid):
                return GROUP, self._path() | {"id": uid}
            case ByKey(key):
                return GROUP_BY_KEY, self._path() | {"key": key}

    async def _uid(self, ref: GroupRef) -> str:
        """The id, which costs a read where only the key is known."""
        return ref.uid if isinstance(ref, ById) else (await self._get(ref)).uid

    def _group(
        self, answer: Answer, decoders: CommercetoolsDecoders = WHOLE, *, by_key: bool = False
    ) -> CustomerGroup:
        decoder = decoders.group_by_key if by_key else decoders.group
        row = self._accepted(answer).decoded(decoder.one)
        return decoders.group_record(row, self._tenant)

    def _made(self, answer: Answer) -> CustomerGroup:
        """The group in a write's answer; where it can't be read, or was only promised, the write's
        outcome is unknown.
        """
        answer = self._accepted(answer)
        if answer.status == PROMISED:
            raise contradicted()
        try:
            return self._group(answer)
        except InvalidAnswer:
            raise unreadable() from None

    def _accepted(self, answer: Answer) -> Answer:
        if not answer.ok:
            refuse(answer)
        return answer


def _is(group: CustomerGroup, ref: GroupRef) -> bool:
    """Whether the answer is about the group that was asked for, as far as it can be read."""
    match ref:
        case ById(uid):
            return group.uid == uid
        case ByKey(key):
            return bool(group.uid) and (isinstance(group.key, GatewayError) or group.key == key)


def _after(ref: GroupRef, changes: Sequence[GroupChange]) -> GroupRef | None:
    """How the group can be asked for once it is changed; None where it has lost the key that was
    all to go by.
    """
    keys = [change.key for change in changes if isinstance(change, SetKey)]
    if isinstance(ref, ById) or not keys:
        return ref
    return None if keys[-1] is None else ByKey(keys[-1])
