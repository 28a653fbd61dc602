"""Answers as the vendors' documents have them, and such as deviate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway.contract import Contract, Value

ADA = "Ada Lovelace, 49 000 1234"
SAMPLES = {
    "text": ADA,
    "instant": "2025-07-30T18:10:06.447Z",
    "whole number": 4711,
    "number": 47.11,
    "true or false": True,
    "anything": {ADA: ADA},
}


def values(value: Value) -> Iterator[Value]:
    """A value of a contract, and all those inside."""
    yield value
    for inner in [*(value.members or {}).values(), *filter(None, [value.items])]:
        yield from values(inner)


def as_documented(value: Value, other: Callable[[Value], Any] = lambda value: None) -> Any:
    """An answer with all documented members, and one item in each list; `other` says what is in the
    place of a value, unless that is None.
    """
    instead = other(value)
    if instead is not None:
        return instead
    if value.items is not None:
        return [as_documented(value.items, other)]
    if value.type == "object":
        members = (value.members or {}).items()
        return {name: as_documented(inner, other) for name, inner in members}
    return min(value.values) if value.values else SAMPLES[value.type]


def changed(contract: Contract, member: str, change: Callable[[Any, Any], object]) -> Any:
    """The answer as documented, but for what `change(holder, name)` does to a member of it."""
    made = {"$": as_documented(contract.answer)}
    holder: Any = made
    name: Any = "$"
    for part in [] if member == "$" else member.replace("[]", ".0").split("."):
        holder, name = holder[name], 0 if part == "0" else part
    change(holder, name)
    return made.get("$")
