"""Lists whose backend takes no notice of the order asked for: told beside their rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.simulator.commercetools.app import create_app as create_commercetools
from gateway.simulator.flow_retail.app import create_app as create_flow
from tests.harness import TENANT, Flow, Gateway, codes, paths, running_gateway, served
from tests.two_backends import PROJECT, Commercetools, both

BACKENDS = pytest.mark.parametrize("tenant", [TENANT, "wien"])
GROUPS = """query ($tenant: ID!, $order: CustomerGroupSort, $first: Int, $last: Int) {
    groups: customerGroups(tenantUid: $tenant, orderBy: $order, first: $first, last: $last) {
        nodes { name }
    }
}"""
ID = "00000000-0000-4000-8000-00000000000%d"
TIMES = [f"2026-01-{day:02}T00:00:00.000Z" for day in range(1, 10)]


def without_orders(app: ASGIApp) -> ASGIApp:
    """An upstream that takes no notice of what rows are to be sorted by."""

    async def passed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = parse_qsl(scope["query_string"].decode())
            kept = [(name, value) for name, value in given if not name.startswith("sort")]
            scope = {**scope, "query_string": urlencode(kept).encode()}
        await app(scope, receive, send)

    return passed


@dataclass
class Shops:
    flow: Flow
    commercetools: Commercetools
    gateway: Gateway

    def add_groups(self, *names: str) -> None:
        """At both, one a day."""
        for at, name in enumerate(names):
            self.flow.store.add_group(TENANT, f"g{at}", name, created_at=TIMES[at])
            self.commercetools.store.add_group(PROJECT, name, id=ID % at, created_at=TIMES[at])

    async def names(self, tenant: str, **wanted: Any) -> tuple[Sequence[str], Any]:
        """Those of the groups, and the whole body."""
        body = await self.gateway.ask(GROUPS, {"tenant": tenant, **wanted})
        return [node["name"] for node in body["data"]["groups"]["nodes"]], body


@asynccontextmanager
async def shops(*, ignored: bool) -> AsyncIterator[Shops]:
    flow, commercetools = Flow(), Commercetools()
    apps: list[ASGIApp] = [
        create_flow(flow.store, switches=flow.switches, journal=flow.journal),
        create_commercetools(commercetools.store, journal=commercetools.journal),
    ]
    if ignored:
        apps = [without_orders(app) for app in apps]
    with flow.store, commercetools.store:
        async with served(apps[0]) as one, served(apps[1]) as other:
            chosen = both(f"{one}/v2", other, flow_retail={"mirrored_sorts": True})
            async with running_gateway(chosen) as gateway:
                yield Shops(flow, commercetools, gateway)


@pytest.fixture
async def deaf() -> AsyncIterator[Shops]:
    """Both backends take no notice of orders."""
    async with shops(ignored=True) as running:
        yield running


@BACKENDS
async def test_rows_in_another_order_are_shown_with_an_error_beside_them(deaf, tenant):
    """At the connection's own path, with the order that was asked for."""
    deaf.add_groups("Silver", "Gold", "Bronze")

    shown, body = await deaf.names(tenant, order={"field": "NAME"})

    assert shown == ["Silver", "Gold", "Bronze"]
    assert (codes(body), paths(body)) == (["UPSTREAM_INVALID_ANSWER"], [["groups"]])
    assert "NAME_ASC" in body["errors"][0]["message"]


@BACKENDS
async def test_the_first_rows_are_not_silently_the_last(deaf, tenant):
    """The end of a list is read as the beginning of its mirror image, which is no mirror image
    here. What the rows are ordered by is not selected.
    """
    deaf.add_groups("Silver", "Gold", "Bronze", "Tin")

    shown, body = await deaf.names(tenant, order={"field": "CREATED_AT"}, last=2)

    assert shown == ["Gold", "Silver"]
    assert codes(body) == ["UPSTREAM_INVALID_ANSWER"]


@BACKENDS
@pytest.mark.parametrize("wanted", [{"first": 1}, {"last": 1}, {"first": 0}, {}])
async def test_what_proves_nothing_is_no_error(deaf, tenant, wanted):
    """One row, none, or rows that may be in the order all the same."""
    deaf.add_groups("Bronze", "silver", "Gold")

    _, body = await deaf.names(tenant, order={"field": "NAME"}, **wanted)

    assert "errors" not in body


@BACKENDS
@pytest.mark.parametrize("field", ["NAME", "CREATED_AT"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("wanted", [{"first": 3}, {"last": 3}, {}])
async def test_an_order_that_is_kept_is_no_error(tenant, field, direction, wanted):
    """From either end, either way."""
    async with shops(ignored=False) as kept:
        kept.add_groups("Silver", "Gold", "Bronze", "Tin", "Iron")

        shown, body = await kept.names(
            tenant, order={"field": field, "direction": direction}, **wanted
        )

    assert len(shown) == wanted.get("first", wanted.get("last", 5))
    assert "errors" not in body


MEMBERS = """query ($tenant: ID!) {
    customerGroups(tenantUid: $tenant) { nodes { name
        newest: customers(orderBy: {field: CREATED_AT, direction: DESC}) { nodes { uid } }
        all: customers(orderBy: {field: CREATED_AT}) { nodes { uid createdAt } }
        any: customers { nodes { uid } }
    } }
}"""


@BACKENDS
async def test_each_list_that_is_out_of_order_has_an_error(deaf, tenant):
    """Below lists and under aliases; beside them are lists that are in order, or in none."""
    deaf.add_groups("Empty", "Gold")
    for at in range(3):
        times = {"createdAt": TIMES[at]}
        deaf.flow.add_customer(f"c{at}", "g1", **times)
        deaf.commercetools.store.add_customer(PROJECT, times, [ID % 1], id=ID % at)

    body = await deaf.gateway.ask(MEMBERS, {"tenant": tenant})

    found = body["data"]["customerGroups"]["nodes"][1]
    assert [len(found[name]["nodes"]) for name in ("newest", "all", "any")] == [3, 3, 3]
    assert paths(body) == [["customerGroups", "nodes", 1, "newest"]]


async def test_rows_that_are_not_in_the_order_of_their_ids_are_told(deaf: Shops):
    """commercetools' lists without an order are read by the last id: a client that pages through
    others misses rows and sees some twice.
    """
    for at in (2, 0, 1):
        deaf.commercetools.store.add_group(PROJECT, f"Group {at}", id=ID % at)

    shown, body = await deaf.names("wien", first=3)

    assert shown == ["Group 2", "Group 0", "Group 1"]
    assert (codes(body), paths(body)) == (["UPSTREAM_INVALID_ANSWER"], [["groups"]])
