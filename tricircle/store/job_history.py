# SPDX-License-Identifier: Apache-2.0
"""Which jobs have ended, how, and what did their runs report?

A line is written in the transaction that ends the run, so no job leaves the queue without a trace. It goes by the id of
the newest row that it is about; the ids of the others are kept beside it, so that whoever filed one finds its end.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.model.job import Ended
from tricircle.store.clock import now_plus
from tricircle.store.tables import job_history

#: What of an error's text is kept.
_ERROR_LENGTH = 2000


class JobHistory:
    """The history. Every method runs in the caller's transaction."""

    @staticmethod
    async def write(connection: AsyncConnection, ended: Ended) -> None:
        """Write one line. Insert only: nobody waits for it."""
        statement = sa.insert(job_history).values(
            job_id=max(ended.ids, default=None),
            folded=_folded(ended.ids),
            type=ended.key.type.value,
            resource_id=ended.key.resource_id,
            pod_id=ended.key.pod_id,
            project_id=ended.project_id,
            status=ended.status.value,
            attempts=ended.attempts,
            error=None if ended.error is None else ended.error[:_ERROR_LENGTH],
            started_at=None if ended.ran_s is None else now_plus(-ended.ran_s),
            report=sa.null() if ended.report is None else dict(ended.report),
        )
        await connection.execute(statement)

    @staticmethod
    async def forget(connection: AsyncConnection, job_id: int) -> None:
        """Remove every line that goes by this job's id."""
        await connection.execute(sa.delete(job_history).where(job_history.c.job_id == job_id))

    @staticmethod
    async def purge(connection: AsyncConnection, *, older_s: float, limit: int) -> int:
        """Remove up to ``limit`` lines that are older; how many went."""
        old = (
            sa.select(job_history.c.id)
            .where(job_history.c.finished_at < now_plus(-older_s))
            .order_by(job_history.c.finished_at)
            .limit(limit)
        )
        ids = list((await connection.execute(old)).scalars())
        if ids:
            await connection.execute(sa.delete(job_history).where(job_history.c.id.in_(ids)))
        return len(ids)


def _folded(ids: Sequence[int]) -> str | None:
    """All ids but the newest with a comma on both sides of each, as ``LIKE`` finds them; None: there is but one."""
    others = sorted(ids)[:-1]
    return f",{','.join(map(str, others))}," if others else None
