# SPDX-License-Identifier: Apache-2.0
"""May a project take so much more, although others of its requests are taking at this very moment?

One transaction decides: it adds up the pods' newest readings and all open reservations under a lock of (project,
service), lets the caller say how much fits, and writes that down as reservations. All processes share the rows, so
nothing is lost with a process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tricircle.context import PodId, ProjectId
from tricircle.errors import QuotaExceededError
from tricircle.model.pod import Service
from tricircle.model.reservation import Amounts, Reading, Reservation, Standing, standing
from tricircle.store.engine import Connection, Engine, transact, transaction
from tricircle.store.reservations import ReservationRows, UsageRows

#: What to reserve, one by one, when so much is taken. :raises QuotaExceededError: nothing. Pure; may be called twice.
Fit = Callable[[Amounts], Sequence[Amounts]]
#: Rows that one transaction of a purge removes.
_PURGE_ROWS = 1000
#: Seconds after which a reading or a lock that nobody can need is removed.
_UNUSED_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be taken.

    :ivar pod_id: where it will be made
    :ivar until_s: seconds after which no call can make it any more
    """

    project_id: ProjectId
    service: Service
    pod_id: PodId
    fit: Fit
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of it.

    :ivar ids: the reservations, in the order in which ``fit`` named them; none when it was refused
    :ivar refusal: what ``fit`` said
    """

    standing: Standing
    ids: tuple[int, ...] = ()
    refusal: QuotaExceededError | None = None


class Reservations:
    """Usages and reservations, one transaction per call.

    Every method raises ``UnavailableError`` when the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def time(self) -> datetime:
        """The database's time: to be asked before pods are, for their readings."""
        async with transaction(self._engine) as connection:
            return await UsageRows.time(connection)

    async def take(self, wanted: Wanted, readings: Sequence[Reading]) -> Taken:
        """Reserve what fits beside all that is taken.

        :param readings: what pods have just said; for the others their last readings count
        """

        async def work(connection: Connection) -> Taken:
            now_taken = await _settled(connection, wanted.project_id, wanted.service, readings)
            try:
                parts = wanted.fit(now_taken.most)
            except QuotaExceededError as error:
                return Taken(standing=now_taken, refusal=error)
            owner = wanted.project_id, str(wanted.service)
            ids = [
                await ReservationRows.insert(connection, owner, wanted.pod_id, part, until_s=wanted.until_s)
                for part in parts
            ]
            return Taken(standing=now_taken, ids=tuple(ids))

        return await transact(self._engine, work)

    async def look(self, project_id: ProjectId, service: Service, readings: Sequence[Reading]) -> Standing:
        """What a project has taken; what pods have just said is written down. When none has, nothing is."""
        if not readings:
            async with transaction(self._engine) as connection:
                known = await UsageRows.of(connection, project_id, service)
                return standing(known.values(), await ReservationRows.of(connection, project_id, service))
        return await transact(self._engine, lambda connection: _settled(connection, project_id, service, readings))

    async def pending(self, project_id: ProjectId, service: Service) -> list[Reservation]:
        """Those that a pod has accepted, but perhaps does not count yet."""
        return [one for one in await self.under_way(project_id, service) if one.resource_id is not None]

    async def under_way(self, project_id: ProjectId, service: Service) -> list[Reservation]:
        """Those that are not known to be counted by their pod, oldest first."""
        async with transaction(self._engine) as connection:
            found = await ReservationRows.of(connection, project_id, service)
        return [one for one in found if one.bound_at is None]

    async def open_in(self, project_id: ProjectId, service: Service) -> frozenset[PodId]:
        """The pods that a project has reservations for."""
        async with transaction(self._engine) as connection:
            return frozenset(one.pod_id for one in await ReservationRows.of(connection, project_id, service))

    async def name(self, reservation_id: int, resource_id: str) -> None:
        """The pod has accepted, and counts when the resource has come so far."""
        await transact(self._engine, lambda connection: ReservationRows.name(connection, reservation_id, resource_id))

    async def bind(self, ids: Sequence[int]) -> None:
        """The pods' own counts include these from now on."""
        await transact(self._engine, lambda connection: ReservationRows.bind(connection, ids))

    async def release(self, ids: Sequence[int]) -> None:
        """Nothing came of these, and nothing can."""
        await transact(self._engine, lambda connection: ReservationRows.delete(connection, ids))

    async def idle(self, service: Service, *, after: str, past_s: float, limit: int) -> list[ProjectId]:
        """Up to ``limit`` projects behind ``after``, in order, with reservations that ran out ``past_s`` seconds ago,
        and that no reading has settled since."""
        async with transaction(self._engine) as connection:
            return await ReservationRows.idle(connection, service, after=after, past_s=past_s, limit=limit)

    async def purge(self) -> int:
        """Remove what nobody can need again, in small transactions; how many rows went."""

        async def work(connection: Connection) -> tuple[int, int]:
            gone = await ReservationRows.purge(connection, limit=_PURGE_ROWS)
            return gone, await UsageRows.purge(connection, unused_s=_UNUSED_S, limit=_PURGE_ROWS)

        total = 0
        while True:
            gone = await transact(self._engine, work)
            total += sum(gone)
            if max(gone) < _PURGE_ROWS:
                return total


async def _settled(
    connection: Connection, project_id: ProjectId, service: Service, readings: Sequence[Reading]
) -> Standing:
    """What is taken, under the lock; newer readings are written, and reservations that one covers are removed.

    Of an older reading only the parts of users count of whom the newer one says nothing.
    """
    await UsageRows.lock(connection, project_id, service)
    known = await UsageRows.of(connection, project_id, service)
    found = await ReservationRows.of(connection, project_id, service)
    for reading in readings:
        former = known.get(reading.pod_id)
        if former is None or former.seen_at < reading.seen_at:
            counted = [one for one in found if one.pod_id == reading.pod_id and one.is_covered(reading)]
            newest = reading.completed(former, counted)
        else:
            newest = former.supplied(reading)
        if newest is not former:
            known[reading.pod_id] = newest
            await UsageRows.put(connection, project_id, service, newest)
    covered = [one.id for one in found if one.pod_id in known and one.is_covered(known[one.pod_id])]
    if covered:
        await ReservationRows.delete(connection, covered)
    return standing(known.values(), [one for one in found if one.id not in covered])
