# SPDX-License-Identifier: Apache-2.0
"""Do leases, claims and reservations hold when two nodes of a Galera cluster are written to at the same time?

Row locks end at the node; what decides between nodes is the certification at commit.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

from tests import galera, mariadb
from tricircle.conf.settings import DatabaseSettings
from tricircle.context import PodId, ProjectId
from tricircle.errors import ConflictError, DatabaseCollisionError, QuotaExceededError
from tricircle.jobs.desk import Desk
from tricircle.jobs.queue import Queue
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.reservations import Reservations, Wanted
from tricircle.model.job import JobKey, JobStatus, JobType
from tricircle.model.pod import Service
from tricircle.model.reservation import Amounts
from tricircle.model.routing import Kind
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.job_keys import JobKeys
from tricircle.store.jobs import JobRows
from tricircle.store.tables import job_keys, jobs, metadata, pods

pytestmark = pytest.mark.mariadb

_DEMO = ProjectId("demo")
Nodes = tuple[Engine, Engine]


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[mariadb.Server, mariadb.Server]]:
    """Two nodes for all tests of this file."""
    if missing := galera.missing():
        pytest.skip(f"a Galera cluster needs {', '.join(missing)}")
    with galera.cluster() as nodes:
        nodes[0].run("CREATE DATABASE store")
        yield nodes


@pytest.fixture
async def nodes(cluster: tuple[mariadb.Server, mariadb.Server]) -> AsyncIterator[Nodes]:
    """An engine on each node; our tables, empty but for one pod."""
    first, second = (create_engine(DatabaseSettings(connection=node.url("store"))) for node in cluster)
    async with transaction(first, within_s=60) as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
        await connection.execute(pods.insert().values(id="pod1", name="Pod1", az_name="az1"))
    async with transaction(second, within_s=60) as connection:
        # Wait until the second node has applied all that the first has committed.
        await connection.execute(sa.text("SET SESSION wsrep_sync_wait = 1"))
        assert (await connection.execute(sa.select(sa.func.count()).select_from(pods))).scalar_one() == 1
        await connection.execute(sa.text("SET SESSION wsrep_sync_wait = 0"))
    yield first, second
    await first.dispose()
    await second.dispose()


def _count_collisions(nodes: Nodes) -> list[str]:
    seen: list[str] = []
    for engine in nodes:

        @sa.event.listens_for(engine.sync_engine, "handle_error")
        def _note(context: sa.engine.ExceptionContext) -> None:
            seen.append(str(context.original_exception))

    return seen


async def test_of_takers_on_both_nodes_exactly_one_wins(nodes: Nodes) -> None:
    collisions = _count_collisions(nodes)
    for number in range(30):
        takers = [
            Leases(engine).take(Kind.NETWORK, f"net{number}", PodId("pod1"), _DEMO, owner="t", ttl_s=30)
            for engine in nodes
            for _ in range(4)
        ]
        results = await asyncio.gather(*takers)
        won = [result for result in results if isinstance(result, Lease)]
        assert len(won) == 1
        bound = await Leases(nodes[1]).bind(won[0], "pod-net")
        assert bound.pod_resource_id == "pod-net"
    assert collisions, "nobody collided, so this test showed nothing"


async def test_in_a_storm_on_both_nodes_no_key_runs_twice_and_no_job_is_lost(nodes: Nodes) -> None:
    filed: list[int] = []
    settled: list[int] = []
    active: set[JobKey] = set()
    collisions = _count_collisions(nodes)

    async def tenant(queue: Queue, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(60):
            filed.append(await queue.append(JobType.NETWORK, f"net{chance.randrange(3)}", _DEMO))
            await asyncio.sleep(chance.random() * 0.01)

    async def worker(queue: Queue, name: str, done: asyncio.Event) -> None:
        while True:
            was_done = done.is_set()
            claims = await queue.claim(name, 30, 2)
            for claim in claims:
                assert claim.key not in active, "two workers run one key"
                active.add(claim.key)
            await asyncio.sleep(random.random() * 0.01)
            for claim in claims:
                active.discard(claim.key)
                settled.extend(claim.ids)
                await queue.finish(claim)
            if was_done and not claims and not active and not await queue.waiting():
                return

    queues = [Queue(engine) for engine in nodes]
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(worker(queues[number % 2], f"w{number}", done))
        await asyncio.gather(*(tenant(queues[seed % 2], seed) for seed in range(4)))
        done.set()
    assert sorted(settled) == sorted(filed), "each row is settled exactly once"
    assert collisions, "nobody collided, so this test showed nothing"


async def test_of_claims_on_both_nodes_the_one_that_loses_at_commit_gets_nothing(nodes: Nodes) -> None:
    """Both have the key, each on its own node, until they commit: the certification lets one through."""
    queue = Queue(nodes[0])
    await queue.append(JobType.NETWORK, "net1", _DEMO)
    await _applied(nodes[1], 1)
    collisions = _count_collisions(nodes)
    both_have_it = asyncio.Barrier(2)
    claims: list[str] = []

    async def claim(engine: Engine, name: str) -> None:
        key = JobKey(type=JobType.NETWORK, resource_id="net1")
        with suppress(DatabaseCollisionError):
            async with transaction(engine, within_s=30) as connection:
                assert await JobKeys.take(connection, key, owner=name, token=name, lease_s=30) is not None
                assert len((await JobRows.rows_of(connection, key))[0]) == 1
                await both_have_it.wait()
            claims.append(name)

    await asyncio.gather(claim(nodes[0], "w1"), claim(nodes[1], "w2"))
    assert len(claims) == 1, "two nodes let two workers run one key"
    assert collisions
    async with transaction(nodes[0]) as connection:
        await connection.execute(sa.text("SET SESSION wsrep_sync_wait = 1"))
        owners = (await connection.execute(sa.select(job_keys.c.owner))).scalars().all()
        await connection.execute(sa.text("SET SESSION wsrep_sync_wait = 0"))
    assert owners == claims


async def test_operators_on_the_other_node_lose_no_job(nodes: Nodes) -> None:
    """They cannot see the claim's hold there. What they redo is settled, what they delete is gone, nothing hangs."""
    queue, desk = Queue(nodes[0]), Desk(nodes[1])
    for number in range(20):
        rests = await queue.append(JobType.NETWORK, f"net{number}", _DEMO)
        await queue.fail((await queue.claim("w1", 30, 1))[0], "broken")
        fresh = await queue.append(JobType.NETWORK, f"net{number}", _DEMO)
        await _applied(nodes[1], 2)
        claimed, *said = await asyncio.gather(
            queue.claim("w1", 30, 1), desk.redo(rests), desk.delete(fresh), return_exceptions=True
        )
        assert all(not isinstance(one, Exception) or isinstance(one, ConflictError) for one in said)
        assert isinstance(claimed, list)
        for _ in range(5):
            for claim in claimed:
                await queue.finish(claim)
            # A claim that lost against an operator, at its commit, is made again.
            await _applied(nodes[0], None)
            claimed = await queue.claim("w1", 30, 1)
        assert await queue.waiting() == []
        await _applied(nodes[1], 0)
        for job_id in (rests, fresh):
            view, _ = await desk.get(job_id)
            assert view.status in (JobStatus.DONE, JobStatus.DELETED)


async def _applied(engine: Engine, number: int | None) -> None:
    """Wait until a node has applied all that is committed; then it holds so many jobs."""
    async with transaction(engine, within_s=60) as connection:
        await connection.execute(sa.text("SET SESSION wsrep_sync_wait = 1"))
        found = (await connection.execute(sa.select(sa.func.count()).select_from(jobs))).scalar_one()
        await connection.execute(sa.text("SET SESSION wsrep_sync_wait = 0"))
    assert number in (None, found)


async def test_of_takers_on_both_nodes_no_more_pass_than_the_limit_allows(nodes: Nodes) -> None:
    """Each node sees the other's reservations late; the change of the lock row makes one of two commits fail."""
    collisions = _count_collisions(nodes)

    def fit(taken: Amounts) -> list[Amounts]:
        if taken.get("volumes", 0) >= 2:
            raise QuotaExceededError("full")
        return [{"volumes": 1}]

    for number in range(15):
        wanted = Wanted(
            project_id=ProjectId(f"p{number}"), service=Service.COMPUTE, pod_id=PodId("pod1"), fit=fit, until_s=60
        )
        takers = [Reservations(engine).take(wanted, []) for engine in nodes for _ in range(4)]
        results = await asyncio.gather(*takers)
        assert sum(len(taken.ids) for taken in results) == 2
        assert sum(taken.refusal is not None for taken in results) == 6
    assert collisions, "the nodes never met: the test has shown nothing"
