# SPDX-License-Identifier: Apache-2.0
"""What becomes of ports when a real server in a real pod ends, or loses an interface."""

import asyncio
import uuid

import pytest

from tests.functional.network_world import Json, Rest, World
from tricircle.context import ProjectId
from tricircle.copies.origins import GATEWAY, USER
from tricircle.copies.server_ports import detached
from tricircle.model.job import JobType
from tricircle.model.pod import Service
from tricircle.model.routing import Kind

pytestmark = pytest.mark.lab


@pytest.fixture
async def nova(world: World) -> Rest:
    """The pod's Nova as the tenant's own token sees it."""
    url = world.pods[0].endpoints[Service.COMPUTE].url + "/v2.1"
    return Rest(world.settings.central.identity_url, url, "demo", "demo")


class Booted:
    """A server with one port that the user brought and one that the gateway made."""

    def __init__(self, world: World, nova: Rest) -> None:
        self.world, self.nova = world, nova
        self.id = ""
        self.users: Json = {}
        self.ours: Json = {}
        self.network: Json = {}

    async def boot(self) -> "Booted":
        world, pod = self.world, self.world.pods[0]
        self.network = world.network()
        world.subnet(self.network)
        self.users, self.ours = world.port(self.network, pod), world.port(self.network, pod)
        copies = [
            await world.ports.ensure(pod, port, details={"origin": origin}, deadline=world.deadline())
            for port, origin in ((self.users, USER), (self.ours, GATEWAY))
        ]
        admin = Rest(
            world.settings.central.identity_url, pod.endpoints[Service.COMPUTE].url + "/v2.1", "admin", "admin"
        )
        flavor = (await world.call(admin.list, "flavors"))[0]
        image = await world.call(_image, world)
        server = self.nova.make(
            "servers",
            "server",
            name="vm",
            flavorRef=flavor["id"],
            imageRef=image,
            networks=[{"port": copy.pod_resource_id} for copy in copies],
        )
        self.id = str(server["id"])
        for copy in copies:
            await world.reach.routings.update(copy.id, details={"server_id": self.id})
        for port in (self.users, self.ours):
            world.service.change("ports", "port", port["id"], device_id=self.id)
        await world.reach.routings.record(Kind.SERVER, self.id, pod.id, ProjectId(str(self.network["project_id"])))
        await world.until(lambda: self.nova.show("servers", "server", self.id)["status"] == "ACTIVE", 90)
        return self

    async def tell_worker(self, payload: Json | None = None) -> None:
        """The job that the gateway files after an end or a detach."""
        pod = self.world.pods[0]
        project_id = ProjectId(str(self.network["project_id"]))
        await self.world.reach.queue.append(
            JobType.SERVER_PORTS, self.id, project_id, pod_id=pod.id, payload=payload or {}
        )


def _image(world: World) -> str:
    """An image of the centre, which the lab's pods use too; a tiny one is made if there is none."""
    url = world.settings.central.image_url + "/v2"
    glance = Rest(world.settings.central.identity_url, url, "admin", "admin")
    for image in glance.list("images"):
        if image["status"] == "active":
            return str(image["id"])
    image = {"name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    status, made = glance("POST", "/images", image)
    assert status == 201, made
    assert glance.upload(f"/images/{made['id']}/file", b"0" * 1024) == 204
    return str(made["id"])


async def test_after_the_end_of_a_server_only_the_users_port_is_left(world: World, nova: Rest) -> None:
    server = await Booted(world, nova).boot()
    before = server.users["mac_address"]
    # The pod's network belongs to the service project and is shared: its addresses show, under the central name.
    shown = nova.show("servers", "server", server.id)["addresses"]
    assert {row["addr"] for row in shown[server.network["name"]]} == {
        port["fixed_ips"][0]["ip_address"] for port in (server.users, server.ours)
    }
    assert nova.delete("servers", server.id) == 204
    await server.tell_worker()

    def is_released() -> bool:
        port = world.service.show("ports", "port", server.users["id"])
        return port["device_id"] == "" and port["binding:host_id"] == ""

    await world.until(is_released, 90)
    await world.until(lambda: world.service.show("ports", "port", server.ours["id"]) is None)
    port = world.demo.show("ports", "port", server.users["id"])
    assert (port["mac_address"], port["status"], port["device_owner"]) == (before, "DOWN", "")
    for brought in (server.users, server.ours):
        await world.until(lambda brought=brought: not world.marked(0, "ports", brought["id"]))
        await world.settled()
        assert not await world.reach.routings.copies_of(Kind.PORT, str(brought["id"]))
    assert not await world.reach.routings.copies_of(Kind.SERVER, server.id)


async def test_a_detached_interface_goes_and_the_others_stay(world: World, nova: Rest) -> None:
    server = await Booted(world, nova).boot()
    (copy,) = await world.reach.routings.copies_of(Kind.PORT, str(server.users["id"]))
    status, answer = nova("DELETE", f"/servers/{server.id}/os-interface/{copy.pod_resource_id}")
    assert status == 202, answer
    await server.tell_worker(detached(str(server.users["id"])))
    await world.until(lambda: world.service.show("ports", "port", server.users["id"])["device_id"] == "", 90)
    assert not world.marked(0, "ports", server.users["id"])
    assert world.marked(0, "ports", server.ours["id"])
    assert world.service.show("ports", "port", server.ours["id"])["device_id"] == server.id
    assert nova.delete("servers", server.id) == 204
    await server.tell_worker()
    await world.until(lambda: world.service.show("ports", "port", server.ours["id"]) is None, 90)


async def test_a_claim_without_a_server_is_given_back(world: World) -> None:
    """The gateway died between claiming ports and the pod's answer."""
    network = world.network()
    world.subnet(network)
    claim = str(uuid.uuid4())
    users, ours = (world.port(network, world.pods[0]) for _ in range(2))
    half_made = world.demo.make("ports", "port", network_id=network["id"], device_id=claim)
    for port in (users, ours):
        world.service.change("ports", "port", port["id"], device_id=claim)
    await asyncio.gather(
        *(
            world.ports.ensure(
                world.pods[0], port, details={"origin": origin, "server_id": claim}, deadline=world.deadline()
            )
            for port, origin in ((users, USER), (ours, GATEWAY))
        )
    )
    await world.reach.queue.append(
        JobType.SERVER_PORTS, claim, ProjectId(str(network["project_id"])), pod_id=world.pods[0].id
    )
    await world.until(lambda: world.service.show("ports", "port", users["id"])["device_id"] == "")
    await world.until(lambda: not world.service.show("ports", "port", half_made["id"]))
    assert world.service.show("ports", "port", ours["id"]) is None
    assert not world.marked(0, "ports", users["id"])
