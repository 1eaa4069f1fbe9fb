# SPDX-License-Identifier: Apache-2.0
"""How does a call of ours die in the middle, as if its process were killed?

The service that it asked its n-th question never answers, so nothing of the call runs any more, no clean-up either;
its leases run out. Deadlines must be longer than the test (``Plan.request_deadline_s``): else the dead would wake.
"""

import asyncio
import itertools
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tests.api.whole import Plan, Whole
from tricircle.app.rooms import Rooms
from tricircle.store.engine import transaction
from tricircle.testing.ailments import Ailment, Symptom
from tricircle.testing.exchange import Asked
from tricircle.testing.pods import FakePod

#: What is dead stays dead until the test has ended.
PATIENT = Plan(request_deadline_s=600)
_RUN_OUT = sa.text("UPDATE tricircle_routings SET lease_until = '2000-01-01' WHERE lease_until IS NOT NULL")


@dataclass(frozen=True, kw_only=True)
class Deaths:
    """Calls that died; bury them at the end."""

    cloud: Whole
    rooms: Rooms
    dead: list[asyncio.Future[object]] = field(default_factory=list)

    async def dies(self, call: Coroutine[Any, Any, object], number: int, *, is_carried_out: bool) -> bool:
        """Whether the call came to its n-th question to a network service, and died of it.

        :param is_carried_out: whether a question that changes something has its effect
        """
        asked, reached = itertools.count(1), asyncio.Event()

        def heard(_asked: Asked) -> bool:
            is_it = next(asked) == number
            if is_it:
                reached.set()
            return is_it

        self._fall_ill(Ailment(symptom=Symptom.SILENT, is_carried_out=is_carried_out, only=heard))
        running, waiting = asyncio.ensure_future(call), asyncio.ensure_future(reached.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        self._fall_ill(None)
        if not reached.is_set():
            waiting.cancel()
            await running
            return False
        self.dead.append(running)
        async with transaction(self.rooms.engine) as connection:
            await connection.execute(_RUN_OUT)
        return True

    async def bury(self) -> None:
        """Let them end."""
        for one in self.dead:
            one.cancel()
        await asyncio.gather(*self.dead, return_exceptions=True)

    def _fall_ill(self, ailment: Ailment | None) -> None:
        places: Iterable[FakePod] = (self.cloud.centre, *self.cloud.pods.values())
        for place in places:
            place.fall_ill(ailment, ("network",))
