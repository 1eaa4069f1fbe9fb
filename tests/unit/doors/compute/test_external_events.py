# SPDX-License-Identifier: Apache-2.0
"""Where do events of other services go, and what does their sender hear?"""

import uuid
from typing import Any

import pytest

from tests.unit.doors.compute.cloud import Cloud
from tests.unit.doors.compute.test_boot import boot
from tricircle.context import PodId, ProjectId
from tricircle.errors import UnavailableError
from tricircle.http.message import Answer
from tricircle.ledger.leases import Lease, Leases
from tricircle.model.pod import Service
from tricircle.model.routing import Kind

PATH = "/os-server-external-events"


async def send(sky: Cloud, *events: dict[str, Any]) -> Answer:
    context = sky.context("admin", "admin")
    return await sky.ask("POST", PATH, {"events": list(events)}, context=context, version="2.93")


async def test_every_event_to_its_servers_pod(sky: Cloud) -> None:
    here, there = await boot(sky, availability_zone="az1"), await boot(sky, availability_zone="az2")
    stranger, volume = str(uuid.uuid4()), str(uuid.uuid4())
    answer = await send(
        sky,
        {"name": "volume-extended", "server_uuid": there["id"], "tag": volume},
        {"name": "network-changed", "server_uuid": stranger},
        {"name": "network-changed", "server_uuid": here["id"]},
        {"name": "volume-extended", "server_uuid": here["id"]},
    )
    assert answer.status == 207
    events: Any = answer.object()["events"]
    assert [(event["server_uuid"], event["code"]) for event in events] == [
        (there["id"], 200), (stranger, 404), (here["id"], 200), (here["id"], 400),
    ]  # fmt: skip
    assert [event["name"] for event in sky.apps["pod1"].nova.consoles.events] == ["network-changed"]
    assert [event["tag"] for event in sky.apps["pod2"].nova.consoles.events] == [volume]


async def test_all_known_is_200(sky: Cloud) -> None:
    server = await boot(sky, availability_zone="az1")
    assert (await send(sky, {"name": "network-changed", "server_uuid": server["id"]})).status == 200


async def test_ports_have_other_names_in_pods(sky: Cloud) -> None:
    server = await boot(sky, availability_zone="az1")
    port = str(uuid.uuid4())
    leases = Leases(sky.engine)
    lease = await leases.take(Kind.PORT, port, PodId("pod1"), ProjectId("p"), owner="test", ttl_s=30)
    assert isinstance(lease, Lease)
    await leases.bind(lease, "port-in-pod", revision="1")
    answer = await send(sky, {"name": "network-vif-plugged", "server_uuid": server["id"], "tag": port})
    events: Any = answer.object()["events"]
    assert events[0]["tag"] == port
    assert [event["tag"] for event in sky.apps["pod1"].nova.consoles.events] == ["port-in-pod"]


async def test_the_centre_judges_form_and_right(sky: Cloud) -> None:
    server = await boot(sky, availability_zone="az1")
    good, bad = {"name": "network-changed", "server_uuid": server["id"]}, {"name": "x", "server_uuid": server["id"]}
    assert (await send(sky, good, bad)).status == 400
    assert (await sky.ask("POST", PATH, {"events": [good]})).status == 403
    assert not sky.apps["pod1"].nova.consoles.events


async def test_nothing_is_sent_while_a_servers_place_is_unknown(sky: Cloud) -> None:
    server = await boot(sky, availability_zone="az1")
    sky.wires.cut.add(("pod2", Service.COMPUTE))
    known = {"name": "network-changed", "server_uuid": server["id"]}
    with pytest.raises(UnavailableError):
        await send(sky, known, {"name": "network-changed", "server_uuid": str(uuid.uuid4())})
    assert not sky.apps["pod1"].nova.consoles.events
    assert (await send(sky, known)).status == 200
