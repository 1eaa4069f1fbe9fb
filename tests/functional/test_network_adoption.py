# SPDX-License-Identifier: Apache-2.0
"""A network that an operator made in a pod is used, and stays as it was."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.functional.network_world import Json, World, open_world
from tricircle.copies.addresses import Addresses
from tricircle.copies.adoption import Adoptions
from tricircle.copies.counterparts import Observed
from tricircle.copies.networks import wanted_network
from tricircle.errors import ConflictError, NotFoundError
from tricircle.model.routing import Kind, Routing

pytestmark = pytest.mark.lab

#: Far from what other tests use, and free: the operator's, whoever tests here.
CIDR = "10.77.0.0/24"


@dataclass
class Scene:
    """A network at the centre, and one of the operator's of Pod1 with the same wire."""

    world: World
    adoptions: Adoptions
    network: Json
    subnet: Json
    theirs: Json
    there: Json

    @property
    def own_id(self) -> str:
        return str(self.theirs["id"])

    async def observe(self) -> Observed:
        network_id, pod = str(self.network["id"]), self.world.pods[0]
        return await self.adoptions.observe(network_id, pod, self.own_id, self.world.deadline())

    async def adopt(self) -> Routing:
        seen = await self.observe()
        return await self.adoptions.adopt(seen, self.world.pods[0], self.own_id, self.world.deadline())

    def operators_port(self, address: str) -> Json:
        fixed_ips = [{"subnet_id": self.there["id"], "ip_address": address}]
        return self.world.inside[0].make("ports", "port", network_id=self.own_id, fixed_ips=fixed_ips)

    def inside(self) -> tuple[Json | None, Json | None]:
        """What the operator has, as it is now."""
        inside = self.world.inside[0]
        return (inside.show("networks", "network", self.own_id), inside.show("subnets", "subnet", self.there["id"]))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with open_world() as world:
        network = world.network()
        subnet = world.subnet(network, cidr=CIDR, allocation_pools=[{"start": "10.77.0.2", "end": "10.77.0.199"}])
        whole = world.service.show("networks", "network", network["id"])
        assert whole is not None
        wanted = wanted_network(whole, world.pods[0].physical_networks)
        key = {name: value for name, value in wanted.items() if name.startswith("provider:")}
        theirs = world.inside[0].make("networks", "network", name="operators own", mtu=whole["mtu"], **key)
        there = world.inside[0].make(
            "subnets", "subnet", network_id=theirs["id"], cidr=CIDR, ip_version=4, gateway_ip="10.77.0.254",
            allocation_pools=[{"start": "10.77.0.200", "end": "10.77.0.253"}],
        )  # fmt: skip
        adoptions = Adoptions(world.reach, world.networks, Addresses(world.reach.central, world.reach.owner))
        try:
            yield Scene(world, adoptions, network, subnet, theirs, there)
            await world.call(world.clean)
            world.made.clear()
            await world.settled()
        finally:
            for port in world.inside[0].list("ports", network_id=theirs["id"]):
                world.inside[0].delete("ports", port["id"])
            world.inside[0].delete("networks", theirs["id"])


async def test_ports_live_on_the_operators_network(scene: Scene) -> None:
    world = scene.world
    own = scene.operators_port("10.77.0.50")
    before = scene.inside()
    seen = await scene.observe()
    assert seen.obstacles == []
    assert "10.77.0.50" in {one.ip_address for one in seen.used}
    assert not await world.reach.routings.copies_of(Kind.NETWORK, str(scene.network["id"])), "only looked at"
    routing = await scene.adopt()
    assert (routing.pod_resource_id, routing.is_adopted) == (scene.own_id, True)

    # The address is nobody else's at the centre, whoever asks for it.
    wanted = {"network_id": scene.network["id"], "fixed_ips": [{"ip_address": "10.77.0.50"}]}
    assert world.demo("POST", "/ports", {"port": wanted})[0] == 409
    port = world.port(scene.network, world.pods[0])
    copy = await world.ports.ensure(world.pods[0], port, details={"origin": "user"}, deadline=world.deadline())
    shown = world.inside[0].show("ports", "port", copy.pod_resource_id)
    assert shown is not None
    assert (shown["network_id"], shown["mac_address"]) == (scene.own_id, port["mac_address"])
    assert shown["fixed_ips"] == [{"subnet_id": scene.there["id"], "ip_address": port["fixed_ips"][0]["ip_address"]}]

    # The tenant changes what he declared: the operator's stays as it was.
    world.demo.change("networks", "network", scene.network["id"], name="renamed")
    world.demo.change("subnets", "subnet", scene.subnet["id"], dns_nameservers=["192.0.2.1"])
    await world.settled()
    after = scene.inside()
    for now, then in zip(after, before, strict=True):
        assert now is not None
        assert then is not None
        assert {**now, "shared": None, "updated_at": None, "revision_number": None} == {
            **then, "shared": None, "updated_at": None, "revision_number": None
        }  # fmt: skip

    # A subnet that the operator has not is not added to his network.
    late = world.subnet(scene.network, cidr="10.78.0.0/24")
    more = world.port(scene.network, world.pods[0], fixed_ips=[{"subnet_id": late["id"]}])
    with pytest.raises(ConflictError, match="Use another subnet"):
        await world.ports.ensure(world.pods[0], more, deadline=world.deadline())
    assert [one["id"] for one in world.inside[0].list("subnets", network_id=scene.own_id)] == [scene.there["id"]]

    with pytest.raises(ConflictError, match="1 ports"):
        await scene.adoptions.let_go(routing, world.pods[0], world.deadline())
    for one in (port, more):
        assert world.service.delete("ports", one["id"]) == 204
    await world.settled()
    assert world.demo.delete("networks", scene.network["id"]) == 204
    await world.settled()
    assert None not in scene.inside()
    assert world.inside[0].show("ports", "port", own["id"]) is not None
    assert not world.inside[0].list("ports", network_id=scene.own_id, description=f"tricircle:{port['id']}")
    for kind, central_id in ((Kind.NETWORK, scene.network["id"]), (Kind.SUBNET, scene.subnet["id"])):
        assert not await world.reach.routings.copies_of(kind, str(central_id))


async def test_given_back_while_the_network_lives(scene: Scene) -> None:
    world = scene.world
    routing = await scene.adopt()
    scene.operators_port("10.77.0.60")
    assert (await scene.adopt()).id == routing.id, "again, to keep what came since"
    (held,) = world.service.list("ports", network_id=scene.network["id"], device_owner="network:dhcp")
    assert "10.77.0.60" in {ip["ip_address"] for ip in held["fixed_ips"]}
    routing = await world.reach.routings.copy_in(Kind.NETWORK, str(scene.network["id"]), world.pods[0].id)
    assert routing is not None
    await scene.adoptions.let_go(routing, world.pods[0], world.deadline())
    assert world.service.list("ports", network_id=scene.network["id"]) == []
    assert not await world.reach.routings.copies_of(Kind.SUBNET, str(scene.subnet["id"]))
    assert None not in scene.inside()


def _held(scene: Scene) -> set[str]:
    """What nobody at the centre gets, since the pod has it."""
    ports = scene.world.service.list("ports", network_id=scene.network["id"], device_owner="network:dhcp")
    return {ip["ip_address"] for port in ports for ip in port["fixed_ips"]}


async def test_adopted_again_as_soon_as_it_was_given_back(scene: Scene) -> None:
    """What the pod's slice had waits for the pod, and the pod is the one that has it again: nobody else."""
    world, pod = scene.world, scene.world.pods[0]
    scene.operators_port("10.77.0.60")
    routing = await scene.adopt()
    used = _held(scene)
    assert used >= {"10.77.0.60", "10.77.0.254"}
    for _ in range(2):
        await scene.adoptions.let_go(routing, pod, world.deadline())
        assert _held(scene) == set()
        routing = await scene.adopt()
        assert _held(scene) == used
    # Also when the slice is there, and has to grow by what its earlier port had.
    (piece,) = world.service.list("ports", network_id=scene.network["id"], device_owner="network:dhcp")
    fewer = [ip for ip in piece["fixed_ips"] if ip["ip_address"] != "10.77.0.60"]
    world.service.change("ports", "port", piece["id"], fixed_ips=fewer)
    wanted = {"network_id": scene.network["id"], "fixed_ips": [{"ip_address": "10.77.0.60"}]}
    assert world.demo("POST", "/ports", {"port": wanted})[0] == 409, "a tenant waits for the pod"
    await scene.adopt()
    assert _held(scene) == used
    assert world.service.delete("ports", piece["id"]) == 204
    await scene.adopt()
    assert _held(scene) == used


async def test_what_stands_in_the_way_is_named(scene: Scene) -> None:
    world = scene.world
    taken = world.demo.make("ports", "port", network_id=scene.network["id"], fixed_ips=[{"ip_address": "10.77.0.70"}])
    scene.operators_port("10.77.0.70")
    world.demo.change("networks", "network", scene.network["id"], mtu=1300)
    with pytest.raises(ConflictError, match=r"network: mtu.*address 10\.77\.0\.70"):
        await scene.adopt()
    assert not await world.reach.routings.copies_of(Kind.NETWORK, str(scene.network["id"]))
    assert world.demo.delete("ports", taken["id"]) == 204
    with pytest.raises(NotFoundError):
        await scene.adoptions.observe(str(scene.network["id"]), world.pods[0], "nowhere", world.deadline())
