"""How many bytes parts of a response take in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

ENCODER: Final = msgspec.json.Encoder()
WIDTH: Final = 5
"""Bytes of most numbers, and of `true`, `false` and null."""
PUNCTUATION: Final = 4
"""Bytes around the name of a field: "name":,"""


def size_of(value: Any) -> int:
    """About the bytes of the value, without encoding it: it may be a large text in many places."""
    kind = type(value)
    if kind is str:
        return len(value) + 2
    parts: Sequence[Any]
    if kind is dict:
        size, parts = sum(map(len, value)) + PUNCTUATION * len(value), [*value.values()]
    elif kind is list or kind is tuple:
        size, parts = len(value), value
    elif isinstance(value, Struct):
        names = value.__struct_encode_fields__
        size, parts = (
            sum(map(len, names)) + PUNCTUATION * len(names),
            msgspec.structs.astuple(value),
        )
    elif isinstance(value, msgspec.Raw):
        return len(value)
    else:
        return WIDTH
    return 2 + size + sum([size_of(part) for part in parts])
