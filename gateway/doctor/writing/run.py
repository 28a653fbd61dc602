"""One run of `--write`: its calls, how it is stopped, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from gateway.backends.writes import PROMISED
from gateway.doctor.asking import JSON, Asker, CannotTell, NoReply, Reply
from gateway.doctor.report import Certainty, Finding, LeftBehind
from gateway.doctor.writing.guard import Guard, NotOurs
from gateway.rest import Query

WRITE_BUDGET: Final = 120
"""REST calls of an examination of changes, beside those of one that only reads."""
KEPT: Final = 40
"""Of these, so many are for cleaning up alone."""
TRIES: Final = 5
"""How often one thing is looked at and cleaned up, until it is left behind."""
PATIENT: Final = 2
"""Signals that the cleaning up is not ended by: some people press Ctrl-C twice."""
UNKNOWN: Final[Certainty] = "not found out"
ABOUT_OTHERS: Final = frozenset({401, 403, 408, 425, 429})
"""4xx that are not about the change."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StoppedAsking(Exception):
    """Why no further question is asked."""


class Unclear(CannotTell):
    """A change was sent, and nobody knows whether it is or will be made."""


class Gone(CannotTell):
    """What is asked for does not exist."""


class Found(NamedTuple):
    """What a probe has found: a Finding without its question."""

    found: str
    certainty: Certainty = "certain"
    setting: tuple[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ChangeProbe:
    """Asks one question by changes."""

    question: str
    run: Callable[[], Awaitable[Found]]
    customer: bool = False
    """Whether it needs a named customer."""


class Traces(Protocol):
    """What a run may have left in one place: as a group, or of a customer's memberships."""

    rank: int
    """Lower ones are removed first."""
    unsure: bool
    """Whether it may still come into being: it was asked for, and no answer came."""

    @property
    def left(self) -> LeftBehind | None:
        """What may be there, as far as it is known."""

    async def remove(self) -> bool:
        """Look, and undo what is there; True once a look shows that nothing is."""


class ChangeRun:
    """Sends the changes of one run through its guard. Beside the cleaning up, a call is only made
    while calls enough are left for that, and nobody has asked to stop.
    """

    def __init__(
        self, asker: Asker, guard: Guard, say: Callable[[str], None], *, pause: float = 1.0
    ) -> None:
        """`say` gets sentences for whoever waits; `pause` is in seconds, and grows."""
        self.guard = guard
        self.traces: list[Traces] = []
        """In the order in which they are removed."""
        self._asker = asker
        self._say = say
        self._pause = pause
        self._stop = asyncio.Event()
        self._signals = 0
        self._cleaning: asyncio.Task[Any] | None = None

    async def read(
        self, template: str, path: Mapping[str, str], query: Query | None = None
    ) -> Reply:
        """What a look is answered with, be it refused."""
        self._admit()
        return self._usable(await self._asker.get(template, path, query, anew=True))

    async def look(
        self, template: str, path: Mapping[str, str], query: Query | None = None
    ) -> Mapping[str, Any]:
        """What is there now; raises Gone for 404."""
        reply = await self.read(template, path, query)
        if reply.status == 404:
            raise Gone("it is not there")
        if not reply.ok:
            raise CannotTell(f"a look was answered with {reply.status}")
        return mapping(reply)

    async def change(
        self,
        method: str,
        template: str,
        path: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        *,
        query: Query | None = None,
        content_type: str = JSON,
    ) -> Reply:
        """The answer to a change: 2xx, or a 4xx that is about it. Raises CannotTell for others;
        Unclear where the change may have been made; NotOurs where it is none of the doctor's.
        """
        self._admit()
        self.guard.require(method, template, path, body)
        try:
            reply = await self._asker.send(
                method, template, path, query=query, body=body, content_type=content_type
            )
        except NoReply as why:
            raise Unclear(str(why)) from None
        if reply.status in (PROMISED, 408) or not (reply.ok or 400 <= reply.status < 500):
            raise Unclear(f"answered {reply.status}")
        return self._usable(reply)

    @property
    def stopped(self) -> bool:
        """Whether a signal has ended the asking."""
        return self._stop.is_set()

    def _usable(self, reply: Reply) -> Reply:
        if reply.status == 401 and self._cleaning is None:
            raise StoppedAsking("the API does not accept the token any more (401)")
        if reply.ok or (400 <= reply.status < 500 and reply.status not in ABOUT_OTHERS):
            return reply
        raise CannotTell(f"answered {reply.status}")

    def _admit(self) -> None:
        if self._cleaning is not None:
            return
        if self._stop.is_set():
            raise StoppedAsking("it was stopped")
        if self._asker.left <= KEPT:
            raise CannotTell("not tried: the calls that are left are for cleaning up")

    async def sleep(self, seconds: float) -> None:
        """Waits; the wait for a further question ends when the run is stopped."""
        if self._cleaning is not None:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
        raise StoppedAsking("it was stopped")

    # -- from beginning to end

    async def ask(
        self, begin: Callable[[], Awaitable[object]], probes: Sequence[ChangeProbe]
    ) -> tuple[Sequence[Finding], Sequence[LeftBehind]]:
        """What the probes find out once the run has begun, and what could not be cleaned up."""
        findings: list[Finding] = []
        with self._stoppable():
            try:
                why = await self._ask(begin, probes, findings)
            finally:
                await self._clean_up()
        left = self._left()
        untold = probes[len(findings) :]
        findings += [Finding(each.question, f"not tried: {why}", UNKNOWN) for each in untold]
        findings.append(Finding("cleaning up", "something is left" if left else "nothing is left"))
        return findings, left

    async def _ask(
        self,
        begin: Callable[[], Awaitable[object]],
        probes: Sequence[ChangeProbe],
        findings: list[Finding],
    ) -> str:
        """Adds what is found out; why the rest is not asked."""
        try:
            await begin()
            for probe in probes:
                self._asker.title = probe.question
                findings.append(await self._answer(probe))
        except CannotTell as why:
            return f"the doctor has no group of its own: {why}"
        except StoppedAsking as why:
            return str(why)
        return ""

    async def _answer(self, probe: ChangeProbe) -> Finding:
        if probe.customer and not self.guard.customers:
            why = "not tried: it needs a customer (--customer UID)"
            return Finding(probe.question, why, UNKNOWN)
        try:
            return Finding(probe.question, *await probe.run())
        except CannotTell as why:
            return Finding(probe.question, str(why), UNKNOWN)

    async def _clean_up(self) -> None:
        """Until all is tried, or a third signal ends that. Where there will be no report, what is
        left is said here.
        """
        failing = sys.exc_info()[0] is not None
        self._asker.title, self._asker.gives_up = "cleaning up", WRITE_BUDGET
        self._cleaning = asyncio.ensure_future(self._clean())
        try:
            await self._cleaning
        except asyncio.CancelledError:
            failing = failing or self._signals <= PATIENT
            if failing:
                raise
        finally:
            for each in self._left() if failing else ():
                self._say(f"Left behind: {each.what}: {each.call}")

    def _left(self) -> Sequence[LeftBehind]:
        return [left for each in self._ranked() if (left := each.left) is not None]

    def _ranked(self) -> Sequence[Traces]:
        return sorted(self.traces, key=lambda each: each.rank)

    async def _clean(self) -> None:
        """In rounds, so that what keeps failing does not use up the calls of the rest."""
        todo = self._ranked()
        for again in range(TRIES):
            await self.sleep(again * self._pause)
            todo = [each for each in todo if not await self._removed(each)]
            if not todo:
                return

    async def _removed(self, traces: Traces) -> bool:
        try:
            gone = await traces.remove()
        except (CannotTell, NotOurs):
            return False
        if gone and not traces.unsure:
            self.traces.remove(traces)
        return gone

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        """Meanwhile signals stop the asking, and not the call under way nor the cleaning up."""
        loop = asyncio.get_running_loop()
        before = {each: signal.getsignal(each) for each in SIGNALS}
        for each in SIGNALS:
            loop.add_signal_handler(each, self._signalled)
        try:
            yield
        finally:
            for each, handler in before.items():
                loop.remove_signal_handler(each)
                signal.signal(each, handler)

    def _signalled(self) -> None:
        self._signals += 1
        self._stop.set()
        if self._signals <= PATIENT:
            self._say("Stopping, once all is cleaned up.")
        elif self._cleaning is not None:
            self._cleaning.cancel()


def mapping(reply: Reply) -> Mapping[str, Any]:
    """The decoded body, which has to be an object."""
    if not isinstance(reply.json, dict):
        raise CannotTell(f"answered {reply.status} with {reply.shape}")
    return reply.json


def told(reply: Reply, success: str) -> Found:
    """That it is a success, or refused, and the status."""
    return Found(f"{success} ({reply.status})" if reply.ok else f"refused with {reply.status}")
