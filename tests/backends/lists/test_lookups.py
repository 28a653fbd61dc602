"""Groups by uid: GETs or list pages, whichever is fewer; no group is ever taken for gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.backends.lists.lookups import (
    MAX_KEPT,
    PROBE_ABOVE,
    UNPAID_PAGES,
    GroupDirectory,
    max_calls,
)
from gateway.backends.lists.pages import AnsweredPage
from gateway.errors import (
    DeadlineExceeded,
    Forbidden,
    GatewayError,
    InvalidAnswer,
    LimitExceeded,
    Overloaded,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.records import CustomerGroup
from gateway.telemetry import Meter

quick = settings(deadline=None, derandomize=True, max_examples=200)


@dataclass(kw_only=True)
class Shop:
    """A list of groups in pages of `page_size`. `calls` are "list 0" and "get gold"."""

    uids: list[str]
    page_size: int = 10
    believed_size: int | None = None
    """The page size that the adapter counts pages by, where the upstream clamps to `page_size`."""
    total_seen: bool = False
    """Whether this operation knows how long the list is."""
    says_total: bool = True
    failing_pages: dict[int, GatewayError] = field(default_factory=dict)
    failing_gets: dict[str, GatewayError] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    """Groups that can't be decoded from a list."""
    before_page: Callable[[int], None] = lambda index: None
    calls: list[str] = field(default_factory=list)

    def directory(self) -> GroupDirectory:
        directory = GroupDirectory(self.believed_size or self.page_size, Meter(), remembers=True)
        if self.total_seen:
            directory.count(len(self.uids))
        return directory

    async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
        self.calls.append(f"list {index}")
        self.before_page(index)
        if index in self.failing_pages:
            raise self.failing_pages[index]
        uids = self.uids[index * self.page_size : (index + 1) * self.page_size]
        return AnsweredPage(
            index=index,
            size=self.page_size,
            rows=[None if uid in self.broken else group(uid) for uid in uids],
            total=len(self.uids) if self.says_total else None,
        )

    async def look_up_one(self, uid: str) -> CustomerGroup | GatewayError | None:
        self.calls.append(f"get {uid}")
        if uid in self.failing_gets:
            return self.failing_gets[uid]
        return group(uid) if uid in self.uids else None


async def look_up(uids: Sequence[str], shop: Shop) -> dict[str, CustomerGroup | GatewayError]:
    """As an operation's first and only look-up."""
    return await shop.directory().look_up(uids, shop)


def group(uid: str) -> CustomerGroup:
    return CustomerGroup(uid=uid, name=uid)


def groups(uids: Sequence[str]) -> dict[str, CustomerGroup]:
    return {uid: group(uid) for uid in uids}


def numbered(count: int) -> list[str]:
    return [f"g{number}" for number in range(count)]


# -- what is fewer


async def test_no_groups_are_no_call():
    """Nothing asked, nothing sent."""
    shop = Shop(uids=numbered(5))

    assert await look_up([], shop) == {}
    assert shop.calls == []


@pytest.mark.parametrize("count", [1, PROBE_ABOVE])
async def test_one_or_two_groups_are_got_one_by_one(count):
    """A look at a list of unknown length could be a call too many."""
    shop = Shop(uids=numbered(50))

    assert await look_up(["g7", "g8"][:count], shop) == groups(["g7", "g8"][:count])
    assert shop.calls == ["get g7", "get g8"][:count]


async def test_a_uid_asked_for_twice_is_one_call():
    """Distinct uids are what counts."""
    shop = Shop(uids=numbered(50))

    assert await look_up(["g7", "g7", "g7", "g7"], shop) == groups(["g7"])
    assert shop.calls == ["get g7"]


async def test_three_groups_of_a_short_list_are_one_page():
    """Where all groups fit on a page, it is all there is to read."""
    shop = Shop(uids=numbered(10))

    assert await look_up(["g1", "g5", "g9"], shop) == groups(["g1", "g5", "g9"])
    assert shop.calls == ["list 0"]


async def test_a_list_known_to_be_short_is_read_for_two_groups():
    """One page is fewer calls than two GETs."""
    shop = Shop(uids=numbered(10), total_seen=True)

    assert await look_up(["g1", "g9"], shop) == groups(["g1", "g9"])
    assert shop.calls == ["list 0"]


async def test_a_list_known_to_have_more_pages_than_groups_are_wanted_is_not_read():
    """Three GETs side by side rather than five pages."""
    shop = Shop(uids=numbered(50), total_seen=True)

    assert await look_up(["g1", "g20", "g49"], shop) == groups(["g1", "g20", "g49"])
    assert shop.calls == ["get g1", "get g20", "get g49"]


async def test_many_groups_of_a_long_list_are_a_sweep():
    """The first page tells how many there are, and the others are fewer than the groups missing."""
    shop = Shop(uids=numbered(40))
    wanted = [f"g{number}" for number in range(0, 40, 4)]

    assert await look_up(wanted, shop) == groups(wanted)
    assert shop.calls == ["list 0", "list 1", "list 2", "list 3"]


async def test_a_few_groups_of_a_very_long_list_are_got_after_one_look():
    """The look is the one call more than needed."""
    shop = Shop(uids=numbered(900))

    assert await look_up(["g1", "g500", "g800"], shop) == groups(["g1", "g500", "g800"])
    assert shop.calls == ["list 0", "get g500", "get g800"]


async def test_a_clamped_list_is_swept_in_the_pages_that_it_has():
    """The adapter believes that all groups fit on one page; the first answer says otherwise."""
    for total_seen in (False, True):
        shop = Shop(uids=numbered(40), believed_size=100, total_seen=total_seen)

        assert await look_up(numbered(40), shop) == groups(numbered(40))
        assert shop.calls == ["list 0", "list 1", "list 2", "list 3"]


@pytest.mark.slow
@given(
    st.integers(0, 60),
    st.sets(st.integers(0, 59), max_size=25),
    st.integers(1, 20),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@quick
async def test_the_groups_are_right_and_the_calls_are_few(
    total, asked, page_size, total_seen, says_total, clamped
):
    """Groups that exist cost as many calls as there are of them, or as the list has pages, and one
    more at most; in a long list, some pages more. Each that does not exist can cost one more, where
    no single page shows that.
    """
    shop = Shop(
        uids=numbered(total),
        page_size=page_size,
        believed_size=page_size * 3 if clamped else None,
        total_seen=total_seen and says_total,
        says_total=says_total,
    )
    wanted = [f"g{number}" for number in sorted(asked)]
    there = [uid for uid in wanted if uid in shop.uids]

    assert await look_up(wanted, shop) == groups(there)
    assert len(shop.calls) <= max_calls(len(wanted))
    assert len(set(shop.calls)) == len(shop.calls)
    pages = max(1, -(-total // page_size))
    if pages > UNPAID_PAGES or clamped or len(there) < len(wanted):
        return
    if not total_seen or not says_total:
        assert len(shop.calls) <= 1 + len(wanted)
    else:
        assert len(shop.calls) == min(len(wanted), pages)
    if not total_seen and says_total and len(wanted) > max(PROBE_ABOVE, pages):
        off_the_first = [uid for uid in wanted if int(uid[1:]) >= page_size]
        assert len(shop.calls) == 1 + min(len(off_the_first), pages - 1)


# -- at most


@pytest.mark.slow
@given(
    st.integers(0, 60),
    st.sets(st.integers(0, 90), max_size=30),
    st.integers(1, 20),
    st.none() | st.integers(1, 30),
    st.lists(st.tuples(st.booleans(), st.integers(0, 89)), max_size=40),
)
@quick
async def test_no_look_up_costs_more_than_is_said_ahead(total, asked, page_size, believed, changes):
    """Whether the groups are there or not, however many pages the list was believed to have, and
    whatever comes and goes meanwhile.
    """
    shop = Shop(
        uids=numbered(total),
        page_size=page_size,
        believed_size=believed,
        total_seen=believed is not None,
    )
    wanted = [f"g{number}" for number in sorted(asked)]

    def change(index: int) -> None:
        for added, at in changes[:8]:
            if added:
                shop.uids[at:at] = [f"new{at}.{number}" for number in range(20)]
            else:
                del shop.uids[at : at + 7]
        del changes[:8]

    shop.before_page = change

    await look_up(wanted, shop)

    assert len(shop.calls) <= max_calls(len(wanted))


async def test_the_most_is_reached_where_all_groups_are_gone():
    """Of a list that is long and unknown: pages that show nothing, and a GET for each."""
    for count in (3, 9, 30):
        shop = Shop(uids=numbered(10 * (count - 1)))

        assert await look_up([f"x{number}" for number in range(count)], shop) == {}
        assert len(shop.calls) == max_calls(count)


async def test_a_long_sweep_goes_on_while_it_pays():
    """Thirty groups on every other of fifteen pages: cheaper than thirty GETs to the end."""
    wanted = [f"g{number}" for number in range(0, 150, 5)]
    shop = Shop(uids=numbered(150))

    assert await look_up(wanted, shop) == groups(wanted)
    assert sorted(shop.calls) == sorted(f"list {number}" for number in range(15))


async def test_a_long_list_is_swept_from_its_end():
    """The newest groups are often wanted together, and stand on its last pages."""
    wanted = [f"g{number}" for number in range(170, 200)]
    shop = Shop(uids=numbered(200))

    assert await look_up(wanted, shop) == groups(wanted)
    assert len(shop.calls) == 1 + UNPAID_PAGES - 1


async def test_a_total_beyond_all_measure_is_not_swept():
    """Nor counted out page by page."""

    class Vast(Shop):
        async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
            return replace(await super().list_page(index), total=10**15)

    shop = Vast(uids=numbered(10), page_size=5)

    assert await look_up(["g1", "g2", "g9"], shop) == groups(["g1", "g2", "g9"])
    assert shop.calls == ["list 0", "get g9"]


@dataclass
class Few:
    """A budget of so many calls, of which each look-up may make as many as are left."""

    shop: Shop
    calls: int
    looked_up: int = 0

    @property
    def room(self) -> int:
        assert self.looked_up >= len(self.shop.calls)
        return max(0, self.calls - len(self.shop.calls))

    refusal = staticmethod(Meter(limit=1).refusal)


async def look_up_within(
    calls: int, uids: Sequence[str], shop: Shop
) -> dict[str, CustomerGroup | GatewayError]:
    directory = GroupDirectory(shop.page_size, Few(shop, calls), remembers=True)
    return await directory.look_up(uids, shop)


async def test_all_pages_are_read_where_they_fit_and_gets_do_not():
    """Forty groups from the middle of a list of twenty pages, in thirty calls."""
    wanted = numbered(200)[20:60]
    shop = Shop(uids=numbered(200))

    assert await look_up_within(30, wanted, shop) == groups(wanted)
    assert len(shop.calls) == 20


@pytest.mark.slow
@given(
    st.integers(0, 90),
    st.sets(st.integers(0, 120), min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(0, 40),
)
@quick
async def test_as_many_groups_are_found_as_the_calls_allow(total, asked, page_size, allowed):
    """The others are the limit's error each: none of them is taken for gone."""
    shop = Shop(uids=numbered(total), page_size=page_size)
    wanted = [f"g{number}" for number in sorted(asked)]

    found = await look_up_within(allowed, wanted, shop)

    refused = {uid for uid in found if isinstance(found[uid], LimitExceeded)}
    there = {uid for uid in wanted if uid in shop.uids}
    assert len(shop.calls) <= allowed
    assert {uid: found[uid] for uid in found if uid not in refused} == groups(
        sorted(there - refused, key=wanted.index)
    )
    assert not refused or len(shop.calls) == allowed
    pages = max(1, -(-total // page_size))
    if allowed >= pages + len(wanted) - len(there) or allowed >= max_calls(len(wanted)):
        assert not refused


# -- who is gone


async def test_a_group_that_is_not_on_the_only_page_is_gone():
    """The page is the whole list, so no GET is needed to know."""
    shop = Shop(uids=numbered(10))

    assert await look_up(["g1", "g2", "nobody"], shop) == groups(["g1", "g2"])
    assert shop.calls == ["list 0"]


async def test_a_group_that_is_on_none_of_several_pages_is_asked_for():
    """Pages are read one after another, so together they are no proof."""
    shop = Shop(uids=numbered(20))
    wanted = ["g1", "g2", "g11", "g12", "nobody"]

    assert await look_up(wanted, shop) == groups(wanted[:-1])
    assert shop.calls == ["list 0", "list 1", "get nobody"]


async def test_a_group_that_slips_to_a_page_already_read_is_found():
    """One group is deleted and one created between the two pages: all totals agree, and as many
    groups were seen as there are, but g10 was not among them.
    """
    shop = Shop(uids=numbered(20), total_seen=True)

    def change(index: int) -> None:
        if index == 1:
            shop.uids.remove("g0")
            shop.uids.append("new")

    shop.before_page = change

    found = await look_up(["g10", "g11", "g12"], shop)

    assert found == groups(["g10", "g11", "g12"])
    assert shop.calls == ["list 0", "list 1", "get g10"]


@pytest.mark.slow
@given(
    st.integers(1, 40),
    st.sets(st.integers(0, 39), min_size=1, max_size=20),
    st.integers(1, 12),
    st.booleans(),
    st.lists(st.tuples(st.booleans(), st.integers(0, 39)), max_size=6),
)
@quick
async def test_a_group_that_is_there_throughout_is_found_whatever_else_comes_and_goes(
    total, asked, page_size, total_seen, changes
):
    """Groups are created and deleted ahead of every page."""
    shop = Shop(uids=numbered(total), page_size=page_size, total_seen=total_seen)
    wanted = [f"g{number}" for number in sorted(asked) if number < total]

    def change(index: int) -> None:
        if changes:
            added, at = changes.pop()
            if added:
                shop.uids.insert(at, f"new{len(changes)}")
            elif at < len(shop.uids) and shop.uids[at] not in wanted:
                del shop.uids[at]

    shop.before_page = change

    assert await look_up(wanted, shop) == groups(wanted)


async def test_a_group_that_cannot_be_decoded_in_a_list_is_got():
    """A page with a gap is not the whole list."""
    shop = Shop(uids=numbered(10), broken=frozenset({"g2"}))

    assert await look_up(["g1", "g2", "g3"], shop) == groups(["g1", "g2", "g3"])
    assert shop.calls == ["list 0", "get g2"]


async def test_a_list_that_tells_no_total_proves_nothing():
    """What is not on its first page is got."""
    shop = Shop(uids=numbered(10), says_total=False)

    assert await look_up(["g1", "g2", "nobody"], shop) == groups(["g1", "g2"])
    assert shop.calls == ["list 0", "get nobody"]


# -- what fails


@pytest.mark.parametrize("failure", [InvalidAnswer("It is too long."), Forbidden("No.")])
async def test_groups_on_a_page_that_can_not_be_had_are_got(failure):
    """What is wrong with a page need not be wrong with a group."""
    shop = Shop(uids=numbered(20), total_seen=True, failing_pages={1: failure})
    wanted = ["g1", "g2", "g11", "g12"]

    assert await look_up(wanted, shop) == groups(wanted)
    assert shop.calls == ["list 0", "list 1", "get g11", "get g12"]


async def test_where_the_first_page_can_not_be_used_all_groups_are_got():
    """And no further page is tried."""
    shop = Shop(uids=numbered(50), failing_pages={0: InvalidAnswer("It is too long.")})

    assert await look_up(["g1", "g2", "g3"], shop) == groups(["g1", "g2", "g3"])
    assert shop.calls == ["list 0", "get g1", "get g2", "get g3"]


@pytest.mark.parametrize(
    "failure",
    [
        Unauthenticated("No."),
        RateLimited("Slow down."),
        LimitExceeded("Used up."),
        Unavailable("It failed, or hung."),
        DeadlineExceeded("It is late."),
        Overloaded("Too many wait.", retry_after=1),
    ],
)
async def test_a_failure_that_meets_every_call_is_not_asked_for_again(failure):
    """An upstream that fails, hangs, does not know the token or asks to slow down is not sent a GET
    a group; and where the operation's calls are used up, a GET would not be sent either.
    """
    shop = Shop(uids=numbered(20), total_seen=True, failing_pages={1: failure})

    found = await look_up(["g1", "g2", "g11", "g12"], shop)

    assert found == groups(["g1", "g2"]) | {"g11": failure, "g12": failure}
    assert shop.calls == ["list 0", "list 1"]


async def test_a_get_that_fails_fails_its_group_only():
    """Its error stands in its place; a group that is gone is left out."""
    failure = Unavailable("It failed.")
    shop = Shop(uids=numbered(90), total_seen=True, failing_gets={"g2": failure})

    found = await look_up(["g1", "g2", "nobody"], shop)

    assert found == {"g1": group("g1"), "g2": failure}


# -- several look-ups of one operation


@dataclass
class Slow(Shop):
    """Answers after as many turns of the event loop as `turns` says, one after another."""

    turns: Sequence[int] = ()
    shown: set[str] = field(default_factory=set)
    """The groups on pages that it has answered."""
    needless: list[str] = field(default_factory=list)
    """Groups that were looked up after that."""

    async def _wait(self) -> None:
        for _ in range(self.turns[len(self.calls) % len(self.turns)] if self.turns else 0):
            await asyncio.sleep(0)

    async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
        page = await super().list_page(index)
        await self._wait()
        self.shown.update(row.uid for row in page.rows if row is not None)
        return page

    async def look_up_one(self, uid: str) -> CustomerGroup | GatewayError | None:
        if uid in self.shown:
            self.needless.append(uid)
        found = await super().look_up_one(uid)
        await self._wait()
        return found


@pytest.mark.slow
@given(
    st.integers(0, 60),
    st.integers(1, 20),
    st.booleans(),
    st.lists(
        st.tuples(st.integers(0, 9), st.sets(st.integers(0, 69), min_size=1, max_size=12)),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
)
@example(2, 1, False, [(5, {0, 3, 4}), (4, {1, 2})], [0])
@quick
async def test_look_ups_side_by_side_read_no_page_twice_and_get_nothing_that_a_page_has_shown(
    total, page_size, total_seen, batches, turns
):
    """Whenever each begins, and in whatever order its calls are answered."""
    shop = Slow(uids=numbered(total), page_size=page_size, total_seen=total_seen)
    shop.turns = turns
    directory = shop.directory()
    asked: set[str] = set()

    async def look_up(begins: int, uids: list[str]) -> Mapping[str, object]:
        for _ in range(begins):
            await asyncio.sleep(0)
        return await directory.look_up(uids, shop)

    parts: list[tuple[int, list[str]]] = []
    for begins, numbers in batches:  # each group once, as loaders ask
        uids = [uid for number in sorted(numbers) if (uid := f"g{number}") not in asked]
        asked.update(uids)
        parts.append((begins, uids))
    found = await asyncio.gather(*(look_up(*part) for part in parts))

    assert found == [groups([uid for uid in uids if uid in shop.uids]) for _, uids in parts]
    assert len(set(shop.calls)) == len(shop.calls)
    assert len(shop.calls) <= sum(max_calls(len(uids)) for _, uids in parts)
    assert shop.needless == []


async def test_a_sweep_under_way_is_waited_for():
    """What is asked for meanwhile may be on its pages, as here."""
    shop = Slow(uids=numbered(30), total_seen=True)
    shop.turns = [5]
    directory = shop.directory()

    many, few = await asyncio.gather(
        directory.look_up(numbered(12), shop), directory.look_up(["g20", "g21"], shop)
    )

    assert many == groups(numbered(12))
    assert few == groups(["g20", "g21"])
    assert shop.calls == ["list 0", "list 1", "list 2"]


async def test_a_page_that_was_read_for_its_rows_is_looked_through_first():
    """Whatever window it was read for, in whatever order of the list."""
    shop = Shop(uids=numbered(50))
    directory = shop.directory()
    directory.see(await shop.list_page(2), own_order=False)
    shop.calls.clear()

    assert not directory.waits(["g20", "g29"])
    assert await directory.look_up(["g20", "g29"], shop) == groups(["g20", "g29"])
    assert shop.calls == []


async def test_a_page_that_shows_the_whole_list_tells_who_is_gone():
    """Nothing is asked for that is not on it."""
    shop = Shop(uids=numbered(5))
    directory = shop.directory()
    directory.see(await shop.list_page(0))
    shop.calls.clear()

    assert await directory.look_up(["nobody"], shop) == {}
    assert shop.calls == []


async def test_a_failure_that_meets_every_call_is_met_once_an_operation():
    """What is asked for later fails with it, and costs no call."""
    failure = Unauthenticated("No.")
    shop = Shop(uids=numbered(50), failing_pages={0: failure})
    directory = shop.directory()

    for uids in (["g1", "g2", "g3"], ["g4"]):
        assert await directory.look_up(uids, shop) == dict.fromkeys(uids, failure)
    assert shop.calls == ["list 0"]


async def test_of_more_groups_than_are_remembered_each_is_still_found():
    """Those beyond are got."""
    shop = Shop(uids=numbered(MAX_KEPT + 10), page_size=MAX_KEPT)
    directory = shop.directory()
    directory.see(await shop.list_page(0))
    directory.see(await shop.list_page(1))
    shop.calls.clear()

    wanted = ["g1", f"g{MAX_KEPT + 5}"]
    assert await directory.look_up(wanted, shop) == groups(wanted)
    assert shop.calls == [f"get g{MAX_KEPT + 5}"]


def test_few_groups_had_better_wait_where_more_would_be_a_sweep():
    """As long as a page is left that they could be on."""
    directory = GroupDirectory(10, Meter(), remembers=True)
    assert directory.waits(["g1", "g2"])
    assert not directory.waits(["g1", "g2", "g3"])
    directory.count(50)
    assert directory.waits(numbered(5))
    assert not directory.waits(numbered(6))
    assert not directory.waits([])


async def test_an_operation_that_changes_something_remembers_how_long_the_list_is_and_no_more():
    """A group that was seen may be another by now."""
    shop = Shop(uids=numbered(50))
    directory = GroupDirectory(10, Meter(), remembers=False)
    directory.see(await shop.list_page(0))
    shop.calls.clear()

    for _ in range(2):
        assert await directory.look_up(["g1", "g2", "g3"], shop) == groups(["g1", "g2", "g3"])
    assert shop.calls == ["get g1", "get g2", "get g3"] * 2
