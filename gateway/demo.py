"""Serves the simulated REST APIs for the command line: alone, or behind the gateway as `gateway
demo`, with sockets between them.
"""

from __future__ import annotations

import json
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from starlette.types import ASGIApp

from gateway import serving
from gateway.process import create_server, listening
from gateway.settings import Settings, TenantSettings
from gateway.settings.configuration import read_settings
from gateway.simulator.commercetools import app as commercetools_app
from gateway.simulator.commercetools import demo_data as commercetools_data
from gateway.simulator.commercetools.store import Store as CommercetoolsStore
from gateway.simulator.commercetools.switches import Switches as CommercetoolsSwitches
from gateway.simulator.flow_retail import app as flow_retail_app
from gateway.simulator.flow_retail import demo_data as flow_retail_data
from gateway.simulator.flow_retail.store import Store as FlowRetailStore
from gateway.simulator.flow_retail.switches import Switches as FlowRetailSwitches
from gateway.telemetry.log_output import LogWriter
from gateway.telemetry.traces import tracing

CT_BEARER_HEADER: Final = "X-Commercetools-Authorization"
"""One operation over both APIs carries two tokens, as in production: neither vendor sees the
other's.
"""
QUERY = """{ \
oslo: customerGroups(tenantUid: "%s", first: 2) { nodes { name customers { totalCount } } } \
wien: customerGroups(tenantUid: "%s", first: 2) { nodes { name key customers { totalCount } } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A simulated REST API; a store holds its data."""

    title: str
    base_path: str
    """What follows the address in the API's base URL."""
    groups: str
    """The path of a `tenant`'s groups below that."""
    tenant: str
    """The demo's tenant."""
    token: str
    """The demo's token, for this API alone."""
    store: Callable[[Path | str], AbstractContextManager[Any]]
    """Raises sqlite3.Error where the file can't hold the data."""
    switches: Callable[[Sequence[str]], Any]
    """Reads switches, each as NAME=VALUE."""
    create_app: Callable[..., ASGIApp]
    fill_store: Callable[..., None]
    """Put the demo's data into a store, for a tenant and a `token`."""

    def app(self, store: Any, switches: Sequence[str] = ()) -> ASGIApp:
        """The API; raises ValueError for a switch that does not exist."""
        return self.create_app(store, switches=self.switches(switches))

    def fill(self, store: Any, tenant: str) -> str:
        """Put the demo's data under `tenant`; returns a text that says how much it is."""
        self.fill_store(store, tenant, token=self.token)
        return f"{store.count_groups(tenant)} groups, {store.count_customers(tenant)} customers"

    def welcome(self, url: str) -> str:
        """How to ask it for the demo's groups at `url`."""
        return f"""\
  tenant {self.tenant}, token {self.token}
  curl -H 'Authorization: Bearer {self.token}' {url}{self.groups.format(tenant=self.tenant)}
"""


FLOW_RETAIL: Final = Simulation(
    title="Flow Retail",
    base_path="/v2",
    groups="/tenants/{tenant}/customer-groups",
    tenant="demo",
    token="demo-token",  # noqa: S106  # for data that is made up
    store=FlowRetailStore,
    switches=FlowRetailSwitches.parse,
    create_app=flow_retail_app.create_app,
    fill_store=flow_retail_data.fill,
)
COMMERCETOOLS: Final = Simulation(
    title="commercetools",
    base_path="",
    groups="/{tenant}/customer-groups",
    tenant="demo-ct",
    token="demo-ct-token",  # noqa: S106  # for data that is made up
    store=CommercetoolsStore,
    switches=CommercetoolsSwitches.parse,
    create_app=commercetools_app.create_app,
    fill_store=commercetools_data.fill,
)
SIMULATIONS: Final = MappingProxyType({"flow-retail": FLOW_RETAIL, "commercetools": COMMERCETOOLS})


def demo(environ: Mapping[str, str], *, simulator_port: int, log: LogWriter) -> None:
    """Serve until interrupted; GATEWAY_* settings hold, but for the backends: the simulators.

    Flow Retail is at `simulator_port`, commercetools at the next one; 0 takes free ones. Raises
    SettingsError and CannotListen before anything is served.
    """
    settings = read_settings(environ)
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(
                serving.listen(
                    "127.0.0.1",
                    simulator_port and simulator_port + n,
                    remedy='Choose others: make demo args="--simulator-port 9081".',
                )
            )
            for n in range(len(SIMULATIONS))
        ]
        gateway_sockets = opened.enter_context(listening(settings))
        spans = opened.enter_context(tracing(environ))
        apis = SIMULATIONS.values()
        stores = [opened.enter_context(api.store(":memory:")) for api in apis]
        urls = [
            serving.address(socket) + api.base_path
            for api, socket in zip(apis, sockets, strict=True)
        ]
        tenants = _tenants(settings)
        settings = _over(settings, environ, urls, tenants)
        sizes = [api.fill(*each) for api, *each in zip(apis, stores, tenants, strict=True)]
        tokens = {
            upstream.bearer_header: api.token
            for upstream, api in zip(settings.upstreams, apis, strict=True)
        }
        gateway = create_server(
            settings, gateway_sockets.management, log=log, spans=spans, graphiql_tokens=tokens
        )
        try:
            for api, store, listener in zip(apis, stores, sockets, strict=True):
                opened.enter_context(_running(api.app(store), listener))
            behind = [
                f"{url:<26} {api.title}, simulated: {size}; tenant {tenant}"
                for url, api, size, tenant in zip(urls, apis, sizes, tenants, strict=True)
            ]
            where = serving.address(gateway_sockets.clients)
            print(_welcome(where, behind, tenants, tokens), flush=True)
            gateway.run(sockets=[gateway_sockets.clients])
        except KeyboardInterrupt:
            pass  # uvicorn raises it again after it has shut down
    print("Stopped.")


def _tenants(settings: Settings) -> tuple[str, str]:
    """Flow Retail's, which is the default one unless that is taken, and commercetools'."""
    chosen, other = settings.default_tenant, COMMERCETOOLS.tenant
    return FLOW_RETAIL.tenant if chosen in (None, other) else chosen, other


def _over(
    settings: Settings, environ: Mapping[str, str], urls: Sequence[str], tenants: Sequence[str]
) -> Settings:
    """`settings` with the simulators as backends, and a tenant of each."""
    flow_retail = replace(settings.flow_retail, url=urls[0])
    commercetools = replace(settings.commercetools, url=urls[1], bearer_header=CT_BEARER_HEADER)
    return replace(
        settings,
        profile=settings.profile if "GATEWAY_PROFILE" in environ else "development",
        drain=settings.drain if "GATEWAY_DRAIN" in environ else 0,
        default_tenant=settings.default_tenant or tenants[0],
        default_backend="flow_retail",
        flow_retail=flow_retail,
        commercetools=commercetools,
        tenants={tenants[1]: TenantSettings(upstream=commercetools)},
    )


@contextmanager
def _running(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """`app`, served by a thread of its own."""
    server = serving.server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=5)


def _welcome(
    gateway: str, behind: Sequence[str], tenants: tuple[str, str], tokens: Mapping[str, str]
) -> str:
    body = json.dumps({"query": QUERY % tenants})
    below = "\n              ".join(behind)
    headers = [f"{name}: Bearer {token}" for name, token in tokens.items()]
    shown = "\n              ".join(headers)
    sent = " \\\n".join(f"    -H '{header}'" for header in headers)
    return f"""\

  GraphiQL    {gateway}/graphql
  Tokens      {shown}
              (demo-read-only and demo-ct-read-only may only read)
  Behind it   {below}

  curl -s {gateway}/graphql \\
{sent} \\
    -H 'Content-Type: application/json' \\
    --data {shlex.quote(body)}

  Ctrl-C stops all.
"""
