"""Scalars as clients see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidAnswer
from gateway.schema.scalars import rfc3339

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))


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


def test_an_instant_ahead_of_the_year_1_is_the_backends_mistake():
    with pytest.raises(InvalidAnswer):
        rfc3339(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))))
