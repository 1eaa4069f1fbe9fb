# SPDX-License-Identifier: Apache-2.0
"""How are usages and reservations written down? Every method runs in the caller's transaction.

``lock`` comes first in every transaction that adds up and decides: it makes those of one project and service follow one
another. It changes the row and not only reads it, because on Galera only a change collides with one on another node.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId, ProjectId
from tricircle.model.reservation import Amounts, Reading, Reservation
from tricircle.store.clock import now, now_plus
from tricircle.store.tables import bindings, pods, reservations, usages
from tricircle.store.upsert import upsert

#: The pod of the row that is the lock.
_LOCK = PodId("")
_USAGE_KEY = ("project_id", "service", "pod_id")


class UsageRows:
    """The last reading of each project, service and pod."""

    @staticmethod
    async def time(connection: AsyncConnection) -> datetime:
        """The database's time."""
        found: datetime = (await connection.execute(sa.select(now()))).scalar_one()
        return found

    @staticmethod
    async def lock(connection: AsyncConnection, project_id: ProjectId, service: str) -> None:
        """Let no other transaction of this project and service add up until this one ends."""
        await upsert(
            connection,
            usages,
            {"project_id": project_id, "service": service, "pod_id": _LOCK, "amounts": {}},
            keys=_USAGE_KEY,
            changes=lambda _brought: {"seen_at": now()},
        )

    @staticmethod
    async def of(connection: AsyncConnection, project_id: ProjectId, service: str) -> dict[PodId, Reading]:
        """The last reading of every pod that was ever asked."""
        statement = sa.select(usages).where(
            usages.c.project_id == project_id, usages.c.service == service, usages.c.pod_id != _LOCK
        )
        return {
            PodId(row.pod_id): Reading(pod_id=PodId(row.pod_id), amounts=row.amounts, seen_at=row.seen_at)
            for row in await connection.execute(statement)
        }

    @staticmethod
    async def put(connection: AsyncConnection, project_id: ProjectId, service: str, reading: Reading) -> None:
        """Write a reading in the place of the pod's last one. Only under the lock, and only if it is newer."""
        values = {
            "project_id": project_id,
            "service": service,
            "pod_id": reading.pod_id,
            "amounts": dict(reading.amounts),
            "seen_at": reading.seen_at,
        }
        await upsert(
            connection,
            usages,
            values,
            keys=_USAGE_KEY,
            changes=lambda brought: {"amounts": brought("amounts"), "seen_at": brought("seen_at")},
        )

    @staticmethod
    async def purge(connection: AsyncConnection, *, unused_s: float, limit: int) -> int:
        """Remove up to ``limit`` rows that nobody can need again; how many went.

        These are readings of pods that are no more; and, unused for so long, readings of pods to which the project is
        not bound, and locks of projects of which nothing else is written down.
        """
        is_reading, is_old = usages.c.pod_id != _LOCK, usages.c.seen_at < now_plus(-unused_s)
        is_gone = sa.and_(is_reading, ~sa.exists().where(pods.c.id == usages.c.pod_id))
        other = usages.alias()
        is_bound = sa.exists().where(bindings.c.project_id == usages.c.project_id, bindings.c.pod_id == usages.c.pod_id)
        has_readings = sa.exists().where(
            other.c.project_id == usages.c.project_id, other.c.service == usages.c.service, other.c.pod_id != _LOCK
        )
        has_open = sa.exists().where(
            reservations.c.project_id == usages.c.project_id, reservations.c.service == usages.c.service
        )
        is_needless = sa.or_(sa.and_(is_reading, ~is_bound), sa.and_(~is_reading, ~has_readings))
        found = (
            sa.select(*(usages.c[name] for name in _USAGE_KEY))
            .where(sa.or_(is_gone, sa.and_(is_old, is_needless, ~has_open)))
            .limit(limit)
        )
        keys = [tuple(row) for row in await connection.execute(found)]
        if not keys:
            return 0
        # Once more with the age: whoever uses the row meanwhile has made it young.
        is_one = sa.tuple_(*(usages.c[name] for name in _USAGE_KEY)).in_(keys)
        return (await connection.execute(sa.delete(usages).where(is_one, sa.or_(is_gone, is_old)))).rowcount


class ReservationRows:
    """What is being made."""

    @staticmethod
    async def of(connection: AsyncConnection, project_id: ProjectId, service: str) -> list[Reservation]:
        """All of a project and service, oldest first."""
        statement = (
            sa.select(reservations)
            .where(reservations.c.project_id == project_id, reservations.c.service == service)
            .order_by(reservations.c.id)
        )
        return [_reservation(row) for row in await connection.execute(statement)]

    @staticmethod
    async def insert(
        connection: AsyncConnection,
        owner: tuple[ProjectId, str],
        pod_id: PodId,
        amounts: Amounts,
        *,
        until_s: float,
    ) -> int:
        """A new reservation of ``owner`` (project, service) that a call may use for ``until_s`` seconds; its id."""
        values = {
            "project_id": owner[0],
            "service": owner[1],
            "pod_id": pod_id,
            "amounts": dict(amounts),
            "until": now_plus(until_s),
        }
        result = await connection.execute(sa.insert(reservations).values(values))
        key = result.inserted_primary_key
        if key is None:
            raise RuntimeError("the database gave a row no id")
        return int(key[0])

    @staticmethod
    async def name(connection: AsyncConnection, reservation_id: int, resource_id: str) -> None:
        """Write down what the pod is making of it."""
        await connection.execute(_changing([reservation_id]).values(resource_id=resource_id))

    @staticmethod
    async def bind(connection: AsyncConnection, ids: Sequence[int]) -> None:
        """Write down that the pods' own counts include these from now on."""
        await connection.execute(_changing(ids).where(reservations.c.bound_at.is_(None)).values(bound_at=now()))

    @staticmethod
    async def delete(connection: AsyncConnection, ids: Sequence[int]) -> None:
        """Remove reservations; those that are gone already do no harm."""
        await connection.execute(sa.delete(reservations).where(reservations.c.id.in_(ids)))

    @staticmethod
    async def idle(
        connection: AsyncConnection, service: str, *, after: str, past_s: float, limit: int
    ) -> list[ProjectId]:
        """Up to ``limit`` projects behind ``after``, in order, with reservations that ran out ``past_s`` seconds ago:
        nobody has asked their pods since."""
        statement = (
            sa.select(reservations.c.project_id)
            .where(
                reservations.c.until < now_plus(-past_s),
                reservations.c.service == service,
                reservations.c.project_id > after,
            )
            .group_by(reservations.c.project_id)
            .order_by(reservations.c.project_id)
            .limit(limit)
        )
        return [ProjectId(found) for found in (await connection.execute(statement)).scalars()]

    @staticmethod
    async def purge(connection: AsyncConnection, *, limit: int) -> int:
        """Remove up to ``limit`` reservations in pods that are no more; how many went."""
        is_there = sa.exists().where(pods.c.id == reservations.c.pod_id)
        found = sa.select(reservations.c.id).where(~is_there).order_by(reservations.c.id).limit(limit)
        ids = list((await connection.execute(found)).scalars())
        if ids:
            await ReservationRows.delete(connection, ids)
        return len(ids)


def _changing(ids: Iterable[int]) -> sa.Update:
    return sa.update(reservations).where(reservations.c.id.in_(list(ids)))


def _reservation(row: Any) -> Reservation:
    return Reservation(
        id=row.id,
        pod_id=PodId(row.pod_id),
        amounts=row.amounts,
        created_at=row.created_at,
        until=row.until,
        resource_id=row.resource_id,
        bound_at=row.bound_at,
    )
