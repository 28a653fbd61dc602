"""uvicorn, with our own protocol and listener."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from gateway.serving._connection import ClientConnection
from gateway.serving._connections import ClientConnections
from gateway.serving._listener import Listener
from gateway.serving._management import Management, config
from gateway.serving._sockets import raise_descriptor_limit
from gateway.settings import Settings
from gateway.telemetry import Figure, Observer
from gateway.telemetry.log_lines import log_event


def server(
    app: ASGIApp,
    settings: Settings | None = None,
    *,
    observe: Observer = log_event,
    management: Management | None = None,
    begin: Callable[[], None] = lambda: None,
) -> Server:
    """A server for `app`, with the limits for connections in `settings`. `begin` is called in the
    event loop when requests are accepted.
    """
    return Server(app, settings or Settings(), observe, management, begin=begin)


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
        self._connections = ClientConnections(settings, observe)
        self.management = management
        super().__init__(config(app, shutdown_timeout=settings.shutdown_timeout))

    def figures(self) -> Iterator[Figure]:
        """How much is under way."""
        yield "gateway_connections", (), len(self.server_state.connections)
        yield "gateway_requests_in_flight", (), len(self.server_state.tasks)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        for listening in sockets or []:
            listener = Listener(listening, self._connection, self._connections)
            # uvicorn only closes it.
            self.servers.append(cast(asyncio.Server, listener))
        if self.management is not None:
            await self.management.open()
        self._begin()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.management is not None:
            await self.management.close()

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
