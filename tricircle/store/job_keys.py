# SPDX-License-Identifier: Apache-2.0
"""Who runs which key of jobs, and until when? The database's clock says."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.model.job import JobKey
from tricircle.store.clock import now, now_plus
from tricircle.store.tables import job_keys
from tricircle.store.upsert import upsert


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLease:
    """A key that is ours to run.

    :ivar token: fresh for this taking
    :ivar was_abandoned: the one who had it before never gave it back
    """

    key: JobKey
    token: str
    was_abandoned: bool


class JobKeys:
    """The leases on keys. Every method runs in the caller's transaction."""

    @staticmethod
    async def take(
        connection: AsyncConnection, key: JobKey, *, owner: str, token: str, lease_s: float
    ) -> KeyLease | None:
        """The lease on a key; None when somebody else has it.

        Of two transactions that try, the second waits here for the end of the first; on Galera, where locks do not
        reach the other node, one of the two commits is refused because both wrote the same row.
        """
        values = {
            "type": key.type.value,
            "resource_id": key.resource_id,
            "pod_id": key.pod_id,
            "owner": owner,
            "token": token,
            "lease_until": now_plus(lease_s),
        }
        await upsert(connection, job_keys, values, keys=("type", "resource_id", "pod_id"), changes=lambda _brought: {})
        is_over = (job_keys.c.lease_until < now()).label("is_over")
        row = (await connection.execute(sa.select(job_keys.c.token, is_over).where(*_is(key)))).first()
        if row is not None and row.token == token:
            return KeyLease(key=key, token=token, was_abandoned=False)
        if row is None or not row.is_over:
            return None
        statement = (
            sa.update(job_keys)
            .where(*_is(key), job_keys.c.lease_until < now())
            .values(owner=owner, token=token, taken_at=now(), lease_until=now_plus(lease_s))
        )
        is_ours = (await connection.execute(statement)).rowcount > 0
        return KeyLease(key=key, token=token, was_abandoned=True) if is_ours else None

    @staticmethod
    async def renew(connection: AsyncConnection, key: JobKey, token: str, *, lease_s: float) -> bool:
        """Begin the lease's time anew. False when it is not ours any more."""
        statement = (
            sa.update(job_keys).where(*_is(key), job_keys.c.token == token).values(lease_until=now_plus(lease_s))
        )
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def give_back(connection: AsyncConnection, key: JobKey, token: str) -> bool:
        """End the lease. False when it is not ours any more."""
        statement = sa.delete(job_keys).where(*_is(key), job_keys.c.token == token)
        return (await connection.execute(statement)).rowcount > 0


def _is(key: JobKey) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        job_keys.c.type == key.type.value,
        job_keys.c.resource_id == key.resource_id,
        job_keys.c.pod_id == key.pod_id,
    )
