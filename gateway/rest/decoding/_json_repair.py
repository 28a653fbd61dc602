"""Text that is JSON but for what some serializers get wrong, made such that each mistake costs only
the value it stands in.

Halves of surrogate pairs, such as a cut emoji leaves behind, bytes that are not UTF-8, and numbers
that JSON has no words for: msgspec takes none of them for JSON, wherever in an answer they are. All
of this is done by the text, in one go each: an answer may be megabytes of such mistakes. So no
pattern here has a part that repeats.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final, NamedTuple

MOST_REPAIRED: Final = 10_000
"""Halves of pairs, or words for no number, looked at in one text; with more it is no JSON."""
_PERHAPS_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_HIGH: Final = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW: Final = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF: Final = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_HIGH, _LOW, _HIGH, _LOW))
_NO_NUMBER: Final = re.compile(rb"NaN|Infinity")
_BACKSLASH: Final = rb"\\"
"""As JSON writes it; without these, whatever follows a backslash is what it escapes."""
_QUOTE: Final = rb"\""
_NO_UTF_8: Final = b"\xff\xff"
"""As long as the two above, and in no text."""


BYTES: Final = "bytes that are not UTF-8"
HALVES: Final = "half of a surrogate pair"
UNKNOWN: Final = "\ufffd"
_MARKS: Final = [chr(code) for code in range(0xFDD0, 0xFDF0)]
"""Noncharacters: no text has them, or if one does, not all of them."""


class Lost(NamedTuple):
    """What stands for characters that a body has lost."""

    mark: str
    """In place of each; nothing else in the body is like it."""
    how: str
    """How they were lost."""


def with_whole_characters(body: bytes) -> tuple[bytes, Lost | None]:
    r"""`body` with a mark for each character that is not whole; None where all are.

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
        # What the backend itself shows as unknown was not lost here.
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
    """Two characters that are not in the body; U+FFFD where there are none."""
    text = body.lower()
    unused = (
        mark for mark in _MARKS if mark.encode() not in body and b"\\u%04x" % ord(mark) not in text
    )
    return next(unused, UNKNOWN), next(unused, UNKNOWN)


def with_json_numbers(body: bytes) -> bytes:
    """NaN and Infinity as numbers beyond every range, where they are not what a string says.

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
