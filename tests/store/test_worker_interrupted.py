# SPDX-License-Identifier: Apache-2.0
"""Is a change during a run seen, and a lease that cannot be renewed given up in time?

What holds up a renewal here is a transaction that has the key's row locked: to the worker it is a database that does
not answer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from time import monotonic

import pytest
import sqlalchemy as sa

from tests.store.test_worker import _SETTINGS
from tricircle.conf.settings import WorkerSettings
from tricircle.context import ProjectId
from tricircle.errors import RetryLaterError
from tricircle.jobs.desk import Desk
from tricircle.jobs.queue import Queue
from tricircle.jobs.worker import Body, JobRun, Worker
from tricircle.model.job import JobStatus, JobType
from tricircle.model.job_view import JobFilter
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, transaction
from tricircle.store.tables import job_keys

pytestmark = pytest.mark.mariadb

_DEMO = ProjectId("demo")


@pytest.fixture
def queue(engine: Engine) -> Queue:
    """A queue on an empty table."""
    return Queue(engine)


@asynccontextmanager
async def _working(queue: Queue, body: Body, settings: WorkerSettings = _SETTINGS) -> AsyncIterator[Worker]:
    worker = Worker(queue, {JobType.NETWORK: body}, settings)
    task = asyncio.ensure_future(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)


def _is_empty(queue: Queue) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return not await queue.waiting()

    return look


async def _lease_until(engine: Engine) -> datetime:
    async with transaction(engine) as connection:
        found: datetime = (await connection.execute(sa.select(job_keys.c.lease_until))).scalar_one()
        return found


async def test_an_object_that_changes_during_a_run_is_looked_at_again(queue: Queue) -> None:
    """The run that had read the old state ends well, and yet its end does not count for the change."""
    centre, pod = "old", ""
    has_read, may_write = asyncio.Event(), asyncio.Event()

    async def body(run: JobRun) -> None:
        nonlocal pod
        read = centre
        has_read.set()
        await may_write.wait()
        pod = read

    await queue.append(JobType.NETWORK, "net1", _DEMO, revision=1)
    async with _working(queue, body):
        await has_read.wait()
        centre = "new"
        await queue.append(JobType.NETWORK, "net1", _DEMO, revision=2)
        may_write.set()
        await _until(_is_empty(queue))
    assert pod == "new"


async def test_a_read_that_is_older_than_the_change_is_not_believed(queue: Queue) -> None:
    """What bodies do with the revision: one that reads an older one asks to run later, until the centre tells."""
    answers = iter((1, 1, 2))
    believed: list[int] = []

    async def body(run: JobRun) -> None:
        revision = next(answers)
        if revision < (run.revision or 0):
            raise RetryLaterError("The centre is behind.", after_s=0.01)
        believed.append(revision)

    await queue.append(JobType.NETWORK, "net1", _DEMO, revision=2)
    await queue.append(JobType.NETWORK, "net1", _DEMO, revision=1)
    async with _working(queue, body):
        await _until(_is_empty(queue))
    assert believed == [2]


async def test_a_renewal_that_is_late_but_in_time_saves_the_run(engine: Engine, queue: Queue) -> None:
    started, go_on, runs = asyncio.Event(), asyncio.Event(), 0

    async def body(run: JobRun) -> None:
        nonlocal runs
        runs += 1
        started.set()
        await go_on.wait()

    await queue.append(JobType.NETWORK, "net1", _DEMO)
    async with _working(queue, body, replace(_SETTINGS, lease_s=6)):
        await started.wait()
        first = await _lease_until(engine)
        async with transaction(engine, within_s=30) as holder:
            await holder.execute(sa.select(job_keys).with_for_update())
            # The first renewal is due after two seconds and cannot come through.
            await asyncio.sleep(2.5)

        async def is_renewed() -> bool:
            return await _lease_until(engine) > first

        await _until(is_renewed)
        go_on.set()
        await _until(_is_empty(queue))
    assert runs == 1


async def test_a_run_ends_before_a_lease_that_cannot_be_renewed(engine: Engine, queue: Queue) -> None:
    """Nobody can have taken the key over while the body was still at work."""
    started, ended_at, runs = asyncio.Event(), 0.0, 0

    async def body(run: JobRun) -> None:
        nonlocal ended_at, runs
        runs += 1
        started.set()
        if runs > 1:
            return
        try:
            await asyncio.Event().wait()
        finally:
            ended_at = monotonic()

    await queue.append(JobType.NETWORK, "net1", _DEMO)
    filed_at = monotonic()
    async with _working(queue, body, replace(_SETTINGS, lease_s=1.5)):
        await started.wait()
        began_at = monotonic()
        async with transaction(engine, within_s=30) as holder:
            await holder.execute(sa.select(job_keys).with_for_update())

            async def is_cut() -> bool:
                return ended_at > 0

            await _until(is_cut)
        assert 0 < ended_at - filed_at < 1.5 + (began_at - filed_at)
        assert runs == 1
        await _until(_is_empty(queue))
    assert runs == 2, "its jobs were taken over and run again"
    (job,) = (await Desk(engine).find(JobFilter())).jobs
    assert (job.status, job.attempts) == (JobStatus.DONE, 2), "one attempt was abandoned"


async def test_a_worker_that_slept_past_its_lease_writes_nothing(engine: Engine, queue: Queue) -> None:
    """A machine that was suspended: the body ends, but the key has been another's for long."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def body(run: JobRun) -> None:
        started.set()
        await go_on.wait()

    job_id = await queue.append(JobType.NETWORK, "net1", _DEMO)
    # A poll of its own could take the key back before the heir comes.
    async with _working(queue, body, replace(_SETTINGS, lease_s=60, concurrency=1)):
        await started.wait()
        async with transaction(engine) as connection:
            await connection.execute(sa.update(job_keys).values(lease_until=now_plus(-1)))
        (heir,) = await queue.claim("heir", 60, 1)
        go_on.set()

    assert [job.id for job in await queue.waiting()] == [job_id]
    view, lines = await Desk(engine).get(job_id)
    assert (view.status, view.owner, list(lines)) == (JobStatus.RUNNING, "heir", [])
    await queue.finish(heir)
