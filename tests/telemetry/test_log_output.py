"""Lines of the log, as text and JSON, through a pipe as a process has one."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.telemetry.log_output import WAITING, Line, LogQueue, LogWriter, TextLines

ROOT = Path(__file__).parents[2]
FORGED = 'web\n2026-11-30T12:00:00.000Z INFO gateway "all" is=well\r\x1b[2K\x85\u2028\x00'
ASCII = "web\n2026-11-30T12:00:00.000Z INFO gateway \x7f\x1b[2K"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    level = logging.getLogger("gateway").level
    yield ends
    logging.getLogger("gateway").setLevel(level)
    for end in ends:
        os.close(end)


def written(pipe: tuple[int, int], form: str, log: Callable[[logging.Logger], object]) -> str:
    """What is read of the pipe."""
    writer, logger = LogWriter(pipe[1]), logging.Logger("gateway")  # not the process's
    logger.addHandler(writer.waiting)
    log(logger)
    writer.begin("info", form)  # type: ignore[arg-type]
    writer.stop()
    return os.read(pipe[0], 1_000_000).decode()


def test_a_line_of_text_has_the_time_in_utc_and_named_values(pipe):
    """None is left out; what could be taken for several values is quoted."""
    line = Line("request", {"tenant": "shop", "name": None, "ms": 1.5, "client": "my web"})

    text = written(pipe, "text", lambda log: log.info(line))

    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO gateway "
        r'request tenant=shop ms=1\.5 client="my web"\n',
        text,
    )


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_says_the_same_if_it_is_written_past_logging(pipe, form):
    """But for the time."""
    line = Line("request", {"tenant": "shop", "ms": 1.5})

    def log(logger: logging.Logger) -> None:
        logger.warning(line)
        queue = logger.handlers[0]
        assert isinstance(queue, LogQueue)
        queue.write(logging.WARNING, line)

    lines = written(pipe, form, log).splitlines()

    first, second = (re.sub(r"\d\d:\d\d\.\d{3}Z", "", line) for line in lines)
    assert first == second


def test_a_line_of_json_has_the_same_values(pipe):
    """With their types; other messages have `message`."""
    line = Line("request", {"tenant": "shop", "name": None, "ms": 1.5})

    def log(logger: logging.Logger) -> None:
        logger.info(line)
        logger.warning("no room: %s", "max_head")

    first, second = map(json.loads, written(pipe, "json", log).splitlines())

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {
        "level": "info",
        "logger": "gateway",
        "event": "request",
        "tenant": "shop",
        "ms": 1.5,
    }
    assert (second["event"], second["message"]) == ("message", "no room: max_head")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "message",
    [Line("request", {"client": FORGED}), Line("request", {"client": ASCII}), FORGED, ASCII],
)
def test_nobody_writes_a_line_of_their_own(pipe, form, message):
    """Nor clears a terminal, whatever a value or a library's message has in it."""
    text = written(pipe, form, lambda log: log.warning(message))
    lines = text.removesuffix("\n").split("\n")

    assert all(line.isprintable() for line in lines)
    assert [line for line in lines[1:] if not line.startswith("    ")] == []
    if form == "json" or isinstance(message, Line):
        assert len(lines) == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_follows_its_line(pipe, form):
    """Indented in text, as `stack` in JSON."""

    def log(logger: logging.Logger) -> None:
        logger.error(Line("unexpected", {"type": "KeyError"}, stack="File a\nFile b"))
        try:
            raise KeyError("x")
        except KeyError:
            logger.exception("bug")

    text = written(pipe, form, log)

    if form == "text":
        assert "unexpected type=KeyError\n    File a\n    File b\n" in text
        assert "bug\n    Traceback" in text
    else:
        first, second = map(json.loads, text.splitlines())
        assert first["stack"] == "File a\nFile b"
        assert second["stack"].startswith("Traceback")


def test_a_reader_that_stalls_stops_nobody(pipe):
    """What finds no room is dropped and counted; it is said as soon as the log is read again."""
    writer, logger = LogWriter(pipe[1]), logging.Logger("gateway")  # not the process's
    logger.addHandler(writer.waiting)
    writer.begin("info", "json")
    for number in range(3 * WAITING):  # waits for ever if it waits for the reader
        logger.info("%d: %s", number, "x" * 100)
    dropped = writer.waiting.dropped
    assert dropped > WAITING / 2

    text = ""
    while "log_dropped" not in text:
        text += os.read(pipe[0], 1_000_000).decode()
    writer.stop()
    lines = [json.loads(line) for line in text.splitlines()]

    assert sum(line["event"] == "message" for line in lines) == 3 * WAITING - dropped
    assert lines[-1]["count"] == lines[-1]["total"] == dropped


def test_the_end_does_not_wait_for_a_reader_that_stalls(pipe):
    """The process would never stop."""
    writer, logger = LogWriter(pipe[1]), logging.Logger("gateway")  # not the process's
    logger.addHandler(writer.waiting)
    writer.begin("info", "text")
    for _ in range(1_000):
        logger.info("x" * 1_000)

    writer.stop(patience=0.05)

    text = b""
    while text.count(b"\n") < 1_000:
        text += os.read(pipe[0], 100_000)


def test_a_reader_that_has_gone_stops_nobody():
    """The gateway serves without a log."""
    reading, writing = os.pipe()
    os.close(reading)
    writer, logger = LogWriter(writing), logging.Logger("gateway")  # not the process's
    logger.addHandler(writer.waiting)
    writer.begin("info", "text")
    logger.info("one")
    writer.stop()
    os.close(writing)


def test_the_second_is_not_cached_beyond_itself():
    """Each line has its own time."""
    lines = TextLines()
    made = [
        logging.makeLogRecord({"created": at, "msecs": ms, "msg": "x", "name": "gateway"})
        for at, ms in [(0.5, 500), (0.75, 750), (61.001, 1)]
    ]

    assert [lines.format(record).split()[0] for record in made] == [
        "1970-01-01T00:00:00.500Z",
        "1970-01-01T00:00:00.750Z",
        "1970-01-01T00:01:01.001Z",
    ]


@pytest.mark.slow
def test_lines_of_several_processes_stay_whole(pipe):
    """They are longer than what a pipe takes at once, and it is always full."""
    program = """
import logging
from gateway.telemetry.log_output import logging_to
with logging_to(2) as log:
    log.begin("info", "json")
    for number in range(400):
        logging.getLogger("gateway").info("x" * 10_000)
"""
    for_each = {"stderr": pipe[1], "env": os.environ | {"PYTHONPATH": str(ROOT)}}
    with ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(subprocess.Popen([sys.executable, "-c", program], **for_each))  # noqa: S603
        lines: list[str] = []
        with open(pipe[0], closefd=False) as reading:  # a few kilobytes at a time
            while len(lines) < 1_200:
                lines.append(reading.readline())

    assert {len(json.loads(line)["message"]) for line in lines} == {10_000}
