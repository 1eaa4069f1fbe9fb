# SPDX-License-Identifier: Apache-2.0
"""Which jobs are waiting?

Rows of jobs are appended by anybody, at any time, also in transactions that commit late and out of order; nothing here
makes an append wait. Who runs a key is said by the key's own row (``job_keys.py``), never by the jobs' rows.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId, ProjectId
from tricircle.model.job import Job, JobKey, JobType
from tricircle.store.clock import now, now_plus
from tricircle.store.tables import job_keys, jobs

#: What of an error's text is kept.
_ERROR_LENGTH = 2000
#: How many rows one run settles at most; the others run next.
_ROWS_OF_A_RUN = 500
#: By how much clocks of several database nodes may differ, in seconds.
_CLOCKS_S = 5.0
#: What a row is given that starts anew, due at once.
_FRESH = {"attempts": 0, "failed_at": None, "not_before": now()}


class JobRows:
    """Jobs. Every method runs in the caller's transaction."""

    @staticmethod
    async def append(
        connection: AsyncConnection,
        key: JobKey,
        project_id: ProjectId,
        *,
        revision: int | None,
        payload: Mapping[str, object],
        delay_s: float,
    ) -> int:
        """Write a new row, due in ``delay_s`` seconds; its id. Never an upsert: it must not wait for another row."""
        statement = sa.insert(jobs).values(
            type=key.type.value,
            resource_id=key.resource_id,
            pod_id=key.pod_id,
            project_id=project_id,
            revision=revision,
            payload=dict(payload),
            not_before=now_plus(delay_s) if delay_s > 0 else now(),
        )
        inserted = (await connection.execute(statement)).inserted_primary_key
        return int(inserted[0]) if inserted else 0

    @staticmethod
    async def is_ahead(
        connection: AsyncConnection, key: JobKey, *, revision: int | None, payload: Mapping[str, object]
    ) -> bool:
        """Whether a row of the key that waits for a pod to come back says the same, or speaks of a newer revision.

        What is not due is part of no run, so its own run will see all that is committed now. A transaction of its own
        must ask: an older snapshot may show a row whose run has ended. A row that rests after a failure stands for
        nobody: what comes is a reason to try at once.
        """
        statement = sa.select(jobs.c.revision, jobs.c.payload).where(
            jobs.c.type == key.type.value,
            jobs.c.resource_id == key.resource_id,
            jobs.c.pod_id == key.pod_id,
            jobs.c.failed_at.is_(None),
            jobs.c.attempts == 0,
            jobs.c.not_before > now_plus(_CLOCKS_S),
        )
        rows = await connection.execute(statement)
        return any(
            row.payload == dict(payload) and (revision is None or (row.revision or -1) >= revision) for row in rows
        )

    @staticmethod
    async def due_keys(
        connection: AsyncConnection, *, types: Collection[JobType], busy_pods: Collection[PodId], limit: int
    ) -> list[JobKey]:
        """Keys of the rows that are due the longest, at most ``limit`` rows, each key once.

        The rows stay locked until the transaction ends, and rows that another transaction has locked are stepped over:
        workers that look at the same time get different rows. Keys that somebody runs now are left out.
        """
        is_running = sa.exists().where(
            job_keys.c.type == jobs.c.type,
            job_keys.c.resource_id == jobs.c.resource_id,
            job_keys.c.pod_id == jobs.c.pod_id,
            job_keys.c.lease_until >= now(),
        )
        statement = (
            sa.select(jobs.c.type, jobs.c.resource_id, jobs.c.pod_id)
            .where(
                jobs.c.failed_at.is_(None),
                jobs.c.not_before <= now(),
                jobs.c.type.in_([type_.value for type_ in types]),
                ~is_running,
            )
            .order_by(jobs.c.not_before)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        for dialect in ("mysql", "mariadb"):
            # In the order of the index a statement locks what it returns; sorting would lock all that is due first.
            statement = statement.with_hint(jobs, "FORCE INDEX (ix_tricircle_jobs_due)", dialect)
        if busy_pods:
            statement = statement.where(jobs.c.pod_id.not_in(busy_pods))
        rows = await connection.execute(statement)
        return list(
            dict.fromkeys(JobKey(type=JobType(r.type), resource_id=r.resource_id, pod_id=r.pod_id) for r in rows)
        )

    @staticmethod
    async def rows_of(connection: AsyncConnection, key: JobKey) -> tuple[list[Job], float]:
        """The rows of a key that one run settles, oldest id first, and how many seconds the oldest has waited.

        These are the due ones and those whose attempts were used up before: a new reason to run is a new chance for
        them. Rows that a transaction holds which has not ended are stepped over; they run next time.
        """
        waited = sa.literal_column("NULL") if connection.dialect.name == "sqlite" else _waited_us()
        statement = (
            sa.select(jobs, waited.label("waited_us"))
            .where(
                jobs.c.type == key.type.value,
                jobs.c.resource_id == key.resource_id,
                jobs.c.pod_id == key.pod_id,
                sa.or_(jobs.c.failed_at.is_not(None), jobs.c.not_before <= now()),
            )
            .order_by(jobs.c.id)
            .limit(_ROWS_OF_A_RUN)
            .with_for_update(skip_locked=True)
        )
        rows = (await connection.execute(statement)).all()
        waited_us = max((row.waited_us or 0 for row in rows if row.failed_at is None), default=0)
        return [_record(row) for row in rows], max(0.0, waited_us / 1_000_000)

    @staticmethod
    async def last_error(connection: AsyncConnection, job_id: int) -> str | None:
        """What the last run of a row said that did not settle it; None when none has, or the row is gone."""
        error: str | None = await connection.scalar(sa.select(jobs.c.last_error).where(jobs.c.id == job_id))
        return error

    @staticmethod
    async def count_failure(connection: AsyncConnection, ids: Sequence[int], error: str) -> None:
        """One more failed attempt for these rows, and why."""
        values = {"attempts": jobs.c.attempts + 1, "last_error": error[:_ERROR_LENGTH]}
        await _each(connection, sa.update(jobs).values(values), ids)

    @staticmethod
    async def reschedule(
        connection: AsyncConnection, ids: Sequence[int], *, attempts: int, error: str, delay_s: float
    ) -> None:
        """Let these rows be due in ``delay_s`` seconds, together."""
        values = {
            "attempts": attempts,
            "last_error": error[:_ERROR_LENGTH],
            "failed_at": None,
            "not_before": now_plus(delay_s),
        }
        await _each(connection, sa.update(jobs).values(values), ids)

    @staticmethod
    async def stop(connection: AsyncConnection, ids: Sequence[int], *, attempts: int, error: str) -> None:
        """Let these rows rest with their error until somebody asks, or their key has a new reason to run."""
        values = {"attempts": attempts, "last_error": error[:_ERROR_LENGTH], "failed_at": now()}
        await _each(connection, sa.update(jobs).values(values), ids)

    @staticmethod
    async def delete(connection: AsyncConnection, ids: Sequence[int]) -> None:
        """Remove exactly these rows."""
        await _each(connection, sa.delete(jobs), ids)

    @staticmethod
    async def list(connection: AsyncConnection, *, only_stopped: bool, limit: int) -> list[Job]:
        """Rows of the types that this release knows, oldest first; only those whose attempts are used up."""
        known = [type_.value for type_ in JobType]
        statement = sa.select(jobs).where(jobs.c.type.in_(known)).order_by(jobs.c.id).limit(limit)
        if only_stopped:
            statement = statement.where(jobs.c.failed_at.is_not(None))
        return [_record(row) for row in await connection.execute(statement)]

    @staticmethod
    async def is_waiting(
        connection: AsyncConnection, type_: JobType, resource_id: str, pod_id: PodId | None = None
    ) -> bool:
        """Whether a job of this type about a resource waits or runs, for this pod or whatever one; given up ones do not
        count."""
        statement = (
            sa.select(jobs.c.id)
            .where(jobs.c.resource_id == resource_id, jobs.c.type == type_.value, jobs.c.failed_at.is_(None))
            .limit(1)
        )
        if pod_id is not None:
            statement = statement.where(jobs.c.pod_id == pod_id)
        return (await connection.execute(statement)).first() is not None

    @staticmethod
    async def payload(
        connection: AsyncConnection, type_: JobType, resource_id: str, pod_id: PodId
    ) -> dict[str, object]:
        """The payloads of the rows of one key that are not given up, oldest first, later ones over earlier ones."""
        told = await connection.scalars(
            sa.select(jobs.c.payload)
            .where(
                *(jobs.c.type == type_.value, jobs.c.resource_id == resource_id, jobs.c.pod_id == pod_id),
                jobs.c.failed_at.is_(None),
            )
            .order_by(jobs.c.id)
        )
        return {name: value for payload in told for name, value in payload.items()}

    @staticmethod
    async def redo(connection: AsyncConnection, ids: Sequence[int] | None) -> int:
        """Give rows whose attempts are used up a fresh start: these, or all; how many there were."""
        statement = sa.update(jobs).where(jobs.c.failed_at.is_not(None))
        if ids is not None:
            statement = statement.where(jobs.c.id.in_(ids))
        return (await connection.execute(statement.values(_FRESH))).rowcount

    @staticmethod
    async def restart(connection: AsyncConnection, job_id: int) -> None:
        """Give one row a fresh start, whatever became of it before."""
        await connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(_FRESH))


async def _each(connection: AsyncConnection, statement: sa.Update | sa.Delete, ids: Sequence[int]) -> None:
    """Apply a change to rows, one by one.

    With ``IN (...)`` the server may choose to walk a small table, and then waits for rows that are not ours to touch,
    such as one that a tenant's transaction has inserted and not committed.
    """
    await connection.execute(statement.where(jobs.c.id == sa.bindparam("row_id")), [{"row_id": id_} for id_ in ids])


def _waited_us() -> sa.ColumnElement[int]:
    return sa.func.timestampdiff(sa.text("MICROSECOND"), jobs.c.created_at, now(), type_=sa.BigInteger)


def _record(row: sa.Row[*tuple[Any, ...]]) -> Job:
    failed_at: datetime | None = row.failed_at
    return Job(
        id=row.id,
        type=JobType(row.type),
        resource_id=row.resource_id,
        pod_id=PodId(row.pod_id),
        project_id=ProjectId(row.project_id),
        revision=row.revision,
        payload=row.payload,
        attempts=row.attempts,
        last_error=row.last_error,
        failed_at=failed_at,
        created_at=row.created_at,
        not_before=row.not_before,
    )
