"""Running a plan: from its root on, as far as is known; then from each answer on, as it comes.

Objects of one place are made together. What is fetched is asked for as soon as its parent is there,
and goes into its parent's object whenever it comes; so nothing waits for what it does not need.
Whatever is not as it should be (an error, null where none can be, an answer with flaws) is a
surprise that ends the run: graphql-core then makes the answer from the start, of what was read
already, for it knows what to say of it, and where.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import msgspec

from gateway.context import Context
from gateway.execution.alike import marks
from gateway.execution.expressions import ENCODED, Surprise, Weigh
from gateway.execution.fields import PlainInfo
from gateway.execution.plan import Arguments, Link, Plan, Selection
from gateway.reads import Key
from gateway.schema.fetched import flaws_of

Object = Any
"""An object of the response: a dict, or a struct if all of it is plain."""
Places = Sequence[int]
"""Of objects or values that are made once: how often each stands in the response, which is what
limits count.
"""


class Run:
    """One run of a plan, which `covered` says can be run."""

    def __init__(
        self, plan: Plan, arguments: Arguments, context: Context, ahead: Sequence[Key]
    ) -> None:
        """What is `ahead` is asked for at once, whether it comes to be needed or not."""
        self.objects = 0
        """How many objects it has made."""
        self._plan = plan
        self._arguments = arguments
        self._context = context
        self._ahead = ahead
        self._info = PlainInfo(context)
        self._pending = 0
        self._over: asyncio.Future[bool] | None = None
        """Whether all is there; False after a surprise."""

    async def data(self) -> Object:
        """The response's `data`, parts of it encoded already; raises Surprise."""
        self._over = over = asyncio.get_running_loop().create_future()
        self._pending = 1  # the root
        try:
            try:
                [root] = self._objects(self._plan.root, [None], [1])
            except Exception as surprise:
                raise Surprise from surprise
            self._context.loaders.ask_ahead(self._ahead)
            self._done()
            if not await over:
                raise Surprise
            return root
        finally:
            self._over = None

    # -- making objects

    def _objects(self, selection: Selection, values: Sequence[Any], places: Places) -> list[Object]:
        """An object for each of these, of the selection's type; what is fetched may come later.

        The same value gives the same object, put into several places: all below it is the same too.
        """
        if len(values) > 1 and len(set(marked := marks(values))) < len(values):
            return self._shared(selection, values, marked, places)
        self.objects += len(values)
        self._context.fill(sum(places) * selection.size)
        shape, info = selection.shape, self._info
        if not selection.holds(values, info):
            raise Surprise
        made = self._each(places, shape, values, info)
        self._weigh(selection.weigh, made, places)
        for link in selection.links:
            self._follow(link, values, made, places)
        return made

    def _shared(
        self,
        selection: Selection,
        values: Sequence[Any],
        marked: Sequence[Hashable],
        places: Places,
    ) -> list[Object]:
        several = dict(zip(marked, values, strict=True))
        times: Counter[Hashable] = Counter()
        for mark, count in zip(marked, places, strict=True):
            times[mark] += count
        made = self._objects(selection, list(several.values()), [times[mark] for mark in several])
        objects = dict(zip(several, made, strict=True))
        return [objects[mark] for mark in marked]

    def _follow(
        self, link: Link, parents: Sequence[Any], made: Sequence[Object], places: Places
    ) -> None:
        """Put the field into each parent's object, now or when it is there."""
        given = self._arguments.of(link)
        found = self._each(places, link.field.follow, parents, self._info, given)
        if link.field.fetched is None:
            self._complete(link, found, made, places)
            return
        lists: list[tuple[Sequence[Any], Object, int]] = []
        for wanted, into, times in zip(found, made, places, strict=True):
            if isinstance(wanted, list):
                lists.append((wanted, into, times))
            elif wanted is None:
                self._complete(link, [None], [into], [times])
            else:
                self._pending += 1
                self._context.loaders.tell(wanted, partial(self._told, link, wanted, into, times))
        if lists:
            self._look_up(link, lists)

    def _each(
        self, places: Places, make: Callable[..., Any], values: Sequence[Any], *given: Any
    ) -> list[Any]:
        """What is made of each value; what that counts is counted for each of its places."""
        if sum(places) == len(places):
            return [make(value, *given) for value in values]
        standing = self._context.standing
        return [
            standing(times, make, value, *given)
            for value, times in zip(values, places, strict=True)
        ]

    def _told(self, link: Link, key: Key, into: Object, times: int, read: Any) -> None:
        """Show what was read by the key, or the exception in its place."""
        if self._ended:
            return
        try:
            self._show(link, key, into, times, read)
        except Exception:  # passed on, it would hold what was read by its frames, and so itself
            self._surprise()
        else:
            self._done()

    def _show(self, link: Link, key: Key, into: Object, times: int, read: Any) -> None:
        if isinstance(read, Exception) or flaws_of(read, key):
            raise Surprise
        fetched, context = link.field.fetched, self._context
        assert fetched is not None  # noqa: S101  # or nothing would have been asked for
        shown = context.standing(times, fetched.shown, read, key, context)
        self._complete(link, [shown], [into], [times])

    def _look_up(self, link: Link, lists: Sequence[tuple[Sequence[Any], Object, int]]) -> None:
        """Lists of keys, all of one place: they are one batch, or a part of one."""
        ask = self._context.loaders.ask
        items = dict.fromkeys(item for wanted, _, _ in lists for item in wanted)
        answers = {item: ask(item) for item in items if isinstance(item, Key)}

        def complete() -> None:
            values = [
                [answers[item].result() if item in answers else item for item in wanted]
                for wanted, _, _ in lists
            ]
            _, made, places = zip(*lists, strict=True)
            self._complete(link, values, made, places)

        self._when(list(answers.values()), complete)

    def _complete(
        self, link: Link, values: Sequence[Any], made: Sequence[Object], places: Places
    ) -> None:
        """Put what the response shows of these values of a field into their parents' objects."""
        if link.completed is not None:
            completed = self._plain(link, values, places)
        elif link.field.is_list:
            completed = self._lists(link, values, places)
        else:
            completed = self._items(link, values, places, nullable=link.field.nullable)
        key = link.key
        for value, into in zip(completed, made, strict=True):
            into[key] = value

    def _plain(self, link: Link, values: Sequence[Any], places: Places) -> list[Any]:
        assert link.completed is not None  # noqa: S101  # asked by those who have looked
        shape, size, info = link.completed.shape, link.completed.size, self._info
        weigh, repeats = link.completed.weigh, link.completed.repeats
        context = self._context
        if not link.field.is_list:
            context.fill(sum(places) * size)
            completed = self._each(places, shape, values, info)
            self._weigh(weigh, completed, places)
            return completed
        # One item of each list: the shape counts the others.
        there = [times if value else 0 for value, times in zip(values, places, strict=True)]
        context.fill(sum(there) * size)
        self.objects += sum(len(value) for value in values if value)

        def encoded(value: Any) -> msgspec.Raw:
            """Here and now, so that neither objects nor records have to stay."""
            completed = shape(value, info)
            if repeats:
                context.weigh(weigh((completed,)))
                return msgspec.Raw(ENCODED.encode(completed))
            # Not much more than was read: then nobody need go through it once more.
            raw = msgspec.Raw(ENCODED.encode(completed))
            context.weighed += len(raw)
            if context.weighed > context.few:
                context.weigh(0)  # to call it each time would take as long as a short list
            return raw

        return self._each(places, encoded, values)

    def _weigh(self, weigh: Weigh, made: Sequence[Any], places: Places) -> None:
        if sum(places) == len(places):
            self._context.weigh(weigh(made))
        else:
            times = zip(made, places, strict=True)
            self._context.weigh(sum(count * weigh((each,)) for each, count in times))

    def _lists(self, link: Link, values: Sequence[Any], places: Places) -> list[Any]:
        there = [each for each in zip(values, places, strict=True) if each[0] is not None]
        if len(there) < len(values) and not link.field.nullable:
            raise Surprise
        every = [item for value, _ in there for item in value]
        times = [count for value, count in there for _ in value]
        items = iter(self._items(link, every, times, nullable=link.field.items_nullable))
        return [None if value is None else [next(items) for _ in value] for value in values]

    def _items(
        self, link: Link, values: Sequence[Any], places: Places, *, nullable: bool
    ) -> list[Any]:
        there = [value for value in values if value is not None]
        if len(there) == len(values):
            return self._typed(link, values, places)
        if not nullable:
            raise Surprise
        times = [count for value, count in zip(values, places, strict=True) if value is not None]
        objects = iter(self._typed(link, there, times))
        return [None if value is None else next(objects) for value in values]

    def _typed(self, link: Link, values: Sequence[Any], places: Places) -> list[Object]:
        """Objects of values of the types that the link leads to."""
        if len(link.types) == 1:
            [selection] = link.selections.values()
            return self._objects(selection, values, places)
        by_type: dict[str, tuple[list[Any], list[int]]] = {}
        names = [self._type_name(link, value) for value in values]
        for name, value, times in zip(names, values, places, strict=True):
            of_type, counts = by_type.setdefault(name, ([], []))
            of_type.append(value)
            counts.append(times)
        made = {
            name: iter(self._objects(link.selections[name], *several))
            for name, several in by_type.items()
        }
        return [next(made[name]) for name in names]

    def _type_name(self, link: Link, value: Any) -> str:
        type_ = link.type_of(value, self._info)
        if type_ is None:
            raise Surprise
        return type_.name

    # -- waiting

    def _when(self, answers: Sequence[asyncio.Future[Any]], then: Callable[[], None]) -> None:
        """Do it when all of these are there; at once, if they are."""
        waiting = {answer for answer in answers if not answer.done()}
        if not waiting:
            then()
            return
        self._pending += 1
        for answer in waiting:
            answer.add_done_callback(partial(self._answered, waiting, then))

    def _answered(
        self,
        waiting: set[asyncio.Future[Any]],
        then: Callable[[], None],
        answer: asyncio.Future[Any],
    ) -> None:
        # Whoever looks at a failure keeps the event loop from telling that nobody did.
        failed = answer.cancelled() or answer.exception() is not None
        if self._ended:
            return
        waiting.discard(answer)
        if failed:
            self._surprise()
        elif not waiting:
            try:
                then()
            except Exception:  # as above
                self._surprise()
            else:
                self._done()

    @property
    def _ended(self) -> bool:
        return self._over is None or self._over.done()

    def _surprise(self) -> None:
        # What is told at once may have ended it before whoever asked comes to an end.
        if self._over is not None and not self._over.done():
            self._over.set_result(False)

    def _done(self) -> None:
        self._pending -= 1
        if not self._pending and self._over is not None:
            self._over.set_result(True)
