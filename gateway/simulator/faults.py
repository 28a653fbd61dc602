"""What can go wrong between two machines, on demand.

Nothing here knows which API is simulated: a `Faults` is put around any ASGI app.

>>> faults = Faults()
>>> fault = faults.add(Answer(503), method="GET", path="/customers", times=2)
>>> faults.take("GET", "/v2/tenants/demo/customer-groups/gold/customers")
Answer(status=503, body=b'', headers={})
>>> fault.hits, fault.times
(1, 1)
"""

import asyncio
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HangUp(Exception):
    """Raised by an effect for: close the connection now, with no further byte."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on its way, as an effect sees it."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send

    async def forward(self) -> None:
        """Let the app answer as it would have."""
        await self.app(self.scope, self.receive, self.send)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The app's answer, held back: status, headers (names in lower case) and body."""
        status = 500
        headers: dict[str, str] = {}
        chunks: list[bytes] = []

        async def keep(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.update(
                    (name.decode("latin-1").lower(), value.decode("latin-1"))
                    for name, value in message["headers"]
                )
            else:
                chunks.append(message.get("body", b""))

        await self.app(self.scope, self.receive, keep)
        return status, headers, b"".join(chunks)

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the status line and headers."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, body: bytes, *, more: bool = False) -> None:
        """Send a piece of the body: the last one, unless there is `more`."""
        await self.send({"type": "http.response.body", "body": body, "more_body": more})


class Effect(Protocol):
    """What a fault does to a request or to its answer."""

    async def play(self, exchange: Exchange) -> None:
        """Answer in the app's stead, around it, or not at all (`HangUp`)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer this; the app never sees the request."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def play(self, exchange: Exchange) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        headers["content-length"] = str(len(self.body))
        await exchange.start(self.status, headers)
        await exchange.write(self.body)


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait before the app sees the request."""

    seconds: float

    async def play(self, exchange: Exchange) -> None:
        await asyncio.sleep(self.seconds)
        await exchange.forward()


@dataclass(frozen=True, slots=True)
class RandomDelay:
    """Wait before the app sees the request, another time for each, at least `least` seconds and at
    most `most`: answers come in any order. The same `seed` draws the same times.
    """

    least: float
    most: float
    seed: int
    _random: Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_random", Random(self.seed))  # noqa: S311  # no secret

    async def play(self, exchange: Exchange) -> None:
        await asyncio.sleep(self._random.uniform(self.least, self.most))
        await exchange.forward()


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; the app never sees the request."""

    async def play(self, exchange: Exchange) -> None:
        raise HangUp


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """Let the app do what was asked, then close the connection without an answer."""

    async def play(self, exchange: Exchange) -> None:
        await exchange.answer()
        raise HangUp


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the body one byte at a time, `seconds` apart."""

    seconds: float

    async def play(self, exchange: Exchange) -> None:
        status, headers, body = await exchange.answer()
        await exchange.start(status, headers)
        for byte in body:
            await exchange.write(bytes([byte]), more=True)
            await asyncio.sleep(self.seconds)
        await exchange.write(b"")


@dataclass(frozen=True, slots=True)
class Truncate:
    """Send `keep` bytes of the body, promise all of it, then close the connection."""

    keep: int = 0

    async def play(self, exchange: Exchange) -> None:
        status, headers, body = await exchange.answer()
        await exchange.start(status, headers)
        await exchange.write(body[: self.keep], more=True)
        raise HangUp


@dataclass(frozen=True, slots=True)
class Stall:
    """Answer with this status, promise a body, and send nothing more for as long as the client
    waits; the app never sees the request.
    """

    status: int

    async def play(self, exchange: Exchange) -> None:
        await exchange.start(self.status, {"content-length": "20"})
        await exchange.write(b"", more=True)  # ASGI: a head is not sent before some of its body
        while (await exchange.receive())["type"] != "http.disconnect":
            pass


@dataclass(frozen=True, slots=True)
class Body:
    """Let the app do what was asked, and send its status and headers with this body."""

    body: bytes
    content_type: str | None = None
    """None leaves the app's own."""

    async def play(self, exchange: Exchange) -> None:
        status, headers, _ = await exchange.answer()
        if self.content_type is not None:
            headers["content-type"] = self.content_type
        headers["content-length"] = str(len(self.body))
        await exchange.start(status, headers)
        await exchange.write(self.body)


@dataclass(frozen=True, slots=True)
class Done:
    """Let the app do what was asked, and send another answer."""

    answer: Answer | Stall

    async def play(self, exchange: Exchange) -> None:
        await exchange.answer()
        await self.answer.play(exchange)


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Let something else happen first, such as another client's change."""

    act: Callable[[], object]

    async def play(self, exchange: Exchange) -> None:
        self.act()
        await exchange.forward()


@dataclass(frozen=True, slots=True)
class InvalidJson:
    """Send the app's answer without its last byte, as if that were all of it."""

    async def play(self, exchange: Exchange) -> None:
        status, headers, body = await exchange.answer()
        headers["content-length"] = str(len(body[:-1]))
        await exchange.start(status, headers)
        await exchange.write(body[:-1])


@dataclass(frozen=True, slots=True)
class Headers:
    """Send the app's answer with these headers beside, or instead of, its own."""

    headers: Mapping[str, str]

    async def play(self, exchange: Exchange) -> None:
        status, headers, body = await exchange.answer()
        headers.update((name.lower(), value) for name, value in self.headers.items())
        await exchange.start(status, headers)
        await exchange.write(body)


@dataclass(frozen=True, slots=True)
class Gzip:
    """Send the app's answer compressed, whether or not the request allowed it.

    `padding` bytes of blanks go after the body first: a small answer that unpacks to a huge one.
    """

    padding: int = 0

    async def play(self, exchange: Exchange) -> None:
        status, headers, body = await exchange.answer()
        packed = gzip.compress(body + b" " * self.padding)
        headers |= {"content-encoding": "gzip", "content-length": str(len(packed))}
        await exchange.start(status, headers)
        await exchange.write(packed)


@dataclass(slots=True)
class Fault:
    """An effect, and the requests it is meant for."""

    effect: Effect
    method: str | None = None
    """None for any."""
    path: str | None = None
    """Part of the request's path; one that ends in "$" must be the path's end. None for any."""
    times: int | None = 1
    """How many matching requests it still befalls; None for all."""
    skip: int = 0
    """How many matching requests it still lets pass first."""
    hits: int = 0
    """How many requests it has befallen."""

    def matches(self, method: str, path: str) -> bool:
        """Whether it is meant for such a request and not used up."""
        if self.times == 0 or self.method not in (None, method):
            return False
        if self.path is None:
            return True
        if self.path.endswith("$"):
            return path.endswith(self.path[:-1])
        return self.path in path


class Faults:
    """Faults to come. The first one added that matches a request is its only one.

    `raising` makes the exception that stands for a closed connection where there is no connection,
    as when a test calls the app through httpx's ASGI transport: `httpx.RemoteProtocolError`, say.
    """

    def __init__(self, *, raising: Callable[[str], Exception] = ConnectionResetError) -> None:
        self._raising = raising
        self._faults: list[Fault] = []

    def add(
        self,
        effect: Effect,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int | None = 1,
        skip: int = 0,
    ) -> Fault:
        """Prepare a fault; what is given back counts how often it came about."""
        fault = Fault(effect, method, path, times, skip)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Forget the faults that have not come about."""
        self._faults.clear()

    @property
    def pending(self) -> list[Fault]:
        """The faults that are not used up, first to last."""
        return [fault for fault in self._faults if fault.times != 0]

    def take(self, method: str, path: str) -> Effect | None:
        """The effect for this request, counted as used."""
        for fault in self._faults:
            if not fault.matches(method, path):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            fault.hits += 1
            return fault.effect
        return None

    def around(self, app: ASGIApp) -> ASGIApp:
        """The app, with these faults between it and the network; goes inside `line`."""

        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            effect = self.take(scope["method"], scope["path"]) if scope["type"] == "http" else None
            if effect is None:
                await app(scope, receive, send)
            else:
                await effect.play(Exchange(app, scope, receive, send))

        return faulty

    def line(self, app: ASGIApp) -> ASGIApp:
        """The app, with `HangUp` turned into a closed connection; goes around everything else.

        ASGI has no message for "hang up": a server answers 500 to an exception. So this takes the
        socket from uvicorn, whose `send` is a method of the object that has it.
        """

        async def connected(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except HangUp:
                transport = getattr(getattr(send, "__self__", None), "transport", None)
                if transport is None:
                    raise self._raising("The simulator closed the connection.") from None
                transport.close()
                # uvicorn logs an error for an app that returns before it has noticed.
                while (await receive())["type"] != "http.disconnect":
                    pass

        return connected
