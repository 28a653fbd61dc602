"""Lists that are paged in ways that no switch of the simulator has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.doctor import diagnose
from gateway.doctor.report import Report
from gateway.rest import RawAnswer
from gateway.settings import CommercetoolsSettings, FlowRetailSettings
from tests.doctor.patients import the
from tests.doctor.test_asking import Api
from tests.harness import TENANT


class Lists(Api):
    """Groups in pages of up to `most`, counted from 1, which say nothing of themselves but
    `paging`.
    """

    def __init__(self, *, count: int = 130, most: int = 50, **paging: Any) -> None:
        super().__init__()
        self.count, self.most, self.paging = count, most, paging

    async def send(self, method, template, path, *, query=None, body=None, content_type=""):
        if not template.endswith("customer-groups"):
            return RawAnswer(404, {}, b"", None, 0.1)
        number, size = query.get("pageNumber", 1), query.get("pageSize", 20)
        if size == "many" or number < 1:
            return RawAnswer(400, {}, b"", None, 0.1)
        size = min(size, self.most)
        places = range((number - 1) * size, min(self.count, number * size))
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


class Odd(Api):
    """`count` groups in pages of up to `most`, which say what `paging` makes of the size that is
    asked for and of their rows; without one, all pages are the first.
    """

    def __init__(self, count: int, most: int, paging: Any = None) -> None:
        super().__init__()
        self.lists = Lists(count=count, most=most)
        self.paging = paging

    async def send(self, method, template, path, *, query=None, body=None, content_type=""):
        asked = dict(query or {}) | ({} if self.paging else {"pageNumber": 1})
        answer = await self.lists.send(method, template, path, query=asked)
        if answer.status != 200:
            return answer
        rows = json.loads(answer.body)["items"]
        paging = self.paging and self.paging(asked.get("pageSize", 20), len(rows))
        body = json.dumps({"items": rows, "paging": paging}).encode()
        return replace(answer, body=body)


async def test_a_total_that_is_that_of_the_page_is_found_out():
    """Its list is longer than a page, and has an end where there are rows no more."""
    report = await report_on(Odd(130, 50, lambda _, count: {"totalCount": count}))

    assert the(report, "largest page").setting == ("max_page_size", 50)
    assert the(report, "past the end").setting == ("past_the_end", "empty")
    assert the(report, "total of groups").found == "it says 50, and more rows follow"


async def test_a_total_alone_does_not_make_a_page_the_largest():
    """Rows have to follow."""
    report = await report_on(Odd(20, 500, lambda _, count: {"totalCount": count + 5}))

    assert the(report, "largest page").found == "20 rows or more: that many came at once"


async def test_a_page_with_more_rows_than_it_says_is_no_largest_one():
    """What it says is wrong."""
    report = await report_on(Odd(120, 500, lambda size, _: {"pageSize": min(size, 50)}))

    assert the(report, "largest page").setting is None


async def test_a_list_that_ends_with_a_full_page_has_the_total_that_it_says():
    """The page after it was looked at."""
    report = await report_on(Odd(100, 500, lambda _, count: {"totalCount": 100}))

    assert the(report, "total of groups").found.startswith("as it says")


async def test_pages_that_are_all_the_first_one_do_not_show_where_they_begin():
    """Nor can they be read, whatever is set."""
    report = await report_on(Odd(130, 50))

    assert the(report, "first page").certainty == "not found out"
    assert "is pageNumber passed over?" in the(report, "first page").found


class SilentlyCut(Api):
    """A commercetools whose pages have at most 10 rows, and say that they have the limit asked
    for. Of its 30 customers in a group the first 10 are assigned to it.
    """

    async def send(self, method, template, path, *, query=None, body=None, content_type=""):
        query = query or {}
        where, limit = query.get("where", ""), query.get("limit", 20)
        held = {"customerGroup": {"typeId": "customer-group", "id": "g1"}}
        rows = [
            held | {"id": f"c{n:02}", "customerGroupAssignments": [held] if n < 10 else []}
            for n in range(10 if "Assignments is not" in where else 30)
        ]
        offset = query.get("offset", 0)
        page = rows[offset : offset + min(limit, 10)]
        given = {"results": page, "limit": limit, "total": len(rows)}
        return RawAnswer(200, {}, json.dumps(given).encode(), None, 0.1)


async def test_pages_that_are_cut_and_do_not_say_so_are_not_taken_for_all():
    """Those who can't be seen may be in groups in the other way."""
    settings = CommercetoolsSettings(url="https://ct.example")
    report = await diagnose(SilentlyCut().asker(rate=1000), settings, TENANT)

    assert the(report, "membership").certainty == "likely"
    assert the(report, "largest limit").found == "500 is clamped to 10: lists lose rows"
    assert the(report, "total of groups").found == "exact (rows behind offset 29)"
    assert report.calls <= 40
