# SPDX-License-Identifier: Apache-2.0
"""What is a sum over pods when one of them, or all of them, refuse to say their part?"""

from typing import Any, cast

import msgspec
import pytest

from tests.unit.road.scripted import World, json_reply, pod, request
from tricircle.doors.block_storage.limits import Limits as VolumeLimits
from tricircle.doors.compute.fleet import Fleet
from tricircle.doors.compute.limits import Limits as ServerLimits
from tricircle.doors.compute.usage import Usage
from tricircle.http.message import Answer, Request
from tricircle.pods.bindings import Bindings
from tricircle.road.gather import INCOMPLETE_HEADER

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


async def ask(there: World, what: str, asked: Request) -> Answer:
    bindings = cast("Bindings", Everywhere())
    handlers: dict[str, Any] = {
        "usage": Usage(carrier=there.carrier).index,
        "statistics": Fleet(carrier=there.carrier).statistics,
        "summary": VolumeLimits(carrier=there.carrier, bindings=bindings).summary,
        "server limits": ServerLimits(carrier=there.carrier, bindings=bindings).limits,
        "volume limits": VolumeLimits(carrier=there.carrier, bindings=bindings).limits,
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
async def test_one_pods_refusal_makes_a_sum_incomplete(what: str) -> None:
    there = World((ONE, TWO))
    there.upstreams.said["central", "/v2.1/sum"] = json_reply(200, {"limits": {"absolute": {}}})
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = REFUSED
    there.upstreams.said["id-Pod2", "/v2.1/sum"] = json_reply(200, PARTS[what])
    answer = await ask(there, what, request("GET", "/sum"))
    assert isinstance(answer.body, bytes)
    assert (answer.status, msgspec.json.decode(answer.body)) == (200, PARTS[what])
    assert answer.header(INCOMPLETE_HEADER) == b"az1"


@pytest.mark.parametrize("what", ["usage", "statistics", "summary"])
async def test_what_every_pod_refuses_is_refused(what: str) -> None:
    there = World((ONE, TWO))
    there.upstreams.said["id-Pod1", "/v2.1/sum"] = there.upstreams.said["id-Pod2", "/v2.1/sum"] = REFUSED
    assert (await ask(there, what, request("GET", "/sum"))).status == 403
