"""The configurations of deploy/, with the real proxies."""

from __future__ import annotations

import pytest

from chaos.restarts import PROXIES, restarts

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("proxy", PROXIES)
async def test_a_rolling_restart_loses_no_request_and_repeats_no_change(proxy):
    """`make restarts` does it four times, with more requests."""
    load = await restarts(proxy, requests=1_000, rounds=1)

    assert (dict(load.lost), load.repeated) == ({}, 0)
    assert len(load.arrived) == load.changes > 0
