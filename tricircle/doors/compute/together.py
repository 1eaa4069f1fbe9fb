# SPDX-License-Identifier: Apache-2.0
"""How are calls made at once so that none is broken off because another one failed, and how are they undone in time?

Each may have made something that must be known to be undone, or found out something that must be said first.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import TypeVar

from tricircle.context import Deadline
from tricircle.errors import OutcomeUnknownError, TricircleError, UnavailableError
from tricircle.http.message import Request

T = TypeVar("T")

#: Seconds for undoing what a failed request has made.
_UNDO_S = 15.0


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


async def unsent(preparation: Awaitable[T]) -> T:
    """The result of what is done before the client's own call is sent.

    :raises UnavailableError: a part of it was not answered: what the client asked for has not happened
    """
    try:
        return await preparation
    except OutcomeUnknownError as error:
        raise UnavailableError(error.message) from error


async def settled(calls: Sequence[Awaitable[T]]) -> list[T | TricircleError]:
    """Results and errors of calls made at once, in order."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(caught(call)) for call in calls]
    return [task.result() for task in tasks]


def with_own_time(request: Request) -> Request:
    """The request for undoing what it did: its own time may be spent, and most often that is why it failed."""
    return replace(request, context=replace(request.context, deadline=Deadline.after(_UNDO_S)))
