"""What tolerant decoding makes: whole structs, and those of which a part could not be kept."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct

from gateway.errors import InvalidAnswer


class Decoded(Struct, frozen=True, kw_only=True):
    """The base of what is decoded."""

    sound: ClassVar[bool] = False
    """Whether every field is known to hold what its type says: nobody need look again."""


class Omission(Struct, frozen=True):
    """A part of an answer that could not be kept, in a place where null can't stand; `where` is its
    JSON path.
    """

    where: str
    problem: str
    parts: int = 1
    """For how many parts it stands."""

    @property
    def failure(self) -> InvalidAnswer:
        return InvalidAnswer(f"Left out of the backend's answer: {self.where}: {self.problem}")


class Repaired:
    """A leaf that is not quite what the upstream has: whoever saves it back destroys what that is.
    `how` says what was lost, and is shown to clients.
    """

    how = ""


class RepairedText(Repaired, str):
    """With U+FFFD in place of each character that was lost."""


class RepairedList(Repaired, list[Any]):
    """JSON of any kind, with such a text in it."""


class RepairedTable(Repaired, dict[str, Any]):
    """The same."""
