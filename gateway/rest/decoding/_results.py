"""The results of tolerant decoding."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct

from gateway.errors import InvalidAnswer


class Decoded(Struct, frozen=True, kw_only=True):
    """The base of the structs that are decoded."""

    valid: ClassVar[bool] = False
    """Whether every field holds a value of its type, so that no reader need check."""


class Omission(Struct, frozen=True):
    """A part of an answer that was left out, because null can't be in its place. `where` is its
    JSON path.
    """

    where: str
    problem: str
    parts: int = 1
    """How many omissions it stands for."""

    @property
    def failure(self) -> InvalidAnswer:
        return InvalidAnswer(f"Left out of the backend's answer: {self.where}: {self.problem}")


class Repaired:
    """A leaf that differs from the upstream's: whoever saves it back destroys the original. `how`
    says what was lost, and is shown to clients.
    """

    how = ""


class RepairedText(Repaired, str):
    """Text with U+FFFD in place of each lost character."""


class RepairedList(Repaired, list[Any]):
    """A list with such a text in it."""


class RepairedTable(Repaired, dict[str, Any]):
    """An object with such a text in it."""
