"""Flow Retail API v2: page numbers, a membership endpoint, no revisions, no keys."""

from __future__ import annotations

from gateway.backends.flow_retail.adapter import FlowRetail

__all__ = ["FlowRetail"]
