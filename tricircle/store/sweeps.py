# SPDX-License-Identifier: Apache-2.0
"""Which pods were not looked at for a while, and what came of a sweep that somebody asked for?"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId
from tricircle.model.job import JobType
from tricircle.model.sweep import SweepEnd
from tricircle.store.clock import now, now_plus
from tricircle.store.tables import job_history, jobs, pods

_SWEEP = JobType.SWEEP.value


class SweepRows:
    """Sweeps among jobs and history. Every method runs in the caller's transaction."""

    @staticmethod
    async def due(connection: AsyncConnection, *, interval_s: float) -> list[PodId]:
        """Pods of which no sweep ended within ``interval_s`` seconds, and none waits or runs; the central region and
        disabled pods are left out.
        """
        waits = sa.exists().where(jobs.c.type == _SWEEP, jobs.c.resource_id == pods.c.id, jobs.c.failed_at.is_(None))
        ended = sa.exists().where(
            job_history.c.type == _SWEEP,
            job_history.c.resource_id == pods.c.id,
            job_history.c.finished_at >= now_plus(-interval_s),
        )
        statement = (
            sa.select(pods.c.id)
            .where(pods.c.az_name != "", pods.c.state != "disabled", ~waits, ~ended)
            .order_by(pods.c.id)
        )
        return [PodId(row.id) for row in await connection.execute(statement)]

    @staticmethod
    async def in_hand(connection: AsyncConnection) -> set[PodId]:
        """Pods of which a sweep is due or runs; given up ones do not count, nor those that wait for a later time."""
        is_due = sa.and_(jobs.c.failed_at.is_(None), jobs.c.not_before <= now())
        statement = sa.select(jobs.c.resource_id).where(jobs.c.type == _SWEEP, is_due).distinct()
        return {PodId(row.resource_id) for row in await connection.execute(statement)}

    @staticmethod
    async def end_of(connection: AsyncConnection, pod_id: PodId, job_id: int) -> SweepEnd | None:
        """The end of the first sweep of a pod that settled this job, or a later one; None while there is none."""
        statement = (
            sa.select(job_history.c.status, job_history.c.error, job_history.c.report)
            .where(job_history.c.type == _SWEEP, job_history.c.resource_id == pod_id, job_history.c.job_id >= job_id)
            .order_by(job_history.c.id)
            .limit(1)
        )
        row = (await connection.execute(statement)).first()
        return None if row is None else SweepEnd(status=row.status, error=row.error, report=row.report or {})
