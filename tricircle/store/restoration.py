# SPDX-License-Identifier: Apache-2.0
"""How are records written back that were lost, and removed that speak of what is no more?

Used by a recovery only: it knows better than the rows, so it writes over what they say. Leases are never touched.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tricircle.context import PodId
from tricircle.model.quarantine import Left
from tricircle.model.routing import Kind, Routing
from tricircle.store.bindings import BindingRows
from tricircle.store.clock import now
from tricircle.store.pods import PodRows
from tricircle.store.routings import RoutingRows, detail_columns
from tricircle.store.tables import job_keys, quarantine, routings
from tricircle.store.upsert import upsert

_KEY = ("central_id", "kind", "pod_id")


async def write(connection: AsyncConnection, wanted: Sequence[Routing]) -> None:
    """Write routings as they are given: details and revision replace what is there; id, owner and times do not."""
    for routing in wanted:
        changed = {
            "project_id": routing.project_id,
            "pod_resource_id": routing.pod_resource_id,
            "revision": routing.revision,
            "server_id": None,
            **detail_columns(routing.details),
            "details": dict(routing.details),
        }
        fresh: dict[str, object] = {
            "central_id": routing.central_id,
            "kind": routing.kind.value,
            "pod_id": routing.pod_id,
        }
        if routing.created_at is not None:
            fresh["created_at"] = routing.created_at
            fresh["updated_at"] = now()  # the pod's clock may be wrong
        await upsert(
            connection,
            routings,
            {**fresh, **changed},
            keys=_KEY,
            changes=lambda _brought, changed=changed: {**changed, "updated_at": now()},  # type: ignore[misc]
        )


async def leases(connection: AsyncConnection) -> int:
    """How many leases run, on routings and on keys of jobs: signs of gateways and workers that are not stopped."""
    tables = (routings, job_keys)
    counts = [sa.select(sa.func.count()).select_from(one).where(one.c.lease_until >= now()) for one in tables]
    return sum([(await connection.execute(count)).scalar_one() for count in counts])


@dataclass(frozen=True, slots=True)
class Written:
    """What a routing connects; ``pod_resource_id`` is None when it is not bound."""

    routing_id: int
    central_id: str
    pod_resource_id: str | None


async def written_before(
    connection: AsyncConnection, pod_id: PodId, kind: Kind, instant: datetime
) -> Sequence[Written]:
    """The routings of a kind that were written before ``instant`` (the database's clock), and are not leased."""
    is_free = sa.or_(routings.c.owner.is_(None), routings.c.lease_until < now())
    columns = (routings.c.id, routings.c.central_id, routings.c.pod_resource_id)
    written_at = sa.func.coalesce(routings.c.updated_at, routings.c.created_at)
    statement = sa.select(*columns).where(
        routings.c.pod_id == pod_id, routings.c.kind == kind.value, written_at < instant, is_free
    )
    return [Written(row.id, row.central_id, row.pod_resource_id) for row in await connection.execute(statement)]


async def forget(connection: AsyncConnection, routing_ids: Sequence[int]) -> None:
    """Remove routings on which nobody works."""
    for routing_id in routing_ids:
        await RoutingRows.delete_free(connection, routing_id)


async def forget_pod(connection: AsyncConnection, pod_id: PodId) -> None:
    """Remove a pod that has been registered anew under another id, with all that is written down of it."""
    await RoutingRows.delete_of_pod(connection, pod_id, tuple(Kind))
    await BindingRows.delete_of_pod(connection, pod_id)
    await PodRows.delete(connection, pod_id)


async def hold(connection: AsyncConnection, wanted: Sequence[tuple[Left, int | None]]) -> None:
    """Put identifiers into quarantine, each with the revision of the original without it; what is there already stays
    once."""
    columns = quarantine.c
    for left, revision in wanted:
        values = {
            "what": left.what.value,
            "scope": left.scope,
            "value": left.value,
            "kind": left.kind.value,
            "central_id": left.central_id,
        }
        same = [columns[name] == value for name, value in values.items()]
        if (await connection.execute(sa.select(columns.id).where(*same).limit(1))).first() is None:
            await connection.execute(sa.insert(quarantine).values(revision=revision, **values))


async def release(connection: AsyncConnection, network_id: str, values: Collection[str]) -> None:
    """Let go of addresses and MACs that an earlier recovery held in a network for want of an original.

    Only what subnet or network hold: what an original or a copy of it has let go of goes on waiting.
    """
    columns = quarantine.c
    statement = sa.delete(quarantine).where(
        columns.scope == network_id,
        columns.value.in_(sorted(values)),
        columns.kind.in_((Kind.SUBNET.value, Kind.NETWORK.value)),
    )
    await connection.execute(statement)
