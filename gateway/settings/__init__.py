"""Every setting and limit, declared once; `configuration` reads them."""

from __future__ import annotations

from gateway.engine import DocumentLimits
from gateway.settings.bounds import Bounds
from gateway.settings.settings import (
    BACKENDS,
    TENANT_UID,
    Commercetools,
    CustomerSort,
    FlowRetail,
    GroupSort,
    Settings,
    SettingsError,
    Tenant,
    Upstream,
)

__all__ = [
    "BACKENDS",
    "TENANT_UID",
    "Bounds",
    "Commercetools",
    "CustomerSort",
    "DocumentLimits",
    "FlowRetail",
    "GroupSort",
    "Settings",
    "SettingsError",
    "Tenant",
    "Upstream",
]
