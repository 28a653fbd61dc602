"""The kinds of fault: each answers one request badly, and notes what the oracle must know of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from chaos.notes import Notes
from chaos.upstream import Answer, Exchange, Request
from chaos.worlds import BIG_GROUP, EMPTY_GROUP

Play = Callable[[Exchange, Notes], Awaitable[None]]
Json = dict[str, Any]


class NotHere(Exception):
    """This fault can't befall this request, which is then answered well."""


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    kind: str
    play: Play
    harmless: bool = False
    """Whether a client must take it as if nothing were wrong."""
    slow: bool = False
    """Whether the operation's or the upstream's time limit ends it."""


FAULTS: Final[dict[str, Fault]] = {}


def add(name: str, kind: str, play: Play, *, harmless: bool = False, slow: bool = False) -> None:
    if name in FAULTS:
        raise ValueError(name)
    FAULTS[name] = Fault(name, kind, play, harmless, slow)


def fault(kind: str, *, harmless: bool = False, slow: bool = False) -> Callable[[Play], Play]:
    """Adds a function as the fault of its name."""

    def register(play: Play) -> Play:
        name = play.__name__.strip("_").replace("_", "-")
        add(name, kind, play, harmless=harmless, slow=slow)
        return play

    return register


def lose(exchange: Exchange, notes: Notes) -> None:
    """Note that nothing tells what became of the request."""
    notes.unsure = notes.unsure or exchange.request.writes


async def with_body(exchange: Exchange) -> Answer:
    """The API's own answer, where it has a body."""
    if exchange.api.name == "flow_retail" and tells_by_status(exchange.request):
        raise NotHere  # before it is done
    return await exchange.real()


def tells_by_status(request: Request) -> bool:
    """Whether it is one of the writes that Flow Retail answers with 204."""
    return request.method == "DELETE" or (request.writes and request.path.endswith("/customers"))


# -- the connection


def in_head(whole: bytes) -> int:
    return whole.index(b"\r\n\r\n") - 4


def in_body(whole: bytes) -> int:
    start = whole.index(b"\r\n\r\n") + 4
    return (start + len(whole)) // 2


def lost(how: str, *, done: bool) -> Play:
    """No answer at all."""

    async def play(exchange: Exchange, notes: Notes) -> None:
        lose(exchange, notes)
        if done:
            await exchange.real()
        await end(exchange, how)

    return play


def cut(how: str, *, at: Callable[[bytes], int]) -> Play:
    """The beginning of the right answer."""

    async def play(exchange: Exchange, notes: Notes) -> None:
        answer = await (with_body(exchange) if at is in_body else exchange.real())
        lose(exchange, notes)
        whole = answer.whole()
        await exchange.write(whole[: at(whole)])
        await asyncio.sleep(0.01)
        await end(exchange, how)

    return play


async def end(exchange: Exchange, how: str) -> None:
    match how:
        case "reset":
            exchange.reset()
        case "close":
            exchange.close()
        case "hang":
            await exchange.hang()


for _how in ("reset", "close", "hang"):
    _hangs = _how == "hang"
    add(f"{_how}-before-done", "connection", lost(_how, done=False), slow=_hangs)
    add(f"{_how}-after-done", "connection", lost(_how, done=True), slow=_hangs)
    add(f"{_how}-in-head", "connection", cut(_how, at=in_head), slow=_hangs)
    add(f"{_how}-in-body", "connection", cut(_how, at=in_body), slow=_hangs)


@fault("connection", slow=True)
async def drip_without_end(exchange: Exchange, notes: Notes) -> None:
    answer = await with_body(exchange)
    lose(exchange, notes)
    for byte in answer.whole()[:600]:
        await exchange.write(bytes([byte]))
        await asyncio.sleep(0.05)
    await exchange.hang()


@fault("connection", harmless=True)
async def drip_in_time(exchange: Exchange, _notes: Notes) -> None:
    whole = (await exchange.real()).whole()
    step = -(-len(whole) // 12)
    for at in range(0, len(whole), step):
        await exchange.write(whole[at : at + step])
        await asyncio.sleep(0.005)


@fault("connection")
async def half_close_before_answer(exchange: Exchange, notes: Notes) -> None:
    lose(exchange, notes)
    await exchange.real()
    await exchange.half_close()


@fault("connection", harmless=True)
async def body_until_close(exchange: Exchange, _notes: Notes) -> None:
    answer = await with_body(exchange)
    await exchange.write(answer.head(("Connection", "close")) + answer.body)
    exchange.close()


@fault("connection", harmless=True)
async def http_1_0(exchange: Exchange, _notes: Notes) -> None:
    answer = await with_body(exchange)
    length = ("Content-Length", str(len(answer.body)))
    await exchange.write(answer.head(length, version="HTTP/1.0") + answer.body)
    exchange.close()


@fault("connection", harmless=True)
async def no_reason_phrase(exchange: Exchange, _notes: Notes) -> None:
    await exchange.send((await exchange.real()).having(reason=""))


@fault("connection", harmless=True)
async def early_hints(exchange: Exchange, _notes: Notes) -> None:
    answer = await exchange.real()
    await exchange.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 2 + answer.whole())


@fault("connection", harmless=True)
async def close_announced_and_kept_open(exchange: Exchange, _notes: Notes) -> None:
    answer = await exchange.real()
    await exchange.send(answer.having(headers=(*answer.headers, ("Connection", "close"))))
    await exchange.hang()


def chunks(body: bytes, *, extension: bytes = b"") -> Iterator[bytes]:
    for at in range(0, len(body), 100):
        part = body[at : at + 100]
        yield b"%x%b\r\n%b\r\n" % (len(part), extension, part)


CHUNKED: Final = ("Transfer-Encoding", "chunked")


@fault("connection", harmless=True)
async def chunks_with_extensions_and_trailers(exchange: Exchange, _notes: Notes) -> None:
    answer = await with_body(exchange)
    sent = b"".join(chunks(answer.body, extension=b";a=b")) + b"0;last\r\nX-Sum: 1\r\n\r\n"
    await exchange.write(answer.head(CHUNKED) + sent)


@fault("connection")
async def chunks_without_end(exchange: Exchange, notes: Notes) -> None:
    answer = await with_body(exchange)
    lose(exchange, notes)
    await exchange.write(answer.head(CHUNKED) + b"".join(chunks(answer.body)))
    exchange.close()


@fault("connection")
async def bad_chunk_size(exchange: Exchange, notes: Notes) -> None:
    answer = await with_body(exchange)
    lose(exchange, notes)
    await exchange.write(answer.head(CHUNKED) + b"zz\r\n" + answer.body + b"\r\n0\r\n\r\n")


@fault("connection")
async def huge_chunk_size(exchange: Exchange, notes: Notes) -> None:
    answer = await with_body(exchange)
    lose(exchange, notes)
    await exchange.write(answer.head(CHUNKED) + b"f" * 40 + b"\r\n" + answer.body + b"\r\n")
    exchange.close()


@fault("connection")
async def chunked_twice_told(exchange: Exchange, notes: Notes) -> None:
    """Both ways of telling a length, which is how answers are smuggled."""
    answer = await with_body(exchange)
    lose(exchange, notes)
    body = b"".join(chunks(answer.body)) + b"0\r\n\r\n"
    await exchange.write(answer.head(CHUNKED, ("Content-Length", str(len(answer.body)))) + body)


def length_of(length: Callable[[int], str], *, then: str) -> Play:
    async def play(exchange: Exchange, notes: Notes) -> None:
        answer = await with_body(exchange)
        lose(exchange, notes)
        await exchange.write(
            answer.head(("Content-Length", length(len(answer.body)))) + answer.body
        )
        await end(exchange, then)

    return play


add("length-too-small", "connection", length_of(lambda n: str(n - 7), then="stay"))
add("length-too-large", "connection", length_of(lambda n: str(n + 7), then="close"))
add("length-too-large-hang", "connection", length_of(lambda n: str(n + 7), then="hang"), slow=True)
add("length-negative", "connection", length_of(lambda _: "-1", then="close"))
add("length-no-number", "connection", length_of(lambda _: "many", then="close"))
add("length-enormous", "connection", length_of(lambda _: "9" * 30, then="close"))


@fault("connection")
async def two_lengths(exchange: Exchange, notes: Notes) -> None:
    answer = await with_body(exchange)
    lose(exchange, notes)
    size = len(answer.body)
    lengths = [("Content-Length", str(size)), ("Content-Length", str(size - 9))]
    await exchange.write(answer.head(*lengths) + answer.body)


@fault("connection")
async def endless_body(exchange: Exchange, notes: Notes) -> None:
    await with_body(exchange)
    lose(exchange, notes)
    await exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(200):  # 13 MB, above what the gateway takes
        await exchange.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
    exchange.close()


@fault("connection")
async def interim_answers_without_end(exchange: Exchange, notes: Notes) -> None:
    lose(exchange, notes)
    for _ in range(300):
        await exchange.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
    exchange.close()


@fault("connection")
async def header_flood(exchange: Exchange, notes: Notes) -> None:
    lose(exchange, notes)
    await exchange.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        await exchange.write(b"X-Much: and more\r\n" * 500)
    exchange.close()


@fault("connection")
async def header_line_of_a_megabyte(exchange: Exchange, notes: Notes) -> None:
    answer = await exchange.real()
    lose(exchange, notes)
    await exchange.send(answer.having(headers=(*answer.headers, ("X-Much", "m" * 1_000_000))))


@fault("connection")
async def garbage(exchange: Exchange, notes: Notes) -> None:
    lose(exchange, notes)
    await exchange.write(b"\x16\x03\x01\x02\x00\x01\x00garbage\r\n\r\n\r\n")
    exchange.close()


@fault("connection")
async def only_a_body(exchange: Exchange, notes: Notes) -> None:
    answer = await with_body(exchange)
    lose(exchange, notes)
    await exchange.write(answer.body)
    exchange.close()


@fault("connection")
async def impossible_status(exchange: Exchange, notes: Notes) -> None:
    lose(exchange, notes)
    await exchange.write(b"HTTP/1.1 9999 Odd\r\nContent-Length: 2\r\n\r\n{}")


@fault("connection")
async def nul_in_a_header(exchange: Exchange, notes: Notes) -> None:
    answer = await exchange.real()
    lose(exchange, notes)
    await exchange.send(answer.having(headers=(*answer.headers, ("X-Odd", "a\0b"))))


@fault("connection")
async def garbage_after_the_answer(exchange: Exchange, notes: Notes) -> None:
    answer = await exchange.real()
    lose(exchange, notes)
    await exchange.write(answer.whole() + b"and so on")


@fault("connection")
async def second_answer(exchange: Exchange, notes: Notes) -> None:
    """An answer that the next request over this connection must not be given."""
    answer = await exchange.real()
    lose(exchange, notes)
    other = {"customerGroupUid": "g01", "id": "g01", "name": "Another", "version": 1}
    await exchange.write(answer.whole() + Answer(200, body=json.dumps(other).encode()).whole())


@fault("connection")
async def kept_alive_and_closed(exchange: Exchange, _notes: Notes) -> None:
    answer = await exchange.real()
    await exchange.send(answer.having(headers=(*answer.headers, ("Connection", "keep-alive"))))
    exchange.close()


@fault("connection")
async def kept_alive_and_reset(exchange: Exchange, _notes: Notes) -> None:
    answer = await exchange.real()
    await exchange.send(answer.having(headers=(*answer.headers, ("Keep-Alive", "timeout=60"))))
    await asyncio.sleep(0.02)
    exchange.reset()


# -- the status


def message(exchange: Exchange) -> bytes:
    """An error body that quotes what must not be shown: the token, the host."""
    token = exchange.request.headers.get("authorization", "").removeprefix("Bearer ")
    said = f"Not with {token} at http://127.0.0.1:{exchange.api.ports[0]}/internal"
    return json.dumps({"message": said, "statusCode": 0, "errors": []}).encode()


def status(code: int, body: str = "json", *headers: tuple[str, str]) -> Play:
    """Instead of doing anything, this status; 2xx once it is done. A body that "stalls" is promised
    and does not come.
    """

    async def play(exchange: Exchange, notes: Notes) -> None:
        request = exchange.request
        if 200 <= code < 300:
            if not request.writes and code in (204, 205):
                lose(exchange, notes)
            answer = await exchange.real()
            if answer.status >= 300:
                raise AlreadyDone(answer)
            # A page for people is no answer of an API's, whatever its status; 202 is a promise.
            told = exchange.api.name == "flow_retail" and tells_by_status(request)
            if body == "html" or code == 202 or not told:
                lose(exchange, notes)
        elif code >= 500 or code in (300, 303, 304, 408):
            # "See other" may be said of what was done; 304 says nothing of a write.
            lose(exchange, notes)
        if code == 404 or code == 410:
            notes.absent = True
        kinds = {"json": "application/json", "html": "text/html"}
        texts = {"json": message(exchange), "html": b"<html><h1>Sorry</h1></html>"}
        kind = [("Content-Type", kinds[body])] if body in kinds and code != 304 else []
        text = texts.get(body, b"") if code not in (204, 304) else b""
        answer = Answer(code, (*kind, *headers), text)
        if body == "stalls":
            exchange.status = code
            await exchange.write(answer.head(("Content-Length", "20")))
            await exchange.hang()
        await exchange.send(answer)

    return play


LOCATION: Final = ("Location", "/elsewhere")
for _code in (300, 301, 302, 303, 304, 307, 308):
    add(f"status-{_code}", "status", status(_code, "empty", LOCATION))
for _code in (400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 421, 422, 423, 424):
    add(f"status-{_code}", "status", status(_code))
for _code in (425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599):
    add(f"status-{_code}", "status", status(_code))
for _code in (200, 201, 202, 204, 205, 206, 400, 401, 403, 404, 409, 429, 500, 502, 503):
    add(f"status-{_code}-empty", "status", status(_code, "empty"))
for _code in (200, 400, 401, 403, 404, 500, 502, 503):
    add(f"status-{_code}-html", "status", status(_code, "html"))
for _code in (200, 204, 303, 400, 401, 403, 404, 409, 429, 500, 503):
    add(f"status-{_code}-stalls", "status", status(_code, "stalls"), slow=True)
for _code in (200, 204, 400, 401, 403, 404, 409, 429, 500, 503):
    for _encoding in ("gzip", "br", ""):
        _name = f"encoding-{_encoding or 'empty'}-{_code}"
        add(_name, "status", status(_code, "empty", ("Content-Encoding", _encoding)))
for _code in (200, 400, 401, 404, 409, 429, 500, 503):
    _headers = ("Content-Encoding", "gzip")
    add(f"broken-gzip-{_code}", "status", status(_code, "json", _headers))


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


RETRY_AFTER: Final[dict[str, Callable[[], str]]] = {
    "0": lambda: "0",
    "1": lambda: "1",
    "9999999": lambda: "9999999",
    "of-thirty-digits": lambda: "9" * 30,
    "negative": lambda: "-5",
    "fraction": lambda: "0.5",
    "words": lambda: "soon",
    "empty": lambda: "",
    "date-ahead": lambda: http_date(2),
    "date-far-ahead": lambda: http_date(86_400),
    "date-past": lambda: http_date(-60),
    "date-senseless": lambda: "Mon, 99 Foo 2026 25:61:61 GMT",
}


def retry_after(code: int, value: Callable[[], str]) -> Play:
    async def play(exchange: Exchange, notes: Notes) -> None:
        headers = ("Date", http_date(0)), ("Retry-After", value())
        await status(code, "json", *headers)(exchange, notes)

    return play


for _label, _value in RETRY_AFTER.items():
    for _code in (429, 503):
        add(f"retry-after-{_label}-{_code}", "status", retry_after(_code, _value))


# -- the body


def raw_body(change: Callable[[bytes], bytes], *, header: tuple[str, str] | None = None) -> Play:
    """The API's own answer, with its bytes changed."""

    async def play(exchange: Exchange, notes: Notes) -> None:
        answer = await with_body(exchange)
        if not answer.body or answer.status >= 300:
            raise AlreadyDone(answer)
        lose(exchange, notes)
        headers = (*answer.headers, header) if header else answer.headers
        await exchange.send(answer.having(body=change(answer.body), headers=headers))

    return play


def harmless_body(
    change: Callable[[bytes], bytes], *, header: tuple[str, str] | None = None
) -> Play:
    async def play(exchange: Exchange, _notes: Notes) -> None:
        answer = await exchange.real()
        if not answer.body:
            raise AlreadyDone(answer)
        headers = (*answer.headers, header) if header else answer.headers
        await exchange.send(answer.having(body=change(answer.body), headers=headers))

    return play


class AlreadyDone(NotHere):
    """This fault can't befall this answer, which is to be sent as it is."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


GZIP: Final = ("Content-Encoding", "gzip")


def brotli_like(body: bytes) -> bytes:
    return b"\x0b\x02\x80" + zlib.compress(body) + b"\x03"


def two_members(body: bytes) -> bytes:
    middle = len(body) // 2
    return gzip.compress(body[:middle]) + gzip.compress(body[middle:])


for _label, _change, _header in (
    ("not-json", lambda _: b"<html>It works!</html>", None),
    ("empty-body", lambda _: b"", None),
    ("cut-json", lambda body: body[:-9], None),
    ("json-and-more", lambda body: body + b'{"x":', None),
    ("utf-16", lambda body: body.decode().encode("utf-16"), None),
    ("null-body", lambda _: b"null", None),
    ("list-body", lambda _: b"[]", None),
    ("string-body", lambda _: b'"x"', None),
    ("number-body", lambda _: b"1e999", None),
    ("object-body", lambda _: b"{}", None),
    ("list-around", lambda body: b"[" + body + b"]", None),
    ("deep-nesting", lambda _: b"[" * 100_000 + b"]" * 100_000, None),
    ("deep-objects", lambda _: b'{"items":' * 50_000 + b"1" + b"}" * 50_000, None),
    ("too-large", lambda body: body + b" " * 9_000_000, None),
    ("gzip-cut", lambda body: gzip.compress(body)[:-12], GZIP),
    ("gzip-broken", lambda body: gzip.compress(body)[:20] + b"\xff" * 40, GZIP),
    ("gzip-not-at-all", lambda body: body, GZIP),
    ("gzip-and-more", lambda body: gzip.compress(body) + b"more", GZIP),
    ("gzip-bomb", lambda body: gzip.compress(body + b" " * 50_000_000), GZIP),
    ("brotli", brotli_like, ("Content-Encoding", "br")),
    ("deflate", zlib.compress, ("Content-Encoding", "deflate")),
    ("gzip-twice-told", lambda body: gzip.compress(body), ("Content-Encoding", "gzip, gzip")),
):
    add(f"body-{_label}", "body", raw_body(_change, header=_header))

for _label, _change, _header in (
    ("byte-order-mark", lambda body: b"\xef\xbb\xbf" + body, None),
    ("white-space-around", lambda body: b"\r\n\t " + body + b"\r\n", None),
    ("escaped", lambda body: json.dumps(json.loads(body)).encode(), None),
    ("gzip", gzip.compress, GZIP),
    ("x-gzip", gzip.compress, ("Content-Encoding", "x-gzip")),
    ("gzip-in-capitals", gzip.compress, ("Content-Encoding", "GZIP")),
    ("gzip-of-two-members", two_members, GZIP),
    ("encoding-empty", lambda body: body, ("Content-Encoding", "")),
    ("encoding-identity", lambda body: body, ("Content-Encoding", "identity")),
):
    add(f"fine-{_label}", "body", harmless_body(_change, header=_header), harmless=True)


def repaired_body(old: bytes, new: bytes) -> Play:
    """Bytes of names that no text can have; the value is shown, and it is told that it was
    repaired.
    """

    async def play(exchange: Exchange, notes: Notes) -> None:
        answer = await with_body(exchange)
        if old not in answer.body or answer.status >= 300:
            raise AlreadyDone(answer)
        lose(exchange, notes)
        notes.repaired = True
        await exchange.send(answer.having(body=answer.body.replace(old, new)))

    return play


add("body-latin-1", "body", repaired_body("ø".encode(), b"\xf8"))
add("body-utf-8-cut", "body", repaired_body("ø".encode(), b"\xc3"))
add("body-half-emoji", "body", repaired_body("ø".encode(), b"\\ud83d"))


# -- members of the body

ABSENT: Final = object()
Change = Callable[[Json, Exchange], object]


def changed(
    change: Change, *, harmless: bool = False, note: Callable[[Notes], None] | None = None
) -> Play:
    """The API's own answer, with its JSON changed; `change` raises NotHere where it can't be."""

    async def play(exchange: Exchange, notes: Notes) -> None:
        answer = await exchange.real()
        try:
            document = json.loads(answer.body) if answer.status < 300 else None
            if not isinstance(document, dict):
                raise NotHere
            changed = change(document, exchange)
        except (NotHere, ValueError):
            raise AlreadyDone(answer) from None
        if not harmless:
            lose(exchange, notes)
        if note is not None:
            note(notes)
        text = (
            changed
            if isinstance(changed, bytes)
            else json.dumps(document, ensure_ascii=False).encode()
        )
        await exchange.send(answer.having(body=text))

    return play


def rows_of(document: Json) -> list[Json]:
    """The rows of a page; NotHere where it is none, or has none."""
    rows = document.get("items", document.get("results"))
    if not isinstance(rows, list) or not rows:
        raise NotHere
    return rows


def any_rows(document: Json) -> list[Json]:
    """The rows of a page, or the one thing that was answered."""
    if "items" in document or "results" in document:
        return rows_of(document)
    return [document]


def rows_member(document: Json) -> str:
    return "items" if "items" in document else "results"


def uid_member(row: Json) -> str:
    for name in ("customerGroupUid", "customerUid", "id"):
        if name in row:
            return name
    raise NotHere


def label_member(row: Json) -> str:
    for name in ("name", "displayName", "lastName"):
        if name in row:
            return name
    raise NotHere


def put(target: Json, name: str, value: object) -> None:
    if value is ABSENT:
        target.pop(name, None)
    else:
        target[name] = value


ODD: Final[dict[str, object]] = {
    "null": None,
    "absent": ABSENT,
    "of-wrong-type": {"of": ["another", "type"]},
}


def labels(name: str) -> bool:
    return name in ("name", "displayName")


def label_may_be_untold(notes: Notes) -> None:
    """A customer has any name, or none, without an error; a group's is an error."""
    notes.allowed.append(
        lambda name, _right, shown: name == "displayName" and shown in (None, "Bjørn")
    )


def total_may_be_untold(notes: Notes) -> None:
    """Null says that the backend does not tell."""
    notes.allowed.append(lambda name, _right, shown: name == "totalCount" and shown is None)


def _set_rows(value: object) -> Change:
    def change(document: Json, _exchange: Exchange) -> None:
        rows_of(document)
        put(document, rows_member(document), value)

    return change


def _set_in_row(member: Callable[[Json], str], value: object, *, every: bool = False) -> Change:
    def change(document: Json, _exchange: Exchange) -> None:
        rows = any_rows(document)
        for row in rows if every else rows[len(rows) // 2 :][:1]:
            put(row, member(row), value)

    return change


def _set_total(value: object) -> Change:
    def change(document: Json, _exchange: Exchange) -> None:
        rows_of(document)
        paging = document.get("paging", document)
        name = "totalCount" if "paging" in document else "total"
        if name not in paging:
            raise NotHere
        put(paging, name, value)

    return change


for _label, _odd in ODD.items():
    add(f"rows-{_label}", "body", changed(_set_rows(_odd)))
    add(f"uid-{_label}", "body", changed(_set_in_row(uid_member, _odd)))
    _untold = None if _label == "of-wrong-type" else total_may_be_untold
    add(f"total-{_label}", "body", changed(_set_total(_odd), note=_untold))
    add(
        f"name-{_label}",
        "body",
        changed(_set_in_row(label_member, _odd), note=label_may_be_untold),
    )
    add(
        f"names-{_label}",
        "body",
        changed(_set_in_row(label_member, _odd, every=True), note=label_may_be_untold),
    )
add("uid-empty", "body", changed(_set_in_row(uid_member, "")))
add("uid-number", "body", changed(_set_in_row(uid_member, 7)))
add("uids-all-empty", "body", changed(_set_in_row(uid_member, "", every=True)))
add("total-negative", "body", changed(_set_total(-1)))
add("total-fraction", "body", changed(_set_total(22.5)))
add("total-text", "body", changed(_set_total("23")))
add("total-enormous", "body", changed(_set_total(10**30)))
add("total-zero-beside-rows", "body", changed(_set_total(0)))
add("total-below-the-rows", "body", changed(_set_total(1)))


def _versions(document: Json, _exchange: Exchange) -> list[Json]:
    rows = [row for row in any_rows(document) if "version" in row]
    if not rows:
        raise NotHere
    return rows


def _set_version(value: object) -> Change:
    def change(document: Json, exchange: Exchange) -> None:
        for row in _versions(document, exchange):
            put(row, "version", value)

    return change


for _label, _odd in {**ODD, "negative": -4, "text": "1", "enormous": 10**30}.items():
    add(f"version-{_label}", "body", changed(_set_version(_odd)))


def _written(document: Json, was: str, now: str) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    if was not in text:
        raise NotHere
    return text.replace(was, now).encode()


def _total_as(text: str) -> Change:
    def change(document: Json, _exchange: Exchange) -> bytes:
        paging = document.get("paging", document)
        name = "totalCount" if "paging" in document else "total"
        if not isinstance(paging.get(name), int):
            raise NotHere
        was = f'"{name}":{paging[name]}'
        return _written(document, was, f'"{name}":{text.format(paging[name])}')

    return change


add("fine-total-with-zeros", "body", changed(_total_as("{}.000"), harmless=True), harmless=True)
add("fine-total-with-exponent", "body", changed(_total_as("{}e0"), harmless=True), harmless=True)
add("total-overflowing", "body", changed(_total_as("{}e999")))
add("total-nan", "body", changed(_total_as("NaN")))


def _unknown_members(document: Json, _exchange: Exchange) -> None:
    document["$new"] = {"x": [1, {"y": None}]}
    for row in any_rows(document):
        row["newThing"] = {"deep": [[[["er"]]]], "Ø": "ø"}


add("fine-unknown-members", "body", changed(_unknown_members, harmless=True), harmless=True)


INSTANTS: Final = {
    "offset": ("2025-07-30T20:10:06.447+02:00", True),
    "small-letters": ("2025-07-30t18:10:06.447z", True),
    "seven-digits": ("2025-07-30T18:10:06.4479999Z", True),
    "beyond-the-years": ("9999-12-31T23:59:59.9999999Z", False),
    "no-date": ("yesterday", False),
    "number": (1753899006447, False),
}


def _set_created(value: object) -> Change:
    def change(document: Json, _exchange: Exchange) -> None:
        for row in any_rows(document):
            if "createdAt" in row:
                row["createdAt"] = value

    return change


def _last_instant(notes: Notes) -> None:
    notes.allowed.append(
        lambda name, _right, shown: name == "createdAt" and shown == "9999-12-31T23:59:59.999Z"
    )


for _label, (_odd, _fine) in INSTANTS.items():
    add(
        f"{'fine-' * _fine}instant-{_label}",
        "body",
        changed(_set_created(_odd), harmless=_fine, note=_last_instant),
        harmless=_fine,
    )


def _huge(document: Json, _exchange: Exchange) -> None:
    for row in any_rows(document)[:2]:
        row[label_member(row)] += "x" * 300_000


def _huge_allowed(notes: Notes) -> None:
    notes.allowed.append(
        lambda name, right, shown: (
            labels(name) and isinstance(shown, str) and shown == right + "x" * 300_000
        )
    )


add("name-huge", "body", changed(_huge, note=_huge_allowed))


def _nul(document: Json, _exchange: Exchange) -> None:
    row = any_rows(document)[0]
    row[label_member(row)] += "\0"


def _nul_allowed(notes: Notes) -> None:
    notes.allowed.append(lambda name, right, shown: labels(name) and shown == f"{right}\0")


add("name-with-nul", "body", changed(_nul, note=_nul_allowed))


def _twice_named(document: Json, _exchange: Exchange) -> bytes:
    """The last of two members of one name is what most readers take."""
    row = any_rows(document)[0]
    label = json.dumps(row[label_member(row)], ensure_ascii=False)
    name = f'"{label_member(row)}":'
    return _written(document, f"{name}{label}", f'{name}"Not this",{name}{label}')


def _first_allowed(notes: Notes) -> None:
    notes.allowed.append(lambda name, _right, shown: labels(name) and "Not this" in str(shown))


add("member-twice", "body", changed(_twice_named, note=_first_allowed))


def _null_row(document: Json, _exchange: Exchange) -> None:
    rows_of(document)[len(rows_of(document)) // 2] = None  # type: ignore[call-overload]


def _text_row(document: Json, _exchange: Exchange) -> None:
    rows_of(document)[0] = "row"  # type: ignore[call-overload]


def _doubled_row(document: Json, _exchange: Exchange) -> None:
    rows = rows_of(document)
    rows.insert(1, rows[0])


def _too_many_rows(document: Json, _exchange: Exchange) -> None:
    """More than the page has room for, from the list's beginning, whatever was asked for."""
    rows = rows_of(document)
    kind = uid_member(rows[0])
    paging = document.get("paging", {})
    if len(rows) < paging.get("pageSize", document.get("limit", 0)):
        raise NotHere  # whoever gets more than there are could not know
    others = [{**rows[0], kind: f"wrong{number}"} for number in range(40)]
    at_start = paging.get("pageNumber", document.get("offset", 0) + 1) == 1
    document[rows_member(document)] = rows + others if at_start else others + rows


def _rows_missing(document: Json, _exchange: Exchange) -> None:
    """Fewer than there must be by the total; where that is an estimate, nothing is odd."""
    if "results" in document:
        raise NotHere
    rows = rows_of(document)
    if len(rows) < 2:
        raise NotHere
    del rows[len(rows) // 2 :]


def _no_rows(document: Json, _exchange: Exchange) -> None:
    rows_of(document).clear()


def _moved(notes: Notes) -> None:
    notes.moved = True


add("row-null", "body", changed(_null_row))
add("row-text", "body", changed(_text_row))
add("row-twice", "body", changed(_doubled_row, note=_moved))
add("rows-too-many", "body", changed(_too_many_rows))
add("rows-missing", "body", changed(_rows_missing))
add("rows-none-beside-total", "body", changed(_no_rows))


def _paging(name: str, offset_name: str, value: Callable[[int], object]) -> Change:
    def change(document: Json, _exchange: Exchange) -> None:
        rows_of(document)
        paging = document.get("paging")
        place, key = (paging, name) if isinstance(paging, dict) else (document, offset_name)
        if not isinstance(place.get(key), int):
            raise NotHere
        put(place, key, value(place[key]))

    return change


for _label, _place in {
    "of-another-page": lambda number: number + 1,
    "null": lambda _: None,
    "absent": lambda _: ABSENT,
    "negative": lambda _: -3,
    "text": lambda number: f"no. {number}",
    "enormous": lambda _: 10**18,
}.items():
    add(f"page-number-{_label}", "body", changed(_paging("pageNumber", "offset", _place)))
for _label, _place in {
    "smaller": lambda size: max(1, size // 2),
    "larger": lambda size: size * 2,
    "zero": lambda _: 0,
    "null": lambda _: None,
}.items():
    add(f"page-size-{_label}", "body", changed(_paging("pageSize", "limit", _place)))


def _no_paging(document: Json, _exchange: Exchange) -> None:
    rows_of(document)
    if "paging" not in document:
        raise NotHere
    document["paging"] = None


add("paging-null", "body", changed(_no_paging, note=total_may_be_untold))


def _memberships(value: object) -> Change:
    def change(document: Json, _exchange: Exchange) -> None:
        found = False
        for row in any_rows(document):
            for name in ("customerGroupUids", "customerGroupAssignments"):
                if name in row:
                    put(row, name, value)
                    found = True
        if not found:
            raise NotHere

    return change


def _no_groups(notes: Notes) -> None:
    """Which is how customers without groups are told of, too."""
    notes.lied = True
    notes.allowed.append(lambda name, _right, shown: name == "customerGroups" and shown == [])


for _label, _odd in ODD.items():
    _note = None if _label == "of-wrong-type" else _no_groups
    add(f"memberships-{_label}", "body", changed(_memberships(_odd), note=_note))


def _other_group(document: Json, exchange: Exchange) -> None:
    """Another group's answer, where one was asked for, or written."""
    if "name" not in document:
        raise NotHere
    document[uid_member(document)] = "g17"
    document["name"] = "Kjøpere g17"
    if "key" in document:
        document["key"] = "key-g17"


def _old_name(document: Json, exchange: Exchange) -> None:
    """The answer to a write shows the group as if nothing had been written."""
    if "name" not in document or not exchange.request.writes:
        raise NotHere
    document["name"] = "Something else"


def _blank_name(document: Json, exchange: Exchange) -> None:
    if "name" not in document or not exchange.request.writes:
        raise NotHere
    document["name"] = ""


add("other-group", "body", changed(_other_group))
add("write-answered-with-other-name", "write", changed(_old_name))
add("write-answered-with-blank-name", "write", changed(_blank_name))


# -- writes: what was done, and what is said


def said_of_write(done: bool, code: int, *, body: bool = True) -> Play:
    """A write that was done, or not, and a status that need not fit."""

    async def play(exchange: Exchange, notes: Notes) -> None:
        if not exchange.request.writes:
            raise NotHere
        if done:
            await exchange.real()
        if code >= 500:
            notes.unsure = True
        else:
            notes.lied = True
        await exchange.send(Answer(code, body=message(exchange) if body else b""))

    return play


for _code in (500, 502, 503, 504):
    add(f"done-but-{_code}", "write", said_of_write(True, _code))
add("done-but-429", "write", said_of_write(True, 429))


@fault("write")
async def not_done_but_200_with_the_old_state(exchange: Exchange, notes: Notes) -> None:
    """The answer shows that nothing was changed."""
    request = exchange.request
    if not request.writes or request.method == "DELETE" or request.path.endswith("/customers"):
        raise NotHere
    if request.path.endswith("/customer-groups"):
        raise NotHere
    read = await exchange.api.call(replace(request, method="GET", body=b""))
    notes.unsure = True
    await exchange.send(read)


@fault("write")
async def done_twice(exchange: Exchange, notes: Notes) -> None:
    if not exchange.request.writes:
        raise NotHere
    answer = await exchange.real()
    await exchange.real()
    notes.doubled = True
    notes.harmless = notes.harmless and answer.status < 300
    await exchange.send(answer)


@fault("write", slow=True)
async def done_after_the_time_is_over(exchange: Exchange, notes: Notes) -> None:
    if not exchange.request.writes:
        raise NotHere
    notes.unsure = True
    await asyncio.sleep(1.5)
    await exchange.real()
    await exchange.hang()


@fault("write")
async def somebody_else_writes_first(exchange: Exchange, notes: Notes) -> None:
    if not exchange.request.writes or notes.elsewhere:
        raise NotHere
    notes.elsewhere = True
    with suppress(LookupError):
        exchange.api.world.rename(exchange.tenant, BIG_GROUP, "Somebody else's name")
    await exchange.send(await exchange.real())


@fault("write")
async def keys_swapped_before_the_write(exchange: Exchange, notes: Notes) -> None:
    """The key that the request names is another group's by now."""
    if not exchange.request.writes or exchange.api.name == "flow_retail" or notes.elsewhere:
        raise NotHere
    notes.elsewhere = True
    with suppress(LookupError):
        exchange.api.world.swap_keys(exchange.tenant, EMPTY_GROUP, "g21")
    await exchange.send(await exchange.real())


@fault("write")
async def stale_after_a_conflict(exchange: Exchange, notes: Notes) -> None:
    """Somebody else writes first, and what is read after the conflict is older than that."""
    request = exchange.request
    if request.path.endswith(f"/{BIG_GROUP}") and request.method == "GET" and notes.elsewhere:
        answer = await exchange.real()
        document = json.loads(answer.body)
        document |= {"version": 1, "name": "An old name"} if "version" in document else {}
        await exchange.send(answer.having(body=json.dumps(document).encode()))
        return
    await somebody_else_writes_first(exchange, notes)
