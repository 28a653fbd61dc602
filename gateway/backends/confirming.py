"""Whether an answer to a change confirms it, in what is the same for every API.

A status of 2xx alone is not enough: what answers may be a cache, a page from something in between,
or the API about another request. What contradicts the change leaves its outcome unknown.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from gateway.errors import OutcomeUnknown

PROMISED: Final = 202
"""The request was taken in; that it will be carried out is all it says (RFC 9110, 15.3.3)."""


def contradicted() -> OutcomeUnknown:
    """For an answer to a change that is a success, and not about what was asked for."""
    return OutcomeUnknown(
        "The change was sent, and its answer does not show what was asked for: whether it was made "
        "is not known."
    )


def same_name(shown: str, sent: str) -> bool:
    r"""Whether a backend may show a name so that was sent so: it may have left out blanks at the
    ends, or composed characters.

    >>> same_name("Zo\u00eb", " Zoe\u0308"), same_name("Gold", "gold")
    (True, False)
    """
    return shown == sent or _normal(shown) == _normal(sent)


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()
