"""How much work of ours an answer takes, counted in calls of the gateway's functions: the same on
every machine, however busy.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

import gateway
from gateway.simulator.faults import Body
from tests.engine.test_running import stage

OURS = str(Path(gateway.__file__).parent)
QUERY = """query ($uid: ID!) { customerGroup(by: {uid: $uid}) { uid name
    customers(first: 20) { totalCount pageInfo { endCursor } nodes {
        uid displayName customerGroups { uid name } } } } }"""


ROW = '{"customerUid":"c%d","displayName":%s,"customerGroupUids":["%s","%s"]}'
PAGE = '{"items":[%s],"paging":{"pageNumber":1,"pageSize":20,"totalCount":20}}'


@contextmanager
def called() -> Iterator[Counter[str]]:
    """The calls of our functions, by their modules' paths."""
    found: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _arg: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(OURS) and "simulator" not in path:
            found[path] += 1

    sys.setprofile(count)
    try:
        yield found
    finally:
        sys.setprofile(None)


async def calls(*, broken: int) -> int:
    """Of our functions, for a query that is known already; so many rows have a name that can't be
    read.
    """
    async with stage() as here:
        gold, silver = here.world.add_group("Gold"), here.world.add_group("Silver")
        names = ["7"] * broken + ['"Ada"'] * (20 - broken)
        rows = [ROW % (number, name, gold, silver) for number, name in enumerate(names)]
        page = PAGE % ",".join(rows)
        here.world.faults.add(Body(page.encode()), path="/customers", times=None)
        for _ in range(3):
            await here.run(QUERY, {"uid": gold})
        with called() as found:
            _, body = await here.run(QUERY, {"uid": gold})
    assert len(body["data"]["customerGroup"]["customers"]["nodes"]) == 20
    assert len(body.get("errors", ())) == broken
    return found.total()


async def test_one_broken_leaf_costs_little():
    """Its row alone is made with care; nothing is read or made twice for it."""
    assert await calls(broken=1) <= 1.2 * await calls(broken=0)


@pytest.mark.parametrize(
    "operation",
    [
        QUERY,
        """query ($uid: ID!) { customerGroup(by: {uid: $uid}) { tenant { uid backend { kind } }
            customers { edges { cursor node { uid addresses { displayName } } } } } }""",
        "{ customerGroups { edges { node { name } } pageInfo { hasNextPage } } }",
        """mutation ($uid: ID!, $uids: [ID!]) { updateCustomerGroupMembers(
            input: {customerGroup: {uid: $uid}, addCustomerUids: $uids}) { 
            results { customerUid action status }
            customerGroup { name } userErrors { code message } } }""",
        """mutation { createCustomerGroup(input: {name: "New"}) {
            customerGroup { uid name } userErrors { code } } }""",
    ],
)
async def test_valid_values_need_no_care(operation: str):
    """What is no record has a generated function that shows it, too: the careful form of a payload
    of ten thousand customers takes four times as long.
    """
    async with stage() as here:
        gold = here.world.add_group("Gold")
        uids = [here.world.add_customer(), here.world.add_customer(gold)]
        given = {"uid": gold, "uids": uids}
        variables = {name: given[name] for name in given if f"${name}:" in operation}
        with called() as found:
            _, body = await here.run(operation, variables)

    assert "errors" not in body
    assert [path for path in found if path.endswith("careful.py")] == []
