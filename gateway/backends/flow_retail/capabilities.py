"""What is known of Flow Retail without asking: what it has, and what operations cost at most."""

from __future__ import annotations

from gateway.backends.lists import lookups, windows
from gateway.backends.lists.pages import PageCosts
from gateway.backends.port import (
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
from gateway.settings import FlowRetailSettings


def capabilities(settings: FlowRetailSettings) -> Capabilities:
    return Capabilities(
        optimistic_concurrency=ConcurrencyControl.BEST_EFFORT,
        atomic_membership_updates=True,
        customer_group_keys=False,
        custom_fields=False,
        chosen_uids=True,
        max_page_size=settings.max_page_size,
        max_offset=None,
        total_count=CountPrecision.EXACT,
        customer_group_sort_fields=[
            field for field in CustomerGroupSortField if field.value in settings.group_sorts
        ],
        customer_sort_fields=[
            field for field in CustomerSortField if field.value in settings.customer_sorts
        ],
    )


class FlowRetailCosts:
    """The arithmetic beside FlowRetailBackend; for every caller the same."""

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

    def write(self, write: Write) -> int:
        match write:
            case GroupDraft():
                return 1
            case GroupUpdate():
                return 1 + (write.expected_revision is not None)  # which is read ahead
            case GroupDeletion():
                return 1 + (write.expected_revision is not None) + write.only_if_empty
            case MembershipEdit():
                # The chunks, if none of them is refused.
                return -(-len(write.changes) // self._settings.membership_chunk)

    def _window(self, window: Window, order: GroupOrder | CustomerOrder | None) -> int:
        turns = order is not None and self._settings.mirrored_sorts
        costs = PageCosts(self._settings.max_page_size, turns=turns)
        return windows.max_calls(window, costs)
