# SPDX-License-Identifier: Apache-2.0
"""How are calls made at once so that none is broken off because another one failed?

Each may have made something that must be known to be undone, or found out something that must be said first.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from tricircle.errors import TricircleError

T = TypeVar("T")


async def caught(call: Awaitable[T]) -> T | TricircleError:
    """The result of a call, or what it raised."""
    try:
        return await call
    except TricircleError as error:
        return error


def value(outcome: T | TricircleError) -> T:
    """The result. :raises TricircleError: when it was none"""
    if isinstance(outcome, TricircleError):
        raise outcome
    return outcome


async def settled(calls: Sequence[Awaitable[T]]) -> list[T | TricircleError]:
    """Results and errors of calls made at once, in order."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(caught(call)) for call in calls]
    return [task.result() for task in tasks]
