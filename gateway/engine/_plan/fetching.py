"""What a schema says of its fields that are read: their keys, and what of an answer they show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

from strawberry.extensions import FieldExtension


class Fetched(FieldExtension, ABC):
    """Of a field whose resolver gives the key of what it shows, None where there is nothing to
    fetch, or a list with the key of each item. An item that is no key stands for itself; an
    exception, for the item's error.
    """

    @abstractmethod
    def keys(self, items: Iterable[Any]) -> Sequence[Any]:
        """Those of these items that are keys."""

    @abstractmethod
    def shown(self, answer: Any, key: Any, context: Any) -> Any:
        """The field's value, of what was read by its key; `context` is the operation's."""

    @abstractmethod
    def omissions(self, answer: Any, key: Any) -> Sequence[Any]:
        """What was left out of the answer, each part with the `failure` that tells of it, at the
        path of the field's parent.
        """
