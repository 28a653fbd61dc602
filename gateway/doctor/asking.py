"""What probes ask an API with: few calls, slowly, and no answer asked for twice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

import msgspec

from gateway.errors import GatewayError
from gateway.rest import Query, RawAnswer

BUDGET: Final = 40
"""REST calls of one examination that only reads."""
PATIENCE: Final = 60.0
"""Seconds for which a Retry-After is waited for."""
GONE: Final = 4
"""Calls in a row without an answer: the API is away."""
JSON: Final = "application/json"
MAX_SHOWN: Final = 80
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")
"""A member's name that can't be a customer's."""


class CannotTell(Exception):
    """Why a question has no answer: a sentence that names nothing of a customer."""


class Unreached(CannotTell):
    """Why no question can have an answer."""


class Calls(Protocol):
    """See gateway.rest.RawCalls."""

    async def send(
        self,
        method: str,
        template: str,
        path: Mapping[str, str],
        *,
        query: Query | None = None,
        body: object = None,
        content_type: str = ...,
    ) -> RawAnswer | str: ...


@dataclass(frozen=True)
class Reply:
    """An answer of the API, whatever it is."""

    method: str
    template: str
    answer: RawAnswer
    secret: str = field(repr=False)
    """The token, which an answer may repeat."""

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failed(self) -> bool:
        """Whether another try may end otherwise."""
        return self.status in (502, 503, 504) or self.answer.unreadable is not None

    @property
    def seconds(self) -> float:
        return self.answer.seconds

    @cached_property
    def json(self) -> Any:
        """The decoded body; raises CannotTell for one that is no JSON."""
        if self.answer.unreadable is not None:
            raise CannotTell(f"the answer can't be read: {self.answer.unreadable}")
        try:
            return msgspec.json.decode(self.answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise CannotTell(f"answered {self.status} with {self.shape}") from None

    def header(self, name: str) -> str | None:
        """A header's value as it can be printed; None where there is none."""
        value = self.answer.headers.get(name)
        return None if value is None else self.printable(value)

    def printable(self, text: str) -> str:
        """A text of the API without what a terminal obeys, and without the token."""
        if self.secret in text:
            return "(it has the token in it)"
        shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:MAX_SHOWN])
        return shown + ("..." if len(text) > MAX_SHOWN else "")

    @property
    def shape(self) -> str:
        """What kind of body it is, without its values."""
        if self.answer.unreadable is not None:
            return "a body that can't be read"
        if not self.answer.body.strip():
            return "no body"
        try:
            return f"JSON {shape(msgspec.json.decode(self.answer.body))}"
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        start = self.answer.body.lstrip()[:1]
        return "HTML or XML" if start == b"<" else "a body that is neither JSON nor HTML"


def shape(value: object, depth: int = 3) -> str:
    """
    >>> shape({"errors": [{"message": "No.", "code": 7}], "a@b.example": None})
    '{errors: [{message: text, code: number}], (another): null}'
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list() if not value or not depth:
            return "[]"
        case list():
            return f"[{shape(value[0], depth - 1)}]"
        case dict() if depth:
            shown = [
                f"{member_name(name)}: {shape(of, depth - 1)}"
                for name, of in list(value.items())[:8]
            ]
            return f"{{{', '.join(shown)}{', ...' if len(value) > 8 else ''}}}"
        case _:
            return "{}"


def member_name(name: str) -> str:
    """A member's name as it can be printed; one that is no word could be a customer's."""
    return name if NAME.fullmatch(name) else "(another)"


class Asker:
    """Asks an API in the name of one caller, one call after another.

    At most `budget` calls are made, those that are sent again included, and at most `rate` a
    second. A read that was answered before is answered again without a call.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        token: str,
        rate: float,
        budget: int = BUDGET,
        progress: Callable[[str], None] = lambda _line: None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.title = ""
        """What is being found out, for the line of progress."""
        self.budget = budget
        self.gives_up = GONE
        """Calls in a row without an answer, after which no more are made."""
        self.sleep = sleep
        self.made = 0
        self.replies: list[Reply] = []
        """All of them, in order."""
        self._calls = calls
        self._token = token
        self._gap = 1 / rate
        self._progress = progress
        self._clock = clock or asyncio.get_running_loop().time
        self._next = 0.0
        """When the next call may be made."""
        self._paused = 0.0
        """Until when the API has asked to be left alone."""
        self._patience = 1.0
        """Seconds to wait after a 429 that names none."""
        self._silent = 0
        """Calls that were not answered, in a row."""
        self._known: dict[object, Reply] = {}

    @property
    def left(self) -> int:
        """How many calls may still be made."""
        return self.budget - self.made

    def require(self, calls: int) -> None:
        """Raises CannotTell where so many calls no longer fit."""
        if calls > self.left:
            raise CannotTell(f"not tried: the {self.budget} REST calls are used up")

    async def get(
        self,
        template: str,
        path: Mapping[str, str],
        query: Query | None = None,
        *,
        anew: bool = False,
    ) -> Reply:
        """The answer to a GET, of any status; `anew` asks even for what is known.

        It is sent again once after a failure, and after each Retry-After of up to a minute in all.
        Raises CannotTell where no answer comes.
        """
        key = (template, str(path), str(query or {}))
        if not anew and key in self._known:
            return self._known[key]
        tries, patience = 2, self._clock() + PATIENCE
        while True:
            tries -= 1
            try:
                reply = await self.send("GET", template, path, query=query)
            except NoReply:
                if not tries:
                    raise
                continue
            if self._paused > self._clock():  # 429, or 503 with Retry-After
                if self._paused > patience:
                    raise CannotTell(f"the API asks to slow down ({reply.status})")
                tries += 1
            elif not tries or not reply.failed:
                self._known[key] = reply
                return reply

    async def send(
        self,
        method: str,
        template: str,
        path: Mapping[str, str],
        *,
        query: Query | None = None,
        body: object = None,
        content_type: str = JSON,
    ) -> Reply:
        """The answer to one call, which is sent once. Raises NoReply where none came, so that of
        a write nobody knows what it did; CannotTell where nothing was sent.
        """
        await self._wait()
        self.made += 1
        self._progress(f"call {self.made} of at most {self.budget}: {self.title}")
        try:
            answer = await self._calls.send(
                method, template, path, query=query, body=body, content_type=content_type
            )
        except GatewayError as unsendable:
            self.made -= 1
            raise CannotTell(unsendable.message) from None
        self._silent = self._silent + 1 if isinstance(answer, str) else 0
        if isinstance(answer, str):
            raise NoReply(f"no answer: {answer}")
        after = answer.retry_after
        if answer.status == 429 or (answer.status == 503 and after is not None):
            if after is None:
                after = self._patience
                self._patience *= 2
            self._paused = self._clock() + after
        else:
            self._patience = 1.0
        reply = Reply(method, template, answer, self._token)
        self.replies.append(reply)
        return reply

    async def _wait(self) -> None:
        self.require(1)
        if self._silent >= self.gives_up:
            raise CannotTell("not tried: the API no longer answers")
        pause = self._paused - self._clock()
        if pause > PATIENCE:
            raise CannotTell(f"the API asks to wait for {pause:.0f} s")
        wait = max(pause, self._next - self._clock())
        if wait > 0:
            await self.sleep(wait)
        self._next = self._clock() + self._gap


class NoReply(CannotTell):
    """A call was sent, and no answer came."""
