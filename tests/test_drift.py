"""`extensions.drift`: in which connections rows moved between two pages, and what was done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.simulator.flow_retail.app import create_app
from tests.harness import TENANT, Flow, Gateway, running_gateway, served, settings
from tests.two_backends import PROJECT, Commercetools

PAGE = "nodes { name } pageInfo { endCursor startCursor }"
GROUPS = f"""query ($tenant: ID!, $first: Int, $after: String, $last: Int, $before: String) {{
    groups: customerGroups(
        tenantUid: $tenant, orderBy: {{field: NAME}}
        first: $first, after: $after, last: $last, before: $before
    ) {{ {PAGE} }}
}}"""


class Shop:
    """Groups at one of both backends, in the order of their names."""

    def __init__(self, tenant: str, flow: Flow, other: Commercetools, gateway: Gateway) -> None:
        self.tenant, self._gateway = tenant, gateway
        self._flow = flow if tenant == TENANT else None
        self._other = other
        self._ids: dict[str, str] = {}

    def add(self, *names: str) -> None:
        for name in names:
            if self._flow is not None:
                self._flow.add_group(f"uid-{name}", name)
            else:
                self._ids[name] = self._other.add_group(name)

    def remove(self, name: str) -> None:
        if self._flow is not None:
            self._flow.store.remove_group(TENANT, f"uid-{name}")
        else:
            self._other.store.remove_group(PROJECT, self._ids[name])

    async def page(self, **wanted: Any) -> tuple[str, Any, Any]:
        """The names on the page in one word, its page info, and the drift that is told."""
        body = await self._gateway.ask(GROUPS, {"tenant": self.tenant, **wanted})
        assert "errors" not in body
        found = body["data"]["groups"]
        names = "".join(node["name"] for node in found["nodes"])
        return names, found["pageInfo"], body["extensions"].get("drift")


@pytest.fixture
async def shop(request: pytest.FixtureRequest, wide: Gateway, flow: Flow, commercetools: Any):
    return Shop(request.param, flow, commercetools, wide)


EITHER = pytest.mark.parametrize("shop", [TENANT, "wien"], indirect=True)


@EITHER
async def test_where_nothing_moved_there_is_no_entry(shop: Shop):
    """Forward, backward, and again; commercetools' totals included."""
    shop.add(*"abcdefgh")

    shown, info, drift = await shop.page(first=3)
    assert (shown, drift) == ("abc", None)
    shown, info, drift = await shop.page(first=3, after=info["endCursor"])
    assert (shown, drift) == ("def", None)
    shown, info, drift = await shop.page(last=2, before=info["startCursor"])
    assert (shown, drift) == ("bc", None)
    shown, _, drift = await shop.page(last=3, after=info["endCursor"])
    assert (shown, drift) == ("fgh", None)


@EITHER
async def test_rows_that_came_in_ahead_are_told(shop: Shop):
    """No row comes twice for it."""
    shop.add(*"cdefgh")
    _, info, _ = await shop.page(first=3)
    shop.add("a", "b")

    shown, _, drift = await shop.page(first=3, after=info["endCursor"])

    done = "The cursor's row stands 2 further down now: the page begins behind it there."
    assert shown == "fgh"
    assert drift == [{"path": ["groups"], "found": "INSERTED", "done": done}]


@EITHER
async def test_rows_that_are_gone_ahead_are_told(shop: Shop):
    """No row is skipped for it; backward the page ends ahead of the cursor's row."""
    shop.add(*"abcdefgh")
    _, info, _ = await shop.page(first=5)
    shop.remove("b")

    shown, forward, told = await shop.page(first=2, after=info["endCursor"])
    assert shown == "fg"
    assert [(each["path"], each["found"]) for each in told] == [(["groups"], "REMOVED")]
    shop.remove("a")
    shown, _, told = await shop.page(last=2, before=forward["startCursor"])
    assert shown == "de"
    done = "The cursor's row stands 1 further up now: the page ends ahead of it there."
    assert told == [{"path": ["groups"], "found": "REMOVED", "done": done}]


@EITHER
async def test_a_cursor_whose_row_is_gone_is_told(shop: Shop):
    """The page goes on with the row in its place. Nobody has looked whether it is elsewhere."""
    shop.add(*"abcdefgh")
    _, info, _ = await shop.page(first=3)
    shop.remove("c")

    shown, _, drift = await shop.page(first=3, after=info["endCursor"])

    done = "The cursor's row is not near its place: the page begins with the row there."
    assert shown == "def"
    assert drift == [{"path": ["groups"], "found": "REMOVED", "done": done}]


@pytest.mark.parametrize("total", ["exact", "low", "high"])
async def test_a_total_that_is_an_estimate_is_not_taken_for_drift(
    wide: Gateway, flow: Flow, commercetools: Commercetools, total: Any
):
    """commercetools' last rows are numbered from such a total; who pages on from them, either way,
    is told nothing but what was seen.
    """
    commercetools.switches.total = total
    shop = Shop("wien", flow, commercetools, wide)
    shop.add(*"abcdefghij")

    shown, info, drift = await shop.page(last=3)
    assert (shown, drift) == ("hij", None)
    back = await shop.page(last=3, before=info["startCursor"])
    assert (back[0], back[2]) == ("efg", None)
    _, _, drift = await shop.page(first=3, after=info["startCursor"])
    assert drift is None


async def test_lists_by_the_last_id_have_no_drift_to_tell(
    wide: Gateway, commercetools: Commercetools
):
    """commercetools' pages without an order begin behind an id: rows that move hide no others."""
    query = """query ($after: String) { customerGroups(tenantUid: "wien", first: 2, after: $after) {
        nodes { uid } pageInfo { endCursor } } }"""
    ids = sorted(commercetools.add_group(name) for name in "abcde")
    page = await wide.ask(query)
    commercetools.store.remove_group(PROJECT, ids[0])

    body = await wide.ask(query, {"after": page["data"]["customerGroups"]["pageInfo"]["endCursor"]})

    assert [node["uid"] for node in body["data"]["customerGroups"]["nodes"]] == ids[2:4]
    assert "drift" not in body["extensions"]


ALIASES = """query ($after: String) {
    list: customerGroups(first: 1) { nodes { uid
        a: customers(first: 2, after: $after) { nodes { uid } pageInfo { endCursor } totalCount }
        b: customers(first: 3, after: $after) { edges { node { uid } } nodes { uid } }
        still: customers(first: 2) { nodes { uid } }
    } }
}"""


async def moved(gateway: Gateway, flow: Flow) -> Any:
    """The response to a page of members, of which one ahead of its cursor is gone."""
    flow.add_group("gold")
    uids = flow.add_customers(6, "gold")
    page = await gateway.ask(ALIASES)
    cursor = page["data"]["list"]["nodes"][0]["a"]["pageInfo"]["endCursor"]
    assert "drift" not in page.get("extensions", {})
    flow.store.remove_customer(TENANT, uids[0])
    return await gateway.ask(ALIASES, {"after": cursor})


async def test_each_connection_has_an_entry(gateway: Gateway, flow: Flow):
    """Below lists by their indexes, once however many of its fields are selected, and each alias;
    but not the one beside them that begins at the list's head.
    """
    body = await moved(gateway, flow)

    here = ["list", "nodes", 0]
    assert [each["path"] for each in body["extensions"]["drift"]] == [[*here, "a"], [*here, "b"]]
    assert "errors" not in body


async def test_it_is_told_in_production_too(flow: Flow):
    """It is about the data, and not about what they cost."""
    async with running_gateway(settings(flow.url, profile="production")) as gateway:
        body = await moved(gateway, flow)

    assert set(body["extensions"]) == {"drift"}


async def test_entries_are_bounded(flow: Flow):
    """As many as errors may be; one more says how many are left out."""
    async with running_gateway(settings(flow.url, max_errors=1)) as gateway:
        body = await moved(gateway, flow)

    first, last = body["extensions"]["drift"]
    assert first["found"] == "REMOVED"
    assert last == {"message": "And 1 more."}


@pytest.fixture
async def shifting(flow: Flow) -> AsyncIterator[Gateway]:
    """The gateway over a Flow Retail with pages of four rows. A group comes in ahead of all others
    when the first page was answered, and before the second is.
    """
    first = asyncio.Event()
    simulator = create_app(flow.store, switches=flow.switches, journal=flow.journal)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if b"pageNumber=2" in scope.get("query_string", b""):
            await first.wait()
            flow.add_group("new", "A")
        await simulator(scope, receive, send)
        if b"pageNumber=1" in scope.get("query_string", b""):
            first.set()

    async with served(app) as url:
        chosen = settings(f"{url}/v2", flow_retail={"max_page_size": 4})
        async with running_gateway(chosen) as gateway:
            yield gateway


async def test_rows_that_come_twice_are_told(shifting: Gateway, flow: Flow):
    """With one page of the window, and with the next one again; they are shown once."""
    for name in "BCDEFGHI":
        flow.add_group(name.lower(), name)

    body = await shifting.ask(
        "{ customerGroups(first: 8, orderBy: {field: NAME}) { nodes { uid } } }"
    )

    done = "A row came again: it is shown once."
    assert [node["uid"] for node in body["data"]["customerGroups"]["nodes"]] == [*"bcdefgh"]
    assert body["extensions"]["drift"] == [
        {"path": ["customerGroups"], "found": "REPEATED", "done": done}
    ]
