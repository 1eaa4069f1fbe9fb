# SPDX-License-Identifier: Apache-2.0
"""Is a copy made once, whoever asks, whoever crashes, and whatever the pod answers?

Against the real ledger on SQLite in memory; the pod is a list.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tricircle.conf.settings import DatabaseSettings
from tricircle.context import Deadline, PodId, ProjectId
from tricircle.copies.ensure import Ensure, Found, Wanted
from tricircle.errors import (
    BadUpstreamAnswerError,
    ConflictError,
    NotFoundError,
    OutcomeUnknownError,
    UnavailableError,
    UpstreamStatusError,
)
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.store.engine import create_engine, transaction
from tricircle.store.tables import metadata, pods

POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
DEMO = ProjectId("demo")


class Ledger:
    """The books, and an ``Ensure`` on them."""

    def __init__(self, engine: object) -> None:
        self.leases = Leases(engine)  # type: ignore[arg-type]
        self.routings = Routings(engine)  # type: ignore[arg-type]
        self.ensure = Ensure(self.leases, self.routings)


class PodSide:
    """What the pod holds, with a natural key: a second object is refused."""

    def __init__(self) -> None:
        self.held: list[str] = []
        self.created = self.looked = 0
        self.fault: Exception | None = None
        self.refusal = (409, "exists")
        #: The POST works, but its answer is lost.
        self.swallows = False

    async def find(self) -> Found | None:
        self.looked += 1
        return Found(pod_resource_id=self.held[0]) if self.held else None

    async def create(self) -> Found:
        self.created += 1
        await asyncio.sleep(0.02)
        if self.fault is not None and not self.swallows:
            raise self.fault
        if self.held:
            raise UpstreamStatusError(*self.refusal, "Pod1/network")
        self.held.append(f"copy{self.created}")
        if self.fault is not None:
            raise self.fault
        return Found(pod_resource_id=self.held[0], details={"a": 1}, revision="7")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    engine = create_engine(DatabaseSettings(connection=f"sqlite+aiosqlite:///{tmp_path}/ledger.db"))
    async with transaction(engine) as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(pods.insert(), [{"id": "pod1", "name": "Pod1", "az_name": "az1", "facts": {}}])
    yield Ledger(engine)
    await engine.dispose()


def _wanted() -> Wanted:
    return Wanted(kind=Kind.NETWORK, central_id="net1", pod=POD, project_id=DEMO, revision="3")


async def _ensure(ledger: Ledger, pod: PodSide, seconds: float = 10) -> object:
    return await ledger.ensure(_wanted(), find=pod.find, create=pod.create, deadline=Deadline.after(seconds))


async def test_the_first_one_creates_without_looking(ledger: Ledger) -> None:
    pod = PodSide()
    routing = await _ensure(ledger, pod)
    assert (routing.pod_resource_id, routing.revision, routing.details) == ("copy1", "7", {"a": 1})
    assert (pod.created, pod.looked) == (1, 0)
    assert await _ensure(ledger, pod) == routing
    assert pod.created == 1


async def test_many_at_once_make_one(ledger: Ledger) -> None:
    pod = PodSide()
    routings = await asyncio.gather(*(_ensure(ledger, pod) for _ in range(8)))
    assert {routing.pod_resource_id for routing in routings} == {"copy1"}
    assert pod.created == 1


async def test_who_comes_after_a_dead_attempt_looks_first(ledger: Ledger) -> None:
    pod = PodSide()
    dead = await ledger.leases.take(Kind.NETWORK, "net1", POD.id, DEMO, owner="dead", ttl_s=30)
    assert isinstance(dead, Lease)
    pod.held.append("left behind")
    await ledger.leases.release(dead)
    routing = await _ensure(ledger, pod)
    assert routing.pod_resource_id == "left behind"
    assert (pod.created, routing.revision) == (0, "3")


@pytest.mark.parametrize(
    "refusal",
    [(409, "exists"), (400, "Requested subnet with cidr: 10.0.0.0/24 for network: n overlaps with another subnet")],
)
async def test_a_late_post_of_another_is_adopted(ledger: Ledger, refusal: tuple[int, str]) -> None:
    pod = PodSide()
    pod.refusal = refusal
    pod.held.append("late")
    routing = await _ensure(ledger, pod)
    assert routing.pod_resource_id == "late"


@pytest.mark.parametrize(
    "fault",
    [
        UnavailableError("not sent"),
        UpstreamStatusError(400, "no", "Pod1/network"),
        UpstreamStatusError(409, "", "x"),
        NotFoundError("the original is gone"),
        ConflictError("no addresses are left"),
    ],
)
async def test_nothing_is_left_when_nothing_was_made(ledger: Ledger, fault: Exception) -> None:
    pod = PodSide()
    pod.fault = fault
    with pytest.raises(type(fault)):
        await _ensure(ledger, pod)
    assert await ledger.routings.copies_of(Kind.NETWORK, "net1") == []
    pod.fault = None
    assert (await _ensure(ledger, pod)).is_bound


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_failure_half_way_is_not_nothing(ledger: Ledger, status: int) -> None:
    """Nor what a proxy says that got no answer: the next one looks before it creates."""
    pod = PodSide()
    pod.fault, pod.swallows = UpstreamStatusError(status, "<h1>Gateway Time-out</h1>", "Pod1/network"), True
    with pytest.raises(UpstreamStatusError):
        await _ensure(ledger, pod)
    (row,) = await ledger.routings.copies_of(Kind.NETWORK, "net1")
    assert not row.is_bound
    assert (await _ensure(ledger, pod)).pod_resource_id == "copy1"
    assert pod.created == 1


async def test_a_lost_answer_is_asked_for(ledger: Ledger) -> None:
    pod = PodSide()
    pod.fault, pod.swallows = OutcomeUnknownError("no answer"), True
    assert (await _ensure(ledger, pod)).pod_resource_id == "copy1"


async def test_what_stays_unknown_is_looked_for_by_the_next_one(ledger: Ledger) -> None:
    pod = PodSide()
    pod.fault = OutcomeUnknownError("no answer")
    with pytest.raises(UnavailableError):  # to ask again is safe
        await _ensure(ledger, pod)
    (row,) = await ledger.routings.copies_of(Kind.NETWORK, "net1")
    assert not row.is_bound
    pod.fault = None
    pod.held.append("arrived late")
    assert (await _ensure(ledger, pod)).pod_resource_id == "arrived late"


async def test_an_answer_that_does_not_say_what_was_made_is_no_copy(ledger: Ledger) -> None:
    pod = PodSide()

    async def create() -> Found:
        await pod.create()
        return Found(pod_resource_id="")

    with pytest.raises(BadUpstreamAnswerError):
        await ledger.ensure(_wanted(), find=pod.find, create=create, deadline=Deadline.after(10))
    copy = await _ensure(ledger, pod)
    assert (copy.pod_resource_id, pod.created, pod.looked) == ("copy1", 1, 1)  # type: ignore[attr-defined]


async def test_what_nobody_could_look_for_stays_unknown(ledger: Ledger) -> None:
    """An answer is lost because the time is up, so there is none left to look: the row must not go."""
    pod = PodSide()
    pod.fault, pod.swallows = OutcomeUnknownError("no answer"), True

    async def find() -> Found | None:
        raise UnavailableError("the time is up")

    with pytest.raises(UnavailableError):
        await ledger.ensure(_wanted(), find=find, create=pod.create, deadline=Deadline.after(10))
    (row,) = await ledger.routings.copies_of(Kind.NETWORK, "net1")
    assert not row.is_bound
    assert (await _ensure(ledger, pod)).pod_resource_id == "copy1"
    assert pod.created == 1


async def test_waiting_for_somebody_else_ends_with_the_time(ledger: Ledger) -> None:
    await ledger.leases.take(Kind.NETWORK, "net1", POD.id, DEMO, owner="slow", ttl_s=30)
    with pytest.raises(UnavailableError):
        await _ensure(ledger, PodSide(), seconds=0.3)


async def test_a_caller_that_goes_away_leaves_the_row_to_the_next(ledger: Ledger) -> None:
    pod = PodSide()
    task = asyncio.ensure_future(_ensure(ledger, pod))
    while not pod.created:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await _ensure(ledger, pod)).is_bound
    assert pod.looked == 1
