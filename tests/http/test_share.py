"""A share of the processor's time: who goes ahead, who waits, in which order, who is refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from gateway.errors import Overloaded
from gateway.http.share import Share, Usage


def burn(seconds: float) -> None:
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass


async def begun(share: Share, *ranks: Sequence[int]) -> list[asyncio.Task[None]]:
    """Requests of these ranks, each waiting or through."""
    tasks = [asyncio.create_task(share.enter(*rank)) for rank in ranks]
    await asyncio.sleep(0)
    return tasks


@pytest.mark.slow
async def test_who_comes_first_goes_ahead():
    """As long as there is time left, nobody waits."""
    share = Share(0.1)

    await share.enter(1)
    share.charge(0.4)
    await share.enter(1)

    assert share.open


async def test_what_was_taken_is_earned_back():
    """Then those who wait go on, without anybody's doing."""
    share = Share(1.0, max_saved=0.01)
    share.charge(0.03)
    assert not share.open

    await asyncio.wait_for(share.enter(1), 10)

    assert share.open


async def test_no_more_is_saved_than_that():
    """However long nobody comes: what is taken at once stays small."""
    share = Share(1.0, max_saved=0.01)

    await asyncio.sleep(0.05)

    assert share.left == 0.01


async def test_the_lowest_rank_goes_first():
    """Of one rank, who came first."""
    share = Share(1.0, max_saved=0.01)
    share.charge(0.05)
    went: list[object] = []

    async def enter(name: str, *rank: int) -> None:
        await share.enter(*rank)
        went.append(name)

    ranks = {"long": (1, 500), "short": (1, 3), "known": (0, 900), "short too": (1, 3)}
    await asyncio.gather(*(enter(name, *rank) for name, rank in ranks.items()))

    assert went == ["known", "short", "short too", "long"]


async def test_only_so_many_wait():
    """The highest rank is refused, whether it comes or waits already, and told when to come."""
    share = Share(0.1, max_saved=0.01, max_waiting=2)
    share.charge(0.61)

    first, highest, last = await begun(share, (1,), (3,), (2,))
    another = await begun(share, (2,))
    await asyncio.sleep(0)

    assert isinstance(highest.exception(), Overloaded)
    assert isinstance(another[0].exception(), Overloaded)
    assert 5 < highest.exception().retry_after <= 7
    assert not first.done()
    assert not last.done()
    for task in (first, last):
        task.cancel()


async def test_who_leaves_makes_room():
    """A client that is gone, or whose time is over."""
    share = Share(0.1, max_saved=0.01, max_waiting=1)
    share.charge(0.61)
    [leaving] = await begun(share, (1,))

    leaving.cancel()
    await asyncio.sleep(0)
    [next_one] = await begun(share, (2,))

    assert not next_one.done()
    next_one.cancel()


async def test_work_is_charged_for_what_it_takes():
    """And not for what it waits."""
    share = Share(0.000_001, max_saved=100)

    async def work() -> str:
        burn(0.01)
        await asyncio.sleep(0.05)
        burn(0.01)
        return "done"

    before = share.left
    assert await Usage(share).charged(work()) == "done"

    assert 0.02 <= before - share.left < 0.05


async def test_work_that_fails_is_charged_too():
    """What is refused costs as much as what is not."""
    share = Share(0.000_001, max_saved=100)

    async def work() -> None:
        burn(0.01)
        raise KeyError

    before = share.left
    with pytest.raises(KeyError):
        await Usage(share).charged(work())

    assert before - share.left >= 0.01


async def test_nothing_is_charged_where_it_turns_out_to_be_free():
    """A caller whose token was accepted by the end of it was no stranger."""
    share = Share(0.000_001, max_saved=100)

    async def work() -> None:
        burn(0.02)

    usage = Usage(share)
    await usage.charged(work())
    usage.give_back()

    assert share.left > 99.99


async def test_a_cancellation_reaches_the_work():
    """So does what it makes of it."""
    share = Share(0.1)

    async def work() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "tidied up"
        return "never"

    task = asyncio.create_task(Usage(share).charged(work()))
    await asyncio.sleep(0)
    task.cancel()

    assert await task == "tidied up"


async def test_what_is_charged_within_is_charged_once():
    """Where it is awaited, and where a task is made of it."""
    share = Share(0.000_001, max_saved=100)
    usage = Usage(share)

    async def part() -> None:
        burn(0.01)
        await asyncio.sleep(0)
        burn(0.01)

    async def whole() -> None:
        await usage.charged(part())
        await asyncio.create_task(usage.charged(part()))

    before = share.left
    await usage.charged(whole())

    assert 0.04 <= before - share.left < 0.06


@pytest.mark.slow
async def test_work_that_has_begun_waits_between_its_steps():
    """While more was taken than there was, unless it need not."""

    async def left_at_each_step(share: Share, most: float | None) -> list[bool]:
        left = []

        async def work() -> None:
            for _ in range(3):
                left.append(share.left > 0)
                burn(0.02)
                await asyncio.sleep(0)

        usage = Usage(share)
        usage.begin(1, lambda: most)
        await usage.charged(work())
        return left

    assert await left_at_each_step(Share(1.0, max_saved=0.01), 60) == [True] * 3
    # It earns next to nothing, however long a busy machine takes for a step.
    scarce = Share(0.000_001, max_saved=0.01)
    assert await left_at_each_step(scarce, None) == [True, False, False]


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_work_that_has_no_time_left_to_wait_is_told_so(seconds):
    """It may still say what has become of it."""
    share = Share(0.000_001, max_saved=0.001)

    async def work() -> str:
        burn(0.01)
        try:
            await asyncio.sleep(0)
        except Overloaded as refusal:
            return refusal.code
        return "it went on"

    usage = Usage(share)
    usage.begin(1, lambda: seconds)

    assert await usage.charged(work()) == "OVERLOADED"


async def test_who_began_first_ends_first():
    """Ahead of those who begin later, and each in one piece: all would come too late otherwise."""
    share = Share(1.0, max_saved=0.001)
    done = []

    async def work(name: str) -> None:
        for _ in range(3):
            burn(0.005)
            await asyncio.sleep(0)
        done.append(name)

    async def charged(name: str) -> None:
        usage = Usage(share)
        usage.begin(1, lambda: 10)
        await usage.charged(work(name))

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(charged(name))

    assert done == ["a", "b", "c"]


async def test_tasks_of_one_request_wait_for_one_turn():
    """However many there are, they keep nobody else out; and cancelled ones wait no longer."""
    share = Share(0.000_001, max_waiting=2)
    share.charge(1)
    usage = Usage(share)
    usage.begin(1, lambda: 60)

    async def work() -> None:
        await asyncio.sleep(0)

    tasks = [asyncio.create_task(usage.charged(work())) for _ in range(10)]
    [other] = await begun(share, (2,))
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    usage.end()

    assert {type(each) for each in ended} == {asyncio.CancelledError}
    assert not other.done()
    other.cancel()
