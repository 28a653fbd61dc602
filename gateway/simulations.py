"""The simulated REST APIs as the command line serves them: each with its demo data and switches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from starlette.types import ASGIApp

from gateway.simulator.commercetools import app as commercetools_app
from gateway.simulator.commercetools import demo_data as commercetools_data
from gateway.simulator.commercetools.store import Store as CommercetoolsStore
from gateway.simulator.commercetools.switches import Switches as CommercetoolsSwitches
from gateway.simulator.flow_retail import app as flow_retail_app
from gateway.simulator.flow_retail import demo_data as flow_retail_data
from gateway.simulator.flow_retail.store import Store as FlowRetailStore
from gateway.simulator.flow_retail.switches import Switches as FlowRetailSwitches
from gateway.simulator.journal import Journal

JOURNAL = 1000
"""How many requests a simulator that runs for long remembers."""


class Simulation(Protocol):
    """One REST API over data of its own."""

    title: str
    tenant: str
    """The demo's tenant."""
    token: str
    """The demo's token, for this API alone."""
    base_path: str
    """What follows the address in the API's base URL."""

    def app(self, switches: Sequence[str]) -> ASGIApp:
        """The API; raises ValueError for a switch that does not exist."""

    def fill(self, tenant: str) -> str:
        """Have the demo's data under `tenant`; says how much it is."""


@dataclass(frozen=True, slots=True)
class FlowRetailSimulation:
    store: FlowRetailStore
    title = "Flow Retail"
    tenant = "demo"
    token = "demo-token"  # noqa: S105  # for data that is made up
    base_path = "/v2"

    def app(self, switches: Sequence[str]) -> ASGIApp:
        chosen = FlowRetailSwitches.parse(switches)
        return flow_retail_app.create_app(
            self.store, switches=chosen, journal=Journal(limit=JOURNAL)
        )

    def fill(self, tenant: str) -> str:
        flow_retail_data.fill(self.store, tenant=tenant, token=self.token)
        return _size(self.store.count_groups(tenant), self.store.count_customers(tenant))


@dataclass(frozen=True, slots=True)
class CommercetoolsSimulation:
    store: CommercetoolsStore
    title = "commercetools"
    tenant = "demo-ct"
    token = "demo-ct-token"  # noqa: S105  # for data that is made up
    base_path = ""

    def app(self, switches: Sequence[str]) -> ASGIApp:
        chosen = CommercetoolsSwitches.parse(switches)
        journal = Journal(limit=JOURNAL, tenant_path=commercetools_app.TENANT_PATH)
        return commercetools_app.create_app(self.store, switches=chosen, journal=journal)

    def fill(self, tenant: str) -> str:
        commercetools_data.fill(self.store, project=tenant, token=self.token)
        return _size(self.store.count_groups(tenant), self.store.count_customers(tenant))


def _size(groups: int, customers: int) -> str:
    return f"{groups} groups, {customers} customers"


NAMES = ("flow-retail", "commercetools")


def open_store(
    name: str, path: Path | str = ":memory:"
) -> AbstractContextManager[FlowRetailStore | CommercetoolsStore]:
    """The data of the API of this name; raises sqlite3.Error where the file can't hold it."""
    return FlowRetailStore(path) if name == "flow-retail" else CommercetoolsStore(path)


def simulation(store: FlowRetailStore | CommercetoolsStore) -> Simulation:
    """The API over this data."""
    match store:
        case FlowRetailStore():
            return FlowRetailSimulation(store)
        case CommercetoolsStore():
            return CommercetoolsSimulation(store)
