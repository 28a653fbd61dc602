"""What a simulator was asked, in order of arrival."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(slots=True)
class Request:
    """One request as it came in. `path` is as sent, still percent-encoded and without the query."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)  # has the bearer token in it
    """Names in lower case; a repeated header is joined with ", "."""
    body: bytes = b""
    """Empty until the body has arrived."""
    status: int | None = None
    """What was answered; None as long as nothing was, which may be for ever."""


class Journal:
    """Every request received, recorded on arrival: one that never gets an answer is here too.

    `tenant_path` is the pattern at the start of a path that `calls` leaves out.
    """

    def __init__(
        self, limit: int | None = None, *, tenant_path: str = r"/v2/tenants/[^/]+/"
    ) -> None:
        self._requests: deque[Request] = deque(maxlen=limit)
        self._tenant_path = re.compile(tenant_path)

    @property
    def requests(self) -> list[Request]:
        """Oldest first; the newest `limit` of them when there is one."""
        return list(self._requests)

    @property
    def calls(self) -> list[str]:
        """Short lines such as ``GET customer-groups/gold``; a path of no tenant is shown whole."""
        return [
            f"{request.method} {self._tenant_path.sub('', request.path, count=1)}"
            if self._tenant_path.match(request.path)
            else f"{request.method} {request.path}"
            for request in self._requests
        ]

    def clear(self) -> None:
        """Forget all requests so far."""
        self._requests.clear()

    def around(self, app: ASGIApp) -> ASGIApp:
        """The app, with its requests written down here."""

        async def journalled(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            request = arrived(scope)
            self._requests.append(request)
            messages = [await receive()]
            while messages[-1].get("more_body"):
                messages.append(await receive())
            request.body = b"".join(message.get("body", b"") for message in messages)
            messages.reverse()

            async def replay() -> Message:
                return messages.pop() if messages else await receive()

            async def watch(message: Message) -> None:
                if message["type"] == "http.response.start":
                    request.status = message["status"]
                await send(message)

            await app(scope, replay, watch)

        return journalled


def arrived(scope: Scope) -> Request:
    """The request an ASGI scope describes, before its body."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    # `path` is decoded: "a%2Fb" and "a/b", which are two paths, would look the same.
    path = scope.get("raw_path") or scope["path"].encode()
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return Request(scope["method"], path.decode("latin-1"), dict(query), headers)
