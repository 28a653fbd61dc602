"""How much work of ours an answer takes, counted in calls of the gateway's functions: the same on
every machine, however busy.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import gateway
from gateway.simulator.faults import Body
from tests.engine.test_running import stage

OURS = str(Path(gateway.__file__).parent)
QUERY = """query ($uid: ID!) { customerGroup(by: {uid: $uid}) { uid name
    customers(first: 20) { totalCount pageInfo { endCursor } nodes {
        uid displayName customerGroups { uid name } } } } }"""


ROW = '{"customerUid":"c%d","displayName":%s,"customerGroupUids":["%s","%s"]}'
PAGE = '{"items":[%s],"paging":{"pageNumber":1,"pageSize":20,"totalCount":20}}'


async def calls(*, broken: int) -> int:
    """Of our functions, for a query that is known already; so many rows have a name that can't be
    read.
    """
    found = 0

    def count(frame: FrameType, event: str, _arg: object) -> None:
        nonlocal found
        path = frame.f_code.co_filename
        found += event == "call" and path.startswith(OURS) and "simulator" not in path

    async with stage() as here:
        gold, silver = here.world.add_group("Gold"), here.world.add_group("Silver")
        names = ["7"] * broken + ['"Ada"'] * (20 - broken)
        rows = [ROW % (number, name, gold, silver) for number, name in enumerate(names)]
        page = PAGE % ",".join(rows)
        here.world.faults.add(Body(page.encode()), path="/customers", times=None)
        for _ in range(3):
            await here.run(QUERY, {"uid": gold})
        sys.setprofile(count)
        try:
            _, body = await here.run(QUERY, {"uid": gold})
        finally:
            sys.setprofile(None)
    assert len(body["data"]["customerGroup"]["customers"]["nodes"]) == 20
    assert len(body.get("errors", ())) == broken
    return found


async def test_one_broken_leaf_costs_little():
    """Its row alone is made with care; nothing is read or made twice for it."""
    assert await calls(broken=1) <= 1.2 * await calls(broken=0)
