# SPDX-License-Identifier: Apache-2.0
"""Where does a resource live, and under which id?

Pods are the truth for what runs: a routing is an index, and losing one hides nothing. So nothing here says "not found";
None means "nobody wrote it down".
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime

from tricircle.context import PodId, ProjectId
from tricircle.errors import DuplicateRowError
from tricircle.ledger.recent import Recent
from tricircle.model.routing import Kind, Routing, RoutingState
from tricircle.store.engine import Engine, transact, transaction
from tricircle.store.routings import RoutingRows

#: Rows that are read at once where all of a pod are.
_PAGE = 1000


class Routings:
    """Reads and writes of routings, one transaction each.

    Every method raises ``UnavailableError`` when the database does not answer.
    """

    def __init__(self, engine: Engine, *, recent: Recent | None = None) -> None:
        self._engine = engine
        self._recent = Recent() if recent is None else recent

    async def owned(self, kind: Kind, resource_id: str) -> Routing | None:
        """The routing of an owned resource; it may not be bound yet. What is bound is remembered for a minute."""
        known = self._recent.get(kind, resource_id)
        if known is not None:
            return known
        async with transaction(self._engine) as connection:
            found = await RoutingRows.of(connection, kind, resource_id)
        if not found:
            return None
        if found[0].is_bound:
            self._recent.put(found[0])
        return found[0]

    async def copies_of(self, kind: Kind, central_id: str) -> list[Routing]:
        """The routings of a resource in all pods, bound ones first.

        One that is not bound is an attempt under way, or one that died: the pod may hold what nobody wrote down.
        """
        async with transaction(self._engine) as connection:
            return await RoutingRows.of(connection, kind, central_id)

    async def copy_in(self, kind: Kind, central_id: str, pod_id: PodId) -> Routing | None:
        """The routing of a resource in one pod, bound or not."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.in_pod(connection, kind, central_id, pod_id)

    async def record(
        self,
        kind: Kind,
        resource_id: str,
        pod_id: PodId,
        project_id: ProjectId,
        created_at: datetime | None = None,
        details: Mapping[str, object] | None = None,
    ) -> Routing:
        """Write down that an owned resource lives in a pod. Twice does nothing twice.

        :param created_at: what the pod's own listing said; None leaves what is there, or takes the time of writing
        :param details: merged into those there
        :raises ReferencedRowError: there is no such pod
        """
        wanted = Routing(
            id=0,
            central_id=resource_id,
            kind=kind,
            pod_id=pod_id,
            project_id=project_id,
            pod_resource_id=resource_id,
            details=details or {},
            created_at=created_at,
        )
        routing = await transact(self._engine, lambda connection: RoutingRows.record(connection, wanted))
        self._recent.put(routing)
        return routing

    async def update(
        self, routing_id: int, *, details: Mapping[str, object] | None = None, revision: str | None = None
    ) -> bool:
        """Merge details (a value of None removes its key) and set the revision realised. False when the row is gone."""
        self._recent.drop(routing_id)
        return await transact(
            self._engine,
            lambda connection: RoutingRows.update(connection, routing_id, details=details, revision=revision),
        )

    async def forget(self, routing_id: int) -> bool:
        """Remove a routing: the pod said that the resource is gone. False when it was gone already.

        Not for a copy without holding its lease: see ``forget_free``.
        """
        self._recent.drop(routing_id)
        return await transact(self._engine, lambda connection: RoutingRows.delete(connection, routing_id))

    async def forget_free(self, routing_id: int) -> bool:
        """Remove a routing that nobody works on. False when somebody does, or it was gone already."""
        self._recent.drop(routing_id)
        return await transact(self._engine, lambda connection: RoutingRows.delete_free(connection, routing_id))

    async def by_pod_resource(self, pod_id: PodId, kind: Kind, ids: Iterable[str]) -> dict[str, Routing]:
        """The routings of these ids of one pod, by the id in the pod; unknown ids are left out."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.by_pod_resource(connection, pod_id, kind, ids)

    async def by_central(self, kind: Kind, ids: Iterable[str], pod_id: PodId) -> dict[str, Routing]:
        """The bound routings of these central ids in one pod, by central id; unknown ids are left out."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.by_central(connection, kind, ids, pod_id)

    async def in_pod_by_central(self, kind: Kind, ids: Iterable[str], pod_id: PodId) -> dict[str, Routing]:
        """The routings of these central ids in one pod, bound or not, by central id; unknown ids are left out."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.in_pod_by_central(connection, kind, ids, pod_id)

    async def of_project(self, kind: Kind, pod_id: PodId, project_id: ProjectId | None, *, limit: int) -> list[Routing]:
        """Bound routings of one kind in a pod, newest first; of all projects when none is named."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.of_project(connection, kind, pod_id, project_id, limit=limit)

    async def states(self, pod_id: PodId, kind: Kind, *, before: datetime) -> AsyncIterator[list[RoutingState]]:
        """All routings of one kind to a pod, page by page, each page as of its own moment.

        :param before: by the database's clock; rows that were written earlier are ``is_old``
        """
        after = 0
        while True:
            async with transaction(self._engine) as connection:
                page = await RoutingRows.states(connection, pod_id, kind, before=before, after=after, limit=_PAGE)
            if page:
                yield page
            if len(page) < _PAGE:
                return
            after = page[-1].routing.id

    async def suspect(
        self,
        kind: Kind,
        central_id: str,
        pod_id: PodId,
        project_id: ProjectId,
        details: Mapping[str, object] | None = None,
    ) -> bool:
        """Write down that the pod may hold a copy that nobody knows; a job looks. False when there is a row already."""
        row = Routing(
            id=0, central_id=central_id, kind=kind, pod_id=pod_id, project_id=project_id, details=details or {}
        )
        try:
            async with transaction(self._engine) as connection:
                await RoutingRows.insert_attempt(connection, row)
        except DuplicateRowError:
            return False
        return True

    async def now(self) -> datetime:
        """The time by the database's clock."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.moment(connection)

    async def of_pod(self, pod_id: PodId) -> dict[Kind, int]:
        """How many routings of each kind a pod has; kinds without any are left out."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.counts(connection, pod_id)

    async def ports_of_server(self, server_id: str, pod_id: PodId) -> list[Routing]:
        """The ports in a pod whose details name this server, oldest first."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.ports_of_server(connection, server_id, pod_id)

    async def of_reservation(self, reservation_id: str) -> list[Routing]:
        """The servers whose details name this reservation, oldest first."""
        async with transaction(self._engine) as connection:
            return await RoutingRows.of_reservation(connection, reservation_id)
