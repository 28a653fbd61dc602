"""Probes. They call no backend, because restarting the gateway would not end a backend's outage."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway import VERSION


async def live(_request: Request) -> Response:
    """This process answers."""
    return JSONResponse({"status": "ok", "version": VERSION})


async def ready(request: Request) -> Response:
    """It is to be sent requests: it does not stop. Only our server says whether it does."""
    if request.scope.get("state", {}).get("draining"):
        return JSONResponse({"status": "draining", "version": VERSION}, 503)
    return await live(request)


ROUTES: Final = (
    Route("/health", live),
    Route("/health/live", live),
    Route("/health/ready", ready),
)
