"""A simulator with one project, "shop", and a client that calls it without a socket."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from gateway.simulator.commercetools.app import TENANT_PATH, create_app
from gateway.simulator.commercetools.store import Store
from gateway.simulator.commercetools.switches import Switches
from gateway.simulator.faults import Faults
from gateway.simulator.journal import Journal


@pytest.fixture
def store() -> Iterator[Store]:
    """Empty but for a token that may do all in "shop", and two that may do less there."""
    with Store() as store:
        store.add_token("all", ["shop"], client="kim")
        store.add_token("reading", ["shop"], ["view_customers"])
        store.add_token("groups-only", ["shop"], ["manage_customer_groups"])
        yield store


@pytest.fixture
def switches() -> Switches:
    """As the simulator is when nobody says otherwise."""
    return Switches()


@pytest.fixture
def journal() -> Journal:
    """Without a limit."""
    return Journal(tenant_path=TENANT_PATH)


@pytest.fixture
def faults() -> Faults:
    """With httpx's exception for a lost connection."""
    return Faults(raising=httpx.RemoteProtocolError)


@pytest.fixture
async def api(
    store: Store, switches: Switches, journal: Journal, faults: Faults
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of "shop" with the token that may do all."""
    app = create_app(store, switches=switches, journal=journal, faults=faults)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://simulator/shop/",
        headers={"Authorization": "Bearer all"},
    ) as client:
        yield client
