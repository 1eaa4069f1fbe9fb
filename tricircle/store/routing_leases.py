# SPDX-License-Identifier: Apache-2.0
"""Who works on a routing, and until when?

Every change of a lease is one conditional UPDATE, so that of many who try exactly one succeeds.
"""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId
from tricircle.model.routing import Kind, Routing
from tricircle.store.clock import now, now_plus
from tricircle.store.routings import facts_of, is_free, is_row, routing_of
from tricircle.store.tables import routings


class RoutingLeases:
    """The leases on routings. Every method runs in the caller's transaction."""

    @staticmethod
    async def with_lease(
        connection: AsyncConnection, kind: Kind, central_id: str, pod_id: PodId
    ) -> tuple[Routing, bool] | None:
        """The routing, and whether somebody holds a lease on it that has not run out; None when there is no row."""
        is_held = sa.func.coalesce(routings.c.lease_until >= now(), sa.false()).label("is_held")
        statement = sa.select(routings, is_held).where(*is_row(kind, central_id, pod_id))
        row = (await connection.execute(statement)).first()
        return None if row is None else (routing_of(row), bool(row.is_held))

    @staticmethod
    async def insert_leased(connection: AsyncConnection, routing: Routing, *, ttl_s: float) -> int:
        """Write a new unbound routing that is leased to ``routing.owner``; its id.

        :raises DuplicateRowError: somebody else was first
        :raises ReferencedRowError: there is no such pod
        """
        statement = sa.insert(routings).values(
            central_id=routing.central_id,
            kind=routing.kind.value,
            pod_id=routing.pod_id,
            project_id=routing.project_id,
            owner=routing.owner,
            lease_until=now_plus(ttl_s),
        )
        key = (await connection.execute(statement)).inserted_primary_key
        return int(key[0]) if key else 0

    @staticmethod
    async def seize(connection: AsyncConnection, routing_id: int, owner: str, *, ttl_s: float, is_bound: bool) -> bool:
        """Lease a row that nobody holds and that is (not) bound. False when somebody was faster."""
        has_id = routings.c.pod_resource_id.is_not(None) if is_bound else routings.c.pod_resource_id.is_(None)
        statement = (
            sa.update(routings)
            .where(routings.c.id == routing_id, has_id, is_free())
            .values(owner=owner, lease_until=now_plus(ttl_s))
        )
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def renew(connection: AsyncConnection, routing_id: int, owner: str, *, ttl_s: float) -> bool:
        """Begin the lease's time anew. False when it is not ``owner``'s any more."""
        statement = sa.update(routings).where(*_held(routing_id, owner)).values(lease_until=now_plus(ttl_s))
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def bind(
        connection: AsyncConnection,
        routing_id: int,
        owner: str,
        pod_resource_id: str,
        *,
        details: Mapping[str, object] | None,
        revision: str | None,
    ) -> bool:
        """Write the id in the pod and end the lease. False when it is not ``owner``'s any more."""
        statement = (
            sa.update(routings)
            .where(*_held(routing_id, owner))
            .values(
                pod_resource_id=pod_resource_id,
                owner=None,
                lease_until=None,
                updated_at=now(),
                **facts_of(connection, details, revision),
            )
        )
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def unbind(connection: AsyncConnection, routing_id: int, owner: str) -> bool:
        """Take the id in the pod out of the row, keep the lease. False when it is not ``owner``'s any more."""
        statement = sa.update(routings).where(*_held(routing_id, owner)).values(pod_resource_id=None)
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def release(connection: AsyncConnection, routing_id: int, owner: str) -> bool:
        """End the lease, keep the row as it is. False when it is not ``owner``'s any more."""
        statement = sa.update(routings).where(*_held(routing_id, owner)).values(owner=None, lease_until=None)
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def drop(connection: AsyncConnection, routing_id: int, owner: str) -> bool:
        """Remove the row together with its lease. False when it is not ``owner``'s any more."""
        return (await connection.execute(sa.delete(routings).where(*_held(routing_id, owner)))).rowcount > 0


def _held(routing_id: int, owner: str) -> tuple[sa.ColumnElement[bool], ...]:
    # Not "and the lease runs": as long as nobody else took the row, a late answer of a pod is still ours to write down.
    return (routings.c.id == routing_id, routings.c.owner == owner)
