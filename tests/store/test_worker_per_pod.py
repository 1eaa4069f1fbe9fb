# SPDX-License-Identifier: Apache-2.0
"""Does a pod that hangs hold up nobody but itself, whoever filed the jobs? With the real queue, ledger and worker."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from tricircle.conf.settings import WorkerSettings
from tricircle.context import PodId, ProjectId
from tricircle.copies.ensure import Found
from tricircle.copies.reach import Reach
from tricircle.copies.visit import by_pod, visit
from tricircle.jobs.queue import Queue
from tricircle.jobs.worker import JobRun, Worker
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing
from tricircle.store.engine import Engine, transaction
from tricircle_neutron import jobs as driver

pytestmark = pytest.mark.mariadb

_DEMO = ProjectId("demo")
_SETTINGS = WorkerSettings(concurrency=4, per_pod=2, lease_s=30, poll_s=0.02, retry_s=0.01, stop_timeout_s=0)
_HANGING, _WELL = PodId("pod1"), PodId("pod2")


class Stage:
    """Ports with a copy each, and a pod that hangs."""

    def __init__(self, engine: Engine) -> None:
        self.queue = Queue(engine)
        self.hanging = self.most = 0
        self.done: set[str] = set()
        self._engine = engine
        self._leases = Leases(engine)
        fields = {
            "leases": self._leases,
            "routings": Routings(engine),
            "registry": SimpleNamespace(get=self._pod),
            "queue": self.queue,
        }
        self._reach = cast("Reach", SimpleNamespace(**fields))
        self.body = by_pod(self._reach, Kind.PORT, self._agree)

    async def change(self, port_id: str, pod_id: PodId) -> None:
        """A port that has a copy in the pod changes at the centre; the driver files what is to be done."""
        lease = await self._leases.take(Kind.PORT, port_id, pod_id, _DEMO, owner="x", ttl_s=60)
        assert isinstance(lease, Lease)
        await self._leases.bind(lease, f"copy-{port_id}")
        async with transaction(self._engine) as connection:
            await connection.run_sync(
                lambda sync: driver.append(sync, JobType.PORT, port_id, project_id=_DEMO, revision=3)
            )

    async def _agree(self, run: JobRun) -> None:
        await visit(self._reach, run, Kind.PORT, work=self._work, find=self._find)

    async def _work(self, pod: Pod, copy: Routing) -> None:
        if pod.id == _HANGING:
            self.hanging += 1
            self.most = max(self.most, self.hanging)
            try:
                await asyncio.Event().wait()
            finally:
                self.hanging -= 1
        self.done.add(copy.central_id)

    async def _find(self, pod: Pod, copy: Routing) -> Found | None:
        return None

    async def _pod(self, pod_id: PodId) -> Pod | None:
        return Pod(id=pod_id, name=pod_id, az_name="az")


async def test_ports_of_a_pod_that_hangs_leave_room_for_others(engine: Engine) -> None:
    """As the driver files them, and each with one copy only: the driver does not know in which pod."""
    stage = Stage(engine)
    for number in range(8):
        await stage.change(f"stuck{number}", _HANGING)
    worker = Worker(stage.queue, {JobType.PORT: stage.body}, _SETTINGS)
    task = asyncio.ensure_future(worker.run())
    try:
        async with asyncio.timeout(60):
            while stage.hanging < _SETTINGS.per_pod:
                await asyncio.sleep(0.01)
            for number in range(6):
                await stage.change(f"port{number}", _WELL)
            while len(stage.done) < 6:
                await asyncio.sleep(0.01)
        assert stage.most == _SETTINGS.per_pod
        left = [job.resource_id for job in await stage.queue.waiting() if job.pod_id == _HANGING]
        assert sorted(left) == [f"stuck{number}" for number in range(8)]
    finally:
        worker.stop()
        await task
