"""Calls side by side belong to whoever asked for them."""

from __future__ import annotations

import asyncio

import pytest

from gateway.backends.lists import side_by_side
from gateway.errors import Unavailable


async def test_answers_come_in_the_order_of_the_calls():
    """However long each of them takes."""

    async def call(number: int) -> int:
        await asyncio.sleep(0.01 / (number + 1))
        return number

    assert await side_by_side(call(number) for number in range(5)) == [0, 1, 2, 3, 4]
    assert await side_by_side([]) == []


async def test_the_first_failure_ends_the_others_before_it_is_raised():
    """Nothing goes on with the caller's token after the caller was answered."""
    ended: list[int] = []

    async def slow(number: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    async def failing() -> None:
        await asyncio.sleep(0)
        raise Unavailable("It failed.")

    with pytest.raises(Unavailable):
        await side_by_side([slow(1), failing(), slow(2)])

    assert ended == [1, 2]


async def test_who_is_cancelled_cancels_all():
    """A client that leaves takes every call with it."""
    ended: list[int] = []

    async def slow(number: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    waiting = asyncio.ensure_future(side_by_side(map(slow, range(3))))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert ended == [0, 1, 2]
