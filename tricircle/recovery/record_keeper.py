# SPDX-License-Identifier: Apache-2.0
"""How do the findings of a recovery reach the books?

In portions, each in a transaction of its own. Twice writes nothing twice; a rehearsal only counts.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from tricircle.context import ProjectId
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.recovery.facts import Fact, merged
from tricircle.recovery.holds import Hold
from tricircle.recovery.report import Did, Report
from tricircle.store import restoration
from tricircle.store.engine import Connection, Engine, transact, transaction
from tricircle.store.routings import RoutingRows

#: Rows per transaction: far below its time, and little to do again after an interruption.
_PORTION = 200


class RecordKeeper:
    """Writes routings and files jobs.

    :param since: nothing that was written later is ever removed (the database's clock)
    """

    def __init__(self, engine: Engine, queue: Queue, report: Report, *, since: datetime, is_rehearsal: bool) -> None:
        self._engine = engine
        self._queue = queue
        self._report = report
        self._since = since
        self.is_rehearsal = is_rehearsal

    async def put(self, pod: Pod, kind: Kind, facts: Iterable[Fact]) -> None:
        """Write what the facts say where the rows do not, and file the jobs of copies that have to be compared."""
        ordered = list(facts)
        for at in range(0, len(ordered), _PORTION):
            portion = ordered[at : at + _PORTION]
            ids = [fact.routing.central_id for fact in portion]
            async with transaction(self._engine) as connection:
                there = await RoutingRows.in_pod_by_central(connection, kind, ids, pod.id)
            wanted = [
                routing for fact in portion if (routing := merged(there.get(fact.routing.central_id), fact)) is not None
            ]
            await self._write(wanted)
            self._report.count(pod.name, kind, Did.WRITTEN, len(wanted))
            self._report.count(pod.name, kind, Did.KEPT, len(portion) - len(wanted))
            for fact in portion:
                if fact.job is not None:
                    await self.file(pod, fact.job, fact.routing.central_id, fact.routing.project_id)

    async def prune(self, pod: Pod, kind: Kind, *, known: Collection[str], there: Collection[str]) -> None:
        """Remove rows of what the pod does not have.

        :param known: central ids that stay
        :param there: ids of all that the pod has of the kind; a row of one of them stays
        """
        async with transaction(self._engine) as connection:
            written = await restoration.written_before(connection, pod.id, kind, self._since)
        gone = [row.routing_id for row in written if row.central_id not in known and row.pod_resource_id not in there]
        self._report.count(pod.name, kind, Did.REMOVED, len(gone))
        if self.is_rehearsal:
            return
        for at in range(0, len(gone), _PORTION):
            portion = gone[at : at + _PORTION]
            await transact(self._engine, lambda connection, ids=portion: restoration.forget(connection, ids))  # type: ignore[misc]

    async def file(
        self,
        pod: Pod,
        job: JobType,
        resource_id: str,
        project_id: ProjectId,
        payload: dict[str, object] | None = None,
    ) -> None:
        """File a job for one pod. Equal ones are folded when they run."""
        self._report.count(pod.name, f"job {job}", Did.FILED)
        if not self.is_rehearsal:
            await self._queue.append(job, resource_id, project_id, pod_id=pod.id, payload=payload or {})

    async def hold(self, pod: Pod, wanted: Sequence[Hold]) -> None:
        """Keep identifiers from being given out."""
        for at in range(0, len(wanted), _PORTION):
            portion = wanted[at : at + _PORTION]
            for one in portion:
                left = one.left
                self._report.count(pod.name, f"held {left.what}", Did.WRITTEN)
                self._report.note(
                    f"Pod {pod.name}: the {left.what} {left.value} is not given out at the centre: it is {one.why}."
                )
            if not self.is_rehearsal:
                rows = [(one.left, one.revision) for one in portion]
                await transact(self._engine, lambda connection, rows=rows: restoration.hold(connection, rows))  # type: ignore[misc]

    async def release(self, network_id: str, values: Collection[str]) -> None:
        """Let an original that is being made have addresses and MAC that were held for want of it."""
        await transact(self._engine, lambda connection: restoration.release(connection, network_id, values))

    async def _write(self, wanted: Sequence[Routing]) -> None:
        if not wanted or self.is_rehearsal:
            return

        async def work(connection: Connection) -> None:
            await restoration.write(connection, wanted)

        await transact(self._engine, work)
