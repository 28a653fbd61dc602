"""Telling of what was mended: where an answer shows values that are not quite the backend's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.execution.turns import Turns
from gateway.records import Mended, MendedText

CODE: Final = "CHARACTERS_LOST"
MOST_BYTES: Final = 16 * 1024
"""Of the paths that are listed: response names may be long."""
STEP: Final = 1_000
"""Values that are looked at before asking whether it is time to give way."""
Path = list[str | int]


async def warnings(data: Any, turns: Turns, *, most: int) -> list[dict[str, Any]]:
    """A warning with its path for each of the first `most` mended values in `data`, and one that
    counts the others.

    Mended texts become plain ones there, because the encoder takes no others.
    """
    listed: list[dict[str, Any]] = []
    texts: list[tuple[Any, str | int, str]] = []
    found = looked_at = 0
    room = MOST_BYTES
    for parent, path, value in _leaves(data):
        looked_at += 1
        if looked_at % STEP == 0 and turns.over:
            await turns.give_way()
        if not isinstance(value, Mended):
            continue
        found += 1
        if isinstance(value, MendedText):
            texts.append((parent, path[-1], str(value)))
        room -= sum(len(str(key).encode()) for key in path)
        if len(listed) < most and room >= 0:
            listed.append({"code": CODE, "message": value.how, "path": list(path)})
    for parent, key, text in texts:  # now, because an object may stand in many places
        parent[key] = text
    if more := found - len(listed):
        listed.append({"code": CODE, "message": f"And {more} more values."})
    return listed


def _leaves(data: Any) -> Iterator[tuple[Any, Path, Any]]:
    """Each value with the object or list that holds it and its path, which is the same list each
    time; what is encoded already has nothing that was mended.
    """
    path: Path = []
    waiting: list[tuple[Any, Iterator[tuple[Any, Any]]]] = [(data, _items(data))]
    while waiting:
        parent, items = waiting[-1]
        for key, value in items:
            path.append(key)
            if isinstance(value, dict | list) and not isinstance(value, Mended):
                waiting.append((value, _items(value)))
                break
            yield parent, path, value
            path.pop()
        else:
            waiting.pop()
            if path:
                path.pop()


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict):
        return iter(value.items())
    return enumerate(value) if isinstance(value, list) else iter(())
