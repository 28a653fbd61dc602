"""Scalars as clients see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidAnswer
from gateway.schema.scalars import rfc3339

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@pytest.mark.slow
@given(st.datetimes(timezones=st.just(UTC) | OFFSETS, min_value=datetime(1, 1, 2)))
def test_an_instant_is_printed_as_rfc_3339_has_it(instant):
    """In UTC, with milliseconds, whatever its offset and however small its fraction."""
    printed = rfc3339(instant)

    whole = instant.astimezone(UTC)
    assert printed.endswith("Z")
    assert datetime.fromisoformat(printed) == whole.replace(
        microsecond=whole.microsecond // 1000 * 1000
    )
    assert len(printed) == len("2025-07-30T20:10:06.447Z")


@pytest.mark.parametrize(
    ("instant", "offset", "where"),
    [
        (datetime(1, 1, 1), 1, "ahead of the year 1"),
        (datetime(9999, 12, 31, 23), -1, "after the year 9999"),
    ],
)
def test_an_instant_that_utc_does_not_have_is_the_backends_mistake(instant, offset, where):
    """At either end of time, and it says at which."""
    with pytest.raises(InvalidAnswer, match=where):
        rfc3339(instant.replace(tzinfo=timezone(timedelta(hours=offset))))
