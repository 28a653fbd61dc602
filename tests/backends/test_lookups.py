"""Groups by uid: GETs or list pages, whichever is fewer; no group is ever taken for gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.backends.lookups import PROBE_ABOVE, UNPAID_PAGES, look_up, most_calls
from gateway.backends.windows import AnsweredPage
from gateway.errors import (
    Forbidden,
    GatewayError,
    InvalidAnswer,
    LimitExceeded,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from gateway.records import CustomerGroup

quick = settings(deadline=None, derandomize=True, max_examples=200)


@dataclass(kw_only=True)
class Directory:
    """A list of groups in pages of `page_size`. `calls` are "list 0" and "get gold"."""

    uids: list[str]
    page_size: int = 10
    believed_size: int | None = None
    """The page size that the adapter counts pages by, where the upstream clamps to `page_size`."""
    total_seen: bool = False
    """Whether this request has read a page of the list before."""
    says_total: bool = True
    failing_pages: dict[int, GatewayError] = field(default_factory=dict)
    failing_gets: dict[str, GatewayError] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    """Groups that can't be decoded from a list."""
    before_page: Callable[[int], None] = lambda index: None
    calls: list[str] = field(default_factory=list)

    @property
    def list_pages(self) -> int | None:
        if not self.total_seen:
            return None
        return max(1, -(-len(self.uids) // (self.believed_size or self.page_size)))

    async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
        self.calls.append(f"list {index}")
        self.before_page(index)
        if index in self.failing_pages:
            raise self.failing_pages[index]
        uids = self.uids[index * self.page_size : (index + 1) * self.page_size]
        self.total_seen = self.says_total
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


def group(uid: str) -> CustomerGroup:
    return CustomerGroup(uid=uid, name=uid)


def groups(uids: Sequence[str]) -> dict[str, CustomerGroup]:
    return {uid: group(uid) for uid in uids}


def numbered(count: int) -> list[str]:
    return [f"g{number}" for number in range(count)]


# -- what is fewer


async def test_no_groups_are_no_call():
    """Nothing asked, nothing sent."""
    directory = Directory(uids=numbered(5))

    assert await look_up([], directory) == {}
    assert directory.calls == []


@pytest.mark.parametrize("count", [1, PROBE_ABOVE])
async def test_one_or_two_groups_are_got_one_by_one(count):
    """A look at a list of unknown length could be a call too many."""
    directory = Directory(uids=numbered(50))

    assert await look_up(["g7", "g8"][:count], directory) == groups(["g7", "g8"][:count])
    assert directory.calls == ["get g7", "get g8"][:count]


async def test_a_uid_asked_for_twice_is_one_call():
    """Distinct uids are what counts."""
    directory = Directory(uids=numbered(50))

    assert await look_up(["g7", "g7", "g7", "g7"], directory) == groups(["g7"])
    assert directory.calls == ["get g7"]


async def test_three_groups_of_a_short_list_are_one_page():
    """Where all groups fit on a page, it is all there is to read."""
    directory = Directory(uids=numbered(10))

    assert await look_up(["g1", "g5", "g9"], directory) == groups(["g1", "g5", "g9"])
    assert directory.calls == ["list 0"]


async def test_a_list_known_to_be_short_is_read_for_two_groups():
    """One page is fewer calls than two GETs."""
    directory = Directory(uids=numbered(10), total_seen=True)

    assert await look_up(["g1", "g9"], directory) == groups(["g1", "g9"])
    assert directory.calls == ["list 0"]


async def test_a_list_known_to_have_more_pages_than_groups_are_wanted_is_not_read():
    """Three GETs side by side rather than five pages."""
    directory = Directory(uids=numbered(50), total_seen=True)

    assert await look_up(["g1", "g20", "g49"], directory) == groups(["g1", "g20", "g49"])
    assert directory.calls == ["get g1", "get g20", "get g49"]


async def test_many_groups_of_a_long_list_are_a_sweep():
    """The first page tells how many there are, and the others are fewer than the groups missing."""
    directory = Directory(uids=numbered(40))
    wanted = [f"g{number}" for number in range(0, 40, 4)]

    assert await look_up(wanted, directory) == groups(wanted)
    assert directory.calls == ["list 0", "list 1", "list 2", "list 3"]


async def test_a_few_groups_of_a_very_long_list_are_got_after_one_look():
    """The look is the one call more than needed."""
    directory = Directory(uids=numbered(900))

    assert await look_up(["g1", "g500", "g800"], directory) == groups(["g1", "g500", "g800"])
    assert directory.calls == ["list 0", "get g500", "get g800"]


async def test_a_clamped_list_is_swept_in_the_pages_that_it_has():
    """The adapter believes that all groups fit on one page; the first answer says otherwise."""
    for total_seen in (False, True):
        directory = Directory(uids=numbered(40), believed_size=100, total_seen=total_seen)

        assert await look_up(numbered(40), directory) == groups(numbered(40))
        assert directory.calls == ["list 0", "list 1", "list 2", "list 3"]


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
    directory = Directory(
        uids=numbered(total),
        page_size=page_size,
        believed_size=page_size * 3 if clamped else None,
        total_seen=total_seen and says_total,
        says_total=says_total,
    )
    wanted = [f"g{number}" for number in sorted(asked)]
    there = [uid for uid in wanted if uid in directory.uids]

    assert await look_up(wanted, directory) == groups(there)
    assert len(directory.calls) <= most_calls(len(wanted))
    assert len(set(directory.calls)) == len(directory.calls)
    pages = max(1, -(-total // page_size))
    if pages > UNPAID_PAGES or clamped or len(there) < len(wanted):
        return
    if not total_seen or not says_total:
        assert len(directory.calls) <= 1 + len(wanted)
    else:
        assert len(directory.calls) == min(len(wanted), pages)
    if not total_seen and says_total and len(wanted) > max(PROBE_ABOVE, pages):
        off_the_first = [uid for uid in wanted if int(uid[1:]) >= page_size]
        assert len(directory.calls) == 1 + min(len(off_the_first), pages - 1)


# -- at most


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
    directory = Directory(
        uids=numbered(total),
        page_size=page_size,
        believed_size=believed,
        total_seen=believed is not None,
    )
    wanted = [f"g{number}" for number in sorted(asked)]

    def change(index: int) -> None:
        for added, at in changes[:8]:
            if added:
                directory.uids[at:at] = [f"new{at}.{number}" for number in range(20)]
            else:
                del directory.uids[at : at + 7]
        del changes[:8]

    directory.before_page = change

    await look_up(wanted, directory)

    assert len(directory.calls) <= most_calls(len(wanted))


async def test_the_most_is_reached_where_all_groups_are_gone():
    """Of a list that is long and unknown: pages that show nothing, and a GET for each."""
    for count in (3, 9, 30):
        directory = Directory(uids=numbered(10 * (count - 1)))

        assert await look_up([f"x{number}" for number in range(count)], directory) == {}
        assert len(directory.calls) == most_calls(count)


async def test_a_long_sweep_goes_on_while_it_pays():
    """Thirty groups on every other of fifteen pages: cheaper than thirty GETs to the end."""
    wanted = [f"g{number}" for number in range(0, 150, 5)]
    directory = Directory(uids=numbered(150))

    assert await look_up(wanted, directory) == groups(wanted)
    assert sorted(directory.calls) == sorted(f"list {number}" for number in range(15))


async def test_a_long_list_is_swept_from_its_end():
    """The newest groups are often wanted together, and stand on its last pages."""
    wanted = [f"g{number}" for number in range(170, 200)]
    directory = Directory(uids=numbered(200))

    assert await look_up(wanted, directory) == groups(wanted)
    assert len(directory.calls) == 1 + UNPAID_PAGES - 1


async def test_a_total_beyond_all_measure_is_not_swept():
    """Nor counted out page by page."""

    class Vast(Directory):
        async def list_page(self, index: int) -> AnsweredPage[CustomerGroup]:
            return replace(await super().list_page(index), total=10**15)

    directory = Vast(uids=numbered(10), page_size=5)

    assert await look_up(["g1", "g2", "g9"], directory) == groups(["g1", "g2", "g9"])
    assert directory.calls == ["list 0", "get g9"]


# -- who is gone


async def test_a_group_that_is_not_on_the_only_page_is_gone():
    """The page is the whole list, so no GET is needed to know."""
    directory = Directory(uids=numbered(10))

    assert await look_up(["g1", "g2", "nobody"], directory) == groups(["g1", "g2"])
    assert directory.calls == ["list 0"]


async def test_a_group_that_is_on_none_of_several_pages_is_asked_for():
    """Pages are read one after another, so together they are no proof."""
    directory = Directory(uids=numbered(20))
    wanted = ["g1", "g2", "g11", "g12", "nobody"]

    assert await look_up(wanted, directory) == groups(wanted[:-1])
    assert directory.calls == ["list 0", "list 1", "get nobody"]


async def test_a_group_that_slips_to_a_page_already_read_is_found():
    """One group is deleted and one created between the two pages: all totals agree, and as many
    groups were seen as there are, but g10 was not among them.
    """
    directory = Directory(uids=numbered(20), total_seen=True)

    def change(index: int) -> None:
        if index == 1:
            directory.uids.remove("g0")
            directory.uids.append("new")

    directory.before_page = change

    found = await look_up(["g10", "g11", "g12"], directory)

    assert found == groups(["g10", "g11", "g12"])
    assert directory.calls == ["list 0", "list 1", "get g10"]


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
    directory = Directory(uids=numbered(total), page_size=page_size, total_seen=total_seen)
    wanted = [f"g{number}" for number in sorted(asked) if number < total]

    def change(index: int) -> None:
        if changes:
            added, at = changes.pop()
            if added:
                directory.uids.insert(at, f"new{len(changes)}")
            elif at < len(directory.uids) and directory.uids[at] not in wanted:
                del directory.uids[at]

    directory.before_page = change

    assert await look_up(wanted, directory) == groups(wanted)


async def test_a_group_that_cannot_be_decoded_in_a_list_is_got():
    """A page with a gap is not the whole list."""
    directory = Directory(uids=numbered(10), broken=frozenset({"g2"}))

    assert await look_up(["g1", "g2", "g3"], directory) == groups(["g1", "g2", "g3"])
    assert directory.calls == ["list 0", "get g2"]


async def test_a_list_that_tells_no_total_proves_nothing():
    """What is not on its first page is got."""
    directory = Directory(uids=numbered(10), says_total=False)

    assert await look_up(["g1", "g2", "nobody"], directory) == groups(["g1", "g2"])
    assert directory.calls == ["list 0", "get nobody"]


# -- what fails


@pytest.mark.parametrize(
    "failure", [Unavailable("It failed."), InvalidAnswer("It is too long."), Forbidden("No.")]
)
async def test_groups_on_a_page_that_fails_are_got(failure):
    """The failure of a page is nobody's yet."""
    directory = Directory(uids=numbered(20), total_seen=True, failing_pages={1: failure})
    wanted = ["g1", "g2", "g11", "g12"]

    assert await look_up(wanted, directory) == groups(wanted)
    assert directory.calls == ["list 0", "list 1", "get g11", "get g12"]


async def test_where_the_first_page_fails_all_groups_are_got():
    """And no further page is tried."""
    directory = Directory(uids=numbered(50), failing_pages={0: Unavailable("It failed.")})

    assert await look_up(["g1", "g2", "g3"], directory) == groups(["g1", "g2", "g3"])
    assert directory.calls == ["list 0", "get g1", "get g2", "get g3"]


@pytest.mark.parametrize(
    "failure", [Unauthenticated("No."), RateLimited("Slow down."), LimitExceeded("Used up.")]
)
async def test_a_refusal_that_meets_every_call_is_not_asked_for_again(failure):
    """An upstream that does not know the token, or asks to slow down, is not sent a GET a group;
    and where the operation's calls are used up, a GET would not be sent either.
    """
    directory = Directory(uids=numbered(20), total_seen=True, failing_pages={1: failure})

    found = await look_up(["g1", "g2", "g11", "g12"], directory)

    assert found == groups(["g1", "g2"]) | {"g11": failure, "g12": failure}
    assert directory.calls == ["list 0", "list 1"]


async def test_a_get_that_fails_fails_its_group_only():
    """Its error stands in its place; a group that is gone is left out."""
    failure = Unavailable("It failed.")
    directory = Directory(uids=numbered(90), total_seen=True, failing_gets={"g2": failure})

    found = await look_up(["g1", "g2", "nobody"], directory)

    assert found == {"g1": group("g1"), "g2": failure}
