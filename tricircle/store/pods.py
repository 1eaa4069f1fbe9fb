# SPDX-License-Identifier: Apache-2.0
"""Which pods are registered, and where do they serve what?"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId
from tricircle.model.pod import Endpoint, Pod, PodState, Service
from tricircle.store.clock import now
from tricircle.store.tables import pod_endpoints, pods


class PodRows:
    """Pods with their endpoints. Every method runs in the caller's transaction."""

    @staticmethod
    async def insert(connection: AsyncConnection, pod: Pod) -> None:
        """Write a new pod; ``created_at`` is the database's. :raises DuplicateRowError: id or name is taken."""
        await connection.execute(sa.insert(pods).values(id=pod.id, **_columns(pod)))
        await _insert_endpoints(connection, pod)

    @staticmethod
    async def list(connection: AsyncConnection) -> tuple[Pod, ...]:
        """All pods, by name, the central region's row included."""
        return await _read(connection, sa.select(pods).order_by(pods.c.name))

    @staticmethod
    async def get(connection: AsyncConnection, pod_id: PodId) -> Pod | None:
        """One pod, or None."""
        found = await _read(connection, sa.select(pods).where(pods.c.id == pod_id))
        return found[0] if found else None

    @staticmethod
    async def by_name(connection: AsyncConnection, name: str) -> Pod | None:
        """The pod of a Keystone region, or None."""
        found = await _read(connection, sa.select(pods).where(pods.c.name == name))
        return found[0] if found else None

    @staticmethod
    async def update(connection: AsyncConnection, pod: Pod) -> bool:
        """Write all fields and endpoints of a pod anew. False when it is gone. :raises DuplicateRowError: name is
        taken.
        """
        statement = sa.update(pods).where(pods.c.id == pod.id).values(updated_at=now(), **_columns(pod))
        if (await connection.execute(statement)).rowcount == 0:
            return False
        await connection.execute(sa.delete(pod_endpoints).where(pod_endpoints.c.pod_id == pod.id))
        await _insert_endpoints(connection, pod)
        return True

    @staticmethod
    async def delete(connection: AsyncConnection, pod_id: PodId) -> bool:
        """Remove a pod and its endpoints. False when it was gone already.

        :raises ReferencedRowError: bindings or routings still speak of it
        """
        return (await connection.execute(sa.delete(pods).where(pods.c.id == pod_id))).rowcount > 0


def _columns(pod: Pod) -> dict[str, object]:
    return {
        "name": pod.name,
        "az_name": pod.az_name,
        "pod_az_name": pod.pod_az_name,
        "dc_name": pod.dc_name,
        "state": pod.state.value,
        "facts": dict(pod.facts),
    }


async def _insert_endpoints(connection: AsyncConnection, pod: Pod) -> None:
    rows = [
        {
            "pod_id": pod.id,
            "service": service.value,
            "url": endpoint.url,
            "prefix": endpoint.prefix,
            "min_version": endpoint.min_version,
            "max_version": endpoint.max_version,
        }
        for service, endpoint in pod.endpoints.items()
    ]
    if rows:
        await connection.execute(sa.insert(pod_endpoints), rows)


async def _read(connection: AsyncConnection, statement: sa.Select[*tuple[object, ...]]) -> tuple[Pod, ...]:
    rows = (await connection.execute(statement)).all()
    ids = [row.id for row in rows]
    endpoints = await _endpoints(connection, ids)
    return tuple(
        Pod(
            id=PodId(row.id),
            name=row.name,
            az_name=row.az_name,
            pod_az_name=row.pod_az_name,
            dc_name=row.dc_name,
            state=PodState(row.state),
            endpoints=endpoints.get(row.id, {}),
            facts=row.facts,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    )


async def _endpoints(connection: AsyncConnection, pod_ids: Sequence[str]) -> dict[str, dict[Service, Endpoint]]:
    found: dict[str, dict[Service, Endpoint]] = {}
    if not pod_ids:
        return found
    statement = sa.select(pod_endpoints).where(pod_endpoints.c.pod_id.in_(pod_ids))
    for row in await connection.execute(statement):
        service = Service(row.service)
        found.setdefault(row.pod_id, {})[service] = Endpoint(
            service=service, url=row.url, prefix=row.prefix, min_version=row.min_version, max_version=row.max_version
        )
    return found
