"""How a REST-backed field is fetched, said once, beside the field.

The field's resolver makes the key of what it needs from the parent and the arguments. The executor
loads the key, and the cost estimate counts the REST calls that this takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gateway.engine._plan import fetching
from gateway.loading.reads import GroupOf, Key
from gateway.records import Omission, Page
from gateway.request import Context

Show = Callable[[Any, Any, Context], Any]
"""From what was read, the key that it was read by, and the request's context, to the field's
value."""


class Fetched(fetching.Fetched):
    """Of a field of this schema."""

    def __init__(self, show: Show | None = None) -> None:
        """`show` makes the value of what was read by one key; without it, that is the value."""
        self._show = show

    def keys(self, items: Iterable[Any]) -> Sequence[Key]:
        """Those of these items that are keys."""
        return [item for item in items if isinstance(item, Key)]

    def shown(self, answer: Any, key: Key, context: Context) -> Any:
        """The field's value."""
        return answer if self._show is None else self._show(answer, key, context)

    def omissions(self, answer: object, key: Key) -> Sequence[Omission]:
        """What was left out of rows that were asked for."""
        asked = not isinstance(key, GroupOf) and key.window.size
        return answer.omissions if asked and isinstance(answer, Page) else ()
