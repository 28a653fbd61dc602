"""Accepts all waiting connections at once, however busy the event loop is."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.serving._connections import ClientConnections

AT_ONCE: Final = 256
"""ClientConnections that are accepted in one turn of the event loop; others come in the next."""
PAUSE: Final = 0.2
"""Seconds without accepting after the system had no descriptor or memory."""


class Listener:
    """Replaces asyncio.Server. uvloop's accepts one connection in a turn of the event loop: under
    load, when turns are long, the last of 2,000 clients waited for 2,000 turns. And without a free
    descriptor it accepts connections only to close them.
    """

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[], asyncio.Protocol],
        connections: ClientConnections,
    ) -> None:
        self._listening = listening
        self._make = make
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        self._go_on()

    def close(self) -> None:
        self._pause()
        self._listening.close()

    async def wait_closed(self) -> None:
        """Does nothing: the server itself closes accepted connections."""

    def _go_on(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listening, self._accept)

    def _pause(self) -> None:
        self._loop.remove_reader(self._listening)
        if self._paused is not None:
            self._paused.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return  # none waits
            except ConnectionError:
                continue  # its client has disconnected already
            except OSError:
                self._connections.can_not_accept()
                self._pause()
                self._paused = self._loop.call_later(PAUSE, self._go_on)
                return
            accepted.setblocking(False)
            beginning = self._loop.create_task(self._begin(accepted))
            self._beginning.add(beginning)
            beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, accepted: socket.socket) -> None:
        with suppress(OSError):  # its client has disconnected already
            await self._loop.connect_accepted_socket(self._make, accepted)
