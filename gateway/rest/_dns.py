"""The addresses of hosts, looked up in threads of their own.

The system's resolver blocks its thread and cannot be interrupted. The event loop has few threads
for everything: if each attempt to connect to a host whose DNS hangs took one, soon no other host
could be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final

import httpx

LookUp = Callable[[str, int], Sequence[str]]
"""Returns at least one address of a host, in the order in which to try them. It may block, and
raises OSError, or UnicodeError for an impossible name."""
KEPT: Final = 5.0
"""Seconds: one answer serves a burst of connections. Not longer, because a failover moves a name
within a minute, and the system's resolver may have a cache of its own."""


def look_up(host: str, port: int) -> list[str]:
    """Ask the system: its hosts file, then DNS, or as it is configured."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Addresses:
    """At most one lookup at a time for a host and port, shared by all callers: a host whose DNS
    hangs holds one thread.
    """

    def __init__(self, look_up: LookUp = look_up, *, kept: float = KEPT) -> None:
        """Answers are cached for `kept` seconds."""
        self._look_up = look_up
        self._seconds = kept
        self._under_way: dict[_HostPort, asyncio.Future[_Outcome]] = {}
        self._kept: dict[_HostPort, tuple[float, Sequence[str]]] = {}
        """Until when each answer is kept. There are only hosts from the settings."""

    async def of(self, host: str, port: int) -> Sequence[str]:
        """Raises httpx.ConnectError if there are none. Waits as long as the resolver does."""
        if _is_address(host):
            return (host,)
        key = (host, port)
        until, known = self._kept.get(key, (0.0, ()))
        if asyncio.get_running_loop().time() < until:
            return known
        # A caller that is cancelled must not end the lookup for the others.
        match await asyncio.shield(self._under_way.get(key) or self._begin(key)):
            case Exception() as failure:
                raise httpx.ConnectError(type(failure).__name__) from failure
            case addresses:
                return addresses

    def forget(self, host: str, port: int) -> None:
        """Drop the cached addresses, because the host could not be reached there."""
        self._kept.pop((host, port), None)

    def close(self) -> None:
        """Fail all lookups under way. Their threads end when the resolver returns."""
        for lookup in self._under_way.values():
            lookup.set_result(ConnectionAbortedError())
        self._under_way.clear()

    def _begin(self, key: _HostPort) -> asyncio.Future[_Outcome]:
        loop = asyncio.get_running_loop()
        lookup: asyncio.Future[_Outcome] = loop.create_future()

        def run() -> None:
            outcome: _Outcome
            try:
                outcome = self._look_up(*key)
            except Exception as failure:  # any failure must reach those who wait
                outcome = failure
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(self._end, key, lookup, outcome)

        try:
            # Not an executor's thread: the loop and the interpreter wait for those when they end.
            threading.Thread(target=run, name="look-up", daemon=True).start()
        except RuntimeError as failure:  # there are no more threads
            raise httpx.ConnectError(type(failure).__name__) from failure
        self._under_way[key] = lookup
        return lookup

    def _end(self, key: _HostPort, lookup: asyncio.Future[_Outcome], outcome: _Outcome) -> None:
        if lookup.done():
            return  # closed meanwhile
        del self._under_way[key]
        if not isinstance(outcome, Exception):
            self._kept[key] = asyncio.get_running_loop().time() + self._seconds, outcome
        lookup.set_result(outcome)


_HostPort = tuple[str, int]
# A failure is a value, because asyncio logs an exception that is never retrieved.
_Outcome = Sequence[str] | Exception


def _is_address(host: str) -> bool:
    """Whether it needs no lookup. The system resolves an address with a scope."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False
