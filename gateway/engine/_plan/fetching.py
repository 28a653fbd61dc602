"""How a field is fetched, declared once, beside the field.

The field's resolver makes the key of what it reads from the parent and the arguments: that is all
that differs between two such fields. A run loads the key; a cost estimate counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from strawberry.extensions import FieldExtension


class Notice(Struct, frozen=True):
    """What clients are told about an answer in which nothing is missing: an entry of the list
    `name` in the response's extensions, beside the path.
    """

    name: str
    facts: Mapping[str, Any]


class Key:
    """Says what is read; equal keys are read once."""

    __slots__ = ()

    def remarks(self, answer: Any) -> Sequence[Any]:
        """What is to be said beside an answer to the key: notices, and anything with a `failure`,
        such as what was left out. They are reported at the path of the field's parent.
        """
        return ()


class Fetched(FieldExtension):
    """Extends a field whose resolver gives the key of what it shows, or a list with the key of each
    item. What is no key stands for itself; an exception, for the item's error.
    """

    def __init__(
        self,
        show: Callable[[Any, Any, Any], Any] | None = None,
        *,
        known: Callable[[Any, Any], Any] | None = None,
        names: Collection[str] = (),
    ) -> None:
        """`show` makes the field's value of what was read, the key, and the operation's context;
        without it, what was read is the value. `known` makes the value of an item of a list,
        which may be a key, and the context: nothing is read if an operation looks at no other
        attributes of records than `names`.
        """
        self._show = show
        self.known = known
        self.names = frozenset(names)

    def keys(self, items: Iterable[Any]) -> Sequence[Key]:
        """Those of these items that are keys."""
        return [item for item in items if isinstance(item, Key)]

    def shown(self, answer: Any, key: Key, context: Any) -> Any:
        """The field's value."""
        return answer if self._show is None else self._show(answer, key, context)
