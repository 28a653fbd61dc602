"""What goes wrong with tenants and tokens, kept while it does, and of so many at most: callers name
tenants, and a tenant that is well costs nothing.
"""

from __future__ import annotations

from typing import Final

from gateway.rest._breaker import Breaker
from gateway.rest._retries import RetryBudget

MAX_TENANTS: Final = 1_024
MAX_TOKENS: Final = 4_096


class Trouble:
    """One tenant's."""

    __slots__ = ("breaker", "retries")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.retries = RetryBudget()


class Troubles:
    """Those of one upstream."""

    def __init__(self) -> None:
        self._tenants: dict[str, Trouble] = {}
        self._tokens: dict[bytes, float] = {}
        """Until when nothing is sent with each."""

    def __bool__(self) -> bool:
        return bool(self._tenants or self._tokens)

    def of(self, tenant: str) -> Trouble | None:
        return self._tenants.get(tenant)

    def begin(self, tenant: str) -> Trouble:
        """The tenant's trouble, from now on if there was none."""
        trouble = self._tenants.pop(tenant, None) or Trouble()
        self._tenants[tenant] = trouble
        if len(self._tenants) > MAX_TENANTS:
            del self._tenants[next(iter(self._tenants))]
        return trouble

    def end_if_over(self, tenant: str) -> None:
        trouble = self._tenants[tenant]
        if trouble.breaker.untroubled and trouble.retries.full:
            del self._tenants[tenant]

    def pause(self, token: bytes, until: float) -> None:
        until = max(until, self._tokens.pop(token, until))
        self._tokens[token] = until
        if len(self._tokens) > MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]

    def paused(self, token: bytes, now: float) -> float:
        """For how many seconds nothing is sent with this token."""
        until = self._tokens.get(token, now)
        if until > now:
            return until - now
        self._tokens.pop(token, None)
        return 0.0
