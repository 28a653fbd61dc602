"""How a REST-backed field is fetched, said once, beside the field.

The field's resolver makes the key of what it needs from the parent and the arguments: that is all
that differs between two such fields. Who resolves the field loads the key; who bounds an
operation's REST calls counts it; who runs a compiled operation asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from gateway.engine._plan import fetching
from gateway.loading.reads import GroupOf, Key
from gateway.records import Omission, Page
from gateway.request import Context
from gateway.schema.node import Info

Show = Callable[[Any, Any, Context], Any]
"""From what was read, the key that it was read by, and the request's context, to the field's
value."""


class Fetched(fetching.Fetched):
    """Of a field of this schema."""

    def __init__(self, show: Show | None = None) -> None:
        """`show` makes the value of what was read by one key; without it, that is the value."""
        self._show = show

    def resolve(self, next_: Callable[..., Any], source: Any, info: Info, **kwargs: Any) -> Any:
        wanted, load = next_(source, info, **kwargs), info.context.loaders.load
        if isinstance(wanted, list):
            return [_now(load(item)) if isinstance(item, Key) else item for item in wanted]
        if wanted is None:
            return None
        answer = load(wanted)
        if answer.done():
            return self._told(answer.result(), wanted, info)
        return self._fetch(answer, wanted, info)

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

    async def _fetch(self, answer: Awaitable[Any], key: Key, info: Info) -> Any:
        return self._told(await answer, key, info)

    def _told(self, answer: Any, key: Key, info: Info) -> Any:
        if omissions := self.omissions(answer, key):
            connection = info.path.prev
            path = tuple(connection.as_list()) if connection else ()
            failures = (omission.failure for omission in omissions)
            info.context.reports.add(path, failures, count=len(omissions))
        return self.shown(answer, key, info.context)


def _now(answer: asyncio.Future[Any]) -> Any:
    """What was read, or the exception in its place; what is still to come, as it is."""
    return answer.exception() or answer.result() if answer.done() else answer
