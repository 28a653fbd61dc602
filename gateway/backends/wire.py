"""Records as an upstream has them in JSON: the types that bytes are decoded into.

A type is made for the fields that are looked at, and has no others: msgspec skips what it has no
name for several times as fast as it makes a value of it, and the fewer names there are, the sooner
it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, structs

from gateway.records import Projection, Record
from gateway.rest.decoding import LONGEST

RecordT = TypeVar("RecordT", bound=Record)
MadeT = TypeVar("MadeT")


KEPT_PROJECTIONS: Final = 128


def per_projection(
    make: Callable[[Projection | None], MadeT],
) -> Callable[[Projection | None], MadeT]:
    """`make`, called once for each projection and not at every request, of whichever tenant.

    What was made is kept for a bounded number of them: whoever writes operations chooses what they
    select, and there are 2^40 projections. It takes some 50 kB for each.
    """
    return lru_cache(maxsize=KEPT_PROJECTIONS)(make)


class Cleanup(NamedTuple):
    """What is to be done with an object once these fields of it are read."""

    fields: Sequence[str]
    clean: Callable[[Any], None]


class Wire(Generic[RecordT]):
    """A record under the names that an upstream uses."""

    def __init__(
        self,
        record: type[RecordT],
        *,
        names: Mapping[str, str] | None = None,
        nested: Mapping[str, Wire[Any]] | None = None,
        absent: Sequence[str] = (),
        order: str = "",
        cleanup: Cleanup | None = None,
    ) -> None:
        """Names are camelCase unless `names` says otherwise; `nested` has the wire forms of the
        records inside. Fields in `absent` are not read, as are tenants: a member of that name would
        mean another thing. `order` is that of the upstream's document: msgspec looks for a member
        first behind the one before it.
        """
        self._record = record
        self._names = names or {}
        self._nested = nested or {}
        self._absent = absent
        self._order = {name: place for place, name in enumerate(order.split())}
        self._cleanup = cleanup

    def reading(self, projection: Projection | None) -> type[RecordT]:
        """A type of `record`'s shape that reads what is selected of it, and what it can't be
        without; all else is at its default.
        """
        wanted = None if projection is None else projection.of(self._record)
        read: list[tuple[str, Any, Any]] = []
        unread: dict[str, object] = {}
        for field in structs.fields(self._record):
            if field.name == "tenant_uid":
                # The adapter sets it. A name that no API has keeps it from being read.
                read.append(("!tenant_uid", field, field.type))
            elif field.name in self._absent or not (
                field.required or wanted is None or field.name in wanted
            ):
                unread[field.name] = field.default
            else:
                name = self._names.get(field.name, camel(field.name))
                read.append((name, field, self._kind(field, projection)))
        read.sort(key=lambda found: self._order.get(found[0], len(self._order)))
        return msgspec.defstruct(  # type: ignore[return-value]  # it is one to all who ask
            self._record.__name__,
            [
                (field.name, kind) if field.required else (field.name, kind, field.default)
                for _, field, kind in read
            ],
            bases=(Record,),
            namespace=unread | self._members(unread),
            frozen=True,
            # A valid record holds strings, numbers and other valid ones, never what could lead back
            # to it: no work for the garbage collector.
            gc=False,
            kw_only=True,
            rename={field.name: name for name, field, _ in read},
        )

    def _kind(self, field: Any, projection: Projection | None) -> Any:
        wire = self._nested.get(field.name)
        inner = None if wire is None else wire.reading(projection)
        if field.default == ():  # records hold lists as tuples, and a record or None
            items = field.type if inner is None else tuple[inner, ...]  # type: ignore[valid-type]
            return Annotated[items, Meta(max_length=LONGEST)]
        return field.type if inner is None else inner | None

    def _members(self, unread: Mapping[str, object]) -> dict[str, object]:
        """The type's attributes but for fields.

        It can't derive from the record, for then it would have all of its fields. So it says that
        it is one, which is what isinstance asks, and has the record's properties.
        """
        members: dict[str, object] = {
            name: member
            for name, member in vars(self._record).items()
            if isinstance(member, property)
        }
        members["__class__"] = self._record
        members["valid"] = True  # msgspec sees to it
        if self._cleanup is not None and not unread.keys() >= set(self._cleanup.fields):
            members["__post_init__"] = self._cleanup.clean
        return members


def camel(name: str) -> str:
    """
    >>> camel("last_modified_at")
    'lastModifiedAt'
    """
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)
