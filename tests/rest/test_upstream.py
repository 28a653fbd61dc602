"""The one way to a REST API: what leaves, what comes back, and how long and how often."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import VERSION
from gateway.accepted_tokens import AcceptedTokens
from gateway.backends.port import Caller
from gateway.errors import (
    DeadlineExceeded,
    Forbidden,
    GatewayError,
    InvalidAnswer,
    InvalidInput,
    LimitExceeded,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.request import Client
from gateway.rest import (
    Answer,
    AnswerCache,
    CallerUpstream,
    HttpTransport,
    Upstream,
    UpstreamCall,
)
from gateway.settings import UpstreamSettings
from gateway.simulator import faults
from gateway.telemetry import Meter
from gateway.telemetry.log_lines import log_event
from tests import harness
from tests.harness import NO_TLS, TENANT, TOKEN, codes, running_gateway, sent_to
from tests.rest.wire import answer, head, running

HOST = "erp-7.internal.example"
URL = f"https://{HOST}/v2"
GROUP = "/tenants/{tenantUid}/customer-groups/{customerGroupUid}"
GOLD = {"tenantUid": "shop", "customerGroupUid": "gold"}
SECRET = "eyJhbGciOi.s3cr3t-token_of~ada+/=="  # noqa: S105  # it opens nothing


class Body(httpx.AsyncByteStream):
    """A body in pieces: bytes, pauses in seconds, and an exception to break off with."""

    def __init__(self, *pieces: bytes | Exception | float) -> None:
        self.pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            match piece:
                case bytes():
                    yield piece
                case float():
                    await asyncio.sleep(piece)
                case _:
                    raise piece

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Says:
    """An answer; `after` seconds later."""

    status: int = 200
    body: bytes | Body = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0


@dataclass
class Script(httpx.AsyncBaseTransport):
    """A transport that plays its turns one after another, the last one for ever."""

    turns: Sequence[Says | Exception]
    requests: list[httpx.Request] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        turn = self.turns[min(len(self.requests), len(self.turns) - 1)]
        self.requests.append(request)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            if isinstance(turn, Exception):
                raise turn
            await asyncio.sleep(turn.after)
        finally:
            self.under_way -= 1
        body = Body(turn.body) if isinstance(turn.body, bytes) else turn.body
        return httpx.Response(turn.status, headers=dict(turn.headers), stream=body)


TOKENS = AcceptedTokens()


def caller(
    *,
    token: str | None = SECRET,
    tenant: str = "shop",
    seconds: float = 10.0,
    limit: int | None = None,
    answers: AnswerCache | None = None,
) -> Caller:
    return Caller(
        tenant_uid=tenant,
        token=token,
        token_status=None if token is None else TOKENS.status(token),
        request_id="req-1",
        deadline=asyncio.get_running_loop().time() + seconds,
        meter=Meter(limit=limit),
        answers=answers,
    )


def upstream(
    *turns: Says | Exception,
    url: str = URL,
    observe: Callable[..., None] | None = None,
    **more: Any,
) -> tuple[Upstream, Script]:
    script = Script(turns or [Says()])
    chosen = UpstreamSettings(url=url, **more)
    return Upstream("flow_retail", chosen, script, observe or (lambda event: None)), script


def connect(*turns: Says | Exception, **more: Any) -> tuple[CallerUpstream, Script]:
    made, script = upstream(*turns, **more)
    return made.connect(caller()), script


async def get(connection: CallerUpstream) -> Answer:
    return await connection.send("GET", GROUP, GOLD)


async def put(connection: CallerUpstream) -> Answer:
    return await connection.send("PUT", GROUP, GOLD, body={"name": "Gold"})


# -- what is not sent twice


@pytest.mark.slow
async def test_a_read_whose_answer_is_kept_is_not_sent_again():
    """It is answered after the deadline too, and takes no other's place; other reads are sent."""
    answers = AnswerCache()
    asking = caller(answers=answers, seconds=0.2, limit=2)
    made, script = upstream(Says(body=b"first"), Says(404, body=b"second"))
    connection = made.connect(asking)

    kept = [await get(connection), await connection.send("GET", GROUP, GOLD, query={"page": 1})]
    await asyncio.sleep(0.3)
    again = [await get(connection), await connection.send("GET", GROUP, GOLD, query={"page": 1})]

    assert [answer.body for answer in kept] == [b"first", b"second"]
    assert again == kept
    assert len(script.requests) == asking.meter.rest_calls == 2


async def test_a_failure_is_not_kept():
    """The next one who asks may have more luck."""
    made, _ = upstream(Says(500), Says(body=b"found"))
    connection = made.connect(caller(answers=AnswerCache()))

    with pytest.raises(Unavailable):
        await get(connection)

    assert (await get(connection)).body == b"found"


async def test_a_read_that_is_under_way_is_not_sent_again():
    """Whoever asks meanwhile has its answer, or its failure."""
    made, script = upstream(Says(body=b"first", after=0.05), Says(500, after=0.05), Says())
    asking = caller(answers=AnswerCache(), limit=2)
    connection = made.connect(asking)

    async def page(number: int) -> Answer:
        return await connection.send("GET", GROUP, GOLD, query={"page": number})

    found = await asyncio.gather(*(page(1) for _ in range(3)))
    failed = await asyncio.gather(*(page(2) for _ in range(3)), return_exceptions=True)

    assert [answer.body for answer in found] == [b"first"] * 3
    assert [type(failure) for failure in failed] == [Unavailable] * 3
    assert len(script.requests) == asking.meter.rest_calls == 2


async def test_a_read_whose_sender_leaves_is_sent_by_who_waits_for_it():
    """And one who waits may leave, too."""
    made, script = upstream(Says(body=b"lost", after=5), Says(body=b"found", after=0.05))
    connection = made.connect(caller(answers=AnswerCache()))
    first, second, third, fourth = [asyncio.create_task(get(connection)) for _ in range(4)]
    await asyncio.sleep(0.01)

    third.cancel()
    await asyncio.sleep(0)
    first.cancel()

    assert [(await waiting).body for waiting in (second, fourth)] == [b"found"] * 2
    assert first.cancelled()
    assert third.cancelled()
    assert len(script.requests) == 2


async def test_writes_are_sent_as_often_as_they_are_asked_for():
    """Nothing of them is kept."""
    made, script = upstream(Says(), Says())
    connection = made.connect(caller(answers=AnswerCache()))

    for _ in range(2):
        await put(connection)

    assert len(script.requests) == 2


async def test_one_upstreams_answer_is_not_anothers():
    """Though path and query are the same."""
    answers = AnswerCache()
    bodies = []
    for name in (b"one", b"other"):
        made, _ = upstream(Says(body=name))
        made.name = name.decode()
        bodies.append((await get(made.connect(caller(answers=answers)))).body)

    assert bodies == [b"one", b"other"]


@pytest.mark.slow
@given(st.lists(st.integers(0, 40)))
def test_no_more_answers_are_kept_than_there_is_room_for(sizes):
    """What was kept as long as all was, stays."""
    answers = AnswerCache(room=100)
    sent: list[int] = []

    async def ask(number: int) -> int:
        async def send() -> Answer:
            sent.append(number)
            return Answer(number, bytes(sizes[number]))

        return (await answers.answer(number, send)).status

    async def ask_all() -> None:
        for number, _ in enumerate(sizes):
            assert await ask(number) == number
            assert answers.complete is (sum(sizes[: number + 1]) <= 100)
        sent.clear()
        for number, _ in enumerate(sizes):
            assert await ask(number) == number

    asyncio.run(ask_all())
    assert sent == [number for number, _ in enumerate(sizes) if sum(sizes[: number + 1]) > 100]


# -- what leaves


async def test_a_request_is_what_the_adapter_said_and_the_callers_token_and_id():
    """Method, path, query, body, and six headers; nothing else."""
    connection, script = connect()

    await connection.send("PUT", GROUP, GOLD, query={"page": 1, "q": "a b&c=ø"}, body={"name": "Ø"})

    request = script.requests[0]
    assert request.method == "PUT"
    assert (
        str(sent_to(request))
        == f"{URL}/tenants/shop/customer-groups/gold?page=1&q=a+b%26c%3D%C3%B8"
    )
    assert request.content == '{"name":"Ø"}'.encode()
    assert dict(request.headers) == {
        "host": HOST,
        "authorization": f"Bearer {SECRET}",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "user-agent": "gateway",
        "x-request-id": "req-1",
        "content-type": "application/json",
        "content-length": "13",
    }


async def test_any_transport_of_httpx_may_stand_behind_it():
    """httpx's own sends the same requests as ours."""
    heads = []

    async def talk(reader, writer):
        while True:
            heads.append(await head(reader))
            await reader.readexactly(15 if heads[-1].startswith(b"PUT") else 0)
            writer.write(answer(b"{}"))

    async with running(talk) as server:
        for transport in (
            httpx.AsyncHTTPTransport(verify=NO_TLS, trust_env=False),
            HttpTransport(connections=1),
        ):
            chosen = UpstreamSettings(url=f"{server.url}/v2")
            connection = Upstream("flow_retail", chosen, transport, lambda _: None).connect(
                caller()
            )
            await connection.send("GET", GROUP, GOLD, query={"where": 'a="b c"/..'})
            await put(connection)
            await connection.send("DELETE", GROUP, GOLD)
            await transport.aclose()

    assert heads[:3] == heads[3:]
    path = b"/v2/tenants/shop/customer-groups/gold"
    assert heads[0].startswith(b"GET %b?where=a%%3D%%22b+c%%22%%2F.. HTTP/1.1\r\n" % path)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"a": ""},
        {"limit": 21, "sort": ["name asc", "id asc"], "none": []},
        {"where": 'x(y(id="\\"é\U0001f600")) and z > "~_.-*+%20/?&=;\n\0"'},
        {"ø k": [" ", "+"]},
    ],
)
async def test_a_query_is_quoted_as_urllib_quotes_it(query):
    """Every character that means something in a URL, and those of other scripts."""
    connection, script = connect()

    await connection.send("GET", GROUP, GOLD, query=query)

    assert sent_to(script.requests[0]).query == urlencode(query, doseq=True).encode()


async def test_a_header_of_one_call_is_not_in_the_next():
    """They share what is the caller's, and only that."""
    connection, script = connect()

    await put(connection)
    await get(connection)
    await connection.send("DELETE", GROUP, GOLD)

    for request in script.requests[1:]:
        assert set(request.headers) == {
            "host",
            "authorization",
            "accept",
            "accept-encoding",
            "user-agent",
            "x-request-id",
        }


@pytest.mark.slow
@given(
    query=st.dictionaries(
        st.text(min_size=1, max_size=10),
        st.text(max_size=30) | st.integers() | st.lists(st.text(max_size=10), min_size=1),
        max_size=4,
    ),
    base=st.sampled_from([URL, f"https://{HOST}", "http://[::1]:8080/a%20b", "http://xn--1ca.x/ø"]),
)
def test_the_url_is_the_one_that_httpx_would_make(query, base):
    """It is put together without being parsed again; nobody who looks at it can tell."""

    async def scenario() -> None:
        connection, script = connect(url=base)
        await connection.send("GET", GROUP, GOLD, query=query)

        made = httpx.URL(f"{base}/tenants/shop/customer-groups/gold")
        if query:
            made = made.copy_merge_params(query)
        url = sent_to(script.requests[0])
        assert url == made == httpx.URL(str(url))
        assert (url.raw_path, url.host, url.port) == (made.raw_path, made.host, made.port)

    asyncio.run(scenario())


async def test_what_does_not_fit_into_a_url_is_not_asked_for():
    """Nor counted; the caller can ask for less."""
    made, script = upstream()
    asking = caller()

    with pytest.raises(InvalidInput):
        await made.connect(asking).send("GET", GROUP, GOLD, query={"where": "x" * 70_000})

    assert script.requests == []
    assert asking.meter.rest_calls == 0


@pytest.mark.parametrize("base", [URL, f"{URL}/", f"{URL}//", f"https://{HOST}/a%20b/v2"])
async def test_the_base_url_stays_as_it_is_set(base):
    """Its slashes at the end do not count, and what is quoted in it stays quoted."""
    connection, script = connect(url=base)

    await get(connection)

    expected = httpx.URL(base).raw_path.rstrip(b"/") + b"/tenants/shop/customer-groups/gold"
    assert sent_to(script.requests[0]).raw_path == expected


@pytest.mark.parametrize("token", [None, ""])
async def test_without_a_token_nothing_leaves(token):
    """The answer would be 401 anyway."""
    made, script = upstream()
    asking = caller(token=token)

    with pytest.raises(Unauthenticated):
        await get(made.connect(asking))

    assert script.requests == []
    assert asking.meter.rest_calls == 0


HOSTILE = [
    "",
    ".",
    "..",
    "...",
    "a/b",
    "../other",
    "..%2fother",
    "%2e%2e",
    "%2E.",
    "a?b=c",
    "a#b",
    "a b",
    "a\n",
    "a\r\nHost: evil",
    "a\x00",
    "\\..",
    ";a",
    "gold;v=1",
    "{tenantUid}",
    "é",
    "\uff11",
    "a" * 257,
    "@evil.example",
    "//evil.example",
    "\u2025",
    "a\u202eb",
]


@pytest.mark.parametrize("uid", HOSTILE)
@pytest.mark.parametrize("name", ["tenantUid", "customerGroupUid"])
async def test_a_hostile_uid_never_leaves(uid, name):
    """httpx resolves dot segments: DELETE .../customer-groups/.. would delete the tenant."""
    connection, script = connect()

    with pytest.raises(InvalidAnswer) as refusal:
        await connection.send("DELETE", GROUP, GOLD | {name: uid})

    assert script.requests == []
    assert "evil" not in refusal.value.message


@pytest.mark.slow
@given(uid=st.text(max_size=140) | st.from_regex(r"[A-Za-z0-9_.%/-]{1,10}"))
@settings(max_examples=150, deadline=None)
def test_a_uid_is_one_path_segment_or_refused(uid):
    """The path that leaves is the template's with the uid in it, byte for byte."""

    async def scenario() -> None:
        connection, script = connect()
        try:
            await connection.send("GET", GROUP, GOLD | {"customerGroupUid": uid})
        except InvalidAnswer:
            assert script.requests == []
        else:
            path = f"/v2/tenants/shop/customer-groups/{uid}".encode()
            assert sent_to(script.requests[0]).raw_path == path

    asyncio.run(scenario())


# -- what an answer's status means


def meaning(status: int, *, write: bool) -> type[GatewayError] | None:
    """What `status` comes to; None for an answer that the adapter gets."""
    named: dict[int, type[GatewayError]]
    named = {401: Unauthenticated, 403: Forbidden, 429: RateLimited}
    named |= dict.fromkeys((300, 301, 302, 305, 307, 308), InvalidAnswer)  # done nowhere
    if not write:
        named |= dict.fromkeys((408, 425), Unavailable)
    if 200 <= status < 300 or (400 <= status < 500 and status not in named):
        return None
    if status in named:
        return named[status]
    if write:
        return OutcomeUnknown
    return Unavailable if status >= 500 else InvalidAnswer


@pytest.mark.slow
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
async def test_every_status_has_one_meaning(write):
    """And only a read is asked again, where it may be otherwise in a moment."""

    async def ask(status: int) -> tuple[type | None, int]:
        connection, script = connect(Says(status, b'{"message": "x"}'))
        try:
            answer = await (put if write else get)(connection)
        except GatewayError as failure:
            return type(failure), len(script.requests)
        assert (answer.status, answer.body) == (status, b'{"message": "x"}')
        return None, len(script.requests)

    statuses = range(200, 600)
    found = dict(zip(statuses, await asyncio.gather(*map(ask, statuses)), strict=True))

    again = set() if write else {408, 425, 429, 502, 503, 504}
    assert found == {
        status: (meaning(status, write=write), 2 if status in again else 1) for status in statuses
    }


async def test_a_read_whose_connection_broke_is_repeated():
    """Once, by default."""
    connection, script = connect(httpx.ReadError("lost"), Says(200, b"[]"))

    answer = await get(connection)

    assert answer.body == b"[]"
    assert len(script.requests) == 2


@pytest.mark.slow
@pytest.mark.parametrize("retries", [0, 2])
async def test_a_read_that_keeps_failing_is_given_up(retries):
    """After as many repetitions as the settings say."""
    connection, script = connect(httpx.ReadError("lost"), retries=retries)

    with pytest.raises(Unavailable):
        await get(connection)

    assert len(script.requests) == retries + 1


@pytest.mark.parametrize(
    "lost",
    [httpx.ReadError("lost"), Says(503), Says(303)],
    ids=["no answer", "503", "303"],
)
async def test_a_write_that_may_have_been_made_is_not_repeated(lost):
    """Nobody knows whether it was; only who asked can tell what to do."""
    connection, script = connect(lost)

    with pytest.raises(OutcomeUnknown):
        await put(connection)

    assert len(script.requests) == 1


async def test_a_write_that_was_never_sent_is_repeated():
    """Where there was no connection, nothing has left."""
    connection, script = connect(httpx.ConnectError("refused"), Says(204))

    answer = await put(connection)

    assert answer.status == 204
    assert [b"".join(request.stream) for request in script.requests] == [b'{"name":"Gold"}'] * 2


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "1"}], ids=str)
async def test_a_write_that_was_answered_is_not_sent_again(status, headers):
    """Not even one that the upstream says it has not made: some had made it already."""
    made, script = upstream(Says(status, headers=headers), Says(204))

    with contextlib.suppress(GatewayError):
        assert not (await put(made.connect(caller()))).ok

    assert len(script.requests) == 1


async def test_a_write_that_was_not_carried_out_is_known_not_to_be():
    """It is UPSTREAM_UNAVAILABLE, and not OUTCOME_UNKNOWN."""
    script = Script([Says(503, b"busy")])
    made = Upstream(
        "commercetools",
        UpstreamSettings(url=URL),
        script,
        lambda _event: None,
        not_carried_out=lambda status, body: (status, body) == (503, b"busy"),
    )

    with pytest.raises(Unavailable):
        await put(made.connect(caller()))

    assert len(script.requests) == 1


async def test_retry_after_is_waited_for():
    """In seconds, as the upstream said."""
    connection, script = connect(Says(429, headers={"Retry-After": "0"}), Says())

    await get(connection)

    assert len(script.requests) == 2


@pytest.mark.parametrize(("said", "told"), [("3", 3.0), ("999999", 999999.0)])
async def test_a_retry_after_that_is_too_long_is_passed_on(said, told):
    """The client hears for how long, and at once."""
    connection, script = connect(Says(429, headers={"Retry-After": said}))

    with pytest.raises(RateLimited) as refusal:
        await get(connection)

    assert refusal.value.extensions == {"code": "RATE_LIMITED", "retryAfter": told}
    assert len(script.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("said", ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "1.5", "", "inf", "1e9"])
async def test_a_retry_after_that_is_no_number_of_seconds_is_none(said):
    """It is repeated after the usual pause."""
    connection, script = connect(Says(429, headers={"Retry-After": said}))

    with pytest.raises(RateLimited) as refusal:
        await get(connection)

    assert refusal.value.retry_after is None
    assert len(script.requests) == 2


# -- how long


async def test_nothing_is_sent_after_the_deadline():
    """It would be for nobody."""
    made, script = upstream()
    late = caller(seconds=0)

    for send in (get, put):
        with pytest.raises(DeadlineExceeded):
            await send(made.connect(late))

    assert script.requests == []
    assert late.meter.rest_calls == 0


@pytest.mark.slow
async def test_the_deadline_is_that_of_all_calls_together():
    """The second call gets what the first has left."""
    made, script = upstream(Says(), Says(after=0.4))
    connection = made.connect(caller(seconds=0.5))

    await get(connection)
    await asyncio.sleep(0.2)
    with pytest.raises(DeadlineExceeded):
        await get(connection)

    assert len(script.requests) == 2


async def test_a_repetition_that_the_deadline_leaves_no_time_for_is_not_waited_for():
    """The failure is answered at once, and as what it is."""
    made, script = upstream(Says(503))

    with pytest.raises(Unavailable):  # it would be DeadlineExceeded if it were waited for
        await get(made.connect(caller(seconds=0.08)))

    assert len(script.requests) == 1


async def test_a_slow_read_is_unavailable_and_a_slow_write_unknown():
    """The call's own timeout is shorter than the operation's deadline."""
    connection, script = connect(Says(after=5), timeout=0.02)

    with pytest.raises(Unavailable):
        await get(connection)
    with pytest.raises(OutcomeUnknown):
        await put(connection)

    assert len(script.requests) == 2


async def test_a_write_that_the_deadline_cut_short_is_unknown():
    """It had been sent."""
    made, _ = upstream(Says(after=5))

    with pytest.raises(OutcomeUnknown):
        await put(made.connect(caller(seconds=0.02)))


async def test_a_body_that_drips_is_cut_off_in_time():
    """Each byte comes soon enough; all of them do not."""
    drops = Body(*[b"x", 0.02] * 5000)
    connection, _ = connect(Says(200, drops), timeout=0.1)
    loop = asyncio.get_running_loop()
    began = loop.time()

    with pytest.raises(Unavailable):
        await get(connection)

    assert loop.time() - began < 60  # to its end it would take 100
    assert drops.closed


async def test_the_gate_holds_as_many_calls_as_the_settings_say():
    """Over all callers of the process."""
    made, script = upstream(Says(after=0.005), concurrency=3)

    await asyncio.gather(*(get(made.connect(caller())) for _ in range(20)))

    assert script.most_at_once == 3
    assert len(script.requests) == 20


async def test_a_write_that_waited_at_the_gate_until_the_deadline_was_not_made():
    """It is known not to have been sent, so its outcome is known too."""
    made, script = upstream(Says(after=0.2), concurrency=1)
    first = asyncio.create_task(get(made.connect(caller())))
    await asyncio.sleep(0.01)
    late = caller(seconds=0.02)

    with pytest.raises(DeadlineExceeded):
        await put(made.connect(late))
    first.cancel()

    assert [request.method for request in script.requests] == ["GET"]
    assert late.meter.rest_calls == 0


@pytest.mark.slow
async def test_cancelled_calls_leave_the_gate_open():
    """Hundreds of them, in the queue and under way."""
    made, script = upstream(Says(after=0.01), concurrency=2)
    for round_ in range(10):
        tasks = [asyncio.create_task(get(made.connect(caller()))) for _ in range(30)]
        await asyncio.sleep(0.002 * round_)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async with asyncio.timeout(60):
        await asyncio.gather(*(get(made.connect(caller())) for _ in range(4)))
    assert script.under_way == 0
    assert script.most_at_once == 2


async def test_a_cancelled_call_closes_its_answer():
    """So that its connection does not stay taken."""
    slow = Body(b"{", 5.0)
    connection, _ = connect(Says(200, slow))

    task = asyncio.create_task(get(connection))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert slow.closed


# -- how much

FULL = b'"' + b"x" * 98 + b'"'
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    "says",
    [
        Says(200, FULL),
        Says(200, Body(FULL[:1], FULL[1:])),
        Says(200, gzip.compress(FULL), GZIP),
        Says(200, gzip.compress(FULL), {"Content-Encoding": "GZip"}),
        Says(200, Body(*(bytes([byte]) for byte in gzip.compress(FULL))), GZIP),
        Says(200, FULL, {"Content-Encoding": "identity", "Content-Type": "text/html"}),
    ],
    ids=["plain", "in pieces", "gzip", "GZip", "gzip by bytes", "identity"],
)
async def test_a_body_of_just_the_allowed_size_is_taken(says):
    """However it came."""
    connection, _ = connect(says, max_body=100)

    assert (await get(connection)).body == FULL


BOMB = gzip.compress(b" " * 50_000_000)


@pytest.mark.parametrize(
    "says",
    [
        Says(200, FULL + b" "),
        Says(200, Body(FULL, b" ")),
        Says(200, gzip.compress(FULL + b" "), GZIP),
        Says(200, BOMB, GZIP),
        Says(200, Body(*(BOMB[at : at + 1000] for at in range(0, len(BOMB), 1000))), GZIP),
        Says(200, gzip.compress(FULL)[:-1], GZIP),
        Says(200, FULL, GZIP),
        Says(200, gzip.compress(FULL) + b"more", GZIP),
        Says(200, Body(gzip.compress(FULL), *[b"more"] * 1000), GZIP),
        Says(200, FULL, {"Content-Encoding": "br"}),
        Says(200, FULL, {"Content-Encoding": "gzip, gzip"}),
    ],
    ids=[
        "long",
        "long in pieces",
        "long gzip",
        "bomb",
        "bomb in pieces",
        "cut gzip",
        "no gzip",
        "gzip and more",
        "gzip and ever more",
        "br",
        "twice gzip",
    ],
)
async def test_any_other_body_is_an_invalid_answer(says):
    """Its connection is given up. (A write may do without: see tests/rest/test_bodies.py.)"""
    connection, script = connect(says, max_body=100)

    with pytest.raises(InvalidAnswer):
        await get(connection)

    assert len(script.requests) == 1


async def test_a_body_is_asked_for_in_one_piece():
    """Up to the limit; the time to connect goes along."""
    connection, script = connect(max_body=100, connect_timeout=0.5)

    await get(connection)

    assert script.requests[0].extensions == {
        "collect": 100,
        "timeout": {"connect": 0.5},
        "target": b"/v2/tenants/shop/customer-groups/gold",
    }


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b" " * 1000),
        (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 1000),
        (CHUNKED + b"\r\n", b"3e8\r\n" + b" " * 1000 + b"\r\n"),
        (CHUNKED + b"\r\n", b"1\r\n \r\n"),
        (CHUNKED + b"Content-Encoding: gzip\r\n\r\n", b"3e8\r\n" + b"\x1f\x8b" * 500 + b"\r\n"),
    ],
    ids=["a length", "until closed", "chunks", "chunks of a byte", "gzip"],
)
async def test_a_body_that_never_ends_is_cut_off_as_soon_as_it_is_too_long(start, more):
    """Over a real socket, which is closed; until then, little more than the limit was sent."""
    sent = 0

    async def talk(reader, writer):
        nonlocal sent
        await head(reader)
        writer.write(start)
        while True:
            writer.write(more)
            sent += len(more)
            await writer.drain()
            await asyncio.sleep(0)

    transport = HttpTransport(connections=1)
    async with running(talk) as server:
        settings = UpstreamSettings(url=server.url, max_body=100_000, timeout=100)
        made = Upstream("flow_retail", settings, transport, lambda _event: None)
        with pytest.raises(InvalidAnswer):
            await get(made.connect(caller(seconds=100)))
        await server.until_open(0)
        await transport.aclose()

    assert sent < 10_000_000


# -- what is told


@pytest.mark.slow
@given(
    message=st.text(max_size=400)
    | st.lists(
        st.sampled_from(
            "name|is|<b>|too long.|https://|//cdn|10.0.0.7:5432|db.local|a.b|ola@x.no|::1|localhost"
            f"|LOCALHOST:1|{HOST}|\n|\x1b[31m|\u202e".split("|")
        )
    ).map(" ".join)
)
@settings(max_examples=300, deadline=None)
def test_what_the_upstream_says_is_one_short_sentence_or_nothing(message):
    """No control characters, no addresses, at most 200 characters of it, one full stop."""
    told = Answer(400, json.dumps({"message": message}).encode()).reason()

    assert told == "" or (told.startswith(" It says: ") and told.endswith("."))
    said = told.removeprefix(" It says: ")
    assert len(said) <= 201
    assert said.isprintable()
    for address in ("//", HOST, "10.0.0.7", "db.local", "ola@", "::1"):
        assert address not in said
    assert "localhost" not in said.lower()
    assert said == "." or not said.endswith("..")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"Sorry"',
        b"{}",
        b'{"message": null}',
        b'{"message": 5}',
        b'{"message": ["Sorry"]}',
        b'{"message": ""}',
        b'{"message": " . "}',
        b'{"message": "\\ud83d"}',
        b'{"message": "\xff"}',
        b"<html><h1>Sorry</h1></html>",
        b'{"message": "Sorry", "more": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"message": "Sorry"',
    ],
)
def test_a_refusal_that_says_nothing_usable_says_nothing(body):
    """A body of another shape is no failure of its own."""
    assert Answer(400, body).reason() == ""


@pytest.mark.parametrize(
    "secret", [SECRET, HOST, "x" * 190 + SECRET], ids=["token", "host", "late"]
)
async def test_a_refusal_that_repeats_the_token_or_the_host_is_not_passed_on(secret):
    """Not even when JSON spells it in another way, or when it is cut off in the middle."""
    spelt = (
        json.dumps({"message": f"Bad {secret} here"}).replace("/", "\\/").replace("+", "\\u002b")
    )
    connection, _ = connect(Says(400, spelt.encode()))

    answer = await get(connection)

    assert answer.reason() == ""
    assert answer.status == 400


FAILURES = [
    Says(302, headers={"Location": f"https://{HOST}/login?token={SECRET}"}),
    *(Says(status, f"{SECRET} {URL}".encode()) for status in (401, 403, 429, 500, 503)),
    httpx.ConnectError(f"{URL} {SECRET}"),
    httpx.ReadError(f"{URL} {SECRET}"),
    Says(after=1),
    Says(500, b"", {"Content-Encoding": SECRET}),
]


@pytest.mark.parametrize("says", FAILURES, ids=str)
async def test_a_failures_message_names_nothing_of_ours_and_nothing_of_theirs(says):
    """It is a sentence, with neither host nor path nor token in it."""
    connection, _ = connect(says, timeout=0.05, retries=0)

    for send in (get, put):
        with pytest.raises(GatewayError) as failure:
            await send(connection)

        shown = f"{failure.value.message} {failure.value.extensions}"
        for secret in (SECRET, HOST, "http", "shop", "gold", "/v2"):
            assert secret not in shown
        assert failure.value.message.endswith(".")
        assert failure.value.__cause__ is None


async def test_no_repr_has_the_token_in_it():
    """Not of what is given the token, nor of what holds it."""
    asking = caller()
    made, _ = upstream()
    client = Client(
        tokens={"authorization": SECRET},
        request_id="req-1",
        tenant_uid=None,
        began=0.0,
        deadline=0.0,
        meter=asking.meter,
    )

    for holder in (asking, client, made, made.connect(asking), Answer(400, b"")):
        assert SECRET not in repr(holder)
        assert SECRET not in str(holder)


async def test_each_attempt_is_one_event():
    """With the template, not the path; the status, where one came."""
    events: list[Any] = []
    made, _ = upstream(httpx.ReadError("lost"), Says(404), observe=events.append)
    asking = caller()

    await get(made.connect(asking))

    seen = [(event.method, event.template, event.status, event.attempt) for event in events]
    assert seen == [("GET", GROUP, None, 1), ("GET", GROUP, 404, 2)]
    assert all(isinstance(event, UpstreamCall) and event.request_id == "req-1" for event in events)


# -- how many


async def test_a_call_counts_as_often_as_it_is_sent():
    """What is sent again is told beside the sum of all."""
    made, script = upstream(httpx.ReadError("lost"), Says(404), Says())
    asking = caller()

    await get(made.connect(asking))
    await get(made.connect(asking))

    assert len(script.requests) == 3
    assert (asking.meter.rest_calls, asking.meter.repeats, asking.meter.planned) == (3, 1, 2)


async def test_the_limit_holds_for_what_is_sent_again():
    """Where no call is left, the first failure is the answer."""
    made, script = upstream(Says(503), Says())
    asking = caller(limit=1)

    with pytest.raises(Unavailable):
        await get(made.connect(asking))

    assert len(script.requests) == 1
    assert (asking.meter.rest_calls, asking.meter.repeats) == (1, 0)


async def test_calls_side_by_side_that_are_sent_again_share_what_is_left():
    """Both fail, and pause; there is one call left for the two of them."""
    made, script = upstream(Says(503))
    asking = caller(limit=3)
    connection = made.connect(asking)

    failures = await asyncio.gather(get(connection), get(connection), return_exceptions=True)

    assert [type(failure) for failure in failures] == [Unavailable] * 2
    assert len(script.requests) == asking.meter.rest_calls == 3


@pytest.mark.parametrize("send", [get, put])
async def test_beyond_the_limit_nothing_is_sent(send):
    """And the outcome of a write is known: it was not made."""
    events: list[Any] = []
    made, script = upstream(observe=events.append)
    asking = caller(limit=2)
    connection = made.connect(asking)
    await send(connection)
    await send(connection)

    with pytest.raises(LimitExceeded, match="2 REST calls are used up"):
        await send(connection)

    assert len(script.requests) == len(events) == asking.meter.rest_calls == 2


async def test_calls_side_by_side_share_what_is_left():
    """Those that do not fit are refused at once, and do not wait for the others at the gate."""
    made, script = upstream(Says(after=0.02), concurrency=2)
    connection = made.connect(caller(limit=3))
    calls = [asyncio.ensure_future(get(connection)) for _ in range(8)]

    await asyncio.sleep(0.005)
    refused = [call for call in calls if call.done()]
    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert len(refused) == 5
    assert [type(answer) for answer in answers] == [Answer] * 3 + [LimitExceeded] * 5
    assert len(script.requests) == 3


async def test_a_call_that_was_never_sent_leaves_its_place_to_another():
    """It waited at the gate, and was cancelled there."""
    made, script = upstream(Says(after=0.02), concurrency=1)
    asking = caller(limit=2)
    connection = made.connect(asking)
    first, second = (asyncio.ensure_future(get(connection)) for _ in range(2))
    await asyncio.sleep(0.005)

    second.cancel()
    await asyncio.wait((first, second))
    await get(connection)

    assert len(script.requests) == asking.meter.rest_calls == 2


async def test_what_can_not_be_asked_for_is_not_counted():
    """A value that would lead to another path is refused ahead of it."""
    made, _ = upstream()
    asking = caller(limit=1)

    with pytest.raises(InvalidAnswer):
        await made.connect(asking).send("GET", GROUP, {**GOLD, "customerGroupUid": ".."})

    assert asking.meter.rest_calls == 0


# -- end to end, with sockets between

NAMES = "{ customerGroups { nodes { name } } }"


async def test_of_the_client_only_its_token_request_id_and_trace_go_on(flow, gateway):
    """Cookies, forwarding headers and whatever else a browser sends stay here."""
    flow.add_group("gold")
    weird = {
        "Cookie": "sid=1",
        "X-Request-Id": "abc-1",
        "X-Forwarded-For": "10.0.0.1",
        "Forwarded": "for=10.0.0.1",
        "Proxy-Authorization": "Basic x",
        "X-Api-Key": "k",
        "User-Agent": "Weird/1",
        "Accept-Language": "nb",
        "Origin": "https://shop.example",
        "Referer": "https://shop.example/?token=1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "X-HTTP-Method-Override": "DELETE",
        "If-None-Match": "*",
        "Range": "bytes=0-1",
        "X-Tenant": TENANT,
    }

    await gateway.query(NAMES, headers=weird)
    await gateway.query(
        'mutation { updateCustomerGroup(input: {customerGroup: {uid: "gold"}, name: "Au"})'
        " { customerGroup { name } } }",
        headers=weird,
    )

    read, write = (dict(request.headers) for request in flow.journal.requests)
    host = httpx.URL(flow.url).netloc.decode()
    expected = {
        "host": host,
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json",
        "accept-encoding": "gzip",
        "user-agent": f"customer-groups-gateway/{VERSION}",
        "x-request-id": "abc-1",
        "traceparent": weird["traceparent"],
    }
    assert read == expected
    assert write == expected | {"content-type": "application/json", "content-length": "13"}


@pytest.mark.parametrize("sent", ["a b", "x" * 129, "é".encode("latin-1"), "a;b", ""])
async def test_a_strange_request_id_does_not_go_on(flow, gateway, sent):
    """A new one goes instead."""
    await gateway.query(NAMES, headers={"X-Request-Id": sent})

    forwarded = flow.journal.requests[0].headers["x-request-id"]
    assert forwarded.encode() != (sent if isinstance(sent, bytes) else sent.encode())
    assert forwarded.isalnum()


async def test_every_call_of_an_operation_has_the_token(flow, gateway):
    """Reads, look-ups and the like alike."""
    flow.add_groups(5)
    flow.add_customers(3, "g000", "g003", "g004")

    await gateway.query(
        "{ customerGroups(first: 3) { totalCount nodes { customers { nodes "
        "{ customerGroups { name } } } } } }"
    )

    assert len(flow.journal.requests) > 3
    assert {r.headers["authorization"] for r in flow.journal.requests} == {f"Bearer {TOKEN}"}


async def test_without_a_token_no_call_is_made(flow, gateway):
    """Reads and changes are UNAUTHENTICATED."""
    read = await gateway.ask(NAMES, token=None)
    change = await gateway.ask(
        'mutation { deleteCustomerGroup(input: {customerGroup: {uid: "gold"}}) { deletedUid } }',
        token=None,
    )

    assert codes(read) == codes(change) == ["UNAUTHENTICATED"]
    assert flow.calls == []


async def test_a_cookie_of_one_callers_answer_is_not_sent_for_another(flow):
    """The upstream's host is a name here: cookie jars treat addresses otherwise."""
    flow.add_group("gold")
    flow.fail(faults.Headers({"Set-Cookie": "session=ada; Path=/"}), times=None)
    named = flow.url.replace("127.0.0.1", "localhost")

    async with running_gateway(harness.settings(named)) as gateway:
        first = await gateway.post(NAMES)
        await gateway.post(NAMES, token=harness.READER)

    assert [request.headers.get("cookie") for request in flow.journal.requests] == [None, None]
    assert "set-cookie" not in first.headers


async def test_a_redirect_is_not_followed(flow, gateway):
    """The token would go wherever it points."""
    flow.add_group("gold")
    flow.fail(faults.Answer(302, headers={"Location": f"{flow.url}/tenants/shop/customer-groups"}))

    body = await gateway.ask(NAMES)

    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"]
    assert flow.calls == ["GET customer-groups"]


@pytest.mark.slow
async def test_a_dripped_answer_costs_no_more_than_the_timeout(flow):
    """81 bytes, one every second."""
    flow.add_group("gold")
    flow.fail(faults.Drip(1.0), times=None)
    loop = asyncio.get_running_loop()

    async with running_gateway(harness.settings(flow.url, flow_retail={"timeout": 0.5})) as gateway:
        began = loop.time()
        body = await gateway.ask(NAMES)
        seconds = loop.time() - began

    assert codes(body) == ["UPSTREAM_UNAVAILABLE"]
    assert seconds < 60  # to its end it would take 81


@pytest.mark.slow
async def test_the_operations_deadline_holds_over_its_calls(flow):
    """What was answered in time is shown; the rest says why not."""
    flow.add_group("gold")
    flow.add_customer("ada", "gold")
    flow.switches.latency = 1.0

    async with running_gateway(harness.settings(flow.url, deadline=1.8)) as gateway:
        body = await gateway.ask(
            "{ customerGroups { nodes { name customers { nodes { uid } } } } }"
        )

    assert body["data"]["customerGroups"]["nodes"][0]["name"] == "Gold"
    assert set(codes(body)) == {"DEADLINE_EXCEEDED"}


@pytest.mark.slow
async def test_at_debug_the_log_has_templates_and_nothing_of_the_caller(flow, caplog):
    """No token, no URL, no uid, of a call that works and of one that does not."""
    flow.add_group("gold")
    flow.add_customer("ingrid", "gold")
    flow.fail(faults.Close(), path="/customers")
    caplog.set_level(logging.DEBUG)

    async with running_gateway(harness.settings(flow.url)) as gateway:
        gateway.events.clear()
        await gateway.ask(
            '{ customerGroup(by: {uid: "gold"}) { customers { nodes { uid displayName } } } }'
        )
        await gateway.ask(NAMES, token="token-of-nobody")  # noqa: S106
        for event in gateway.events:
            log_event(event)

    ours = [record for record in caplog.records if record.name.startswith("gateway")]
    assert len(ours) == 6
    text = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in ours)
    for secret in (
        TOKEN,
        "token-of-nobody",
        "http:",
        "127.0.0.1",
        "gold",
        "ingrid",
        '"shop"',
        "/shop",
    ):
        assert secret not in text
    assert GROUP in text
