"""Many clients at once, in a process of their own: `python -m chaos.crowd PORT COUNT SECONDS
RETRY`, with the request that each sends, again and again, on its standard input.

Prints how many answers there were of each status, and how long the slowest of that status took.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass(slots=True, order=True)
class Caller:
    began: float
    connection: socket.socket = field(compare=False)
    answer: bytes = field(default=b"", compare=False)

    @property
    def status(self) -> int:
        """Zero until the answer is there as a whole."""
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end:
            return 0
        [length] = [
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        ]
        return int(head.split(b" ", 2)[1]) if len(body) >= length else 0


def main() -> None:
    port, count, seconds, pause = (float(each) for each in sys.argv[1:])
    request = sys.stdin.buffer.read()
    found: Counter[int] = Counter()
    slowest: dict[int, float] = {}
    watched = selectors.DefaultSelector()
    ends = time.monotonic() + seconds
    later: list[tuple[float, Caller]] = []

    def ask(caller: Caller) -> None:
        caller.began, caller.answer = time.monotonic(), b""
        with suppress(OSError):
            caller.connection.send(request)

    def done(caller: Caller, status: int) -> None:
        found[status] += 1
        slowest[status] = max(slowest.get(status, 0.0), time.monotonic() - caller.began)

    for _ in range(int(count)):
        caller = Caller(0.0, socket.create_connection(("127.0.0.1", int(port)), timeout=10))
        watched.register(caller.connection, selectors.EVENT_READ, caller)
        ask(caller)
    while (now := time.monotonic()) < ends:
        while later and later[0][0] <= now:
            ask(heapq.heappop(later)[1])
        for key, _ in watched.select(0.01):
            caller = key.data
            read = b""
            with suppress(OSError):
                read = caller.connection.recv(1 << 20)
            caller.answer += read
            if not read:
                watched.unregister(caller.connection)
                done(caller, 0)
            elif status := caller.status:
                done(caller, status)
                wait = pause if status == 503 else 0.0
                heapq.heappush(later, (time.monotonic() + wait, caller))
    told = [f"{status}: {found[status]} (slowest {slowest[status]:.2f} s)" for status in found]
    print(", ".join(sorted(told)))


if __name__ == "__main__":
    main()
