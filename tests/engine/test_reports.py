"""Failures that are told beside the data."""

from __future__ import annotations

from gateway.engine._run.reports import Reports
from gateway.errors import Rejected


def test_a_failure_is_reported_once_for_each_place():
    """Edges, nodes and page info of one list share a read and its omissions."""
    reports = Reports(4)
    left_out = [Rejected(f"Left out: {row}.") for row in "abc"]
    for path in ("customerGroups", "customerGroups", "other", "another"):
        reports.add((path,), iter(left_out), count=3)

    assert [(path, failure.message) for path, failure in reports.listed()] == [
        (("customerGroups",), "Left out: a."),
        (("customerGroups",), "Left out: b."),
        (("customerGroups",), "Left out: c."),
        (("other",), "Left out: a."),
    ]
    assert reports.unlisted == 5
