"""Reading all that an operation asks for, ahead of graphql-core's showing it.

graphql-core's executor goes from object to object. A large answer takes it seconds, in which it has
to give way to other requests; and if what it met meanwhile were still to be read, each turn would
be a batch of its own, and each object of a list would wait for the one before. So all is read
first, by the plan: everything of one level at once, and what many objects share once. Nothing is
shown here, and no mistake is told of: whoever shows it meets it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from gateway.context import Context
from gateway.execution.alike import distinct
from gateway.execution.fields import PlainInfo
from gateway.execution.plan import Arguments, Link, Plan, Selection
from gateway.reads import Key


class Preloader:
    """Reads for one operation, by a plan that need not be covered."""

    def __init__(
        self, plan: Plan, arguments: Arguments, context: Context, ahead: Sequence[Key]
    ) -> None:
        """What is `ahead` is asked for with the first of the others."""
        self._plan = plan
        self._arguments = arguments
        self._context = context
        self._ahead = ahead
        self._info = PlainInfo(context)
        self._pending = 0
        self._over: asyncio.Future[None] | None = None

    async def read(self) -> None:
        """Read what a query asks for."""

        def begin() -> None:
            self._context.loaders.ask_ahead(self._ahead)
            self._objects(self._plan.root, [None])

        await self._reading(begin)

    async def read_below(self, key: str, value: object) -> None:
        """Read what is asked of the value of this field of the root."""
        links = {link.key: link for link in self._plan.root.links}
        await self._reading(lambda: self._below(links[key], [value]))

    async def _reading(self, begin: Callable[[], None]) -> None:
        with self._context.looking_ahead():
            self._over = asyncio.get_running_loop().create_future()
            self._pending = 1
            try:
                self._do(begin)
                await self._over
            finally:
                self._over = None

    def _objects(self, selection: Selection, values: Sequence[Any]) -> None:
        for link in selection.links:
            if link.field.costly:
                with suppress(Exception):  # as above
                    self._follow(link, values)

    def _follow(self, link: Link, parents: Sequence[Any]) -> None:
        given = self._arguments.of(link)
        found: list[Any] = []
        for parent in parents:
            with suppress(Exception):  # it costs this parent its field
                found.append(link.field.follow(parent, self._info, given))
        if link.field.fetched is None:
            self._below(link, _flat(found) if link.field.is_list else found)
            return
        ask = self._context.loaders.ask
        items = dict.fromkeys(_flat(found))
        answers = [ask(item) for item in items if isinstance(item, Key)]
        others = [item for item in items if not isinstance(item, Key)]
        self._when(answers, lambda: self._below(link, [*map(_result, answers), *others]))
        for key in dict.fromkeys(wanted for wanted in found if isinstance(wanted, Key)):
            answer = ask(key)
            self._when([answer], partial(self._told, link, key, answer))

    def _told(self, link: Link, key: Key, answer: asyncio.Future[Any]) -> None:
        fetched, read = link.field.fetched, _result(answer)
        if fetched is not None and not isinstance(read, Exception):
            shown = fetched.shown(read, key, self._context)
            self._below(link, _flat([shown]) if link.field.is_list else [shown])

    def _below(self, link: Link, values: Iterable[Any]) -> None:
        """Go on below these values of the field, or items of its lists."""
        there = [value for value in values if not (value is None or isinstance(value, Exception))]
        by_type: dict[str, list[Any]] = {}
        for value in distinct(there) if link.selections else ():
            if (type_ := link.type_of(value, self._info)) is not None:
                by_type.setdefault(type_.name, []).append(value)
        for name, several in by_type.items():
            self._objects(link.selections[name], several)

    # -- waiting

    def _when(self, answers: Sequence[asyncio.Future[Any]], then: Callable[[], None]) -> None:
        """Do it when all of these are there; at once, if they are."""
        waiting = {answer for answer in answers if not answer.done()}
        self._pending += 1
        if not waiting:
            self._do(then)
        for answer in waiting:
            answer.add_done_callback(partial(self._answered, waiting, then))

    def _answered(
        self,
        waiting: set[asyncio.Future[Any]],
        then: Callable[[], None],
        answer: asyncio.Future[Any],
    ) -> None:
        _result(answer)  # who looks at a failure keeps the event loop from telling that nobody did
        waiting.discard(answer)
        if not waiting and self._over is not None:
            self._do(then)

    def _do(self, then: Callable[[], None]) -> None:
        with suppress(Exception):  # whatever it is, who shows the answer meets it again
            then()
        self._done()

    def _done(self) -> None:
        self._pending -= 1
        if not self._pending and self._over is not None and not self._over.done():
            self._over.set_result(None)


def _result(answer: asyncio.Future[Any]) -> Any:
    """What was read, or the exception in its place."""
    return None if answer.cancelled() else answer.exception() or answer.result()


def _flat(values: Iterable[Any]) -> list[Any]:
    """The items of those that are lists."""
    return [item for value in values if isinstance(value, list | tuple) for item in value]
