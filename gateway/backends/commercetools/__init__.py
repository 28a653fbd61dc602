"""commercetools' HTTP API: offsets and last ids, versions, keys, update actions, members as
customers.
"""

from __future__ import annotations

from gateway.backends.commercetools.adapter import Commercetools
from gateway.backends.commercetools.refusals import not_carried_out

__all__ = ["Commercetools", "not_carried_out"]
