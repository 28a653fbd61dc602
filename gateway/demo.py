"""`gateway demo`: the simulators and the gateway, as servers with sockets between them."""

from __future__ import annotations

import json
import shlex
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from gateway import serving
from gateway.app import create_app
from gateway.settings import Settings, Tenant
from gateway.settings.configuration import read_settings
from gateway.simulations import (
    NAMES,
    CommercetoolsSimulation,
    FlowRetailSimulation,
    Simulation,
    open_store,
    simulation,
)

CT_BEARER_HEADER: Final = "X-Commercetools-Authorization"
"""One operation over both carries two tokens, as it does in production: neither vendor sees the
other's."""
QUERY = """{ \
oslo: customerGroups(tenantUid: "%s", first: 2) { nodes { name customers { totalCount } } } \
wien: customerGroups(tenantUid: "%s", first: 2) { nodes { name key customers { totalCount } } } }"""


def demo(environ: Mapping[str, str], *, simulator_port: int) -> None:
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
            for n in range(len(NAMES))
        ]
        gateway_socket = opened.enter_context(
            serving.listen(settings.host, settings.port, remedy="Choose another with GATEWAY_PORT.")
        )
        apis = [simulation(opened.enter_context(open_store(name))) for name in NAMES]
        urls = [
            serving.address(socket) + api.base_path
            for api, socket in zip(apis, sockets, strict=True)
        ]
        tenants = _tenants(settings)
        settings = _over(settings, environ, urls, tenants)
        sizes = [api.fill(tenant) for api, tenant in zip(apis, tenants, strict=True)]
        tokens = {
            upstream.bearer_header: api.token
            for upstream, api in zip(settings.upstreams, apis, strict=True)
        }
        gateway = serving.server(create_app(settings, graphiql_tokens=tokens), settings)
        try:
            for api, listener in zip(apis, sockets, strict=True):
                opened.enter_context(_beside(api, listener))
            behind = [
                f"{url:<26} {api.title}, simulated: {size}; tenant {tenant}"
                for url, api, size, tenant in zip(urls, apis, sizes, tenants, strict=True)
            ]
            where = serving.address(gateway_socket)
            print(_welcome(where, behind, tenants, tokens), flush=True)
            gateway.run(sockets=[gateway_socket])
        except KeyboardInterrupt:
            pass  # uvicorn raises it again after it has shut down
    print("Stopped.")


def _tenants(settings: Settings) -> tuple[str, str]:
    """Flow Retail's, which is the default one unless that is taken, and commercetools'."""
    commercetools = CommercetoolsSimulation.tenant
    chosen = settings.default_tenant
    return FlowRetailSimulation.tenant if chosen in (None, commercetools) else chosen, commercetools


def _over(
    settings: Settings, environ: Mapping[str, str], urls: Sequence[str], tenants: Sequence[str]
) -> Settings:
    """`settings` with the simulators as backends, and a tenant of each."""
    flow_retail = replace(settings.flow_retail, url=urls[0])
    commercetools = replace(settings.commercetools, url=urls[1], bearer_header=CT_BEARER_HEADER)
    return replace(
        settings,
        profile=settings.profile if "GATEWAY_PROFILE" in environ else "development",
        default_tenant=settings.default_tenant or tenants[0],
        default_backend="flow_retail",
        flow_retail=flow_retail,
        commercetools=commercetools,
        tenants={tenants[1]: Tenant(upstream=commercetools)},
    )


@contextmanager
def _beside(api: Simulation, listener: socket.socket) -> Iterator[None]:
    """`api`, served by a thread of its own."""
    server = serving.server(api.app([]))
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
