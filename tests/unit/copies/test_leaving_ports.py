# SPDX-License-Identifier: Apache-2.0
"""Does a job that read a port, or a trunk's parent, too early leave the copy to the server that came meanwhile?

Answers of the centre are held back; nothing waits for time.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.job_runs import job_run
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.ports import Ports
from tricircle.copies.trunks import Trunks
from tricircle.errors import NotFoundError, RetryLaterError
from tricircle.jobs.worker import JobRun
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind, Routing

POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
FREE = {"id": "port1", "project_id": "demo", "network_id": "net1", "binding:host_id": "", "device_id": ""}
CLAIMED = {**FREE, "binding:host_id": "Pod1", "device_id": "claim-1", "device_owner": "compute:az1"}
TRUNK = {"id": "trunk1", "port_id": "port1", "sub_ports": []}


def _job(job_type: JobType, resource_id: str) -> JobRun:
    return job_run(job_type, resource_id, POD.id)


class Centre:
    """Gives out the port as it was when it was asked, when it is told to."""

    def __init__(self) -> None:
        self.now: dict[str, object] | None = FREE
        self.asked: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def port(self, _port_id: str, **_: object) -> dict[str, object]:
        seen, gate = self.now, asyncio.Event()
        self.asked.put_nowait(gate)
        await gate.wait()
        if seen is None:
            raise NotFoundError("There is no port.")
        return seen

    async def trunk(self, _trunk_id: str, **_: object) -> dict[str, object]:
        return TRUNK

    async def let(self, **changes: object) -> None:
        """Give one answer out; ``now`` is what the next question meets."""
        gate = await asyncio.wait_for(self.asked.get(), 5)
        if "now" in changes:
            self.now = changes["now"]  # type: ignore[assignment]
        gate.set()


class Books:
    """One bound row and its lease."""

    def __init__(self, kind: Kind, central_id: str) -> None:
        self.row: Routing | None = Routing(
            id=7, central_id=central_id, kind=kind, pod_id=POD.id, project_id=ProjectId("demo"), pod_resource_id="copy"
        )
        self.is_bound = True

    async def copies_of(self, kind: Kind, central_id: str) -> list[Routing]:
        return [self.row] if self.row is not None and (self.row.kind, self.row.central_id) == (kind, central_id) else []

    async def copy_in(self, kind: Kind, central_id: str, _pod_id: str) -> Routing | None:
        return next(iter(await self.copies_of(kind, central_id)), None)

    async def by_pod_resource(self, *_: object) -> dict[str, Routing]:
        return {}

    async def forget(self, _id: int) -> bool:
        self.row = None
        return True

    async def update(self, _id: int, **_: object) -> None:
        return None

    async def hold(self, _row: Routing, **_: object) -> object:
        return "lease"

    async def unbind(self, _lease: object) -> None:
        self.is_bound = False

    async def bind(self, _lease: object, _id: str, **_: object) -> None:
        self.is_bound = True

    async def release(self, _lease: object) -> None:
        return None


class PodNeutron:
    """What is asked of it is noted; everything is there."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def get(self, path: str, **_: object) -> dict[str, Any]:
        self.calls.append(f"GET {path}")
        return {"port": {"id": "copy"}, "trunk": {"id": "copy"}}

    async def delete(self, path: str, **_: object) -> None:
        self.calls.append(f"DELETE {path}")


class World:
    def __init__(self, kind: Kind, central_id: str) -> None:
        async def pod_of(_id: str) -> Pod:
            return POD

        async def pods() -> list[Pod]:
            return []

        self.centre, self.books, self.pod = Centre(), Books(kind, central_id), PodNeutron()
        self.reach: Any = SimpleNamespace(
            central=self.centre,
            routings=self.books,
            leases=self.books,
            registry=SimpleNamespace(get=pod_of, pods=pods),
            network=lambda _pod: self.pod,
        )
        nobody: Any = SimpleNamespace()
        self.ports = Ports(self.reach, networks=nobody, subnets=nobody, groups=nobody, policies=nobody)
        self.updated: list[object] = []

        async def update(_pod: Pod, _copy: Routing, body: object, _deadline: Deadline) -> None:
            self.updated.append(body)

        self.trunks = Trunks(self.reach, self.ports)
        self.ports._update = update  # type: ignore[method-assign, assignment]
        self.trunks._update = update  # type: ignore[method-assign, assignment]

    def start(self) -> "asyncio.Task[None]":
        if self.books.row is not None and self.books.row.kind is Kind.PORT:
            return asyncio.ensure_future(self.ports.agree(_job(JobType.PORT, "port1")))
        return asyncio.ensure_future(self.trunks.agree(_job(JobType.TRUNK, "trunk1")))

    @property
    def deleted(self) -> list[str]:
        return [call for call in self.pod.calls if call.startswith("DELETE")]


@pytest.fixture(params=[(Kind.PORT, "port1"), (Kind.TRUNK, "trunk1")], ids=["port", "trunk"])
def world(request: pytest.FixtureRequest) -> World:
    return World(*request.param)


async def test_a_port_that_is_let_go_leaves_the_pod(world: World) -> None:
    job = world.start()
    for _ in range(3):
        await world.centre.let()
    await job
    assert len(world.deleted) == 1
    assert world.books.row is None


async def test_a_server_that_came_before_the_lease_keeps_it(world: World) -> None:
    job = world.start()
    await world.centre.let(now=CLAIMED)
    await world.centre.let()
    await job
    assert (world.deleted, len(world.updated)) == ([], 1)


async def test_a_server_that_came_under_the_lease_keeps_it(world: World) -> None:
    """The boot took the bound row just before it was made an attempt; so the centre knows of it by then."""
    job = world.start()
    await world.centre.let()
    await world.centre.let(now=CLAIMED)
    await world.centre.let()
    with pytest.raises(RetryLaterError):
        await job
    assert world.deleted == []
    assert world.books.is_bound


async def test_a_port_that_is_deleted_meanwhile_goes(world: World) -> None:
    job = world.start()
    await world.centre.let(now=None)
    await world.centre.let()
    await job
    assert len(world.deleted) == 1
