"""The gateway as a process of its own, as an operator starts it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

START: Final = 300.0
"""Seconds: a run has tens of thousands of tenants to read, on a machine that may be busy."""
_LISTENS: Final = re.compile(r"listening on http://\S+:(\d+)")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class DoesNotStart(Exception):
    """It ended at once, or never listened; the message ends with what it printed."""


class Process:
    def __init__(
        self,
        checkout: Path,
        directory: Path,
        settings: Mapping[str, str],
        *,
        files: int | None = None,
        memory: int | None = None,
    ) -> None:
        """`checkout` holds the package that is run; `directory` gets its log. `files` is a soft and
        hard limit of descriptors, `memory` one of the address space, in bytes.
        """
        self.log = directory / "gateway.log"
        self.port = 0
        """Where it listens, once it is ready."""
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {"GATEWAY_PORT": "0", "PYTHONUNBUFFERED": "1", **settings}
        limits = [f"ulimit -n {files}; "] if files else []
        limits += [f"ulimit -v {memory // 1024}; "] if memory else []
        command = "".join(limits) + f'exec "{sys.executable}" -m gateway serve'
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own command
                ["/bin/sh", "-c", command],
                cwd=checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    async def ready(self) -> None:
        """Wait until it listens; raises DoesNotStart."""
        until = time.monotonic() + START
        while time.monotonic() < until and self.running:
            if listens := _LISTENS.search(self.log.read_text(errors="replace")):
                self.port = int(listens[1])
                return
            await asyncio.sleep(0.05)
        raise DoesNotStart(self.log.read_text(errors="replace")[-2000:])

    def memory(self) -> float:
        """Resident megabytes; 0 where it has ended."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0.0
        return int(pages) * _PAGE / 1e6

    def worked(self) -> float:
        """Seconds of processor time that it has taken; 0 where it has ended."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def descriptors(self) -> int:
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        except OSError:
            return 0

    def stop(self) -> None:
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
