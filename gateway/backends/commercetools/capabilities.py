"""What is known of commercetools without asking: what it has, and what operations cost at most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.backends.commercetools.lists import MAX_LIMIT, MAX_OFFSET, OffsetCosts
from gateway.backends.commercetools.members import IDS_PER_QUERY
from gateway.backends.lists import lookups, windows
from gateway.backends.port import (
    ByKey,
    Capabilities,
    ConcurrencyControl,
    CountPrecision,
    CustomerGroupSortField,
    CustomerOrder,
    CustomerSortField,
    GroupDeletion,
    GroupDraft,
    GroupOrder,
    GroupRef,
    GroupUpdate,
    MembershipEdit,
    Window,
    Write,
)

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
    customer_group_sort_fields=[
        field for field in CustomerGroupSortField if field.value in GROUP_SORTS
    ],
    customer_sort_fields=[field for field in CustomerSortField if field.value in CUSTOMER_SORTS],
)

OFFSETS: Final = OffsetCosts()


class CommercetoolsCosts:
    """The arithmetic beside CommercetoolsBackend; for every caller, and all settings, the same."""

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

    def write(self, write: Write) -> int:
        match write:
            case GroupDraft():
                return 1
            case GroupUpdate():
                # The version and the change; or a change that is too late, and the state that won.
                return 2
            case GroupDeletion():
                # As a change; and a look at the members if there must be none.
                look = self.list_members(write.group, Window(size=1))
                return 2 + (look if write.only_if_empty else 0)
            case MembershipEdit():
                # The group, the customers' versions, and a change of each customer.
                customers = len(write.changes)
                return 1 - (-customers // IDS_PER_QUERY) + customers
