"""/health: shows that this process answers. It calls no backend, because restarting the gateway
would not end a backend's outage.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway import VERSION


async def health(_request: Request) -> Response:
    return JSONResponse({"status": "ok", "version": VERSION})
