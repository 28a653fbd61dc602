"""Whatever reads or searches bytes from outside takes time in proportion to how many there are.

A megabyte takes up to a second. What takes time in the square of it takes many seconds for 50 kB,
so the small ones come first.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from gateway.backends.commercetools.lists import literal
from gateway.backends.flow_retail.wire import WHOLE
from gateway.engine import Limits
from gateway.engine._documents.limits import text_refusals
from gateway.errors import GatewayError, InvalidInput
from gateway.http.caller import bearer_token, request_id, seconds
from gateway.http.exchange import loggable
from gateway.http.requests import response_type, wants_page
from gateway.records import CustomerGroup
from gateway.rest import Answer, BaseUrl
from gateway.rest._bodies import read
from gateway.rest.decoding import RowDecoder
from gateway.rest.decoding._json_repair import with_json_numbers, with_whole_characters
from gateway.schema.inputs import checked_uid, distinct_uids, group_name
from gateway.schema.relay import decode_cursor, parse_global_id

SMALL, LARGE = 50_000, 1_000_000
ALLOWED = 3.0
"""Seconds of this thread's processor time."""
UNLIMITED = Limits(**dict.fromkeys(["max_document", "max_lines", "max_tokens"], 2 * LARGE))


def _refusal(text: str) -> str:
    return Answer(400, json.dumps({"message": text}).encode(), ("secret", "host")).reason()


def _asked_by(text: str) -> object:
    return BaseUrl("https://example.org").fill("/{uid}", {"uid": text}, {})


def _group(text: str) -> bytes:
    return b'{"customerGroupUid":"g","name":%b}' % json.dumps(text).encode()


def _customer(name: str, text: str) -> bytes:
    return b'{"items":[{"customerUid":"c","%b":%b}]}' % (name.encode(), text.encode())


def _row(text: str) -> object:
    body = json.dumps({"uid": "a", "name": text, "created_at": text, "version": "no number"})
    return RowDecoder(CustomerGroup).one(body.encode())


def _row_as_sent(text: str) -> object:
    return RowDecoder(CustomerGroup).one(b'{"uid": "a", "name": "' + text.encode())


READERS: dict[str, Callable[[str], object]] = {
    "a row": _row,
    "a row that is cut off": _row_as_sent,
    "a refusal's reason": _refusal,
    "whole characters": lambda text: with_whole_characters(text.encode()),
    "numbers of JSON": lambda text: with_json_numbers(text.encode()),
    "a literal of a predicate": literal,
    "a path": _asked_by,
    "a document's size": lambda text: text_refusals(text, UNLIMITED),
    "a document in a comment": lambda text: text_refusals(f"#{text}", UNLIMITED),
    "a document in a string": lambda text: text_refusals(f'"""{text}', UNLIMITED),
    "a bearer token": lambda text: bearer_token(f"Bearer {text}"),
    "a request id": lambda text: request_id({"x-request-id": text}),
    "a timeout": lambda text: seconds({"x-request-timeout": text}, 1.0),
    "a response type": response_type,
    "a wish for a page": wants_page,
    "an operation's name": loggable,
    "a cursor": decode_cursor,
    "a global id": parse_global_id,
    "an identifier": lambda text: checked_uid(text, ["uid"]),
    "identifiers": lambda text: distinct_uids([text], "uids", limit=1),
    "a name": group_name,
    "a group": lambda text: WHOLE.group.one(_group(text)),
    "a group with a finer instant": lambda text: WHOLE.group.one(_group(f".0009995{text}")),
    "an integer": lambda text: WHOLE.customers.decode(_customer("paymentTerms", text)),
    "an instant": lambda text: WHOLE.customers.decode(_customer("createdAt", f'"{text}"')),
}
PARTS = [
    *("a", ".", " ", "=", "-", "9", "\n", '"', "\\", "#", "{", "[", "/", "\0", "\ufffd", "é"),
    *("a.", "a ", ". ", "a=", '\\"', '" ', "\\ud83d", "NaN", "NaN,", '"NaN" ', "a:", "...", ", "),
    *(
        "...on ",
        "a{",
        "a(",
        "$a ",
        "text/html,",
        ";q=",
        "a;",
        "1.",
        "1e",
        ".123",
        ".9999",
        "localhos",
        "http:/",
    ),
]


def _time_of(read: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    with suppress(GatewayError):
        read(text)
    return time.thread_time() - began


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_reading_takes_time_in_proportion_to_what_is_read(name):
    """Whatever it consists of, and whatever comes at its end."""
    read = READERS[name]

    for size in (SMALL, LARGE):
        for part in PARTS:
            taken = _time_of(read, part * (size // len(part)) + "!")

            assert taken < ALLOWED, (part, size)


def test_a_refusal_of_forty_thousand_dots_is_read_at_once():
    """A name that the upstream quotes; it froze everything for six seconds."""
    taken = _time_of(_refusal, f"The name {'.' * 40_000} is taken")

    assert taken < 0.1


@pytest.mark.parametrize("decode", [decode_cursor, parse_global_id])
def test_what_is_too_long_to_be_ours_is_not_decoded(decode):
    """Half a megabyte in a variable may be the argument of thousands of objects."""
    text = "YWJj" * 125_000
    began = time.thread_time()

    for _ in range(2_000):
        with pytest.raises(InvalidInput):
            decode(text)

    assert time.thread_time() - began < ALLOWED / 3


@pytest.mark.slow
async def test_a_body_of_many_gzip_members_is_read_once():
    """And not again from each member on, which took a second."""
    content = os.urandom(7_000_000)
    body = gzip.compress(b"") * 900 + gzip.compress(content, 1)
    response = httpx.Response(
        200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(body)
    )
    began = time.thread_time()

    found, failure = await read(response, 8_000_000)

    assert time.thread_time() - began < 0.5
    assert failure is None
    assert found == content
