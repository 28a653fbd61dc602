"""The app of the management port: metrics, where answers are not as documented, and health; no way
to GraphQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http import health
from gateway.telemetry.metrics import Metrics

SHARE: Final = 0.1
"""The part of the time in which metrics may be rendered, however many ask for them."""


def management(metrics: Metrics) -> Starlette:
    """Its lifespan measures the event loop's lag."""
    page = _Page(metrics, metrics.shown)
    contract = _Page(metrics, metrics.deviations)

    async def show(_request: Request) -> Response:
        return Response(await page.rendered(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def deviations(_request: Request) -> Response:
        return Response(await contract.rendered(), media_type="application/json")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        measuring = asyncio.create_task(metrics.measure())
        yield
        measuring.cancel()

    routes = [Route("/metrics", show), Route("/contract", deviations), *health.ROUTES]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    return app


class _Page:
    """Renders metrics, once for all who ask at the same time."""

    def __init__(self, metrics: Metrics, render: Callable[[], bytes]) -> None:
        self._metrics = metrics
        self._shown = render
        self._next: asyncio.Task[bytes] | None = None
        self._one = asyncio.Lock()
        self._from = 0.0
        """When the next may begin, by the event loop's time."""

    async def rendered(self) -> bytes:
        if self._next is None:
            self._next = asyncio.create_task(self._render())
        return await asyncio.shield(self._next)  # others may wait for it

    async def _render(self) -> bytes:
        loop = asyncio.get_running_loop()
        async with self._one:
            await asyncio.sleep(self._from - loop.time())
            self._next = None  # who asks from now on gets newer figures
            began = loop.time()
            try:
                self._metrics.refresh()
                # In a thread, which the interpreter interrupts where a request needs its turn.
                return await asyncio.to_thread(self._shown)
            finally:
                ended = loop.time()
                self._from = ended + (ended - began) * (1 / SHARE - 1)
