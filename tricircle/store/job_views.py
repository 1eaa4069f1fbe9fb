# SPDX-License-Identifier: Apache-2.0
"""Where does a job stand, and which jobs are there: in the queue and in history, as one list?

The ids of both are of one kind, given in order of filing, so a list of both goes by them, newest first. A row that is
claimed is told from one that waits behind a run of its key by when each came; a row that was committed late may be
taken for running until that run ends.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId, ProjectId
from tricircle.model.job import JobStatus
from tricircle.model.job_view import ENDED, LIVE, Depth, JobFilter, JobView
from tricircle.store.clock import now
from tricircle.store.tables import job_history, job_keys, jobs

_IS_CLAIMED = sa.and_(
    job_keys.c.token.is_not(None),
    jobs.c.created_at <= job_keys.c.taken_at,
    sa.or_(jobs.c.failed_at.is_not(None), jobs.c.not_before <= job_keys.c.taken_at),
)
_STATUS: sa.ColumnElement[str] = sa.case(
    (_IS_CLAIMED, JobStatus.RUNNING.value),
    (jobs.c.failed_at.is_not(None), JobStatus.STOPPED.value),
    else_=JobStatus.WAITING.value,
)


class JobViews:
    """What operators see. Every method runs in the caller's transaction and locks nothing, unless it says so."""

    @staticmethod
    async def live(connection: AsyncConnection, job_id: int, *, is_locked: bool = False) -> JobView | None:
        """A job of the queue, or None.

        :param is_locked: keep everybody from the row until the transaction ends: no worker claims it meanwhile
        """
        if is_locked:
            # A statement of its own, because the row of the key must not be locked.
            await connection.execute(sa.select(jobs.c.id).where(jobs.c.id == job_id).with_for_update())
        row = (await connection.execute(_live().where(jobs.c.id == job_id))).first()
        return None if row is None else _of_queue(row)

    @staticmethod
    async def ended(connection: AsyncConnection, job_id: int) -> JobView | None:
        """A job that history knows, also as one of several that one run settled; None when it does not."""
        is_end = job_history.c.status.in_([status.value for status in ENDED])
        own = sa.select(job_history).where(job_history.c.job_id == job_id, is_end).order_by(job_history.c.id.desc())
        row = (await connection.execute(own.limit(1))).first()
        if row is not None:
            return _of_history(row)
        other = (
            sa.select(job_history)
            .where(job_history.c.job_id > job_id, is_end, job_history.c.folded.like(f"%,{job_id},%"))
            .order_by(job_history.c.job_id)
            .limit(1)
        )
        row = (await connection.execute(other)).first()
        return None if row is None else replace(_of_history(row), id=job_id, folded_into=row.job_id)

    @staticmethod
    async def lines(connection: AsyncConnection, job_id: int, limit: int = 100) -> list[JobView]:
        """What history says about a job, newest first: also each time that it was given up."""
        statement = sa.select(job_history).where(job_history.c.job_id == job_id).order_by(job_history.c.id.desc())
        return [_of_history(row) for row in await connection.execute(statement.limit(limit))]

    @staticmethod
    async def page(connection: AsyncConnection, wanted: JobFilter, *, before: int | None, limit: int) -> list[JobView]:
        """Up to ``limit`` jobs with ids below ``before``, newest first, without their reports."""
        found: dict[int, JobView] = {}
        if _any_of(wanted.statuses, LIVE):
            statement = _narrowed(_live(), wanted, jobs, _STATUS)
            if before is not None:
                statement = statement.where(jobs.c.id < before)
            rows = await connection.execute(statement.order_by(jobs.c.id.desc()).limit(limit))
            found.update((row.id, _of_queue(row)) for row in rows)
        if _any_of(wanted.statuses, ENDED):
            statement = _narrowed(_ended(), wanted, job_history, job_history.c.status)
            if before is not None:
                statement = statement.where(job_history.c.job_id < before)
            for row in await connection.execute(statement.order_by(job_history.c.job_id.desc()).limit(limit)):
                found.setdefault(row.job_id, _of_history(row))
        return [found[job_id] for job_id in sorted(found, reverse=True)[:limit]]

    @staticmethod
    async def depths(connection: AsyncConnection) -> list[Depth]:
        """The queue in numbers, by type; one statement, which walks the queue once and history not at all."""
        is_late = sa.or_(jobs.c.not_before <= now(), jobs.c.last_error.is_not(None))
        statement = (
            _joined(
                sa.select(
                    jobs.c.type,
                    _STATUS.label("status"),
                    sa.func.count().label("number"),
                    sa.func.min(sa.case((is_late, jobs.c.created_at))).label("oldest"),
                    sa.func.max(now()).label("instant"),
                )
            )
            .group_by(jobs.c.type, sa.literal_column("status"))
            .order_by(jobs.c.type)
        )
        counts: dict[str, dict[JobStatus, int]] = {}
        oldest: dict[str, float] = {}
        for row in await connection.execute(statement):
            status = JobStatus(row.status)
            counts.setdefault(row.type, {})[status] = row.number
            if status is JobStatus.WAITING and row.oldest is not None:
                oldest[row.type] = max(0.0, (row.instant - row.oldest).total_seconds())
        return [Depth(type=type_, counts=numbers, oldest_s=oldest.get(type_, 0.0)) for type_, numbers in counts.items()]


def _joined(statement: sa.Select[Any]) -> sa.Select[Any]:
    """With the key of each row, when somebody runs it now."""
    is_key = sa.and_(
        job_keys.c.resource_id == jobs.c.resource_id,
        job_keys.c.type == jobs.c.type,
        job_keys.c.pod_id == jobs.c.pod_id,
        job_keys.c.lease_until >= now(),
    )
    return statement.select_from(jobs.outerjoin(job_keys, is_key))


def _live() -> sa.Select[Any]:
    return _joined(sa.select(jobs, _STATUS.label("status"), job_keys.c.owner, job_keys.c.taken_at))


def _ended() -> sa.Select[Any]:
    """All columns but the reports, which may be long."""
    columns = [column for column in job_history.c if column.name != "report"]
    return sa.select(*columns).where(job_history.c.job_id.is_not(None))


def _narrowed(
    statement: sa.Select[Any], wanted: JobFilter, table: sa.Table, status: sa.ColumnElement[str]
) -> sa.Select[Any]:
    statuses = LIVE if table is jobs else ENDED
    chosen = statuses if wanted.statuses is None else statuses & set(wanted.statuses)
    if table is not jobs or chosen != LIVE:
        statement = statement.where(status.in_(sorted(chosen)))
    for name, values in (
        ("type", wanted.types),
        ("project_id", wanted.project_ids),
        ("pod_id", wanted.pod_ids),
        ("resource_id", wanted.resource_ids),
    ):
        if values is not None:
            statement = statement.where(table.c[name].in_(sorted(values)))
    return statement


def _any_of(statuses: Collection[JobStatus] | None, of: frozenset[JobStatus]) -> bool:
    return statuses is None or not of.isdisjoint(statuses)


def _of_queue(row: sa.Row[Any]) -> JobView:
    status = JobStatus(row.status)
    is_running = status is JobStatus.RUNNING
    return JobView(
        id=row.id,
        type=row.type,
        resource_id=row.resource_id,
        pod_id=PodId(row.pod_id),
        project_id=ProjectId(row.project_id),
        status=status,
        attempts=row.attempts,
        error=row.last_error,
        created_at=row.created_at,
        not_before=row.not_before,
        started_at=row.taken_at if is_running else None,
        owner=row.owner if is_running else None,
        finished_at=row.failed_at,
    )


def _of_history(row: sa.Row[Any]) -> JobView:
    return JobView(
        id=row.job_id,
        type=row.type,
        resource_id=row.resource_id,
        pod_id=PodId(row.pod_id),
        project_id=ProjectId(row.project_id),
        status=JobStatus(row.status),
        attempts=row.attempts,
        error=row.error,
        started_at=row.started_at,
        finished_at=row.finished_at,
        report=row._mapping.get("report"),  # noqa: SLF001 - the documented way to ask for a column that may be absent
    )
