"""Decodes JSON that is partly invalid, as far as possible.

No answer may hold up other requests, whatever is wrong with it. So lists have a largest length, and
the values that are decoded by themselves are counted. All others remain bytes (msgspec's Raw).
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, structs
from msgspec.inspect import (
    DateTimeType,
    DictType,
    IntType,
    StructType,
    UnionType,
    VarTupleType,
    type_info,
)

from gateway.errors import InvalidAnswer
from gateway.rest.decoding._json_repair import (
    UNKNOWN,
    Lost,
    with_json_numbers,
    with_whole_characters,
)
from gateway.rest.decoding._results import (
    Decoded,
    Omission,
    Repaired,
    RepairedList,
    RepairedTable,
    RepairedText,
)

StructT = TypeVar("StructT", bound=Struct)
RepairedT = TypeVar("RepairedT", bound=Repaired)

LONGEST: Final = 10_000
"""Rows of one page. No setting asks for more, but an upstream may ignore the page size. The same
holds for the elements of a list in a row.
"""
MOST_LOOKS: Final = 200_000
"""Values of one answer that are decoded by themselves; a failure counts as `FAILURE` values. They
take 30 to 60 ms, and are enough for 2,000 broken customers.
"""
FAILURE: Final = 10
MOST_OMISSIONS: Final = 200
"""Omissions of one answer. If there are more, the last one has their number."""

NO_JSON: Final = "The backend's answer is not JSON."
NULL: Final = Raw(b"null")
EMPTY_LIST: Final = Raw(b"[]")
EMPTY_TEXT: Final = Raw(b'""')


FINE: Final = re.compile(rb"\.\d{7}")
"""The fraction of an instant that is more precise than microseconds."""
ENOUGH_TO_TELL: Final = 1_024
"""Bytes of a body that are searched: an API that writes such instants writes them everywhere."""
ROUNDED_UP: Final = rb"\.\d{3}999[5-9]"
"""The fraction of an instant that msgspec would round to one of the next millisecond."""
_ROUNDED_UP: Final = re.compile(ROUNDED_UP)
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_NUMBER: Final = re.compile(rb"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?")


def has_finer_instants(body: bytes) -> bool:
    """Whether `body` has instants that msgspec would round up."""
    return FINE.search(body, 0, ENOUGH_TO_TELL) is not None and _ROUNDED_UP.search(body) is not None


def readable(body: bytes) -> tuple[Raw, Findings]:
    """`body` after JSON repair, so that any part can be decoded by itself, and its Findings. Raises
    InvalidAnswer if it is not JSON.
    """
    body, lost = with_whole_characters(body)
    for repair in (with_json_numbers, None):
        try:
            found = Findings(lost, finer=has_finer_instants(body))
            return msgspec.json.decode(body, type=Raw), found
        except msgspec.DecodeError:
            if repair is None:
                break
            body = repair(body)
    raise InvalidAnswer(NO_JSON)


class Unusable(Exception):
    """An object lacks a required field."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem)
        self.where, self.problem = where, problem


class Exhausted(Exception):
    """`MOST_LOOKS` values were decoded by themselves."""


class TooMany(Exception):
    """A list has more than `LONGEST` elements."""


class Findings:
    """The omissions of one answer, its lost characters, and how many more values may be decoded by
    themselves.
    """

    def __init__(self, lost: Lost | None, *, finer: bool) -> None:
        """`finer` says whether there are instants that msgspec would round up."""
        self.omissions: list[Omission] = []
        self._left = MOST_LOOKS
        self._lost = lost
        odd = [*([lost.mark.encode()] if lost else ()), *([ROUNDED_UP] if finer else ())]
        self._odd = re.compile(b"|".join(odd)) if odd else None

    def odd(self, given: Raw) -> bool:
        """Whether it may contain something that msgspec decodes as a wrong value."""
        return self._odd is not None and self._odd.search(given) is not None

    def text(self, value: str) -> str:
        """`value` with U+FFFD in place of lost characters."""
        if self._lost is None or self._lost.mark not in value:
            return value
        return self._repaired(RepairedText(value.replace(self._lost.mark, UNKNOWN)))

    def json(self, given: Raw) -> object:
        """Any JSON, with U+FFFD in place of lost characters. Raises ValidationError."""
        mark = None if self._lost is None else self._lost.mark.encode()
        content = bytes(given)
        if mark is None or mark not in content:
            return _ANY.decode(content)
        match _ANY.decode(content.replace(mark, UNKNOWN.encode())):
            case str() as text:
                return self._repaired(RepairedText(text))
            case list() as parts:
                return self._repaired(RepairedList(parts))
            case table:
                return self._repaired(RepairedTable(table))

    def _repaired(self, value: RepairedT) -> RepairedT:
        assert self._lost is not None  # noqa: S101  # the callers have looked
        value.how = f"The backend sent {self._lost.how}; U+FFFD stands for each."
        return value

    def spend(self, looks: int) -> None:
        """Raises Exhausted if fewer are left."""
        self._left -= looks
        if self._left < 0:
            raise Exhausted

    def leave_out(self, where: str, problem: str) -> None:
        if len(self.omissions) < MOST_OMISSIONS:
            self.omissions.append(Omission(where, problem))
            return
        parts = self.omissions[-1].parts + 1
        self.omissions[-1] = Omission("$", f"{parts} more parts of it can't be used.", parts)


class Kind(Generic[StructT]):
    """Decodes objects of one type, each as far as possible.

    Its parts are made when the first broken object is decoded.
    """

    def __init__(self, kind: type[StructT]) -> None:
        self._kind = kind

    @cached_property
    def _strict(self) -> msgspec.json.Decoder[StructT]:
        return msgspec.json.Decoder(self._kind)

    @cached_property
    def _members(self) -> list[_Member]:
        return [_Member(field) for field in structs.fields(self._kind)]

    @cached_property
    def _shell(self) -> msgspec.json.Decoder[Any]:
        """Decodes an object to its members as bytes, None for those that are absent."""
        names = {member.name: member.called for member in self._members}
        fields = [(name, Raw, cast("Raw", None)) for name in names]
        return msgspec.json.Decoder(msgspec.defstruct("Shell", fields, rename=names))

    @cached_property
    def _partial(self) -> type[StructT]:
        """The type of a record in which a leaf holds an error, at any depth.

        Once that is raised, the error leads to whoever had the record in hand, and so back to
        itself.
        """
        made = msgspec.defstruct(
            self._kind.__name__,
            [],
            bases=(self._kind,),
            namespace={"valid": False},
            frozen=True,
            gc=True,
        )
        return cast("type[StructT]", made)

    def read(self, given: Raw, where: str, found: Findings) -> StructT:
        """Raises Unusable."""
        if not found.odd(given):
            with suppress(msgspec.ValidationError):
                return self._strict.decode(given)
        found.spend(FAILURE)
        try:
            shell = self.shell(given)
        except msgspec.ValidationError:
            problem = f"it is {_name(given)} where an object is expected."
            raise Unusable(where, problem) from None
        return self.made_of(shell, where, found)

    def shell(self, given: Raw) -> Any:
        """Raises ValidationError if it is no object."""
        return self._shell.decode(given)

    def made_of(self, shell: Any, where: str, found: Findings) -> StructT:
        fields: dict[str, object] = {}
        valid = True
        for member, given in zip(self._members, structs.astuple(shell), strict=True):
            if given is None:
                if member.required:
                    raise Unusable(where, f"`{member.called}` is missing.")
                continue
            path = f"{where}.{member.called}" if where else member.called
            try:
                kept = member.decode(given)
            except msgspec.ValidationError as mistake:
                problem = f"{mistake}."
            else:
                if found.odd(given):
                    kept = member.look_closer(kept, given, path, found)
                valid = valid and _is_valid(kept)
                fields[member.name] = kept
                continue
            found.spend(FAILURE)
            if given == NULL:
                if member.required:
                    raise Unusable(where, f"`{member.called}` is missing.")
                continue
            if member.required:
                raise Unusable(where, f"`{member.called}` is {_name(given)}.")
            kept = member.look_into(given, problem, path, found)
            valid = valid and _is_valid(kept)
            fields[member.name] = kept
        found.spend(len(fields))
        return (self._kind if valid else self._partial)(**fields)


class _Member:
    """A field: decodes its value, and a broken one as far as possible."""

    def __init__(self, field: structs.FieldInfo) -> None:
        self.name, self.called = field.name, field.encode_name
        self.required = field.required
        self.decode = msgspec.json.Decoder(field.type).decode
        self._nested: Kind[Any] | None = None
        self._is_list = self._is_instant = self._is_integer = self._is_table = False
        match type_info(field.type):
            case VarTupleType(item_type=item):
                self._is_list = True
                self._nested = Kind(item.cls) if isinstance(item, StructType) else None
            case StructType(cls=kind):
                self._nested = Kind(kind)
            case UnionType() as union:
                parts = [part.cls for part in union.types if isinstance(part, StructType)]
                self._nested = Kind(parts[0]) if parts else None
                self._is_instant = any(isinstance(part, DateTimeType) for part in union.types)
                self._is_integer = any(isinstance(part, IntType) for part in union.types)
            case DictType():
                self._is_table = True
            case _:
                pass

    def look_closer(self, value: object, given: Raw, where: str, found: Findings) -> object:
        """The right value in place of `value`, which msgspec decoded from something odd."""
        match value:
            case str():
                return found.text(value)
            case datetime():
                return self._instant(given) or value
            case tuple() | dict() | Struct():
                return self.look_into(given, "", where, found)
            case _:
                return value

    def look_into(self, given: Raw, problem: str, where: str, found: Findings) -> object:
        """As much of an invalid value as can be decoded; else an error, which says the problem."""
        if self._is_list:
            return self._list(given, where, found)
        if self._is_table and _name(given) == "an object":
            return _table(given, found)
        if self._nested is not None:
            try:
                return self._nested.read(given, where, found)
            except Unusable as unusable:
                problem = unusable.problem
        elif self._is_instant:
            if given == EMPTY_TEXT:
                return None  # it can only mean "none"
            if (instant := self._instant(given)) is not None:
                return instant
        elif self._is_integer and (integer := _integer(given)) is not None:
            with suppress(msgspec.ValidationError):
                return self.decode(integer)
        return _not_shown(problem)

    def _instant(self, given: Raw) -> object | None:
        """Any instant of RFC 3339 that Python can represent: cut to microseconds, and a leap second
        as the last microsecond before it.
        """
        text = _TEXT.decode(given) if _name(given) == "a string" else ""
        written = _INSTANT.fullmatch(text)
        if written is None:
            return None
        day, minute, second, fraction, offset = written.groups("0")
        if second == "60":
            second, fraction = "59", "999999"
        cut = f'"{day}T{minute}{second}.{fraction[:6]}{offset}"'
        with suppress(msgspec.ValidationError):
            instant: object = self.decode(cut.encode())
            return instant
        return None

    def _list(self, given: Raw, where: str, found: Findings) -> tuple[object, ...]:
        try:
            parts = elements(given)
        except msgspec.ValidationError:
            found.leave_out(where, f"it is {_name(given)} where a list is expected.")
            return ()
        except TooMany:
            found.leave_out(where, f"it is a list of more than {LONGEST} elements.")
            return ()
        found.spend(len(parts))
        kept: list[object] = []
        for number, element in enumerate(parts):
            path = f"{where}[{number}]"
            try:
                if self._nested is not None:
                    kept.append(self._nested.read(element, path, found))
                else:
                    kept.append(found.text(_TEXT.decode(element)))
                continue
            except Unusable as unusable:
                path, problem = unusable.where, unusable.problem
            except msgspec.ValidationError:
                problem = f"it is {_name(element)} where a string is expected."
            found.spend(FAILURE)
            found.leave_out(path, problem)
        return tuple(kept)


_TEXT: Final = msgspec.json.Decoder(str)
_ANY: Final = msgspec.json.Decoder()
_TABLE: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])


@cache
def _not_too_long() -> msgspec.json.Decoder[Any]:
    """Decodes lists of at most `LONGEST` elements.

    It decodes a list as a struct without names, because then msgspec stops at the first element too
    many. It would decode a list to its end before refusing it.
    """
    fields = [(f"_{number}", Raw, cast("Raw", None)) for number in range(LONGEST)]
    return msgspec.json.Decoder(
        msgspec.defstruct("Elements", fields, array_like=True, forbid_unknown_fields=True)
    )


def elements(given: Raw) -> list[Raw]:
    """The elements of a list; raises TooMany, or ValidationError if it is no list."""
    if len(given) <= 2 * LONGEST or _name(given) != "a list":
        return _LIST.decode(given)  # it is too short for too many
    try:
        found = _not_too_long().decode(given)
    except msgspec.ValidationError:
        raise TooMany from None
    return [element for element in structs.astuple(found) if element is not None]


def _table(given: Raw, found: Findings) -> object:
    """An object with any JSON as values; a value that can't be decoded is an error."""
    members = _TABLE.decode(given)
    if len(members) > LONGEST:
        return _not_shown(f"It is an object of more than {LONGEST} members.")
    found.spend(len(members))
    kept: dict[str, object] = {}
    for name, value in members.items():
        try:
            kept[found.text(name)] = found.json(value)
        except msgspec.ValidationError as mistake:
            found.spend(FAILURE)
            kept[found.text(name)] = _not_shown(f"{mistake}.")
    return kept


def _integer(given: Raw) -> bytes | None:
    """The digits of an integer that is written as `1000.0` or `1e3`."""
    content = bytes(given)
    if not _NUMBER.fullmatch(content):
        return None
    number = Decimal(content.decode())
    return b"%d" % int(number) if number == number.to_integral_value() else None


def _not_shown(problem: str) -> InvalidAnswer:
    return InvalidAnswer(f"The backend sent a value that can't be shown here: {problem}")


def _is_valid(value: object) -> bool:
    match value:
        case InvalidAnswer() | Repaired():
            return False
        case Decoded():
            return value.valid
        case tuple():
            return all(map(_is_valid, value))
        case dict():
            return all(map(_is_valid, (*value, *value.values())))
        case _:
            return True


_NAMES: Final = {"{": "an object", "[": "a list", '"': "a string", "n": "null"} | dict.fromkeys(
    "tf", "a boolean"
)


def _name(value: Raw) -> str:
    return _NAMES.get(chr(memoryview(value)[0]), "a number")
