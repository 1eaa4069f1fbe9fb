# SPDX-License-Identifier: Apache-2.0
"""Are lost records written back once, and those removed that speak of what is no more?"""

import time
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tricircle.context import PodId, ProjectId
from tricircle.jobs.queue import Queue
from tricircle.ledger.leases import Lease, Leases
from tricircle.ledger.routings import Routings
from tricircle.model.job import JobType
from tricircle.model.pod import Pod
from tricircle.model.quarantine import Left, What
from tricircle.model.routing import Kind, Routing
from tricircle.recovery.facts import Fact
from tricircle.recovery.record_keeper import RecordKeeper
from tricircle.recovery.report import Did, Report
from tricircle.store import restoration
from tricircle.store.engine import Engine, transaction
from tricircle.store.held import values_held
from tricircle.store.routings import RoutingRows
from tricircle.store.tables import quarantine

pytestmark = pytest.mark.mariadb

_POD = Pod(id=PodId("pod1"), name="Pod1", az_name="az1")
_DEMO = ProjectId("demo")
_BORN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def fact(central_id: str, kind: Kind = Kind.PORT, *, job: JobType | None = None, **details: object) -> Fact:
    routing = Routing(
        id=0, central_id=central_id, kind=kind, pod_id=_POD.id, project_id=_DEMO, pod_resource_id=f"in-{central_id}",
        revision="3", details=details, created_at=_BORN,
    )  # fmt: skip
    return Fact(routing=routing, defaults={"origin": "user"}, job=job)


async def keeper(engine: Engine, *, is_rehearsal: bool = False) -> tuple[RecordKeeper, Report]:
    report = Report()
    async with transaction(engine) as connection:
        since = await RoutingRows.moment(connection)
    return RecordKeeper(engine, Queue(engine), report, since=since, is_rehearsal=is_rehearsal), report


async def test_what_was_lost_is_written_once(engine: Engine) -> None:
    rehearsal, report = await keeper(engine, is_rehearsal=True)
    await rehearsal.put(_POD, Kind.PORT, [fact("a", server_id="s", job=JobType.PORT)])
    assert report.counts["Pod1", "port", Did.WRITTEN] == 1
    assert await Routings(engine).copy_in(Kind.PORT, "a", _POD.id) is None
    assert await Queue(engine).waiting(10) == []
    real, report = await keeper(engine)
    await real.put(_POD, Kind.PORT, [fact("a", server_id="s", job=JobType.PORT)])
    written = await Routings(engine).copy_in(Kind.PORT, "a", _POD.id)
    assert written is not None
    assert (written.pod_resource_id, written.revision, written.created_at) == ("in-a", "3", _BORN)
    assert written.details == {"origin": "user", "server_id": "s"}
    assert [one.id for one in await Routings(engine).ports_of_server("s", _POD.id)] == [written.id]
    (job,) = await Queue(engine).waiting(10)
    assert (job.type, job.resource_id, job.pod_id) == (JobType.PORT, "a", _POD.id)
    again, report = await keeper(engine)
    await again.put(_POD, Kind.PORT, [fact("a", server_id="s")])
    assert dict(report.counts) == {("Pod1", "port", Did.KEPT): 1}


async def test_servers_of_one_call_are_found_by_it_again(engine: Engine) -> None:
    real, _ = await keeper(engine)
    await real.put(_POD, Kind.SERVER, [fact("s1", Kind.SERVER, reservation_id="r-1"), fact("s2", Kind.SERVER)])
    async with transaction(engine) as connection:
        assert [one.central_id for one in await RoutingRows.of_reservation(connection, "r-1")] == ["s1"]


async def test_an_older_row_is_corrected_and_an_attempt_bound(engine: Engine) -> None:
    first, _ = await keeper(engine)
    await first.put(_POD, Kind.PORT, [fact("a", origin="gateway", server_id="gone")])
    taken = await Leases(engine).take(Kind.PORT, "b", _POD.id, _DEMO, owner="dead", ttl_s=0.01)
    assert isinstance(taken, Lease)
    second, report = await keeper(engine)
    await second.put(_POD, Kind.PORT, [fact("a", server_id="s"), fact("b")])
    assert report.counts["Pod1", "port", Did.WRITTEN] == 2
    a, b = [await Routings(engine).copy_in(Kind.PORT, one, _POD.id) for one in ("a", "b")]
    assert a is not None
    assert b is not None
    assert a.details == {"origin": "gateway", "server_id": "s"}
    assert (b.id, b.pod_resource_id) == (taken.routing_id, "in-b")


async def test_rows_of_what_is_gone_go_and_young_or_leased_ones_stay(engine: Engine) -> None:
    first, _ = await keeper(engine)
    await first.put(_POD, Kind.PORT, [fact("stays"), fact("goes"), fact("unmarked")])
    await first.put(_POD, Kind.NETWORK, [fact("goes", Kind.NETWORK)])
    await Leases(engine).take(Kind.PORT, "held", _POD.id, _DEMO, owner="alive", ttl_s=60)
    second, report = await keeper(engine)
    async with transaction(engine) as connection:
        assert await restoration.leases(connection) == 1
    async with transaction(engine) as connection:
        # Whenever the pod says that it was made: its clock may be wrong.
        await restoration.write(connection, [fact("late").routing])
    await second.prune(_POD, Kind.PORT, known={"stays"}, there={"in-stays", "in-unmarked"})
    assert report.counts["Pod1", "port", Did.REMOVED] == 1
    async with transaction(engine) as connection:
        left = {
            row.central_id for row in await connection.execute(sa.text("SELECT central_id FROM tricircle_routings"))
        }
        networks = await RoutingRows.of(connection, Kind.NETWORK, "goes")
    assert left == {"stays", "unmarked", "held", "late", "goes"}
    assert len(networks) == 1


async def test_identifiers_are_held_once_and_let_go_for_their_original(engine: Engine) -> None:
    first, _ = await keeper(engine)
    await first.put(_POD, Kind.SUBNET, [fact("s", Kind.SUBNET)])
    left = Left(what=What.ADDRESS, scope="n", value="10.0.0.7", kind=Kind.SUBNET, central_id="s")
    for _ in range(2):
        async with transaction(engine) as connection:
            await restoration.hold(connection, [(left, None)])
    async with transaction(engine) as connection:
        rows = (await connection.execute(sa.select(quarantine.c.value))).scalars().all()
        held = [row.value for row in await connection.execute(values_held(What.ADDRESS, scope="n"))]
    assert (rows, held) == (["10.0.0.7"], ["10.0.0.7"])
    await first.release("n", {"10.0.0.7", "fa:1"})
    async with transaction(engine) as connection:
        assert (await connection.execute(values_held(What.ADDRESS, scope="n"))).all() == []


async def test_many_rows_in_short_transactions(engine: Engine) -> None:
    real, report = await keeper(engine)
    facts = [fact(f"p{number}", server_id=f"s{number}") for number in range(3000)]
    began = time.monotonic()
    await real.put(_POD, Kind.PORT, facts)
    assert time.monotonic() - began < 120
    await real.put(_POD, Kind.PORT, facts)
    assert (report.counts["Pod1", "port", Did.WRITTEN], report.counts["Pod1", "port", Did.KEPT]) == (3000, 3000)
    assert await Routings(engine).of_pod(_POD.id) == {Kind.PORT: 3000}
