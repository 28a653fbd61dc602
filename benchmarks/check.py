"""Whether a peer may be measured: its answers have to be those that the data gives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from benchmarks.load import ask
from benchmarks.roster import HEADERS, Peer
from benchmarks.stub import Stub
from benchmarks.workloads import NEW, Workload

_RENEWED = re.compile(rb"\bn\d{8}\b")


class Differs(Exception):
    """An answer is not the one that the data gives; the message says where."""


async def check(peer: Peer, workload: Workload, *, port: int, stub: Stub) -> set[int]:
    """The lengths that right answers have, over all of the workload's variables.

    Raises Differs. Of a peer that is no GraphQL server only the number of REST calls is held, as it
    is of ours.
    """
    requests = workload.requests(
        peer.path_of(workload), text=peer.texts.get(workload.name), headers=HEADERS
    )
    lengths: set[int] = set()
    for variables, request in zip(workload.variables, requests, strict=False):
        before = stub.calls
        status, body = await ask(port, request)
        calls = stub.calls - before
        if status != 200:
            raise Differs(f"{status} {body[:500].decode(errors='replace')}")
        if peer.fewest_calls and calls > workload.rest_calls:
            raise Differs(f"{calls} REST calls instead of {workload.rest_calls}")
        if peer.graphql:
            answer = json.loads(_RENEWED.sub(NEW.encode(), body))
            if answer.get("errors"):
                raise Differs(f"errors: {answer['errors'][:2]}")
            for difference in islice(_differences(answer["data"], workload.expected(variables)), 1):
                raise Differs(difference)
        lengths.add(len(body))
    return lengths


def _differences(found: Any, expected: Any, at: str = "data") -> Iterator[str]:
    """Where two answers differ; the order of an object's members is no difference."""
    match found, expected:
        case dict(), dict() if found.keys() == expected.keys():
            for name in found:
                yield from _differences(found[name], expected[name], f"{at}.{name}")
        case list(), list() if len(found) == len(expected):
            for number, pair in enumerate(zip(found, expected, strict=True)):
                yield from _differences(*pair, f"{at}[{number}]")
        case dict(), dict():
            names = sorted(found.keys() ^ expected.keys())
            yield f"{at}: only one has {', '.join(names)}"
        case _ if found != expected:
            yield f"{at}: {json.dumps(found)[:100]} instead of {json.dumps(expected)[:100]}"
