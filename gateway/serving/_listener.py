"""Accepts all waiting connections at once, however busy the event loop is."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.serving._connections import ClientConnections
from gateway.serving._sockets import BACKLOG, UnixListener

AT_ONCE: Final = 256
"""ClientConnections that are accepted in one turn of the event loop; others come in the next."""
EVERY: Final = 0.001
"""Seconds of the last turn for each of which one is accepted, where other processes accept too: in
short turns one at a time, so that each takes its part; in long ones many, as above."""
PAUSE: Final = 0.2
"""Seconds without accepting after the system had no descriptor or memory."""

SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h; Python does not name it
NO_SYN: Final = b"".join(
    struct.pack("HBBI", *step)
    for step in (
        (0x30, 0, 0, 13),  # load the flags of the TCP header
        (0x45, 0, 1, 0x02),  # is SYN among them?
        (0x06, 0, 0, 0),  # then drop the packet
        (0x06, 0, 0, 0xFFFFFFFF),  # else keep it
    )
)
"""A filter for packets, in the code of the classic BPF."""


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
        self._alone = connections.settings.workers == 1
        self._turned: float | None = None
        """When as many were accepted as may be; others may have waited then."""
        listening.setblocking(False)
        self._go_on()

    def refuse(self) -> None:
        """Let nobody begin to connect, while what is being connected is accepted: whoever is
        connected when the listener closes is reset, and a proxy may have sent a change by then.

        The system answers to no SYN any more, and the client sends it again a second later. That
        holds for all processes that share the socket. Only Linux can do it.
        """
        if isinstance(self._listening, UnixListener):
            self._listening.remove()
        elif sys.platform == "linux":
            code = ctypes.create_string_buffer(NO_SYN)
            program = struct.pack("HP", len(NO_SYN) // 8, ctypes.addressof(code))
            with suppress(OSError):  # not allowed here
                self._listening.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def close(self) -> None:
        """Accept what is connected, and close."""
        self._accept(BACKLOG)
        self.leave()

    def leave(self) -> None:
        """Close, and leave what is connected to other processes, if there are any."""
        if not self.closed:
            self._pause()
            self._listening.close()

    @property
    def closed(self) -> bool:
        return self._listening.fileno() < 0

    def _go_on(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listening, self._accept)

    def _pause(self) -> None:
        self._loop.remove_reader(self._listening)
        if self._paused is not None:
            self._paused.cancel()

    def _at_most(self) -> int:
        if self._alone:
            return AT_ONCE
        now, before = self._loop.time(), self._turned
        self._turned = now
        return min(AT_ONCE, 1 + int((now - before) / EVERY)) if before is not None else 1

    def _accept(self, at_most: int | None = None) -> None:
        for _ in range(at_most or self._at_most()):
            try:
                accepted, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                self._turned = None
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
