# SPDX-License-Identifier: Apache-2.0
"""When is a sweep filed, and how often?

With real breakers, a clock that the test moves, the real queue on SQLite, and a pod on a real socket that goes away and
comes back.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.servers import Clock, speaking
from tricircle.audit.findings import NOBODY
from tricircle.audit.schedule import Schedule
from tricircle.conf.settings import CentralSettings, DatabaseSettings, UpstreamSettings
from tricircle.context import Deadline, PodId
from tricircle.errors import UnavailableError
from tricircle.jobs.queue import Queue
from tricircle.model.job import JobType
from tricircle.model.pod import Endpoint, Pod, Service
from tricircle.pods.health import Health
from tricircle.pods.registry import Registry
from tricircle.store import tables
from tricircle.store.engine import create_engine, transaction
from tricircle.store.pods import PodRows
from tricircle.upstream.breaker import BreakerState
from tricircle.upstream.pool import Pools
from tricircle.upstream.reply import Call

POD = PodId("pod1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PROBE_S = 5.0


class World:
    """One pod, what asks it, and what files its sweeps.

    :ivar is_away: the pod hangs up on everybody
    """

    def __init__(self, pools: Pools, registry: Registry, queue: Queue, schedule: Schedule, clock: Clock) -> None:
        self.pools = pools
        self.registry = registry
        self.queue = queue
        self.schedule = schedule
        self.clock = clock
        self.is_away = False

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            if self.is_away:
                return
            writer.write(OK)

    async def leave(self) -> None:
        """The pod is away, and callers have noticed."""
        self.is_away = True
        (pod,) = await self.registry.enabled()
        target = self.registry.target(pod, Service.COMPUTE)
        while self.pools.state(target) is BreakerState.CLOSED:
            with pytest.raises(UnavailableError):
                await self.pools.send(target, Call(method="GET", path="/x"), Deadline.after(5))

    async def looks(self, count: int) -> list[list[PodId]]:
        """What looks file, each made when a probe is due again."""
        filed = []
        for _ in range(count):
            self.clock.now += PROBE_S
            filed.append(await self.schedule.look())
        return filed

    async def swept(self) -> None:
        """A worker does what waits."""
        (claim,) = await self.queue.claim("test", 30, 1)
        await self.queue.finish(claim, report={"found": [], "incomplete": {}})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    engine = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path}/ledger"))
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    names = ("compute_url", "block_storage_url", "image_url", "network_url", "identity_url")
    registry = Registry(engine, CentralSettings(**dict.fromkeys(names, "http://127.0.0.1:9")))
    queue, clock = Queue(engine), Clock()
    pools = Pools(UpstreamSettings(breaker_failures=3, breaker_probe_s=PROBE_S), clock=clock)
    schedule = Schedule(engine, queue, registry, interval_s=900, health=Health(pools, registry))
    made = World(pools, registry, queue, schedule, clock)
    async with speaking(made.talk) as port:
        endpoints = {Service.COMPUTE: Endpoint(service=Service.COMPUTE, url=f"http://127.0.0.1:{port}")}
        async with transaction(engine) as connection:
            await PodRows.insert(connection, Pod(id=POD, name="Pod1", az_name="az1", endpoints=endpoints))
        yield made
        await pools.close()
    await engine.dispose()


async def test_sweeps_are_filed_when_due(world: World) -> None:
    assert await world.schedule.look() == [POD], "it was never swept"
    assert await world.schedule.look() == [], "one waits"
    (claim,) = await world.queue.claim("test", 30, 1)
    (job,) = claim.jobs
    assert await world.schedule.look() == [], "one runs"
    assert await world.schedule.end_of(POD, job.id) is None
    await world.queue.finish(claim, report={"found": [], "incomplete": {}})
    end = await world.schedule.end_of(POD, job.id)
    assert end is not None
    assert end.is_whole
    assert await world.schedule.look() == [], "one has just ended"


async def test_a_pod_is_back_when_it_answers_and_not_when_it_may_be_asked_again(world: World) -> None:
    await world.schedule.look()
    await world.swept()
    await world.leave()
    assert await world.looks(4) == [[], [], [], []]
    assert await world.schedule.look() == [], "no look is due"
    world.is_away = False
    assert await world.looks(3) == [[POD], [], []], "nobody else had to ask it"
    await world.swept()
    assert await world.looks(2) == [[], []]


async def test_a_pod_that_comes_and_goes_has_one_sweep_in_hand(world: World) -> None:
    await world.schedule.look()
    await world.swept()
    for _ in range(3):
        await world.leave()
        await world.looks(2)
        world.is_away = False
        await world.looks(2)
    assert len(await world.queue.waiting()) == 1


async def test_an_outage_between_two_looks_is_seen_all_the_same(world: World) -> None:
    await world.schedule.look()
    await world.swept()
    await world.leave()
    world.is_away = False
    assert await world.looks(2) == [[POD], []]


async def test_a_sweep_that_waits_for_later_does_not_stand_in_for_a_return(world: World) -> None:
    """What a sweep could not read is looked at again in two minutes; a pod that is back is looked at now."""
    await world.schedule.look()
    await world.swept()
    await world.queue.append(JobType.SWEEP, POD, NOBODY, pod_id=POD, delay_s=120)
    await world.leave()
    world.is_away = False
    assert await world.looks(2) == [[POD], []]
