# SPDX-License-Identifier: Apache-2.0
"""What is a sum over pods when one of them, or all of them, refuse to say their part?"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from tests.unit.road.scripted import World, json_reply, pod, request
from tricircle.conf.settings import DatabaseSettings
from tricircle.context import ProjectId
from tricircle.doors.block_storage.limits import Limits as VolumeLimits
from tricircle.doors.block_storage.quota import VolumeCounts
from tricircle.doors.compute.fleet import Fleet
from tricircle.doors.compute.limits import Limits as ServerLimits
from tricircle.doors.compute.quota import ServerCounts
from tricircle.doors.compute.usage import Usage
from tricircle.http.message import Answer, Request
from tricircle.ledger.reservations import Reservations
from tricircle.model.pod import Service
from tricircle.model.reservation import Reading
from tricircle.pods.bindings import Bindings
from tricircle.pods.registry import Registry
from tricircle.road.allowance import Allowance
from tricircle.road.gather import INCOMPLETE_HEADER
from tricircle.store.engine import Engine, create_engine, transaction
from tricircle.store.tables import metadata
from tricircle.upstream.client import Clients

VOLUMES_USED = (
    "totalVolumesUsed",
    "totalGigabytesUsed",
    "totalSnapshotsUsed",
    "totalBackupsUsed",
    "totalBackupGigabytesUsed",
)
ONE, TWO = pod("Pod1", "az1"), pod("Pod2", "az2")
REFUSED = json_reply(403, {"forbidden": {"code": 403, "message": "no"}})


class Everywhere:
    """A project that is bound to both pods."""

    async def pods_of(self, project_id: str) -> set[str]:
        return {ONE.id, TWO.id}


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    """A database in which nobody has written anything down yet."""
    engine = create_engine(DatabaseSettings(connection=f"sqlite:///{tmp_path / 'sums.db'}"))
    async with transaction(engine) as connection:
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


async def ask(there: World, engine: Engine, what: str, asked: Request) -> Answer:
    bindings = cast("Bindings", Everywhere())
    servers, volumes = (
        Allowance(
            counts,
            books=Reservations(engine),
            clients=cast("Clients", None),
            registry=cast("Registry", there.registry),
            bindings=bindings,
        )
        for counts in (ServerCounts(), VolumeCounts())
    )
    handlers: dict[str, Any] = {
        "usage": Usage(carrier=there.carrier).index,
        "statistics": Fleet(carrier=there.carrier).statistics,
        "summary": VolumeLimits(carrier=there.carrier, bindings=bindings, allowance=volumes).summary,
        "server limits": ServerLimits(carrier=there.carrier, bindings=bindings, allowance=servers).limits,
        "volume limits": VolumeLimits(carrier=there.carrier, bindings=bindings, allowance=volumes).limits,
    }
    answer: Answer = await handlers[what](asked)
    return answer


PARTS = {
    "usage": {"tenant_usages": [{"tenant_id": "p1", "total_hours": 1.0}]},
    "statistics": {"hypervisor_statistics": {"count": 1}},
    "summary": {"volume-summary": {"total_count": 1, "total_size": 1}},
    "server limits": {
        "limits": {"absolute": dict.fromkeys(("totalInstancesUsed", "totalCoresUsed", "totalRAMUsed"), 1)}
    },
    "volume limits": {"limits": {"absolute": dict.fromkeys(VOLUMES_USED, 1)}},
}


@pytest.mark.parametrize("what", list(PARTS))
async def test_one_pods_refusal_makes_a_sum_incomplete(engine: Engine, what: str) -> None:
    there = World((ONE, TWO))
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"limits": {"absolute": {}}})
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = REFUSED
    there.upstreams.said["id-Pod2", "/v2.1/sum"] = json_reply(200, PARTS[what])
    answer = await ask(there, engine, what, request("GET", "/sum"))
    assert isinstance(answer.body, bytes)
    assert (answer.status, msgspec.json.decode(answer.body)) == (200, PARTS[what])
    assert answer.header(INCOMPLETE_HEADER) == b"az1"


@pytest.mark.parametrize("what", ["usage", "statistics", "summary"])
async def test_what_every_pod_refuses_is_refused(engine: Engine, what: str) -> None:
    there = World((ONE, TWO))
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = there.upstreams.said["id-Pod2", "/v2.1/sum"] = REFUSED
    assert (await ask(there, engine, what, request("GET", "/sum"))).status == 403


@pytest.mark.parametrize("what", ["server limits", "volume limits"])
async def test_a_pod_that_is_silent_counts_with_what_it_said_last(engine: Engine, what: str) -> None:
    """To whichever process it said so: it is written down."""
    there, service = World((ONE, TWO)), Service.COMPUTE if what.startswith("server") else Service.BLOCK_STORAGE
    books = Reservations(engine)
    used = dict.fromkeys(("instances", "cores", "ram", "volumes", "gigabytes", "snapshots"), 4)
    reading = Reading(pod_id=ONE.id, amounts=used, seen_at=await books.time())
    await books.look(ProjectId("p1"), service, [reading])
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"limits": {"absolute": {}}})
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = REFUSED
    there.upstreams.said["id-Pod2", "/v2.1/sum"] = json_reply(200, PARTS[what])
    answer = await ask(there, engine, what, request("GET", "/sum"))
    assert isinstance(answer.body, bytes)
    absolute = msgspec.json.decode(answer.body)["limits"]["absolute"]
    assert absolute["totalInstancesUsed" if service is Service.COMPUTE else "totalVolumesUsed"] == 5
    assert answer.header(INCOMPLETE_HEADER) == b"az1"
