# SPDX-License-Identifier: Apache-2.0
"""May a project have yet another id looked for in all pods?

Each search asks every pod, so guesses are bounded. What is found was no guess and costs nothing; but that is known only
afterwards, so a project's searches wait for each other before they can use up what it has.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from tricircle.context import Deadline, ProjectId
from tricircle.errors import UnavailableError

#: How many ids that nobody has a project may look for: at once, and per second.
SEARCH_BURST, SEARCH_PER_S = 60.0, 20.0
#: How many searches of a project go on at the same time.
SEARCHES_AT_ONCE = 20
#: How many projects are remembered.
_REMEMBERED = 10_000
_TOO_MANY = "Too many requests for resources that do not exist. Please try again later."
_TOO_BUSY = "Too many requests for resources of which nobody knows yet where they are. Please try again later."


class Searches:
    """The searches of this process, by project.

    :param clock: seconds that only grow
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._budgets: OrderedDict[ProjectId, tuple[float, float]] = OrderedDict()
        self._turns: WeakValueDictionary[ProjectId, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, project_id: ProjectId, deadline: Deadline) -> AsyncIterator[None]:
        """The time of one search, which counts as a guess until it is given back.

        :raises UnavailableError: the project looked for too many ids that nobody has, or for too many at once
        """
        turn = self._turns.setdefault(project_id, asyncio.Semaphore(SEARCHES_AT_ONCE))
        try:
            async with asyncio.timeout(deadline.remaining_s()):
                await turn.acquire()
        except TimeoutError as error:
            raise UnavailableError(_TOO_BUSY, retry_after_s=1) from error
        try:
            self._spend(project_id)
            yield
        finally:
            turn.release()

    def give_back(self, project_id: ProjectId) -> None:
        """A search has found what it looked for."""
        if project_id in self._budgets:
            left, at = self._budgets[project_id]
            self._budgets[project_id] = (min(SEARCH_BURST, left + 1.0), at)

    def _spend(self, project_id: ProjectId) -> None:
        now = self._clock()
        left, at = self._budgets.get(project_id, (SEARCH_BURST, now))
        left = min(SEARCH_BURST, left + (now - at) * SEARCH_PER_S)
        if left < 1.0:
            raise UnavailableError(_TOO_MANY, retry_after_s=1)
        self._budgets[project_id] = (left - 1.0, now)
        self._budgets.move_to_end(project_id)
        while len(self._budgets) > _REMEMBERED:
            self._budgets.popitem(last=False)
