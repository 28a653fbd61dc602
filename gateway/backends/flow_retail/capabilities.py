"""What Flow Retail has, and where the settings say so, has not."""

from __future__ import annotations

from gateway.backends.port import (
    Capabilities,
    ConcurrencyControl,
    CountPrecision,
    CustomerGroupSortField,
    CustomerSortField,
)
from gateway.settings import FlowRetail as FlowRetailSettings


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
