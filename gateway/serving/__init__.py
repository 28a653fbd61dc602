"""Listening sockets and uvicorn, set up the same way for everything that is served.

What is ours is the door: HTTP/1.1 as the specification has it, whatever a client sends, and bounds
for what one connection may take. It knows no GraphQL but for the form of its own refusals.
"""

from gateway.serving._server import Server, server
from gateway.serving._sockets import CannotListen, address, listen

__all__ = ["CannotListen", "Server", "address", "listen", "server"]
