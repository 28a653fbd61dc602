"""Bytes to records: strict and fast where the answer is as agreed, leaf by leaf where it is not.

Upstreams leave out required fields, send null for lists, and add enum values. None of that may
cost more than the leaf it happens in. So a body is decoded as a whole first; only if that fails is
each row looked at on its own, and in a broken row each field:

- a wrong type where null may stand: the leaf holds an InvalidAnswer, which becomes that leaf's
  error;
- a wrong type in a list, or a list element that can't be kept: the list goes without it, with a
  Flaw;
- no identifier (or, for a group, no name): the row can't be kept: None in its place, with a Flaw.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
from msgspec import Struct, structs
from msgspec.inspect import DateTimeType, StructType, UnionType, VarTupleType, type_info

from gateway.errors import InvalidAnswer
from gateway.records import Flaw, Record

RecordT = TypeVar("RecordT", bound=Record)
StructT = TypeVar("StructT", bound=Struct)
KEPT_KINDS: Final = 256
ItemT = TypeVar("ItemT")


class RowDecoder(Generic[RecordT]):
    """Decodes rows of one kind, each as far as it can be understood."""

    def __init__(self, row: type[RecordT]) -> None:
        self._row = row
        self._strict = msgspec.json.Decoder(row)

    def one(self, body: bytes) -> RecordT:
        """The record in `body`; raises InvalidAnswer where it has no identifier or is no object."""
        try:
            return self._strict.decode(body)
        except _NOT_AS_AGREED:
            pass
        try:
            return _record(_parse(body), self._row, "$", [])
        except _Unusable as unusable:
            raise InvalidAnswer(f"The backend's answer can't be used: {unusable.problem}") from None


class Listing(Struct, Generic[ItemT], frozen=True):
    """One page of a list as an upstream answers it; adapters add what it says of paging."""

    rows: list[ItemT]


class ListingDecoder(Generic[RecordT]):
    """Decodes pages: as a whole, and row by row where that fails."""

    def __init__(self, listing: Any, row: type[RecordT]) -> None:
        """`listing` is the adapter's generic subclass of Listing."""
        self._strict = msgspec.json.Decoder(listing[row])
        self._loose = listing[Any]
        self._row = row
        names = {field.name: field.encode_name for field in structs.fields(listing)}
        self._where = names["rows"]

    def decode(self, body: bytes) -> tuple[Any, list[RecordT | None], list[Flaw]]:
        """The listing itself, its rows (None for one that can't be kept), and what was left out."""
        try:
            listing = self._strict.decode(body)
            return listing, listing.rows, []
        except _NOT_AS_AGREED:
            pass
        try:
            listing = msgspec.convert(_parse(body), self._loose)
        except msgspec.ValidationError:
            raise InvalidAnswer("The backend's answer is not a page of a list.") from None
        rows: list[RecordT | None] = []
        flaws: list[Flaw] = []
        for number, value in enumerate(listing.rows):
            try:
                rows.append(_kept(value, self._row, f"{self._where}[{number}]", flaws))
            except _Unusable as unusable:
                flaws.append(Flaw(unusable.where, unusable.problem))
                rows.append(None)
        return listing, rows, flaws


_NOT_AS_AGREED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _parse(body: bytes) -> object:
    """What `body` says; raises InvalidAnswer where it is not JSON.

    Numbers beyond every range, bytes that are not UTF-8 and halves of surrogate pairs, such as a
    cut emoji leaves behind, msgspec takes for no JSON. Here they cost the value they stand in.
    """
    try:
        return msgspec.json.decode(body)
    except _NOT_AS_AGREED:
        pass
    try:
        value = json.loads(body.decode(errors="replace"))
        return json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        raise InvalidAnswer("The backend's answer is not JSON.") from None


def _kept(value: object, kind: type[StructT], where: str, flaws: list[Flaw]) -> StructT:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return _record(value, kind, where, flaws)


class _Unusable(Exception):
    """An object lacks what its record can't be without."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem)
        self.where, self.problem = where, problem


def _record(value: object, kind: type[StructT], where: str, flaws: list[Flaw]) -> StructT:
    if not isinstance(value, dict):
        raise _Unusable(where, f"it is {_name(value)} where an object is expected.")
    fields: dict[str, object] = {}
    for field in structs.fields(kind):
        given = value.get(field.encode_name)
        if given is None:
            if field.required:
                raise _Unusable(where, f"`{field.encode_name}` is missing.")
            continue
        path = f"{where}.{field.encode_name}"
        kept = _leaf(given, field.type, path, flaws)
        if field.required and isinstance(kept, InvalidAnswer):
            raise _Unusable(where, f"`{field.encode_name}` is {_name(given)}.")
        fields[field.name] = kept
    made = kind if all(map(_is_sound, fields.values())) else _unsound(kind)
    return cast(StructT, made(**fields))


def _is_sound(value: object) -> bool:
    match value:
        case InvalidAnswer():
            return False
        case Record():
            return value.sound
        case tuple():
            return all(map(_is_sound, value))
        case _:
            return True


@lru_cache(maxsize=KEPT_KINDS)
def _unsound(kind: type[Struct]) -> type[Struct]:
    """`kind`, for a record of which a leaf, or one in a record within it, holds its error.

    Once that is raised, the error leads to whoever had the record in hand, and so back to itself.
    """
    return msgspec.defstruct(
        kind.__name__, [], bases=(kind,), namespace={"sound": False}, frozen=True, gc=True
    )


def _leaf(value: object, kind: Any, where: str, flaws: list[Flaw]) -> object:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as mistake:
        problem = f"{mistake}."
    match type_info(kind):
        case VarTupleType(item_type=item) if isinstance(value, list):
            return _elements(value, item, where, flaws)
        case VarTupleType():
            flaws.append(Flaw(where, f"it is {_name(value)} where a list is expected."))
            return ()
        case UnionType() as union:
            nested = [part.cls for part in union.types if isinstance(part, StructType)]
            if nested:
                try:
                    return _record(value, nested[0], where, flaws)
                except _Unusable as unusable:
                    problem = unusable.problem
            elif value == "" and any(isinstance(part, DateTimeType) for part in union.types):
                return None  # no instant is written so; it can only mean "none"
        case _:
            pass
    return InvalidAnswer(f"The backend sent a value that can't be shown here: {problem}")


def _elements(values: list[Any], item: Any, where: str, flaws: list[Flaw]) -> tuple[object, ...]:
    kept: list[object] = []
    for number, value in enumerate(values):
        path = f"{where}[{number}]"
        if isinstance(item, StructType):
            try:
                kept.append(_kept(value, item.cls, path, flaws))
            except _Unusable as unusable:
                flaws.append(Flaw(unusable.where, unusable.problem))
        elif isinstance(value, str):
            kept.append(value)
        else:
            flaws.append(Flaw(path, f"it is {_name(value)} where a string is expected."))
    return tuple(kept)


_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def _name(value: object) -> str:
    return _NAMES.get(type(value), "a number")
