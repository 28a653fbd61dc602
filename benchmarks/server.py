"""A peer's process: pinned to a core, and what it costs, read from /proc with its children's."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import ask

_TICK = 1000 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_START = 60.0


class DoesNotStart(Exception):
    """The process ended, or did not answer in time; the message ends with what it printed."""


class Server:
    def __init__(self, command: Sequence[str], *, core: int, port: int, log: Path) -> None:
        self.core = core
        self.port = port
        self._log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, *, environment: Mapping[str, str], directory: Path, probe: bytes) -> None:
        """Returns when `probe` is answered with 200."""
        self._process = self._pinned(environment, directory)
        try:
            async with asyncio.timeout(_START):
                while not await self._answers(probe):
                    if self._process.poll() is not None:
                        said = self._log.read_text(errors="replace")[-2000:]
                        raise DoesNotStart(f"ended with {self._process.returncode}: {said}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise DoesNotStart(f"does not answer within {_START:.0f} seconds") from None

    def _pinned(self, environment: Mapping[str, str], directory: Path) -> subprocess.Popen[bytes]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603  # the peers' commands, none from outside
                ["taskset", "--cpu-list", str(self.core), *self._command],  # noqa: S607
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def _answers(self, probe: bytes) -> bool:
        try:
            status, _ = await ask(self.port, probe, within=5)
        except (OSError, TimeoutError):
            return False
        return status == 200

    def cpu(self) -> float:
        """Milliseconds that it and its children have spent, in user and kernel mode."""
        return sum(_spent(pid) for pid in self._family()) * _TICK

    def memory(self) -> float:
        """Resident megabytes of it and its children."""
        return sum(_resident(pid) for pid in self._family()) * _PAGE / 1e6

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _family(self) -> list[int]:
        family = [self._process.pid]
        for pid in family:  # grows while it is read
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                family += map(int, _read(children).split())
        return family


@dataclass(frozen=True, slots=True)
class CoreTime:
    """Milliseconds since the machine was started, of one core."""

    used: float
    idle: float

    @classmethod
    def now(cls, core: int) -> CoreTime:
        lines = Path("/proc/stat").read_text().splitlines()
        values = next(line.split()[1:] for line in lines if line.startswith(f"cpu{core} "))
        user, nice, system, idle, waiting, interrupts, soft, stolen = map(int, values[:8])
        used = user + nice + system + interrupts + soft + stolen
        return cls(used * _TICK, (idle + waiting) * _TICK)

    def __sub__(self, earlier: CoreTime) -> CoreTime:
        return CoreTime(self.used - earlier.used, self.idle - earlier.idle)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # it has just ended


def _spent(pid: int) -> int:
    # The command's name, which is in brackets, may hold anything; utime and stime are the 12th and
    # 13th behind it, and those of children that have ended the next two.
    values = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, values[11:15])) if values else 0


def _resident(pid: int) -> int:
    values = _read(Path(f"/proc/{pid}/statm")).split()
    return int(values[1]) if values else 0
