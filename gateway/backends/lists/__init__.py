"""Paged lists, whoever's they are: which pages cover a window, rows that move, groups looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

AnswerT = TypeVar("AnswerT")


async def side_by_side(calls: Iterable[Awaitable[AnswerT]]) -> list[AnswerT]:
    """All answers, in order. The first failure ends the other calls before it is raised.

    asyncio.gather would leave them running, with the caller's token, after the caller was answered.
    """
    awaited = list(calls)
    if len(awaited) == 1:  # as nearly all are: a page needs no task of its own
        return [await awaited[0]]
    tasks = [asyncio.ensure_future(call) for call in awaited]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
