"""How an operation becomes REST calls: read, chosen, estimated, executed."""

from gateway.engine._limits import DocumentLimits, ResponseLimits
from gateway.engine._plan.fetching import Fetched, Key
from gateway.engine._plan.views import Scalar, Views

__all__ = ["DocumentLimits", "Fetched", "Key", "ResponseLimits", "Scalar", "Views"]
