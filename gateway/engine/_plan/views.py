"""What the types of a schema show: records, and values of the schema's own scalars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What the engine has to know of the classes behind a schema."""

    records: Mapping[str, type]
    """The class of records that an object type is a view of, by the type's name. A record may have
    a true `valid`: then each field holds what its annotation says.
    """
    scalars: Mapping[str, type] = field(default_factory=dict)
    """The class of all values of a scalar, by the scalar's name, if there is one."""
    repaired: tuple[type[Any], ...] = ()
    """Classes of values that lack something of what the backend has; their `how` says what."""
