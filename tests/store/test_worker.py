# SPDX-License-Identifier: Apache-2.0
"""Does a worker carry out what is filed, once, and end every kind of run as it should?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests import mariadb
from tests.unit.servers import speaking, target
from tricircle.conf.settings import DatabaseSettings, UpstreamSettings, WorkerSettings
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.errors import RetryLaterError, UnavailableError
from tricircle.jobs.queue import Queue
from tricircle.jobs.worker import Body, JobRun, Worker
from tricircle.model.job import Job, JobType
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.tables import job_history, job_keys, jobs, metadata
from tricircle.upstream.client import Clients
from tricircle.upstream.pool import Pools

pytestmark = pytest.mark.mariadb

_DEMO = ProjectId("demo")
_SETTINGS = WorkerSettings(concurrency=4, per_pod=2, lease_s=30, poll_s=0.02, retry_s=0.01, stop_timeout_s=5)


@pytest.fixture
def queue(engine: Engine) -> Queue:
    """A queue on an empty table."""
    return Queue(engine)


async def _file(queue: Queue, resource_id: str = "net1", pod: str = "") -> int:
    return await queue.append(JobType.NETWORK, resource_id, _DEMO, pod_id=PodId(pod), revision=1, payload={"k": "v"})


@asynccontextmanager
async def _working(queue: Queue, body: Body, settings: WorkerSettings = _SETTINGS) -> AsyncIterator[Worker]:
    worker = Worker(queue, {JobType.NETWORK: body}, settings)
    task = asyncio.ensure_future(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def _until(condition: Callable[[], Awaitable[bool]], *, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.01)


def _is_empty(queue: Queue) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return not await queue.waiting()

    return look


async def _only(queue: Queue) -> Job:
    (job,) = await queue.waiting()
    return job


async def test_what_is_filed_is_carried_out(queue: Queue) -> None:
    seen: list[JobRun] = []

    async def body(run: JobRun) -> None:
        seen.append(run)

    await _file(queue)
    await _file(queue)
    await _file(queue, "net2", "pod1")
    async with _working(queue, body):
        await _until(_is_empty(queue))
    by_id = {run.resource_id: run for run in seen}
    assert len(seen) == 2
    assert by_id["net2"].pod_id == "pod1"
    one = by_id["net1"]
    assert (one.type, one.pod_id, one.project_id, one.revision) == (JobType.NETWORK, "", "demo", 1)
    assert one.payload == {"k": "v"}
    assert 100 < one.deadline.remaining_s() <= 120


async def test_two_workers_never_run_one_key_twice_at_once(queue: Queue) -> None:
    active: set[str] = set()
    runs = 0

    async def body(run: JobRun) -> None:
        nonlocal runs
        assert run.resource_id not in active
        active.add(run.resource_id)
        await asyncio.sleep(0.005)
        active.discard(run.resource_id)
        runs += 1

    async with _working(queue, body), _working(queue, body):
        for number in range(60):
            await _file(queue, f"net{number % 3}")
        await _until(_is_empty(queue))
    assert 3 <= runs <= 60
    assert await queue.stopped() == []


async def test_no_more_runs_at_once_than_allowed(queue: Queue) -> None:
    active: dict[str, int] = {}
    most: dict[str, int] = {}

    async def body(run: JobRun) -> None:
        for name in (run.pod_id, "all"):
            active[name] = active.get(name, 0) + 1
            most[name] = max(most.get(name, 0), active[name])
        await asyncio.sleep(0.02)
        for name in (run.pod_id, "all"):
            active[name] -= 1

    for number in range(10):
        await _file(queue, f"net{number}", "pod1")
    for number in range(10):
        await _file(queue, f"net{number}", "pod2")
    async with _working(queue, body):
        await _until(_is_empty(queue))
    assert most["pod1"] == most["pod2"] == 2
    assert most["all"] == 4


async def test_a_pod_that_hangs_does_not_hold_up_the_others(queue: Queue) -> None:
    others = 0

    async def body(run: JobRun) -> None:
        nonlocal others
        if run.pod_id == "pod1":
            await asyncio.Event().wait()
        others += 1

    for number in range(6):
        await _file(queue, f"net{number}", "pod1")
    for number in range(6):
        await _file(queue, f"net{number}", "pod2")
    async with _working(queue, body, replace(_SETTINGS, stop_timeout_s=0)):

        async def all_others() -> bool:
            return others == 6

        await _until(all_others)
    assert len(await queue.waiting()) == 6


async def test_a_failure_is_repeated_then_kept_with_its_error(queue: Queue) -> None:
    runs = 0

    async def body(run: JobRun) -> None:
        nonlocal runs
        runs += 1
        raise ValueError("no such thing")

    await _file(queue)
    async with _working(queue, body, replace(_SETTINGS, max_attempts=3)):

        async def given_up() -> bool:
            return bool(await queue.stopped())

        await _until(given_up)
    assert runs == 3
    job = await _only(queue)
    assert (job.attempts, job.last_error) == (3, "ValueError: no such thing")


@pytest.mark.parametrize("error", [RetryLaterError("not yet", after_s=0.01), UnavailableError("the pod is away")])
async def test_what_is_nobodys_fault_is_not_counted(queue: Queue, error: Exception) -> None:
    runs = 0

    async def body(run: JobRun) -> None:
        nonlocal runs
        runs += 1
        if runs <= 4:
            raise error

    await _file(queue)
    async with _working(queue, body, replace(_SETTINGS, max_attempts=2, retry_max_s=0.05)):
        await _until(_is_empty(queue))
    assert runs == 5


async def test_a_body_that_does_not_end_is_cut_short(queue: Queue) -> None:
    """One that waits for nobody else: soon after its deadline, so that calls to others have ended before."""
    cancelled = 0

    async def body(run: JobRun) -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert run.deadline.remaining_s() == 0
            cancelled += 1
            raise

    await _file(queue)
    async with _working(queue, body, replace(_SETTINGS, job_deadline_s=0.1, max_attempts=2)):

        async def given_up() -> bool:
            return bool(await queue.stopped())

        await _until(given_up)
    assert cancelled == 2
    assert (await _only(queue)).last_error == "TimeoutError: did not end within 0.1 s"


async def test_a_service_that_never_answers_is_an_outage(queue: Queue) -> None:
    """It accepts calls, and that is all: the breaker opens, the job waits and no attempt is counted."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    class Tokens:
        async def token(self, deadline: Deadline) -> str:
            return "token"

    async with speaking(talk) as port:
        pools = Pools(UpstreamSettings(breaker_failures=2, breaker_probe_s=60))
        pod = target(port)

        async def body(run: JobRun) -> None:
            await Clients(pools, Tokens()).as_service(pod).put("/v2.0/ports/p", body={}, deadline=run.deadline)

        await _file(queue)
        settings = replace(_SETTINGS, job_deadline_s=0.3, max_attempts=2, retry_max_s=0.05)
        async with _working(queue, body, settings):

            async def opened() -> bool:
                return pools.is_open(pod)

            await _until(opened)

            async def refused() -> bool:
                return "cannot be reached" in str((await _only(queue)).last_error)

            await _until(refused)
        await pools.close()
    assert (await _only(queue)).attempts == 0
    assert await queue.stopped() == []


async def test_a_stopping_worker_lets_its_runs_end(queue: Queue) -> None:
    started, ended = asyncio.Event(), 0

    async def body(run: JobRun) -> None:
        nonlocal ended
        started.set()
        await asyncio.sleep(0.2)
        ended += 1

    await _file(queue)
    async with _working(queue, body) as worker:
        await started.wait()
        await _file(queue, "net2")
        worker.stop()
    assert ended == 1
    assert (await _only(queue)).resource_id == "net2"


async def test_after_the_grace_runs_are_interrupted_and_given_back(engine: Engine, queue: Queue) -> None:
    started = asyncio.Event()

    async def body(run: JobRun) -> None:
        started.set()
        await asyncio.Event().wait()

    await _file(queue)
    async with _working(queue, body, replace(_SETTINGS, stop_timeout_s=0.1)) as worker:
        await started.wait()
        assert [key.resource_id for key in worker.running] == ["net1"]
    assert worker.running == ()
    (claim,) = await queue.claim("another", 30, 10)
    assert claim.attempts == 0
    async with transaction(engine) as connection:
        owners = (await connection.execute(sa.select(job_keys.c.owner))).scalars().all()
    assert owners == ["another"]


async def test_a_long_run_keeps_its_key(engine: Engine, queue: Queue) -> None:
    started, go_on, runs = asyncio.Event(), asyncio.Event(), 0

    async def body(run: JobRun) -> None:
        nonlocal runs
        runs += 1
        started.set()
        await go_on.wait()

    async def lease_until() -> datetime:
        async with transaction(engine) as connection:
            found: datetime = (await connection.execute(sa.select(job_keys.c.lease_until))).scalar_one()
            return found

    settings = replace(_SETTINGS, lease_s=3)
    await _file(queue)
    async with _working(queue, body, settings), _working(queue, body, settings):
        await started.wait()
        first = await lease_until()

        async def is_longer_than_granted() -> bool:
            return await lease_until() > first + timedelta(seconds=1.5)

        await _until(is_longer_than_granted)
        go_on.set()
        await _until(_is_empty(queue))
    assert runs == 1


async def test_a_run_that_lost_its_key_is_cut_short_and_writes_nothing(engine: Engine, queue: Queue) -> None:
    started, cut = asyncio.Event(), asyncio.Event()

    async def body(run: JobRun) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    await _file(queue)
    async with _working(queue, body, replace(_SETTINGS, lease_s=0.6)):
        await started.wait()
        async with transaction(engine) as connection:
            await connection.execute(
                sa.update(job_keys).values(owner="thief", token="stolen", lease_until=now_plus(60))
            )
        await asyncio.wait_for(cut.wait(), 5)
    job = await _only(queue)
    assert job.attempts == 0
    async with transaction(engine) as connection:
        assert (await connection.execute(sa.select(job_keys.c.owner))).scalar_one() == "thief"


async def test_the_jobs_of_a_dead_worker_are_taken_over(engine: Engine, queue: Queue) -> None:
    await _file(queue)
    (dead,) = await queue.claim("dead", 0.2, 10)
    done: list[JobRun] = []

    async def body(run: JobRun) -> None:
        done.append(run)

    async with _working(queue, body):
        await _until(_is_empty(queue))
    assert [run.resource_id for run in done] == [dead.key.resource_id]


async def test_a_job_that_takes_its_workers_down_is_given_up(engine: Engine, queue: Queue) -> None:
    await _file(queue)
    async with transaction(engine) as connection:
        await connection.execute(sa.update(jobs).values(attempts=2))
    await queue.claim("dead", 0.0, 10)

    async def body(run: JobRun) -> None:
        raise AssertionError("must not run again")

    async with _working(queue, body, replace(_SETTINGS, max_attempts=3)):

        async def given_up() -> bool:
            return bool(await queue.stopped())

        await _until(given_up)
    assert "did not give it back" in str((await _only(queue)).last_error)


async def test_a_database_that_goes_and_comes_is_waited_for(tmp_path: Path) -> None:
    with mariadb.server(tmp_path) as own:
        own.run("CREATE DATABASE own")
        engine = create_engine(DatabaseSettings(connection=own.url("own")))
        async with transaction(engine, within_s=60) as connection:
            await connection.run_sync(metadata.create_all)
        queue = Queue(engine)
        runs: list[str] = []
        started, go_on = asyncio.Event(), asyncio.Event()

        async def body(run: JobRun) -> None:
            runs.append(run.resource_id)
            started.set()
            await go_on.wait()

        await _file(queue)
        async with _working(queue, body, replace(_SETTINGS, lease_s=300)):
            await started.wait()
            await asyncio.to_thread(own.stop)
            go_on.set()
            await asyncio.to_thread(own.start)
            await _file(queue, "net2")
            await _until(_is_empty(queue))
        assert runs == ["net1", "net2"], "the outcome of the first run was written when the database was back"
        await engine.dispose()


async def test_nothing_that_a_claim_meets_ends_the_worker(
    engine: Engine, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    """Here: somebody has taken a table away for a moment, which is no outage that anybody thought of."""
    done: list[str] = []

    async def body(run: JobRun) -> None:
        done.append(run.resource_id)

    async def rename(name: str, to: str) -> None:
        async with transaction(engine, within_s=60) as connection:
            await connection.execute(sa.text(f"RENAME TABLE {name} TO {to}"))

    await rename("tricircle_jobs", "away")
    async with _working(queue, body) as worker:

        async def said() -> bool:
            return "no jobs can be claimed for now" in caplog.text

        await _until(said)
        assert worker.condition() == (True, "waiting for the database")
        await rename("away", "tricircle_jobs")
        await _file(queue)
        await _until(_is_empty(queue))
        assert worker.condition() == (True, "ok")
    assert done == ["net1"]


async def test_chores_are_done_and_may_fail(queue: Queue) -> None:
    done = 0

    async def broken() -> None:
        raise ValueError("broken chore")

    async def chore() -> None:
        nonlocal done
        done += 1

    bodies: Mapping[JobType, Body] = {}
    worker = Worker(queue, bodies, _SETTINGS, chores=(broken, chore), tidy_s=0.01)
    task = asyncio.ensure_future(worker.run())

    async def twice() -> bool:
        return done >= 2

    await _until(twice)
    worker.stop()
    await task


async def _history(engine: Engine) -> list[sa.Row[tuple[object, ...]]]:
    async with transaction(engine) as connection:
        return list((await connection.execute(sa.select(job_history).order_by(job_history.c.id))).all())


async def test_what_a_run_reports_is_in_history(engine: Engine, queue: Queue) -> None:
    async def body(run: JobRun) -> Mapping[str, object] | None:
        if run.resource_id == "quiet":
            return None
        return {"found": 3, "pods": ["Pod1"], "key": run.type, "odd": {1}, "long": "x" * 100_000}

    await _file(queue, "talks")
    await _file(queue, "quiet")
    async with _working(queue, body):
        await _until(_is_empty(queue))
    reports = {line.resource_id: line.report for line in await _history(engine)}
    assert reports["quiet"] is None
    assert reports["talks"] == {"found": 3, "pods": ["Pod1"], "key": "network", "odd": "{1}", "left_out": ["long"]}


async def test_a_job_that_is_given_up_has_a_line_in_history(engine: Engine, queue: Queue) -> None:
    async def body(run: JobRun) -> None:
        raise ValueError("no such thing")

    job_id = await _file(queue)
    async with _working(queue, body, replace(_SETTINGS, max_attempts=1)):

        async def given_up() -> bool:
            return bool(await queue.stopped())

        await _until(given_up)
    (line,) = await _history(engine)
    assert (line.job_id, line.folded, line.status, line.attempts) == (job_id, None, "stopped", 1)
    assert line.error == "ValueError: no such thing"
    assert line.started_at <= line.finished_at
