# SPDX-License-Identifier: Apache-2.0
"""Does the queue keep its promises when operators, late commits, dead workers and purges meet a claim?"""

import asyncio
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from tests import mariadb
from tricircle.context import ProjectId
from tricircle.errors import ConflictError, LeaseLostError
from tricircle.jobs.claim import Claim
from tricircle.jobs.desk import Desk
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobKey, JobStatus, JobType
from tricircle.model.job_view import JobFilter
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, transaction
from tricircle.store.job_keys import JobKeys
from tricircle.store.job_views import JobViews
from tricircle.store.jobs import JobRows
from tricircle.store.tables import job_history, job_keys, jobs

pytestmark = pytest.mark.mariadb

_DEMO = ProjectId("demo")
_ALL = JobFilter()


@pytest.fixture
def queue(engine: Engine) -> Queue:
    """A queue on an empty table."""
    return Queue(engine)


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """What operators have of it."""
    return Desk(engine)


@pytest.fixture
def foreign(server: mariadb.Server, database: str, engine: Engine) -> Iterator[sa.Engine]:
    """The database as the central Neutron uses it: PyMySQL, REPEATABLE READ."""
    other = sa.create_engine(server.url(database, "mysql+pymysql"))
    yield other
    other.dispose()


async def _file(queue: Queue, resource_id: str = "net1", *, delay_s: float = 0) -> int:
    return await queue.append(JobType.NETWORK, resource_id, _DEMO, delay_s=delay_s)


async def _claims(queue: Queue, owner: str = "w1") -> list[Claim]:
    return await queue.claim(owner, 30, 10)


async def _one(queue: Queue, owner: str = "w1") -> Claim:
    (claim,) = await _claims(queue, owner)
    return claim


async def _history(engine: Engine) -> list[tuple[int, str]]:
    async with transaction(engine) as connection:
        rows = await connection.execute(sa.select(job_history.c.job_id, job_history.c.status))
        return [(row.job_id, row.status) for row in rows]


def _append(session: orm.Session) -> int:
    key = session.execute(
        jobs.insert().values(type="network", resource_id="net1", project_id="demo", revision=1)
    ).inserted_primary_key
    assert key is not None
    return int(key[0])


async def test_an_older_id_that_commits_during_a_run_that_fails_runs_at_once(foreign: sa.Engine, queue: Queue) -> None:
    """The pause after the failure is for the rows of that run; a new reason has no reason to wait."""
    with orm.Session(foreign) as slow:
        older = _append(slow)
        newer = await _file(queue)
        claim = await _one(queue)
        slow.commit()
    await queue.retry(claim, "broken", 600)
    at_once = await _one(queue)
    assert at_once.ids == (older,)
    assert at_once.attempts == 0
    await queue.finish(at_once)
    assert [(job.id, job.attempts) for job in await queue.waiting()] == [(newer, 1)]


async def test_an_older_id_that_commits_after_the_newer_ended_is_run_and_found(
    foreign: sa.Engine, queue: Queue, desk: Desk
) -> None:
    with orm.Session(foreign) as slow:
        older = _append(slow)
        newer = await _file(queue)
        await queue.finish(await _one(queue))
        slow.commit()
    assert (await _one(queue)).ids == (older,)
    assert [(job.id, job.status) for job in (await desk.find(_ALL)).jobs] == [
        (newer, JobStatus.DONE),
        (older, JobStatus.RUNNING),
    ]


async def test_more_rows_than_one_run_settles_are_settled_by_the_next(engine: Engine, queue: Queue) -> None:
    async with transaction(engine) as connection:
        row = {"type": "network", "resource_id": "net1", "project_id": "demo"}
        await connection.execute(sa.insert(jobs), [row] * 501)
    sizes = []
    while claims := await _claims(queue):
        sizes.append(len(claims[0].ids))
        await queue.finish(claims[0])
    assert sizes == [500, 1]
    assert await queue.waiting() == []


async def test_who_lost_a_key_writes_no_history(engine: Engine, queue: Queue) -> None:
    job_id = await _file(queue)
    dead = await _one(queue, "dead")
    async with transaction(engine) as connection:
        await connection.execute(sa.update(job_keys).values(lease_until=now_plus(-1)))
    heir = await _one(queue, "heir")
    for write in (queue.finish(dead), queue.fail(dead, "x")):
        with pytest.raises(LeaseLostError):
            await write
    assert await _history(engine) == []
    await queue.finish(heir)
    assert await _history(engine) == [(job_id, "done")]


async def test_a_purge_is_many_small_transactions(engine: Engine, queue: Queue) -> None:
    async with transaction(engine) as connection:
        line = {"type": "network", "resource_id": "n", "status": "done", "job_id": 1}
        await connection.execute(sa.insert(job_history), [line] * 2500)
        await connection.execute(sa.update(job_history).values(finished_at=now_plus(-1_000_000)))
    await _file(queue)
    await queue.finish(await _one(queue))
    steps: list[int] = []

    @sa.event.listens_for(engine.sync_engine, "after_cursor_execute")
    def _note(_connection: object, cursor: object, statement: str, *_more: object) -> None:
        if statement.startswith("DELETE"):
            steps.append(cursor.rowcount)  # type: ignore[attr-defined]

    @sa.event.listens_for(engine.sync_engine, "commit")
    def _end(_connection: object) -> None:
        steps.append(0)

    assert await queue.purge(older_s=3600) == 2500
    assert steps == [1000, 0, 1000, 0, 500, 0], "each thousand is committed before the next"
    assert len(await _history(engine)) == 1


async def test_a_purge_holds_up_no_run_that_ends(engine: Engine, queue: Queue) -> None:
    for name in ("old", "new"):
        await _file(queue, name)
    old, new = await _claims(queue)
    await queue.finish(old)
    async with transaction(engine) as connection:
        await connection.execute(sa.update(job_history).values(finished_at=now_plus(-1_000_000)))
    async with transaction(engine) as purging:
        await purging.execute(sa.delete(job_history).where(job_history.c.finished_at < now_plus(-3600)))
        # Were it to wait for the purge, the server would refuse it after three seconds.
        await queue.finish(new)


async def test_while_an_operator_holds_a_job_claims_step_over_it(engine: Engine, queue: Queue) -> None:
    held = await _file(queue)
    async with transaction(engine) as connection:
        await JobViews.live(connection, held, is_locked=True)
        assert await _claims(queue) == []
        fresh = await _file(queue)
        assert (await _one(queue)).ids == (fresh,)


async def test_a_redo_that_races_a_claim_loses_nothing(queue: Queue, desk: Desk) -> None:
    """Either the redo came first, or it is told that the job runs; in the end each job is settled once."""
    for number in range(40):
        rests = await _file(queue, f"net{number}")
        await queue.fail(await _one(queue), "broken")
        await _file(queue, f"net{number}")  # a new reason, so that the claim takes the resting one along
        redo, *claimed = await asyncio.gather(
            desk.redo(rests), _claims(queue, "w1"), _claims(queue, "w2"), return_exceptions=True
        )
        assert not isinstance(redo, BaseException) or isinstance(redo, ConflictError)
        claims = [claim for result in claimed if isinstance(result, list) for claim in result]
        assert len(claims) <= 1, "one key ran twice"
        for claim in claims:
            await queue.finish(claim)
        if isinstance(redo, ConflictError) and await queue.stopped():
            # The run had begun, but without the job, which the operator's hand was on. Told to wait, he asks again.
            await desk.redo(rests)
        for claim in await _claims(queue):
            await queue.finish(claim)
        assert await queue.waiting() == []
        view, _ = await desk.get(rests)
        assert view.status is JobStatus.DONE


async def test_a_deletion_that_races_a_claim_is_one_or_the_other(engine: Engine, queue: Queue, desk: Desk) -> None:
    for number in range(40):
        job_id = await _file(queue, f"net{number}")
        deletion, claims = await asyncio.gather(desk.delete(job_id), _claims(queue), return_exceptions=True)
        assert isinstance(claims, list)
        if isinstance(deletion, ConflictError):
            assert [claim.ids for claim in claims] == [(job_id,)]
        else:
            assert deletion is None
            assert claims == [], "a job was removed and ran"
        for claim in claims:
            await queue.finish(claim)
    lines = await _history(engine)
    assert len(lines) == len({job_id for job_id, _ in lines}) == 40


async def test_redo_during_a_run_is_refused_and_does_not_make_it_run_twice(queue: Queue, desk: Desk) -> None:
    rests = await _file(queue)
    await queue.fail(await _one(queue), "broken")
    await _file(queue)
    claim = await _one(queue)
    assert rests in claim.ids
    with pytest.raises(ConflictError, match="is running"):
        await desk.redo(rests)
    await queue.finish(claim)
    assert await queue.waiting() == []


async def test_a_job_that_is_claimed_between_two_looks_is_not_redone(engine: Engine, queue: Queue, desk: Desk) -> None:
    """The operator's first look is before the claim's commit; when it has the row, the run has begun and settles it."""
    job_id = await _file(queue)
    await queue.retry(await _one(queue), "not yet", 0)
    key = JobKey(type=JobType.NETWORK, resource_id="net1")

    async def is_waited_for() -> bool:
        waits = sa.text("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
        async with transaction(engine) as connection:
            return bool((await connection.execute(waits)).scalar_one())

    async with transaction(engine) as claiming:
        assert await JobRows.due_keys(claiming, types=[JobType.NETWORK], busy_pods=[], limit=10) == [key]
        assert await JobKeys.take(claiming, key, owner="w1", token="t", lease_s=60)
        redone = asyncio.ensure_future(desk.redo(job_id))
        while not await is_waited_for():
            assert not redone.done()
            await asyncio.sleep(0.2)  # the server looks anew only when nobody has asked for a tenth of a second
    with pytest.raises(ConflictError, match="is running"):
        await redone
    (job,) = await queue.waiting()
    assert job.attempts == 1
