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
from typing import Final

MOST_MENDED: Final = 10_000
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


def with_whole_characters(body: bytes) -> bytes:
    r"""
    >>> with_whole_characters(b'"J\xf8rgen \\ud83d"').decode()
    '"J\ufffdrgen ?"'
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        body = body.decode(errors="replace").encode()
    if not _PERHAPS_HALF.search(body):
        return body
    escapes = body.replace(_BACKSLASH, _NO_UTF_8)
    return _HALF.sub(b"?", escapes, count=MOST_MENDED).replace(_NO_UTF_8, _BACKSLASH)


def with_json_numbers(body: bytes) -> bytes:
    """NaN and Infinity as numbers beyond every range, where they are not what a string says.

    >>> with_json_numbers(b'[NaN,"NaN",-Infinity]')
    b'[1e999,"NaN",-1e999]'
    """
    quotes = body.replace(_BACKSLASH, _NO_UTF_8).replace(_QUOTE, _NO_UTF_8)
    parts: list[bytes] = []
    kept = looked_at = 0
    within_string = False
    for found in islice(_NO_NUMBER.finditer(body), MOST_MENDED):
        within_string ^= quotes.count(b'"', looked_at, found.start()) % 2 == 1
        looked_at = found.start()
        if not within_string:
            parts += (body[kept : found.start()], b"1e999")
            kept = found.end()
    return b"".join((*parts, body[kept:]))
