"""How long an upstream asks its callers to wait (RFC 9110, 10.2.3)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_tz
from typing import Final

LONGEST: Final = 365 * 86_400.0
"""Seconds; what is longer is no shorter than that."""
SECONDS: Final = re.compile(r"[0-9]{1,1000}")
LONGEST_DATE: Final = 100


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; None where nothing usable is said: that is absent, over already, or no sense.

    A date is held against the answer's own, for the upstream's clock need not be ours.

    >>> retry_after({"Retry-After": "120"}), retry_after({"Retry-After": "-1"})
    (120.0, None)
    >>> then = "Sun, 06 Nov 1994 08:49:37 GMT"
    >>> retry_after({"Retry-After": "Sunday, 06-Nov-94 08:50:07 GMT", "Date": then})
    30.0
    """
    said = headers.get("Retry-After", "").strip(" \t")
    if SECONDS.fullmatch(said):
        return min(float(said), LONGEST)
    until = _instant(said)
    if until is None:
        return None
    now = _instant(headers.get("Date", ""))
    seconds = until - (time.time() if now is None else now)
    return min(seconds, LONGEST) if seconds > 0 else None


def _instant(text: str) -> float | None:
    """Of an HTTP-date in any of its three forms, all of which are in GMT (RFC 9110, 5.6.7)."""
    if len(text) > LONGEST_DATE or not text.isascii() or ":" not in text:
        return None
    try:
        date = parsedate_tz(text)
        return None if date is None else datetime(*date[:6], tzinfo=UTC).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
