# SPDX-License-Identifier: Apache-2.0
"""Trunks of the centre, realised in a real pod with the port that is their parent."""

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.functional.network_world import Json, World
from tricircle.copies.ports import Ports
from tricircle.copies.statuses import awaited, look
from tricircle.copies.trunks import Trunks
from tricircle.model.pod import Pod
from tricircle.model.routing import Kind
from tricircle.upstream.central import Central

pytestmark = pytest.mark.lab


def _trunk(world: World, parent: Json, *sub_ports: Json, **values: object) -> Json:
    trunk = world.demo.make("trunks", "trunk", port_id=parent["id"], sub_ports=list(sub_ports), **values)
    world.made.append(("trunks", trunk["id"]))
    return trunk


def _sub_port(world: World, number: int) -> Json:
    network = world.network()
    world.subnet(network, cidr=f"10.{number}.0.0/24")
    port = world.demo.make("ports", "port", network_id=network["id"])
    return {"port_id": port["id"], "segmentation_type": "vlan", "segmentation_id": number}


async def _boot(world: World, parent: Json, number: int) -> str:
    """What the gateway does with a port for a server: bind it, and make it in the pod. Its id there."""
    change = {"binding:host_id": world.pods[number].name, "device_id": f"claim-{uuid.uuid4()}"}
    bound = world.service.change("ports", "port", parent["id"], **change, device_owner="compute:az")
    routing = await world.trunks.ensure(
        world.pods[number], bound, details={"origin": "user"}, deadline=world.deadline()
    )
    return str(routing.pod_resource_id)


async def _plugged(world: World, parent: Json, number: int, pod_port: str) -> None:
    """What the pod's Nova does with the port, and then the gateway: somebody looks."""
    host = world.inside[number].list("agents", agent_type="Open vSwitch agent")[0]["host"]
    world.inside[number].change("ports", "port", pod_port, **{"binding:host_id": host, "device_owner": "compute:nova"})
    await look(world.reach, world.pods[number], awaited(str(parent["id"])))


def _tags(world: World, number: int, trunk: Json) -> dict[str, int]:
    """Segment of each sub-port of the copy, by the central id of the port."""
    found: dict[str, int] = {}
    for copy in world.marked(number, "trunks", trunk["id"]):
        for row in copy["sub_ports"]:
            port = world.inside[number].show("ports", "port", row["port_id"])
            found[str(port["description"]).removeprefix("tricircle:")] = row["segmentation_id"]
    return found


async def test_a_trunk_lives_with_its_parent(world: World) -> None:
    network = world.network()
    world.subnet(network)
    parent = world.demo.make("ports", "port", network_id=network["id"])
    first, second = _sub_port(world, 101), _sub_port(world, 102)
    trunk = _trunk(world, parent, first, name="t")
    assert trunk["status"] == "DOWN"
    pod_port = await _boot(world, parent, 0)

    (copy,) = world.marked(0, "trunks", trunk["id"])
    assert (copy["name"], copy["port_id"], copy["project_id"]) == ("t", pod_port, trunk["project_id"])
    assert _tags(world, 0, trunk) == {first["port_id"]: 101}
    assert world.demo.show("ports", "port", first["port_id"])["device_owner"] == "trunk:subport"
    await _plugged(world, parent, 0, pod_port)
    await world.until(lambda: world.demo.show("trunks", "trunk", trunk["id"])["status"] == "ACTIVE")
    await world.until(lambda: world.demo.show("ports", "port", first["port_id"])["status"] == "ACTIVE")
    assert not world.marked(1, "trunks", trunk["id"])

    # Sub-ports come and go while the server runs.
    path = f"/trunks/{trunk['id']}"
    assert world.demo("PUT", f"{path}/add_subports", {"sub_ports": [second]})[0] == 200
    await world.until(lambda: _tags(world, 0, trunk) == {first["port_id"]: 101, second["port_id"]: 102})
    await world.until(lambda: world.demo.show("trunks", "trunk", trunk["id"])["status"] == "ACTIVE")
    assert world.demo("PUT", f"{path}/remove_subports", {"sub_ports": [{"port_id": first["port_id"]}]})[0] == 200
    await world.until(lambda: _tags(world, 0, trunk) == {second["port_id"]: 102})
    await world.until(lambda: not world.marked(0, "ports", first["port_id"]))
    freed = world.service.show("ports", "port", first["port_id"])
    assert (freed["status"], freed["device_owner"], freed["binding:host_id"]) == ("DOWN", "", "")
    world.demo.change("trunks", "trunk", trunk["id"], name="renamed", admin_state_up=False)
    await world.until(lambda: [one["name"] for one in world.marked(0, "trunks", trunk["id"])] == ["renamed"])
    # As in a stock Neutron: neither a trunk of a running server goes, nor a port that is in one.
    world.demo.change("trunks", "trunk", trunk["id"], admin_state_up=True)
    assert world.demo.delete("trunks", trunk["id"]) == 409
    assert world.demo.delete("ports", second["port_id"]) == 409

    # The server ends: the copies go, what the tenant declared stays, and goes to another pod with its next server.
    world.inside[0].change("ports", "port", pod_port, **{"binding:host_id": "", "device_owner": ""})
    await world.trunks.remove(world.pods[0], str(parent["id"]), world.deadline())
    released = {"binding:host_id": "", "device_id": "", "device_owner": ""}
    world.service.change("ports", "port", parent["id"], **released)
    await world.until(lambda: not world.marked(0, "ports", second["port_id"]))
    assert not world.marked(0, "trunks", trunk["id"])
    assert world.demo.show("trunks", "trunk", trunk["id"])["status"] == "DOWN"
    await _boot(world, parent, 1)
    assert _tags(world, 1, trunk) == {second["port_id"]: 102}

    await world.trunks.remove(world.pods[1], str(parent["id"]), world.deadline())
    world.service.change("ports", "port", parent["id"], **released)
    assert world.demo.delete("trunks", trunk["id"]) == 204
    for port in (parent["id"], first["port_id"], second["port_id"]):
        assert world.demo.delete("ports", port) == 204
    await world.settled()
    for number in (0, 1):
        assert not world.marked(number, "trunks", trunk["id"])
        assert not world.marked(number, "ports", second["port_id"])
    assert not await world.reach.routings.copies_of(Kind.TRUNK, str(trunk["id"]))


async def test_a_trunk_that_was_lost_in_the_pod_is_made_again(world: World) -> None:
    network = world.network()
    world.subnet(network)
    parent = world.demo.make("ports", "port", network_id=network["id"])
    sub_port = _sub_port(world, 103)
    trunk = _trunk(world, parent, sub_port)
    await _boot(world, parent, 0)
    (copy,) = world.marked(0, "trunks", trunk["id"])
    assert world.inside[0].delete("trunks", copy["id"]) == 204
    world.demo.change("trunks", "trunk", trunk["id"], name="again")
    await world.until(lambda: _tags(world, 0, trunk) == {sub_port["port_id"]: 103})
    released = {"binding:host_id": "", "device_id": "", "device_owner": ""}
    await world.trunks.remove(world.pods[0], str(parent["id"]), world.deadline())
    world.service.change("ports", "port", parent["id"], **released)
    assert world.demo.delete("trunks", trunk["id"]) == 204


class _Central:
    """The centre, where a tenant does something just before a sub-port is bound there."""

    def __init__(self, central: Central, before: Callable[[], None]) -> None:
        self._central = central
        self._before = before

    def __getattr__(self, name: str) -> object:
        return getattr(self._central, name)

    @property
    def networking(self) -> "_Central":
        return _Central(self._central.networking, self._before)  # type: ignore[arg-type]

    async def reply(self, *asked: object, **how: object) -> object:
        self._before()
        return await self._central.reply(*asked, **how)  # type: ignore[attr-defined]


class _Copies:
    """Copies of ports, where a tenant does something before that of a sub-port is made."""

    def __init__(self, ports: Ports, port_id: object, before: Callable[[], None]) -> None:
        self._ports, self._port_id, self._before = ports, port_id, before

    async def ensure(self, pod: Pod, port: Json, **how: object) -> object:
        if port["id"] == self._port_id:
            self._before()
        return await self._ports.ensure(pod, port, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("instant", ["before it is bound", "before its copy is made"])
async def test_a_sub_port_that_leaves_while_it_is_brought_is_free_again(world: World, instant: str) -> None:
    network = world.network()
    world.subnet(network)
    parent = world.demo.make("ports", "port", network_id=network["id"])
    leaving, staying = _sub_port(world, 104), _sub_port(world, 105)
    trunk = _trunk(world, parent, leaving, staying)
    calls: list[int] = []

    def leave() -> None:
        if not calls:
            path, rows = f"/trunks/{trunk['id']}/remove_subports", [{"port_id": leaving["port_id"]}]
            calls.append(world.demo("PUT", path, {"sub_ports": rows})[0])

    central: object = world.reach.central
    copies: object = world.ports
    if instant == "before it is bound":
        central = _Central(world.reach.central, leave)
    else:
        copies = _Copies(world.ports, leaving["port_id"], leave)
    trunks = Trunks(replace(world.reach, central=central), copies)  # type: ignore[arg-type]
    change = {"binding:host_id": world.pods[0].name, "device_id": f"claim-{uuid.uuid4()}"}
    bound = world.service.change("ports", "port", parent["id"], **change, device_owner="compute:az")
    await trunks.ensure(world.pods[0], bound, details={"origin": "user"}, deadline=world.deadline())

    assert calls == [200]
    assert _tags(world, 0, trunk) == {staying["port_id"]: 105}
    await world.until(lambda: not world.marked(0, "ports", leaving["port_id"]))
    freed = world.service.show("ports", "port", leaving["port_id"])
    assert (freed["binding:host_id"], freed["device_owner"]) == ("", "")
    await world.trunks.remove(world.pods[0], str(parent["id"]), world.deadline())
    world.service.change("ports", "port", parent["id"], **{"binding:host_id": "", "device_id": "", "device_owner": ""})
    assert world.demo.delete("trunks", trunk["id"]) == 204
    await world.settled()
