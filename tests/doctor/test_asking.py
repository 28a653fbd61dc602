"""The calls of probes: how many, how fast, and what is never printed."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import pairwise

import pytest

from gateway.doctor.asking import Asker, CannotTell, Reply
from gateway.doctor.writing import examine_changes
from gateway.errors import InvalidAnswer
from gateway.rest import RawAnswer
from gateway.settings import FlowRetailSettings

PATH = {"tenantUid": "shop"}
SECRET = "secret"  # noqa: S105  # it opens nothing


class Api:
    """Answers what it is given, in order, and then 200; and what is done about time."""

    def __init__(self, *answers: RawAnswer | str) -> None:
        self.answers = list(answers)
        self.sent: list[str] = []
        self.now = 0.0
        self.slept: list[float] = []

    async def send(self, method, template, path, *, query=None, body=None, content_type=""):
        self.sent.append(f"{method} {template} {query}")
        return self.answers.pop(0) if self.answers else answer(200)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def asker(self, *, budget: int = 40, rate: float = 2) -> Asker:
        return Asker(
            self,
            token=SECRET,
            rate=rate,
            budget=budget,
            sleep=self.sleep,
            clock=lambda: self.now,
        )


def answer(status: int, body: bytes = b"{}", **headers: str) -> RawAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawAnswer(status, named, body, None, 0.1)


async def test_a_budget_is_never_exceeded():
    """Not by what is sent again either."""
    api = Api(*[answer(502)] * 50)
    asker = api.asker(budget=5)

    for number in range(10):
        with suppress(CannotTell):
            await asker.get("/a", PATH, {"page": number})

    assert len(api.sent) == asker.made == 5


async def test_an_api_that_is_gone_is_left():
    """Each call would wait for its timeout."""
    api = Api(*["timeout: answer"] * 50)
    asker = api.asker()

    for number in range(9):
        with pytest.raises(CannotTell):
            await asker.get("/a", PATH, {"page": number})

    assert len(api.sent) == 4


async def test_what_can_not_be_sent_is_no_call():
    """A uid of the API's own may be no part of a path."""

    class Careful(Api):
        async def send(self, method, template, path, *, query=None, body=None, content_type=""):
            raise InvalidAnswer("It would change the path.")

    asker = Careful().asker()

    with pytest.raises(CannotTell, match="would change the path"):
        await asker.get("/a", PATH)

    assert asker.made == 0


async def test_calls_keep_their_pace():
    """Two a second are half a second apart."""
    api = Api()
    asker = api.asker()

    for number in range(4):
        await asker.get("/a", PATH, {"page": number})

    assert api.slept == [0.5, 0.5, 0.5]


async def test_a_question_is_asked_once():
    """Unless it is the answer's change that matters."""
    api = Api()
    asker = api.asker()

    await asker.get("/a", PATH, {"page": 1})
    await asker.get("/a", PATH, {"page": 1})
    assert len(api.sent) == 1

    await asker.get("/a", PATH, {"page": 1}, anew=True)
    assert len(api.sent) == 2


async def test_a_retry_after_is_waited_for():
    """In each of its forms; without one, twice as long each time."""
    date = {"Date": "Sun, 06 Nov 1994 08:49:37 GMT"}
    api = Api(
        answer(429, Retry_After="7"),
        answer(503, Retry_After="Sun, 06 Nov 1994 08:49:49 GMT", **date),
        *[answer(429)] * 3,
    )

    reply = await api.asker(rate=1000).get("/a", PATH)

    assert reply.status == 200
    assert api.slept == [7, 12, 1, 2, 4]


async def test_a_long_retry_after_is_not_waited_for():
    """And meanwhile nothing else is sent."""
    api = Api(answer(429, Retry_After="3600"))
    asker = api.asker()

    with pytest.raises(CannotTell, match="slow down"):
        await asker.get("/a", PATH)
    with pytest.raises(CannotTell, match="wait for 3600 s"):
        await asker.get("/b", PATH)

    assert len(api.sent) == 1


async def test_a_write_is_sent_once():
    """Whatever becomes of it."""
    api = Api("reset", answer(429), answer(503))
    asker = api.asker()

    with pytest.raises(CannotTell, match="no answer: reset"):
        await asker.send("PUT", "/a", PATH)
    statuses = [(await asker.send("PUT", "/a", PATH)).status for _ in range(2)]

    assert statuses == [429, 503]
    assert len(api.sent) == 3


def reply(body: bytes, **headers: str) -> Reply:
    return Reply("GET", "/a", answer(200, body, **headers), SECRET)


def test_headers_are_printed_without_what_terminals_obey():
    """Nor with the token."""
    found = reply(b"", Server="nginx\x1b[2J\r\n/1", Via="1.1 secret")

    assert found.header("Server") == "nginx?[2J??/1"
    assert found.header("Via") == "(it has the token in it)"


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b"", "no body"),
        (b" <html>", "HTML or XML"),
        (b'{"message": "Ada Lovelace"}', "JSON {message: text}"),
        (b'{"ada@example.com": 1, "b": null}', "JSON {(another): number, b: null}"),
        (b'{"a": {"b": {"c": {"d": 1}}}}', "JSON {a: {b: {c: {}}}}"),
        (b"[[[[[[1]]]]]]", "JSON [[[[]]]]"),
        (b'{"a":', "a body that is neither JSON nor HTML"),
        (b"\xff\xfe", "a body that is neither JSON nor HTML"),
        (b"[" * 100_000, "a body that is neither JSON nor HTML"),
    ],
)
def test_a_shape_has_no_value(body, shape):
    """Nor a member's name that may be somebody's."""
    assert reply(body).shape == shape


@pytest.mark.slow
async def test_changes_go_on_at_the_pace_of_what_was_read():
    """The first of them waits as any call does, and they have calls of their own."""

    class Timed(Api):
        async def send(self, method, template, path, *, query=None, body=None, content_type=""):
            times.append(time.monotonic())
            return answer(404)

    times: list[float] = []
    asker = Asker(Timed(), token=SECRET, rate=4, budget=1)
    await asker.send("GET", "/a", PATH)
    settings = FlowRetailSettings(url="https://flow.example/v2")
    await examine_changes(asker, settings, "shop", [], pause=0.01)

    assert len(times) == asker.made > 1
    assert all(later - before > 0.2 for before, later in pairwise(times))
