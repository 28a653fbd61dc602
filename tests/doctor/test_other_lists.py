"""Lists that are paged in ways that no switch of the simulator has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.doctor import diagnose
from gateway.doctor.report import Report
from gateway.rest import RawAnswer
from gateway.settings import FlowRetailSettings
from tests.doctor.patients import the
from tests.doctor.test_asking import Api
from tests.harness import TENANT


class Lists(Api):
    """130 groups in pages of up to 50, counted from 1, which say nothing of themselves but
    `paging`.
    """

    def __init__(self, **paging: Any) -> None:
        super().__init__()
        self.paging = paging

    async def send(self, method, template, path, *, query=None, body=None, content_type=""):
        if not template.endswith("customer-groups"):
            return RawAnswer(404, {}, b"", None, 0.1)
        number, size = query.get("pageNumber", 1), query.get("pageSize", 20)
        if size == "many" or number < 1:
            return RawAnswer(400, {}, b"", None, 0.1)
        size = min(size, 50)
        places = range((number - 1) * size, min(130, number * size))
        rows = [{"customerGroupUid": f"g{place}", "name": f"n{place:03}"} for place in places]
        given = {"items": rows} | ({"paging": self.paging} if self.paging else {})
        return RawAnswer(200, {}, json.dumps(given).encode(), None, 0.1)


async def report_on(api: Api) -> Report:
    settings = FlowRetailSettings(url="https://flow.example/v2")
    return await diagnose(api.asker(rate=1000), settings, TENANT)


@pytest.mark.parametrize(
    "paging", [{}, {"pageSize": 10_000}, {"totalCount": 130}, {"totalCount": "many"}]
)
async def test_what_pages_do_not_say_is_seen_by_their_rows(paging):
    """Nothing, what was asked for, a total alone, or something else."""
    report = await report_on(Lists(**paging))

    assert the(report, "first page").setting == ("first_page", 1)
    assert the(report, "largest page").setting == ("max_page_size", 50)
    assert the(report, "past the end").setting == ("past_the_end", "empty")


@pytest.mark.parametrize(
    ("total", "found"),
    [
        (130, "as it says: the last page, of 30 rows, ends at row 130"),
        (120, "it says 120: the last page, of 30 rows, ends at row 130"),
        (900, "it says 900: the last page, of 0 rows, ends at row 850"),
        (None, "answers have no totalCount that can be read"),
    ],
)
async def test_a_total_is_held_against_rows(total, found):
    """Those of the last page that it promises."""
    report = await report_on(Lists(totalCount=total))

    assert the(report, "total of groups").found == found
