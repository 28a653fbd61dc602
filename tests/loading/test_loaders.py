"""What one request asks for: each thing once, all of one tick together, each failure on its own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

import pytest
from msgspec import structs

from gateway.backends.port import (
    ById,
    ByKey,
    CustomerOrder,
    GroupOrder,
    GroupRef,
    Position,
    Window,
)
from gateway.errors import GatewayError, InvalidInput, NotFound, Unavailable
from gateway.loading.loaders import Loaders
from gateway.loading.reads import GroupOf, GroupsOf, MembersOf, ReadKey
from gateway.records import Customer, CustomerGroup, Page, Row
from gateway.rest import Answer, AnswerCache
from tests.harness import load
from tests.loading.test_reads import BY_NAME, answered, group

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
    few: int = 0
    """Up to how many groups it would rather look up with others."""

    def waits(self, refs: Collection[GroupRef]) -> bool:
        return len(refs) <= self.few

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


def loaders_over(backend: Shop, answers: AnswerCache | None = None) -> Loaders:
    return Loaders(lambda tenant_uid: backend, answers)  # type: ignore[arg-type,return-value]


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
        *(load(loaders, by_id(uid)) for uid in ("silver", "gold", "silver", "nobody", "gold"))
    )

    assert found == [SILVER, GOLD, SILVER, None, GOLD]
    assert backend.asked == [[ById("silver"), ById("gold"), ById("nobody")]]


async def test_a_group_is_fetched_once_a_request():
    """Later ticks know it, also that there is none."""
    backend = shop()
    loaders = loaders_over(backend)
    for _ in range(2):
        await load(loaders, by_id("gold"))
        await load(loaders, by_id("nobody"))

    assert backend.asked == [[ById("gold")], [ById("nobody")]]


async def test_groups_that_a_list_showed_are_not_fetched():
    """Their rows are the groups."""
    backend = shop()
    loaders = loaders_over(backend)
    await load(loaders, GroupsOf("shop", Window(size=10)))

    assert await load(loaders, by_id("silver")) == SILVER
    assert backend.asked == [Window(size=10)]


async def test_a_group_found_by_its_key_is_known_by_its_uid():
    """One fetch for both."""
    backend = shop()
    loaders = loaders_over(backend)
    await load(loaders, GroupOf("shop", ByKey("g")))

    assert await load(loaders, by_id("gold")) == GOLD
    assert backend.asked == [[ByKey("g")]]


async def test_a_primed_group_is_not_fetched():
    """As after a change that answers it."""
    backend = shop()
    loaders = loaders_over(backend)
    loaders.prime(GOLD)

    assert await load(loaders, by_id("gold")) == GOLD
    assert backend.asked == []


async def test_after_a_change_everything_is_read_anew():
    """Groups and lists; what was known ahead of it may no longer be true."""
    backend = shop()
    loaders = loaders_over(backend)
    first_page = GroupsOf("shop", Window(size=1))
    await load(loaders, first_page)
    await load(loaders, by_id("gold"))
    renamed = group("gold", name="Gold members")
    backend.groups["gold"] = renamed
    loaders.forget()

    assert await load(loaders, by_id("gold")) == renamed
    page = await load(loaders, first_page)
    assert [row.record for row in page.rows] == [renamed]


async def test_a_read_under_way_during_a_change_teaches_nothing():
    """It has rows from ahead of the change; its own waiter gets them, and nobody else."""
    backend = shop(gate=asyncio.Event())
    loaders = loaders_over(backend)
    early = asyncio.ensure_future(load(loaders, GroupsOf("shop", Window(size=10))))
    by_key = asyncio.ensure_future(load(loaders, GroupOf("shop", ByKey("g"))))
    await settle()
    backend.groups["gold"] = group("gold", name="Gold members")
    loaders.forget()
    backend.gate.set()
    await asyncio.gather(early, by_key)

    assert await load(loaders, by_id("gold")) == group("gold", name="Gold members")


async def test_a_failing_reference_fails_alone():
    """Its neighbours in the batch are answered."""
    failure = Unavailable("It failed.")
    loaders = loaders_over(shop(failures={ById("silver"): failure}))

    gold, silver, nobody = await asyncio.gather(
        *(load(loaders, by_id(uid)) for uid in ("gold", "silver", "nobody")),
        return_exceptions=True,
    )

    assert (gold, silver, nobody) == (GOLD, failure, None)


async def test_a_failing_list_fails_alone():
    """Another group's members, and the tenant's groups, are answered in the same tick."""
    loaders = loaders_over(shop(failures={BY_NAME: InvalidInput("No such order.")}))

    groups, ordered, members = await asyncio.gather(
        load(loaders, GroupsOf("shop", Window(size=10))),
        load(loaders, GroupsOf("shop", Window(size=10), BY_NAME)),
        load(loaders, MembersOf("shop", ById("nobody"), Window(size=10))),
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
        load(loaders, by_id("gold")),
        load(loaders, GroupOf("other", ById("gold"))),
        load(loaders, GroupsOf("shop", page)),
        load(loaders, GroupsOf("other", page)),
        return_exceptions=True,
    )

    assert answers[0] == GOLD
    assert [row.record for row in answers[2].rows] == [GOLD, SILVER]
    assert (answers[1], answers[3]) == (nowhere, nowhere)


async def test_a_closed_request_ends_what_is_under_way():
    """Nobody else would: batches run in tasks of their own."""
    backend = shop(gate=asyncio.Event())
    loaders = loaders_over(backend)
    waiting = [
        asyncio.ensure_future(load(loaders, by_id("gold"))),
        asyncio.ensure_future(load(loaders, GroupsOf("shop", Window(size=10)))),
        asyncio.ensure_future(load(loaders, MembersOf("shop", ById("gold"), Window(size=10)))),
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
        asyncio.ensure_future(load(loaders, by_id("gold"))),
        asyncio.ensure_future(load(loaders, GroupsOf("shop", Window(size=10)))),
    ]

    await loaders.close()
    await settle()

    assert backend.asked == []
    for waiter in waiting:
        waiter.cancel()


async def test_a_request_that_is_over_can_be_closed():
    """Once and again, with nothing under way."""
    loaders = loaders_over(shop())
    await load(loaders, by_id("gold"))

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

    page, total = await asyncio.gather(load(loaders, behind), load(loaders, behind.counted()))

    assert (page.total, total.total) == (None, 2)


async def test_a_window_that_is_refused_takes_no_total_with_it():
    """The total is asked for alone: what was wrong with the window is nothing to it."""
    backend = shop(failures={BY_NAME: InvalidInput("Not in that order.")})
    loaders = loaders_over(backend)
    refused = GroupsOf("shop", Window(size=5), BY_NAME)

    page, total = await asyncio.gather(
        load(loaders, refused), load(loaders, refused.counted()), return_exceptions=True
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
        load(loaders, GroupsOf("broken", Window(size=5))),
        load(loaders, GroupsOf("shop", Window(size=5))),
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
        load(loaders, members), load(loaders, members.counted()), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [NotFound, NotFound]
    assert backend.asked == [(ById("gone"), Window(size=5))]


# -- telling and letting go


async def told(loaders: Loaders, *keys: ReadKey) -> list[object]:
    """What the listeners of these keys are told, in its order."""
    heard: list[object] = []
    for key in keys:
        loaders.notify(key, heard.append)
    await settle()
    return heard


async def test_a_listener_is_told_in_the_turn_in_which_the_answer_comes():
    """Ahead of whatever was to happen next."""
    events: list[object] = []

    class Prompt(Shop):
        async def list_groups(self, window: Window, *, order: object = None) -> Page[CustomerGroup]:
            page = await super().list_groups(window)
            asyncio.get_running_loop().call_soon(events.append, "the next turn")
            return page

    loaders = loaders_over(Prompt(groups={"gold": GOLD}))
    loaders.notify(GroupsOf("shop", Window(size=10)), lambda page: events.append(page.total))
    await settle()

    assert events == [1, "the next turn"]


@pytest.mark.parametrize("keeps", [True, False])
async def test_what_was_told_is_let_go_where_its_answer_is_kept(keeps):
    """Then it is read once more; else it is still there."""
    backend = shop()
    answers = AnswerCache(room=0)
    if not keeps:
        await answers.answer("read", partial(asyncio.sleep, 0, Answer(200, b"{}")))
    loaders = loaders_over(backend, answers)
    key = GroupsOf("shop", Window(size=10))

    [first] = await told(loaders, key)
    [again] = await told(loaders, key)

    assert again == first
    assert backend.asked == [Window(size=10)] * (2 if keeps else 1)


async def test_what_was_let_go_is_read_again_as_it_was_read():
    """By the calls whose answers are kept: the windows shared one."""
    backend = shop()
    loaders = loaders_over(backend, AnswerCache())
    first, second = (GroupsOf("shop", Window(size=1, offset=offset)) for offset in (0, 1))
    total = first.counted()

    before = await told(loaders, first, second, total)
    after = [*await told(loaders, total), *await told(loaders, second)]

    assert after == [before[2], before[1]]
    assert backend.asked == [Window(size=2)] * 3


async def test_what_was_read_ahead_waits_for_its_listener():
    """It is let go after that."""
    backend = shop()
    loaders = loaders_over(backend, AnswerCache())
    key = GroupsOf("shop", Window(size=10))
    loaders.prefetch([key])
    await settle()

    [first] = await told(loaders, key)
    assert len(backend.asked) == 1
    assert await told(loaders, key) == [first]
    assert len(backend.asked) == 2


async def test_a_failure_is_told_and_stays():
    """Its answer was kept nowhere."""
    key = MembersOf("shop", ById("gold"), Window(size=10))
    backend = shop()
    loaders = loaders_over(backend, AnswerCache())

    [first] = await told(loaders, key)

    assert isinstance(first, NotFound)
    assert await told(loaders, key) == [first]
    assert len(backend.asked) == 1


async def test_listeners_are_told_of_what_nobody_expects():
    """Even where it is not the backend that fails."""
    unexpected = RuntimeError("nobody expects it")

    def backend_of(tenant_uid: str) -> Shop:
        raise unexpected

    loaders = Loaders(backend_of)  # type: ignore[arg-type]

    assert await told(loaders, GroupsOf("shop", Window(size=10)), by_id("gold")) == [unexpected] * 2


@pytest.mark.slow
async def test_who_is_told_only_leaves_nothing_to_complain_about():
    """Neither of a batch that failed as nobody expects, nor of one that never began."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))

    def backend_of(tenant_uid: str) -> Shop:
        raise RuntimeError("nobody expects it")

    keys = [GroupsOf("shop", Window(size=size)) for size in (1, 2)]
    failing = Loaders(backend_of)  # type: ignore[arg-type]
    assert len(await told(failing, *keys)) == 2
    closed = loaders_over(shop())
    for key in keys:
        closed.notify(key, complaints.append)
    await closed.close()
    await settle()
    del failing, closed
    gc.collect()
    await settle()

    assert complaints == []


# -- groups that lists lead to


@dataclass(kw_only=True)
class Stepwise(Shop):
    """Lists of members are answered one by one, by who tests."""

    lists: dict[str, asyncio.Event] = field(default_factory=dict)

    async def list_members(
        self, group: GroupRef, window: Window, *, order: CustomerOrder | None = None
    ) -> Page[Customer]:
        assert isinstance(group, ById)
        answered = self.lists.setdefault(group.uid, asyncio.Event())
        await answered.wait()
        return Page(rows=[], total=0, has_next=False, has_previous=False)


def members(of: str) -> MembersOf:
    return MembersOf("shop", ById(of), Window(size=10))


@pytest.mark.parametrize("told", [False, True])
async def test_groups_that_lists_lead_to_are_one_batch_whenever_each_list_is_answered(told):
    """A backend that would look them up one by one gets them when the last list is there."""
    backend = Stepwise(groups={"gold": GOLD, "silver": SILVER}, few=5)
    loaders = loaders_over(backend)
    found: list[object] = []

    async def follow(of: str, uid: str) -> None:
        await load(loaders, members(of))
        found.append(await load(loaders, by_id(uid)))

    def ask(of: str, uid: str) -> None:
        loaders.notify(members(of), lambda _: loaders.notify(by_id(uid), found.append))

    wanted = {"a": "gold", "b": "silver", "c": "nobody"}
    if told:
        for of, uid in wanted.items():
            ask(of, uid)
    else:
        tasks = [asyncio.ensure_future(follow(of, uid)) for of, uid in wanted.items()]
    for of in wanted:
        await settle()
        assert backend.asked == []
        backend.lists[of].set()
    await settle()

    assert backend.asked == [[ById(uid) for uid in wanted.values()]]
    assert found == [GOLD, SILVER, None]
    if not told:
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("turns", range(8))
async def test_lists_that_are_answered_shortly_after_each_other_lead_to_one_batch(turns):
    """So does a busy machine see them: when it comes to the answers, several are there."""
    backend = Stepwise(groups={"gold": GOLD, "silver": SILVER}, few=5)
    loaders = loaders_over(backend)
    for of, uid in (("a", "gold"), ("b", "silver")):
        loaders.notify(members(of), lambda _, uid=uid: loaders.prefetch([by_id(uid)]))
    await settle()

    backend.lists["a"].set()
    for _ in range(turns):
        await asyncio.sleep(0)
    backend.lists["b"].set()
    await settle()

    assert backend.asked == [[ById("gold"), ById("silver")]]


async def test_groups_that_are_enough_do_not_wait_for_further_lists():
    """What comes after them is a batch of its own."""
    backend = Stepwise(groups={"gold": GOLD, "silver": SILVER}, few=1)
    loaders = loaders_over(backend)
    for of, uid in (("a", "gold"), ("b", "silver"), ("c", "nobody")):
        loaders.notify(members(of), lambda _, uid=uid: loaders.prefetch([by_id(uid)]))
    await settle()
    for of in ("a", "b"):
        backend.lists[of].set()
        await settle()

    assert backend.asked == [[ById("gold"), ById("silver")]]
    backend.lists["c"].set()
    await settle()
    assert backend.asked[1:] == [[ById("nobody")]]


async def test_groups_that_come_from_no_list_wait_for_none():
    """Nor do those of another tenant."""
    backend = Stepwise(groups={"gold": GOLD, "silver": SILVER}, few=5)
    loaders = loaders_over(backend)
    loaders.prefetch([members("a"), members("b")])

    assert await load(loaders, by_id("gold")) == GOLD
    backend.lists["a"].set()
    await settle()
    assert await load(loaders, GroupOf("other", ById("silver"))) == SILVER


async def test_groups_that_wait_are_given_up_with_the_request():
    """Nothing is left running, and nothing is asked for any more."""
    backend = Stepwise(few=5)
    loaders = loaders_over(backend)
    loaders.notify(members("a"), lambda _: loaders.prefetch([by_id("gold")]))
    loaders.prefetch([members("b")])
    await settle()
    backend.lists["a"].set()
    await settle()

    await loaders.close()

    assert backend.asked == []


async def test_a_failure_is_that_of_all_groups_that_waited():
    """Whoever had them looked up."""
    failure = RuntimeError("nobody expects it")

    class Failing(Stepwise):
        async def get_groups(self, refs: Collection[GroupRef]) -> dict[GroupRef, CustomerGroup]:
            raise failure

    backend = Failing(few=5)
    loaders = loaders_over(backend)
    found: list[object] = []
    for of in ("a", "b"):
        loaders.notify(members(of), lambda _, of=of: loaders.notify(by_id(of), found.append))
    for of in ("a", "b"):
        await settle()
        backend.lists[of].set()
    await settle()

    assert found == [failure, failure]
