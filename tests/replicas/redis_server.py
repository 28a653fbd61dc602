"""A real redis-server, as Debian has it, on a Unix socket."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START = 30.0


class RedisServer:
    """Can be killed, started again, and stopped for a while; its data is in memory alone."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail("These tests need redis-server: apt-get install redis-server.")
        options = (
            "--port",
            "0",
            "--unixsocket",
            str(self.path),
            "--save",
            "",
            "--appendonly",
            "no",
        )
        self._process = subprocess.Popen(  # noqa: S603  # our own command
            [program, *options, *self._options],
            cwd=self.path.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + START
        while time.monotonic() < until:
            with socket.socket(socket.AF_UNIX) as tried:
                if tried.connect_ex(str(self.path)) == 0:
                    return
            time.sleep(0.01)
        pytest.fail("redis-server does not listen.")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.path.unlink(missing_ok=True)

    def pause(self) -> None:
        """It keeps its connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def ask(self, *command: str) -> bytes:
        """What it answers to one command, as it is sent."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self.path))
            asked.settimeout(START)
            parts = [f"${len(part.encode())}\r\n{part}\r\n" for part in command]
            asked.sendall(f"*{len(parts)}\r\n{''.join(parts)}".encode())
            return asked.recv(1 << 20)


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    server = RedisServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
