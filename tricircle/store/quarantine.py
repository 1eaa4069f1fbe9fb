# SPDX-License-Identifier: Apache-2.0
"""What is in quarantine, for operators and for the one who clears away?

Only the drivers inside the central Neutron write rows; see ``held.py`` for what keeps one there.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId, ProjectId
from tricircle.model.job import EVERY_POD
from tricircle.model.quarantine import Held, Left, What
from tricircle.model.routing import Kind, Routing
from tricircle.store.clock import now_plus
from tricircle.store.held import holding, is_held
from tricircle.store.tables import jobs, pods, quarantine, routings


class QuarantineRows:
    """Rows in quarantine. Every method runs in the caller's transaction."""

    @staticmethod
    async def held(connection: AsyncConnection, limit: int) -> list[Held]:
        """What pods still hold, oldest first; an identifier that was let go of twice shows twice."""
        kept = sa.select(quarantine.c.id).where(is_held()).order_by(quarantine.c.id).limit(limit).subquery()
        statement = (
            sa.select(quarantine, pods.c.id.label("holder"), pods.c.name.label("holder_name"))
            .join_from(quarantine, kept, quarantine.c.id == kept.c.id)
            .join(routings, holding())
            .join(pods, pods.c.id == routings.c.pod_id)
            .order_by(quarantine.c.id, pods.c.name)
        )
        found: dict[int, tuple[Left, datetime, dict[PodId, str]]] = {}
        for row in await connection.execute(statement):
            left = Left(
                what=What(row.what),
                scope=row.scope,
                value=row.value,
                kind=Kind(row.kind),
                central_id=row.central_id,
            )
            _, _, holders = found.setdefault(row.id, (left, row.created_at, {}))
            holders[PodId(row.holder)] = row.holder_name
        return [Held(left=left, since=since, pods=holders) for left, since, holders in found.values()]

    @staticmethod
    async def counts(connection: AsyncConnection) -> dict[What, int]:
        """How many identifiers of each sort pods still hold; every sort is there."""
        statement = sa.select(quarantine.c.what, sa.func.count()).where(is_held()).group_by(quarantine.c.what)
        counted = {What(what): number for what, number in await connection.execute(statement)}
        return {what: counted.get(what, 0) for what in What}

    @staticmethod
    async def rests_on(connection: AsyncConnection, group_id: str, pod_id: PodId) -> bool:
        """Whether a job about a group's members, for this pod or for all of them, keeps an address in quarantine."""
        statement = (
            sa.select(quarantine.c.id)
            .join_from(quarantine, routings, holding())
            .where(quarantine.c.kind == Kind.ADDRESS_GROUP.value, quarantine.c.central_id == group_id)
            .limit(1)
        )
        if pod_id != EVERY_POD:
            statement = statement.where(routings.c.pod_id == pod_id)
        return (await connection.execute(statement)).first() is not None

    @staticmethod
    async def forgotten(connection: AsyncConnection, *, older_than_s: float, limit: int) -> list[Routing]:
        """Routings that have kept something in quarantine for long, and for which no job is written down; of each only
        what tells it from others.
        """
        is_waited_for = sa.exists().where(
            jobs.c.resource_id == routings.c.central_id,
            jobs.c.type == routings.c.kind,
            jobs.c.pod_id.in_([EVERY_POD, routings.c.pod_id]),
        )
        statement = (
            sa.select(routings.c.id, routings.c.kind, routings.c.central_id, routings.c.pod_id, routings.c.project_id)
            .join_from(quarantine, routings, holding())
            .where(quarantine.c.created_at < now_plus(-older_than_s), ~is_waited_for)
            .distinct()
            .order_by(routings.c.id)
            .limit(limit)
        )
        return [
            Routing(
                id=row.id,
                kind=Kind(row.kind),
                central_id=row.central_id,
                pod_id=PodId(row.pod_id),
                project_id=ProjectId(row.project_id),
            )
            for row in await connection.execute(statement)
        ]

    @staticmethod
    async def purge(connection: AsyncConnection, *, older_than_s: float, limit: int) -> int:
        """Remove rows that no pod holds; how many there were."""
        statement = (
            sa.select(quarantine.c.id)
            .where(~is_held(), quarantine.c.created_at < now_plus(-older_than_s))
            .order_by(quarantine.c.id)
            .limit(limit)
        )
        # By id, and not in one statement: rows that a tenant's transaction appends now are not waited for.
        ids = list((await connection.execute(statement)).scalars())
        if not ids:
            return 0
        return (await connection.execute(sa.delete(quarantine).where(quarantine.c.id.in_(ids)))).rowcount
