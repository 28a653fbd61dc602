"""The management port: a second app, on a listener and within limits of its own."""

from __future__ import annotations

import logging
import socket
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from gateway.serving._connection import ClientConnection
from gateway.serving._connections import ClientConnections
from gateway.serving._listener import Listener
from gateway.settings import Settings
from gateway.telemetry import Event

LIMITS: Final = Settings(
    max_connections=16, max_requests=64, max_head=16_384, head_timeout=5, silent_timeout=5
)
"""The connections fit into the descriptors that clients' leave free. They alone are the limit: for
a moment, a connection counts the request that it has answered beside the next one.
"""


def config(app: ASGIApp) -> uvicorn.Config:
    """It leaves logging as the process has configured it."""
    return uvicorn.Config(
        app,
        ws="none",
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,
        server_header=False,
        proxy_headers=False,
    )


class Management:
    """It answers however many clients the gateway has, and however many requests are under way; who
    is stuck here keeps nobody but others here from it, and them only for seconds.
    """

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        self._config = config(app)
        self._listening = listening
        self._state = ServerState()
        self._connections = ClientConnections(LIMITS, _ignore, reserved=0)

    async def open(self) -> None:
        self._config.load()
        self._lifespan = self._config.lifespan_class(self._config)
        await self._lifespan.startup()
        self._listener = Listener(self._listening, self._connection, self._connections)

    def drain(self) -> None:
        """Let the app know that the gateway is to stop."""
        self._lifespan.state["draining"] = True

    def leave(self) -> None:
        self._listener.leave()

    async def close(self) -> None:
        self._listener.leave()
        for connection in list(self._state.connections):
            connection.transport.abort()
        await self._lifespan.shutdown()

    def _connection(self) -> ClientConnection:
        return ClientConnection(self._connections, self._config, self._state, self._lifespan.state)


def _ignore(_event: Event) -> None:
    """What happens here is nothing that clients of the gateway met."""
