"""Everything that a run needs: both simulated systems, and the gateway in front of them."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.gateway import Process
from chaos.operations import COMMERCETOOLS, FLOW_RETAIL
from chaos.upstream import Api
from chaos.worlds import CommercetoolsWorld, FlowRetailWorld
from gateway.simulator.commercetools.app import create_app as commercetools_app
from gateway.simulator.commercetools.store import Store as CommercetoolsStore
from gateway.simulator.flow_retail.app import create_app as flow_retail_app
from gateway.simulator.flow_retail.store import Store as FlowRetailStore
from gateway.simulator.journal import Journal

HERE: Final = Path(__file__).resolve().parent.parent
DEADLINE: Final = 4.0
SETTINGS: Final = {
    "GATEWAY_PROFILE": "development",
    "GATEWAY_LOG_LEVEL": "debug",
    "GATEWAY_DEADLINE": str(DEADLINE),
    "GATEWAY_FLOW_RETAIL_TIMEOUT": "1.5",
    "GATEWAY_COMMERCETOOLS_TIMEOUT": "1.5",
    "GATEWAY_FLOW_RETAIL_MAX_PAGE_SIZE": "10",
}


@dataclass(frozen=True, slots=True)
class Running:
    gateway: Process
    apis: Mapping[str, Api]


@asynccontextmanager
async def upstreams() -> AsyncIterator[Mapping[str, Api]]:
    """Both systems, each behind a port of its own, without any tenant."""
    with FlowRetailStore() as flow, CommercetoolsStore() as commercetools:
        apis = {
            FLOW_RETAIL: Api(
                FLOW_RETAIL,
                flow_retail_app(flow, journal=Journal(limit=1)),
                FlowRetailWorld(flow),
                re.compile("/v2/tenants/([^/]+)/"),
                prefix="/v2",
            ),
            COMMERCETOOLS: Api(
                COMMERCETOOLS,
                commercetools_app(commercetools, journal=Journal(limit=1)),
                CommercetoolsWorld(commercetools),
                re.compile("/([^/]+)/"),
            ),
        }
        async with AsyncExitStack() as opened:
            for api in apis.values():
                await opened.enter_async_context(api.served())
            yield apis


@asynccontextmanager
async def running(
    tenants: int, *, settings: Mapping[str, str] | None = None, checkout: Path = HERE
) -> AsyncIterator[Running]:
    """The gateway over both, for so many trials: Flow Retail's tenants are f0, f1 and so on,
    commercetools' k0, k1; nobody listens for d0 and e0 and their like.
    """
    async with AsyncExitStack() as opened:
        apis = await opened.enter_async_context(upstreams())
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        deaf = opened.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))  # and does not listen
        dead = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        lines = ["[tenants]"]
        lines += [f'k{number} = "commercetools"' for number in range(tenants)]
        for number in range(tenants):
            lines.append(f'd{number} = {{ backend = "flow_retail", url = "{dead}/v2" }}')
            lines.append(f'e{number} = {{ backend = "commercetools", url = "{dead}" }}')
        (directory / "gateway.toml").write_text("\n".join(lines))
        environment = {
            **SETTINGS,
            "GATEWAY_CONFIG": str(directory / "gateway.toml"),
            "GATEWAY_FLOW_RETAIL_URL": apis[FLOW_RETAIL].url,
            "GATEWAY_COMMERCETOOLS_URL": apis[COMMERCETOOLS].url,
            **(settings or {}),
        }
        gateway = Process(checkout, directory, environment)
        opened.callback(gateway.stop)
        await gateway.ready()
        yield Running(gateway, apis)
