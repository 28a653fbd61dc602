"""Writes log records as lines of text or JSON, in a thread: a reader of the log that stalls must
not stop the event loop.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import queue
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler, QueueListener
from typing import Any, Final, Literal

import msgspec

from gateway.telemetry import Figure

Format = Literal["text", "json"]
WAITING: Final = 10_000
"""Records that may wait to be written; more are dropped, and counted."""
AT_ONCE: Final = 500
"""Lines that are written together."""
GATHERING: Final = 0.1
"""Seconds for which the thread sleeps after the first of them, or it would wake up for each."""
PATIENCE: Final = 2.0
"""Seconds in which what waits is written when the process ends."""
DELETE: Final = b"\x7f"
PLAIN: Final = re.compile(r"[\w.+/{}:*,-]+")


class Line:
    """A log message of named values. Those that are None are left out; it is made into text or JSON
    by the thread that writes it.
    """

    __slots__ = ("_fields", "event", "stack")

    def __init__(self, event: str, fields: Mapping[str, object], *, stack: str = "") -> None:
        self.event = event
        self._fields = fields
        self.stack = stack
        """A traceback; in text it follows the line."""

    @property
    def fields(self) -> Mapping[str, object]:
        return {name: value for name, value in self._fields.items() if value is not None}

    def __str__(self) -> str:
        pairs = [f" {name}={_shown(value)}" for name, value in self.fields.items()]
        return f"{self.event}{''.join(pairs)}" + (self.stack and f"\n{self.stack}")


def printable(text: str) -> str:
    r"""The text with control characters, line ends and the like escaped.

    >>> printable("Zoë"), printable("a\n2026-11-30T12:00:00Z INFO")
    ('Zoë', 'a\\n2026-11-30T12:00:00Z INFO')
    """
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _shown(value: object) -> str:
    r"""A value in a line of text: quoted if it could be taken for several.

    >>> _shown(1.5), _shown("web"), _shown('my "web" status=200'), _shown("")
    ('1.5', 'web', '"my \\"web\\" status=200"', '""')
    """
    text = str(value)
    if text.isalnum() or PLAIN.fullmatch(text):
        return text
    return json.dumps(printable(text), ensure_ascii=False)


class _Record(logging.LogRecord):
    """One of the gateway's lines, made in a fifth of the time, without what no line shows."""

    name = "gateway"
    args = ()
    exc_info = exc_text = stack_info = None

    def __init__(self, level: int, line: Line) -> None:
        self.created = time.time()
        self.msecs = self.created % 1 * 1000
        self.levelno, self.levelname = level, logging.getLevelName(level)
        self.msg = line


class _Lines(logging.Formatter):
    """One line a record, with the time in UTC; each second is formatted once."""

    _second = -1
    _printed = ""

    def time(self, record: logging.LogRecord) -> str:
        if int(record.created) != self._second:
            self._second = int(record.created)
            self._printed = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._second))
        return f"{self._printed}.{int(record.msecs):03}Z"


class TextLines(_Lines):
    """What follows the first line of a message is indented, so that it is no line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        if not text.isprintable():
            text = "\n    ".join(map(printable, text.splitlines()))
        return f"{self.time(record)} {record.levelname} {record.name} {text}"


class JsonLines(_Lines):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        stack = ""
        if isinstance(record.msg, Line):
            stack = record.msg.stack
            line["event"] = record.msg.event
            line.update(record.msg.fields)
        else:
            line |= {"event": "message", "message": record.getMessage()}
        if record.exc_info:
            stack = self.formatException(record.exc_info)
        if stack:
            line["stack"] = stack
        try:
            encoded = msgspec.json.encode(line)  # in a seventh of the time of json
        except UnicodeEncodeError:  # half a character, as names of files can have
            return json.dumps(line)  # escapes all but ASCII
        if encoded.isascii() and DELETE not in encoded:  # it has escaped all other controls
            return encoded.decode("ascii")
        text = encoded.decode()
        return text if text.isprintable() else json.dumps(line)


class LogQueue(QueueHandler):
    """Hands records on to the thread that writes them; it never waits."""

    queue: queue.SimpleQueue[Any]  # nothing of it runs in Python

    def __init__(self) -> None:
        super().__init__(queue.SimpleQueue())
        self.dropped = 0
        """Records that found no room."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # it is formatted by the thread, and goes to no other process

    def write(self, level: int, line: Line) -> None:
        """Hand on a line that is logged: what `logging` does for a record takes longer than all
        else that is done for a line.
        """
        self.enqueue(_Record(level, line))

    def enqueue(self, record: logging.LogRecord) -> None:
        if self.queue.qsize() < WAITING:
            self.queue.put(record)
        else:
            self.dropped += 1


class _Descriptor(logging.Handler):
    """Writes lines to a file descriptor: Python's streams have locks, which a thread that stalls
    would hold when the process ends.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(self.format(record))
        except Exception:  # as every handler of logging has it
            self.handleError(record)
        if len(self._lines) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        rest = "".join([f"{line}\n" for line in lines]).encode("utf-8", "backslashreplace")
        # Other processes may write there too: a pipe that is almost full takes a part of a line.
        with suppress(OSError):  # not everything can be locked
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            self._write(rest)
        finally:
            with suppress(OSError):
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def _write(self, rest: bytes) -> None:
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # whoever shares the descriptor has made it so
                time.sleep(GATHERING)
            except OSError:
                return  # nobody reads it any more


class LogWriter(QueueListener):
    """The thread: it takes what is there, writes it, and says how much was dropped before."""

    def __init__(self, descriptor: int) -> None:
        self.waiting = LogQueue()
        self._handler = _Descriptor(descriptor)
        self._said = 0
        super().__init__(self.waiting.queue, self._handler)

    def figures(self) -> Iterator[Figure]:
        yield "gateway_log_lines_dropped_total", (), self.waiting.dropped

    def begin(self, level: str, form: Format) -> None:
        """Write what waits and what comes: of the gateway from `level` on."""
        self._handler.setFormatter(JsonLines() if form == "json" else TextLines())
        logging.getLogger("gateway").setLevel(level.upper())
        self.start()

    def dequeue(self, block: bool) -> logging.LogRecord:
        records: queue.SimpleQueue[logging.LogRecord] = self.waiting.queue
        if not records.empty():
            return records.get()
        self._say_dropped()
        self._handler.flush()
        record = records.get()
        time.sleep(GATHERING)
        return record

    def _say_dropped(self) -> None:
        dropped = self.waiting.dropped
        if dropped > self._said:
            line = Line("log_dropped", {"count": dropped - self._said, "total": dropped})
            self._said = dropped
            self.handle(_Record(logging.WARNING, line))

    def handle(self, record: logging.LogRecord) -> None:
        self._handler.emit(record)  # no other thread does, so without its lock

    def stop(self, patience: float = PATIENCE) -> None:
        """Write what waits, for at most so many seconds."""
        if self._thread is None:
            self.begin("warning", "text")
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self.enqueue_sentinel()
        thread.join(patience)
        if not thread.is_alive():
            self._say_dropped()
            self._handler.flush()


@contextmanager
def logging_to(descriptor: int) -> Iterator[LogWriter]:
    """All of the process's log goes to `descriptor`, once the writer is told to begin: until then,
    it is not known how. Of libraries, warnings do.
    """
    writer = LogWriter(descriptor)
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.addHandler(writer.waiting)
    # What the format does not show is not looked up for each record either (Python's Logging
    # HOWTO, "Optimization"); the last is known from Python 3.12 on.
    logging._srcfile = None
    for shown in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, shown, False)
    try:
        yield writer
    finally:
        root.removeHandler(writer.waiting)
        writer.stop()
