"""A gateway over both systems: the tenant "shop" is in Flow Retail, "wien" and "graz" are in
commercetools.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.settings import CommercetoolsSettings, Settings, TenantSettings
from gateway.simulator.commercetools.app import TENANT_PATH, create_app
from gateway.simulator.commercetools.store import Store
from gateway.simulator.commercetools.switches import Switches
from gateway.simulator.faults import Effect, Faults
from gateway.simulator.journal import Journal
from tests.harness import TOKEN, served, settings

PROJECT = "wien-live"
"""The project of the tenant "wien"; that of "graz" has the tenant's own name."""
TYPE = "2d5b7b0e-1f0a-4b52-9b4c-6f3b0c9d1a77"


@dataclass
class Commercetools:
    """A simulated commercetools with two projects, and what came in."""

    store: Store = field(default_factory=Store)
    switches: Switches = field(default_factory=Switches)
    journal: Journal = field(default_factory=lambda: Journal(tenant_path=TENANT_PATH))
    faults: Faults = field(default_factory=Faults)
    url: str = ""

    def __post_init__(self) -> None:
        self.store.add_token(TOKEN, [PROJECT, "graz"])

    @property
    def calls(self) -> list[str]:
        """The REST calls, as "GET customer-groups/key=gold", in order of arrival."""
        return self.journal.calls

    @property
    def projects(self) -> list[str]:
        """The projects of the REST calls, in order of arrival."""
        return [request.path.split("/")[1] for request in self.journal.requests]

    def add_group(
        self,
        name: str,
        *,
        key: str | None = None,
        fields: Mapping[str, object] | None = None,
        project: str = PROJECT,
    ) -> str:
        """A group, with custom fields if there are `fields`; its id."""
        custom = fields and {"type": {"typeId": "type", "id": TYPE}, "fields": dict(fields)}
        return self.store.add_group(project, name, key=key, custom=custom).id

    def add_customer(self, *groups: str, **draft: object) -> str:
        return self.store.add_customer(PROJECT, draft, groups).id

    def custom(self, group: str) -> Any:
        """The custom fields that a group has, as the simulator keeps them."""
        custom = self.store.group(PROJECT, group).custom
        return custom and custom["fields"]

    def fail(self, effect: Effect, **where: Any) -> None:
        """Let the next matching request go wrong; see gateway.simulator.faults.Faults.add."""
        self.faults.add(effect, **where)


@asynccontextmanager
async def running_commercetools() -> AsyncIterator[Commercetools]:
    shop = Commercetools()
    app = create_app(shop.store, switches=shop.switches, journal=shop.journal, faults=shop.faults)
    with shop.store:
        async with served(app) as shop.url:
            yield shop


def both(flow_url: str, commercetools_url: str, *, timeout: float = 5.0, **more: Any) -> Settings:
    """Settings for a gateway over both; tenants that are not listed are Flow Retail's."""
    commercetools = CommercetoolsSettings(url=commercetools_url, timeout=timeout)
    tenants = {
        "wien": TenantSettings(upstream=commercetools, project=PROJECT),
        "graz": TenantSettings(upstream=commercetools),
    }
    chosen = {"flow_retail": {"timeout": timeout}, "commercetools": commercetools}
    return settings(flow_url, **{**chosen, "tenants": tenants, **more})
