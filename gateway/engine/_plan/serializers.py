"""Selections of plain fields, as generated functions from a record to its part of the response.

Plain is what needs neither arguments nor a REST call: attributes of records, and what a resolver
makes of its parent. graphql-core takes some ten microseconds for each field of each row, and a
serializer a fraction of one. It gives what graphql-core would have given or, where the data are not
as they should be (null where none can be, a leaf that holds its error, a value of another type),
raises something: then gateway.engine._run.careful makes that part, value by value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from graphql import GraphQLObjectType, GraphQLOutputType
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from msgspec import Struct, defstruct

from gateway.engine._plan.expressions import (
    Code,
    Compiler,
    Leaves,
    ObjectSerializer,
    Serialize,
)

Collect = Callable[[GraphQLObjectType, FieldDetailsList], GroupedFieldSet]
KEPT_STRUCTS: Final = 512
MAX_MEMBERS: Final = 100
"""Of a struct. So many types of so many members take 17 MB, and their keys 6 MB at most."""


Place = tuple[str | int, ...]
"""A selection set: its type, and its nodes, which the document keeps, and which have their keys."""


def place(type_: GraphQLObjectType, fields: GroupedFieldSet) -> Place:
    return type_.name, *[id(detail.node) for details in fields.values() for detail in details]


@dataclass(frozen=True, slots=True)
class FieldSerializer:
    """From the value of a field to what the response shows of it."""

    below: ObjectSerializer | None
    """What is shown of the objects that it is, or is a list of."""
    serialize: Serialize
    size: int
    """How many fields an object of it has; as of a ObjectSerializer."""
    repeats: bool
    """As of a ObjectSerializer."""


class Serializers:
    """Makes those of one operation; `collect` gives a selection's fields below another's."""

    def __init__(
        self, collect: Collect, compiler: Compiler, *, leaves: Leaves, lasting: bool = False
    ) -> None:
        """Those that are `lasting` take longer to make and half as long to use: objects that are
        all plain are structs, which are encoded as dicts are.
        """
        self._collect = collect
        self._compiler = compiler
        self._leaves = leaves
        self._lasting = lasting
        self._made: dict[Place, ObjectSerializer] = {}

    @property
    def count(self) -> int:
        """How many it has made."""
        return len(self._made)

    @property
    def fields(self) -> int:
        """How many fields those have together."""
        return sum(made.size for made in self._made.values())

    def object(
        self, type_: GraphQLObjectType, fields: GroupedFieldSet, here: Place | None = None
    ) -> ObjectSerializer:
        """Of an object with these fields; `here` is their place, if known."""
        here = here or place(type_, fields)
        made = self._made.get(here)
        if made is None:
            made = self._made[here] = self._object(type_, fields)
        return made

    def field(self, type_: GraphQLOutputType, details: FieldDetailsList) -> FieldSerializer | None:
        """Of the value of a field of this type; None where not all of it is plain."""
        code = Code(self.below, self._compiler, self._leaves)
        value = code.completed(type_, details, "record")
        if value is None:
            return None
        return FieldSerializer(code.latest, code.function(value), code.size, code.repeats)

    def _object(self, type_: GraphQLObjectType, fields: GroupedFieldSet) -> ObjectSerializer:
        code = Code(self.below, self._compiler, self._leaves)
        below: dict[str, ObjectSerializer] = {}
        values = self._values(code, type_, fields, below)
        others = [key for key, value in zip(fields, values, strict=True) if value is None]
        size = len(fields) + code.size
        as_struct = self._lasting and not others and len(fields) <= MAX_MEMBERS
        make = (_object if as_struct else _dict)(code, fields)
        body = make(map(str, values))
        if type_.name in self._leaves.views.records:  # others do not know whether they are valid
            of_valid = self._values(code, type_, fields, below, valid=True)
            if of_valid != values:
                body = f"{make(map(str, of_valid))} if record.valid else {body}"
        several = len({details[0].node.name.value for details in fields.values()}) < len(fields)
        serialize = code.function(body)
        return ObjectSerializer(
            type_, fields, below, serialize, others, size, several or code.repeats
        )

    def _values(
        self,
        code: Code,
        type_: GraphQLObjectType,
        fields: GroupedFieldSet,
        below: dict[str, ObjectSerializer],
        *,
        valid: bool = False,
    ) -> list[str | None]:
        """The sources of the values of a record, None for what is not plain; `below` gets the
        serializers of the objects in them.
        """
        names = [details[0].node.name.value for details in fields.values()]
        times = Counter(names)
        made: set[str] = set()
        values: list[str | None] = []
        for (key, details), name in zip(fields.items(), names, strict=True):
            leaf = self._leaves.of(type_, name)
            if leaf is None:
                values.append(code.value(type_, name, details, valid=valid))
                if code.latest is not None:
                    below[key] = code.latest
            elif name in made:
                values.append(f"known_{name}")
            else:
                made.add(name)
                code.names |= leaf.names
                source = leaf.of_valid if valid else leaf.value
                # A resolver's work is done once, under however many names it is shown.
                values.append(f"(known_{name} := {source})" if times[name] > 1 else source)
        return values

    def below(self, type_: GraphQLObjectType, details: FieldDetailsList) -> ObjectSerializer:
        """Of the fields below these."""
        return self.object(type_, self._collect(type_, details))


Make = Callable[[Iterable[str]], str]
"""From the sources of an object's values to the source of the object."""


def _dict(code: Code, keys: Iterable[str]) -> Make:
    names = [code.name(key) for key in keys]

    def make(values: Iterable[str]) -> str:
        items = [f"{name}: {value}" for name, value in zip(names, values, strict=True)]
        return f"{{{', '.join(items)}}}"

    return make


def _object(code: Code, keys: Iterable[str]) -> Make:
    name = code.name(_struct(tuple(keys)))
    return lambda values: f"{name}({', '.join(values)})"


@lru_cache(maxsize=KEPT_STRUCTS)
def _struct(keys: Sequence[str]) -> type[Struct]:
    """The type of objects that have these members when they are encoded."""
    names = {f"_{number}": key for number, key in enumerate(keys)}
    return defstruct("Object", [(name, Any) for name in names], rename=names, gc=False)
