# SPDX-License-Identifier: Apache-2.0
"""What may an operator see of the queue, and do to it?

Whoever touches a row here holds it while it asks whether its key runs, and claims step over rows that are held: so a
job is either claimed or changed, never both. On Galera, where the other node's claim does not see our hold, the run
simply goes on: what was redone runs, what was deleted is told twice in history.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tricircle.errors import ConflictError, InvalidRequestError, NotFoundError
from tricircle.model.job import Ended, JobKey, JobStatus, JobType
from tricircle.model.job_view import Depth, JobFilter, JobView
from tricircle.store.engine import Connection, Engine, transact, transaction
from tricircle.store.job_history import JobHistory
from tricircle.store.job_views import JobViews
from tricircle.store.jobs import JobRows
from tricircle.store.quarantine import QuarantineRows

#: Ids are BIGINT in the tables; a greater number is the id of nothing.
_GREATEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Jobs, newest first, and whether older ones follow."""

    jobs: Sequence[JobView]
    has_more: bool


class Desk:
    """The queue as operators meet it. Every method raises ``UnavailableError`` when the database does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def find(self, wanted: JobFilter, *, marker: int | None = None, limit: int = 1000) -> Page:
        """Jobs older than ``marker``, newest first. :raises InvalidRequestError: the marker is the id of no job."""
        async with transaction(self._engine) as connection:
            if marker is not None and await _look(connection, marker) is None:
                raise InvalidRequestError(f"marker '{marker}' was not found.")
            found = await JobViews.page(connection, wanted, before=marker, limit=limit + 1)
        return Page(jobs=found[:limit], has_more=len(found) > limit)

    async def get(self, job_id: int) -> tuple[JobView, Sequence[JobView]]:
        """A job, and what history says about it, newest first. :raises NotFoundError: there is none."""
        async with transaction(self._engine) as connection:
            view = await _look(connection, job_id)
            if view is None:
                raise _missing(job_id)
            return view, await JobViews.lines(connection, job_id)

    async def redo(self, job_id: int) -> JobView:
        """Give a job that was given up, or that waits after a failure, a fresh start now; the job as it is then.

        :raises NotFoundError: there is none
        :raises ConflictError: it runs, has ended, or has not had its first run yet
        """

        async def work(connection: Connection) -> JobView:
            # Looked at first, since who claims it now may hold the row for a moment; and again when we have it: what
            # was claimed in between is settled by that run, whatever we write. (A run that began in the very moment in
            # which we got the row does not settle it. Then it is still here when that ends.)
            _check_rests(await JobViews.live(connection, job_id))
            view = await JobViews.live(connection, job_id, is_locked=True)
            if view is None:
                raise await _gone(connection, job_id, "It cannot run again; file a new one.")
            _check_rests(view)
            if view.status is JobStatus.WAITING and view.error is None:
                # Some are filed in advance for what may go wrong, and would do harm if they came too early.
                raise ConflictError(f"Job {job_id} waits for its first run, which comes by itself when it is due.")
            await JobRows.restart(connection, job_id)
            changed = await JobViews.live(connection, job_id)
            return changed or view

        return await transact(self._engine, work)

    async def delete(self, job_id: int) -> None:
        """Remove a job: from the queue, with a line in history that says so, or its lines from history.

        :raises NotFoundError: there is none
        :raises ConflictError: it runs, was settled together with another one, or keeps addresses in quarantine
        """

        async def work(connection: Connection) -> None:
            view = await JobViews.live(connection, job_id, is_locked=True)
            if view is None:
                await _forget(connection, job_id)
                return
            _check_rests(view)
            if view.type not in list(JobType):
                raise ConflictError(f"Job {job_id} is of a type that only a newer release knows: {view.type}.")
            if view.type == JobType.ADDRESS_GROUP and await QuarantineRows.rests_on(
                connection, view.resource_id, view.pod_id
            ):
                raise ConflictError(
                    f"Job {job_id} keeps back addresses that servers in a pod may still let in. It ends when the pod "
                    "has let go of them, or is removed."
                )
            await JobRows.delete(connection, [job_id])
            await JobHistory.write(connection, _deleted(view))

        await transact(self._engine, work)

    async def depths(self) -> list[Depth]:
        """The queue in numbers, by type."""
        async with transaction(self._engine) as connection:
            return await JobViews.depths(connection)


def _check_rests(view: JobView | None) -> None:
    """:raises ConflictError: it runs"""
    if view is not None and view.status is JobStatus.RUNNING:
        raise ConflictError(f"Job {view.id} is running. Wait for its end.")


async def _look(connection: Connection, job_id: int) -> JobView | None:
    """A job of the queue, or else of history."""
    if not 0 < job_id <= _GREATEST_ID:
        return None
    return await JobViews.live(connection, job_id) or await JobViews.ended(connection, job_id)


async def _gone(connection: Connection, job_id: int, advice: str) -> NotFoundError | ConflictError:
    """Why a job that is not in the queue cannot be had."""
    view = await _look(connection, job_id)
    if view is None:
        return _missing(job_id)
    together = f", together with job {view.folded_into}" if view.folded_into else ""
    return ConflictError(f"Job {job_id} is {view.status.value}{together}. {advice}")


async def _forget(connection: Connection, job_id: int) -> None:
    view = await _look(connection, job_id)
    if view is None:
        raise _missing(job_id)
    if view.folded_into is not None:
        raise ConflictError(f"Job {job_id} was settled together with job {view.folded_into}; delete that one.")
    await JobHistory.forget(connection, job_id)


def _deleted(view: JobView) -> Ended:
    return Ended(
        key=JobKey(type=JobType(view.type), resource_id=view.resource_id, pod_id=view.pod_id),
        project_id=view.project_id,
        ids=(view.id,),
        status=JobStatus.DELETED,
        attempts=view.attempts,
        error=view.error,
    )


def _missing(job_id: int) -> NotFoundError:
    return NotFoundError(f"Job {job_id} could not be found.")
