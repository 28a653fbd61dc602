"""What the status of an answer means for any API, whether the request may be sent again, and how
long the upstream asks to wait before (RFC 9110, 10.2.3).
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_tz
from typing import Final

import httpx

from gateway.errors import (
    Forbidden,
    GatewayError,
    InvalidAnswer,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    Unavailable,
)

NOT_YET: Final = frozenset({408, 425})
"""The server did not wait for the request, or does not take it this early."""
TRANSIENT: Final = frozenset({502, 503, 504})
ELSEWHERE: Final = frozenset({300, 301, 302, 305, 307, 308})
"""Redirects that ask for the same request at another address. 303 is none of them: by that a server
may point to the result of what it has done (RFC 9110, 15.4.4).
"""
LONGEST: Final = 365 * 86_400.0
"""Seconds; what is longer is no shorter than that."""
SECONDS: Final = re.compile(r"[0-9]{1,1000}")
LONGEST_DATE: Final = 100


class Again(Exception):
    """The request may be sent again, `after` seconds if the upstream said so; else `failure` is the
    answer.
    """

    def __init__(self, failure: GatewayError, *, after: float | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.after = after


def unknown() -> OutcomeUnknown:
    return OutcomeUnknown("The change was sent, and no answer came that tells whether it was made.")


def unreadable() -> OutcomeUnknown:
    """For an adapter that can't read the answer to a write which the upstream accepted."""
    return OutcomeUnknown("The change was accepted, but its answer can't be read.")


def judge(
    safe: bool, response: httpx.Response, unreadable: GatewayError | Again | None = None
) -> int:
    """The status, where it is an adapter's to read; else raises what it means for any API.

    The status counts before the body: an `unreadable` body matters only to a read that succeeded.
    """
    status = response.status_code
    if 200 <= status < 300:
        if safe and unreadable is not None:
            raise unreadable
        return status
    if status == 401:
        raise Unauthenticated("The backend does not accept this token.")
    if status == 403:
        raise Forbidden("This token has no right to do that.")
    if status == 429 or (safe and status == 503):
        after = retry_after(response.headers)
        if status == 429 or after is not None:
            limited = RateLimited(
                "The backend asks to slow down.",
                retry_after=None if after is None else float(math.ceil(after)),
            )
            # A write is sent once, for there are upstreams that had done it already.
            raise Again(limited, after=after) if safe else limited
    if safe and (status in TRANSIENT or status in NOT_YET):
        raise Again(Unavailable("The backend is not available."))
    if 400 <= status < 500:
        return status
    if status in ELSEWHERE:
        raise InvalidAnswer("The backend sends its callers elsewhere, so nothing was done.")
    if not safe:
        raise unknown()
    if status >= 500:
        raise Unavailable("The backend failed.")
    raise InvalidAnswer("The backend answered with a status that its contract does not have.")


def fails(status: int) -> bool:
    """Whether it is a failure for any API, and not an adapter's to read."""
    return status // 100 not in (2, 4) or status in (401, 403, 408, 425, 429)


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
