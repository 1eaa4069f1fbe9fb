# SPDX-License-Identifier: Apache-2.0
"""Does a job reach every copy, once, and nobody's copy that is being worked on?

Against the real ledger on SQLite in memory; registry and queue are what the tests say.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tricircle.conf.settings import DatabaseSettings
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.ensure import Found
from tricircle.copies.reach import Reach
from tricircle.copies.visit import Departure, by_pod, expected, visit
from tricircle.errors import RetryLaterError, ServiceUserError, UnavailableError
from tricircle.jobs.worker import JobRun
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import EVERY_POD, JobKey, JobType
from tricircle.model.pod import Pod, PodState
from tricircle.model.routing import Kind, Routing
from tricircle.store.engine import create_engine, transaction
from tricircle.store.tables import metadata, pods

DEMO = ProjectId("demo")


class World:
    """A ledger with two pods, and what happened."""

    def __init__(self, engine: object) -> None:
        self.leases = Leases(engine)  # type: ignore[arg-type]
        self.routings = Routings(engine)  # type: ignore[arg-type]
        self.pods = {PodId(name): Pod(id=PodId(name), name=name, az_name="az") for name in ("pod1", "pod2")}
        self.filed: list[tuple[object, ...]] = []
        self.worked: list[tuple[PodId, str | None]] = []
        self.left: Found | None = None
        self.is_admin = True
        fields = {
            "leases": self.leases,
            "routings": self.routings,
            "registry": SimpleNamespace(get=self._pod),
            "queue": SimpleNamespace(append_once=self._file),
            "clients": SimpleNamespace(check_own=self._check_own),
        }
        self.reach = cast("Reach", SimpleNamespace(**fields))

    async def copy(self, pod: str, *, is_bound: bool = True, is_dead: bool = False) -> Lease:
        """A routing row in one of its states."""
        lease = await self.leases.take(Kind.NETWORK, "n1", PodId(pod), DEMO, owner="x", ttl_s=60)
        assert isinstance(lease, Lease)
        if is_bound:
            await self.leases.bind(lease, f"copy-{pod}")
        if is_dead:
            await self.leases.release(lease)
        return lease

    async def visit(self, pod_id: PodId = EVERY_POD) -> None:
        """The job, as the worker runs it."""
        await visit(self.reach, run(pod_id), Kind.NETWORK, work=self._work, find=self._find)

    async def _pod(self, pod_id: PodId) -> Pod | None:
        return self.pods.get(pod_id)

    async def _file(self, key: JobKey, project_id: str, **values: object) -> None:
        self.filed.append((key.type, key.resource_id, key.pod_id, values["revision"], values["payload"]))

    async def _check_own(self, _deadline: Deadline) -> None:
        if not self.is_admin:
            raise ServiceUserError("no role")

    async def _work(self, pod: Pod, copy: Routing) -> None:
        self.worked.append((pod.id, copy.pod_resource_id))

    async def _find(self, pod: Pod, copy: Routing) -> Found | None:
        return self.left


def run(pod_id: PodId = EVERY_POD, **payload: object) -> JobRun:
    return JobRun(
        type=JobType.NETWORK,
        resource_id="n1",
        pod_id=pod_id,
        project_id=DEMO,
        revision=9,
        payload=payload,
        deadline=Deadline.after(10),
    )


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    engine = create_engine(DatabaseSettings(connection=f"sqlite+aiosqlite:///{tmp_path}/ledger.db"))
    async with transaction(engine) as connection:
        await connection.run_sync(metadata.create_all)
        rows = [{"id": name, "name": name, "az_name": "az", "facts": {}} for name in ("pod1", "pod2")]
        await connection.execute(pods.insert(), rows)
    yield World(engine)
    await engine.dispose()


async def test_no_copy_no_work(world: World) -> None:
    await world.visit()
    assert (world.worked, world.filed) == ([], [])


async def test_one_copy_is_visited_and_free_again(world: World) -> None:
    await world.copy("pod1")
    await world.visit(PodId("pod1"))
    await world.visit(PodId("pod1"))
    assert world.worked == [("pod1", "copy-pod1")] * 2


async def test_a_job_without_a_pod_asks_no_pod(world: World) -> None:
    """Also where the copy is the only one: only jobs with a pod are counted as a pod's."""
    await world.copy("pod1")
    await world.visit()
    assert world.worked == []
    assert world.filed == [(JobType.NETWORK, "n1", "pod1", 9, {})]


async def test_it_becomes_jobs_of_pods_before_anybody_is_asked(world: World) -> None:
    ran: list[JobRun] = []

    async def body(run: JobRun) -> None:
        ran.append(run)

    spread = by_pod(world.reach, Kind.NETWORK, body)
    await world.copy("pod1")
    await world.copy("pod2")
    await spread(run())
    assert ran == []
    assert {filed[2] for filed in world.filed} == {"pod1", "pod2"}
    await spread(mine := run(PodId("pod1")))
    assert ran == [mine]


async def test_several_copies_get_a_job_each(world: World) -> None:
    await world.copy("pod1")
    await world.copy("pod2")
    await world.visit()
    assert world.worked == []
    assert {filed[2] for filed in world.filed} == {"pod1", "pod2"}
    assert {filed[3] for filed in world.filed} == {9}
    await world.visit(PodId("pod2"))
    assert world.worked == [("pod2", "copy-pod2")]


async def test_an_attempt_under_way_is_waited_for(world: World) -> None:
    await world.copy("pod1", is_bound=False)
    with pytest.raises(RetryLaterError):
        await world.visit(PodId("pod1"))


async def test_a_copy_that_somebody_changes_is_waited_for(world: World) -> None:
    await world.copy("pod1")
    (copy,) = await world.routings.copies_of(Kind.NETWORK, "n1")
    assert await world.leases.hold(copy, owner="other", ttl_s=60)
    with pytest.raises(RetryLaterError):
        await world.visit(PodId("pod1"))


async def test_a_pod_that_is_away_has_a_job_of_its_own(world: World) -> None:
    """It comes again until the pod is back, and the job about every pod is done."""
    await world.copy("pod1")
    world.pods[PodId("pod1")] = Pod(id=PodId("pod1"), name="pod1", az_name="az", state=PodState.DISABLED)
    await world.visit()
    assert world.filed == [(JobType.NETWORK, "n1", "pod1", 9, {})]
    with pytest.raises(RetryLaterError):
        await world.visit(PodId("pod1"))


async def test_what_a_dead_attempt_left_is_worked_on(world: World) -> None:
    await world.copy("pod1", is_bound=False, is_dead=True)
    world.left = Found(pod_resource_id="left")
    await world.visit(PodId("pod1"))
    assert world.worked == [("pod1", "left")]


async def test_a_dead_attempt_that_left_nothing_is_forgotten(world: World) -> None:
    await world.copy("pod1", is_bound=False, is_dead=True)
    await world.visit(PodId("pod1"))
    assert world.worked == []
    assert await world.routings.copies_of(Kind.NETWORK, "n1") == []


class Leaving:
    """A copy that the centre says shall go, until ``wanted``; how the row looked at each step is noted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers = [True, True]
        self.steps: list[tuple[str, str | None]] = []
        self.failure: BaseException | None = None

    async def visit(self) -> None:
        departure = Departure(self._is_due, self._remove)
        await visit(
            self.world.reach,
            run(PodId("pod1")),
            Kind.NETWORK,
            work=self.world._work,
            find=self.world._find,
            departure=departure,
        )

    async def _noted(self, step: str) -> None:
        row = await self.world.routings.copy_in(Kind.NETWORK, "n1", PodId("pod1"))
        self.steps.append((step, row.pod_resource_id if row is not None else "no row"))

    async def _is_due(self, _pod: Pod, _copy: Routing) -> bool:
        await self._noted("asked")
        return self.answers.pop(0)

    async def _remove(self, _pod: Pod, copy: Routing) -> None:
        await self._noted("removed")
        if self.failure is not None:
            raise self.failure
        await self.world.routings.forget(copy.id)


async def test_a_copy_that_leaves_is_nobodys_while_the_centre_is_asked_once_more(world: World) -> None:
    await world.copy("pod1")
    leaving = Leaving(world)
    await leaving.visit()
    assert leaving.steps == [("asked", "copy-pod1"), ("asked", None), ("removed", None)]
    assert await world.routings.copies_of(Kind.NETWORK, "n1") == []
    assert world.worked == []


async def test_a_copy_that_is_wanted_again_stays_and_the_job_comes_again(world: World) -> None:
    await world.copy("pod1")
    leaving = Leaving(world)
    leaving.answers = [True, False]
    with pytest.raises(RetryLaterError, match="wanted again"):
        await leaving.visit()
    leaving.answers = [False]
    await leaving.visit()
    assert [step for step, _ in leaving.steps] == ["asked", "asked", "asked"]
    assert world.worked == [("pod1", "copy-pod1")]


async def test_a_boot_that_comes_in_between_waits_for_the_lease(world: World) -> None:
    """It finds no bound row, so it does not take the copy that goes."""
    await world.copy("pod1")
    leaving = Leaving(world)
    taken: list[object] = []

    async def boot(_step: str) -> None:
        taken.append(await world.leases.take(Kind.NETWORK, "n1", PodId("pod1"), DEMO, owner="boot", ttl_s=60))

    leaving._noted = boot  # type: ignore[method-assign]
    await leaving.visit()
    assert isinstance(taken[0], Routing)
    assert taken[1:] == [None, None]
    assert isinstance(await world.leases.take(Kind.NETWORK, "n1", PodId("pod1"), DEMO, owner="b", ttl_s=60), Lease)


@pytest.mark.parametrize("failure", [UnavailableError("away"), asyncio.CancelledError()], ids=["away", "cancelled"])
async def test_a_copy_whose_pod_does_not_answer_is_written_down_as_before(world: World, failure: BaseException) -> None:
    await world.copy("pod1")
    leaving = Leaving(world)
    leaving.failure = failure
    with pytest.raises(type(failure)):
        await leaving.visit()
    (copy,) = await world.routings.copies_of(Kind.NETWORK, "n1")
    assert copy.pod_resource_id == "copy-pod1"
    assert await world.leases.hold(copy, owner="next", ttl_s=60), "and it is free"


async def test_an_attempt_stays_when_its_pod_may_have_hidden_what_it_left(world: World) -> None:
    await world.copy("pod1", is_bound=False, is_dead=True)
    world.is_admin = False
    with pytest.raises(ServiceUserError):
        await world.visit(PodId("pod1"))
    world.is_admin, world.left = True, Found(pod_resource_id="left")
    await world.visit(PodId("pod1"))
    assert world.worked == [("pod1", "left")]


def test_nothing_is_expected_of_what_was_deleted() -> None:
    assert expected(run()) == 9
    assert expected(run(deleted=True)) is None
