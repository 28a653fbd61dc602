"""The source of generated functions: an expression for each plain field of a record.

An expression gives what graphql-core would have given, or raises something if the value is not as
it should be. For a valid record there is a shorter one that relies on the record's annotations,
and checks nothing that the decoder has checked.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from cachetools import LRUCache
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    Undefined,
    get_named_type,
    is_enum_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gateway.engine._plan.views import Views

Serialize = Callable[[Any, Any], Any]
"""From a record, and what stands for a resolver's `info`, to an object of the response."""
DEFINITION: Final = GraphQLCoreConverter.DEFINITION_BACKREF
LARGEST_INT: Final = 2**31 - 1
COMPILED_MEMORY: Final = 4_000_000
"""Bytes. Compiling takes most of the time in which a serializer is made, and selections that differ
in their response keys only have the same source.
"""
BYTES_PER_FUNCTION: Final = 2_000
BYTES_PER_CHARACTER: Final = 7
"""Of its source, which is kept too."""


class Unshowable(Exception):
    """A value is not as it should be: a generated function gives up, others look more carefully."""


@dataclass(frozen=True, slots=True)
class ObjectSerializer:
    """How a record becomes an object of the response, of which some fields are plain: `serialize`
    gives those, in the order of all, with None in place of the `others`.
    """

    type: GraphQLObjectType
    fields: GroupedFieldSet
    """All of its fields, by their response keys."""
    below: Mapping[str, ObjectSerializer]
    """What is shown of the objects in its plain fields, by their keys."""
    serialize: Serialize
    others: Sequence[str]
    size: int
    """How many fields it gives, those of objects within it included, of each list one object: the
    others are counted when they are shown.
    """
    repeats: bool
    """Whether it shows anything under several names, and so may be far larger than the record."""


Below = Callable[[GraphQLObjectType, FieldDetailsList], ObjectSerializer]


class _Compiled(NamedTuple):
    make: Callable[..., Serialize]
    """Makes a serializer of what the names in its source stand for."""
    size: int


class Compiler:
    """Compiles sources, each once for as long as it is kept: in about `memory` bytes."""

    def __init__(self, memory: int = COMPILED_MEMORY) -> None:
        self._kept: LRUCache[Hashable, _Compiled] = LRUCache(
            memory, getsizeof=lambda compiled: compiled.size
        )

    def function(self, names: Mapping[str, object], body: str) -> Serialize:
        """A function that returns `body`, in which `names` stand for their values."""
        key = tuple(names), body
        compiled = self._kept.get(key)
        if compiled is None:
            compiled = _compiled(*key)
            if compiled.size <= self._kept.maxsize:
                self._kept[key] = compiled
        return compiled.make(*names.values())


def _compiled(names: Sequence[str], body: str) -> _Compiled:
    source = (
        f"def make({', '.join(names)}):\n"
        f"  def serialize(record, info):\n    return {body}\n"
        "  return serialize\n"
    )
    made: dict[str, Callable[..., Serialize]] = {}
    exec(source, GIVEN, made)  # noqa: S102  # see Code.function
    return _Compiled(made["make"], BYTES_PER_FUNCTION + BYTES_PER_CHARACTER * len(source))


@dataclass(slots=True)
class Code:
    """The source of one serializer, and what it refers to."""

    below: Below
    """Gives the serializer of the fields below a field."""
    compiler: Compiler
    leaves: Leaves
    prefix: str = ""
    names: dict[str, object] = field(default_factory=dict)
    size: int = 0
    repeats: bool = False
    latest: ObjectSerializer | None = None
    """What is shown of the objects that the latest expression comes to."""

    def function(self, body: str) -> Serialize:
        """A function that returns `body`."""
        # All of the source is ours: what comes from a request is referred to by names.
        return self.compiler.function(self.names, body)

    def name(self, value: object) -> str:
        """A name that stands for `value` in the source."""
        name = f"{self.prefix}_{len(self.names)}"
        self.names[name] = value
        return name

    def value(
        self,
        type_: GraphQLObjectType,
        name: str,
        details: FieldDetailsList,
        *,
        valid: bool = False,
    ) -> str | None:
        """An expression for one field of `record`; None where it is not plain.

        That for a `valid` record checks nothing that the record's annotations guarantee.
        """
        self.latest = None
        if name == "__typename":
            return repr(type_.name)
        definition = type_.fields.get(name)
        if definition is None or definition.args:
            return None
        read = self.read(definition)
        if read is None:
            return None
        strawberry = definition.extensions.get(DEFINITION)
        known = None
        if valid and strawberry is not None and strawberry.base_resolver is None:
            known = self.leaves.annotations(type_.name).get(strawberry.python_name)
        return self.completed(definition.type, details, read, known)

    def read(self, definition: GraphQLField) -> str | None:
        """An expression for what the field's resolver gives."""
        strawberry = definition.extensions.get(DEFINITION)
        if strawberry is None:
            return f"{self.name(own_resolver(definition))}(record, info)"
        if strawberry.is_async or strawberry.extensions:
            return None
        resolver = strawberry.base_resolver
        if resolver is None:
            return f"record.{strawberry.python_name}"
        given = []
        for parameter, value in (
            (resolver.parent_parameter or resolver.self_parameter, "record"),
            (resolver.info_parameter, "info"),
        ):
            if parameter is not None:
                given.append(f"{parameter.name}={value}")
        return f"{self.name(resolver._unbound_wrapped_func)}({', '.join(given)})"

    def completed(
        self,
        type_: GraphQLOutputType,
        details: FieldDetailsList,
        read: str,
        known: Annotation | None = None,
        *,
        item_of_list: bool = False,
    ) -> str | None:
        """An expression for the value that `read` gives, as the response shows it; `known` is what
        the value is annotated as, if it is sure to be that.
        """
        nullable = not is_non_null_type(type_)
        inner = type_.of_type if is_non_null_type(type_) else type_
        variable = f"v{read}" if item_of_list else "v"
        otherwise = f"None if {variable} is None else unshowable()" if nullable else "unshowable()"
        if known is not None and known.optional and not nullable:
            known = None
        if is_leaf_type(inner):
            good, shown = self._leaf(inner, variable)
            if known is not None and not known.items and self.leaves.holds(inner, known.kind):
                if shown == variable:
                    return read
                return f"(None if ({variable} := {read}) is None else {shown})"
            good = good.format(v=f"({variable} := {read})")
            return f"({shown} if {good} else {otherwise})"
        if is_list_type(inner):
            of_items = Annotation(known.kind) if known is not None and known.items else None
            size = self.size
            item = self.completed(
                inner.of_type, details, f"i{variable}", of_items, item_of_list=True
            )
            if item is None:
                return None
            size = self.size - size
            if of_items is not None:
                if item == f"i{variable}":
                    return read
                if size:
                    read = f"({read} if len({read}) < 2 else filled({read}, info, {size}))"
                return f"[{item} for i{variable} in {read}]"
            items = variable
            if size:
                items = f"({variable} if len({variable}) < 2 else filled({variable}, info, {size}))"
            good = f"type({variable} := {read}) in lists{self._typed(inner.of_type, variable)}"
            return f"([{item} for i{variable} in {items}] if {good} else {otherwise})"
        if is_object_type(inner):
            below = self.below(inner, details)
            if below.others:
                return None
            self.latest = below
            self.size += below.size
            self.repeats = self.repeats or below.repeats
            shown = f"{self.name(below.serialize)}({{v}}, info)"
            if item_of_list and known is not None:
                return shown.format(v=read)
            good = f"({variable} := {read}) is not None"
            if inner.is_type_of is not None and not item_of_list:
                good += f" and {self.name(inner.is_type_of)}({variable}, info)"
            return f"({shown.format(v=variable)} if {good} else {otherwise})"
        return None  # an abstract type

    def _typed(self, item_type: GraphQLOutputType, variable: str) -> str:
        """A condition that the items of a list are of their type, if they have to be of one."""
        inner = item_type.of_type if is_non_null_type(item_type) else item_type
        if not is_object_type(inner) or inner.is_type_of is None:
            return ""
        return f" and {self.name(all_of(inner))}({variable}, info)"

    def _leaf(self, type_: GraphQLLeafType, variable: str) -> tuple[str, str]:
        """A condition on `{v}` under which it is as it should be, and how it is shown then."""
        if is_enum_type(type_) and DEFINITION in type_.extensions:
            enum: type[Enum] = type_.extensions[DEFINITION].wrapped_cls
            good = f"type({{v}}) is {self.name(enum)}"
            return good, f"{self.name(_texts(type_))}[{variable}._value_]"
        match type_.name:
            case "String" | "ID":
                return "type({v}) is str", variable
            case "Int":
                inside = f"{-LARGEST_INT - 1} <= {variable} <= {LARGEST_INT}"
                return f"type({{v}}) is int and {inside}", variable
            case "Boolean":
                return "type({v}) is bool", variable
            case "Float":
                return f"type({{v}}) is float and isfinite({variable})", variable
            case name:
                return self._custom(type_, self.leaves.views.scalars.get(name), variable)

    def _custom(self, type_: GraphQLLeafType, kind: type | None, variable: str) -> tuple[str, str]:
        show = type_.coerce_output_value
        if kind is None:
            shown = self.name(_by(show, self.leaves.views.repaired))
            return "({v}) is not None", f"{shown}({variable})"
        # A class that shows its own values, such as int, would only make them again.
        shown = variable if show is kind else f"{self.name(show)}({variable})"
        return f"type({{v}}) is {self.name(kind)}", shown


class Leaf(NamedTuple):
    """The code of a field that is the same in every document: no arguments, nothing below."""

    value: str
    of_valid: str
    """For a valid record."""
    names: Mapping[str, object]


class Leaves:
    """The code of the leaf fields of one schema, each made once."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self._leaves: dict[tuple[str, str], Leaf | None] = {}
        self._annotations: dict[str, Mapping[str, Annotation]] = {}

    def of(self, type_: GraphQLObjectType, name: str) -> Leaf | None:
        """None for other fields, and for one that is not plain."""
        here = type_.name, name
        if here not in self._leaves:
            self._leaves[here] = self._leaf(type_, name)
        return self._leaves[here]

    def _leaf(self, type_: GraphQLObjectType, name: str) -> Leaf | None:
        definition = type_.fields.get(name)
        if definition is None or definition.args:
            return None
        if not is_leaf_type(get_named_type(definition.type)):
            return None
        code = Code(_nothing, Compiler(0), self, prefix=name)
        value, of_valid = [code.value(type_, name, [], valid=valid) for valid in (False, True)]
        if value is None or of_valid is None:
            return None
        return Leaf(value, of_valid, code.names)

    def annotations(self, type_name: str) -> Mapping[str, Annotation]:
        """Of the fields of the record that a GraphQL type is a view of."""
        known = self._annotations.get(type_name)
        if known is None:
            record = self.views.records.get(type_name)
            hints = {} if record is None else get_type_hints(record, include_extras=True)
            known = {name: _annotation(hint) for name, hint in hints.items()}
            self._annotations[type_name] = known
        return known

    def holds(self, type_: GraphQLLeafType, kind: Any) -> bool:
        """Whether every value of the annotated `kind` is one of the GraphQL type."""
        if is_enum_type(type_):
            return kind is type_.extensions[DEFINITION].wrapped_cls
        base, *constraints = get_args(kind) if get_origin(kind) is Annotated else [kind]
        if base is not (self.views.scalars.get(type_.name) or BUILT_IN.get(type_.name)):
            return False
        largest = LARGEST.get(type_.name)
        return largest is None or any(
            isinstance(each, msgspec.Meta)
            and (each.ge is not None and each.ge >= -largest - 1)
            and (each.le is not None and each.le <= largest)
            for each in constraints
        )


def _nothing(*_: object) -> ObjectSerializer:
    raise TypeError("There is nothing below a leaf.")


BUILT_IN: Final[Mapping[str, type]] = {
    "String": str,
    "ID": str,
    "Int": int,
    "Boolean": bool,
    "Float": float,
}
LARGEST: Final[Mapping[str, float]] = {"Int": LARGEST_INT, "Float": sys.float_info.max}
"""JSON has numbers of any size; only an annotation with limits says that these scalars hold all."""


class Annotation(NamedTuple):
    """What a field of a record is declared as: `kind`, or None too, or a tuple of those."""

    kind: Any
    optional: bool = False
    items: bool = False


def _annotation(hint: Any) -> Annotation:
    if get_origin(hint) is tuple:
        return Annotation(get_args(hint)[0], items=True)
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    if get_origin(hint) in (UnionType, Union) and len(kinds) == 1:
        return Annotation(kinds[0], optional=True)
    return Annotation(hint)


def _texts(type_: GraphQLEnumType) -> Mapping[str, Any]:
    """What the response shows of an enum's members, by their values, which are strings: members
    have a __hash__ of their own, in Python.
    """
    enum: type[Enum] = type_.extensions[DEFINITION].wrapped_cls
    return {member._value_: type_.coerce_output_value(member) for member in enum}


def all_of(type_: GraphQLObjectType) -> Callable[[Sequence[Any], Any], bool]:
    """Says whether all of these are objects of the type, or None; exceptions never are.

    An object's class alone decides it, and the records of a page are of one: checking each of them
    would take longer than showing some of them.
    """
    is_type_of = type_.is_type_of

    def holds(values: Sequence[Any], info: Any) -> bool:
        for kind, value in dict(zip(map(type, values), values, strict=True)).items():
            if value is None:
                continue
            if issubclass(kind, Exception) or (is_type_of and not is_type_of(value, info)):
                return False
        return True

    return holds


def _by(coerce: Callable[[Any], Any], repaired: tuple[type, ...]) -> Callable[[Any], Any]:
    unshowable = (Exception, *repaired)

    def shown(value: Any) -> Any:
        if isinstance(value, unshowable):
            raise Unshowable
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise Unshowable
        return coerced

    return shown


def own_resolver(definition: GraphQLField) -> Callable[[Any, Any], Any]:
    """graphql-core's resolver of a field of its own, which is introspection's: lists are lists."""
    resolve = definition.resolve
    assert resolve is not None  # noqa: S101  # each of them has one
    inner = definition.type.of_type if is_non_null_type(definition.type) else definition.type
    if not is_list_type(inner):
        return resolve

    def listed(parent: Any, info: Any, **given: Any) -> Any:
        found = resolve(parent, info, **given)
        return None if found is None else list(found)

    return listed


def _unshowable() -> None:
    raise Unshowable


def _filled(values: Sequence[Any], info: Any, size: int) -> Sequence[Any]:
    """The values, all but one of which are counted now; see ObjectSerializer.size."""
    account = info.context.account
    account.values += (len(values) - 1) * size
    if account.values > account.limits.max_values:
        account.fill(0)  # raises; called each time, it would take as long as a short list
    return values


GIVEN: Final[dict[str, object]] = {
    "filled": _filled,
    "isfinite": math.isfinite,
    "lists": (tuple, list),
    "unshowable": _unshowable,
}
"""What the source of every serializer may refer to."""
