# SPDX-License-Identifier: Apache-2.0
"""How is a job stored together with the change that causes it, or not at all?

The row is inserted on Neutron's own session, inside the user's transaction. Insert only: the table has no unique key
but its id, so no request ever waits for, or collides with, another one's row.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import orm

from tricircle.model.job import JobType
from tricircle.store import clock, tables


def append(
    session: orm.Session | sa.Connection,
    job_type: JobType,
    resource_id: str,
    *,
    project_id: str | None,
    revision: int | None = None,
    payload: Mapping[str, object] | None = None,
    delay_s: float = 0,
) -> None:
    """Append "look at this object" for every pod that holds a copy, within the transaction that ``session`` is in.

    :param session: or its connection, while it is being flushed
    :param delay_s: seconds for which more of the kind may gather
    """
    session.execute(
        tables.jobs.insert().values(
            type=job_type.value,
            resource_id=resource_id,
            project_id=project_id or "",
            revision=revision,
            payload=dict(payload or {}),
            created_at=clock.now(),
            not_before=clock.now_plus(delay_s) if delay_s else clock.now(),
        )
    )
