"""uvicorn, with our own protocol and listener."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp

from gateway.serving._connection import ClientConnection
from gateway.serving._connections import ClientConnections
from gateway.serving._listener import Listener
from gateway.serving._management import Management, config
from gateway.serving._sockets import raise_descriptor_limit
from gateway.settings import Settings
from gateway.telemetry import Draining, Figure, Observer, Stopped
from gateway.telemetry.log_lines import log_event

HANDSHAKES: Final = 0.1
"""Seconds in which connections that are being made are made; longer than a round trip."""
GRACE: Final = 1.0
"""Seconds without a listener in which idle connections may still send a request: those accepted
last have not sent any."""
LATE: Final = 5.0
"""Seconds beyond `deadline` after which what is not answered is cut off. Nothing should be."""


def server(
    app: ASGIApp,
    settings: Settings | None = None,
    *,
    observe: Observer = log_event,
    management: Management | None = None,
    begin: Callable[[], None] = lambda: None,
) -> Server:
    """A server for `app`, with the limits for connections in `settings`, and with `drain`; without
    settings it stops at once. It leaves logging as the process has configured it. `begin` is called
    in the event loop when requests are accepted.
    """
    return Server(app, settings or Settings(drain=0), observe, management, begin=begin)


class Server(uvicorn.Server):
    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        observe: Observer,
        management: Management | None,
        *,
        begin: Callable[[], None],
    ) -> None:
        self._begin = begin
        self._settings = settings
        self._observe = observe
        self._connections = ClientConnections(settings, observe)
        self.listeners: list[Listener] = []
        self._stops_at = 0.0
        self.management = management
        super().__init__(config(app))

    def figures(self) -> Iterator[Figure]:
        """How much is under way."""
        yield "gateway_ready", (), not self._connections.draining
        yield "gateway_connections", (), len(self.server_state.connections)
        yield "gateway_requests_in_flight", (), len(self.server_state.tasks)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        for listening in sockets or []:
            self.listeners.append(Listener(listening, self._connection, self._connections))
        if self.management is not None:
            await self.management.open()
        self._begin()

    def _connection(self) -> ClientConnection:
        return ClientConnection(
            self._connections, self.config, self.server_state, self.lifespan.state
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        raise_descriptor_limit()
        super().run(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ignore a second signal: at a second SIGINT, to which containers' SIGTERM is mapped here,
        uvicorn would drop all running requests.
        """
        if not self.should_exit:
            super().handle_exit(sig, frame)

    # How it stops.

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; true ends the server. When uvicorn would end it, it drains
        first: it goes on as before, but is not ready, and each answer closes its connection.
        """
        if not await super().on_tick(counter):
            return False
        self._drain()
        return asyncio.get_running_loop().time() >= self._stops_at

    def leave(self) -> None:
        """Stop, and leave the listeners to other processes at once. Their host is ready as before:
        it says so also on connections that are still here.
        """
        for listener in self.listeners:
            listener.leave()
        if self.management is not None:
            self.management.leave()
        self._drain(ready=True)
        self.should_exit = True

    def _drain(self, *, ready: bool = False) -> None:
        if not self._connections.draining:
            self._stops_at = asyncio.get_running_loop().time() + self._settings.drain
            self._connections.draining = True
            self._observe(Draining(seconds=self._settings.drain))
            if not ready:
                self.lifespan.state["draining"] = True
                if self.management is not None:
                    self.management.drain()
            for connection in self._open():
                connection.drain()

    def _open(self) -> list[ClientConnection]:
        return list(cast(set[ClientConnection], self.server_state.connections))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listeners and lose no connection, then the connections and lose no request.

        Operations end by their own deadline, so this waits no longer than they may take.
        """
        self._drain()
        loop, patient = asyncio.get_running_loop(), self._settings.drain > 0
        listeners = [listener for listener in self.listeners if not listener.closed]
        for listener in listeners:
            listener.refuse()
        await asyncio.sleep(HANDSHAKES if patient else 0)
        for listener in listeners:
            listener.close()
        closes_idle = loop.time() + (GRACE if patient else 0)
        ends = closes_idle + self._settings.deadline + LATE
        running = self.server_state.tasks
        while True:
            await asyncio.sleep(0.1)
            if loop.time() >= closes_idle:
                for connection in self._open():
                    connection.shutdown()
            if (not self._open() and not running) or loop.time() >= ends:
                break
        unread = sum(connection.is_unread() for connection in self._open())
        self._observe(Stopped(cut_off=len(running) + unread))
        if running:
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=LATE)
        if self.management is not None:
            await self.management.close()
        await self.lifespan.shutdown()
