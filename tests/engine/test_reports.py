"""Failures that are reported in addition to the data."""

from __future__ import annotations

from gateway.engine import Account, Limits
from gateway.errors import Rejected


def test_a_failure_is_reported_once_for_each_place():
    """Edges, nodes and page info of one list share a read and its omissions."""
    account = Account(Limits(max_errors=4), deadline=0)
    left_out = [Rejected(f"Left out: {row}.") for row in "abc"]
    for path in ("customerGroups", "customerGroups", "other", "another"):
        account.report((path,), iter(left_out), count=3)

    assert [(path, failure.message) for path, failure in account.reported()] == [
        (("customerGroups",), "Left out: a."),
        (("customerGroups",), "Left out: b."),
        (("customerGroups",), "Left out: c."),
        (("other",), "Left out: a."),
    ]
    assert account.unlisted == 5
