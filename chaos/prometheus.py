"""A real Prometheus, as Debian has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx

from chaos.restarts import free_ports, program

EVERY: Final = 0.5
"""Seconds from one scrape to the next."""


@asynccontextmanager
async def prometheus(
    directory: Path, targets: Iterable[str], *, rules: Path | None = None
) -> AsyncIterator[Prometheus]:
    """Scrapes the gateways whose management ports have these URLs, and evaluates the rules."""
    [port] = free_ports(1)
    scrape = {
        "job_name": "gateway",
        "scrape_interval": f"{EVERY * 1000:.0f}ms",
        "scrape_timeout": f"{EVERY * 1000:.0f}ms",
        "static_configs": [{"targets": [url.removeprefix("http://") for url in targets]}],
    }
    files = [str(rules)] if rules else []
    config = directory / "prometheus.yml"
    config.write_text(json.dumps({"scrape_configs": [scrape], "rule_files": files}))
    options = (
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    log = directory / "prometheus.log"
    async with program("prometheus", *options, front=port, log=log, also={}):
        yield Prometheus(port)


class Prometheus:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/"

    async def get(self, path: str, **parameters: str) -> Any:
        """What the API answers."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer: Any = (await client.get(self._url + path, params=parameters)).json()
        if answer["status"] != "success":
            raise ValueError(path, parameters, answer)
        return answer["data"]

    async def ask(self, query: str) -> list[float]:
        """The values of an instant query."""
        found = await self.get("query", query=query)
        return [float(series["value"][1]) for series in found["result"]]

    async def scrapes(self) -> None:
        """Wait for two further ones."""
        async with asyncio.timeout(60):
            before: list[float] = []
            while len(before) < 1 or await self._scraped() < before[0] + 2:
                with suppress(httpx.TransportError):
                    before = before or [await self._scraped()]
                await asyncio.sleep(EVERY / 2)

    async def _scraped(self) -> float:
        return sum(await self.ask("sum_over_time(up[10m])"))
