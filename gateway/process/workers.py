"""Several processes that serve the same sockets, and their parent. It starts another one where one
ends or hangs, passes signals on, and ends when all have ended.

uvicorn's own parent (`uvicorn.supervisors.Multiprocess`) asks a thread of a worker whether it is
alive, not its event loop; it restarts what fails at once, without end; and when it is killed, its
workers live on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import Process, create_subprocess_exec
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NamedTuple

from gateway.process import Sockets
from gateway.serving import Server
from gateway.settings import Settings, SettingsError
from gateway.settings.effective import unknown_callers
from gateway.telemetry.log_output import Line

log = logging.getLogger("gateway")
BEAT: Final = 1.0
"""Seconds between the signs of life that a worker's event loop gives."""
SILENT: Final = 15.0
"""Seconds without one after which a worker hangs, and is killed."""
STARTING: Final = 120.0
"""Seconds that the first one may take: thousands of trusted documents take a while to validate."""
STABLE: Final = 60.0
"""A worker that has lived for so many seconds is replaced at once; others after a pause."""
LONGEST_PAUSE: Final = 30.0
METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus-client knows the directory where processes add up metrics."""
LEAVE: Final = b"l"
"""What a parent says to a worker whose place another has taken."""
STOP: Final = b"s"
"""What it says to all when it stops."""


class Inherited(NamedTuple):
    """What a worker has of its parent, as an argument of its command line."""

    number: int
    """No two workers that live at the same time have the same, and all are small."""
    channel: int
    """A descriptor, like the next ones."""
    sockets: tuple[int, ...]
    """For clients, and for management if there is a port for it."""

    def __str__(self) -> str:
        return ",".join(map(str, (self.number, self.channel, *self.sockets)))

    @staticmethod
    def parse(text: str) -> Inherited:
        number, channel, *sockets = map(int, text.split(","))
        return Inherited(number, channel, tuple(sockets))


class Parent:
    """A worker's end of the channel to its parent."""

    def __init__(self, inherited: Inherited) -> None:
        self._channel = socket.socket(fileno=inherited.channel)
        self._channel.setblocking(False)
        self.sockets = Sockets(*[socket.socket(fileno=each) for each in inherited.sockets])
        if METRICS in os.environ:
            from prometheus_client import values

            # By number, not by process: a worker goes on with the counters of the one before it,
            # and there are not more files after each restart.
            values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]
                lambda: inherited.number
            )

    def begin(self, server: Server) -> None:
        """Give signs of life while the running event loop runs, and do what the parent says; if
        there is none any more, stop.
        """
        # Service managers signal each process of a group. If one worker drained alone, nobody could
        # connect to the others.
        for told_to_all in (signal.SIGINT, signal.SIGTERM):
            signal.signal(told_to_all, signal.SIG_IGN)
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._channel, self._told)
        self._beat()

    def close(self) -> None:
        for each in (self._channel, *self.sockets):
            if each is not None:
                each.close()

    def _beat(self) -> None:
        with suppress(OSError):  # the parent does not listen
            self._channel.send(b".")
        self._loop.call_later(BEAT, self._beat)

    def _told(self) -> None:
        try:
            told = self._channel.recv(1)
        except BlockingIOError:
            return
        except OSError:
            told = b""
        if told == LEAVE:
            self._server.leave()
            return
        if told != STOP:
            self._loop.remove_reader(self._channel)
            log.error(Line("parent_lost", {}))
        self._server.should_exit = True


class _Worker:
    """The parent's view of a worker."""

    def __init__(
        self, number: int, began: Callable[[_Worker], None], *, failures: int, spare: bool
    ) -> None:
        """`began` is called once it serves."""
        self.number = number
        self.failures = failures
        """How many in a row, of which each took the last one's place, have lived for a short time
        only."""
        self.spare = spare
        """Whether no other one takes its place when it ends."""
        self.ready, self.ended = asyncio.Event(), asyncio.Event()
        self._began = began
        self._channel, self._theirs = socket.socketpair()
        self._channel.setblocking(False)
        self._process: Process | None = None
        self._reloads = self._stops = self._hangs = False
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._silent_at = self._since + STARTING

    async def run(
        self, command: Sequence[str], sockets: Sequence[socket.socket], environ: Mapping[str, str]
    ) -> tuple[int, str]:
        """Run it to its end; its exit code, and why it has ended. If it hangs, it is killed."""
        try:
            with self._theirs:
                descriptors = self._theirs.fileno(), *(each.fileno() for each in sockets)
                self._process = await create_subprocess_exec(
                    *command,
                    f"--worker={Inherited(self.number, descriptors[0], descriptors[1:])}",
                    pass_fds=descriptors,
                    env=environ,
                )
            self._loop.add_reader(self._channel, self._heard)
            if self._stops:
                self.stop()
            ending = asyncio.ensure_future(self._process.wait())
            while not ending.done():
                await asyncio.wait([ending], timeout=BEAT)
                if self._loop.time() > self._silent_at and not self._hangs:
                    self._hangs = True
                    self._tell(signal.SIGKILL)
            code = ending.result()
            return code, "it hung" if self._hangs else _cause(code)
        except (OSError, ValueError) as failure:  # of the system; of sockets that are closed by now
            return 1, f"it can't be started: {failure}"
        finally:
            self._loop.remove_reader(self._channel)
            self._channel.close()
            self.ended.set()

    def _heard(self) -> None:
        try:
            heard = self._channel.recv(1000)
        except OSError:
            heard = b""
        if not heard:
            self._loop.remove_reader(self._channel)
            return
        self._silent_at = self._loop.time() + SILENT
        if not self.ready.is_set():
            self.ready.set()
            self._began(self)
            if self._reloads:
                self.reload()

    def reload(self) -> None:
        """Before it is ready, SIGHUP would kill it."""
        self._reloads = True
        if self.ready.is_set():
            self._tell(signal.SIGHUP)

    def stop(self) -> None:
        self._stops = True
        self._say(STOP)
        if not self.ready.is_set():
            self._tell(signal.SIGTERM)

    def leave(self) -> None:
        """It is to answer what was begun, and leave the sockets to others."""
        self.spare = True
        self._say(LEAVE)

    def _say(self, what: bytes) -> None:
        with suppress(OSError):  # it has just ended
            self._channel.send(what)

    def _tell(self, what: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(what)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def was_stable(self) -> bool:
        return self._loop.time() - self._since >= STABLE


def _cause(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def run_workers(settings: Settings, sockets: Sockets) -> int:
    """Serve until a signal comes; the exit code. Raises SettingsError if there is no place for
    metrics.
    """
    environ = dict(os.environ)
    if settings.fingerprint_key is None:
        # Or the same caller would have another fingerprint in each of them.
        environ["GATEWAY_FINGERPRINT_KEY"] = secrets.token_hex()
        for warning in unknown_callers(settings):  # no worker sees that there was none
            log.warning(warning)
    with ExitStack() as opened:
        if sockets.management is not None:
            try:
                directory = tempfile.TemporaryDirectory(prefix="gateway-metrics-")
            except OSError:
                raise SettingsError(
                    "management_port: several workers add up their metrics in files, and there is "
                    "no directory to write to: mount a tmpfs at /tmp, or name one in TMPDIR."
                ) from None
            environ[METRICS] = opened.enter_context(directory)
        workers = Workers(settings.workers, [each for each in sockets if each], environ)
        return asyncio.run(workers.run())


class Workers:
    """The parent of the workers. Each is the command that began this process, with an argument
    more.
    """

    def __init__(
        self, count: int, sockets: Sequence[socket.socket], environ: Mapping[str, str]
    ) -> None:
        """`environ` is the workers' environment."""
        self._count = count
        self._sockets = sockets
        self._environ = environ
        self._command = [sys.executable, *sys.orig_argv[1:]]
        self._workers: set[_Worker] = set()
        self._code = 0
        self._serves = False
        """Whether any worker has ever been ready."""

    async def run(self) -> int:
        """Serve until a signal comes; the exit code, which is the first worker's if that could not
        begin.
        """
        loop = asyncio.get_running_loop()
        self._stopping, self._replacing = asyncio.Event(), asyncio.Lock()
        async with asyncio.TaskGroup() as self._tasks:
            for stops in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(stops, self._stop)
            loop.add_signal_handler(signal.SIGHUP, self._reload)
            loop.add_signal_handler(signal.SIGUSR1, self._replace)
            self._start()
        return self._code

    def _start(self, *, failures: int = 0, spare: bool = False) -> _Worker:
        number = min(set(range(2 * self._count + 1)) - {each.number for each in self._workers})
        worker = _Worker(number, self._begun, failures=failures, spare=spare)
        self._workers.add(worker)
        self._tasks.create_task(self._follow(worker))
        return worker

    def _begun(self, worker: _Worker) -> None:
        log.info(Line("worker_ready", {"worker": worker.number, "pid": worker.pid}))
        if not self._serves:
            # It was alone, because what one can't begin with, none can.
            self._serves = True
            for _ in range(self._count - 1):
                self._start()

    async def _follow(self, worker: _Worker) -> None:
        code, cause = await worker.run(self._command, self._sockets, self._environ)
        self._workers.remove(worker)
        if directory := self._environ.get(METRICS):
            _forget_gauges(directory, worker.number)
        if self._stopping.is_set() or (worker.spare and worker.ready.is_set()):
            return
        if not self._serves:
            self._code = code if code > 0 else 1
            self._stop()
            return
        failures = 0 if worker.was_stable else worker.failures + 1
        pause = None if worker.spare else min(2.0**failures - 1, LONGEST_PAUSE)
        told = {"worker": worker.number, "pid": worker.pid, "cause": cause, "another_in": pause}
        log.error(Line("worker_ended", told))
        if pause is not None:
            await _either(self._stopping, within=pause)
            if not self._stopping.is_set():
                self._start(failures=failures)

    def _stop(self) -> None:
        if self._stopping.is_set():
            return
        self._stopping.set()
        for listening in self._sockets:
            # Only workers hold it now: nobody waits at a socket that they have closed.
            os.close(listening.detach())
        for worker in self._workers:
            worker.stop()

    def _reload(self) -> None:
        for worker in self._workers:
            worker.reload()

    def _replace(self) -> None:
        if not self._stopping.is_set():
            self._tasks.create_task(self._replace_all())

    async def _replace_all(self) -> None:
        """Replace all workers, one after the other, with such as have read all settings again."""
        async with self._replacing:
            for old in list(self._workers):
                new = self._start(spare=True)
                await _either(new.ready, new.ended, self._stopping)
                if self._stopping.is_set():
                    return
                if not new.ready.is_set():
                    log.error(Line("replacing_failed", {"worker": new.number}))
                    return
                new.spare = False
                leaving = new if old.ended.is_set() else old
                leaving.leave()
                await _either(leaving.ended, self._stopping)
            log.info(Line("workers_replaced", {"count": self._count}))


def _forget_gauges(directory: str, number: int) -> None:
    """As prometheus_client.multiprocess.mark_process_dead does it, which imports all metrics."""
    for gauges in Path(directory).glob(f"gauge_live*_{number}.db"):
        gauges.unlink()


async def _either(*events: asyncio.Event, within: float | None = None) -> None:
    """Wait for one of these."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
