"""What of a client's trace headers is taken, by W3C Trace Context and W3C Baggage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.trace_context import MAX_BAGGAGE, MAX_STATE, baggage, trace_context

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "given",
    [
        "",
        TRACE,
        PARENT.upper(),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0x",
        f"{PARENT}-more",
        f"{PARENT}-",
        f"01-{TRACE}-{SPAN}-01more",
        f"{PARENT}, {PARENT}",
        f"{PARENT}\n",
        f"{PARENT}\r\nX-Other: 1",
        f"00-{TRACE.replace('0', chr(0x660))}-{SPAN}-01",
    ],
)
def test_a_malformed_traceparent_is_none(given):
    """Nor does its tracestate count."""
    assert trace_context(given, "a=1") is None


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (PARENT, PARENT),
        (f" {PARENT}\t", PARENT),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-03"),
        (f"01-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", PARENT),
    ],
)
def test_a_traceparent_is_sent_in_the_version_that_is_known(given, sent):
    """With the flags that it has; later versions may have more, at its end."""
    context = trace_context(given)

    assert context is not None
    assert context.headers == {"traceparent": sent}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("a=1 ,\tb=2,, c=  3", "a=1,b=2,c=  3"),
        ("1a-_*/@z=~!", "1a-_*/@z=~!"),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a", ""),
        ("a=", ""),
        ("=1", ""),
        ("a=1=2", ""),
        ("a=é", ""),
        ("a=1\nX-Other: 1", ""),
        (f"{'k' * 256}={'v' * 10},a=1", f"{'k' * 256}={'v' * 10},a=1"),
        (f"{'k' * 257}=1", ""),
        (f"a={'v' * 257}", ""),
        (",".join(f"k{n}=1" for n in range(33)), ""),
    ],
)
def test_a_tracestate_is_sent_whole_or_not(given, sent):
    """One member that is malformed, or comes twice, spoils it; the traceparent goes on."""
    context = trace_context(PARENT, given)

    assert context is not None
    assert context.state == sent
    assert context.headers.get("tracestate", "") == sent


def test_of_a_long_tracestate_whole_members_are_left_out():
    """Long ones first, then those at the end (Trace Context, 3.3.1.5)."""
    short = [f"k{n}={'v' * 96}" for n in range(6)]
    context = trace_context(PARENT, ",".join([short[0], f"long={'v' * 200}", *short[1:]]))

    assert context is not None
    assert context.state == ",".join(short[:5])


@pytest.mark.parametrize(
    "given",
    [
        "",
        "a",
        "=1",
        "a=1,",
        "a b=1",
        "a=1 2",
        'a="1"',
        "a=\\",
        "a=é",
        "a=1;",
        "a=1;b c",
        "a=1\r\nX-Other: 1",
        ",".join(f"k{n}=1" for n in range(65)),
        f"a={'v' * MAX_BAGGAGE}",
    ],
)
def test_malformed_or_long_baggage_is_dropped(given):
    """All of it."""
    assert baggage(given) == ""


@given(st.text(max_size=60), st.text(max_size=60) | st.just("k=v" * 400))
def test_what_goes_on_is_printable_and_short(parent, state):
    """Whatever comes: no header can be ended, or another begun."""
    for context in (trace_context(parent, state), trace_context(PARENT, state)):
        for value in {} if context is None else context.headers.values():
            assert value.isascii()
            assert value.isprintable()
            assert len(value) <= MAX_STATE
    carried = baggage(state)
    assert carried in ("", state)
    assert carried.replace("\t", "").isprintable()
