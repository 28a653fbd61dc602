"""Bytes to records: strict and fast where the answer is as agreed, leaf by leaf where it is not.

Upstreams leave out required fields, send null for lists, and add enum values. None of that may
cost more than the leaf it happens in. So a body is decoded as a whole first; only if that fails is
each row looked at on its own, and in a broken row each field:

- a wrong type where null may stand: the leaf holds an InvalidAnswer, which becomes that leaf's
error; - a wrong type in a list, or a list element that can't be kept: the list goes without it,
with a Flaw; - no identifier (or, for a group, no name): the row can't be kept: None in its place,
with a Flaw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct, structs
from msgspec.inspect import DateTimeType, StructType, UnionType, VarTupleType, type_info

from gateway.errors import InvalidAnswer
from gateway.records import Flaw, Record

RecordT = TypeVar("RecordT", bound=Record)
StructT = TypeVar("StructT", bound=Struct)
ItemT = TypeVar("ItemT")


def wire(
    record: type[RecordT],
    *,
    names: Mapping[str, str] | None = None,
    types: Mapping[str, Any] | None = None,
    empty_is_none: Sequence[str] = (),
) -> type[RecordT]:
    """`record` under the names that an upstream uses in JSON.

    Names are camelCase unless `names` says otherwise; `types` replaces the types of nested records
    by their own wire forms; the fields in `empty_is_none` hold None where the upstream says "".
    """
    fields = []
    for field in structs.fields(record):
        kind = (types or {}).get(field.name, field.type)
        fields.append((field.name, kind) if field.required else (field.name, kind, field.default))

    def empty_to_none(self: Struct) -> None:
        for name in empty_is_none:
            if getattr(self, name) == "":
                structs.force_setattr(self, name, None)

    return msgspec.defstruct(  # type: ignore[return-value]  # it is typed as a Struct, not by its bases
        record.__name__,
        fields,
        bases=(record,),
        namespace={"__post_init__": empty_to_none} if empty_is_none else None,
        frozen=True,
        kw_only=True,
        rename={field: (names or {}).get(field, camel(field)) for field, *_ in fields},
    )


def many(kind: type[Record]) -> Any:
    """The type of a list of `kind`; records hold lists as tuples."""
    return tuple[kind, ...]  # type: ignore[valid-type]  # a type made at run time


def camel(name: str) -> str:
    """
    >>> camel("last_modified_at")
    'lastModifiedAt'
    """
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


class RowDecoder(Generic[RecordT]):
    """Decodes rows of one kind, each as far as it can be understood."""

    def __init__(self, row: type[RecordT]) -> None:
        self._row = row
        self._strict = msgspec.json.Decoder(row)

    def one(self, body: bytes | Raw) -> RecordT:
        """The record in `body`; raises InvalidAnswer where it has no identifier or is no object."""
        rows, flaws = self.many([body])
        if rows[0] is None:
            raise InvalidAnswer(f"The backend's answer can't be used: {flaws[0].problem}")
        return rows[0]

    def many(
        self, bodies: Iterable[bytes | Raw], *, where: str = ""
    ) -> tuple[list[RecordT | None], list[Flaw]]:
        """The records in `bodies`, None for one that can't be kept, and what was left out."""
        rows: list[RecordT | None] = []
        flaws: list[Flaw] = []
        for number, body in enumerate(bodies):
            path = f"{where}[{number}]" if where else "$"
            try:
                rows.append(self._strict.decode(body))
            except msgspec.ValidationError:
                rows.append(self._lenient(body, path, flaws))
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise InvalidAnswer("The backend's answer is not JSON.") from None
        return rows, flaws

    def _lenient(self, body: bytes | Raw, path: str, flaws: list[Flaw]) -> RecordT | None:
        try:
            return _record(msgspec.json.decode(body), self._row, path, flaws)
        except _Unusable as unusable:
            flaws.append(Flaw(unusable.where, unusable.problem))
            return None


class Listing(Struct, Generic[ItemT], frozen=True):
    """One page of a list as an upstream answers it; adapters add what it says of paging."""

    rows: list[ItemT]


class ListingDecoder(Generic[RecordT]):
    """Decodes pages: as a whole, and row by row where that fails."""

    def __init__(self, listing: Any, row: type[RecordT]) -> None:
        """`listing` is the adapter's generic subclass of Listing."""
        self._strict = msgspec.json.Decoder(listing[row])
        self._loose = msgspec.json.Decoder(listing[Raw])
        self._rows = RowDecoder(row)

    def decode(self, body: bytes) -> tuple[Any, list[RecordT | None], list[Flaw]]:
        """The listing itself, its rows (None for one that can't be kept), and what was left out."""
        try:
            listing = self._strict.decode(body)
            return listing, listing.rows, []
        except (msgspec.ValidationError, UnicodeDecodeError):
            pass
        except msgspec.DecodeError:
            raise InvalidAnswer("The backend's answer is not JSON.") from None
        try:
            listing = self._loose.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise InvalidAnswer("The backend's answer is not a page of a list.") from None
        rows, flaws = self._rows.many(listing.rows, where="rows")
        return listing, rows, flaws


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
    return kind(**fields)


def _leaf(value: object, kind: Any, where: str, flaws: list[Flaw]) -> object:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as mistake:
        problem = str(mistake)
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
                kept.append(_record(value, item.cls, path, flaws))
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
