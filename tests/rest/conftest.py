"""A transport for the tests of it, closed with each."""

from collections.abc import AsyncIterator

import pytest

from gateway.rest import HttpTransport


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = HttpTransport(connections=4)
    yield made
    await made.aclose()
