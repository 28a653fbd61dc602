"""Running a plan: from its root on, as far as is known; then from each answer on, as it comes.

The objects of one selection are made together. What is fetched is requested as soon as its parent
is there, and goes into the parent's object whenever it comes, so that nothing waits for what it
does not need. A field that failed is null for now, and the failure is noted with its parent's
object. Where a generated function gives up on a record, the careful form of the same selection
makes the object, in time slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from graphql import ExecutionResult, OperationType, located_error

from gateway.engine._plan.fetching import Key
from gateway.engine._plan.fields import PlainInfo
from gateway.engine._plan.plan import Arguments, Link, Plan, Selection
from gateway.engine._run.careful import Careful, Null, Spot
from gateway.engine._run.context import OperationContext
from gateway.engine._run.failures import Failure, Notes, expected
from gateway.engine._run.null_propagation import NullPropagation
from gateway.engine._run.objects import Batch, Object, Objects, Places
from gateway.engine._run.time_slices import Steps, TimeSlices
from gateway.engine._run.waiting import Waiting

Path = tuple[str, ...] | None
"""Response keys that lead to a field or its parent, without indexes; None where nobody asks."""


class Run:
    """One run of a plan."""

    def __init__(
        self,
        plan: Plan,
        arguments: Arguments,
        context: OperationContext,
        prefetched: Sequence[Any],
        slices: TimeSlices,
    ) -> None:
        """The keys in `prefetched` are requested at once, whether they come to be needed or not."""
        self._plan = plan
        self._arguments = arguments
        self._context = context
        self._account = context.account
        self._prefetched = prefetched
        self._slices = slices
        self._info = PlainInfo(context, plan.fields.schema)
        self._notes = Notes(context.account.limits.max_errors)
        self._objects = Objects(context.account, self._info, self._notes)
        self._waiting = Waiting(slices, context.account.accepted)

    @cached_property
    def _careful(self) -> Careful:
        return Careful(self._plan.fields, self._info, self._account, self._slices)

    async def execute(self) -> ExecutionResult:
        """Parts of the result's data may be encoded already. Its errors come in the order of their
        fields; `warnings` in its extensions name values that are not quite the backend's, and each
        name of a notice has a list there.
        """
        root = self._plan.root
        try:
            batch = Batch([], [], [])
            try:
                [data] = self._objects.made(root, [None], [1], batch)
            except Exception as failure:  # nothing fits
                return ExecutionResult(None, [located_error(failure)])
            path = () if self._context.loaders.traced else None
            if self._plan.operation is OperationType.MUTATION:
                for link in root.links:
                    await self._change(link, data, path)
            else:
                self._finish(batch, path)
                self._context.loaders.prefetch(self._prefetched)
                await self._waiting.all()
            if self._notes.failures:
                return await self._result(root, data)
            return ExecutionResult(data)
        finally:
            self._waiting.close()

    async def _change(self, link: Link, data: Object, path: Path) -> None:
        """One after another: what is shown of one is read before the next begins."""
        if path is not None:
            path = (link.key,)
            self._context.loaders.change(path)
        try:
            payload = await link.field.follow(None, self._info, self._arguments.of(link))
        except Exception as failure:
            payload = failure
        self._account.outcome(self._complete, link, [payload], [data], [1], path)
        await self._waiting.all()

    async def _result(self, root: Selection, data: Object) -> ExecutionResult:
        found, account = NullPropagation(self._notes, self._slices), self._context.account
        await found.run(root, data)
        account.unlisted += found.unlisted
        for path, remarks in found.remarks:
            failures = (remark.failure for remark in remarks)
            account.report(path, failures, count=len(remarks))
        return ExecutionResult(
            None if found.nothing else data, found.errors or None, found.extensions or None
        )

    # -- following links

    def _follow(
        self,
        link: Link,
        parents: Sequence[Any],
        objects: Sequence[Object],
        places: Places,
        path: Path,
    ) -> None:
        """Put the field into each parent's object, now or when it has been read."""
        if path is not None:
            path = (*path, link.key)
        try:
            given = self._arguments.of(link)
        except Exception as mistake:
            self._complete(link, [mistake] * len(objects), objects, places, path)
            return
        follow, info, in_places = link.field.follow, self._info, self._account.in_places
        found: list[Any] = []
        for parent, times in zip(parents, places, strict=True):
            try:
                if times == 1:
                    found.append(follow(parent, info, given))
                else:
                    found.append(in_places(times, follow, parent, info, given))
            except Exception as failure:
                found.append(failure)
        if link.field.fetched is None:
            self._complete(link, found, objects, places, path)
            return
        lists: list[tuple[Sequence[Any], Object, int]] = []
        for wanted, into, times in zip(found, objects, places, strict=True):
            if isinstance(wanted, list):
                lists.append((wanted, into, times))
            elif isinstance(wanted, Key):
                self._waiting.answers += 1
                notified = partial(self._fetched, link, wanted, into, times, path)
                self._context.loaders.notify(wanted, notified, path)
            else:
                self._complete(link, [wanted], [into], [times], path)
        if lists:
            self._look_up(link, lists, path)

    def _fetched(
        self, link: Link, key: Key, into: Object, times: int, path: Path, read: Any
    ) -> None:
        """Show what was read by the key, or the exception in its place."""
        if self._waiting.answers < 0:
            return
        fetched, context = link.field.fetched, self._context
        assert fetched is not None  # noqa: S101  # or nothing would have been requested
        value = read
        if not isinstance(read, Exception):
            if remarks := key.remarks(read):
                self._notes.of(into, link).remarks = remarks
            try:
                if times == 1:
                    value = fetched.shown(read, key, context)
                else:
                    value = self._account.in_places(times, fetched.shown, read, key, context)
            except Exception as failure:
                value = failure
        self._complete(link, [value], [into], [times], path)
        self._waiting.answered()

    def _look_up(
        self, link: Link, lists: Sequence[tuple[Sequence[Any], Object, int]], path: Path
    ) -> None:
        """Show lists that have keys among their items; the reads are one batch, or part of one."""
        assert link.field.fetched is not None  # noqa: S101  # as above
        items = dict.fromkeys([item for wanted, _, _ in lists for item in wanted])
        keys = link.field.fetched.keys(items)
        read: dict[Any, Any] = {}

        def complete() -> None:
            values = [[read.get(item, item) for item in wanted] for wanted, _, _ in lists]
            _, objects, places = zip(*lists, strict=True)
            self._complete(link, values, objects, places, path)

        def answered(key: Any, answer: Any) -> None:
            read[key] = answer
            if len(read) == len(keys) and self._waiting.answers >= 0:
                complete()
                self._waiting.answered()

        if not keys:
            complete()
            return
        self._waiting.answers += 1
        for key in keys:
            self._context.loaders.notify(key, partial(answered, key), path)

    # -- completing fields

    def _complete(
        self,
        link: Link,
        values: Sequence[Any],
        objects: Sequence[Object],
        places: Places,
        path: Path,
    ) -> None:
        """Put what the response shows of these values of a field into their parents' objects."""
        if link.serializer is not None:
            for value, into, times in zip(values, objects, places, strict=True):
                self._complete_plain(link, value, into, times)
            return
        batch, account = Batch([], [], []), self._account
        if not self._objects.are_valid(link, values):
            values, objects, places = self._without_failures(link, values, objects, places, batch)
            if not values:
                return
        counted = account.counted
        try:
            made = self._objects.of(link, values, places, batch)
        except Exception as failure:
            account.counted = counted
            if self._may_fit_later(failure):
                again = partial(self._complete, link, values, objects, places, path)
                self._waiting.postpone(again)
            elif len(values) > 1:
                for value, into, times in zip(values, objects, places, strict=True):
                    self._complete(link, [value], [into], [times], path)
            else:
                self._fail(link, objects[0], failure)
            return
        for into, each in zip(objects, made, strict=True):
            into[link.key] = each
        for into, failed in batch.failures:
            self._notes.of(into, link).add(failed)
        self._finish(batch, path)

    def _finish(self, batch: Batch, path: Path) -> None:
        for selection, [value], [blank], [times] in batch.given_up:
            self._do_later(self._fill(selection, value, blank, times))
        for selection, values, objects, places in batch.made:
            for link in selection.links:
                self._follow(link, values, objects, places, path)

    def _complete_plain(self, link: Link, value: Any, into: Object, times: int) -> None:
        """Fields of which all is plain fail value by value."""
        if isinstance(value, Exception):  # some functions look at nothing of a value
            self._fail(link, into, value)
            return
        account = self._account
        counted = account.counted
        try:
            if times == 1:
                into[link.key] = self._objects.plain(link, value)
            else:
                into[link.key] = account.in_places(times, self._objects.plain, link, value)
        except Exception as failure:  # whatever it is, the careful form meets it again
            account.counted = counted
            if self._may_fit_later(failure):
                again = partial(self._complete_plain, link, value, into, times)
                self._waiting.postpone(again)
            else:
                self._do_later(self._complete_carefully(link, value, into, times))

    # -- failures

    def _without_failures(
        self,
        link: Link,
        values: Sequence[Any],
        objects: Sequence[Object],
        places: Places,
        batch: Batch,
    ) -> tuple[Sequence[Any], Sequence[Object], Places]:
        """The values that can be shown, with null for items that can't. Other fields are null."""
        kept: list[tuple[Any, Object, int]] = []
        for value, into, times in zip(values, objects, places, strict=True):
            failures: list[Failure] = []
            try:
                valid = self._objects.valid(link, value, failures)
            except Null as null:
                self._fail(link, into, null)
                continue
            if valid is not None:
                kept.append((valid, into, times))
                batch.failures.extend((into, failure) for failure in failures)
        return [each[0] for each in kept], [each[1] for each in kept], [each[2] for each in kept]

    def _may_fit_later(self, failure: Exception) -> bool:
        return self._waiting.answers > 0 and self._account.may_grow(failure)

    def _fail(self, link: Link, into: Object, error: Exception) -> None:
        """Note why the field is null."""
        into[link.key] = None
        if isinstance(error, Null):
            failure = error.failure
        else:
            failure = Failure((link.key,), link.nodes, expected(error))
        failures = self._notes.of(into, link)
        if link.field.nullable:
            failures.add(failure)
        else:
            failures.reasons.append(failure)

    # -- the careful form of plain fields

    def _do_later(self, steps: Steps) -> None:
        self._waiting.do_later(self._outcome(steps) if self._account.of_outcome else steps)

    def _outcome(self, steps: Steps) -> Steps:
        """The outcome of a change is counted apart, in between what others count."""
        while self._account.outcome(next, steps, self) is not self:
            yield

    def _fill(self, selection: Selection, value: Any, blank: Object, times: int) -> Steps:
        """Put the plain fields into an object that has none yet."""
        failures, serializer = self._notes.of(blank, selection), selection.serializer
        try:
            yield from self._careful.fill(blank, serializer, value, failures, places=times)
        except Null as null:
            failures.reasons.append(null.failure)

    def _complete_carefully(self, link: Link, value: Any, into: Object, times: int) -> Steps:
        serializer, failures = link.serializer, self._notes.of(into, link)
        assert serializer is not None  # noqa: S101  # as above
        spot = Spot(link.nodes, serializer.below, failures, (link.key,), times)
        try:
            if value is not None and (value or not link.field.is_list):
                self._account.fill(times * serializer.size)
            into[link.key] = yield from self._careful.value(link.field.definition.type, value, spot)
        except Exception as failure:
            self._fail(link, into, failure)
