"""Listening sockets and uvicorn, set up the same way for everything that is served."""

from __future__ import annotations

import logging
import socket

import uvicorn
from starlette.types import ASGIApp


class CannotListen(Exception):
    """The address can't be had; the message says which and why."""


def listen(host: str, port: int, *, remedy: str) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises CannotListen, which ends with `remedy`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, because asyncio sets TCP_NODELAY only where it can see that it is TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Two processes can bind one port with SO_REUSEADDR; only listening shows that it is taken.
        listener.listen(2048)
    except (OSError, OverflowError, UnicodeError) as failure:
        listener.close()
        reason = failure.strerror if isinstance(failure, OSError) else "There is no such address"
        raise CannotListen(f"{host}:{port} can't be listened on: {reason}. {remedy}") from None
    listener.set_inheritable(True)
    return listener


def address(listener: socket.socket) -> str:
    """The base URL of what listens there."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server(app: ASGIApp) -> uvicorn.Server:
    """A server for `app`; logging is left as the process has set it up."""
    config = uvicorn.Config(
        app,
        ws="none",
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=15,
    )
    return uvicorn.Server(config)
