"""What the engine needs of a request. The gateway's own class for it is gateway.request.Context."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from gateway.engine._cost.cost_model import CostModel
from gateway.engine._run.account import Account


class Source(Protocol):
    """Reads what keys name: each key once, and all keys of one tick together."""

    @property
    def traced(self) -> bool:
        """Whether it is to be told which fields ask; else their paths are None."""

    def change(self, path: tuple[str, ...]) -> None:
        """A change begins: that of the field with this path, of response keys without indexes."""

    def notify(
        self, key: Any, listener: Callable[[Any], None], path: tuple[str, ...] | None
    ) -> None:
        """Call `listener` with what was read, or with the exception in its place: now if it is
        there, else as soon as it is. `path` is that of the field, as above.
        """

    def prefetch(self, keys: Iterable[Any]) -> None:
        """Begin to read what will be asked for, or may be."""


class CostBudget(Protocol):
    """The REST calls of one operation."""

    @property
    def limit(self) -> int | None:
        """The most that are allowed."""

    planned: int
    """The most that are expected: set by the engine."""
    reserved: int
    """As of a CostModel: set by the engine, and so are the scopes."""
    scopes: Collection[str]


class EstimateContext(Protocol):
    """What resolvers get as `info.context` while an operation's cost is estimated."""

    @property
    def cost_model(self) -> CostModel: ...


class OperationContext(Protocol):
    """One request: what resolvers get as `info.context`, and what the engine needs of it."""

    @property
    def accepted(self) -> bool:
        """Whether the caller is known by now: for strangers, less is kept and less is shown."""

    @property
    def account(self) -> Account: ...
    @property
    def budget(self) -> CostBudget: ...
    @property
    def loaders(self) -> Source: ...

    @property
    def cost_scope(self) -> str | None:
        """What the cost of an operation depends on beside its arguments."""

    def identify(self, *, kind: str, name: str | None, sha256: str, trusted: bool) -> None:
        """Called once the document is known: whether it is a query or a mutation, the operation's
        name in it, the hash of its text, in hex, and whether a manifest has it.
        """

    def begin(self, projection: Any, *, changes: bool) -> None:
        """Called before anything is read: with which record attributes the operation looks at, and
        whether it changes anything.
        """

    def placeholder(self, *, cap: int | None) -> EstimateContext:
        """A context for one estimate; with `cap`, as if no window had more rows."""
