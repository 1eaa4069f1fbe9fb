# SPDX-License-Identifier: Apache-2.0
"""What does a user hear of our database's outage when a pod or the centre has done the work already?"""

from unittest.mock import create_autospec

import msgspec

from tests.unit.road.scripted import World, json_reply, pod, request
from tricircle.doors.block_storage.quotas.quota import Quota
from tricircle.doors.block_storage.volumes.derived import Derivation, Derived
from tricircle.http.message import Answer
from tricircle.model.pod import Service
from tricircle.model.routing import Kind
from tricircle.upstream.reply import Call, Reply

ONE = pod("Pod1", "az1")


def world() -> World:
    made = World((ONE,), service=Service.BLOCK_STORAGE, prefix="/volume")
    made.routings.add(Kind.VOLUME, "v1", ONE)
    return made


async def test_what_a_pod_made_is_the_answer() -> None:
    """A 503 would make the client make it again."""
    there = world()

    def make(_call: Call) -> Reply:
        there.routings.is_away = True
        return json_reply(202, {"snapshot": {"id": "s1"}})

    there.upstreams.said["id-Pod1", "/v3/snapshots"] = make
    derived = Derived(carrier=there.carrier, quota=create_autospec(Quota))
    handler = derived.making(Derivation(entity="snapshot", kind=Kind.SNAPSHOT, sources=(("volume_id", Kind.VOLUME),)))
    body = msgspec.json.encode({"snapshot": {"volume_id": "v1"}})
    answer: Answer = await handler(request("POST", "/snapshots", root="/v3", body=body))
    assert answer.status == 202
    assert [call.method for _, call in there.upstreams.calls] == ["POST"]
