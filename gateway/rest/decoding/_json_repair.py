"""Repairs three mistakes of serializers, so that each costs only the value it is in.

They are halves of surrogate pairs (of a cut emoji), bytes that are not UTF-8, and numbers that JSON
does not have (NaN, Infinity). msgspec refuses the whole answer for any of them. An answer may be
megabytes of such mistakes, so each is repaired in one pass over the text, and no pattern here has a
part that repeats.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final, NamedTuple

MOST_REPAIRED: Final = 10_000
"""Repairs of each kind in one text; if it needs more, it is not JSON."""
_PERHAPS_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_HIGH: Final = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF: Final = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_HIGH, _LOW, _HIGH, _LOW))
_NO_NUMBER: Final = re.compile(rb"NaN|Infinity")
_BACKSLASH: Final = rb"\\"
"""A backslash in a JSON string. Without these, a backslash escapes whatever follows it."""
_QUOTE: Final = rb"\""
_NO_UTF_8: Final = b"\xff\xff"
"""As long as the two above, and never valid UTF-8."""

BYTES: Final = "bytes that are not UTF-8"
HALVES: Final = "half of a surrogate pair"
UNKNOWN: Final = "\ufffd"
_MARKS: Final = [chr(code) for code in range(0xFDD0, 0xFDF0)]
"""Noncharacters: hardly any text has one, and none has all."""


class Lost(NamedTuple):
    """Characters that a body has lost."""

    mark: str
    """The character in place of each; the body has it nowhere else."""
    how: str
    """How they were lost."""


def with_whole_characters(body: bytes) -> tuple[bytes, Lost | None]:
    r"""`body` with a mark in place of each broken character; None if there are none.

    >>> body, lost = with_whole_characters(b'"J\xf8rgen \\ud83d"')
    >>> body.decode().replace(lost.mark, "#"), lost.how
    ('"J#rgen #"', 'bytes that are not UTF-8 and half of a surrogate pair')
    """
    how: list[str] = []
    mark = known = UNKNOWN
    try:
        body.decode()
    except UnicodeDecodeError:
        how.append(BYTES)
        mark, known = _marks(body)
        # A U+FFFD that the backend sent itself is not one that was lost here.
        body = body.replace(UNKNOWN.encode(), known.encode())
        text = body.decode(errors="replace").replace(UNKNOWN, mark)
        body = text.replace(known, UNKNOWN).encode()
    if _PERHAPS_HALF.search(body):
        if not how:
            mark, _ = _marks(body)
        escapes = body.replace(_BACKSLASH, _NO_UTF_8)
        escapes, found = _HALF.subn(mark.encode(), escapes, count=MOST_REPAIRED)
        if found:
            how.append(HALVES)
            body = escapes.replace(_NO_UTF_8, _BACKSLASH)
    return body, Lost(mark, " and ".join(how)) if how else None


def _marks(body: bytes) -> tuple[str, str]:
    """Two characters that are not in the body; U+FFFD if there are none."""
    text = body.lower()
    unused = (
        mark for mark in _MARKS if mark.encode() not in body and b"\\u%04x" % ord(mark) not in text
    )
    return next(unused, UNKNOWN), next(unused, UNKNOWN)


def with_json_numbers(body: bytes) -> bytes:
    """`body` with NaN and Infinity, outside of strings, as numbers beyond every range.

    >>> with_json_numbers(b'[NaN,"NaN",-Infinity]')
    b'[1e999,"NaN",-1e999]'
    """
    quotes = body.replace(_BACKSLASH, _NO_UTF_8).replace(_QUOTE, _NO_UTF_8)
    parts: list[bytes] = []
    kept = looked_at = 0
    within_string = False
    for found in islice(_NO_NUMBER.finditer(body), MOST_REPAIRED):
        within_string ^= quotes.count(b'"', looked_at, found.start()) % 2 == 1
        looked_at = found.start()
        if not within_string:
            parts += (body[kept : found.start()], b"1e999")
            kept = found.end()
    return b"".join((*parts, body[kept:]))
