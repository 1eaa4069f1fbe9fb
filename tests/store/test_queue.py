# SPDX-License-Identifier: Apache-2.0
"""Is no job lost, none run twice at once, and no tenant's transaction held up?"""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from tests import mariadb
from tricircle.context import PodId, ProjectId
from tricircle.errors import LeaseLostError
from tricircle.jobs.claim import Claim
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobKey, JobType
from tricircle.store.clock import now_plus
from tricircle.store.engine import Engine, transaction
from tricircle.store.job_keys import JobKeys
from tricircle.store.jobs import JobRows
from tricircle.store.tables import job_history, job_keys, jobs

pytestmark = pytest.mark.mariadb

_DEMO = ProjectId("demo")
_POD1 = PodId("pod1")


@pytest.fixture
def queue(engine: Engine) -> Queue:
    """A queue on an empty table."""
    return Queue(engine)


@pytest.fixture
def foreign(server: mariadb.Server, database: str, engine: Engine) -> Iterator[sa.Engine]:
    """The database as somebody else uses it: PyMySQL, REPEATABLE READ, threads."""
    other = sa.create_engine(server.url(database, "mysql+pymysql"))
    yield other
    other.dispose()


async def _file(queue: Queue, resource_id: str = "net1", **more: object) -> int:
    return await queue.append(JobType.NETWORK, resource_id, _DEMO, **more)  # type: ignore[arg-type]


async def _claim(queue: Queue, limit: int = 10, *, owner: str = "w1", lease_s: float = 30) -> list[Claim]:
    return await queue.claim(owner, lease_s, limit)


async def _one(queue: Queue, *, owner: str = "w1") -> Claim:
    claims = await _claim(queue, owner=owner)
    assert len(claims) == 1
    return claims[0]


async def _let_leases_run_out(engine: Engine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(sa.update(job_keys).values(lease_until=now_plus(-1)))


async def _make_due(engine: Engine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(sa.update(jobs).values(not_before=now_plus(-1)))


async def _count(engine: Engine, table: sa.Table) -> int:
    async with transaction(engine) as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one())


async def test_rows_of_one_key_are_one_run(engine: Engine, queue: Queue) -> None:
    ids = [
        await _file(queue, revision=3, payload={"a": 1, "b": 1}),
        await _file(queue, revision=5, payload={"b": 2}),
        await _file(queue, revision=4, payload={"c": 3}),
    ]
    await _file(queue, pod_id=_POD1)
    claims = await _claim(queue)
    assert [claim.key for claim in claims] == [
        JobKey(type=JobType.NETWORK, resource_id="net1"),
        JobKey(type=JobType.NETWORK, resource_id="net1", pod_id=_POD1),
    ]
    first = claims[0]
    assert list(first.ids) == ids
    assert first.revision == 5
    assert first.payload == {"a": 1, "b": 2, "c": 3}
    assert first.project_id == _DEMO
    for claim in claims:
        await queue.finish(claim, ran_s=0.5)
    assert await _count(engine, jobs) == await _count(engine, job_keys) == 0
    assert await _count(engine, job_history) == 2


async def test_what_is_filed_during_a_run_survives_and_runs_next(queue: Queue) -> None:
    await _file(queue)
    claim = await _one(queue)
    late = await _file(queue)
    assert await _claim(queue, owner="w2") == [], "one key runs once at a time"
    await queue.finish(claim)
    again = await _one(queue, owner="w2")
    assert again.ids == (late,)


async def test_a_delayed_job_is_not_due(engine: Engine, queue: Queue) -> None:
    await _file(queue, delay_s=60)
    assert await _claim(queue) == []
    await _make_due(engine)
    assert len(await _claim(queue)) == 1


async def test_a_delayed_row_does_not_run_with_an_earlier_one(queue: Queue) -> None:
    due = await _file(queue)
    await _file(queue, delay_s=60)
    claim = await _one(queue)
    assert claim.ids == (due,)
    await queue.finish(claim)
    assert len(await queue.waiting()) == 1


async def test_a_pod_that_is_away_is_told_once(queue: Queue) -> None:
    """What fails and waits stands for what comes meanwhile; what runs, or says less, does not."""
    key = JobKey(type=JobType.NETWORK, resource_id="net0", pod_id=PodId("p1"))

    async def tell(revision: int | None = 3, **payload: object) -> int:
        await queue.append_once(key, ProjectId("p"), revision=revision, payload=payload)
        return len(await queue.waiting())

    assert await tell() == 1
    assert await tell() == 2, "the first is due, so it may be running"
    claim = await _one(queue)
    assert await tell() == 3, "what runs has looked already"
    await queue.retry(claim, "away", 60, is_failure=False)
    await queue.retry(await _one(queue), "away", 60, is_failure=False)
    assert [await tell(), await tell(2), await tell(None)] == [3, 3, 3]
    assert await tell(4) == 4
    assert await tell(deleted=True) == 5


async def test_what_rests_after_a_failure_stands_for_nobody(queue: Queue) -> None:
    key = JobKey(type=JobType.NETWORK, resource_id="net0", pod_id=PodId("p1"))
    await queue.append_once(key, ProjectId("p"), revision=None, payload={})
    await queue.retry(await _one(queue), "refused", 60)
    await queue.append_once(key, ProjectId("p"), revision=None, payload={})
    assert len((await _one(queue)).ids) == 1


async def test_those_that_waited_longest_come_first(queue: Queue) -> None:
    for number in range(5):
        await _file(queue, f"net{number}")
    assert [claim.key.resource_id for claim in await _claim(queue, 2)] == ["net0", "net1"]
    assert [claim.key.resource_id for claim in await _claim(queue, 2)] == ["net2", "net3"]


async def test_a_crowd_of_rows_of_a_running_key_hides_nobody(queue: Queue) -> None:
    await _file(queue, "busy")
    await _one(queue)
    for _ in range(150):
        await _file(queue, "busy")
    await _file(queue, "other")
    assert (await _one(queue)).key.resource_id == "other"


async def test_pods_at_their_limit_are_left_out(queue: Queue) -> None:
    for number in range(4):
        for pod in ("pod1", "pod2", ""):
            await _file(queue, f"net{number}", pod_id=PodId(pod))
    claims = await queue.claim("w1", 30, 100, {_POD1: 2}, per_pod=3)
    pods = sorted(claim.key.pod_id for claim in claims)
    assert pods == ["", "", "", "", "pod1", "pod2", "pod2", "pod2"]
    assert [c.key.pod_id for c in await queue.claim("w1", 30, 100, {_POD1: 3, PodId("pod2"): 3}, per_pod=3)] == []


async def test_types_that_a_worker_cannot_run_wait(engine: Engine, queue: Queue) -> None:
    await queue.append(JobType.PORT, "port1", _DEMO)
    async with transaction(engine) as connection:
        values = {"type": "of_a_newer_release", "resource_id": "x", "payload": {}}
        await connection.execute(sa.insert(jobs).values(values))
    assert await queue.claim("w1", 30, 10, types={JobType.NETWORK}) == []
    assert [claim.key.type for claim in await _claim(queue)] == [JobType.PORT]
    assert [job.type for job in await queue.waiting()] == [JobType.PORT]


async def test_a_lease_that_ran_out_is_taken_over_and_counted(engine: Engine, queue: Queue) -> None:
    await _file(queue)
    dead = await _one(queue, owner="dead")
    await _let_leases_run_out(engine)
    heir = await _one(queue, owner="heir")
    assert heir.ids == dead.ids
    assert heir.attempts == 1
    assert heir.last_error is not None
    for write in (queue.finish(dead), queue.retry(dead, "x", 1), queue.fail(dead, "x"), queue.renew(dead)):
        with pytest.raises(LeaseLostError):
            await write
    await queue.release(dead)
    assert await _claim(queue) == [], "the heir still has it"
    assert len(await queue.waiting()) == 1
    await queue.finish(heir)
    assert await queue.waiting() == []


async def test_a_renewed_lease_is_not_taken_over(engine: Engine, queue: Queue) -> None:
    await _file(queue)
    claim = await _one(queue)
    await _let_leases_run_out(engine)
    await queue.renew(claim)
    assert await _claim(queue) == []


async def test_a_released_key_is_as_it_was(queue: Queue) -> None:
    await _file(queue)
    await queue.release(await _one(queue))
    assert (await _one(queue)).attempts == 0


async def test_failures_are_counted_kept_and_may_be_redone(engine: Engine, queue: Queue) -> None:
    await _file(queue)
    await queue.retry(await _one(queue), "first error", 60)
    assert await _claim(queue) == []
    await _make_due(engine)
    second = await _one(queue)
    assert (second.attempts, second.last_error) == (1, "first error")
    await queue.retry(second, "not now", 0, is_failure=False)
    third = await _one(queue)
    assert third.attempts == 1
    await queue.fail(third, "last error")

    assert await _claim(queue) == []
    rests = await queue.stopped()
    assert [(job.attempts, job.last_error) for job in rests] == [(2, "last error")]
    assert rests[0].failed_at is not None
    assert await queue.redo([rests[0].id + 1]) == 0
    assert await queue.redo([rests[0].id]) == 1
    assert (await _one(queue)).attempts == 0


async def test_a_new_reason_to_run_settles_what_rests(queue: Queue) -> None:
    await _file(queue)
    await queue.fail(await _one(queue), "broken")
    await _file(queue)
    claim = await _one(queue)
    assert len(claim.ids) == 2
    assert claim.attempts == 0, "the new reason has all of its attempts"
    await queue.finish(claim)
    assert await queue.waiting() == []


async def test_what_waiting_jobs_are_told_is_read_together(queue: Queue) -> None:
    told = JobType.PORT_STATUS, "pod1", PodId("pod1")
    assert await queue.payload(*told) == {}
    for payload in ({"port/p1": 1.0, "plugged/s1": 1.0}, {"plugged/s1": 2.0}):
        await queue.append(told[0], told[1], ProjectId(""), pod_id=told[2], payload=payload)
    await queue.append(told[0], "pod2", ProjectId(""), pod_id=PodId("pod2"), payload={"port/p2": 1.0})
    wanted = {"port/p1": 1.0, "plugged/s1": 2.0}
    assert await queue.payload(*told) == wanted
    claims = {claim.jobs[0].resource_id: claim for claim in await _claim(queue)}
    assert await queue.payload(*told) == wanted, "while it runs too"
    await queue.fail(claims["pod1"], "broken")
    assert await queue.payload(*told) == {}, "nobody looks any more"


async def test_of_many_workers_one_gets_the_key(queue: Queue) -> None:
    for round_ in range(10):
        for _ in range(30):
            await _file(queue, f"net{round_}")
        results = await asyncio.gather(*(_claim(queue, owner=f"w{n}") for n in range(15)))
        claims = [claim for result in results for claim in result]
        assert len(claims) == 1, "two workers ran one key"
        await queue.finish(claims[0])
        for claim in await _claim(queue):
            await queue.finish(claim)


async def test_workers_that_look_together_get_different_keys_without_waiting(engine: Engine, queue: Queue) -> None:
    for number in range(60):
        await _file(queue, f"net{number:02}")
    types = list(JobType)
    async with transaction(engine) as one, transaction(engine) as two:
        first = await JobRows.due_keys(one, types=types, busy_pods=(), limit=20)
        # Were it to wait for the first one's locks, the server would refuse it after three seconds.
        second = await JobRows.due_keys(two, types=types, busy_pods=(), limit=20)
    assert len(first) == len(second) == 20
    assert not set(first) & set(second)


async def test_a_claim_does_not_hold_up_renewals_of_others(engine: Engine, queue: Queue) -> None:
    await _file(queue, "net1")
    running = await _one(queue)
    await _file(queue, "net1")
    async with transaction(engine) as connection:
        assert await JobRows.due_keys(connection, types=list(JobType), busy_pods=(), limit=20) == []
        await queue.renew(running)


def _append(session: orm.Session, resource_id: str) -> int:
    """What the driver inside the central Neutron does: one INSERT on the session of the user's transaction."""
    statement = jobs.insert().values(type="network", resource_id=resource_id, project_id="demo", revision=1)
    key = session.execute(statement).inserted_primary_key
    assert key is not None
    return int(key[0])


async def test_a_job_is_filed_with_the_tenants_change_or_not_at_all(foreign: sa.Engine, queue: Queue) -> None:
    with orm.Session(foreign) as session:
        _append(session, "gone")
        session.rollback()
    with orm.Session(foreign) as session:
        kept = _append(session, "kept")
        session.commit()
    assert [(claim.key.resource_id, claim.ids) for claim in await _claim(queue)] == [("kept", (kept,))]


async def test_an_open_transaction_of_a_tenant_holds_up_no_worker(foreign: sa.Engine, queue: Queue) -> None:
    with orm.Session(foreign) as session:
        await _file(queue)
        await _file(queue)
        _append(session, "net1")
        _append(session, "net2")
        # Whatever waits for the tenant's rows is refused by the server, and this test fails.
        claim = await _one(queue)
        assert len(claim.ids) == 2
        await queue.renew(claim)
        await queue.retry(claim, "again", 0)
        await queue.fail(await _one(queue), "broken")
        assert await queue.redo() == 2
        await queue.finish(await _one(queue))
        session.commit()
    assert {claim.key.resource_id for claim in await _claim(queue)} == {"net1", "net2"}


async def test_an_open_claim_holds_up_no_tenant(foreign: sa.Engine, engine: Engine, queue: Queue) -> None:
    for number in range(30):
        await _file(queue, f"net{number}")
    async with transaction(engine, within_s=30) as connection:
        keys = await JobRows.due_keys(connection, types=list(JobType), busy_pods=(), limit=20)
        for key in keys:
            await JobKeys.take(connection, key, owner="w", token=f"t-{key.resource_id}", lease_s=30)
            await JobRows.rows_of(connection, key)

        def tenant() -> None:
            with orm.Session(foreign) as session:
                session.execute(sa.text("SET SESSION innodb_lock_wait_timeout = 1"))
                for number in range(30):
                    _append(session, f"net{number}")
                session.commit()

        await asyncio.to_thread(tenant)


async def test_rows_that_commit_out_of_order_are_all_run(foreign: sa.Engine, queue: Queue) -> None:
    """An older id may become visible after a newer one was run: nothing may go by "all up to this id"."""
    with orm.Session(foreign) as slow:
        older = _append(slow, "net1")
        newer = await _file(queue)
        assert newer > older
        claim = await _one(queue)
        assert claim.ids == (newer,)
        slow.commit()
        # It became visible while the key runs: it waits for its turn, and the end of this run does not remove it.
        assert await _claim(queue, owner="w2") == []
        await queue.finish(claim)
    assert (await _one(queue)).ids == (older,)


async def test_in_a_storm_no_job_is_lost_and_no_key_runs_twice(foreign: sa.Engine, queue: Queue) -> None:
    """Tenants file in transactions that end late, in any order or not at all; workers fight over few keys."""
    keys, rounds = 4, 40
    committed: set[int] = set()
    settled: list[int] = []
    active: set[JobKey] = set()

    def tenant(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(rounds):
            with orm.Session(foreign) as session:
                new = [_append(session, f"net{chance.randrange(keys)}") for _ in range(chance.randrange(1, 4))]
                time.sleep(chance.random() * 0.01)
                if chance.random() < 0.25:
                    session.rollback()
                else:
                    session.commit()
                    committed.update(new)

    async def worker(name: str, done: asyncio.Event) -> None:
        while True:
            was_done = done.is_set()
            claims = await queue.claim(name, 30, random.randrange(1, 4))
            for claim in claims:
                assert claim.key not in active, "two workers run one key"
                active.add(claim.key)
            await asyncio.sleep(random.random() * 0.01)
            for claim in claims:
                active.discard(claim.key)
                if random.random() < 0.2:
                    await queue.retry(claim, "again", 0)
                else:
                    settled.extend(claim.ids)
                    await queue.finish(claim)
            if was_done and not claims and not active and not await queue.waiting():
                return

    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(worker(f"w{number}", done))
        await asyncio.gather(*(asyncio.to_thread(tenant, seed) for seed in range(4)))
        done.set()
    assert sorted(settled) == sorted(committed), "each committed row is settled exactly once"


async def test_old_history_goes(engine: Engine, queue: Queue) -> None:
    for name in ("a", "b"):
        await _file(queue, name)
        await queue.finish(await _one(queue))
    async with transaction(engine) as connection:
        old = sa.update(job_history).where(job_history.c.resource_id == "a").values(finished_at=now_plus(-1_000_000))
        await connection.execute(old)
    assert await queue.purge() == 1
    assert await _count(engine, job_history) == 1


def test_a_claims_facts_come_from_all_its_rows() -> None:
    from tricircle.model.job import Job

    row = Job(id=1, type=JobType.NETWORK, resource_id="n", project_id=_DEMO)
    rows = (replace(row, attempts=2, last_error="e1"), replace(row, id=2, project_id=ProjectId(""), attempts=1))
    claim = Claim(key=row.key, jobs=rows, token="t", lease_s=1, waited_s=0)
    assert (claim.attempts, claim.last_error, claim.project_id, claim.revision) == (2, "e1", "demo", None)
