# SPDX-License-Identifier: Apache-2.0
"""Which resource lives in which pod under which id?

A row is leased or not (``routing_leases.py``), bound or not; there is no further state.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId, ProjectId
from tricircle.model.routing import Kind, Routing, RoutingState
from tricircle.store.clock import now
from tricircle.store.tables import routings
from tricircle.store.upsert import upsert

#: How many ids one statement may name.
_CHUNK = 1000
_KEY = ("central_id", "kind", "pod_id")


class RoutingRows:
    """Routings. Every method runs in the caller's transaction."""

    @staticmethod
    async def get(connection: AsyncConnection, routing_id: int) -> Routing | None:
        """One routing, or None."""
        return await _first(connection, sa.select(routings).where(routings.c.id == routing_id))

    @staticmethod
    async def of(connection: AsyncConnection, kind: Kind, central_id: str) -> list[Routing]:
        """All routings of a resource, bound ones first, then oldest first."""
        statement = (
            sa.select(routings)
            .where(routings.c.central_id == central_id, routings.c.kind == kind.value)
            .order_by(routings.c.pod_resource_id.is_(None), routings.c.id)
        )
        return [routing_of(row) for row in await connection.execute(statement)]

    @staticmethod
    async def in_pod(connection: AsyncConnection, kind: Kind, central_id: str, pod_id: PodId) -> Routing | None:
        """The routing of a resource in one pod, bound or not, or None."""
        return await _first(connection, sa.select(routings).where(*is_row(kind, central_id, pod_id)))

    @staticmethod
    async def by_pod_resource(
        connection: AsyncConnection, pod_id: PodId, kind: Kind, ids: Iterable[str]
    ) -> dict[str, Routing]:
        """Routings by their id in the pod."""
        found: dict[str, Routing] = {}
        for chunk in _chunks(ids):
            statement = sa.select(routings).where(
                routings.c.pod_id == pod_id, routings.c.kind == kind.value, routings.c.pod_resource_id.in_(chunk)
            )
            found.update({row.pod_resource_id: routing_of(row) for row in await connection.execute(statement)})
        return found

    @staticmethod
    async def by_central(
        connection: AsyncConnection, kind: Kind, ids: Iterable[str], pod_id: PodId
    ) -> dict[str, Routing]:
        """Bound routings in one pod by their id at the centre."""
        found: dict[str, Routing] = {}
        for chunk in _chunks(ids):
            statement = sa.select(routings).where(
                routings.c.central_id.in_(chunk),
                routings.c.kind == kind.value,
                routings.c.pod_id == pod_id,
                routings.c.pod_resource_id.is_not(None),
            )
            found.update({row.central_id: routing_of(row) for row in await connection.execute(statement)})
        return found

    @staticmethod
    async def moment(connection: AsyncConnection) -> datetime:
        """What the database's clock says."""
        found: datetime = (await connection.execute(sa.select(now()))).scalar_one()
        return found

    @staticmethod
    async def in_pod_by_central(
        connection: AsyncConnection, kind: Kind, ids: Iterable[str], pod_id: PodId
    ) -> dict[str, Routing]:
        """Routings in one pod by their id at the centre, bound or not."""
        found: dict[str, Routing] = {}
        for chunk in _chunks(ids):
            statement = sa.select(routings).where(
                routings.c.central_id.in_(chunk), routings.c.kind == kind.value, routings.c.pod_id == pod_id
            )
            found.update({row.central_id: routing_of(row) for row in await connection.execute(statement)})
        return found

    @staticmethod
    async def states(
        connection: AsyncConnection, pod_id: PodId, kind: Kind, *, before: datetime, after: int, limit: int
    ) -> list[RoutingState]:
        """Rows of one kind of a pod in the order of their ids, those behind the id ``after``."""
        is_held = sa.func.coalesce(routings.c.lease_until >= now(), sa.false()).label("is_held")
        is_old = (sa.func.coalesce(routings.c.updated_at, routings.c.created_at) < before).label("is_old")
        statement = (
            sa.select(routings, is_held, is_old)
            .where(routings.c.pod_id == pod_id, routings.c.kind == kind.value, routings.c.id > after)
            .order_by(routings.c.id)
            .limit(limit)
        )
        return [
            RoutingState(routing=routing_of(row), is_held=bool(row.is_held), is_old=bool(row.is_old))
            for row in await connection.execute(statement)
        ]

    @staticmethod
    async def insert_attempt(connection: AsyncConnection, routing: Routing) -> None:
        """Write a new row that is neither bound nor leased: whoever takes it looks in the pod first.

        :raises DuplicateRowError: there is a row
        :raises ReferencedRowError: there is no such pod
        """
        statement = sa.insert(routings).values(
            central_id=routing.central_id,
            kind=routing.kind.value,
            pod_id=routing.pod_id,
            project_id=routing.project_id,
            **detail_columns(routing.details),
            details=dict(routing.details),
        )
        await connection.execute(statement)

    @staticmethod
    async def counts(connection: AsyncConnection, pod_id: PodId) -> dict[Kind, int]:
        """How many routings of each kind a pod has; kinds without any are left out."""
        statement = (
            sa.select(routings.c.kind, sa.func.count()).where(routings.c.pod_id == pod_id).group_by(routings.c.kind)
        )
        return {Kind(kind): count for kind, count in await connection.execute(statement)}

    @staticmethod
    async def of_pod(connection: AsyncConnection, kind: Kind, pod_id: PodId) -> list[Routing]:
        """All routings of a kind to a pod, oldest first."""
        statement = (
            sa.select(routings)
            .where(routings.c.pod_id == pod_id, routings.c.kind == kind.value)
            .order_by(routings.c.id)
        )
        return [routing_of(row) for row in await connection.execute(statement)]

    @staticmethod
    async def of_project(
        connection: AsyncConnection, kind: Kind, pod_id: PodId, project_id: ProjectId | None, *, limit: int
    ) -> list[Routing]:
        """Bound routings of a kind to a pod, newest first; of all projects when none is named."""
        statement = sa.select(routings).where(
            routings.c.pod_id == pod_id, routings.c.kind == kind.value, routings.c.pod_resource_id.is_not(None)
        )
        if project_id is not None:
            statement = statement.where(routings.c.project_id == project_id)
        statement = statement.order_by(routings.c.created_at.desc(), routings.c.id.desc()).limit(limit)
        return [routing_of(row) for row in await connection.execute(statement)]

    @staticmethod
    async def ports_of_server(connection: AsyncConnection, server_id: str, pod_id: PodId) -> list[Routing]:
        """Ports whose details name this server, oldest first."""
        statement = (
            sa.select(routings)
            .where(routings.c.server_id == server_id, routings.c.pod_id == pod_id, routings.c.kind == Kind.PORT.value)
            .order_by(routings.c.id)
        )
        return [routing_of(row) for row in await connection.execute(statement)]

    @staticmethod
    async def of_reservation(connection: AsyncConnection, reservation_id: str) -> list[Routing]:
        """Servers whose details name this reservation, oldest first."""
        statement = (
            sa.select(routings)
            .where(routings.c.server_id == reservation_id, routings.c.kind == Kind.SERVER.value)
            .order_by(routings.c.id)
        )
        return [routing_of(row) for row in await connection.execute(statement)]

    @staticmethod
    async def record(connection: AsyncConnection, routing: Routing) -> Routing:
        """Write a bound routing, or bind the one that is there; ``id``, owner and ``revision`` are not looked at.

        What the row already knows stays, but for what ``routing`` says anew: details are merged into those there.
        """
        values: dict[str, object] = {
            "central_id": routing.central_id,
            "kind": routing.kind.value,
            "pod_id": routing.pod_id,
            "project_id": routing.project_id,
            "pod_resource_id": routing.pod_resource_id,
            **detail_columns(routing.details),
            "details": dict(routing.details),
        }
        changed: dict[str, object] = {"project_id": routing.project_id, "updated_at": now()}
        if routing.created_at is not None:
            values["created_at"] = changed["created_at"] = routing.created_at
            # The pod's clock said so, and may be wrong: how old the row is, ours says.
            values["updated_at"] = now()
        if routing.details:
            changed |= detail_columns(routing.details)
            changed["details"] = _merged(connection, routing.details)
        await upsert(
            connection,
            routings,
            values,
            keys=_KEY,
            changes=lambda brought: {**changed, "pod_resource_id": brought("pod_resource_id")},
        )
        found = await RoutingRows.in_pod(connection, routing.kind, routing.central_id, routing.pod_id)
        if found is None:  # pragma: no cover - written a statement ago, in this transaction
            raise LookupError(routing.central_id)
        return found

    @staticmethod
    async def update(
        connection: AsyncConnection, routing_id: int, *, details: Mapping[str, object] | None, revision: str | None
    ) -> bool:
        """Merge details (None removes a key) and set the revision, each where given. False when the row is gone."""
        changed = facts_of(connection, details, revision)
        statement = sa.update(routings).where(routings.c.id == routing_id).values(updated_at=now(), **changed)
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def delete(connection: AsyncConnection, routing_id: int) -> bool:
        """Remove a routing. False when it was gone already."""
        return (await connection.execute(sa.delete(routings).where(routings.c.id == routing_id))).rowcount > 0

    @staticmethod
    async def delete_free(connection: AsyncConnection, routing_id: int) -> bool:
        """Remove a routing on which no lease runs. False when somebody works on it, or it was gone already."""
        statement = sa.delete(routings).where(routings.c.id == routing_id, is_free())
        return (await connection.execute(statement)).rowcount > 0

    @staticmethod
    async def delete_of_pod(connection: AsyncConnection, pod_id: PodId, kinds: Collection[Kind]) -> int:
        """Remove all routings of these kinds to a pod; how many there were."""
        statement = sa.delete(routings).where(
            routings.c.pod_id == pod_id, routings.c.kind.in_([kind.value for kind in kinds])
        )
        return (await connection.execute(statement)).rowcount


def is_row(kind: Kind, central_id: str, pod_id: PodId) -> tuple[sa.ColumnElement[bool], ...]:
    """Whether a row is that of this resource in this pod."""
    return (routings.c.central_id == central_id, routings.c.kind == kind.value, routings.c.pod_id == pod_id)


def is_free() -> sa.ColumnElement[bool]:
    """Whether no lease runs on a row."""
    return sa.or_(routings.c.owner.is_(None), routings.c.lease_until < now())


def detail_columns(details: Mapping[str, object]) -> dict[str, object]:
    """The columns that details fill, by name.

    One is looked up for both: the server that a port belongs to, and the call in which a server was booted.
    """
    named = [details[name] for name in ("server_id", "reservation_id") if name in details]
    return {"server_id": named[0]} if named else {}


def facts_of(
    connection: AsyncConnection, details: Mapping[str, object] | None, revision: str | None
) -> dict[str, object]:
    """The columns that an update of details and revision changes, each where given."""
    changed: dict[str, object] = {} if revision is None else {"revision": revision}
    if details:
        changed |= {"details": _merged(connection, details), **detail_columns(details)}
    return changed


def _merged(connection: AsyncConnection, details: Mapping[str, object]) -> sa.ColumnElement[Any]:
    """The details there with these on top, computed by the database: two writers of different keys both succeed."""
    patch = sa.literal(json.dumps(dict(details)), sa.String)
    name = "json_patch" if connection.dialect.name == "sqlite" else "json_merge_patch"
    return sa.Function(name, routings.c.details, patch, type_=sa.String())


def _chunks(ids: Iterable[str]) -> list[list[str]]:
    unique = sorted(set(ids))
    return [unique[at : at + _CHUNK] for at in range(0, len(unique), _CHUNK)]


async def _first(connection: AsyncConnection, statement: sa.Select[*tuple[Any, ...]]) -> Routing | None:
    row = (await connection.execute(statement)).first()
    return None if row is None else routing_of(row)


def routing_of(row: sa.Row[*tuple[Any, ...]]) -> Routing:
    """The routing that a row of the table holds."""
    created_at: datetime = row.created_at
    return Routing(
        id=row.id,
        central_id=row.central_id,
        kind=Kind(row.kind),
        pod_id=PodId(row.pod_id),
        project_id=ProjectId(row.project_id),
        pod_resource_id=row.pod_resource_id,
        owner=row.owner,
        revision=row.revision,
        details=row.details,
        resources=row.resources,
        created_at=created_at,
        updated_at=row.updated_at,
    )
