"""Objects of the response, made of the values of fields; the same value is the same object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import chain
from operator import mul
from typing import Any, Final, NamedTuple

import msgspec

from gateway.engine._plan.fields import PlainInfo
from gateway.engine._plan.plan import Link, Selection
from gateway.engine._run.account import Account
from gateway.engine._run.careful import Null, null_error
from gateway.engine._run.failures import Failure, Notes, expected
from gateway.engine._run.identity import identity_keys
from gateway.engine._run.sizes import ENCODER, size_of

Object = Any
"""An object of the response: a dict, or a struct if all of it is plain."""
Places = Sequence[int]
"""Of objects or values that are made once: how often each stands in the response, which is what
limits count.
"""
LISTS: Final = frozenset({list, tuple})


class Made(NamedTuple):
    """Objects without their links, and the values that they show."""

    selection: Selection
    values: Sequence[Any]
    objects: Sequence[Object]
    places: Places


class Batch(NamedTuple):
    """What has to be done for objects that are made together, once all of them are counted."""

    made: list[Made]
    given_up: list[Made]
    """One object each, without its plain fields: its serializer has given up on its value."""
    failures: list[tuple[Object, Failure]]
    """Of items of lists, with the object whose field the list is."""


class Objects:
    """Of one run."""

    def __init__(self, account: Account, info: PlainInfo, notes: Notes) -> None:
        self._account = account
        self._info = info
        self._notes = notes

    def of(self, link: Link, values: Sequence[Any], places: Places, batch: Batch) -> Sequence[Any]:
        """What the response shows of each value: an object, or a list of objects and nulls."""
        items, times = values, places
        if link.field.is_list:
            items = [item for value in values for item in value if item is not None]
            pairs = zip(values, places, strict=True)
            times = [count for value, count in pairs for item in value if item is not None]
        if len(link.types) == 1:
            [selection] = link.selections.values()
            made = self.made(selection, items, times, batch)
        else:
            made = self._by_type(link, items, times, batch)
        if not link.field.is_list:
            return made
        left = iter(made)
        return [[None if item is None else next(left) for item in value] for value in values]

    def _by_type(
        self, link: Link, values: Sequence[Any], places: Places, batch: Batch
    ) -> list[Object]:
        indexes: dict[str, list[int]] = {}
        for index, value in enumerate(values):
            type_ = link.type_of(value, self._info)
            assert type_ is not None  # noqa: S101  # the values are valid
            indexes.setdefault(type_.name, []).append(index)
        found: dict[int, Object] = {}
        for name, where in indexes.items():
            selection = link.selections[name]
            these, times = [values[each] for each in where], [places[each] for each in where]
            made = self.made(selection, these, times, batch)
            self._notes.selections |= dict.fromkeys(map(id, made), selection)
            found |= zip(where, made, strict=True)
        return [found[index] for index in range(len(values))]

    def made(
        self, selection: Selection, values: Sequence[Any], places: Places, batch: Batch
    ) -> list[Object]:
        """An object for each of these, of the selection's type, without its links.

        The same value gives the same object, put into several places: all below it is the same too.
        Raises LimitExceeded and DeadlineExceeded.
        """
        if not values:
            return []
        if len(values) > 1 and len(set(keys := identity_keys(values))) < len(values):
            several = dict(zip(keys, values, strict=True))
            count: Counter[Hashable] = Counter()
            for key, times in zip(keys, places, strict=True):
                count[key] += times
            counts = [count[key] for key in several]
            made = self.made(selection, list(several.values()), counts, batch)
            found = dict(zip(several, made, strict=True))
            return [found[key] for key in keys]
        account, serialize, info = self._account, selection.serialize, self._info
        shown = sum(places)
        account.fill(shown * selection.size)
        made = []
        for value, times in zip(values, places, strict=True):
            filled = account.values
            try:
                if times == 1:
                    made.append(serialize(value, info))
                else:
                    made.append(account.in_places(times, serialize, value, info))
            except Exception:  # whatever it is, the careful form meets it again
                account.values = filled
                blank = dict.fromkeys(selection.serializer.fields)
                batch.given_up.append(Made(selection, [value], [blank], [times]))
                made.append(blank)
        # Only what repeats may be far larger than what was read: too large to be encoded for this.
        repeats, encode = selection.serializer.repeats, ENCODER.encode
        if shown == len(values):
            account.weigh(size_of(made) if repeats else len(encode(made)))
        else:
            sizes = [size_of(each) if repeats else len(encode(each)) for each in made]
            account.weigh(sum(map(mul, sizes, places)))
        if selection.links:
            batch.made.append(Made(selection, values, made, places))
        return made

    def plain(self, link: Link, value: Any) -> Any:
        """What the response shows of a plain value; raises where its serializer gives up."""
        serializer, account = link.serializer, self._account
        assert serializer is not None  # noqa: S101  # only such links come here
        if value or not link.field.is_list:
            # Of a list, one item is counted here, the others by the serializer.
            account.fill(serializer.size)
        shown = serializer.serialize(value, self._info)
        if shown is None:
            return None
        if serializer.repeats:
            account.weigh(size_of(shown))
        # Encoded here and now, so that neither objects nor records have to stay.
        raw = msgspec.Raw(ENCODER.encode(shown))
        if not serializer.repeats:
            account.weigh(len(raw))
        return raw

    # -- values that can't be shown

    def are_valid(self, link: Link, values: Sequence[Any]) -> bool:
        """Whether all of these values, or all items in them, are objects that the link leads to."""
        if link.field.is_list:
            if not LISTS.issuperset(map(type, values)):
                return False
            values = list(chain.from_iterable(values))
        # A value's class alone decides it.
        for value in dict(zip(map(type, values), values, strict=True)).values():
            if link.type_of(value, self._info) is None:
                return False
        return True

    def valid(self, link: Link, value: Any, failures: list[Failure]) -> Any:
        """The value, null where it, or an item of it, can't be shown; raises Null."""
        if not link.field.is_list or not isinstance(value, list | tuple):
            wrong = self._wrong(link, value, nullable=link.field.nullable)
            if wrong is not None:
                raise Null(Failure((link.key,), link.nodes, expected(wrong)))
            return value
        items = []
        for index, item in enumerate(value):
            wrong = self._wrong(link, item, nullable=link.field.items_nullable)
            if wrong is not None:
                failure = Failure((link.key, index), link.nodes, expected(wrong))
                if not link.field.items_nullable:
                    raise Null(failure)
                failures.append(failure)
            items.append(item if wrong is None else None)
        return items

    def _wrong(self, link: Link, value: Any, *, nullable: bool) -> Exception | None:
        """Why the value can't be shown, if it can't."""
        if isinstance(value, Exception):
            return value
        if value is None:
            return None if nullable else null_error(link.nodes)
        if link.type_of(value, self._info) is None:
            return TypeError(f"This is nothing that {link.nodes[0].name.value} leads to.")
        return None
