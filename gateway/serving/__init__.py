"""Listening sockets and uvicorn, set up the same way for everything that is served.

On top of uvicorn, connections follow the HTTP/1.1 specification whatever a client sends, and have
limits. Nothing here knows GraphQL, except that refusals have the form of its responses.
"""

from gateway.serving._management import Management
from gateway.serving._server import Server, server
from gateway.serving._sockets import UNIX, CannotListen, address, listen

__all__ = ["UNIX", "CannotListen", "Management", "Server", "address", "listen", "server"]
