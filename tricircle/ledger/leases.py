# SPDX-License-Identifier: Apache-2.0
"""Who works on a routing, and until when? The one lock of the house.

Whoever makes a copy in a pod takes its row first: it is inserted, or an unbound one is taken over whose lease was given
back or ran out. A lease cannot stop a *late* call of an owner that was merely slow; natural keys in the pod do. What it
promises: at any instant at most one owner may bind, and who lost the row is told so before writing anything.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tricircle.context import PodId, ProjectId
from tricircle.errors import DatabaseCollisionError, DuplicateRowError, LeaseLostError
from tricircle.model.routing import Kind, Routing
from tricircle.store.engine import Connection, Engine, transact, transaction
from tricircle.store.routing_leases import RoutingLeases
from tricircle.store.routings import RoutingRows

#: How often a race for a row is looked at again before it counts as held.
_ROUNDS = 5
#: What of the caller's words fits beside the mark of one taking.
_OWNER_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A routing row that is ours to work on.

    :ivar owner: as it stands in the row: the caller's words and a mark of this one taking, so that two attempts of one
        process are never mistaken for each other
    :ivar is_new: the row was inserted by this taking, so nobody ever tried before; otherwise an earlier attempt may
        have left something in the pod: look before you create
    """

    routing_id: int
    kind: Kind
    central_id: str
    pod_id: PodId
    project_id: ProjectId
    owner: str
    ttl_s: float
    is_new: bool


class Leases:
    """Takes, renews and ends leases, one transaction each.

    Every method raises ``UnavailableError`` when the database does not answer; a lease then simply runs out.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def take(
        self, kind: Kind, central_id: str, pod_id: PodId, project_id: ProjectId, *, owner: str, ttl_s: float
    ) -> Lease | Routing | None:
        """The lease on an unbound row, which is inserted when there is none.

        A ``Routing`` means: bound already, nothing to create. None means: somebody else is at it; ask again later.

        :param owner: who asks, for operators: process and request
        :raises ReferencedRowError: there is no such pod
        """
        wanted = Lease(
            routing_id=0,
            kind=kind,
            central_id=central_id,
            pod_id=pod_id,
            project_id=project_id,
            owner=f"{owner[:_OWNER_LENGTH]}/{secrets.token_hex(6)}",
            ttl_s=ttl_s,
            is_new=True,
        )
        for _ in range(_ROUNDS):
            try:
                async with transaction(self._engine) as connection:
                    taken, is_settled = await _take(connection, wanted)
            except (DuplicateRowError, DatabaseCollisionError):
                # Somebody inserted or took the row between our look and our write (on Galera: on another node).
                continue
            if is_settled:
                return taken
        return None

    async def hold(self, routing: Routing, *, owner: str, ttl_s: float) -> Lease | None:
        """The lease on a *bound* row, for a change or removal of the copy; None when it is held, gone or not bound."""
        name = f"{owner[:_OWNER_LENGTH]}/{secrets.token_hex(6)}"
        is_taken = await transact(
            self._engine,
            lambda connection: RoutingLeases.seize(connection, routing.id, name, ttl_s=ttl_s, is_bound=True),
        )
        if not is_taken:
            return None
        return Lease(
            routing_id=routing.id,
            kind=routing.kind,
            central_id=routing.central_id,
            pod_id=routing.pod_id,
            project_id=routing.project_id,
            owner=name,
            ttl_s=ttl_s,
            is_new=False,
        )

    async def bind(
        self,
        lease: Lease,
        pod_resource_id: str,
        *,
        revision: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> Routing:
        """Write down the id in the pod, and end the lease. Twice with the same id does nothing twice.

        A lease that ran out, but that nobody took, still binds: what exists in the pod should be known.

        :raises LeaseLostError: the row is somebody else's now, or gone; what was created in the pod will be found by
            the one who has it
        """

        async def work(connection: Connection) -> Routing | None:
            is_ours = await RoutingLeases.bind(
                connection, lease.routing_id, lease.owner, pod_resource_id, details=details, revision=revision
            )
            routing = await RoutingRows.get(connection, lease.routing_id)
            is_same = routing is not None and routing.pod_resource_id == pod_resource_id
            return routing if is_ours or is_same else None

        bound = await transact(self._engine, work)
        if bound is None:
            raise _lost(lease)
        return bound

    async def unbind(self, lease: Lease) -> None:
        """Make a bound row an attempt again while its copy leaves: whoever wants the copy from now on waits for the
        lease, and then looks in the pod. :raises LeaseLostError: the row is somebody else's now, or gone
        """
        is_ours = await transact(
            self._engine, lambda connection: RoutingLeases.unbind(connection, lease.routing_id, lease.owner)
        )
        if not is_ours:
            raise _lost(lease)

    async def renew(self, lease: Lease) -> None:
        """Begin the lease's time anew. :raises LeaseLostError: the row is somebody else's now, or gone."""
        is_ours = await transact(
            self._engine,
            lambda connection: RoutingLeases.renew(connection, lease.routing_id, lease.owner, ttl_s=lease.ttl_s),
        )
        if not is_ours:
            raise _lost(lease)

    async def release(self, lease: Lease) -> None:
        """End the lease; the row stays as it is, so the next one looks in the pod first. Fine when it was lost."""
        await transact(
            self._engine, lambda connection: RoutingLeases.release(connection, lease.routing_id, lease.owner)
        )

    async def drop(self, lease: Lease) -> None:
        """End the lease and remove the row: in the pod there is certainly nothing. Fine when it was lost."""
        await transact(self._engine, lambda connection: RoutingLeases.drop(connection, lease.routing_id, lease.owner))


async def _take(connection: Connection, wanted: Lease) -> tuple[Lease | Routing | None, bool]:
    """One look and at most one write: what came of it, and whether that is final."""
    found = await RoutingLeases.with_lease(connection, wanted.kind, wanted.central_id, wanted.pod_id)
    if found is None:
        fresh = Routing(
            id=0,
            central_id=wanted.central_id,
            kind=wanted.kind,
            pod_id=wanted.pod_id,
            project_id=wanted.project_id,
            owner=wanted.owner,
        )
        routing_id = await RoutingLeases.insert_leased(connection, fresh, ttl_s=wanted.ttl_s)
        return replace(wanted, routing_id=routing_id), True
    routing, is_held = found
    if routing.is_bound:
        return routing, True
    if is_held:
        return None, True
    if await RoutingLeases.seize(connection, routing.id, wanted.owner, ttl_s=wanted.ttl_s, is_bound=False):
        return replace(wanted, routing_id=routing.id, is_new=False), True
    return None, False


def _lost(lease: Lease) -> LeaseLostError:
    return LeaseLostError(f"The lease on the copy of {lease.kind.value} {lease.central_id} was lost.")
