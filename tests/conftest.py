"""The fixtures of all tests: `flow`, a simulated Flow Retail, and `gateway`, in front of it."""

from collections.abc import AsyncIterator

import pytest

from tests.harness import Flow, Gateway, running_flow, running_gateway, settings


@pytest.fixture
async def flow() -> AsyncIterator[Flow]:
    async with running_flow(Flow()) as running:
        yield running


@pytest.fixture
async def gateway(flow: Flow) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(flow.url)) as running:
        yield running
