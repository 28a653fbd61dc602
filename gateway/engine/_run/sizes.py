"""How many bytes parts of a response take in JSON."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Raw, Struct, json, structs

ENCODER: Final = json.Encoder()
WIDTH: Final = 5
"""Bytes of most numbers, and of `true`, `false` and null."""
PUNCTUATION: Final = 4
"""Bytes around the name of a field: "name":,"""


def size_of(value: Any) -> int:
    """About the bytes of the value, without encoding it: it may be a large text in many places."""
    size, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            size += len(part) + 2
        elif isinstance(part, dict):
            size += sum(map(len, part)) + PUNCTUATION * len(part) + 2
            waiting += part.values()
        elif isinstance(part, list | tuple):
            size += len(part) + 2
            waiting += part
        elif isinstance(part, Struct):
            names = part.__struct_encode_fields__
            size += sum(map(len, names)) + PUNCTUATION * len(names) + 2
            waiting += structs.astuple(part)
        else:
            size += len(part) if isinstance(part, Raw) else WIDTH
    return size
