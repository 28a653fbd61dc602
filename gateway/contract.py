"""What an API's documents say of its answers, and where an answer deviates from that."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct, inspect

Kind = Literal["unknown_member", "unknown_value", "wrong_type", "missing", "null"]
INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)
"""RFC 3339's date-time."""
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
"""What is shown of a member that no document has: any other name may be a value, such as a uid."""
UNKNOWN: Final = 20
"""Undocumented members of one object that are named: whoever answers chooses how many there are."""
ITEMS: Final = 100
"""Items of a list that are looked at."""


class Value(Struct, frozen=True, kw_only=True):
    """What the documents say of one value of an answer."""

    member: str
    """Where it stands, such as ``items[].addresses[].country``; the answer itself is ``$``."""
    type: str
    """A name of `TYPES`."""
    required: bool = True
    nullable: bool = False
    values: frozenset[str] | None = None
    """Those of an enum."""
    items: Value | None = None
    """Of a list."""
    members: Mapping[str, Value] | None = None
    """Of an object; None where it may have any."""


class Contract(Struct, frozen=True):
    """What the documents say of the answers to one call."""

    answer: Value
    known: Collection[tuple[str, Kind]] = ()
    """Deviations by member and kind that the documents themselves show, as in their examples."""
    rows: str | None = None
    """The member that has the rows, of a page."""


class Deviation(Struct, frozen=True, kw_only=True):
    """A member of an answer that is not as documented. It has no value."""

    member: str
    kind: Kind
    example: str
    """The shape of what came: ``text of 12 characters``, ``list of 3``, ``absent``."""
    known: bool
    """Whether the documents themselves show it."""


def documented(
    kind: Any, *, optional: Collection[str] | None = None, nullable: Collection[str] = ()
) -> Value:
    """What a msgspec type says of its values: a member without a default is required. If `optional`
    is given, all are, but for those. None may be null, but for those in `nullable`.
    """

    def members(found: inspect.StructType, path: str) -> Iterator[tuple[str, Value]]:
        for field in found.fields:
            name = field.encode_name
            if name.startswith("!"):  # no API has it: see gateway.backends.wire
                continue
            type_ = field.type
            if isinstance(type_, inspect.UnionType):
                type_ = next(t for t in type_.types if not isinstance(t, inspect.NoneType))
            required = field.required if optional is None else name not in optional
            null = name in nullable or isinstance(type_, inspect.AnyType)
            yield name, value(type_, f"{path}{name}", required=required, nullable=null)

    def value(found: inspect.Type, member: str, **more: Any) -> Value:
        match found:
            case inspect.StructType():
                path = "" if member == "$" else f"{member}."
                more |= {"type": "object", "members": dict(members(found, path))}
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                more |= {"type": "list", "items": value(item, f"{member}[]")}
            case inspect.EnumType(cls=cls):
                values = {each.value for each in cls if each.name != "UNRECOGNIZED"}
                more |= {"type": "text", "values": frozenset(values)}
            case inspect.LiteralType(values=literals):
                more |= {"type": "text", "values": frozenset(map(str, literals))}
            case _:
                more |= {"type": _NAMES[type(found)]}
        return Value(member=member, **more)

    return value(inspect.type_info(kind), "$")


def deviations(answer: object, contract: Contract) -> list[Deviation]:
    """Where the answer, decoded from JSON, deviates from its contract: each member and kind once,
    with the first example. Of its values nothing is kept.
    """
    found: dict[tuple[str, Kind], str] = {}
    _compare(answer, contract.answer, found)
    return [
        Deviation(member=key[0], kind=key[1], example=example, known=key in contract.known)
        for key, example in found.items()
    ]


def _compare(value: Any, said: Value, found: dict[tuple[str, Kind], str]) -> None:
    if value is None:
        if not said.nullable:
            found.setdefault((said.member, "null"), "null")
    elif not TYPES[said.type](value):
        found.setdefault((said.member, "wrong_type"), shape(value))
    elif said.members is not None:
        for name, inner in said.members.items():
            if name in value:
                _compare(value[name], inner, found)
            elif inner.required:
                found.setdefault((inner.member, "missing"), "absent")
        path = "" if said.member == "$" else f"{said.member}."
        for number, name in enumerate(sorted(value.keys() - said.members.keys())[: UNKNOWN + 1]):
            shown = name if number < UNKNOWN and NAME.fullmatch(name) else "?"
            found.setdefault((path + shown, "unknown_member"), shape(value[name]))
    elif said.items is not None:
        for each in value[:ITEMS]:
            _compare(each, said.items, found)
    elif said.values is not None and value not in said.values:
        found.setdefault((said.member, "unknown_value"), shape(value))


def shape(value: object) -> str:
    """
    >>> shape("Ada"), shape([1, 2]), shape(True), shape({"a": 1})
    ('text of 3 characters', 'list of 2', 'true or false', 'object of 1')
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return f"text of {len(value)} characters"
        case int() | float():
            return "number"
        case list():
            return f"list of {len(value)}"
        case dict():
            return f"object of {len(value)}"
        case _:
            raise TypeError(f"JSON has no {type(value).__name__}.")


def _is_instant(value: object) -> bool:
    return type(value) is str and INSTANT.fullmatch(value) is not None


def _is_whole(value: object) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


TYPES: Final[Mapping[str, Callable[[object], bool]]] = {
    "text": lambda value: type(value) is str,
    "instant": _is_instant,
    "whole number": _is_whole,
    "number": lambda value: type(value) in (int, float),
    "true or false": lambda value: type(value) is bool,
    "list": lambda value: type(value) is list,
    "object": lambda value: type(value) is dict,
    "anything": lambda _value: True,
}
"""Whether a value is of the type of this name."""

_NAMES: Final = {
    inspect.StrType: "text",
    inspect.DateTimeType: "instant",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
    inspect.DictType: "object",
    inspect.AnyType: "anything",
}
