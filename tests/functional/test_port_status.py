# SPDX-License-Identifier: Apache-2.0
"""A tenant sees the status that the port has in its pod."""

import pytest

from tests.functional.network_world import Json, World
from tricircle.copies.statuses import awaited, look
from tricircle.model.pod import Pod

pytestmark = pytest.mark.lab


async def _copied(world: World, number: int = 0, **values: object) -> tuple[Json, str]:
    """A port of a tenant in a pod, and its id there; nothing has plugged it in."""
    network = world.network()
    world.subnet(network)
    port = world.port(network, world.pods[number], **values)
    copy = await world.ports.ensure(world.pods[number], port, details={"origin": "user"}, deadline=world.deadline())
    return port, str(copy.pod_resource_id)


def _plug(world: World, pod_port: str, number: int = 0, host: str | None = None) -> None:
    """What the pod's Nova does."""
    host = host or str(world.inside[number].list("agents", agent_type="Open vSwitch agent")[0]["host"])
    world.inside[number].change("ports", "port", pod_port, **{"binding:host_id": host, "device_owner": "compute:nova"})


async def _look(world: World, port: Json, pod: Pod) -> None:
    await look(world.reach, pod, awaited(str(port["id"])))


def _status(world: World, port: Json) -> object:
    seen = world.demo.show("ports", "port", port["id"])
    return None if seen is None else seen["status"]


async def test_down_until_the_pod_has_plugged_it_in(world: World) -> None:
    port, pod_port = await _copied(world)
    await _look(world, port, world.pods[0])
    assert _status(world, port) == "DOWN"
    _plug(world, pod_port)
    await world.until(lambda: _status(world, port) == "ACTIVE")
    (listed,) = world.demo.list("ports", network_id=port["network_id"], status="ACTIVE", device_owner="compute:az")
    assert listed["id"] == port["id"]
    await world.settled()
    world.inside[0].change("ports", "port", pod_port, **{"binding:host_id": ""})
    await _look(world, port, world.pods[0])
    await world.until(lambda: _status(world, port) == "DOWN")


async def test_a_port_that_the_pod_cannot_bind(world: World) -> None:
    port, pod_port = await _copied(world)
    _plug(world, pod_port, host="nowhere")
    await _look(world, port, world.pods[0])
    await world.until(lambda: _status(world, port) == "ERROR")


async def test_switched_off_and_on_by_its_owner(world: World) -> None:
    port, pod_port = await _copied(world)
    _plug(world, pod_port)
    await _look(world, port, world.pods[0])
    await world.until(lambda: _status(world, port) == "ACTIVE")
    for is_up, status in ((False, "DOWN"), (True, "ACTIVE")):
        world.demo.change("ports", "port", port["id"], admin_state_up=is_up)
        await world.until(lambda status=status: _status(world, port) == status)
        await world.settled()


async def test_gone_from_the_pod(world: World) -> None:
    port, pod_port = await _copied(world)
    _plug(world, pod_port)
    await _look(world, port, world.pods[0])
    await world.until(lambda: _status(world, port) == "ACTIVE")
    world.service.change("ports", "port", port["id"], **{"binding:host_id": "", "device_id": "", "device_owner": ""})
    assert _status(world, port) == "DOWN"


async def test_what_has_nothing_to_be_realised_is_active(world: World) -> None:
    port, _ = await _copied(world)
    (slice_port,) = world.service.list("ports", network_id=port["network_id"], device_owner="network:dhcp")
    assert slice_port["status"] == "ACTIVE"
