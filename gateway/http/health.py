"""/health: whether this process answers. It asks no backend: an outage there is not ours to be
restarted for.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway import VERSION


async def health(_request: Request) -> Response:
    return JSONResponse({"status": "ok", "version": VERSION})
