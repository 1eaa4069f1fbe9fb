# SPDX-License-Identifier: Apache-2.0
"""Does the ledger tell a sweep what stands still, by the database's clock, and when a pod is due?"""

from datetime import timedelta

import pytest

from tricircle.context import PodId, ProjectId
from tricircle.jobs.queue import Queue
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.routing import Kind, RoutingState
from tricircle.store.engine import Engine, transaction
from tricircle.store.sweeps import SweepRows

pytestmark = pytest.mark.mariadb

POD, DEMO = PodId("pod1"), ProjectId("demo")


async def states(routings: Routings, kind: Kind, *, later_s: float = 0) -> list[RoutingState]:
    before = await routings.now() + timedelta(seconds=later_s)
    return [one async for page in routings.states(POD, kind, before=before) for one in page]


async def test_rows_say_whether_somebody_works_on_them_and_how_old_they_are(engine: Engine) -> None:
    leases, routings = Leases(engine), Routings(engine)
    held = await leases.take(Kind.NETWORK, "n1", POD, DEMO, owner="test", ttl_s=60)
    dead = await leases.take(Kind.NETWORK, "n2", POD, DEMO, owner="test", ttl_s=-1)
    free = await leases.take(Kind.NETWORK, "n3", POD, DEMO, owner="test", ttl_s=60)
    assert isinstance(held, Lease)
    assert isinstance(dead, Lease)
    assert isinstance(free, Lease)
    await leases.bind(free, "copy")
    await routings.record(Kind.SERVER, "s1", POD, DEMO)
    found = await states(routings, Kind.NETWORK)
    assert [(one.routing.central_id, one.is_held) for one in found] == [("n1", True), ("n2", False), ("n3", False)]
    assert all(one.is_old for one in found)
    assert not any(one.is_old for one in await states(routings, Kind.NETWORK, later_s=-3600))


async def test_a_pods_clock_does_not_say_how_old_a_row_is(engine: Engine) -> None:
    """Nor does what it said get lost: lists are in the pod's own order."""
    routings = Routings(engine)
    for hours in (-1, 1):
        before = await routings.now()
        born = (before + timedelta(hours=hours)).replace(microsecond=0)
        await routings.record(Kind.SERVER, f"s{hours}", POD, DEMO, born)
        found = [one async for page in routings.states(POD, Kind.SERVER, before=before) for one in page]
        assert (found[-1].routing.created_at, found[-1].is_old) == (born, False)
        later = await routings.now() + timedelta(seconds=1)
        assert all([one.is_old async for page in routings.states(POD, Kind.SERVER, before=later) for one in page])


async def test_a_row_is_as_old_as_its_last_change(engine: Engine) -> None:
    routings = Routings(engine)
    routing = await routings.record(Kind.SERVER, "s1", POD, DEMO)
    before = await routings.now()
    await routings.update(routing.id, details={"asked_az": "az1"})
    (state,) = [one async for page in routings.states(POD, Kind.SERVER, before=before) for one in page]
    assert not state.is_old


async def test_a_suspicion_is_an_attempt_that_anybody_may_take(engine: Engine) -> None:
    leases, routings = Leases(engine), Routings(engine)
    assert await routings.suspect(Kind.PORT, "p1", POD, DEMO, {"server_id": "s1"})
    assert not await routings.suspect(Kind.PORT, "p1", POD, DEMO)
    (port,) = await routings.ports_of_server("s1", POD)
    assert not port.is_bound
    found = await routings.in_pod_by_central(Kind.PORT, ["p1", "p2"], POD)
    assert list(found) == ["p1"]
    lease = await leases.take(Kind.PORT, "p1", POD, DEMO, owner="job", ttl_s=60)
    assert isinstance(lease, Lease)
    assert not lease.is_new, "whoever takes it looks in the pod first"


async def test_a_pod_is_due_when_no_sweep_waits_or_ended_lately(engine: Engine) -> None:
    queue = Queue(engine)

    async def due(interval_s: float = 900) -> list[str]:
        async with transaction(engine) as connection:
            return [str(one) for one in await SweepRows.due(connection, interval_s=interval_s)]

    async def in_hand() -> set[PodId]:
        async with transaction(engine) as connection:
            return await SweepRows.in_hand(connection)

    assert await due() == ["pod1", "pod2", "pod3"]
    job_id = await queue.append(JobType.SWEEP, POD, ProjectId(""), pod_id=POD)
    assert await due() == ["pod2", "pod3"]
    assert await in_hand() == {POD}
    assert await queue.is_waiting(JobType.SWEEP, POD)
    (claim,) = await queue.claim("test", 30, 1)
    assert await due() == ["pod2", "pod3"]
    assert await in_hand() == {POD}
    await queue.finish(claim, report={"found": []})
    assert await in_hand() == set()
    assert await due() == ["pod2", "pod3"]
    assert await due(interval_s=-60) == ["pod1", "pod2", "pod3"]
    assert not await queue.is_waiting(JobType.SWEEP, POD)
    async with transaction(engine) as connection:
        end = await SweepRows.end_of(connection, POD, job_id)
        assert await SweepRows.end_of(connection, POD, job_id + 1) is None
    assert end is not None
    assert (end.status, end.report) == ("done", {"found": []})
