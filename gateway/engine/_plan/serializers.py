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
from typing import Any, Final, NamedTuple

from graphql import GraphQLObjectType, GraphQLOutputType
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from msgspec import Struct, defstruct

from gateway.engine._plan.expressions import (
    WIDTH,
    Code,
    Compiler,
    Leaves,
    ObjectSerializer,
    Serialize,
    Weigh,
    Weight,
)

Collect = Callable[[GraphQLObjectType, FieldDetailsList], GroupedFieldSet]
KEPT_STRUCTS: Final = 512
MOST_MEMBERS: Final = 100
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
    weigh: Weigh
    """Of what the response shows of such values."""
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
        serialize, weigh = code.functions(value, code.weight(type_, details, "made"))
        return FieldSerializer(code.latest, serialize, code.size, weigh, code.repeats)

    def _object(self, type_: GraphQLObjectType, fields: GroupedFieldSet) -> ObjectSerializer:
        code = Code(self.below, self._compiler, self._leaves)
        parts: list[str] = []
        sound: list[str] = []
        others: list[str] = []
        below: dict[str, ObjectSerializer] = {}
        names = Counter(details[0].node.name.value for details in fields.values())
        made: set[str] = set()
        for key, details in fields.items():
            name = details[0].node.name.value
            leaf = self._leaves.of(type_, name)
            if leaf is not None:
                code.names |= leaf.names
                known = f"known_{name}"
                if name in made:
                    parts.append(known)
                    sound.append(known)
                    continue
                made.add(name)
                # A resolver's work is done once, under however many names it is shown.
                once = f"({known} := {{}})" if names[name] > 1 else "{}"
                parts.append(once.format(leaf.value))
                sound.append(once.format(leaf.sound))
                continue
            value = code.value(type_, name, details)
            if value is None:
                others.append(key)
            elif code.latest is not None and name != "__typename":
                below[key] = code.latest
            parts.append(str(value))
            sound.append(code.sound(type_, name, details) or str(value))
        size = len(fields) + code.size
        as_struct = self._lasting and not others and len(fields) <= MOST_MEMBERS
        source = (_object if as_struct else _dict)(code, fields)
        body = source.make(parts)
        if sound != parts:
            body = f"{source.make(sound)} if record.valid else {body}"
        fixed, more = bare_size(fields) + WIDTH * len(others), list[str]()
        made.clear()
        for (key, details), member in zip(fields.items(), source.members, strict=True):
            name = details[0].node.name.value
            if key in others or name in made:
                continue
            weight, times = _weight(code, type_, details, member), 1
            if self._leaves.of(type_, name) is not None:
                made.add(name)
                times = names[name]
            fixed += times * weight.fixed
            more += [f"{times} * {term}" if times > 1 else term for term in weight.more]
        serialize, weigh = code.functions(body, Weight(fixed, tuple(more)))
        repeats = code.repeats or len(names) < len(fields)
        return ObjectSerializer(type_, fields, below, serialize, others, size, weigh, repeats)

    def below(self, type_: GraphQLObjectType, details: FieldDetailsList) -> ObjectSerializer:
        """Of the fields below these."""
        return self.object(type_, self._collect(type_, details))


def bare_size(keys: Iterable[str]) -> int:
    """The bytes of an object without its values."""
    return 2 + sum(len(key) + 4 for key in keys)  # "key":,


def _weight(code: Code, type_: GraphQLObjectType, details: FieldDetailsList, member: str) -> Weight:
    name = details[0].node.name.value
    if name == "__typename":
        return Weight(len(type_.name) + 2)
    return code.weight(type_.fields[name].type, details, member)


class Source(NamedTuple):
    """The source of objects."""

    make: Callable[[Iterable[str]], str]
    """Of an object, of the sources of its values."""
    members: Sequence[str]
    """Of each value of the object `made`."""


def _dict(code: Code, keys: Iterable[str]) -> Source:
    """Of a dict."""
    names = [code.name(key) for key in keys]

    def make(values: Iterable[str]) -> str:
        items = [f"{name}: {value}" for name, value in zip(names, values, strict=True)]
        return f"{{{', '.join(items)}}}"

    return Source(make, [f"made[{name}]" for name in names])


def _object(code: Code, keys: Iterable[str]) -> Source:
    """Of a struct."""
    members = tuple(keys)
    name = code.name(_struct(members))
    return Source(
        lambda values: f"{name}({', '.join(values)})",
        [f"made._{number}" for number in range(len(members))],
    )


@lru_cache(maxsize=KEPT_STRUCTS)
def _struct(keys: Sequence[str]) -> type[Struct]:
    """The type of objects that have these members when they are encoded."""
    names = {f"_{number}": key for number, key in enumerate(keys)}
    return defstruct("Object", [(name, Any) for name in names], rename=names, gc=False)
