"""Text that is JSON but for what some serializers get wrong, made such that each mistake costs only
the value it stands in.

Halves of surrogate pairs, such as a cut emoji leaves behind, bytes that are not UTF-8, and numbers
that JSON has no words for: msgspec takes none of them for JSON, wherever in an answer they are. All
of this is done by the text, in one go each: an answer may be megabytes of such mistakes.
"""

from __future__ import annotations

import re
import sys
from typing import Final

MOST_MENDED: Final = 10_000
"""Halves of pairs, and numbers, that are put right in one text; with more it is no JSON."""
_PERHAPS_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")
# Both patterns match wherever they are tried, and give nothing back: so a text is gone through
# once. First all that is as it should be, then what is not, or the end.
# (Before Python 3.11.5 possessive groups go wrong, gh-106052; atomic ones are right, and slower.)
_GROUP: Final = rb"(?:%b)*+" if sys.version_info >= (3, 11, 5) else rb"(?>(?:%b)*)"
_WHOLE: Final = _GROUP % (
    rb"[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_UP_TO_HALF: Final = re.compile(
    rb"(%b)(?:(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\?\Z|\\)" % _WHOLE, re.DOTALL
)
_STRING: Final = rb'"%b"?' % (_GROUP % rb'[^"\\]++|\\.')
_UP_TO_NUMBER: Final = re.compile(
    rb"(%b)(?:(NaN|Infinity)|\Z|[NI])" % (_GROUP % (rb'[^"NI]++|' + _STRING)), re.DOTALL
)


def with_whole_characters(body: bytes) -> bytes:
    r"""
    >>> with_whole_characters(b'"J\xf8rgen \\ud83d"').decode()
    '"J\ufffdrgen ?"'
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        body = body.decode(errors="replace").encode()
    return _replaced(_UP_TO_HALF, b"?", body) if _PERHAPS_HALF.search(body) else body


def with_json_numbers(body: bytes) -> bytes:
    """NaN and Infinity as numbers beyond every range.

    >>> with_json_numbers(b'[NaN,"NaN",-Infinity]')
    b'[1e999,"NaN",-1e999]'
    """
    if b"NaN" in body or b"Infinity" in body:
        return _replaced(_UP_TO_NUMBER, b"1e999", body)
    return body


def _replaced(pattern: re.Pattern[bytes], by: bytes, body: bytes) -> bytes:
    def replacement(found: re.Match[bytes]) -> bytes:
        whole = found[0]
        return whole if found[2] is None else found[1] + by

    return pattern.sub(replacement, body, count=MOST_MENDED)
