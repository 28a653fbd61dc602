"""Manifests: the documents of the clients that were built with them, each under its id.

Two formats are read. Apollo's generate-persisted-query-manifest writes `{"format":
"apollo-persisted-query-manifest", "version": 1, "operations": [{"id", "name", "type", "body"}]}`;
relay-compiler's persistFile and GraphQL Code Generator's persistedDocuments are a flat
`{"<id>": "<text>"}`.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from graphql import GraphQLError

FORMAT: Final = "apollo-persisted-query-manifest"
_MOST: Final = 10
"""Mistakes that are listed; the others are counted."""


def read_manifests(
    paths: Sequence[Path], mistakes_in: Callable[[str], Sequence[GraphQLError]]
) -> Mapping[str, str]:
    """The texts of all files by their ids; `mistakes_in` says why a text would be refused.

    Raises ValueError with a line for every mistake that was found: its file, the number and the id
    of its document, and the line of the text. Of the texts, it shows what they name in the schema.
    """
    mistakes: list[str] = []
    texts: dict[str, str] = {}
    sources: dict[str, str] = {}
    for path in paths:
        noted: list[str] = []
        for place, name, text in _entries(path, noted):
            if problem := _problem(name, text):
                noted.append(f"{place}: {problem}")
            elif name not in texts:
                texts[name] = text
                sources[name] = f"{path}, {place}"
                for mistake in mistakes_in(text):
                    line = f", line {mistake.locations[0].line}" if mistake.locations else ""
                    noted.append(f"{place}, {_shown(name)}{line}: {mistake.message}")
            elif texts[name] != text:
                noted.append(
                    f"{place}: the id {_shown(name)} stands for another text in {sources[name]}; "
                    "an id means one text, whichever client sends it."
                )
        mistakes += [f"{path}: {mistake}" for mistake in noted]
    if len(mistakes) > _MOST:
        mistakes[_MOST:] = [f"And {len(mistakes) - _MOST} more mistakes."]
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return types.MappingProxyType(texts)


class _Members(tuple[tuple[str, Any], ...]):
    """A JSON object with all of its members: a dict would keep the last of those with one name."""


def _entries(path: Path, mistakes: list[str]) -> Iterator[tuple[str, str, str]]:
    """Where each document stands, its id and its text; what is neither is noted in `mistakes`."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_Members)
    except OSError as failure:
        mistakes.append(f"it can't be read: {failure.strerror}.")
        return
    except UnicodeDecodeError:
        mistakes.append("it is not UTF-8.")
        return
    except json.JSONDecodeError as mistake:
        mistakes.append(f"it is not JSON: {mistake}.")
        return
    except (ValueError, RecursionError):  # a number of 5000 digits, a list in a list in a list ...
        mistakes.append("it is not JSON that can be read.")
        return
    if not isinstance(manifest, _Members):
        mistakes.append(f"it is neither {FORMAT} nor an object of texts by id, as Relay's.")
        return
    members = dict(manifest)
    if "operations" not in members and "format" not in members:
        yield from _relay(manifest, mistakes)
    elif members.get("format") != FORMAT:
        mistakes.append(f'its "format" is not "{FORMAT}".')
    elif type(members.get("version")) is not int or members["version"] != 1:
        mistakes.append('its "version" is not 1, and no other is known.')
    elif isinstance(operations := members.get("operations"), list):
        yield from _apollo(operations, mistakes)
    else:
        mistakes.append('its "operations" are no list.')


def _relay(members: _Members, mistakes: list[str]) -> Iterator[tuple[str, str, str]]:
    for number, (name, text) in enumerate(members, start=1):
        if isinstance(text, str):
            yield f"document {number}", name, text
        else:
            mistakes.append(f"document {number}: the text of {_shown(name)} is no string.")


def _apollo(operations: Sequence[object], mistakes: list[str]) -> Iterator[tuple[str, str, str]]:
    """`name`, `type` and `clientName` are for people: what runs is decided by the text."""
    for number, operation in enumerate(operations, start=1):
        place = f"operation {number}"
        if not isinstance(operation, _Members):
            mistakes.append(f"{place}: it is no object.")
            continue
        members = dict(operation)
        match members.get("id"), members.get("body"):
            case str(name), str(text):
                yield place, name, text
            case name, _:
                missing = "body" if isinstance(name, str) else "id"
                mistakes.append(f'{place}: it has no "{missing}" that is a string.')


def _problem(name: str, text: str) -> str | None:
    """What is wrong with a document on its own."""
    if not name:
        return "its id is empty."
    if not text.strip():
        return f"the text of {_shown(name)} is empty."
    try:
        digest = hashlib.sha256(text.encode()).hexdigest()
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair
        return f"the text of {_shown(name)} is not Unicode."
    # Elsewhere an id of 64 digits is only what a tool has chosen; with the prefix GraphQL over HTTP
    # says what it is.
    if name.startswith("sha256:") and name != f"sha256:{digest}":
        return f"{_shown(name)} is not the SHA-256 of its text; was it edited by hand?"
    return None


def _shown(name: str) -> str:
    """An id as a message can hold it, which is one line.

    >>> _shown("a\\nb"), len(_shown("x" * 100))
    ('"a\\\\nb"', 82)
    """
    return json.dumps(name if len(name) <= 80 else f"{name[:77]}...")
