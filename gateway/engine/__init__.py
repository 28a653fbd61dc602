"""How an operation becomes REST calls: read, chosen, estimated, executed."""

from gateway.engine._plan.fetching import Fetched

__all__ = ["Fetched"]
