# SPDX-License-Identifier: Apache-2.0
"""Which project is bound to which pod?"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId, ProjectId
from tricircle.model.binding import Binding
from tricircle.store.clock import now
from tricircle.store.tables import bindings


class BindingRows:
    """Bindings. Every method runs in the caller's transaction."""

    @staticmethod
    async def insert(connection: AsyncConnection, binding: Binding) -> None:
        """Write a new binding; ``created_at`` is the database's.

        :raises DuplicateRowError: project and pod are bound already, or the id is taken
        :raises ReferencedRowError: there is no such pod
        """
        statement = sa.insert(bindings).values(
            id=binding.id,
            project_id=binding.project_id,
            pod_id=binding.pod_id,
            are_limits_lifted=binding.are_limits_lifted,
        )
        await connection.execute(statement)

    @staticmethod
    async def list(
        connection: AsyncConnection, *, project_id: ProjectId | None = None, pod_id: PodId | None = None
    ) -> tuple[Binding, ...]:
        """All bindings, oldest first; of one project, of one pod."""
        statement = sa.select(bindings).order_by(bindings.c.created_at, bindings.c.id)
        if project_id is not None:
            statement = statement.where(bindings.c.project_id == project_id)
        if pod_id is not None:
            statement = statement.where(bindings.c.pod_id == pod_id)
        return tuple(_record(row) for row in await connection.execute(statement))

    @staticmethod
    async def get(connection: AsyncConnection, binding_id: str) -> Binding | None:
        """One binding, or None."""
        row = (await connection.execute(sa.select(bindings).where(bindings.c.id == binding_id))).first()
        return None if row is None else _record(row)

    @staticmethod
    async def of(connection: AsyncConnection, project_id: ProjectId, pod_id: PodId) -> Binding | None:
        """The binding of a project to a pod, or None."""
        statement = sa.select(bindings).where(bindings.c.project_id == project_id, bindings.c.pod_id == pod_id)
        row = (await connection.execute(statement)).first()
        return None if row is None else _record(row)

    @staticmethod
    async def update(connection: AsyncConnection, binding: Binding) -> bool:
        """Write all fields of a binding anew. False when it is gone."""
        statement = (
            sa.update(bindings)
            .where(bindings.c.id == binding.id)
            .values(
                project_id=binding.project_id,
                pod_id=binding.pod_id,
                are_limits_lifted=binding.are_limits_lifted,
                updated_at=now(),
            )
        )
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def delete(connection: AsyncConnection, binding_id: str) -> bool:
        """Remove a binding. False when it was gone already."""
        return (await connection.execute(sa.delete(bindings).where(bindings.c.id == binding_id))).rowcount > 0

    @staticmethod
    async def delete_of_pod(connection: AsyncConnection, pod_id: PodId) -> int:
        """Remove all bindings to a pod; how many there were."""
        return (await connection.execute(sa.delete(bindings).where(bindings.c.pod_id == pod_id))).rowcount


def _record(row: sa.Row[*tuple[object, ...]]) -> Binding:
    return Binding(
        id=row.id,
        project_id=ProjectId(row.project_id),
        pod_id=PodId(row.pod_id),
        are_limits_lifted=row.are_limits_lifted,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
