"""A real Prometheus, as Debian has it."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.programs import program

EVERY = 0.5
"""Seconds from one scrape to the next."""


class Prometheus:
    """Scrapes one gateway, and evaluates `rules`."""

    def __init__(self, directory: Path, target: str, *rules: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        scrape = {
            "job_name": "gateway",
            "scrape_interval": f"{EVERY * 1000:.0f}ms",
            "scrape_timeout": f"{EVERY * 1000:.0f}ms",
            "static_configs": [{"targets": [target.removeprefix("http://")]}],
        }
        config = directory / "prometheus.yml"
        files = [str(path) for path in rules]
        config.write_text(json.dumps({"scrape_configs": [scrape], "rule_files": files}))
        command = [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={self.address}",
        ]
        with (directory / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603  # our words

    async def get(self, path: str, **parameters: str) -> Any:
        """What the API answers."""
        async with httpx.AsyncClient(trust_env=False) as client:
            url = f"http://{self.address}/api/v1/{path}"
            answer: Any = (await client.get(url, params=parameters)).json()
        assert answer["status"] == "success", (path, parameters, answer)
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
