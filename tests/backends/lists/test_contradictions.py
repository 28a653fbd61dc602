"""Pages that contradict themselves: what is right of them is shown, with an error; what may be of
another place is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.lists.pages import AnsweredPage, believed
from gateway.errors import InvalidAnswer
from gateway.records import CustomerGroup
from gateway.simulator.faults import Exchange
from tests.harness import Flow, Gateway, running_gateway, settings
from tests.two_backends import Commercetools

ROWS = 30
Json = dict[str, Any]
Lie = Callable[[Json], None]
"""Makes an answer untrue."""


def rows(count: int) -> list[CustomerGroup]:
    return [CustomerGroup(uid=f"u{number}", name="") for number in range(count)]


@pytest.mark.slow
@given(
    st.integers(0, 60),
    st.integers(0, 12),
    st.integers(1, 30),
    st.integers(1, 30),
    st.booleans(),
    st.booleans(),
)
def test_a_page_that_does_not_contradict_itself_is_believed(
    total, index, size, largest, last, says_total
):
    """Whatever an upstream makes of what was asked for: smaller pages, or the last one for one past
    the end.
    """
    answered = min(size, largest)
    at = min(index, max(0, total - 1) // answered) if last else index
    count = min(answered, max(0, total - at * answered))
    page = AnsweredPage(at, answered, rows(count), total if says_total else None)

    assert believed(page, index, size) is page


@pytest.mark.slow
@given(
    st.integers(0, 30),
    st.none() | st.integers(0, 60),
    st.tuples(st.integers(-1, 6), st.integers(0, 30)),
    st.tuples(st.integers(0, 6), st.integers(1, 30)),
)
def test_what_is_believed_is_no_contradiction_any_more(count, total, said, asked):
    """Its rows have room where they are placed, and its total counts them."""
    page = AnsweredPage(*said, rows(count), total)
    try:
        kept = believed(page, *asked)
    except InvalidAnswer:
        return

    assert kept.index >= 0
    assert len(kept.rows) <= kept.size
    assert (
        kept.total is None or not kept.rows or kept.index * kept.size + len(kept.rows) <= kept.total
    )
    assert kept is page or len(kept.omissions) > len(page.omissions) or kept.unplaced


# -- through the gateway


@dataclass(frozen=True)
class Lying:
    """An effect: the app's answer, made untrue. With `everything`, it passes over what part of the
    list was asked for, and says that it did not.
    """

    lie: Lie
    everything: Mapping[str, str | None] | None = None

    async def play(self, exchange: Exchange) -> None:
        honest = json.loads((await exchange.answer())[2])
        if self.everything is not None:
            query = parse_qsl(exchange.scope["query_string"].decode())
            kept = [each for each in query if each[0] not in self.everything]
            kept += [(name, value) for name, value in self.everything.items() if value]
            scope = {**exchange.scope, "query_string": urlencode(kept).encode()}
            whole = Exchange(exchange.app, scope, exchange.receive, exchange.send)
            told = json.loads((await whole.answer())[2])
            honest |= {name: told[name] for name in ("items", "results") if name in told}
        self.lie(honest)
        body = json.dumps(honest).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        await exchange.start(200, headers)
        await exchange.write(body)


def paging(**lies: object) -> Lie:
    return lambda answer: answer["paging"].update(lies)


def both(*lies: Lie) -> Lie:
    def tell(answer: Json) -> None:
        for lie in lies:
            lie(answer)

    return tell


def halved(rows: str) -> Lie:
    return lambda answer: answer.update({rows: answer[rows][: len(answer[rows]) // 2]})


def doubled(rows: str) -> Lie:
    return lambda answer: answer.update({rows: answer[rows] * 2})


def with_one_twice(rows: str) -> Lie:
    return lambda answer: answer[rows].insert(1, answer[rows][0])


def honest(_: Json) -> None:
    """Nothing is changed."""


ALL = {"pageNumber": "1", "pageSize": "100"}
FLOW_RETAIL: Mapping[str, Lying] = {
    "no total": Lying(paging(totalCount=0)),
    "a negative total": Lying(paging(totalCount=-1)),
    "a total that is too low": Lying(paging(totalCount=4)),
    "a total that is too high": Lying(paging(totalCount=ROWS + 40)),
    "a total that is no number": Lying(paging(totalCount="many")),
    "no page size": Lying(paging(pageSize=0)),
    "a page size that is too small": Lying(paging(pageSize=1)),
    "a page size that is too large": Lying(paging(pageSize=1000)),
    "a page number too high": Lying(paging(pageNumber=9)),
    "a page number below the first": Lying(paging(pageNumber=0)),
    "nothing true but the rows": Lying(paging(pageNumber=3, pageSize=7, totalCount=2)),
    "rows that are missing": Lying(halved("items")),
    "no rows": Lying(lambda answer: answer.update({"items": []})),
    "null for rows": Lying(lambda answer: answer.update({"items": None})),
    "rows that come twice": Lying(doubled("items")),
    "a row that comes twice": Lying(with_one_twice("items")),
    "all rows, whatever was asked for": Lying(honest, ALL),
    "all rows, and no paging": Lying(lambda answer: answer.update({"paging": None}), ALL),
    "all rows, and no total": Lying(paging(totalCount=None), ALL),
    "all rows, and as low a total": Lying(paging(totalCount=3), ALL),
}
EVERYTHING = {"limit": "500", "offset": None}
COMMERCETOOLS: Mapping[str, Lying] = {
    "another offset": Lying(lambda answer: answer.update(offset=answer["offset"] + 10)),
    "the offset of the first row": Lying(lambda answer: answer.update(offset=0), EVERYTHING),
    "a limit that is too small": Lying(lambda answer: answer.update(limit=1)),
    "rows that are missing": Lying(halved("results")),
    "a smaller limit, kept to": Lying(
        both(
            halved("results"),
            lambda answer: answer.update(
                count=len(answer["results"]), limit=len(answer["results"])
            ),
        )
    ),
    "a count that is too low": Lying(lambda answer: answer.update(count=0)),
    "no rows": Lying(lambda answer: answer.update(results=[])),
    "null for rows": Lying(lambda answer: answer.update(results=None)),
    "rows that come twice": Lying(doubled("results")),
    "a row that comes twice": Lying(with_one_twice("results")),
    "all rows, whatever was asked for": Lying(honest, EVERYTHING),
    "what no predicate was kept to": Lying(honest, {"where": None}),
}
FIELDS = "{ nodes { uid } pageInfo { hasNextPage hasPreviousPage } }"
WINDOWS = [
    "first: 5",
    "first: 5, offset: 10",
    "first: 5, offset: 28",
    "first: 5, offset: 90",
    "first: 5, after: $at",
    "first: 5, before: $at",
    "last: 5, before: $at",
    "last: 5",
    "last: 5, after: $at",
    "first: 30",
]


async def answers(gateway: Gateway, connection: str) -> list[Any]:
    """The body for each window of a connection of the root, or of a group's customers."""
    end = "} }" if "customers(" in connection else "}"
    edges = f"{{ {connection % 'first: 13'} {{ edges {{ cursor }} }} {end}"
    text = json.dumps(await gateway.query(edges))
    cursor = text.rsplit('"cursor": "', 1)[1].split('"')[0]
    found = []
    for window in WINDOWS:
        at = window.replace("$at", f'"{cursor}"')
        found.append(await gateway.ask(f"{{ {connection % at} {FIELDS} {end}"))
    return found


def check(name: str, honest: list[Any], lying: list[Any]) -> None:
    """Rows are right, or there is an error; and nobody is told in silence that none follow."""
    for window, right, body in zip(WINDOWS, honest, lying, strict=True):
        assert "errors" not in right, right
        if "errors" not in body:
            (nodes, next_page), expected = shown(body["data"]), shown(right["data"])
            assert (nodes, next_page or expected[1]) == (expected[0], next_page), (name, window)


def shown(data: Any) -> tuple[Any, bool]:
    while "nodes" not in data:
        [data] = data.values()
    return data["nodes"], data["pageInfo"]["hasNextPage"]


@pytest.mark.slow
async def test_no_lie_of_flow_retail_is_shown_in_silence(gateway: Gateway, flow: Flow):
    """Of groups and customers, in every kind of window: the answer is right, or has an error."""
    flow.add_groups(ROWS)
    flow.add_customers(ROWS, "g000")
    for connection, path in (
        ("customerGroups(%s)", "/customer-groups$"),
        ('customerGroup(by: {uid: "g000"}) { customers(%s)', "/customers$"),
    ):
        right = await answers(gateway, connection)
        for name, lying in FLOW_RETAIL.items():
            fault = flow.faults.add(lying, path=path, times=None, skip=1)
            check(name, right, await answers(gateway, connection))
            assert fault.hits
            flow.faults.clear()


@pytest.mark.slow
async def test_no_lie_of_commercetools_is_shown_in_silence(
    wide: Gateway, commercetools: Commercetools
):
    """As of Flow Retail; its totals are estimates, and no lie."""
    uids = [commercetools.add_group(f"Group {number}") for number in range(ROWS)]
    for _ in range(ROWS):
        commercetools.add_customer(uids[0])
    order = ", orderBy: {field: CREATED_AT}"
    member = f'customerGroup(tenantUid: "wien", by: {{uid: "{uids[0]}"}}) {{ customers'
    for connection, path in (
        ('customerGroups(tenantUid: "wien", %s)', "/customer-groups$"),
        (f'customerGroups(tenantUid: "wien", %s{order})', "/customer-groups$"),
        (f"{member}(%s)", "/customers$"),
        (f"{member}(%s{order})", "/customers$"),
    ):
        right = await answers(wide, connection)
        for name, lying in COMMERCETOOLS.items():
            fault = commercetools.faults.add(lying, path=path, times=None, skip=1)
            check(name, right, await answers(wide, connection))
            assert fault.hits
            commercetools.faults.clear()


async def test_a_group_that_a_cut_page_does_not_show_is_not_gone(
    wide: Gateway, commercetools: Commercetools
):
    """Only a whole list tells who is gone; this one says that it was cut."""
    uids = sorted(commercetools.add_group(f"Group {number}") for number in range(ROWS))
    cut = both(halved("results"), lambda answer: answer.update(limit=15, count=15))
    commercetools.faults.add(Lying(cut), path="/customer-groups$", times=None)
    ids = " ".join(
        f'g{n}: customerGroup(tenantUid: "wien", by: {{uid: "{uids[n]}"}}) {{ uid }}'
        for n in (1, 2, 28)
    )

    data = await wide.query(f"{{ {ids} }}")

    assert data == {f"g{n}": {"uid": uids[n]} for n in (1, 2, 28)}


@pytest.mark.parametrize(
    ("name", "shown", "message"),
    [
        ("no total", 5, "paging.totalCount: it is less than the rows beside it"),
        ("a page size that is too large", 5, "paging: it can't be right beside these rows"),
        ("a page number too high", 5, "paging: it can't be right beside these rows"),
        ("rows that are missing", 2, "items: they are fewer than the page has by its paging"),
        ("all rows, whatever was asked for", 5, "paging: it can't be right beside these rows"),
        ("all rows, and no paging", 5, "items[5]: the page has no room for it"),
        ("rows that come twice", 5, "items: some come twice"),
        ("a row that comes twice", 5, "items: some come twice"),
    ],
)
async def test_what_is_right_of_a_page_is_shown_with_an_error(
    gateway: Gateway, flow: Flow, name: str, shown: int, message: str
):
    """One error for each page, at the rows' own path."""
    uids = flow.add_groups(ROWS)
    flow.faults.add(FLOW_RETAIL[name])

    body = await gateway.ask("{ customerGroups(first: 5) { nodes { uid } } }")

    assert [node["uid"] for node in body["data"]["customerGroups"]["nodes"]] == uids[:shown]
    [error] = body["errors"]
    assert error["path"] == ["customerGroups"]
    assert error["message"].startswith(f"Left out of the backend's answer: {message}")


@pytest.mark.parametrize("last", [3, 11, 25])
async def test_a_row_that_comes_twice_moves_no_other(flow: Flow, last: int):
    """On a full page, on the last one, which is not, and on both."""
    uids = flow.add_groups(ROWS - 4)
    flow.fail(FLOW_RETAIL["a row that comes twice"], times=None)

    async with running_gateway(settings(flow.url, flow_retail={"max_page_size": 10})) as small:
        body = await small.ask(
            f"{{ customerGroups(last: {last}) {{ totalCount nodes {{ uid }} }} }}"
        )

    assert [node["uid"] for node in body["data"]["customerGroups"]["nodes"]] == uids[-last:]
    assert body["data"]["customerGroups"]["totalCount"] == ROWS - 4
    assert {error["path"][0] for error in body["errors"]} == {"customerGroups"}


async def test_the_end_of_a_list_is_where_its_page_ends_though_the_total_is_none(
    gateway: Gateway, flow: Flow
):
    """`last` was an empty list. There is room left on the page, so there are no further rows."""
    uids = flow.add_groups(ROWS)
    flow.faults.add(FLOW_RETAIL["no total"])

    body = await gateway.ask("{ customerGroups(last: 3) { nodes { uid } } }")

    assert [node["uid"] for node in body["data"]["customerGroups"]["nodes"]] == uids[-3:]
    assert len(body["errors"]) == 1


async def test_a_total_that_is_asked_for_alone_is_held_against_the_rows(
    gateway: Gateway, flow: Flow
):
    """Of one row, 1 contradicts nothing; beside the five that were shown before, it does."""
    flow.add_groups(ROWS)
    flow.fail(Lying(paging(totalCount=1)), times=None)

    body = await gateway.ask("{ customerGroups(first: 5) { totalCount nodes { uid } } }")

    assert len(flow.calls) == 2
    assert len(body["data"]["customerGroups"]["nodes"]) == 5
    assert body["data"]["customerGroups"]["totalCount"] is None
    assert ["customerGroups", "totalCount"] in [error["path"] for error in body["errors"]]


async def test_a_total_that_is_less_than_the_rows_is_an_error_where_it_is_asked_for(
    gateway: Gateway, flow: Flow
):
    """Of a full page, for nobody knows how many follow; and alone."""
    flow.add_groups(ROWS)
    flow.faults.add(FLOW_RETAIL["no total"], times=None)
    for fields in ("totalCount", "totalCount nodes { uid }"):
        body = await gateway.ask(f"{{ customerGroups(first: 5) {{ {fields} }} }}")

        assert body["data"]["customerGroups"]["totalCount"] is None
        assert ["customerGroups", "totalCount"] in [error["path"] for error in body["errors"]]
