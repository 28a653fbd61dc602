"""The addresses of a host, looked up in threads that nobody else waits for.

The system's resolver blocks a thread, and can't be interrupted. The event loop's own threads are
few and everybody's: a host whose DNS hangs takes them all, one with each attempt to connect, and
then no other host can be reached, long after the attempts have failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import httpx

LookUp = Callable[[str, int], Sequence[str]]
"""The addresses of a host, one or more, in the order in which they are to be tried. It may block,
and raises OSError, or UnicodeError where the name can't be one."""
KEPT: Final = 5.0
"""Seconds: as many connections as are opened in a burst need one answer. Never longer, for a
failover moves a name within a minute, and what the system's resolver may keep comes on top."""


def look_up(host: str, port: int) -> list[str]:
    """What the system says: its hosts file, then DNS, or whatever it is configured for."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Addresses:
    """At most one lookup is under way for a host and port, and all who ask meanwhile wait for it:
    a host whose DNS hangs holds one thread, however often it is asked for.
    """

    def __init__(self, look_up: LookUp = look_up, *, kept: float = KEPT) -> None:
        """Answers are used again for `kept` seconds."""
        self._look_up = look_up
        self._seconds = kept
        self._under_way: dict[_Place, asyncio.Future[_Outcome]] = {}
        self._kept: dict[_Place, _Kept] = {}  # as many as settings name hosts

    async def of(self, host: str, port: int) -> Sequence[str]:
        """Raises httpx.ConnectError where none are found. May wait as long as the resolver does."""
        if _is_address(host):
            return (host,)
        place = _Place(host, port)
        kept = self._kept.get(place)
        if kept is not None and asyncio.get_running_loop().time() < kept.until:
            return kept.addresses
        # Who is cancelled, or has no more time, does not end it for the others.
        match await asyncio.shield(self._under_way.get(place) or self._begin(place)):
            case Exception() as failure:
                raise httpx.ConnectError(type(failure).__name__) from failure
            case addresses:
                return addresses

    def forget(self, host: str, port: int) -> None:
        """It can't be reached where it was said to be, and is looked up when next asked for."""
        self._kept.pop(_Place(host, port), None)

    def close(self) -> None:
        """Those who wait are told at once. The threads end when the resolver does, unheard."""
        for lookup in self._under_way.values():
            lookup.set_result(ConnectionAbortedError())
        self._under_way.clear()

    def _begin(self, place: _Place) -> asyncio.Future[_Outcome]:
        loop = asyncio.get_running_loop()
        lookup: asyncio.Future[_Outcome] = loop.create_future()

        def run() -> None:
            outcome = _outcome(self._look_up, place)
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(self._end, place, lookup, outcome)

        try:
            # Not an executor's: those are waited for when the loop ends, or the interpreter.
            threading.Thread(target=run, name="look-up", daemon=True).start()
        except RuntimeError as failure:  # there are no more threads
            raise httpx.ConnectError(type(failure).__name__) from failure
        self._under_way[place] = lookup
        return lookup

    def _end(self, place: _Place, lookup: asyncio.Future[_Outcome], outcome: _Outcome) -> None:
        if lookup.done():
            return  # closed meanwhile
        del self._under_way[place]
        if not isinstance(outcome, Exception):
            until = asyncio.get_running_loop().time() + self._seconds
            self._kept[place] = _Kept(outcome, until)
        lookup.set_result(outcome)


class _Place(NamedTuple):
    host: str
    port: int


class _Kept(NamedTuple):
    addresses: Sequence[str]
    until: float


# A failure is a value: asyncio complains of an exception that nobody waits for any more.
_Outcome = Sequence[str] | Exception


def _outcome(look_up: LookUp, place: _Place) -> _Outcome:
    try:
        return look_up(*place)
    except Exception as failure:  # whatever it is, those who wait must hear of it
        return failure


def _is_address(host: str) -> bool:
    """Whether there is nothing to look up. An address with a scope is the system's to read."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False
