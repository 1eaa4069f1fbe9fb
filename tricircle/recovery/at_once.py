# SPDX-License-Identifier: Apache-2.0
"""How are many things done at the same time, and what is heard when one of them fails? That one's own error."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def at_once(work: Iterable[Awaitable[T]], *, limit: int) -> list[T]:
    """The results, in order; no more than ``limit`` run at a time. The first error ends the others and is raised."""
    turn = asyncio.Semaphore(limit)

    async def one(awaitable: Awaitable[T]) -> T:
        async with turn:
            return await awaitable

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(awaitable)) for awaitable in work]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [task.result() for task in tasks]
