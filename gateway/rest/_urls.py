"""URLs from path templates. No value can change the path that a template leads to, or the query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote_plus

import httpx

from gateway.errors import InvalidAnswer, InvalidInput

UID: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
MAX_QUERY: Final = 65_536
TO_QUOTE: Final = re.compile(r"[^A-Za-z0-9_.~-]")
QUOTED: Final = {chr(code): quote_plus(chr(code)) for code in range(128)}
Query = Mapping[str, str | int | Sequence[str]]
"""Query parameters; one with several values is repeated."""


class BaseUrl:
    """The base URL of an API."""

    def __init__(self, url: str) -> None:
        self.url = httpx.URL(url.rstrip("/"))
        self.host = self.url.host
        self._path = self.url.raw_path.rstrip(b"/").decode("ascii")

    def fill(self, template: str, path: Mapping[str, str], query: Query) -> bytes:
        """The path and query of the template's URL, quoted. Raises InvalidAnswer for a value that
        would lead to another path than its own.

        Callers' values are checked before, so such a value is the backend's own.
        """
        for name, value in path.items():
            if not UID.fullmatch(value):
                raise InvalidAnswer(f"The backend has a `{name}` that can't be asked for by it.")
        filled = template.format_map(path)
        # Servers resolve dot segments: DELETE .../customer-groups/.. would delete the tenant. UID
        # allows no dot; this holds even if UID changes.
        if "/." in filled or filled.count("/") != template.count("/"):
            raise InvalidAnswer("An identifier would change the path of the REST call.")
        asked = _printed(query) if query else None
        if asked is not None and len(asked) > MAX_QUERY:
            raise InvalidInput("What is asked for is too long to be put into a URL.")
        target = self._path + filled
        return (target if asked is None else f"{target}?{asked}").encode("ascii")


def _printed(query: Query) -> str:
    """The same as urllib's `urlencode(query, doseq=True)`, in a third of the time.

    >>> _printed({"limit": 21, "sort": ["name asc", "id asc"]})
    'limit=21&sort=name+asc&sort=id+asc'
    """
    pairs: list[str] = []
    for name, value in query.items():
        start = _quoted(name) + "="
        if isinstance(value, int):
            pairs.append(f"{start}{value}")
        elif isinstance(value, str):
            pairs.append(start + _quoted(value))
        else:
            pairs += [start + _quoted(each) for each in value]
    return "&".join(pairs)


def _quoted(text: str) -> str:
    return TO_QUOTE.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    return QUOTED.get(found[0]) or quote_plus(found[0])
