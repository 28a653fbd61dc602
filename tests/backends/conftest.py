"""The transport is tested on both event loops: asyncio's own, and the one that serves."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from gateway.backends.transport import HttpTransport

ON_BOTH = ("test_transport", "test_connections", "test_addresses", "test_tls", "test_time_limits")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    loops: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in ON_BOTH and sys.platform != "win32":
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(connections=4)
    yield made
    await made.aclose()
