"""What one request asks for: each thing once, all of one tick together, each failure on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from gateway.backends.port import (
    ById,
    ByKey,
    CustomerGroupSortField,
    CustomerOrder,
    GroupOrder,
    GroupRef,
    Order,
)
from gateway.errors import GatewayError, InvalidInput, NotFound, Unavailable
from gateway.loaders import TOTAL, GroupOf, GroupsOf, ListOf, Loaders, MembersOf, part, plan
from gateway.paging import Position, Window
from gateway.records import Customer, CustomerGroup, Page, Row

BY_NAME: GroupOrder = Order(CustomerGroupSortField.NAME)


def group(uid: str, *, name: str = "", key: str | None = None) -> CustomerGroup:
    return CustomerGroup(tenant_uid="shop", uid=uid, name=name or uid, key=key)


def answered(uids: list[str], window: Window, *, says_total: bool = True) -> Page[CustomerGroup]:
    """What a backend answers for a window whose rows are known ahead."""
    start, stop = window.offset, window.offset + window.size
    rows = [Row(at, group(uid)) for at, uid in enumerate(uids)][start:stop]
    total = len(uids)
    return Page(
        rows=rows,
        total=total if says_total else None,
        has_next=stop < total if says_total else bool(window.size) and len(rows) == window.size,
        has_previous=start > 0 and total > 0 if says_total else start > 0,
    )


# -- which reads serve which windows

windows = st.builds(Window, size=st.integers(0, 70), offset=st.integers(0, 150))


def one_call(limit: int):
    return lambda key: limit


@given(st.lists(windows, min_size=1, max_size=6), st.integers(0, 50), st.integers(0, 160))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_windows_that_share_a_read_are_the_pages_that_they_would_be_alone(wanted, limit, total):
    """Rows, total and page info, whichever windows of the list are asked for in the same tick."""
    uids = [f"g{number}" for number in range(total)]
    keys: list[ListOf] = [GroupsOf("shop", window) for window in wanted]

    served = plan(keys, one_call(limit))

    for key in keys:
        read = answered(uids, served[key].window)
        assert part(read, key.window) == answered(uids, key.window)


@given(st.lists(windows, min_size=1, max_size=6), st.integers(0, 160))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_without_a_total_a_shared_read_never_hides_that_there_is_more(wanted, total):
    """The rows are the same; `has_next` may only be better informed."""
    uids = [f"g{number}" for number in range(total)]
    keys: list[ListOf] = [GroupsOf("shop", window) for window in wanted]

    served = plan(keys, one_call(50))

    for key in keys:
        page = part(answered(uids, served[key].window, says_total=False), key.window)
        assert isinstance(page, Page)
        assert page.rows == answered(uids, key.window).rows
        if key.window.size:
            assert page.has_next or key.window.offset + key.window.size >= total


@given(st.lists(windows, min_size=1, max_size=6), st.integers(1, 50))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_shared_read_is_one_call_or_a_window_that_was_asked_for(wanted, limit):
    """Sharing never makes a read longer than one call for certain, and never makes more reads."""
    keys: list[ListOf] = [GroupsOf("shop", window) for window in wanted]

    served = plan(keys, one_call(limit))

    reads = set(served.values())
    assert set(served) == set(keys)
    assert len(reads) <= len(set(keys))
    for read in reads:
        longest = max((key.window.size for key in keys if served[key] == read), default=0)
        assert read.window.size <= max(limit, longest)
    spans = [range(r.window.offset, r.window.offset + r.window.size) for r in reads]
    inside = [(a, b) for a in spans for b in spans if a is not b and set(a) <= set(b) and len(a)]
    assert inside == []


def reads_of(keys: list[ListOf], limit: int = 50) -> list[ListOf]:
    return list(dict.fromkeys(plan(keys, one_call(limit)).values()))


def test_neighbouring_windows_are_one_read():
    """Two pages of a list under two aliases."""
    keys: list[ListOf] = [
        GroupsOf("shop", Window(size=20)),
        GroupsOf("shop", Window(size=20, offset=20)),
    ]

    assert reads_of(keys) == [GroupsOf("shop", Window(size=40))]


def test_a_window_inside_a_longer_one_needs_no_read():
    """Also where the longer one is more than one call for certain."""
    keys: list[ListOf] = [
        GroupsOf("shop", Window(size=10, offset=60)),
        GroupsOf("shop", Window(size=80)),
    ]

    assert reads_of(keys) == [GroupsOf("shop", Window(size=80))]


def test_windows_too_far_apart_are_reads_of_their_own():
    """Nothing is read for the sake of sharing."""
    keys: list[ListOf] = [
        GroupsOf("shop", Window(size=10)),
        GroupsOf("shop", Window(size=10, offset=45)),
    ]

    assert reads_of(keys) == keys


def test_lists_that_differ_share_nothing():
    """Another tenant, group, order or kind of list is another list."""
    page = Window(size=10)
    keys: list[ListOf] = [
        GroupsOf("shop", page),
        GroupsOf("other", page),
        GroupsOf("shop", page, BY_NAME),
        MembersOf("shop", ById("gold"), page),
        MembersOf("shop", ById("silver"), page),
        MembersOf("other", ById("gold"), page),
        MembersOf("shop", ByKey("gold"), page),
    ]

    assert reads_of(keys) == keys


@pytest.mark.parametrize(
    "window",
    [
        Window(size=10),
        Window(size=10, offset=30),
        Window(size=10, from_end=True),
        Window(size=0, from_end=True),
        Window(size=10, after=Position(3, "g3")),
    ],
)
def test_a_total_comes_with_any_read_of_its_list(window):
    """Whatever its window and order; but not with a read of another list."""
    rows = GroupsOf("shop", window, BY_NAME)

    assert reads_of([rows, rows.counted()]) == [rows]
    assert reads_of([rows.counted(), rows]) == [rows]
    other = MembersOf("shop", ById("gold"), TOTAL)
    assert set(reads_of([rows, other])) == {rows, other}


def test_totals_and_no_rows_are_one_read_of_the_total():
    """`first: 0` at two offsets, under two orders, and `totalCount`."""
    keys: list[ListOf] = [
        GroupsOf("shop", Window(size=0)),
        GroupsOf("shop", Window(size=0, offset=7)),
        GroupsOf("shop", Window(size=0), BY_NAME),
    ]

    assert reads_of(keys) == [GroupsOf("shop", TOTAL)]


def test_a_failed_read_is_the_failure_of_all_its_windows():
    """There is nothing to take a part of."""
    failure = Unavailable("It failed.")

    assert part(failure, Window(size=3)) is failure


# -- the loaders over a backend


@dataclass(kw_only=True)
class Shop:
    """A backend that knows some groups, and writes down what it is asked."""

    groups: dict[str, CustomerGroup] = field(default_factory=dict)
    failures: dict[object, GatewayError] = field(default_factory=dict)
    """What goes wrong, by the reference or the order that is asked about."""
    asked: list[object] = field(default_factory=list)
    gate: asyncio.Event | None = None
    """Answers wait for it, where there is one."""
    ended: list[str] = field(default_factory=list)
    capabilities = SimpleNamespace(max_page_size=100)

    async def _wait(self) -> None:
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.ended.append("cancelled")
                raise

    async def get_groups(
        self, refs: Collection[GroupRef]
    ) -> Mapping[GroupRef, CustomerGroup | GatewayError]:
        self.asked.append(list(refs))
        found: dict[GroupRef, CustomerGroup | GatewayError] = {}
        for ref in refs:
            match ref:
                case ById(uid):
                    known = self.groups.get(uid)
                case ByKey(key):
                    known = next((g for g in self.groups.values() if g.key == key), None)
            if (answer := self.failures.get(ref, known)) is not None:
                found[ref] = answer
        await self._wait()
        return found

    async def list_groups(
        self, window: Window, *, order: GroupOrder | None = None
    ) -> Page[CustomerGroup]:
        self.asked.append(window)
        page = answered(list(self.groups), window)
        rows = [Row(row.offset, self.groups[row.record.uid]) for row in page.rows]
        await self._wait()
        if order in self.failures:
            raise self.failures[order]
        return Page(
            rows=rows, total=page.total, has_next=page.has_next, has_previous=page.has_previous
        )

    async def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> Page[Customer]:
        self.asked.append((group, window))
        await self._wait()
        raise NotFound("There is no such customer group.")


GOLD, SILVER = group("gold", key="g"), group("silver")


def shop(**more: object) -> Shop:
    return Shop(groups={"gold": GOLD, "silver": SILVER}, **more)


def loaders_over(backend: Shop) -> Loaders:
    return Loaders(lambda tenant_uid: backend)  # type: ignore[arg-type,return-value]


def by_id(uid: str) -> GroupOf:
    return GroupOf("shop", ById(uid))


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_groups_of_one_tick_are_one_batch_of_distinct_references():
    """In the order of asking; one that does not exist is None."""
    backend = shop()
    loaders = loaders_over(backend)

    found = await asyncio.gather(
        *(loaders.load(by_id(uid)) for uid in ("silver", "gold", "silver", "nobody", "gold"))
    )

    assert found == [SILVER, GOLD, SILVER, None, GOLD]
    assert backend.asked == [[ById("silver"), ById("gold"), ById("nobody")]]


async def test_a_group_is_fetched_once_a_request():
    """Later ticks know it, also that there is none."""
    backend = shop()
    loaders = loaders_over(backend)
    for _ in range(2):
        await loaders.load(by_id("gold"))
        await loaders.load(by_id("nobody"))

    assert backend.asked == [[ById("gold")], [ById("nobody")]]


async def test_groups_that_a_list_showed_are_not_fetched():
    """Their rows are the groups."""
    backend = shop()
    loaders = loaders_over(backend)
    await loaders.load(GroupsOf("shop", Window(size=10)))

    assert await loaders.load(by_id("silver")) == SILVER
    assert backend.asked == [Window(size=10)]


async def test_a_group_found_by_its_key_is_known_by_its_uid():
    """One fetch for both."""
    backend = shop()
    loaders = loaders_over(backend)
    await loaders.load(GroupOf("shop", ByKey("g")))

    assert await loaders.load(by_id("gold")) == GOLD
    assert backend.asked == [[ByKey("g")]]


async def test_a_primed_group_is_not_fetched():
    """As after a change that answers it."""
    backend = shop()
    loaders = loaders_over(backend)
    loaders.prime(GOLD)

    assert await loaders.load(by_id("gold")) == GOLD
    assert backend.asked == []


async def test_after_a_change_everything_is_read_anew():
    """Groups and lists; what was known ahead of it may no longer be true."""
    backend = shop()
    loaders = loaders_over(backend)
    first_page = GroupsOf("shop", Window(size=1))
    await loaders.load(first_page)
    await loaders.load(by_id("gold"))
    renamed = group("gold", name="Gold members")
    backend.groups["gold"] = renamed
    loaders.forget()

    assert await loaders.load(by_id("gold")) == renamed
    page = await loaders.load(first_page)
    assert [row.record for row in page.rows] == [renamed]


async def test_a_read_under_way_during_a_change_teaches_nothing():
    """It has rows from ahead of the change; its own waiter gets them, and nobody else."""
    backend = shop(gate=asyncio.Event())
    loaders = loaders_over(backend)
    early = asyncio.ensure_future(loaders.load(GroupsOf("shop", Window(size=10))))
    by_key = asyncio.ensure_future(loaders.load(GroupOf("shop", ByKey("g"))))
    await settle()
    backend.groups["gold"] = group("gold", name="Gold members")
    loaders.forget()
    backend.gate.set()
    await asyncio.gather(early, by_key)

    assert await loaders.load(by_id("gold")) == group("gold", name="Gold members")


async def test_a_failing_reference_fails_alone():
    """Its neighbours in the batch are answered."""
    failure = Unavailable("It failed.")
    loaders = loaders_over(shop(failures={ById("silver"): failure}))

    gold, silver, nobody = await asyncio.gather(
        *(loaders.load(by_id(uid)) for uid in ("gold", "silver", "nobody")),
        return_exceptions=True,
    )

    assert (gold, silver, nobody) == (GOLD, failure, None)


async def test_a_failing_list_fails_alone():
    """Another group's members, and the tenant's groups, are answered in the same tick."""
    loaders = loaders_over(shop(failures={BY_NAME: InvalidInput("No such order.")}))

    groups, ordered, members = await asyncio.gather(
        loaders.load(GroupsOf("shop", Window(size=10))),
        loaders.load(GroupsOf("shop", Window(size=10), BY_NAME)),
        loaders.load(MembersOf("shop", ById("nobody"), Window(size=10))),
        return_exceptions=True,
    )

    assert [row.record for row in groups.rows] == [GOLD, SILVER]
    assert isinstance(ordered, InvalidInput)
    assert isinstance(members, NotFound)


async def test_a_tenant_without_a_backend_fails_alone():
    """Whatever was asked of it, and whatever was asked of another tenant in the same tick."""
    backend = shop()
    nowhere = InvalidInput("There is no such tenant here.")

    def backend_of(tenant_uid: str) -> Shop:
        if tenant_uid != "shop":
            raise nowhere
        return backend

    loaders = Loaders(backend_of)  # type: ignore[arg-type]
    page = Window(size=10)

    answers = await asyncio.gather(
        loaders.load(by_id("gold")),
        loaders.load(GroupOf("other", ById("gold"))),
        loaders.load(GroupsOf("shop", page)),
        loaders.load(GroupsOf("other", page)),
        return_exceptions=True,
    )

    assert answers[0] == GOLD
    assert [row.record for row in answers[2].rows] == [GOLD, SILVER]
    assert (answers[1], answers[3]) == (nowhere, nowhere)


async def test_a_waiter_that_gives_up_leaves_the_others_waiting():
    """Both ask for the same; the first is cancelled, the second is answered by the one call."""
    backend = shop(gate=asyncio.Event())
    loaders = loaders_over(backend)

    async def wait() -> CustomerGroup | None:
        return await loaders.load(by_id("gold"))

    first, second = asyncio.ensure_future(wait()), asyncio.ensure_future(wait())
    await settle()
    first.cancel()
    await settle()
    backend.gate.set()

    assert await second == GOLD
    assert first.cancelled()
    assert backend.asked == [[ById("gold")]]


async def test_a_closed_request_ends_what_is_under_way():
    """Nobody else would: batches run in tasks of their own."""
    backend = shop(gate=asyncio.Event())
    loaders = loaders_over(backend)
    waiting = [
        asyncio.ensure_future(loaders.load(by_id("gold"))),
        asyncio.ensure_future(loaders.load(GroupsOf("shop", Window(size=10)))),
        asyncio.ensure_future(loaders.load(MembersOf("shop", ById("gold"), Window(size=10)))),
    ]
    await settle()

    await loaders.close()

    assert backend.ended == ["cancelled"] * 3
    for waiter in waiting:
        waiter.cancel()


async def test_a_closed_request_begins_nothing():
    """What was asked for in its last tick is not sent."""
    backend = shop()
    loaders = loaders_over(backend)
    waiting = [
        asyncio.ensure_future(loaders.load(by_id("gold"))),
        asyncio.ensure_future(loaders.load(GroupsOf("shop", Window(size=10)))),
    ]

    await loaders.close()
    await settle()

    assert backend.asked == []
    for waiter in waiting:
        waiter.cancel()


async def test_a_request_that_is_over_can_be_closed():
    """Once and again, with nothing under way."""
    loaders = loaders_over(shop())
    await loaders.load(by_id("gold"))

    await loaders.close()
    await loaders.close()


async def test_a_total_that_its_read_does_not_tell_is_asked_for_alone():
    """Some windows are read in a way that shows no total; a total beside them is still told."""

    class ByLastId(Shop):
        async def list_groups(
            self, window: Window, *, order: GroupOrder | None = None
        ) -> Page[CustomerGroup]:
            page = await super().list_groups(window, order=order)
            return page if window.plain else structs.replace(page, total=None)

    loaders = loaders_over(ByLastId(groups={"gold": GOLD, "silver": SILVER}))
    behind = GroupsOf("shop", Window(size=1, before=Position(1, "silver"), from_end=True))

    page, total = await asyncio.gather(loaders.load(behind), loaders.load(behind.counted()))

    assert (page.total, total.total) == (None, 2)


async def test_a_window_that_is_refused_takes_no_total_with_it():
    """The total is asked for alone: what was wrong with the window is nothing to it."""
    backend = shop(failures={BY_NAME: InvalidInput("Not in that order.")})
    loaders = loaders_over(backend)
    refused = GroupsOf("shop", Window(size=5), BY_NAME)

    page, total = await asyncio.gather(
        loaders.load(refused), loaders.load(refused.counted()), return_exceptions=True
    )

    assert isinstance(page, InvalidInput)
    assert isinstance(total, Page)
    assert total.total == 2


async def test_what_nobody_expects_fails_its_own_key_only():
    """A bug in one tenant's adapter is no part of another tenant's answer."""
    surprise = RuntimeError("a bug")
    backends = {"shop": shop(), "broken": shop(failures={None: surprise})}  # type: ignore[dict-item]
    loaders = Loaders(lambda uid: backends[uid])  # type: ignore[arg-type,return-value]

    broken, fine = await asyncio.gather(
        loaders.load(GroupsOf("broken", Window(size=5))),
        loaders.load(GroupsOf("shop", Window(size=5))),
        return_exceptions=True,
    )

    assert broken is surprise
    assert isinstance(fine, Page)


async def test_of_a_list_that_is_not_there_no_total_is_asked_for():
    """What was said of the list holds for its total as well."""
    backend = shop()
    loaders = loaders_over(backend)
    members = MembersOf("shop", ById("gone"), Window(size=5))

    answers = await asyncio.gather(
        loaders.load(members), loaders.load(members.counted()), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [NotFound, NotFound]
    assert backend.asked == [(ById("gone"), Window(size=5))]
