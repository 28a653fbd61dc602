"""Where a request stands in a trace: the headers of W3C Trace Context (Level 2) and W3C Baggage.

What breaks their rules is dropped, as the specifications have it, so that nothing of a client's
goes on in a header but what is well-formed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

TRACEPARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
SAMPLED: Final = 0b01
RANDOM: Final = 0b10
"""Says that the trace id is random. All other flags are to be sent as zero."""
STATE_MEMBER: Final = re.compile(r"([a-z0-9][a-z0-9_*/@-]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]")
MAX_STATES: Final = 32
MAX_STATE: Final = 512
"""Characters of a tracestate that go on; of a longer one, whole members are left out."""
LONG_STATE: Final = 128
"""Characters of a member that is left out first."""
NAME: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
PAIR: Final = r"[ \t]*=[ \t]*[!#-+\--:<-\[\]-~]*"
BAGGAGE_MEMBER: Final = re.compile(NAME + PAIR)
BAGGAGE_PROPERTY: Final = re.compile(f"{NAME}({PAIR})?")
MAX_BAGGAGE: Final = 8_192
MAX_BAGGAGE_MEMBERS: Final = 64


class TraceContext(Struct, frozen=True, kw_only=True):
    """A span of a trace, by which others are made below it."""

    trace_id: str
    span_id: str
    flags: int
    state: str = ""
    parent_id: str | None = None
    """The span above it; None where there is none, or the span is another program's."""
    recorded: bool = False
    """Whether the gateway records spans: then each REST call is one."""

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    def child(self) -> TraceContext:
        """A new span below this one."""
        return TraceContext(
            trace_id=self.trace_id,
            span_id=f"{random.getrandbits(64) or 1:016x}",  # no secret
            flags=self.flags,
            state=self.state,
            parent_id=self.span_id,
            recorded=self.recorded,
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """What calls made by this span carry."""
        if self.state:
            return {"traceparent": self.traceparent, "tracestate": self.state}
        return {"traceparent": self.traceparent}


BeginTrace = Callable[[TraceContext | None], TraceContext]
"""A new span of a trace: below the one that is given, if any."""


def trace_context(traceparent: str, tracestate: str = "") -> TraceContext | None:
    """The trace that two headers name; None if the first is not valid, for then neither counts.

    A header that came several times has its values joined by commas: two of traceparent are none.

    >>> trace_context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").span_id
    'b7ad6b7169203331'
    >>> trace_context("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01")
    """
    found = TRACEPARENT.fullmatch(traceparent.strip(" \t"))
    # What later versions add at the end is dropped, and the first version sent.
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    return TraceContext(
        trace_id=found[2],
        span_id=found[3],
        flags=int(found[4], 16) & (SAMPLED | RANDOM),
        state=_state(tracestate) if tracestate else "",
    )


def _state(given: str) -> str:
    """The tracestate, without the members that are too long for it; empty if it is not valid."""
    members = [member for each in given.split(",") if (member := each.strip(" \t"))]
    found = [STATE_MEMBER.fullmatch(member) for member in members]
    if len(members) > MAX_STATES or None in found:
        return ""
    if len(members) > 1 and len({member[1] for member in found if member}) < len(members):
        return ""
    if len(given) > MAX_STATE and len(",".join(members)) > MAX_STATE:
        members = [member for member in members if len(member) <= LONG_STATE]
        while len(",".join(members)) > MAX_STATE:
            members.pop()
    return ",".join(members)


def baggage(given: str) -> str:
    """The baggage as it came; empty if it is not valid or too long.

    >>> baggage("userId=alice;local, region = no"), baggage("region"), baggage("a=\\n")
    ('userId=alice;local, region = no', '', '')
    """
    members = [member.split(";") for member in given.split(",")]
    valid = (
        len(given) <= MAX_BAGGAGE
        and len(members) <= MAX_BAGGAGE_MEMBERS
        and all(
            BAGGAGE_MEMBER.fullmatch(pair.strip(" \t"))
            and all(BAGGAGE_PROPERTY.fullmatch(each.strip(" \t")) for each in properties)
            for pair, *properties in members
        )
    )
    return given if valid else ""
