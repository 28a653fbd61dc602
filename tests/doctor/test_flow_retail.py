"""What the doctor finds out about a Flow Retail."""

from __future__ import annotations

import pytest

from tests.doctor.patients import diagnosis, the
from tests.harness import Flow


def groups(count: int):
    def fill(flow: Flow) -> None:
        flow.add_groups(count)

    return fill


@pytest.mark.parametrize("before", ["refuse", "first"])
@pytest.mark.parametrize("past", ["empty", "not_found", "last"])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("rows", [0, 1, 2, 30])
async def test_the_first_page_is_found(rows, first, past, before):
    """Whatever lies around it, and with however few rows."""
    report = await diagnosis(
        groups(rows), first_page=first, past_the_end=past, before_the_start=before
    )

    found = the(report, "first page")
    assert found.setting == ("first_page", first)
    assert found.certainty == "certain" or rows < 2


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("past", "setting"), [("empty", "empty"), ("not_found", "not_found"), ("last", "empty")]
)
@pytest.mark.parametrize("rows", [0, 1, 30])
async def test_what_follows_the_end_is_found(rows, past, setting, first):
    """A last page under its own number needs no setting: answers win over requests."""
    report = await diagnosis(groups(rows), first_page=first, past_the_end=past)

    assert the(report, "past the end").setting == ("past_the_end", setting)
