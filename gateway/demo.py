"""`gateway demo`: the simulator and the gateway, as two servers with sockets between them."""

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Mapping
from dataclasses import replace

from gateway import serving
from gateway.app import create_app
from gateway.settings import read_settings
from gateway.simulator.flow_retail.app import create_app as create_simulator
from gateway.simulator.flow_retail.demo_data import fill
from gateway.simulator.flow_retail.store import Store
from gateway.simulator.journal import Journal

TENANT = "demo"
TOKEN = "demo-token"  # noqa: S105  # for data that is made up
QUERY = "{ customerGroups(first: 3) { nodes { name customers { totalCount } } } }"


def demo(environ: Mapping[str, str], *, simulator_port: int) -> None:
    """Serve until interrupted; GATEWAY_* settings hold, but for the backend: the simulator.

    Raises SettingsError and CannotListen before anything is served.
    """
    settings = read_settings(environ)
    simulator_socket = serving.listen("127.0.0.1", simulator_port)
    try:
        gateway_socket = serving.listen(settings.host, settings.port)
    except serving.CannotListen:
        simulator_socket.close()
        raise
    simulator_url = f"{serving.address(simulator_socket)}/v2"
    tenant = settings.default_tenant or TENANT
    settings = replace(
        settings,
        profile=settings.profile if "GATEWAY_PROFILE" in environ else "development",
        default_tenant=tenant,
        flow_retail=replace(settings.flow_retail, url=simulator_url),
    )
    with Store() as store:
        fill(store, tenant=tenant, token=TOKEN)
        size = f"{store.count_groups(tenant)} groups, {store.count_customers(tenant)} customers"
        simulator = serving.server(create_simulator(store, journal=Journal(limit=1000)))
        gateway = serving.server(create_app(settings, graphiql_token=TOKEN))
        beside = threading.Thread(
            target=simulator.run, kwargs={"sockets": [simulator_socket]}, daemon=True
        )
        beside.start()
        try:
            while not simulator.started and beside.is_alive():
                time.sleep(0.01)
            print(_welcome(serving.address(gateway_socket), simulator_url, size), flush=True)
            gateway.run(sockets=[gateway_socket])
        except KeyboardInterrupt:
            pass  # uvicorn raises it again after it has shut down
        finally:
            simulator.should_exit = True
            beside.join(timeout=5)
    print("Stopped.")


def _welcome(gateway: str, simulator: str, size: str) -> str:
    body = json.dumps({"query": QUERY})
    return f"""\

  GraphiQL    {gateway}/graphql
  Token       {TOKEN}    (demo-read-only may only read)
  Behind it   {simulator}    Flow Retail, simulated: {size}

  curl -s {gateway}/graphql \\
    -H 'Authorization: Bearer {TOKEN}' -H 'Content-Type: application/json' \\
    --data {shlex.quote(body)}

  Ctrl-C stops both.
"""
