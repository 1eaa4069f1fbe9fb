# SPDX-License-Identifier: Apache-2.0
"""How is work filed, taken, and settled?

Filing only ever appends a row. Taking a key is one transaction: rows that are due are locked (those locked by others
are stepped over), the key's own row is written, and the ids that the run settles are read. What is appended after that
is not among them and runs next. Every way of settling first asks whether the key is still ours; if not, nothing is
written.
"""

import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from tricircle.context import PodId, ProjectId
from tricircle.errors import DatabaseCollisionError, LeaseLostError
from tricircle.jobs.claim import Claim
from tricircle.model.job import EVERY_POD, Ended, Job, JobKey, JobStatus, JobType
from tricircle.store.engine import Connection, Engine, transact, transaction
from tricircle.store.job_history import JobHistory
from tricircle.store.job_keys import JobKeys
from tricircle.store.jobs import JobRows

#: Rows that a claim looks at for each key that it may take: some fold into one key, some are taken by others meanwhile.
_ROWS_PER_KEY = 4
_ROWS_AT_LEAST = 20
#: Lines of history that one transaction of a purge removes.
_PURGE_ROWS = 1000
#: How long the history is kept.
KEEP_S = 7 * 86_400.0
_ABANDONED = "The worker that ran this did not give it back."


class Queue:
    """The queue of all workers, in the database.

    Every method raises ``UnavailableError`` when the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def append(
        self,
        type: JobType,  # noqa: A002 - the word of the table, the record and the interface
        resource_id: str,
        project_id: ProjectId,
        *,
        pod_id: PodId = EVERY_POD,
        revision: int | None = None,
        payload: Mapping[str, object] | None = None,
        delay_s: float = 0,
    ) -> int:
        """File a job, due in ``delay_s`` seconds; the row's id. Equal jobs are folded when they run, not here."""
        key = JobKey(type=type, resource_id=resource_id, pod_id=pod_id)

        async def work(connection: Connection) -> int:
            return await JobRows.append(
                connection, key, project_id, revision=revision, payload=payload or {}, delay_s=delay_s
            )

        return await transact(self._engine, work)

    async def append_once(
        self, key: JobKey, project_id: ProjectId, *, revision: int | None, payload: Mapping[str, object]
    ) -> None:
        """File a job that is due now, unless the same waits for a later time: a pod that is away is not told again.

        Not for jobs beside which an equal one may be withdrawn.
        """

        async def work(connection: Connection) -> None:
            if not await JobRows.is_ahead(connection, key, revision=revision, payload=payload):
                await JobRows.append(connection, key, project_id, revision=revision, payload=payload, delay_s=0)

        await transact(self._engine, work)

    async def withdraw(self, job_id: int) -> None:
        """Remove a job that was filed as a precaution and is not needed any more.

        Meant for one that is not due yet, under a key of its own. One that runs at this moment simply ends.
        """
        await transact(self._engine, lambda connection: JobRows.delete(connection, [job_id]))

    async def claim(
        self,
        owner: str,
        lease_s: float,
        limit: int,
        running: Mapping[PodId, int] | None = None,
        *,
        per_pod: int | None = None,
        types: Collection[JobType] = tuple(JobType),
    ) -> list[Claim]:
        """Take up to ``limit`` keys that are due and that nobody runs, those that have waited longest first.

        Empty when nothing is due, and when another worker won the race for the same keys.

        :param owner: who asks, for operators: host and process
        :param running: how many keys of each pod the asker runs already
        :param per_pod: how many keys of one pod the asker may run at once, these included; jobs for every pod are free
        :param types: what the asker can run; rows of a newer release wait for a newer worker
        """
        load = dict(running or {})
        busy = [pod for pod, count in load.items() if per_pod is not None and pod != EVERY_POD and count >= per_pod]
        rows = max(_ROWS_AT_LEAST, limit * _ROWS_PER_KEY)
        try:
            async with transaction(self._engine) as connection:
                due = await JobRows.due_keys(connection, types=types, busy_pods=busy, limit=rows)
                # Sorted, so that two workers that want the same keys ask for them in the same order.
                wanted = sorted(_with_room(due, load, per_pod, limit))
                return [claim for key in wanted if (claim := await _take(connection, key, owner, lease_s)) is not None]
        except DatabaseCollisionError:
            return []

    async def renew(self, claim: Claim) -> None:
        """Begin the lease's time anew. :raises LeaseLostError: somebody else runs the key now."""
        is_ours = await transact(
            self._engine, lambda c: JobKeys.renew(c, claim.key, claim.token, lease_s=claim.lease_s)
        )
        if not is_ours:
            raise _lost(claim)

    async def finish(self, claim: Claim, *, ran_s: float = 0, report: Mapping[str, object] | None = None) -> None:
        """The run succeeded: remove exactly the rows claimed, write one line of history.

        :param report: what the run says it did, plain JSON, see ``jobs/reports.py``
        :raises LeaseLostError: somebody else runs the key now; nothing was written
        """
        line = replace(_ended(claim, JobStatus.DONE, ran_s), report=report)

        async def work(connection: Connection) -> None:
            await JobRows.delete(connection, claim.ids)
            await _give_back(connection, claim)
            await JobHistory.write(connection, line)

        await transact(self._engine, work)

    async def retry(self, claim: Claim, error: str, delay_s: float, *, is_failure: bool = True) -> None:
        """The run did not succeed: its rows are due again, together, in ``delay_s`` seconds.

        :raises LeaseLostError: somebody else runs the key now; nothing was written
        """
        attempts = claim.attempts + (1 if is_failure else 0)

        async def work(connection: Connection) -> None:
            await JobRows.reschedule(connection, claim.ids, attempts=attempts, error=error, delay_s=delay_s)
            await _give_back(connection, claim)

        await transact(self._engine, work)

    async def fail(self, claim: Claim, error: str, *, ran_s: float = 0) -> None:
        """The run failed for the last time: its rows rest with the error, and history has a line about it.

        :raises LeaseLostError: somebody else runs the key now; nothing was written
        """
        line = replace(_ended(claim, JobStatus.STOPPED, ran_s), error=error)

        async def work(connection: Connection) -> None:
            await JobRows.stop(connection, claim.ids, attempts=claim.attempts + 1, error=error)
            await _give_back(connection, claim)
            await JobHistory.write(connection, line)

        await transact(self._engine, work)

    async def release(self, claim: Claim) -> None:
        """The run was not carried out: its rows are as they were. Fine when the key was lost."""
        await transact(self._engine, lambda c: JobKeys.give_back(c, claim.key, claim.token))

    async def stopped(self, limit: int = 1000) -> list[Job]:
        """Rows whose attempts are used up, oldest first."""
        async with transaction(self._engine) as connection:
            return await JobRows.list(connection, only_stopped=True, limit=limit)

    async def waiting(self, limit: int = 1000) -> list[Job]:
        """All rows, oldest first, those that run now and those that rest included."""
        async with transaction(self._engine) as connection:
            return await JobRows.list(connection, only_stopped=False, limit=limit)

    async def is_waiting(
        self,
        type: JobType,  # noqa: A002 - as in append
        resource_id: str,
        pod_id: PodId | None = None,
    ) -> bool:
        """Whether a job of this type about a resource waits or runs, for this pod or whatever one; given up ones do not
        count."""
        async with transaction(self._engine) as connection:
            return await JobRows.is_waiting(connection, type, resource_id, pod_id)

    async def payload(self, type: JobType, resource_id: str, pod_id: PodId) -> dict[str, object]:  # noqa: A002
        """What jobs of this type about a resource that wait or run for a pod are told, all together."""
        async with transaction(self._engine) as connection:
            return await JobRows.payload(connection, type, resource_id, pod_id)

    async def trouble(self, job_id: int) -> str | None:
        """What the last run of a row that waits said was in its way, as ``<class>: <text>``; None: nothing, or it is
        settled."""
        async with transaction(self._engine) as connection:
            return await JobRows.last_error(connection, job_id)

    async def redo(self, ids: Sequence[int] | None = None) -> int:
        """Give rows whose attempts are used up a fresh start: these, or all; how many."""
        return await transact(self._engine, lambda c: JobRows.redo(c, ids))

    async def purge(self, *, older_s: float = KEEP_S) -> int:
        """Remove old lines of history in small transactions; how many went."""
        total = 0
        while True:
            gone = await transact(self._engine, lambda c: JobHistory.purge(c, older_s=older_s, limit=_PURGE_ROWS))
            total += gone
            if gone < _PURGE_ROWS:
                return total


def _with_room(due: Sequence[JobKey], load: dict[PodId, int], per_pod: int | None, limit: int) -> Iterator[JobKey]:
    """The first ``limit`` keys whose pods are not at their limit, counting those that are taken here."""
    taken = 0
    for key in due:
        count = load.get(key.pod_id, 0)
        is_full = per_pod is not None and key.pod_id != EVERY_POD and count >= per_pod
        if taken < limit and not is_full:
            load[key.pod_id] = count + 1
            taken += 1
            yield key


async def _take(connection: Connection, key: JobKey, owner: str, lease_s: float) -> Claim | None:
    token = secrets.token_hex(16)
    lease = await JobKeys.take(connection, key, owner=owner, token=token, lease_s=lease_s)
    if lease is None:
        return None
    jobs, waited_s = await JobRows.rows_of(connection, key)
    if not jobs:
        # Somebody settled them between our look and our taking.
        await JobKeys.give_back(connection, key, token)
        return None
    if lease.was_abandoned:
        # A run that takes its worker down with it must not go round for ever.
        await JobRows.count_failure(connection, [job.id for job in jobs], _ABANDONED)
        jobs = [replace(job, attempts=job.attempts + 1, last_error=_ABANDONED) for job in jobs]
    return Claim(key=key, jobs=tuple(jobs), token=token, lease_s=lease_s, waited_s=waited_s)


async def _give_back(connection: Connection, claim: Claim) -> None:
    """Last in its transaction: rows first and key then, the order in which a claim locks them."""
    if not await JobKeys.give_back(connection, claim.key, claim.token):
        raise _lost(claim)


def _ended(claim: Claim, status: JobStatus, ran_s: float) -> Ended:
    return Ended(
        key=claim.key,
        project_id=claim.project_id,
        ids=claim.ids,
        status=status,
        attempts=claim.attempts + 1,
        ran_s=ran_s,
    )


def _lost(claim: Claim) -> LeaseLostError:
    return LeaseLostError(f"Another worker runs {claim.key.type.value} {claim.key.resource_id} now.")
