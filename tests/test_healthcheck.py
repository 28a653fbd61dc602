"""The image's health check, over the gateway's own listeners."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import serving
from gateway.healthcheck import problem


@contextmanager
def listening(host: str, *, status: int = 200) -> Iterator[dict[str, str]]:
    """The variables that say where a server listens that is ready, or is not."""

    async def ready(_request: Request) -> Response:
        return Response(status_code=status)

    with serving.listen(host, 0, remedy="") as listener:
        server = serving.server(Starlette(routes=[Route("/health/ready", ready)]))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        port = "0" if host.startswith("unix:") else str(listener.getsockname()[1])
        try:
            yield {"GATEWAY_HOST": host, "GATEWAY_PORT": port}
        finally:
            server.should_exit = True
            thread.join()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0.0.0.0", "::1", "[::]", "unix:"],  # noqa: S104  # as in the image
)
def test_it_asks_where_the_gateway_listens(host, tmp_path):
    """On one address, on all, on a Unix socket."""
    with listening(f"unix:{tmp_path}/socket" if host == "unix:" else host) as environ:
        assert problem(environ) is None


def test_a_gateway_that_drains_is_not_ready():
    """A status other than 200 is said."""
    with listening("127.0.0.1", status=503) as environ:
        assert problem(environ) == "127.0.0.1: status 503"


def test_a_gateway_that_is_away_is_not_ready(tmp_path: Path):
    """Nothing listens there."""
    with listening("127.0.0.1") as environ:
        pass

    assert "ConnectionRefusedError" in str(problem(environ))
    assert "FileNotFoundError" in str(problem({"GATEWAY_HOST": f"unix:{tmp_path}/none"}))
