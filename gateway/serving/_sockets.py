"""Listening sockets, and how many descriptors the process may have."""

from __future__ import annotations

import socket
import sys

if sys.platform != "win32":
    import resource


class CannotListen(Exception):
    """The address can't be listened on; the message says which and why."""


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
    """The base URL of the listener."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def raise_descriptor_limit() -> None:
    """Raise the soft limit of descriptors to the hard one. The usual 1,024 is meant for programs
    that use select().
    """
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))


def descriptor_limit() -> int:
    """How many descriptors the process may have now."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
