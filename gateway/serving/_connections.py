"""All connections of a server: their number, and how long each may wait for its client."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from gateway.serving._sockets import descriptor_limit
from gateway.settings import Settings
from gateway.telemetry import LimitReached, Observer, RequestRefused

log = logging.getLogger("gateway.serving")
OTHER_DESCRIPTORS: Final = 32
"""Descriptors for neither clients nor REST calls, such as those of files."""
BETWEEN_WARNINGS: Final = 10.0


class WaitingClient(Protocol):
    """A connection that waits for its client."""

    def waited_too_long(self) -> None:
        """The time for the next request is over."""

    def make_room(self) -> None:
        """Close the connection to make room for another."""

    def is_read(self) -> bool:
        """Whether the client has read enough of its answer since the last call."""

    def abort(self) -> None:
        """Close at once and drop what is unsent, because the client does not read."""


class ClientConnections:
    """Ends the waits of all connections with one timer. One timer for each connection would be set
    and cancelled at every request, and hardly any would ever fire.
    """

    def __init__(
        self, settings: Settings, observe: Observer, *, reserved: int | None = None
    ) -> None:
        """`reserved` descriptors are left to others; without it, as many as may be needed."""
        self.settings = settings
        self.draining = False
        """Whether each answer says that it is the last one of its connection."""
        self._observe = observe
        # Until when each may wait; the one that has waited longest comes first.
        self._for_request: dict[WaitingClient, float] = {}
        self._for_reader: dict[WaitingClient, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        shortest = min(
            settings.head_timeout,
            settings.silent_timeout,
            settings.keep_alive_timeout,
            settings.unread_timeout,
        )
        self._tick = min(1.0, shortest / 4)
        rest_calls = sum({up.url: up.concurrency for up in settings.upstreams}.values())
        self._reserved = OTHER_DESCRIPTORS + rest_calls if reserved is None else reserved
        self._origins = {origin.encode() for origin in settings.cors_origins}
        self._reached: Counter[str] = Counter()
        self._warn_again = 0.0

    def make_room(self, count: int, descriptor: int) -> bool:
        """Whether there is room for a new connection, the last of `count`. If the limit is reached,
        the connection that has waited longest for a request is closed to make room.
        """
        limit = descriptor_limit()
        if count > self.settings.max_connections:
            reached = "max_connections"
        elif descriptor >= limit - min(self._reserved, limit // 2):
            # A new descriptor has the lowest free number, so all below it are in use.
            reached = "descriptors"
        else:
            return True
        return self._close_longest(reached)

    def can_not_accept(self) -> None:
        """The system has no descriptor or no memory for another connection."""
        self._close_longest("descriptors")

    def _close_longest(self, limit: str) -> bool:
        """Close the connection that has waited longest for a request, if any does."""
        self.no_room(limit)
        longest = next(iter(self._for_request), None)
        if longest is None:
            return False
        del self._for_request[longest]
        longest.make_room()
        return True

    def reached(self, limit: str) -> None:
        self._reached[limit] += 1
        self._observe(LimitReached(limit=limit))

    def refused(self, status: int, limit: str | None) -> None:
        self._observe(RequestRefused(status=status, limit=limit))

    def no_room(self, limit: str) -> None:
        """Like `reached`, and logs a warning, because a client was refused or closed without a
        fault of its own.
        """
        self.reached(limit)
        # Not each time, or thousands of connections would fill the log as well.
        now = asyncio.get_running_loop().time()
        if now >= self._warn_again:
            self._warn_again = now + BETWEEN_WARNINGS
            log.warning("no room: %s reached, %d times so far", limit, self._reached[limit])

    def for_pages(self, headers: Iterable[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
        """The CORS headers without which a browser hides a refusal, with its status, from the page
        that has sent the request.
        """
        if not self._origins:
            return ()
        origin = next((value for name, value in headers if name == b"origin"), None)
        if origin is None or self._origins.isdisjoint((origin, b"*")):
            return ()
        cors = [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", b"Retry-After"),
            (b"vary", b"Origin"),
        ]
        if self.settings.cors_credentials:
            cors.append((b"access-control-allow-credentials", b"true"))
        return cors

    def waits_for_request(self, connection: WaitingClient, seconds: float) -> None:
        self._for_request[connection] = self._at(seconds)

    def waits_for_reader(self, connection: WaitingClient) -> None:
        self._for_request.pop(connection, None)
        self._for_reader[connection] = self._at(self.settings.unread_timeout)

    def waits_no_more(self, connection: WaitingClient) -> None:
        """The next request has come, or the connection is lost."""
        self._for_request.pop(connection, None)

    def is_read(self, connection: WaitingClient) -> None:
        """The client has read everything, or has disconnected."""
        self._for_reader.pop(connection, None)

    def _at(self, seconds: float) -> float:
        loop = asyncio.get_running_loop()
        if self._timer is None:
            self._timer = loop.call_later(self._tick, self._look)
        return loop.time() + seconds

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for connection in [c for c, until in self._for_request.items() if until <= now]:
            del self._for_request[connection]
            connection.waited_too_long()
        for connection in [c for c, until in self._for_reader.items() if until <= now]:
            if connection.is_read():
                self._for_reader[connection] = self._at(self.settings.unread_timeout)
            else:
                del self._for_reader[connection]
                self.reached("unread_timeout")
                connection.abort()
        if self._for_request or self._for_reader:
            self._at(math.inf)
