"""Looks now and then at whether answers are as their API documents them, after the response that
they were for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import msgspec
from msgspec import Raw

from gateway.contract import ITEMS, Contract, Deviation, deviations
from gateway.rest import SampledAnswer
from gateway.telemetry import ContractDeviation, Event, Observer, OperationDone

MAX_BODY: Final = 1_000_000
"""Bytes of an answer that is looked at: to find the rows of a longer one takes milliseconds."""
MAX_COMMAS: Final = 30_000
"""Of an answer that is looked at: each may begin another row or member. A page of 500 rows has some
20,000.
"""
MAX_MEMBERS: Final = 1_000
"""Of the answer itself."""
MAX_ROW: Final = 64_000
ROWS: Final = 16_000
"""Bytes after which no further row is looked at, which takes half a millisecond."""
UNKNOWN: Final = 200
"""Undocumented members that are told by their names, in a process' life; all others are `other`."""

Calls = Mapping[tuple[str, str], Contract]
"""The contracts of an API's calls, by method and path template."""
decode: Final = msgspec.json.decode


class ContractAlarm:
    """Keeps the samples of answers, and tells of their deviations once the operations are done that
    they were for. What can't be read at all is left to those who report that.
    """

    def __init__(self, contracts: Mapping[str, Calls], observe: Observer) -> None:
        """`contracts` are by backend."""
        self._contracts = contracts
        self._observe = observe
        self._kept: dict[tuple[str, str, str], SampledAnswer] = {}
        """One of each call, so that there are never many."""
        self._looked = 0
        self._unknown: set[tuple[str, str]] = set()

    def keep(self, sample: SampledAnswer) -> None:
        self._kept[sample.backend, sample.method, sample.template] = sample

    def __call__(self, event: Event) -> None:
        """Observes operations."""
        if not self._kept or not isinstance(event, OperationDone):
            return
        for call, sample in list(self._kept.items()):
            if sample.request_id == event.request_id:
                del self._kept[call]
                asyncio.get_running_loop().call_soon(self._examine, sample)

    def _examine(self, sample: SampledAnswer) -> None:
        contract = self._contracts[sample.backend].get((sample.method, sample.template))
        if contract is None or not sample.usable:
            return
        self._looked += 1
        try:
            answer = _part(sample.body, contract.rows, turn=self._looked)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        for found in deviations(answer, contract):
            self._observe(
                ContractDeviation(
                    backend=sample.backend,
                    template=sample.template,
                    member=found.member if found.known else self._bounded(sample, found),
                    kind=found.kind,
                    example=found.example,
                    known=found.known,
                )
            )

    def _bounded(self, sample: SampledAnswer, found: Deviation) -> str:
        """The member, or `other` where too many were told that no document has."""
        if found.kind != "unknown_member":
            return found.member
        if len(self._unknown) < UNKNOWN:
            self._unknown.add((sample.template, found.member))
        return found.member if (sample.template, found.member) in self._unknown else "other"


def _part(body: bytes, rows: str | None, *, turn: int) -> object:
    """The answer, with as many of its `rows` as are looked at quickly: from another on each `turn`.

    Raises DecodeError where there is too much of it.
    """
    if len(body) > MAX_BODY or body.count(b",") > MAX_COMMAS:
        raise msgspec.DecodeError
    parts = decode(body, type=dict[str, Raw])
    listed = None if rows is None else parts.pop(rows, None)
    if len(parts) > MAX_MEMBERS or sum(map(_size, parts.values())) > MAX_ROW:
        raise msgspec.DecodeError
    answer = {name: decode(part) for name, part in parts.items()}
    if rows is not None and listed is not None:
        each = decode(listed, type=list[Raw] | None)
        start = turn % len(each) if each else 0
        turned = each and islice(_few(each[start:] + each[:start]), ITEMS)
        answer[rows] = turned and [decode(row) for row in turned]
    return answer


def _few(rows: Sequence[Raw]) -> Iterator[Raw]:
    room = ROWS
    for row in rows:
        if room <= 0:
            return
        if _size(row) <= MAX_ROW:
            room -= _size(row)
            yield row


def _size(part: Raw) -> int:
    return len(memoryview(part))
