"""Listening sockets, and how many descriptors the process may have."""

from __future__ import annotations

import os
import socket
import stat
import sys
from contextlib import suppress
from typing import Final

if sys.platform != "win32":
    import fcntl
    import resource

UNIX: Final = "unix:"
"""What the `host` of a Unix socket begins with."""
MODE: Final = 0o666
"""Of a Unix socket: whoever may enter its directory may connect."""
BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""


class CannotListen(Exception):
    """The address can't be listened on; the message says which and why."""


class UnixListener(socket.socket):
    """Removes its file when it is closed or its block ends, unless another has taken its place."""

    _path = ""
    _file: os.stat_result | None = None

    def begin(self, path: str) -> None:
        """Replace a socket that nobody listens on any more; any other file stays."""
        directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            # Of several that start at once, one listens before the next one looks.
            fcntl.flock(directory, fcntl.LOCK_EX)
            if _is_left(path):
                os.unlink(path)
            self.bind(path)
            os.chmod(path, MODE)
            self.listen(BACKLOG)
            self._path, self._file = path, os.stat(path)
        finally:
            os.close(directory)

    def remove(self) -> None:
        """Remove the file, so that nobody begins to connect."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # it is gone already
                if os.path.samestat(os.stat(self._path), file):
                    os.unlink(self._path)

    def close(self) -> None:
        self.remove()
        super().close()

    def __exit__(self, *_: object) -> None:
        self.close()  # a socket that is detached is not closed by its block


def _is_left(path: str) -> bool:
    """Whether it is a socket whose process is gone."""
    if not (os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode)):
        return False
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)  # connecting would wait for room
        try:
            client.connect(path)
        except ConnectionRefusedError:
            return True
        except BlockingIOError:
            return False
    return False


def listen(host: str, port: int, *, remedy: str) -> socket.socket:
    """A bound socket; port 0 takes a free one. A `host` may be `unix:` and the path of a Unix
    socket. Raises CannotListen, which ends with `remedy`.
    """
    listener: socket.socket
    if host.startswith(UNIX):
        place, listener = host, UnixListener(socket.AF_UNIX)
    else:
        host = host.removeprefix("[").removesuffix("]")
        place, family = f"{host}:{port}", socket.AF_INET6 if ":" in host else socket.AF_INET
        # Named, because asyncio sets TCP_NODELAY only where it can see that it is TCP.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if isinstance(listener, UnixListener):
            listener.begin(host.removeprefix(UNIX))
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            # Two processes can bind one port with SO_REUSEADDR; only listening shows it is taken.
            listener.listen(BACKLOG)
    except (OSError, OverflowError, ValueError) as failure:
        listener.close()
        reason = "There is no such address"
        if isinstance(failure, OSError):
            reason = failure.strerror or str(failure)
        raise CannotListen(f"{place} can't be listened on: {reason}. {remedy}") from None
    listener.set_inheritable(True)
    return listener


def address(listener: socket.socket) -> str:
    """The base URL of the listener; of a Unix socket, its path after `unix:`."""
    name = listener.getsockname()
    if isinstance(name, str):
        return UNIX + name
    host, port = name[:2]
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
