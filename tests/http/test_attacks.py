"""Documents that are made to be expensive, through the whole gateway: nobody else waits long."""

from __future__ import annotations

import pytest

from tests.attacks import ATTACKS
from tests.conftest import Stalled
from tests.harness import Flow, running_gateway, settings
from tests.stalls import longest_stall

ALLOWED = 0.1


@pytest.mark.parametrize("profile", ["development", "production"])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_keeps_nobody_waiting(flow: Flow, attack, profile, stalled: Stalled):
    """Read, refused or run: the event loop stands still for at most 100 ms, of which reading may
    take 50 (see tests/execution). Those that are refused cost no REST call.
    """
    flow.add_group("gold")
    chosen = settings(flow.url, profile=profile, document_cache=0)
    async with running_gateway(chosen) as gateway:
        await gateway.ask("{ customerGroups { nodes { name } } }")
        flow.journal.clear()

        async def send() -> None:
            body = await gateway.ask(ATTACKS[attack])
            assert "data" in body or flow.calls == []

        seconds = await longest_stall(send, allowed=ALLOWED)

    stalled(f"{attack}, over HTTP", profile, seconds)
    assert seconds <= ALLOWED
