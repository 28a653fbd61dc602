"""Running a plan: from its root on, as far as is known; then from each answer on, as it comes.

Objects of one place are made together. What is fetched is asked for as soon as its parent is there,
and goes into its parent's object whenever it comes; so nothing waits for what it does not need.
What fails is noted beside its object, and costs nothing else: plain values on which a generated
function has given up are made by the careful form of the same selection, in time slices.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import islice
from typing import Any

import msgspec
from graphql import (
    ExecutionResult,
    GraphQLObjectType,
    OperationType,
    located_error,
)
from graphql.pyutils import Path

from gateway.engine._plan.expressions import ENCODED, Weigh
from gateway.engine._plan.fields import PlainInfo
from gateway.engine._plan.plan import Arguments, Link, Plan, Selection
from gateway.engine._run.careful import Careful, Null, null_error
from gateway.engine._run.context import OperationContext
from gateway.engine._run.failures import Failure, Failures, Steps, Told, expected
from gateway.engine._run.identity import identity_keys
from gateway.engine._run.time_slices import TimeSlices

Object = Any
"""An object of the response: a dict, or a struct if all of it is plain."""
Places = Sequence[int]
"""Of objects or values that are made once: how often each stands in the response, which is what
limits count.
"""
Followed = tuple[Selection, Sequence[Any], Sequence[Object], Places]
"""Objects whose links are still to be followed, with the values that they are made of."""


class Run:
    """One run of a plan."""

    def __init__(
        self,
        plan: Plan,
        arguments: Arguments,
        context: OperationContext,
        ahead: Sequence[Any],
        slices: TimeSlices,
    ) -> None:
        """What is `ahead` is asked for at once, whether it comes to be needed or not."""
        self.objects = 0
        """How many objects it has made."""
        self._plan = plan
        self._arguments = arguments
        self._context = context
        self._account = context.account
        self.ahead = ahead
        self._slices = slices
        self._info = PlainInfo(context, plan.fields.schema)
        self._careful = Careful(plan.fields, self._info, context.account, slices)
        self._failures: dict[int, Failures] = {}
        self._failed: set[int] = set()
        """The parts of the plan in which something failed."""
        self._selections: dict[int, Selection] = {}
        """Of objects whose type their field leaves open."""
        self._later: deque[Steps] = deque()
        """What takes longer than others should wait."""
        self._postponed: list[tuple[Link, Sequence[Any], Sequence[Object], Places]] = []
        """What there is no room for before a backend has accepted the request's token."""
        self._pending = 0
        self._wake: asyncio.Future[None] | None = None

    async def execute(self) -> ExecutionResult:
        """Parts of the result's data may be encoded already. Its errors come in the order of their
        fields; `warnings` in its extensions say what is not quite the backend's.
        """
        root = self._plan.root
        try:
            followed: list[Followed] = []
            try:
                [made] = self._made(root, [None], [1], followed)
            except Exception as failure:  # nothing fits
                return ExecutionResult(None, [located_error(failure)])
            if self._plan.operation is OperationType.MUTATION:
                for link in root.links:
                    await self._change(link, made)
            else:
                self._follow_all(followed)
                self._context.loaders.prefetch(self.ahead)
                await self._done()
            return await self._result(root, made) if self._failures else ExecutionResult(made)
        finally:
            self._wake = None
            self._pending = -1  # nobody is waiting any more
            self._later.clear()

    async def _change(self, link: Link, made: Object) -> None:
        """One after another: what is shown of one is read before the next begins."""
        path = Path(None, link.key, self._plan.root.type.name)
        try:
            given = self._arguments.of(link)
            info = PlainInfo(self._context, self._info.schema, path)
            payload = await link.field.follow(None, info, given)
        except Exception as failure:
            payload = failure
        self._complete(link, [payload], [made], [1])
        await self._done()

    async def _result(self, root: Selection, made: Object) -> ExecutionResult:
        told = Told(
            self._failures,
            self._failed,
            self._selections,
            self._slices,
            most=self._account.limits.max_errors,
        )
        await told.look(root, made)
        self._context.reports.unlisted += told.unlisted
        for path, omissions in told.omissions:
            failures = (omission.failure for omission in omissions)
            self._context.reports.add(path, failures, count=len(omissions))
        return ExecutionResult(
            None if told.nothing else made,
            told.errors or None,
            {"warnings": told.warnings} if told.warnings else None,
        )

    # -- making objects

    def _made(
        self,
        selection: Selection,
        values: Sequence[Any],
        places: Places,
        followed: list[Followed],
        *,
        tells: bool = False,
    ) -> list[Object]:
        """An object for each of these, of the selection's type; what is fetched may come later.

        The same value gives the same object, put into several places: all below it is the same too.
        Raises what counting them raises; then none of them is followed.
        """
        if len(values) > 1 and len(set(keys := identity_keys(values))) < len(values):
            return self._shared(selection, values, keys, places, followed, tells=tells)
        self.objects += len(values)
        if tells:
            with self._account.telling():
                made = self._rows(selection, values, places, tells=True)
        else:
            made = self._rows(selection, values, places)
        if selection.links:
            followed.append((selection, values, made, places))
        return made

    def _shared(
        self,
        selection: Selection,
        values: Sequence[Any],
        keys: Sequence[Hashable],
        places: Places,
        followed: list[Followed],
        *,
        tells: bool,
    ) -> list[Object]:
        several = dict(zip(keys, values, strict=True))
        times: Counter[Hashable] = Counter()
        for key, count in zip(keys, places, strict=True):
            times[key] += count
        counts = [times[key] for key in several]
        made = self._made(selection, list(several.values()), counts, followed, tells=tells)
        objects = dict(zip(several, made, strict=True))
        return [objects[key] for key in keys]

    def _rows(
        self,
        selection: Selection,
        values: Sequence[Any],
        places: Places,
        *,
        tells: bool = False,
    ) -> list[Object]:
        self._account.fill(sum(places) * selection.size)
        filled = self._account.values
        try:
            made = self._serialized(selection.serialize, values, places)
        except Exception:  # whatever it is, who looks more carefully meets it again
            self._account.values = filled
            return self._mixed_rows(selection, values, places, tells=tells)
        self._weigh(selection.weigh, made, places)
        return made

    def _mixed_rows(
        self, selection: Selection, values: Sequence[Any], places: Places, *, tells: bool
    ) -> list[Object]:
        """Of values of which some are not as they should be."""
        account, serialize, info = self._account, selection.serialize, self._info
        made: list[Object] = []
        sound: list[Object] = []
        counts: list[int] = []
        for value, times in zip(values, places, strict=True):
            filled = account.values
            try:
                row = (
                    serialize(value, info)
                    if times == 1
                    else account.in_places(times, serialize, value, info)
                )
            except Exception:  # as above
                account.values = filled
                row = dict.fromkeys(selection.serializer.fields)
                self._do_later(self._carefully(selection, value, row, times), tells=tells)
            else:
                sound.append(row)
                counts.append(times)
            made.append(row)
        self._weigh(selection.weigh, sound, counts)
        return made

    def _serialized(
        self, serialize: Callable[..., Any], values: Sequence[Any], places: Places
    ) -> list[Any]:
        """What a generated function makes of each value; raises where it gives up on one."""
        info = self._info
        if sum(places) == len(places):
            return [serialize(value, info) for value in values]
        in_places = self._account.in_places
        return [
            in_places(times, serialize, value, info)
            for value, times in zip(values, places, strict=True)
        ]

    def _carefully(self, selection: Selection, value: Any, blank: Object, times: int) -> Steps:
        """The plain fields of an object that has none yet."""
        failures = self._beside(blank, selection)
        try:
            made = yield from self._careful.object(
                selection.serializer, value, failures, places=times
            )
        except Null as null:
            failures.reasons.append(null.failure)
            return
        for key, shown in made.items():
            if key not in selection.serializer.others:
                blank[key] = shown

    def _follow_all(self, followed: Sequence[Followed]) -> None:
        for selection, values, made, places in followed:
            for link in selection.links:
                self._follow(link, values, made, places)

    def _follow(
        self, link: Link, parents: Sequence[Any], made: Sequence[Object], places: Places
    ) -> None:
        """Put the field into each parent's object, now or when it is there."""
        try:
            given = self._arguments.of(link)
        except Exception as mistake:
            self._complete(link, [mistake] * len(made), made, places)
            return
        found = self._each(places, link.field.follow, parents, self._info, given)
        if link.field.fetched is None:
            self._complete(link, found, made, places)
            return
        lists: list[tuple[Sequence[Any], Object, int]] = []
        for wanted, into, times in zip(found, made, places, strict=True):
            if isinstance(wanted, list):
                lists.append((wanted, into, times))
            elif wanted is None or isinstance(wanted, Exception):
                self._complete(link, [wanted], [into], [times])
            else:
                self._pending += 1
                self._context.loaders.notify(wanted, partial(self._told, link, wanted, into, times))
        if lists:
            self._look_up(link, lists)

    def _each(
        self, places: Places, make: Callable[..., Any], values: Sequence[Any], *given: Any
    ) -> list[Any]:
        """What is made of each value, or the exception in its place; what that counts is counted
        for each of its places.
        """
        made: list[Any] = []
        once = sum(places) == len(places)
        in_places = self._account.in_places
        while len(made) < len(values):
            try:
                if once:
                    for value in islice(values, len(made), None):
                        made.append(make(value, *given))  # what is made stays
                else:
                    for index in range(len(made), len(values)):
                        made.append(in_places(places[index], make, values[index], *given))
            except Exception as failure:
                made.append(failure)
        return made

    def _told(self, link: Link, key: Any, into: Object, times: int, read: Any) -> None:
        """Show what was read by the key, or the exception in its place."""
        if self._pending < 0:
            return
        fetched, context = link.field.fetched, self._context
        assert fetched is not None  # noqa: S101  # or nothing would have been asked for
        shown = read
        if not isinstance(read, Exception):
            if omissions := key.omissions(read):
                self._beside(into, link).omissions = omissions
            try:
                shown = self._account.in_places(times, fetched.shown, read, key, context)
            except Exception as failure:
                shown = failure
        self._complete(link, [shown], [into], [times])
        self._one_less()

    def _look_up(self, link: Link, lists: Sequence[tuple[Sequence[Any], Object, int]]) -> None:
        """Lists of keys, all of one place: they are one batch, or a part of one."""
        ask, fetched = self._context.loaders.ask, link.field.fetched
        assert fetched is not None  # noqa: S101  # as above
        items = dict.fromkeys(item for wanted, _, _ in lists for item in wanted)
        answers = {key: ask(key) for key in fetched.keys(items)}

        def complete() -> None:
            values = [
                [_read(answers[item]) if item in answers else item for item in wanted]
                for wanted, _, _ in lists
            ]
            _, made, places = zip(*lists, strict=True)
            self._complete(link, values, made, places)

        self._when(list(answers.values()), complete)

    # -- completing fields

    def _complete(
        self, link: Link, values: Sequence[Any], made: Sequence[Object], places: Places
    ) -> None:
        """Put what the response shows of these values of a field into their parents' objects."""
        counted = self._account.counted
        followed: list[Followed] = []
        try:
            if link.serializer is not None:
                with self._account.telling() if link.tells else nullcontext():
                    completed = self._plain(link, values, places)
            elif link.field.is_list:
                completed = self._lists(link, values, places, followed)
            else:
                nullable = link.field.nullable
                completed = self._items(link, values, places, followed, nullable=nullable)
        except Exception as failure:  # as above
            self._account.counted = counted
            if self._pending and self._account.may_grow(failure):
                self._postponed.append((link, values, made, places))
            elif len(values) > 1:
                for value, into, times in zip(values, made, places, strict=True):
                    self._complete(link, [value], [into], [times])
            else:
                self._alone_complete(link, values[0], made[0], places[0])
            return
        key = link.key
        for value, into in zip(completed, made, strict=True):
            into[key] = value
        if followed:
            self._follow_all(followed)

    def _plain(self, link: Link, values: Sequence[Any], places: Places) -> list[Any]:
        assert link.serializer is not None  # noqa: S101  # asked by those who have looked
        if link.field.is_list:
            return self._plain_lists(link, values, places)
        for value in values:
            if isinstance(value, Exception):  # some functions look at nothing of a value
                raise _Unsound
        self._account.fill(sum(places) * link.serializer.size)
        completed = self._serialized(link.serializer.serialize, values, places)
        self._weigh(link.serializer.weigh, completed, places)
        return completed

    def _plain_lists(self, link: Link, values: Sequence[Any], places: Places) -> list[Any]:
        assert link.serializer is not None  # noqa: S101  # as above
        serialize, size, info = link.serializer.serialize, link.serializer.size, self._info
        weigh, repeats = link.serializer.weigh, link.serializer.repeats
        account = self._account
        # One item of each list: the serializer counts the others.
        there = [times if value else 0 for value, times in zip(values, places, strict=True)]
        account.fill(sum(there) * size)

        def encoded(value: Any) -> msgspec.Raw:
            """Here and now, so that neither objects nor records have to stay."""
            completed = serialize(value, info)
            if repeats:
                account.weigh(weigh((completed,)))
                return msgspec.Raw(ENCODED.encode(completed))
            # Not much more than was read: then nobody need go through it once more.
            raw = msgspec.Raw(ENCODED.encode(completed))
            account.bytes += len(raw)
            if account.bytes > account.few:
                account.weigh(0)  # to call it each time would take as long as a short list
            return raw

        if sum(places) == len(places):
            completed = [encoded(value) for value in values]
        else:
            completed = [
                account.in_places(times, encoded, value)
                for value, times in zip(values, places, strict=True)
            ]
        self.objects += sum(len(value) for value in values if value)
        return completed

    def _weigh(self, weigh: Weigh, made: Sequence[Any], places: Places) -> None:
        if sum(places) == len(places):
            self._account.weigh(weigh(made))
        else:
            times = zip(made, places, strict=True)
            self._account.weigh(sum(count * weigh((each,)) for each, count in times))

    def _lists(
        self, link: Link, values: Sequence[Any], places: Places, followed: list[Followed]
    ) -> list[Any]:
        there = [each for each in zip(values, places, strict=True) if each[0] is not None]
        if len(there) < len(values) and not link.field.nullable:
            raise _Unsound
        every = [item for value, _ in there for item in value]
        times = [count for value, count in there for _ in value]
        items = iter(self._items(link, every, times, followed, nullable=link.field.items_nullable))
        return [None if value is None else [next(items) for _ in value] for value in values]

    def _items(
        self,
        link: Link,
        values: Sequence[Any],
        places: Places,
        followed: list[Followed],
        *,
        nullable: bool,
    ) -> list[Any]:
        there = [value for value in values if value is not None]
        if len(there) == len(values):
            return self._typed(link, values, places, followed)
        if not nullable:
            raise _Unsound
        times = [count for value, count in zip(values, places, strict=True) if value is not None]
        objects = iter(self._typed(link, there, times, followed))
        return [None if value is None else next(objects) for value in values]

    def _typed(
        self, link: Link, values: Sequence[Any], places: Places, followed: list[Followed]
    ) -> list[Object]:
        """Objects of values of the types that the link leads to; raises where one is of none."""
        if len(link.types) == 1:
            [selection] = link.selections.values()
            if not selection.holds(values, self._info):
                raise _Unsound
            return self._made(selection, values, places, followed, tells=link.tells)
        by_type: dict[str, tuple[list[Any], list[int]]] = {}
        names = [self._type_of(link, value).name for value in values]
        for name, value, times in zip(names, values, places, strict=True):
            of_type, counts = by_type.setdefault(name, ([], []))
            of_type.append(value)
            counts.append(times)
        made = {}
        for name, (of_type, counts) in by_type.items():
            selection = link.selections[name]
            objects = self._made(selection, of_type, counts, followed, tells=link.tells)
            self._selections |= dict.fromkeys(map(id, objects), selection)
            made[name] = iter(objects)
        return [next(made[name]) for name in names]

    def _type_of(self, link: Link, value: Any) -> GraphQLObjectType:
        type_ = None if isinstance(value, Exception) else link.type_of(value, self._info)
        if type_ is None:
            raise _Unsound
        return type_

    # -- what is not as it should be

    def _alone_complete(self, link: Link, value: Any, into: Object, times: int) -> None:
        """One value, of which something is wrong."""
        if link.serializer is not None and not isinstance(value, Exception):
            self._do_later(self._plain_carefully(link, value, into, times), tells=link.tells)
            return
        followed: list[Followed] = []
        wrong = value if isinstance(value, Exception) else None
        if value is None:
            wrong = null_error(link.nodes)
        try:
            if wrong is None and link.field.is_list:
                into[link.key] = self._sound_items(link, value, into, times, followed)
            elif wrong is None:
                [into[link.key]] = self._typed(link, [value], [times], followed)
        except Null as null:
            self._fail(link, into, null.failure)
            return
        except Exception as failure:
            wrong = failure
        if wrong is not None:
            self._fail(link, into, Failure((link.key,), link.nodes, expected(wrong)))
        else:
            self._follow_all(followed)

    def _sound_items(
        self, link: Link, value: Sequence[Any], into: Object, times: int, followed: list[Followed]
    ) -> list[Any]:
        """The items of a list, null where one can't be shown; raises Null where that can't be."""
        failures = self._beside(into, link)
        sound = []
        for index, item in enumerate(value):
            wrong = item if isinstance(item, Exception) else None
            if item is None and not link.field.items_nullable:
                wrong = null_error(link.nodes)
            if item is not None and wrong is None and link.type_of(item, self._info) is None:
                wrong = TypeError(f"An item of {link.nodes[0].name.value} is of another type.")
            if wrong is not None:
                failure = Failure((link.key, index), link.nodes, expected(wrong))
                if not link.field.items_nullable:
                    raise Null(failure)
                failures.add(failure)
            sound.append(None if wrong is not None else item)
        there = [item for item in sound if item is not None]
        objects = iter(self._typed(link, there, [times] * len(there), followed) if there else ())
        return [None if item is None else next(objects) for item in sound]

    def _plain_carefully(self, link: Link, value: Any, into: Object, times: int) -> Steps:
        assert link.serializer is not None  # noqa: S101  # as above
        completed, failures = link.serializer, self._beside(into, link)
        try:
            if value is not None and (value or not link.field.is_list):
                self._account.fill(times * completed.size)
            into[link.key] = yield from self._careful.value(
                link.field.definition.type,
                link.nodes,
                completed.below,
                value,
                failures,
                (link.key,),
                places=times,
            )
        except Null as null:
            failures.reasons.append(null.failure)
        except Exception as failure:
            self._fail(link, into, Failure((link.key,), link.nodes, expected(failure)))

    def _fail(self, link: Link, into: Object, failure: Failure) -> None:
        into[link.key] = None
        failures = self._beside(into, link)
        if link.field.nullable:
            failures.add(failure)
        else:
            failures.reasons.append(failure)

    def _beside(self, made: Object, where: Link | Selection) -> Failures:
        """What failed in this object: in one field, or in its plain ones."""
        self._failed.add(id(where))
        failures = self._failures.get(id(made))
        if failures is None:
            failures = Failures(made, self._account.limits.max_errors)
            self._failures[id(made)] = failures
        return failures

    # -- waiting

    def _do_later(self, steps: Steps, *, tells: bool) -> None:
        self._later.append(self._telling_steps(steps) if tells else steps)
        self._look_again()

    def _telling_steps(self, steps: Steps) -> Steps:
        """Counted apart, between the times at which others are counted."""
        while True:
            with self._account.telling():
                try:
                    next(steps)
                except StopIteration:
                    return
            yield

    async def _done(self) -> None:
        """When all that was asked for is there and shown."""
        while self._later or self._pending or self._postponed:
            if self._later:
                await self._slices.run(self._later.popleft())
            elif self._postponed and (self._context.accepted or not self._pending):
                self._complete(*self._postponed.pop(0))
            else:
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake

    def _look_again(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _one_less(self) -> None:
        self._pending -= 1
        if not self._pending or self._postponed:
            self._look_again()

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
        _read(answer)  # who looks at a failure keeps the event loop from telling that nobody did
        waiting.discard(answer)
        if not waiting and self._pending >= 0:
            then()
            self._one_less()


class _Unsound(Exception):
    """Values are not as they should be, and have to be looked at one by one."""


def _read(answer: asyncio.Future[Any]) -> Any:
    """What was read, or the exception in its place."""
    if answer.cancelled():
        return RuntimeError("A read was cancelled.")
    return answer.exception() or answer.result()
