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
    GroupOrder,
    GroupRef,
    Window,
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

    def create_group(self) -> int:
        return 1

    def update_group(self, *, expected_revision: str | None = None) -> int:
        """The change; ahead of it, the revision is read where one is expected."""
        return 1 + (expected_revision is not None)

    def delete_group(
        self, group: GroupRef, *, expected_revision: str | None = None, only_if_empty: bool = False
    ) -> int:
        """As a change; and a look at the members where there must be none."""
        return 1 + (expected_revision is not None) + only_if_empty

    def edit_members(self, *, add: int, remove: int) -> int:
        """The chunks, if none of them is refused."""
        return -(-(add + remove) // self._settings.membership_chunk)

    def _window(self, window: Window, order: GroupOrder | CustomerOrder | None) -> int:
        turns = order is not None and self._settings.mirrored_sorts
        costs = PageCosts(self._settings.max_page_size, turns=turns)
        return windows.max_calls(window, costs)
