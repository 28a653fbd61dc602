"""Text that is all but JSON."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.rest.decoding._json_repair import (
    MOST_REPAIRED,
    with_json_numbers,
    with_whole_characters,
)

PARTS = ["\ud83d", "\ude00", "\U0001f600", "\\", "u", "d83d", '"', "\n", "\ud7ff", "\ue000", "ø"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=8).map("".join)
JSON = st.recursive(
    TEXTS | st.integers(-9, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.slow
@given(value=JSON)
@example(value="\\\ud83d\ude00\ud83d\ud83d\ude00\ude00")
@settings(max_examples=500, deadline=None)
def test_half_a_pair_becomes_a_mark_and_nothing_else_changes(value: Any):
    """As Python's own encoder has it, wherever they are and whatever is around them."""
    text = json.dumps(value)

    repaired, lost = with_whole_characters(text.encode())

    # Escaped halves that meet are one character again.
    as_read = json.loads(text)
    whole = json.dumps(as_read, ensure_ascii=False)
    mark = lost.mark if lost else "no mark"
    assert mark not in whole
    assert msgspec.json.decode(repaired) == json.loads(re.sub("[\ud800-\udfff]", mark, whole))


@pytest.mark.slow
@given(body=st.binary())
@settings(max_examples=200, deadline=None)
def test_what_comes_is_utf_8(body: bytes):
    """Whatever it was; each mark stands where Python's own decoder puts U+FFFD."""
    repaired, lost = with_whole_characters(body)

    text = repaired.decode()
    assert (text.replace(lost.mark, "\ufffd") if lost else text) == body.decode(errors="replace")


def test_what_the_backend_itself_shows_as_unknown_was_not_lost_here():
    """Written as it is, or as an escape."""
    repaired, lost = with_whole_characters('"\ufffd'.encode() + b'\\ufffd \xff"')

    assert lost is not None
    assert repaired.decode() == f'"\ufffd\\ufffd {lost.mark}"'


@pytest.mark.parametrize("escaped", [False, True])
def test_a_mark_is_like_nothing_else_in_the_body(escaped: bool):
    """As long as there is any character left for it; then all that is unknown counts as lost."""
    taken = [chr(code) for code in range(0xFDD0, 0xFDEF)]
    some = json.dumps("".join(taken), ensure_ascii=escaped).encode().upper()
    every = json.dumps("".join(taken) + "\ufdef", ensure_ascii=escaped).encode()

    _, last = with_whole_characters(some.replace(b"\\U", b"\\u")[:-1] + b'\\ud83d"')
    _, none = with_whole_characters(every[:-1] + b'\xff"')

    assert last is not None
    assert none is not None
    assert (last.mark, none.mark) == ("\ufdef", "\ufffd")


@pytest.mark.slow
@given(value=JSON, before=TEXTS)
@settings(max_examples=200, deadline=None)
def test_only_what_stands_for_a_number_becomes_one(value: Any, before: str):
    """Not what a string says."""
    text = json.dumps([f"{before}NaN", value, float("nan"), {"NaN": float("-inf")}, "Infinity"])

    repaired = with_json_numbers(text.encode())

    told = json.loads(repaired)
    assert told[0] == json.loads(json.dumps(f"{before}NaN"))
    assert told[1] == json.loads(json.dumps(value))
    assert told[2:] == [float("inf"), {"NaN": float("-inf")}, "Infinity"]


@pytest.mark.parametrize("body", [b"", b"N", b'"N', b'"\\', b"[NaM]", b"{I}", b'{"a":\\u"N"}'])
def test_what_is_no_json_stays_as_it_is(body):
    """It is not for us to guess."""
    assert with_json_numbers(body) == body
    assert with_whole_characters(body) == (body, None)


def test_so_many_mistakes_are_no_mistake():
    """What is left of them makes it no JSON."""
    assert with_json_numbers(b"NaN," * (MOST_REPAIRED + 1)).endswith(b"1e999,NaN,")
    repaired, _ = with_whole_characters(b"\\ud83d" * (MOST_REPAIRED + 1))
    assert repaired.count(b"\\ud83d") == 1
